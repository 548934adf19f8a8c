//! Everything but the conversation: tools, format, limits, thinking, what to include.

use std::borrow::Cow;

use pointsman_core::Dialect;

use super::super::words::{ENCRYPTED, INCLUDE, LOGPROBS};
use super::{Encoder, NESTED, under};
use crate::json::{Document, Node, Text, Writer};
use crate::neutral::{
    Cap, Content, Extension, Format, Given, Logprobs, Path, Request, Sampling, Thinking, Tool, ToolChoice,
    ToolKind, custom_names, is_custom,
};
use crate::openai::abilities::{Abilities, Said, USUAL_EFFORT};
use crate::openai::alike;

/// The vendor refuses a smaller limit.
const MIN_OUTPUT: u64 = 16;

impl Encoder<'_> {
    pub(super) fn tools(&mut self, w: &mut Writer, tools: &[Tool<'_>]) {
        let mut carried = Vec::with_capacity(tools.len());
        for tool in tools {
            if self.own || !matches!(tool.kind, ToolKind::Server(_)) {
                carried.push(tool);
            } else {
                self.losses.at(tool.path);
            }
        }
        if !carried.is_empty() && self.key(w, "tools", "tools") {
            w.array(|w| carried.iter().for_each(|tool| self.tool(w, tool)));
        }
    }

    fn tool(&mut self, w: &mut Writer, tool: &Tool<'_>) {
        let Tool { name, description, kind, cache, path, rest } = tool;
        if let ToolKind::Server(raw) = kind {
            w.raw(raw);
            return;
        }
        w.object(|w| {
            let function = matches!(kind, ToolKind::Function { .. });
            w.key("type").string(if function { "function" } else { "custom" }).key("name").text(name);
            if let Some(description) = description {
                w.key("description").text(description);
            }
            match kind {
                ToolKind::Function { schema, strict } => self.function(w, schema.as_deref(), *strict),
                ToolKind::Custom { format: Some(format) } => {
                    w.key("format");
                    write_format(w, format);
                }
                ToolKind::Custom { format: None } | ToolKind::Server(_) => {}
            }
            if cache.is_some() {
                self.losses.member(*path, "cache_control");
            }
            self.rest(w, rest);
        });
    }

    /// Unless it is told otherwise, this dialect takes every schema to the letter, and no other does.
    fn function(&self, w: &mut Writer, schema: Option<&str>, strict: Option<bool>) {
        match schema {
            Some(schema) => {
                w.key("parameters").raw(schema);
            }
            None if !self.own => {
                w.key("parameters").raw(r#"{"type":"object","properties":{}}"#);
            }
            None => {}
        }
        match strict {
            Some(strict) => {
                w.key("strict").bool(strict);
            }
            None if !self.own => {
                w.key("strict").bool(false);
            }
            None => {}
        }
    }

    pub(super) fn tool_choice(
        &mut self,
        w: &mut Writer,
        choice: Option<&Given<ToolChoice<'_>>>,
        parallel: Option<&Given<bool>>,
        tools: &[Tool<'_>],
    ) {
        // Without tools there is nothing to choose from, and the vendor refuses to be told how.
        if !self.own && tools.iter().all(|tool| matches!(tool.kind, ToolKind::Server(_))) {
            self.losses.given(choice);
            self.losses.given(parallel);
            return;
        }
        if let Some(choice) = choice {
            self.put(w, "tool_choice", choice.field, |w| match &choice.value {
                ToolChoice::Auto => {
                    w.string("auto");
                }
                ToolChoice::None => {
                    w.string("none");
                }
                ToolChoice::Required => {
                    w.string("required");
                }
                ToolChoice::Named(name) => write_named(w, name, is_custom(tools, name)),
                ToolChoice::Among { names, required } => {
                    let customs = custom_names(tools);
                    w.object(|w| {
                        w.key("type").string("allowed_tools");
                        w.key("mode").string(if *required { "required" } else { "auto" });
                        w.key("tools").array(|w| {
                            names.iter().for_each(|name| write_named(w, name, customs.contains(name)));
                        });
                    });
                }
            });
        }
        if let Some(parallel) = parallel {
            self.put(w, "parallel_tool_calls", parallel.field, |w| {
                w.bool(parallel.value);
            });
        }
    }

    /// `"text": {"format", "verbosity"}`
    pub(super) fn text(
        &mut self,
        w: &mut Writer,
        format: Option<&Given<Format<'_>>>,
        rest: &[Extension<'_>],
    ) {
        let format = match format {
            Some(Given { field, value: Format::Other(_) }) if !self.own => {
                self.losses.field(*field);
                None
            }
            format => format,
        };
        let chat = self.client == Dialect::OpenAiChat;
        let verbosity = rest.iter().find(|own| chat && own.name == "verbosity");
        let beside = self.own && rest.iter().any(|own| under(own, "text").is_some());
        let given = format.map(|given| given.field).or(verbosity.map(|_| "verbosity"));
        if given.is_none() && !beside || !self.key(w, "text", given.unwrap_or("text")) {
            return;
        }
        w.object(|w| {
            if let Some(given) = format {
                w.key("format");
                self.format(w, given, rest);
            }
            if let Some(verbosity) = verbosity {
                w.key("verbosity").raw(verbosity.raw);
            }
            self.inner(w, rest, "text");
        });
    }

    fn format(&mut self, w: &mut Writer, given: &Given<Format<'_>>, rest: &[Extension<'_>]) {
        let kind = match &given.value {
            Format::Other(raw) => {
                w.raw(raw);
                return;
            }
            Format::Text => "text",
            Format::Json => "json_object",
            Format::Schema { .. } => "json_schema",
        };
        w.object(|w| {
            w.key("type").string(kind);
            alike::schema(w, given, (self.client, self.abilities), &mut self.losses);
            self.inner(w, rest, "text.format");
        });
    }

    /// Writes back what stood beside the known members of a top-level object. Those of another dialect are
    /// told of by [`Encoder::extensions`].
    fn inner(&self, w: &mut Writer, rest: &[Extension<'_>], object: &str) {
        for extension in rest.iter().filter(|_| self.own) {
            if let Some(name) = under(extension, object) {
                w.key(&name).raw(extension.raw);
            }
        }
    }

    pub(super) fn limits(
        &mut self,
        w: &mut Writer,
        max_output: Option<&Given<u64>>,
        stop: Option<&Given<Vec<Text<'_>>>>,
    ) {
        if let Some(limit) = max_output {
            let least = if self.own { 0 } else { MIN_OUTPUT };
            if limit.value < least {
                self.losses.field(limit.field);
            }
            self.put(w, "max_output_tokens", limit.field, |w| {
                w.count(limit.value.max(least));
            });
        }
        let Some(stop) = stop else { return };
        if !self.takes("stop") {
            self.losses.field(stop.field);
            return;
        }
        self.put(w, "stop", stop.field, |w| {
            w.array(|w| {
                for text in &stop.value {
                    w.text(text);
                }
            });
        });
    }

    /// `effort`: the word that is sent.
    pub(super) fn sampling(&mut self, w: &mut Writer, sampling: &Sampling<'_>, effort: Option<&str>) {
        let Sampling {
            temperature,
            top_p,
            top_k,
            min_p,
            frequency_penalty,
            presence_penalty,
            repeat_penalty,
            seed,
        } = sampling;
        let members = [
            ("temperature", temperature, false),
            ("top_p", top_p, false),
            ("top_k", top_k, true),
            ("min_p", min_p, true),
            ("frequency_penalty", frequency_penalty, true),
            ("presence_penalty", presence_penalty, true),
            ("repetition_penalty", repeat_penalty, true),
            ("seed", seed, true),
        ];
        for (name, given, extra) in members {
            let Some(given) = given else { continue };
            if extra && !self.takes(name) {
                self.losses.field(given.field);
                continue;
            }
            if let Some(lost) = self.abilities.withholds(name, given.value, effort) {
                self.losses.given(Some(given).filter(|_| lost));
                continue;
            }
            self.put(w, name, given.field, |w| {
                w.raw(given.value);
            });
        }
    }

    /// `"reasoning": {"effort", "summary"}`. Efforts are this dialect's own measure.
    pub(super) fn reasoning(&mut self, w: &mut Writer, thinking: &Thinking<'_>, rest: &[Extension<'_>]) {
        let Thinking { on, effort, budget, summary, shown, encrypted: _ } = thinking;
        // Whoever only says "think" gets the usual, from any model behind this dialect.
        let switched = on.as_ref().filter(|given| given.value && budget.is_none() && effort.is_none());
        let usual = switched.filter(|_| !self.abilities.is_openais());
        if usual.is_none() {
            self.abilities.lose(thinking, &mut self.losses);
        }
        if effort.is_some() && matches!(budget, Some(Given { value: Cap::Tokens(_), .. })) {
            self.losses.given(budget.as_ref());
        }
        let usual = usual.map(|given| Said { field: given.field, word: Cow::Borrowed(USUAL_EFFORT) });
        let effort = self.abilities.effort(thinking).or(usual);
        let summary = match (summary, shown) {
            // A model that does not reason refuses to be asked.
            (given, shown) if self.abilities == Abilities::Plain => {
                self.losses.given(given.as_ref());
                self.losses.given(shown.as_ref().filter(|given| given.value));
                None
            }
            (Some(given), _) => Some((given.field, given.value.value())),
            // Thoughts themselves are never shown; a summary is what there is.
            (None, Some(Given { field, value: true })) => Some((*field, Cow::Borrowed("auto"))),
            (None, _) => None,
        };
        let beside = self.own && rest.iter().any(|own| under(own, "reasoning").is_some());
        let given = effort.as_ref().map(|said| said.field).or(summary.as_ref().map(|(field, _)| *field));
        if given.is_none() && !beside || !self.key(w, "reasoning", given.unwrap_or("reasoning")) {
            return;
        }
        w.object(|w| {
            if let Some(said) = &effort {
                w.key("effort").string(&said.word);
            }
            if let Some((field, summary)) = &summary {
                let older = *field == "reasoning.generate_summary";
                w.key(if older { "generate_summary" } else { "summary" }).string(summary);
            }
            self.inner(w, rest, "reasoning");
        });
    }

    /// `include`: what the client named here, or what its own dialect gives unasked: the cipher of thoughts,
    /// without which the next turn cannot go on from them.
    pub(super) fn include(
        &mut self,
        w: &mut Writer,
        request: &Request<'_>,
        logprobs: Option<&Given<Logprobs>>,
    ) {
        let Request { thinking, rest, .. } = request;
        let asked = thinking.encrypted.as_ref().is_some_and(|given| given.value);
        let encrypted = asked || !self.own && self.thinks(request);
        let others: Vec<_> = rest.iter().filter(|own| self.own && own.name == INCLUDE).collect();
        if !encrypted && logprobs.is_none() && others.is_empty() {
            return;
        }
        let given = logprobs.map(|given| given.field);
        let unasked = given.is_none() && !asked && others.is_empty();
        if unasked && self.target.quirks.name(INCLUDE).is_none() {
            return;
        }
        self.put(w, INCLUDE, given.unwrap_or(INCLUDE), |w| {
            w.array(|w| {
                if encrypted {
                    w.string(ENCRYPTED);
                }
                if logprobs.is_some() {
                    w.string(LOGPROBS);
                }
                for other in others {
                    w.raw(other.raw);
                }
            });
        });
    }

    /// Whether the model is one that thinks: the client asks for it, or goes on from its thoughts, or it is
    /// known by its name. Others refuse to be asked for a cipher.
    fn thinks(&self, request: &Request<'_>) -> bool {
        let Thinking { on, effort, budget, .. } = &request.thinking;
        let sealed = |content: &Content<'_>| match content {
            Content::Reasoning(thought) => thought.seal.as_ref().is_some_and(|seal| seal.is_for(self.target)),
            _ => false,
        };
        let off = on.as_ref().is_some_and(|given| !given.value)
            || effort.as_ref().is_some_and(|given| given.value == "none");
        let asked = on.is_some() || effort.is_some() || budget.is_some();
        let goes_on = || request.messages.iter().flat_map(|m| &m.blocks).any(|block| sealed(&block.content));
        // Models for chats refuse it, though some of them reason.
        let known = self.abilities.is_reasoner() && !self.target.model.contains("-chat");
        !off && self.abilities != Abilities::Plain && (asked || known || goes_on())
    }

    pub(super) fn top_logprobs(&mut self, w: &mut Writer, logprobs: Option<&Given<Logprobs>>) {
        const FIELD: &str = "top_logprobs";
        if let Some(Given { value: Logprobs { top: Some(top) }, .. }) = logprobs {
            self.put(w, FIELD, FIELD, |w| {
                w.count(*top);
            });
        }
    }

    pub(super) fn account(
        &mut self,
        w: &mut Writer,
        user: Option<&Given<Text<'_>>>,
        metadata: Option<&Given<&str>>,
    ) {
        if let Some(user) = user {
            // `user` is the older name, and both are OpenAI chat's too.
            let name = if user.field == "user" { "user" } else { "safety_identifier" };
            let own = self.own;
            self.put(w, name, user.field, |w| alike::user(w, &user.value, own));
        }
        if let Some(metadata) = metadata {
            self.put(w, "metadata", metadata.field, |w| {
                w.raw(metadata.value);
            });
        }
    }

    pub(super) fn store(&mut self, w: &mut Writer, store: Option<&Given<bool>>) {
        const FIELD: &str = "store";
        match store {
            Some(store) => self.put(w, FIELD, store.field, |w| {
                w.bool(store.value);
            }),
            None if !self.own && self.target.quirks.name(FIELD).is_some() => {
                self.put(w, FIELD, FIELD, |w| {
                    w.bool(false);
                });
            }
            None => {}
        }
    }

    pub(super) fn service_tier(&mut self, w: &mut Writer, tier: Option<&Given<Text<'_>>>) {
        let Some(tier) = tier else { return };
        let openai = self.own || self.client == Dialect::OpenAiChat;
        let word = tier.value.value();
        let word = match &*word {
            word if openai => word,
            word @ ("auto" | "default" | "flex" | "priority") => word,
            "standard" | "standard_only" => "default",
            _ => {
                self.losses.field(tier.field);
                return;
            }
        };
        self.put(w, "service_tier", tier.field, |w| {
            w.string(word);
        });
    }

    pub(super) fn stream(&mut self, w: &mut Writer, rest: &[Extension<'_>]) {
        const OPTIONS: &str = "stream_options";
        if !self.target.stream {
            return;
        }
        w.key("stream").bool(true);
        let beside = self.own && rest.iter().any(|own| under(own, OPTIONS).is_some());
        if beside && self.key(w, OPTIONS, OPTIONS) {
            w.object(|w| self.inner(w, rest, OPTIONS));
        }
    }

    /// What has no place in the neutral form: members of this dialect from its own clients, and those that
    /// OpenAI chat has under the same name.
    pub(super) fn extensions(&mut self, w: &mut Writer, rest: &[Extension<'_>]) {
        for extension in rest {
            let name = extension.name.value();
            let nested = NESTED.iter().any(|object| under(extension, object).is_some());
            if self.own && (nested || name == INCLUDE) {
                continue;
            }
            // Written with the rest of `text`.
            if self.client == Dialect::OpenAiChat && name == "verbosity" {
                continue;
            }
            let shared = self.client == Dialect::OpenAiChat && SHARED_WITH_CHAT.contains(&&*name);
            if extension.path != Path::Root || !(self.own || shared) {
                self.losses.field(extension.place());
                continue;
            }
            self.put(w, &name, &extension.place(), |w| {
                w.raw(extension.raw);
            });
        }
    }
}

/// Members that mean the same in both of OpenAI's dialects.
const SHARED_WITH_CHAT: [&str; 5] =
    ["prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "safety_identifier", "moderation"];

fn write_named(w: &mut Writer, name: &Text<'_>, custom: bool) {
    w.object(|w| {
        w.key("type").string(if custom { "custom" } else { "function" }).key("name").text(name);
    });
}

/// The format of a custom tool's input. OpenAI chat has the grammar in an object of its own.
fn write_format(w: &mut Writer, format: &str) {
    let document = Document::read(format.as_bytes()).ok();
    let grammar = document.as_ref().and_then(|document| document.root().get("grammar")?.fields());
    let Some(grammar) = grammar else {
        w.raw(format);
        return;
    };
    w.object(|w| {
        w.key("type").string("grammar");
        for (key, value) in grammar.rest() {
            w.text(&key).frame(b":").raw(Node::raw(value));
        }
    });
}
