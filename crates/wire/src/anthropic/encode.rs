//! A request for a provider.

use std::cmp::Ordering;
use std::collections::HashSet;

use pointsman_core::Dialect;

use super::models::Claude;
use super::thinking::{self, Decision, Mode};
use super::turns::{self, Conversation};
use super::write::{self, Between};
use super::{media, schema, words};
use crate::json::{Text, Writer};
use crate::neutral::{
    EncodeError, Encoded, Extension, Format, Given, Losses, Request, Sampling, Target, Tool, ToolChoice,
    ToolKind, terms,
};

/// What a model may write where neither the client nor the catalogue says: the vendor wants a number, and
/// no model takes less.
pub const DEFAULT_MAX_TOKENS: u64 = 4_096;

/// The vendor's range of `temperature` ends here; OpenAI's at 2.
const MAX_TEMPERATURE: f64 = 1.0;

/// With thinking on, a smaller `top_p` is refused.
const MIN_THINKING_TOP_P: f64 = 0.95;

/// Writes the body of `POST /v1/messages`.
///
/// # Errors
/// The request goes on from an answer that was not resolved, names a medium by an address that was not
/// fetched, says nothing, or has the model go on from what it does not go on from.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let Request {
        dialect,
        model: _,
        messages: _,
        tools,
        tool_choice: _,
        parallel_tool_calls: _,
        format,
        max_output,
        stop,
        sampling,
        choices,
        logprobs,
        thinking: _,
        user,
        metadata,
        service_tier,
        store,
        previous,
        stream: _,
        // Anthropic's streams always tell the usage.
        stream_usage: _,
        rest,
    } = request;
    if let Some(previous) = previous {
        return Err(EncodeError { field: previous.field.to_owned(), problem: "must be resolved first" });
    }
    let own = *dialect == Dialect::Anthropic;
    // What a client wrote in this dialect is the provider's to judge.
    if let Some(need) = media::needs(request, target).first().filter(|_| !own) {
        let problem = "is an address that this provider does not take: send the bytes";
        return Err(EncodeError { field: need.path.to_string(), problem });
    }
    let between = Between { target, client: *dialect, own };
    let mut losses = Losses::default();
    losses.given(logprobs.as_ref());
    losses.given(metadata.as_ref());
    losses.given(choices.as_ref().filter(|given| given.value != 1));
    losses.given(store.as_ref().filter(|given| given.value));
    let conversation = turns::sort(request, between, &mut losses);
    if !own && conversation.is_empty() {
        return Err(EncodeError::empty(*dialect));
    }
    let claude = Claude::of(target.model).filter(|_| !own);
    if conversation.is_begun() && !target.counts && claude.is_some_and(Claude::refuses_prefill) {
        let problem = "ends with what the assistant says, and this model does not go on from there: end with a turn of the user";
        return Err(EncodeError { field: terms::conversation(*dialect).to_owned(), problem });
    }
    let decision = thinking::decide(request, target, conversation.removed, &mut losses);
    let max_tokens = match (max_output, decision.mode) {
        (Some(given), _) => given.value,
        (None, Mode::Budget(budget)) => {
            target.max_output.unwrap_or(budget.saturating_add(DEFAULT_MAX_TOKENS))
        }
        (None, _) => target.max_output.unwrap_or(DEFAULT_MAX_TOKENS),
    };
    let w = Writer::with_capacity(request.room());
    let mut top = Top { w, target, client: *dialect, own, rest, losses };
    top.w.frame(b"{");
    top.w.key("model").string(target.model).key("max_tokens").count(max_tokens);
    if target.stream {
        top.w.key("stream").bool(true);
    }
    top.sampling(sampling, &decision);
    top.stop(stop.as_ref());
    top.tools(tools, request.tool_choice.as_ref());
    top.tool_choice(request);
    top.thinking(&decision, request);
    top.output_config(&decision, request, format.as_ref());
    top.metadata(user.as_ref());
    top.service_tier(service_tier.as_ref());
    top.extensions();
    top.conversation(&conversation, between);
    let Top { mut w, losses, .. } = top;
    w.frame(b"}");
    Ok(Encoded { body: w.finish(), losses })
}

/// The members of the body, one by one.
struct Top<'t> {
    w: Writer,
    target: &'t Target<'t>,
    client: Dialect,
    own: bool,
    rest: &'t [Extension<'t>],
    losses: Losses,
}

