//! What requests and answers say, apart from how: a list of facts, each with the places by which its loss may be
//! told.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pointsman_core::Dialect;
use serde_json::Value;

use crate::json::Text;
use crate::neutral::{
    Answer, Arguments, Block, Cap, Content, Extension, Format, Losses, Media, Message, Path, Reason, Request,
    Role, Seal, Source, Thinking, ToolCall, ToolChoice, ToolKind, ToolResult, terms,
};

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    Instructions,
    User,
    Model,
    /// The model, to itself.
    Thought,
    /// The tool that was called by this name.
    Tool(String),
}

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// These words, at any place of what is said by the same.
    Words(By, String),
    /// Something else.
    Is(String),
}

/// Something that is said, and how its loss may be told.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) what: What,
    places: Vec<String>,
    /// The tool that it is about.
    pub(super) tool: Option<String>,
}

impl Fact {
    /// Whether one of the losses names it, or something that holds it.
    pub(super) fn is_declared(&self, losses: &Losses) -> bool {
        let holds = |lost: &str, place: &str| {
            place.strip_prefix(lost).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        losses.iter().any(|lost| self.places.iter().any(|place| holds(lost, place)))
    }

    /// Whether an error about this field may be about it.
    pub(super) fn stands_at(&self, field: &str) -> bool {
        self.places.iter().any(|place| place == field)
    }
}

/// All that is said, to look facts up in.
#[derive(Debug, Default)]
pub(super) struct Known {
    words: BTreeMap<By, String>,
    is: BTreeSet<String>,
}

impl Known {
    pub(super) fn has(&self, what: &What) -> bool {
        match what {
            What::Words(_, text) if text.is_empty() => true,
            What::Words(by, text) => self.words.get(by).is_some_and(|said| said.contains(text.as_str())),
            What::Is(is) => self.is.contains(is),
        }
    }

    /// What is said here and not there, in words or by kinds of things that nobody may make up.
    pub(super) fn made_up(&self, there: &[Fact]) -> Vec<String> {
        const KINDS: [&str; 7] = ["calls ", "picture ", "document ", "sound ", "file ", "cites ", "seal "];
        let known = |is: &str| there.iter().any(|fact| fact.what == What::Is(is.to_owned()));
        let strange = self.is.iter().filter(|is| KINDS.iter().any(|kind| is.starts_with(kind)) && !known(is));
        let mut made_up: Vec<String> = strange.cloned().collect();
        for (by, said) in &self.words {
            let mut rest = said.clone();
            for fact in there {
                if let What::Words(of, text) = &fact.what
                    && of == by
                {
                    rest = rest.replacen(text.as_str(), "", 1);
                }
            }
            let rest = without_notes(&rest).replace("Begin.", "");
            if !rest.trim().is_empty() {
                made_up.push(format!("{by:?}: {rest}"));
            }
        }
        made_up
    }

    fn say(&mut self, by: By, text: &str) {
        let said = self.words.entry(by).or_default();
        said.push_str(text);
        said.push(' ');
    }

