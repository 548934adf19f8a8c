//! Everything but the conversation: tools, format, limits, sampling, thinking.

use pointsman_core::Dialect;

use super::Encoder;
use crate::json::{Document, Text, Writer};
use crate::neutral::{
    Cap, Extension, Format, Given, Logprobs, Path, Sampling, Thinking, Tool, ToolChoice, ToolKind,
    custom_names, is_custom,
};

use crate::openai::alike;

/// Stop sequences that OpenAI takes.
const MAX_STOPS: usize = 4;

impl Encoder<'_> {
    pub(super) fn tools(&mut self, w: &mut Writer, tools: &[Tool<'_>]) {
        let is_old = |tool: &&Tool<'_>| matches!(tool.path, Path::Item("functions", _));
        if self.own && tools.iter().any(|tool| is_old(&tool)) {
            w.key("functions").array(|w| {
                for tool in tools.iter().filter(is_old) {
                    w.object(|w| self.function(w, tool, ""));
                }
            });
        }
        let carried: Vec<&Tool<'_>> = tools.iter().filter(|tool| !self.own || !is_old(tool)).collect();
        let carried: Vec<&Tool<'_>> = carried.into_iter().filter(|tool| self.carries(tool)).collect();
        if !carried.is_empty() && self.key(w, "tools", "tools") {
            w.array(|w| carried.iter().for_each(|tool| self.tool(w, tool)));
        }
    }

    fn carries(&mut self, tool: &Tool<'_>) -> bool {
        let carried = self.own || !matches!(tool.kind, ToolKind::Server(_));
        if !carried {
            self.losses.at(tool.path);
        }
        carried
    }

    fn tool(&mut self, w: &mut Writer, tool: &Tool<'_>) {
        let kind = match &tool.kind {
            ToolKind::Function { .. } => "function",
            ToolKind::Custom { .. } => "custom",
            ToolKind::Server(raw) => {
                w.raw(raw);
                return;
            }
        };
        w.object(|w| {
            w.key("type").string(kind);
            w.key(kind).object(|w| self.function(w, tool, kind));
            if let Some(cache) = tool.cache {
                if self.takes("cache_control") {
                    w.key("cache_control").raw(cache);
                } else {
                    self.losses.member(tool.path, "cache_control");
                }
            }
            if self.own {
                self.rest(w, &tool.rest, "");
            }
        });
    }

    fn function(&mut self, w: &mut Writer, tool: &Tool<'_>, under: &str) {
        let Tool { name, description, kind, cache: _, path: _, rest } = tool;
        w.key("name").text(name);
        if let Some(description) = description {
            w.key("description").text(description);
        }
        match kind {
            ToolKind::Function { schema, strict } => {
                if let Some(schema) = schema {
                    w.key("parameters").raw(schema);
                }
                if let Some(strict) = strict {
                    w.key("strict").bool(*strict);
                }
            }
            ToolKind::Custom { format: Some(format) } => {
                w.key("format");
                write_format(w, format);
            }
            ToolKind::Custom { format: None } | ToolKind::Server(_) => {}
        }
        self.rest(w, rest, under);
    }

    pub(super) fn tool_choice(
        &mut self,
        w: &mut Writer,
        choice: Option<&Given<ToolChoice<'_>>>,
        parallel: Option<&Given<bool>>,
        tools: &[Tool<'_>],
    ) {
        // Without tools there is nothing to choose from, and OpenAI refuses to be told how.
        if !self.own && tools.iter().all(|tool| matches!(tool.kind, ToolKind::Server(_))) {
            self.losses.given(choice);
            self.losses.given(parallel);
            return;
        }
        if let Some(choice) = choice {
            let old = choice.field == "function_call" && self.own;
            let field = if old { "function_call" } else { "tool_choice" };
            self.put(w, field, choice.field, |w| match &choice.value {
                ToolChoice::Auto => {
                    w.string("auto");
                }
                ToolChoice::None => {
                    w.string("none");
                }
                ToolChoice::Required => {
                    w.string("required");
                }
                ToolChoice::Named(name) if old => {
                    w.object(|w| {
                        w.key("name").text(name);
                    });
                }
                ToolChoice::Named(name) => write_named(w, name, is_custom(tools, name)),
                ToolChoice::Among { names, required } => {
                    let customs = custom_names(tools);
                    w.object(|w| {
                        w.key("type").string("allowed_tools").key("allowed_tools").object(|w| {
                            w.key("mode").string(if *required { "required" } else { "auto" });
                            w.key("tools").array(|w| {
                                names.iter().for_each(|name| write_named(w, name, customs.contains(name)));
                            });
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

    pub(super) fn format(
        &mut self,
        w: &mut Writer,
        format: Option<&Given<Format<'_>>>,
        rest: &[Extension<'_>],
    ) {
        const FIELD: &str = "response_format";
        let Some(given) = format else { return };
        if let (Format::Other(_), false) = (&given.value, self.own) {
            self.losses.field(given.field);
            return;
        }
        if !self.key(w, FIELD, given.field) {
            return;
        }
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
            if matches!(given.value, Format::Schema { .. }) {
                w.key("json_schema").object(|w| {
                    alike::schema(w, given, (self.client, self.abilities), &mut self.losses);
                    self.own_rest(w, rest, "response_format.json_schema");
                });
            }
            self.own_rest(w, rest, FIELD);
        });
    }

    /// Top-level extensions of another dialect are told of once, by [`Encoder::extensions`].
    fn own_rest(&mut self, w: &mut Writer, rest: &[Extension<'_>], under: &str) {
        if self.own {
            self.rest(w, rest, under);
        }
    }

    pub(super) fn limits(
        &mut self,
        w: &mut Writer,
        max_output: Option<&Given<u64>>,
        stop: Option<&Given<Vec<Text<'_>>>>,
        choices: Option<&Given<u64>>,
    ) {
        if let Some(limit) = max_output {
            let name = match limit.field {
                _ if self.target.quirks.old_max_tokens => "max_tokens",
                field if self.own => field,
                _ => "max_completion_tokens",
            };
            self.put(w, name, limit.field, |w| {
                w.count(limit.value);
            });
        }
        if let Some(stop) = stop {
            let most = if self.abilities.refuses_stop() { 0 } else { MAX_STOPS };
            let taken = if self.own { stop.value.len() } else { stop.value.len().min(most) };
            if taken < stop.value.len() {
                self.losses.field(stop.field);
            }
            if taken > 0 || self.own {
                self.put(w, "stop", stop.field, |w| {
                    w.array(|w| {
                        for text in stop.value.iter().take(taken) {
                            w.text(text);
                        }
                    });
                });
            }
        }
        if let Some(choices) = choices {
            self.put(w, "n", choices.field, |w| {
                w.count(choices.value);
            });
        }
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
            ("frequency_penalty", frequency_penalty, false),
            ("presence_penalty", presence_penalty, false),
            ("repetition_penalty", repeat_penalty, true),
            ("seed", seed, false),
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

    pub(super) fn logprobs(
        &mut self,
        w: &mut Writer,
        logprobs: Option<&Given<Logprobs>>,
        effort: Option<&str>,
    ) {
        let Some(Given { field, value: Logprobs { top } }) = logprobs else { return };
        if self.abilities.refuses_sampling(effort) {
            self.losses.field(*field);
            return;
        }
        self.put(w, "logprobs", *field, |w| {
            w.bool(true);
        });
        if let Some(top) = top {
            self.put(w, "top_logprobs", "top_logprobs", |w| {
                w.count(*top);
            });
        }
    }

    pub(super) fn account(
        &mut self,
        w: &mut Writer,
        user: Option<&Given<Text<'_>>>,
        metadata: Option<&Given<&str>>,
        store: Option<&Given<bool>>,
    ) {
        if let Some(user) = user {
            let name = if self.own { user.field } else { "user" };
            let own = self.own;
            self.put(w, name, user.field, |w| alike::user(w, &user.value, own));
        }
        if let Some(metadata) = metadata {
            self.put(w, "metadata", metadata.field, |w| {
                w.raw(metadata.value);
            });
        }
        if let Some(store) = store {
            self.put(w, "store", store.field, |w| {
                w.bool(store.value);
            });
        }
    }

    pub(super) fn service_tier(&mut self, w: &mut Writer, tier: Option<&Given<Text<'_>>>, dialect: Dialect) {
        let Some(tier) = tier else { return };
        let word = tier.value.value();
        let word = match (dialect, &*word) {
            (Dialect::OpenAiChat | Dialect::OpenAiResponses, word) => word,
            (_, word @ ("auto" | "default" | "flex" | "priority")) => word,
            (_, "standard" | "standard_only") => "default",
            _ => {
                self.losses.field(tier.field);
                return;
            }
        };
        self.put(w, "service_tier", tier.field, |w| {
            w.string(word);
        });
    }

    pub(super) fn stream(&mut self, w: &mut Writer, usage: Option<&Given<bool>>, rest: &[Extension<'_>]) {
        if !self.target.stream {
            return;
        }
        w.key("stream").bool(true);
        // Whether the client sees the usage is decided where its stream is written.
        if !self.target.stream_usage {
            self.losses.given(usage.filter(|given| given.value));
            return;
        }
        let field = usage.map_or("stream_options", |given| given.field);
        if self.key(w, "stream_options", field) {
            w.object(|w| {
                w.key("include_usage").bool(true);
                self.own_rest(w, rest, "stream_options");
            });
        }
    }

    pub(super) fn extensions(&mut self, w: &mut Writer, dialect: Dialect, rest: &[Extension<'_>]) {
        for extension in rest {
            let name = extension.name.value();
            let name = match dialect {
                Dialect::OpenAiChat if super::NESTED.iter().any(|object| super::is_under(&name, object)) => {
                    continue;
                }
                Dialect::OpenAiChat => &*name,
                Dialect::OpenAiResponses => match &*name {
                    "text.verbosity" | "verbosity" => "verbosity",
                    shared if SHARED_WITH_RESPONSES.contains(&shared) => shared,
                    _ => "",
                },
                Dialect::Anthropic | Dialect::Gemini | Dialect::Ollama => "",
            };
            if name.is_empty() || extension.path != Path::Root {
                self.losses.field(extension.place());
                continue;
            }
            self.put(w, name, extension.place(), |w| {
                w.raw(extension.raw);
            });
        }
    }
}

/// Members that mean the same in both of OpenAI's dialects.
const SHARED_WITH_RESPONSES: [&str; 5] =
    ["prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "safety_identifier", "moderation"];

/// The format of a custom tool's input. OpenAI's responses have the grammar's members beside its type.
fn write_format(w: &mut Writer, format: &str) {
    let document = Document::read(format.as_bytes()).ok();
    let root = document.as_ref().map(Document::root);
    let flat = root.filter(|root| root.get("definition").is_some() && root.get("grammar").is_none());
    let Some(flat) = flat else {
        w.raw(format);
        return;
    };
    w.object(|w| {
        w.key("type").string("grammar").key("grammar").object(|w| {
            for (key, value) in flat.members().filter(|(key, _)| *key != "type") {
                w.text(&key).frame(b":").raw(value.raw());
            }
        });
    });
}

fn write_named(w: &mut Writer, name: &Text<'_>, custom: bool) {
    let kind = if custom { "custom" } else { "function" };
    w.object(|w| {
        w.key("type").string(kind).key(kind).object(|w| {
            w.key("name").text(name);
        });
    });
}

impl Encoder<'_> {
    /// Efforts are this dialect's own measure; the others go where a vendor has a place for them.
    pub(super) fn thinking(&mut self, w: &mut Writer, thinking: &Thinking<'_>, rest: &[Extension<'_>]) {
        if self.own {
            self.own_thinking(w, thinking, rest);
            return;
        }
        let Thinking { on, effort, budget, summary, shown, encrypted } = thinking;
        let router = self.takes("reasoning");
        let tokens = budget.as_ref().and_then(|given| match given.value {
            Cap::Tokens(tokens) => Some(tokens),
            // The model decides, as it does when it is told nothing.
            Cap::Free => None,
        });
        if router && (on.is_some() || effort.is_some() || tokens.is_some() || shown.is_some()) {
            w.key("reasoning").object(|w| {
                match (effort, tokens) {
                    (Some(effort), _) => {
                        w.key("effort").text(&effort.value);
                    }
                    (None, Some(tokens)) => {
                        w.key("max_tokens").count(tokens);
                    }
                    (None, None) => {}
                }
                if let Some(on) = on {
                    w.key("enabled").bool(on.value);
                }
                if let Some(shown) = shown {
                    w.key("exclude").bool(!shown.value);
                }
            });
        } else {
            self.losses.given(shown.as_ref());
            self.effort(w, thinking);
        }
        if effort.is_some() && tokens.is_some() {
            self.losses.given(budget.as_ref());
        }
        self.losses.given(summary.as_ref());
        self.losses.given(encrypted.as_ref());
    }

    fn effort(&mut self, w: &mut Writer, thinking: &Thinking<'_>) {
        const BUDGET: &str = "thinking_budget";
        let Thinking { effort, budget, .. } = thinking;
        let switched = self.switch(w, thinking);
        if switched == Some(false) {
            // There is no less than that.
            self.losses.given(effort.as_ref().filter(|given| given.value != "none"));
            return;
        }
        if let (None, Some(Given { field, value: Cap::Tokens(tokens) })) = (effort, budget)
            && self.takes(BUDGET)
        {
            self.put(w, BUDGET, *field, |w| {
                w.count(*tokens);
            });
            return;
        }
        let said = self.abilities.effort(thinking);
        // A model that cannot think refuses any effort, even `none`: better not to ask.
        if said.is_some() || switched.is_none() {
            self.abilities.lose(thinking, &mut self.losses);
        }
        if let Some(said) = said {
            self.put(w, "reasoning_effort", said.field, |w| {
                w.string(&said.word);
            });
        }
    }

    /// The vendor's switch, if it has one and the client said anything of thinking: whether it is on. Elsewhere
    /// an effort or a budget is enough to be thought for.
    fn switch(&self, w: &mut Writer, thinking: &Thinking<'_>) -> Option<bool> {
        let Thinking { on, effort, budget, .. } = thinking;
        let by_effort = effort.as_ref().map(|given| given.value != "none");
        let by_budget = budget.as_ref().map(|given| given.value != Cap::Tokens(0));
        let on = on.as_ref().map(|given| given.value).or(by_effort).or(by_budget)?;
        if self.takes("enable_thinking") {
            w.key("enable_thinking").bool(on);
        } else if self.takes("thinking") {
            w.key("thinking").object(|w| {
                w.key("type").string(if on { "enabled" } else { "disabled" });
            });
        } else {
            return None;
        }
        Some(on)
    }

    /// As the client gave it.
    fn own_thinking(&mut self, w: &mut Writer, thinking: &Thinking<'_>, rest: &[Extension<'_>]) {
        let Thinking { on, effort, budget, summary, shown, encrypted: _ } = thinking;
        let given = |object: &str| {
            let fields = [
                on.as_ref().map(|given| given.field),
                effort.as_ref().map(|given| given.field),
                budget.as_ref().map(|given| given.field),
                summary.as_ref().map(|given| given.field),
                shown.as_ref().map(|given| given.field),
            ];
            fields.into_iter().flatten().any(|field| super::is_under(field, object))
                || rest.iter().any(|own| super::is_under(&own.name.value(), object))
        };
        let write = |w: &mut Writer, object: &str| {
            let inner = |field: &'static str| match object {
                "" => (!field.contains('.')).then_some(field),
                object => field.strip_prefix(object).and_then(|name| name.strip_prefix('.')),
            };
            if let Some((name, effort)) = effort.as_ref().and_then(|own| Some((inner(own.field)?, own))) {
                w.key(name).text(&effort.value);
            }
            if let Some((name, summary)) = summary.as_ref().and_then(|own| Some((inner(own.field)?, own))) {
                w.key(name).text(&summary.value);
            }
            if let Some((name, budget)) = budget.as_ref().and_then(|own| Some((inner(own.field)?, own)))
                && let Cap::Tokens(tokens) = budget.value
            {
                w.key(name).count(tokens);
            }
            let free = budget.as_ref().is_some_and(|budget| budget.value == Cap::Free);
            match on.as_ref().and_then(|own| Some((inner(own.field)?, own.value))) {
                Some(("type", _)) if free => w.key("type").string("adaptive"),
                Some(("type", on)) => w.key("type").string(if on { "enabled" } else { "disabled" }),
                Some((name, on)) => w.key(name).bool(on),
                None => w,
            };
            match shown.as_ref().and_then(|own| Some((inner(own.field)?, own.value))) {
                Some(("exclude", shown)) => w.key("exclude").bool(!shown),
                Some((name, shown)) => w.key(name).bool(shown),
                None => w,
            };
        };
        write(w, "");
        for object in ["reasoning", "thinking"].into_iter().filter(|object| given(object)) {
            w.key(object).object(|w| {
                write(w, object);
                self.rest(w, rest, object);
            });
        }
    }
}