/// Objects of which some members have a place in the neutral form and others are extensions.
const OBJECTS: [&str; 4] = ["metadata", "thinking", "tool_choice", "output_config"];

impl Top<'_> {
    /// Writes the key, unless the provider refuses the field.
    fn key(&mut self, name: &str, given: &'static str) -> bool {
        let Some(name) = self.target.quirks.name(name) else {
            self.losses.field(given);
            return false;
        };
        self.w.key(name);
        true
    }

    /// Whether the client gave members of this object that only this dialect has.
    fn has_under(&self, object: &str) -> bool {
        self.own && self.rest.iter().any(|extension| write::under(extension, object).is_some())
    }

    fn sampling(&mut self, sampling: &Sampling<'_>, decision: &Decision<'_>) {
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
        for given in [min_p, frequency_penalty, presence_penalty, repeat_penalty, seed] {
            self.losses.given(given.as_ref());
        }
        let claude = Claude::of(self.target.model).filter(|_| !self.own);
        let refused = claude.is_some_and(Claude::refuses_sampling);
        let thinks = refused || decision.mode.is_on() && !self.own;
        if let Some(Given { field, value }) = temperature {
            let against = against(value, MAX_TEMPERATURE);
            if self.own || against == Ordering::Less && !thinks {
                self.number("temperature", field, value);
            } else if against == Ordering::Equal {
                // The vendor's default is the same 1.
            } else {
                self.losses.field(*field);
                if !thinks {
                    self.number("temperature", field, "1");
                }
            }
        }
        if let Some(Given { field, value }) = top_p {
            let default = against(value, 1.0) == Ordering::Equal;
            // Recent models refuse the two together; the vendor advises to use the first.
            let both = temperature.as_ref().is_some_and(|given| against(given.value, 1.0) != Ordering::Equal);
            let refused = refused || both || thinks && against(value, MIN_THINKING_TOP_P) == Ordering::Less;
            if self.own || !default && !refused {
                self.number("top_p", field, value);
            } else if !default {
                self.losses.field(*field);
            }
        }
        if let Some(Given { field, value }) = top_k {
            if thinks {
                self.losses.field(*field);
            } else {
                self.number("top_k", field, value);
            }
        }
    }

    fn number(&mut self, name: &str, given: &'static str, value: &str) {
        if self.key(name, given) {
            self.w.raw(value);
        }
    }

    fn stop(&mut self, stop: Option<&Given<Vec<Text<'_>>>>) {
        let Some(Given { field, value }) = stop else { return };
        let sayable = |text: &&Text<'_>| self.own || !text.value().trim().is_empty();
        let texts: Vec<_> = value.iter().filter(sayable).collect();
        if texts.len() < value.len() {
            self.losses.field(*field);
        }
        if (!texts.is_empty() || self.own) && self.key("stop_sequences", field) {
            self.w.array(|w| {
                for text in texts {
                    w.text(text);
                }
            });
        }
    }

    fn tools(&mut self, tools: &[Tool<'_>], choice: Option<&Given<ToolChoice<'_>>>) {
        // The vendor has no list of tools that may be called now: the others are left out.
        let among = match choice {
            Some(Given { value: ToolChoice::Among { names, .. }, .. }) => Some(names),
            _ => None,
        };
        let own = self.own;
        let named: Option<HashSet<&Text<'_>>> = among.map(|names| names.iter().collect());
        let wanted = |tool: &&Tool<'_>| {
            named.as_ref().is_none_or(|names| names.contains(&tool.name))
                && (own || !matches!(tool.kind, ToolKind::Server(_)))
        };
        for tool in tools.iter().filter(|tool| !own && matches!(tool.kind, ToolKind::Server(_))) {
            self.losses.at(tool.path);
        }
        if let (Some(names), Some(choice)) = (among.filter(|_| !own), choice) {
            let known: HashSet<&Text<'_>> = tools.iter().filter(wanted).map(|tool| &tool.name).collect();
            if !names.iter().all(|name| known.contains(name)) {
                self.losses.field(choice.field);
            }
        }
        let wanted: Vec<_> = tools.iter().filter(wanted).collect();
        if (wanted.is_empty() && !(own && tools.is_empty() && among.is_none()))
            || tools.is_empty()
            || !self.key("tools", "tools")
        {
            return;
        }
        let Self { w, losses, client, .. } = self;
        w.array(|w| wanted.iter().for_each(|tool| write_tool(w, tool, *client, losses)));
    }

    fn tool_choice(&mut self, request: &Request<'_>) {
        let (choice, parallel) = (request.tool_choice.as_ref(), request.parallel_tool_calls.as_ref());
        let among: Option<HashSet<&Text<'_>>> = match choice.map(|given| &given.value) {
            Some(ToolChoice::Among { names, .. }) => Some(names.iter().collect()),
            _ => None,
        };
        let named = |tool: &Tool<'_>| among.as_ref().is_none_or(|names| names.contains(&tool.name));
        let own = self.own;
        let callable =
            request.tools.iter().any(|tool| own || named(tool) && !matches!(tool.kind, ToolKind::Server(_)));
        if !callable && !self.own {
            // Without tools, nothing can be called anyway.
            self.losses.given(choice.filter(|given| words::forces_call(&given.value)));
            return;
        }
        let alone = parallel.filter(|given| self.own || !given.value);
        if choice.is_none() && alone.is_none() {
            return;
        }
        let field = choice.map_or("tool_choice", |given| given.field);
        if !self.key("tool_choice", field) {
            return;
        }
        let free = !self.own && Claude::of(self.target.model).is_some_and(Claude::refuses_forced_tools);
        let forced = choice.filter(|given| free && words::forces_call(&given.value));
        self.losses.given(forced);
        let (own, rest) = (self.own, self.rest);
        self.w.object(|w| {
            w.key("type");
            match choice.filter(|_| forced.is_none()).map_or(&ToolChoice::Auto, |given| &given.value) {
                ToolChoice::Auto | ToolChoice::Among { required: false, .. } => w.string("auto"),
                ToolChoice::Required | ToolChoice::Among { required: true, .. } => w.string("any"),
                ToolChoice::None => w.string("none"),
                ToolChoice::Named(name) => w.string("tool").key("name").text(name),
            };
            let none = matches!(choice, Some(Given { value: ToolChoice::None, .. }));
            if let Some(given) = alone.filter(|_| own || !none) {
                w.key("disable_parallel_tool_use").bool(!given.value);
            }
            if own {
                write::write_under(w, rest, "tool_choice");
            }
        });
    }

    fn thinking(&mut self, decision: &Decision<'_>, request: &Request<'_>) {
        if decision.mode == Mode::Unset {
            return;
        }
        let said = &request.thinking;
        let field =
            said.budget.as_ref().map(|given| given.field).or(said.on.as_ref().map(|given| given.field));
        let field = field.or(said.effort.as_ref().map(|given| given.field)).unwrap_or("thinking");
        if !self.key("thinking", field) {
            return;
        }
        let (own, rest) = (self.own, self.rest);
        self.w.object(|w| {
            match decision.mode {
                Mode::Adaptive => w.key("type").string("adaptive"),
                Mode::Budget(tokens) => w.key("type").string("enabled").key("budget_tokens").count(tokens),
                Mode::BetweenTools => w.key("type").string("between_tools"),
                Mode::Disabled | Mode::Unset => w.key("type").string("disabled"),
            };
            if let Some(display) = decision.display {
                w.key("display").string(display);
            }
            if own {
                write::write_under(w, rest, "thinking");
            }
        });
    }

    fn output_config(
        &mut self,
        decision: &Decision<'_>,
        request: &Request<'_>,
        format: Option<&Given<Format<'_>>>,
    ) {
        let format = match format {
            Some(Given { value: Format::Text, .. }) | None => None,
            Some(Given { field, value: Format::Json }) => {
                // There is no such mode without a schema.
                self.losses.field(*field);
                None
            }
            Some(Given { field, value: Format::Other(_) }) if !self.own => {
                self.losses.field(*field);
                None
            }
            Some(given) => Some(given),
        };
        if decision.effort.is_none() && format.is_none() && !self.has_under("output_config") {
            return;
        }
        let given = request.thinking.effort.as_ref().map(|given| given.field);
        let field = format.map(|given| given.field).or(given).unwrap_or("output_config");
        if !self.key("output_config", field) {
            return;
        }
        let Self { w, losses, client, own, rest, .. } = self;
        w.object(|w| {
            if let Some(effort) = &decision.effort {
                w.key("effort").text(effort);
            }
            if let Some(format) = format {
                w.key("format");
                write_format(w, format, *client, losses);
            }
            if *own {
                write::write_under(w, rest, "output_config");
            }
        });
    }

    fn metadata(&mut self, user: Option<&Given<Text<'_>>>) {
        if user.is_none() && !self.has_under("metadata") {
            return;
        }
        let field = user.map_or("metadata", |given| given.field);
        if !self.key("metadata", field) {
            return;
        }
        let (own, rest) = (self.own, self.rest);
        self.w.object(|w| {
            if let Some(user) = user {
                w.key("user_id").text(&user.value);
            }
            if own {
                write::write_under(w, rest, "metadata");
            }
        });
    }

    fn service_tier(&mut self, tier: Option<&Given<Text<'_>>>) {
        let Some(Given { field, value }) = tier else { return };
        if self.own {
            if self.key("service_tier", field) {
                self.w.text(value);
            }
            return;
        }
        match words::request_tier(&value.value()) {
            Some(word) => {
                if self.key("service_tier", field) {
                    self.w.string(word);
                }
            }
            None => self.losses.field(*field),
        }
    }

    /// Fields of beta versions, from clients that know them.
    fn extensions(&mut self) {
        if !self.own {
            self.losses.extensions(self.rest);
            return;
        }
        for extension in self.rest {
            if OBJECTS.iter().any(|object| write::under(extension, object).is_some()) {
                continue;
            }
            match self.target.quirks.name(&extension.name.value()) {
                Some(name) => {
                    self.w.key(name).raw(extension.raw);
                }
                None => self.losses.field(extension.place()),
            }
        }
    }

    fn conversation(&mut self, conversation: &Conversation<'_, '_>, between: Between<'_>) {
        let Self { w, losses, .. } = self;
        if !conversation.system.is_empty() {
            w.key("system");
            conversation.write_system(w, between, losses);
        }
        w.key("messages");
        conversation.write_turns(w, between, losses);
    }
}