    fn add(&mut self, fact: &Fact) {
        match &fact.what {
            What::Words(by, text) => self.say(by.clone(), text),
            What::Is(is) => {
                self.is.insert(is.clone());
            }
        }
    }
}

/// Media of results stand behind a note that names the call.
fn without_notes(text: &str) -> String {
    const NOTE: &str = "Result of tool call ";
    let mut rest = text.to_owned();
    while let Some(at) = rest.find(NOTE) {
        let end = rest[at..].find(':').map_or(rest.len(), |end| at + end + 1);
        rest.replace_range(at..end, "");
    }
    rest
}

/// Collects the facts of one document.
struct Collector {
    client: Dialect,
    facts: Vec<Fact>,
    /// Names of the tools that were called, by the calls' ids.
    calls: BTreeMap<String, String>,
}

/// What a request says.
pub(super) fn of_request(request: &Request<'_>) -> Vec<Fact> {
    let mut collector = Collector { client: request.dialect, facts: Vec::new(), calls: BTreeMap::new() };
    for message in &request.messages {
        collector.message(message);
    }
    collector.extensions(&request.rest);
    collector.tools(request);
    collector.format(request);
    collector.options(request);
    collector.facts
}

/// The same to look facts up in, with what it says without saying so.
pub(super) fn known_of_request(request: &Request<'_>) -> Known {
    let mut known = Known::default();
    of_request(request).iter().for_each(|fact| known.add(fact));
    let names = request.tools.iter().filter(|tool| !matches!(tool.kind, ToolKind::Server(_)));
    let names: Vec<String> = names.map(|tool| value(&tool.name)).collect();
    let choice = request.tool_choice.as_ref().map(|given| &given.value);
    if names.is_empty() || choice == Some(&ToolChoice::None) {
        known.is.insert("no calls".into());
    }
    if !matches!(choice, Some(ToolChoice::Named(_) | ToolChoice::Among { .. })) {
        known.is.insert(callable(names.clone()));
    }
    if request.dialect == Dialect::Gemini {
        // A mode stands for all tools.
        let mode = request
            .rest
            .iter()
            .any(|own| own.name.value().ends_with(".mode") && own.raw.contains("VALIDATED"));
        if mode || choice.is_some_and(forces) {
            known.is.extend(names.iter().map(|name| format!("{name} obeys")));
        }
    }
    if request.service_tier.as_ref().is_some_and(|tier| tier.value == "auto") {
        known.is.insert("tier priority".into());
    }
    let always = matches!(request.dialect, Dialect::Anthropic | Dialect::Gemini | Dialect::Ollama);
    if let Some(Format::Schema { schema, .. }) = request.format.as_ref().map(|given| &given.value) {
        if always {
            known.is.insert("format is obeyed".into());
        }
        if let Ok(Value::Object(members)) = serde_json::from_str(schema) {
            for (member, word) in [("title", "named"), ("description", "for")] {
                let said = members.get(member).and_then(Value::as_str);
                known.is.extend(said.map(|said| format!("format {word} {said}")));
            }
        }
    }
    known
}

/// What an answer says.
pub(super) fn of_answer(answer: &Answer<'_>) -> Vec<Fact> {
    let mut collector = Collector { client: Dialect::OpenAiChat, facts: Vec::new(), calls: BTreeMap::new() };
    collector.is(format!("by {}", value(&answer.model)), Vec::new());
    for choice in &answer.choices {
        let from = collector.facts.len();
        let message = Message::new(Role::Assistant, Path::Root, choice.blocks.clone());
        collector.message(&message);
        if let Some(finish) = &choice.finish {
            let word = match finish.reason {
                Reason::Stop | Reason::StopSequence => "stop",
                Reason::Length | Reason::ContextLength => "length",
                Reason::ToolCalls => "tools",
                Reason::ContentFilter | Reason::Refusal => "filter",
                Reason::Pause => "pause",
                Reason::Malformed | Reason::Other => "other",
            };
            collector.is(format!("ends by {word}"), vec!["finish_reason".into(), "stop_reason".into()]);
            if let Some(sequence) = &finish.stop_sequence {
                collector.is(format!("ends at {}", value(sequence)), vec!["stop_sequence".into()]);
            }
        }
        if choice.logprobs.is_some() {
            collector.is("logprobs".into(), vec!["logprobs".into()]);
        }
        // Streams know no places.
        let whole = format!("choices[{}]", choice.index);
        for fact in &mut collector.facts[from..] {
            let medium = |is: &str| ["picture ", "type ", "strange "].iter().any(|kind| is.starts_with(kind));
            if matches!(&fact.what, What::Is(is) if medium(is)) {
                fact.places.extend(["content", "content.image", "media"].map(str::to_owned));
            }
            fact.places.push(whole.clone());
        }
    }
    if let Some(usage) = &answer.usage {
        collector.is(format!("uses {} {}", usage.input, usage.output), Vec::new());
    }
    if let Some(tier) = &answer.service_tier {
        collector.is(format!("tier {}", tier_class(tier)), vec!["service_tier".into()]);
    }
    // Ids of items name them at who made them, and are nothing to others.
    collector.facts.retain(
        |fact| !matches!(&fact.what, What::Is(is) if is.starts_with("id ") || is.starts_with("item ")),
    );
    collector.facts
}

/// The same to look facts up in.
pub(super) fn known_of_answer(answer: &Answer<'_>) -> Known {
    let mut known = Known::default();
    of_answer(answer).iter().for_each(|fact| known.add(fact));
    for block in answer.choices.iter().flat_map(|choice| &choice.blocks) {
        let Content::Opaque(raw) = block.content else { continue };
        // An item of responses that holds a picture.
        let item: Value = serde_json::from_str(raw).unwrap_or_default();
        if let (Some("image_generation_call"), Some(data)) = (item["type"].as_str(), item["result"].as_str())
        {
            known.is.extend([format!("picture {data}"), format!("type image/png of {data}")]);
        }
    }
    known
}

impl Collector {
    fn push(&mut self, what: What, places: Vec<String>) {
        self.facts.push(Fact { what, places, tool: None });
    }

    fn is(&mut self, is: String, places: Vec<String>) {
        self.push(What::Is(is), places);
    }

    fn message(&mut self, message: &Message<'_>) {
        let Message { role, name, id, blocks, path, rest } = message;
        if let Some(name) = name {
            self.is(format!("speaker {}", value(name)), vec![path.member("name")]);
        }
        if let Some(id) = id {
            self.is(format!("id {}", value(id)), vec![path.member("id")]);
        }
        self.extensions(rest);
        let by = match role {
            Role::System | Role::Developer => By::Instructions,
            Role::User => By::User,
            Role::Assistant => By::Model,
        };
        for block in blocks {
            self.block(block, &by);
        }
    }

    fn extensions(&mut self, rest: &[Extension<'_>]) {
        for extension in rest {
            let name = extension.name.value();
            let last = name.rsplit('.').next().unwrap_or_default();
            self.is(format!("extra {last} {}", extension.raw), vec![extension.place()]);
        }
    }

    fn block(&mut self, block: &Block<'_>, by: &By) {
        let Block { content, cache, path, rest } = block;
        let at = || vec![path.to_string()];
        match content {
            Content::Text { text, citations } => {
                self.push(What::Words(by.clone(), value(text)), at());
                for citation in citations {
                    let said =
                        citation.url.as_ref().or(citation.quote.as_ref()).map(value).unwrap_or_default();
                    let names = ["citations", "annotations"].map(|name| path.member(name));
                    let whole = ["citations", "candidates[].groundingMetadata"].map(str::to_owned);
                    let places = [at(), names.to_vec(), whole.to_vec()].concat();
                    self.is(format!("cites {said}"), places);
                }
            }
            Content::Refusal(text) => self.push(What::Words(by.clone(), value(text)), at()),
            Content::Image(media) => self.medium("picture", media, *path, by),
            Content::Document(media) => self.medium("document", media, *path, by),
            Content::Audio(media) => self.medium("sound", media, *path, by),
            Content::Video(media) => self.medium("film", media, *path, by),
            Content::ToolCall(call) => self.call(call, *path),
            Content::ToolResult(result) => self.result(result, *path),
            Content::Reasoning(thought) => {
                for text in thought.text.iter().chain(&thought.summary) {
                    let inner = ["text", "summary"].map(|name| path.member(name));
                    self.push(What::Words(By::Thought, value(text)), [at(), inner.to_vec()].concat());
                }
                if let Some(seal) = &thought.seal {
                    self.seal(seal, *path);
                }
                if let Some(id) = &thought.id {
                    self.is(format!("id {}", value(id)), vec![path.member("id")]);
                }
            }
            Content::Opaque(raw) => self.is(format!("strange {raw}"), at()),
        }
        if let Some(raw) = cache {
            self.is(format!("cache {raw}"), vec![path.member("cache_control")]);
        }
        self.extensions(rest);
    }

    fn medium(&mut self, kind: &str, media: &Media<'_>, path: Path, by: &By) {
        let at = || vec![path.to_string()];
        let (source, of) = match &media.source {
            // Texts are said where there is no place for a document.
            Source::PlainText(text) => (What::Words(by.clone(), value(text)), value(text)),
            Source::Base64(data) => (What::Is(format!("{kind} {}", value(data))), value(data)),
            Source::Url(url) => (What::Is(format!("{kind} at {}", value(url))), value(url)),
            Source::File(id) => (What::Is(format!("file {}", value(id))), value(id)),
        };
        self.push(source, at());
        if let Some(name) = &media.name {
            let names = [terms::file_name(self.client), "fileData.displayName", "title", "filename"];
            self.is(format!("title {}", value(name)), names.map(|name| path.member(name)).to_vec());
        }
        if let Some(detail) = &media.detail {
            self.is(
                format!("detail {} of {of}", value(detail)),
                vec![path.member(terms::detail(self.client))],
            );
        }
        if let Some(mime) =
            media.mime.as_ref().filter(|_| matches!(media.source, Source::Url(_) | Source::Base64(_)))
        {
            let names = [terms::media_type(self.client), terms::ADDRESS_TYPE].map(|name| path.member(name));
            self.is(format!("type {} of {of}", value(mime)), [at(), names.to_vec()].concat());
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, path: Path) {
        let name = value(&call.name);
        self.calls.insert(value(&call.id), name.clone());
        let places = vec![path.to_string(), path.member("arguments"), "tool_calls".into()];
        self.is(format!("calls {name} {}", arguments(&call.arguments)), places);
        if let Some(seal) = &call.seal {
            self.seal(seal, path);
        }
        if let Some(item) = &call.item {
            self.is(
                format!("item {}", value(item)),
                ["item_id", "id"].map(|name| path.member(name)).to_vec(),
            );
        }
    }

    fn result(&mut self, result: &ToolResult<'_>, path: Path) {
        let called = self.calls.get(&value(&result.id)).cloned();
        let name = called.unwrap_or_else(|| format!("nothing, by {}", value(&result.id)));
        let by = By::Tool(name.clone());
        if let Some(object) = result.object {
            self.push(What::Words(by.clone(), object.to_owned()), vec![path.to_string()]);
        }
        for block in &result.content {
            self.block(block, &by);
        }
        if result.failed {
            let names = ["is_error", "functionResponse.response.error"].map(|name| path.member(name));
            self.is(format!("{name} failed"), names.to_vec());
        }
    }

    fn seal(&mut self, seal: &Seal<'_>, path: Path) {
        let data = bare(&value(&seal.data));
        // Stands where there never was one.
        if data == "skip_thought_signature_validator" {
            return;
        }
        let names = ["signature", "thought_signature", "encrypted_content", "data", "thoughtSignature"];
        let places =
            [vec![path.to_string(), "signature".into()], names.map(|name| path.member(name)).to_vec()];
        self.is(format!("seal {data}"), places.concat());
    }

    fn tools(&mut self, request: &Request<'_>) {
        let choice = request.tool_choice.as_ref().map(|given| &given.value);
        let nothing = choice == Some(&ToolChoice::None);
        for tool in &request.tools {
            let from = self.facts.len();
            let name = value(&tool.name);
            let path = tool.path;
            let at = || vec![path.to_string()];
            match &tool.kind {
                ToolKind::Server(raw) => {
                    self.is(format!("server tool {raw}"), at());
                    self.facts[from..].iter_mut().for_each(|fact| fact.tool = Some(name.clone()));
                    continue;
                }
                ToolKind::Function { schema, strict } => {
                    if let Some(schema) = schema {
                        self.is(format!("{name} takes {}", closed(schema)), at());
                    }
                    if *strict == Some(true) && !nothing {
                        self.is(format!("{name} obeys"), vec![path.member(terms::strict(self.client))]);
                    }
                }
                ToolKind::Custom { format } => {
                    if format.is_some() {
                        self.is(
                            format!("{name} has a grammar"),
                            vec![path.member(terms::grammar(self.client))],
                        );
                    }
                }
            }
            self.is(format!("tool {name}"), at());
            if let Some(description) = &tool.description {
                self.is(format!("{name} is for {}", value(description)), at());
            }
            if let Some(raw) = tool.cache {
                self.is(format!("cache {raw}"), vec![path.member("cache_control")]);
            }
            self.extensions(&tool.rest);
            self.facts[from..].iter_mut().for_each(|fact| fact.tool = Some(name.clone()));
        }
        let Some(given) = &request.tool_choice else { return };
        let place = || vec![given.field.to_owned()];
        match &given.value {
            ToolChoice::None => self.is("no calls".into(), place()),
            ToolChoice::Named(name) => self.is(callable(vec![value(name)]), place()),
            ToolChoice::Among { names, .. } => self.is(callable(names.iter().map(value).collect()), place()),
            ToolChoice::Auto | ToolChoice::Required => {}
        }
        if forces(&given.value) {
            self.is("must call".into(), place());
        }
        if let Some(alone) = request.parallel_tool_calls.as_ref().filter(|given| !given.value && !nothing) {
            self.is("one call at a time".into(), vec![alone.field.to_owned()]);
        }
    }

    fn format(&mut self, request: &Request<'_>) {
        let Some(given) = &request.format else { return };
        let field = || vec![given.field.to_owned()];
        let place = terms::schema_place(self.client, given.field);
        match &given.value {
            Format::Text => {}
            Format::Json => self.is("answers in JSON".into(), field()),
            Format::Other(raw) => self.is(format!("answers in {raw}"), field()),
            Format::Schema { name, description, schema, strict } => {
                self.is(format!("answers by {}", untitled(schema)), field());
                let texts = [("named", "name", name), ("for", "description", description)];
                for (word, member, text) in texts {
                    if let Some(text) = text {
                        self.is(format!("format {word} {}", value(text)), vec![format!("{place}.{member}")]);
                    }
                }
                match strict {
                    Some(true) => self.is("format is obeyed".into(), vec![format!("{place}.strict")]),
                    Some(false) => self.is("format is loose".into(), vec![format!("{place}.strict")]),
                    None => {}
                }
            }
        }
    }

    fn options(&mut self, request: &Request<'_>) {
        let sampling = &request.sampling;
        let numbers = [
            ("temperature", &sampling.temperature),
            ("top_p", &sampling.top_p),
            ("top_k", &sampling.top_k),
            ("min_p", &sampling.min_p),
            ("frequency_penalty", &sampling.frequency_penalty),
            ("presence_penalty", &sampling.presence_penalty),
            ("repeat_penalty", &sampling.repeat_penalty),
            ("seed", &sampling.seed),
        ];
        for (name, given) in numbers {
            // Every vendor's default is the same as nothing.
            let default = match name {
                "temperature" => "1",
                "frequency_penalty" | "presence_penalty" => "0",
                _ => "",
            };
            if let Some(given) = given.as_ref().filter(|given| given.value != default) {
                self.is(format!("{name} {}", given.value), vec![given.field.to_owned()]);
            }
        }
        let mut given = |field: &str, is: String| self.is(is, vec![field.to_owned()]);
        if let Some(limit) = &request.max_output {
            given(limit.field, format!("at most {}", limit.value));
        }
        for text in request.stop.iter().flat_map(|stop| &stop.value) {
            given(request.stop.as_ref().map_or("", |stop| stop.field), format!("stops at {}", value(text)));
        }
        if let Some(choices) = request.choices.as_ref().filter(|given| given.value != 1) {
            given(choices.field, format!("{} answers", choices.value));
        }
        if let Some(logprobs) = &request.logprobs {
            given(logprobs.field, "logprobs".into());
            if let Some(top) = logprobs.value.top {
                given(logprobs.field, format!("logprobs of {top}"));
            }
        }
        if let Some(user) = &request.user {
            given(user.field, format!("user {}", value(&user.value)));
        }
        if let Some(metadata) = &request.metadata {
            given(metadata.field, format!("notes {}", canonical(metadata.value)));
        }
        // What is left to the provider says nothing.
        if let Some(tier) = request.service_tier.as_ref().filter(|tier| tier.value != "auto") {
            given(tier.field, format!("tier {}", tier_class(&tier.value)));
        }
        if let Some(store) = request.store.as_ref().filter(|given| given.value) {
            given(store.field, "kept".into());
        }
        self.thinking(&request.thinking);
    }

    fn thinking(&mut self, thinking: &Thinking<'_>) {
        let Thinking { effort, budget, .. } = thinking;
        if let Some(effort) = effort {
            self.is(format!("thinks {}", value(&effort.value)), vec![effort.field.to_owned()]);
        } else if let Some(budget) = budget
            && let Cap::Tokens(tokens) = budget.value
        {
            let word = Thinking::effort_of_budget(tokens);
            self.is(format!("thinks {word}"), vec![budget.field.to_owned()]);
        }
    }
}

fn value(text: &Text<'_>) -> String {
    text.value().into_owned()
}

fn forces(choice: &ToolChoice<'_>) -> bool {
    matches!(choice, ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. })
}

fn callable(mut names: Vec<String>) -> String {
    names.sort();
    format!("callable: {names:?}")
}

/// The same text for the same JSON.
fn canonical(json: &str) -> String {
    serde_json::from_str::<Value>(json).map_or_else(|_| json.to_owned(), |value| value.to_string())
}

/// A schema that does not say whether it is closed: some are always.
fn closed(schema: &str) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_str(schema) else { return schema.to_owned() };
    members.retain(|name, member| name != "additionalProperties" || *member != false);
    Value::Object(members).to_string()
}

/// A schema without what may stand outside of it.
fn untitled(schema: &str) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_str(schema) else { return schema.to_owned() };
    members.retain(|name, _| name != "title" && name != "description");
    Value::Object(members).to_string()
}

fn arguments(arguments: &Arguments<'_>) -> String {
    let mut w = crate::json::Writer::default();
    let _ = arguments.write_object(&mut w);
    canonical(&String::from_utf8(w.finish()).unwrap())
}

fn tier_class(tier: &Text<'_>) -> &'static str {
    match &*tier.value() {
        "default" | "standard" | "standard_only" => "default",
        "priority" => "priority",
        "flex" => "flex",
        _ => "other",
    }
}

/// A proof as its maker wrote it, however it is wrapped.
fn bare(data: &str) -> String {
    let unwrapped = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let tagged =
        [Some(data.to_owned()), unwrapped].into_iter().flatten().find(|text| text.starts_with("pm1."));
    match (tagged.as_deref().and_then(|tagged| tagged.splitn(5, '.').nth(4)), data.split_once(':')) {
        (Some(inner), _) | (None, Some((_, inner))) => bare(inner),
        (None, None) => data.to_owned(),
    }
}