fn write_tool(w: &mut Writer, tool: &Tool<'_>, client: Dialect, losses: &mut Losses) {
    let own = client == Dialect::Anthropic;
    let Tool { name, description, kind, cache, path, rest } = tool;
    if let ToolKind::Server(raw) = kind {
        w.raw(raw);
        return;
    }
    w.object(|w| {
        w.key("name").text(name);
        if let Some(description) = description {
            w.key("description").text(description);
        }
        w.key("input_schema");
        match kind {
            ToolKind::Function { schema: Some(schema), strict } if own => {
                w.raw(schema);
                if let Some(strict) = strict {
                    w.key("strict").bool(*strict);
                }
            }
            ToolKind::Function { schema: Some(schema), strict: Some(true) } => {
                schema::write(w, schema, &path.member(terms::parameters(client)), losses);
                w.key("strict").bool(true);
            }
            ToolKind::Function { schema, strict } => {
                // What is not said is the same as false; without a schema there is nothing to obey.
                if *strict == Some(true) {
                    losses.member(*path, terms::strict(client));
                }
                schema::write_input(w, schema.as_deref());
            }
            ToolKind::Custom { format } => {
                if format.is_some() {
                    losses.member(*path, terms::grammar(client));
                }
                w.raw(FREE_INPUT);
            }
            ToolKind::Server(_) => {}
        }
        if let Some(cache) = cache {
            w.key("cache_control").raw(cache);
        }
        if own {
            for extension in rest {
                w.key(&extension.name.value()).raw(extension.raw);
            }
        } else {
            losses.extensions(rest);
        }
    });
}

/// The input of a tool that takes free text: [`crate::neutral::Arguments`] moves it in and out.
const FREE_INPUT: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

fn write_format(w: &mut Writer, format: &Given<Format<'_>>, client: Dialect, losses: &mut Losses) {
    match &format.value {
        Format::Other(raw) => {
            w.raw(raw);
        }
        Format::Schema { name, description, schema, strict } => {
            // It is always obeyed to the letter here.
            if *strict == Some(false) {
                losses.field(format!("{}.strict", terms::schema_place(client, format.field)));
            }
            w.object(|w| {
                w.key("type").string("json_schema").key("schema");
                if client == Dialect::Anthropic {
                    w.raw(schema);
                } else {
                    let titles = [name.as_ref(), description.as_ref()];
                    schema::write_titled(w, schema, titles, (client, format.field), losses);
                }
            });
        }
        Format::Text | Format::Json => {
            w.null();
        }
    }
}

/// How a number in its JSON text compares; what is not a number in range counts as greater.
fn against(number: &str, limit: f64) -> Ordering {
    number.parse::<f64>().ok().and_then(|value| value.partial_cmp(&limit)).unwrap_or(Ordering::Greater)
}
