//! Requests and answers with something of everything, each text of them unlike all others.

use std::borrow::Cow;

use pointsman_core::{Dialect, Usage, UsageSource};

use super::PROVIDER;
use crate::json::Text;
use crate::neutral::{
    Answer, Arguments, Block, Choice, Citation, Content, Extension, Finish, Format, Given, Logprobs, Media,
    Message, Path, Reason, Reasoning, Request, Role, Seal, SealKind, Source, Tool, ToolCall, ToolChoice,
    ToolKind, ToolResult,
};
use crate::testing;

/// What a text may hold besides its number: whatever must be escaped, and more than one byte.
const ODD: [&str; 6] =
    ["plain", "a \"quote\" \\", "line\nend\ttab", "é😀 模型", "</x>\u{1}\u{2028}", "{\"a\": 1}"];

const LOGPROBS: &str = r#"{"content":[{"token":"w","logprob":-0.5,"bytes":[119],"top_logprobs":[]}]}"#;

/// A text that lives as long as the tests do.
pub(super) fn text(value: String) -> &'static str {
    Box::leak(value.into_boxed_str())
}

/// Draws from bytes that the test framework may shrink.
pub(super) struct Maker<'s> {
    source: testing::Source<'s>,
    made: u32,
}

impl<'s> Maker<'s> {
    pub(super) fn new(bytes: &'s [u8]) -> Self {
        Self { source: testing::Source::new(bytes), made: 0 }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.source.below(bound)
    }

    /// One time in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    fn next(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    /// A name within every dialect's alphabet.
    fn name(&mut self, prefix: &str) -> &'static str {
        text(format!("{prefix}{}e", self.next()))
    }

    /// A text of any characters.
    fn words(&mut self) -> Text<'static> {
        let odd = self.source.pick(&ODD);
        let number = self.next();
        Text::from(text(format!("w{number} {odd} e{number}")))
    }

    fn json(&mut self) -> &'static str {
        let number = self.next();
        text(match self.below(3) {
            0 => format!("{{\"n\":{number},\"deep\":[{{\"x\":\"é\\n\"}},null]}}"),
            1 => format!("{{\"n\":{number}.50}}"),
            _ => format!("{{\"n\":\"{number}\"}}"),
        })
    }

    fn given<T>(
        &mut self,
        field: &'static str,
        times: usize,
        value: impl FnOnce(&mut Self) -> T,
    ) -> Option<Given<T>> {
        self.once_in(times).then(|| Given::new(field, value(self)))
    }

    /// A request of `client`'s. `bare`: no media but pictures in base64, which all dialects take.
    pub(super) fn request(&mut self, client: Dialect) -> Request<'static> {
        let bare = self.below(2) == 0;
        let mut request = Request::new(client, Text::from("asked"));
        if self.once_in(2) {
            self.instructions(&mut request);
        }
        for _ in 0..1 + self.below(2) {
            self.user(&mut request, bare);
            if self.once_in(2) {
                self.step(&mut request, bare);
            }
        }
        self.user(&mut request, true);
        for _ in 0..self.below(4) {
            let tool = self.tool(request.tools.len());
            request.tools.push(tool);
        }
        self.choice(&mut request);
        self.options(&mut request);
        request.link();
        request
    }

    fn at(request: &Request<'_>) -> u32 {
        u32::try_from(request.messages.len()).unwrap()
    }

    fn instructions(&mut self, request: &mut Request<'static>) {
        let role = if self.below(2) == 0 { Role::System } else { Role::Developer };
        let at = Self::at(request);
        let mut blocks = Vec::new();
        for part in 0..1 + self.below(2) {
            let path = Path::Part("messages", at, "content", u32::try_from(part).unwrap());
            let content = Content::text(self.words());
            blocks.push(self.marked(content, path));
        }
        request.messages.push(Message::new(role, Path::Item("messages", at), blocks));
    }

    fn marked(&mut self, content: Content<'static>, path: Path) -> Block<'static> {
        let mut block = Block::new(content, path);
        if self.once_in(6) {
            block.cache = Some(text(format!("{{\"type\":\"ephemeral\",\"ttl\":\"{}\"}}", self.next())));
        }
        if self.once_in(12) {
            block.rest.push(self.extension(path));
        }
        block
    }

    fn extension(&mut self, path: Path) -> Extension<'static> {
        let name = self.name("x");
        Extension { path, name: Text::from(name), raw: "{\"of\":[\"nobody\"]}" }
    }

    fn user(&mut self, request: &mut Request<'static>, bare: bool) {
        let at = Self::at(request);
        let mut message = Message::new(Role::User, Path::Item("messages", at), Vec::new());
        for part in 0..1 + self.below(3) {
            let path = Path::Part("messages", at, "content", u32::try_from(part).unwrap());
            let content = if part == 0 { Content::text(self.words()) } else { self.said_by_user(bare) };
            message.blocks.push(self.marked(content, path));
        }
        if self.once_in(8) {
            message.name = Some(Text::from(self.name("who")));
        }
        if self.once_in(8) {
            message.id = Some(Text::from(self.name("msg_")));
        }
        if self.once_in(12) {
            message.rest.push(self.extension(message.path));
        }
        request.messages.push(message);
    }

    fn said_by_user(&mut self, bare: bool) -> Content<'static> {
        match self.below(if bare { 2 } else { 9 }) {
            0 => Content::text(self.words()),
            1 | 2 => Content::Image(self.picture()),
            3 => {
                let url = format!("https://pictures.example/{}.png", self.next());
                let mime = self.once_in(2).then(|| Text::from("image/png"));
                Content::Image(Media { source: Source::Url(Text::from(url)), mime, name: None, detail: None })
            }
            4 => {
                let source = Source::Base64(Text::from(format!("JVBERi{:06}", self.next())));
                let name = self.once_in(2).then(|| Text::from(text(format!("f{}.pdf", self.next()))));
                Content::Document(Media {
                    source,
                    mime: Some(Text::from("application/pdf")),
                    name,
                    detail: None,
                })
            }
            5 => {
                let name = self.once_in(2).then(|| Text::from(text(format!("t{}.txt", self.next()))));
                let source = Source::PlainText(self.words());
                Content::Document(Media { source, mime: Some(Text::from("text/plain")), name, detail: None })
            }
            6 => {
                let source = Source::Base64(Text::from(format!("UklGR{:07}", self.next())));
                Content::Audio(Media {
                    source,
                    mime: Some(Text::from("audio/wav")),
                    name: None,
                    detail: None,
                })
            }
            7 => {
                let source = Source::File(Text::from(self.name("file_")));
                Content::Document(Media { source, mime: None, name: None, detail: None })
            }
            _ => Content::Opaque(text(format!("{{\"type\":\"strange\",\"n\":\"o{}\"}}", self.next()))),
        }
    }

    fn picture(&mut self) -> Media<'static> {
        let source = Source::Base64(Text::from(format!("iVBORw0KGgo{:05}", self.next())));
        let detail = self.once_in(4).then(|| Text::from("low"));
        let name = self.once_in(6).then(|| Text::from(text(format!("p{}.png", self.next()))));
        Media { source, mime: Some(Text::from("image/png")), name, detail }
    }

    /// A turn of the model, and the results of its calls.
    fn step(&mut self, request: &mut Request<'static>, bare: bool) {
        let at = Self::at(request);
        let mut message = Message::new(Role::Assistant, Path::Item("messages", at), Vec::new());
        let mut calls = Vec::new();
        if self.once_in(3) {
            let path = Path::Part("messages", at, "content", 0);
            message.blocks.push(Block::new(Content::Reasoning(self.thought()), path));
        }
        if self.below(3) > 0 {
            let path = Path::Part("messages", at, "content", 1);
            let citations = if self.once_in(4) { vec![self.citation()] } else { Vec::new() };
            let content = Content::Text { text: self.words(), citations };
            message.blocks.push(self.marked(content, path));
        }
        for number in 0..self.below(3) {
            let path = Path::Part("messages", at, "tool_calls", u32::try_from(number).unwrap());
            let call = self.call();
            calls.push((call.id.clone(), matches!(call.arguments, Arguments::Free(_))));
            message.blocks.push(Block::new(Content::ToolCall(call), path));
        }
        if message.blocks.is_empty() {
            let path = Path::Part("messages", at, "content", 1);
            message.blocks.push(Block::new(Content::Refusal(self.words()), path));
        }
        request.messages.push(message);
        for (id, custom) in calls {
            let at = Self::at(request);
            let path = Path::Item("messages", at);
            let result = self.result(id, custom, (path, bare));
            let block = self.marked(Content::ToolResult(result), path);
            request.messages.push(Message::new(Role::User, path, vec![block]));
        }
    }

    fn call(&mut self) -> ToolCall<'static> {
        let arguments = match self.below(4) {
            0 => Arguments::Free(self.words()),
            1 => Arguments::Quoted(Text::from(self.json())),
            _ => Arguments::Object(self.json()),
        };
        let item = self.once_in(6).then(|| Text::from(self.name("fc_")));
        // Some are longer than every dialect takes, or of other characters.
        let id = match self.below(4) {
            0 => text(format!("call.{}/é", self.next())),
            1 => text(format!("call_{:070}", self.next())),
            _ => self.name("call_"),
        };
        let seal = self.once_in(4).then(|| self.seal(SealKind::Signature));
        ToolCall { id: Text::from(id), item, name: Text::from(self.name("tool")), arguments, seal }
    }

    fn result(&mut self, id: Text<'static>, custom: bool, (path, bare): (Path, bool)) -> ToolResult<'static> {
        let mut content = Vec::new();
        let mut object = None;
        match self.below(4) {
            0 => object = Some(self.json()),
            1 => {
                content.push(Block::new(Content::text(self.words()), path));
                content.push(Block::new(Content::Image(self.picture()), path));
            }
            2 if !bare => {
                let source = Source::Base64(Text::from(format!("JVBERi{:06}", self.next())));
                let mime = Some(Text::from("application/pdf"));
                let media = Media { source, mime, name: None, detail: None };
                content.push(Block::new(Content::Document(media), path));
            }
            _ => content.push(Block::new(Content::text(self.words()), path)),
        }
        let failed = self.once_in(4);
        ToolResult { id, name: None, content, object, failed, custom, own_name: false }
    }

    fn thought(&mut self) -> Reasoning<'static> {
        let seal = self.below(3) > 0;
        let seal = seal.then(|| {
            let kind = if self.below(2) == 0 { SealKind::Signature } else { SealKind::Encrypted };
            self.seal(kind)
        });
        let said = vec![self.words()];
        let (text, summary) = match (seal.as_ref().map(|seal| (seal.dialect, seal.kind)), self.below(2)) {
            // What Anthropic encrypts says nothing beside it.
            (Some((Dialect::Anthropic, SealKind::Encrypted)), _) => (Vec::new(), Vec::new()),
            (_, 0) => (said, Vec::new()),
            _ => (Vec::new(), said),
        };
        let id = self.once_in(6).then(|| Text::from(self.name("rs_")));
        Reasoning { id, text, summary, seal }
    }

    /// A proof or cipher by the one provider, in one of its dialects.
    fn seal(&mut self, kind: SealKind) -> Seal<'static> {
        let dialect = Dialect::ALL[self.below(4)];
        // Each vendor has its own kind.
        let kind = match dialect {
            Dialect::OpenAiResponses => SealKind::Encrypted,
            Dialect::Gemini => SealKind::Signature,
            _ => kind,
        };
        let data = format!("c2VhbA{:06}", self.next());
        Seal::from_provider(Text::from(data), kind, dialect, PROVIDER)
    }

    /// A source in Anthropic's form, or with nothing but an address.
    fn citation(&mut self) -> Citation<'static> {
        let number = self.next();
        if self.below(2) == 0 {
            let raw = format!(
                "{{\"type\":\"char_location\",\"cited_text\":\"q{number}e\",\"document_index\":0,\"start_char_index\":0,\"end_char_index\":3}}"
            );
            let quote = Some(Text::from(text(format!("q{number}e"))));
            return Citation { url: None, title: None, quote, span: None, raw: text(raw) };
        }
        let url = text(format!("https://sources.example/q{number}e"));
        let raw = text(format!(
            "{{\"type\":\"url_citation\",\"url\":\"{url}\",\"title\":\"T\",\"start_index\":0,\"end_index\":2}}"
        ));
        let (url, title) = (Some(Text::from(url)), Some(Text::from("T")));
        Citation { url, title, quote: None, span: Some((0, 2)), raw }
    }

    fn tool(&mut self, at: usize) -> Tool<'static> {
        let path = Path::Item("tools", u32::try_from(at).unwrap());
        let kind = match self.below(6) {
            0 => ToolKind::Custom { format: None },
            1 => ToolKind::Custom {
                format: Some(r#"{"type":"grammar","grammar":{"syntax":"lark","definition":"start: WORD"}}"#),
            },
            2 => ToolKind::Server(text(format!("{{\"type\":\"search\",\"n\":\"s{}\"}}", self.next()))),
            _ => {
                let strict = [None, Some(true), Some(false)][self.below(3)];
                ToolKind::Function {
                    schema: self.below(4).checked_sub(1).map(|_| self.schema().into()),
                    strict,
                }
            }
        };
        let description = self.once_in(2).then(|| self.words());
        let cache =
            self.once_in(6).then(|| text(format!("{{\"type\":\"ephemeral\",\"ttl\":\"{}\"}}", self.next())));
        let rest = if self.once_in(12) { vec![self.extension(path)] } else { Vec::new() };
        Tool { name: Text::from(self.name("tool")), description, kind, cache, path, rest }
    }

    /// Within the part of JSON Schema that all dialects obey.
    fn schema(&mut self) -> &'static str {
        let name = self.name("p");
        text(format!(
            "{{\"type\":\"object\",\"properties\":{{\"{name}\":{{\"type\":\"string\"}}}},\"required\":[\"{name}\"],\"additionalProperties\":false}}"
        ))
    }

    fn choice(&mut self, request: &mut Request<'static>) {
        let callable = request.tools.iter().filter(|tool| !matches!(tool.kind, ToolKind::Server(_)));
        let names: Vec<Text<'static>> = callable.map(|tool| tool.name.clone()).collect();
        let Some(first) = names.first().cloned() else { return };
        let choice = match self.below(7) {
            0 => ToolChoice::Auto,
            1 => ToolChoice::None,
            2 => ToolChoice::Required,
            3 => ToolChoice::Named(first),
            4 if names.len() > 1 => {
                let required = self.below(2) == 0;
                ToolChoice::Among { names: names.into_iter().take(2).collect(), required }
            }
            _ => return,
        };
        request.tool_choice = Some(Given::new("tool_choice", choice));
        if self.once_in(3) {
            request.parallel_tool_calls = Some(Given::new("parallel_tool_calls", false));
        }
    }

    fn options(&mut self, request: &mut Request<'static>) {
        const NUMBERS: [&str; 4] = ["0.25", "0.50", "7e-1", "0"];
        let number = |maker: &mut Self| NUMBERS[maker.below(NUMBERS.len())];
        let whole = |maker: &mut Self| ["1", "7", "40"][maker.below(3)];
        let sampling = &mut request.sampling;
        sampling.temperature = self.given("temperature", 3, |maker| match maker.below(5) {
            0 => "1.50",
            _ => number(maker),
        });
        sampling.top_p = self.given("top_p", 4, number);
        sampling.top_k = self.given("top_k", 4, whole);
        sampling.min_p = self.given("min_p", 6, number);
        sampling.frequency_penalty = self.given("frequency_penalty", 6, number);
        sampling.presence_penalty = self.given("presence_penalty", 6, number);
        sampling.repeat_penalty = self.given("repeat_penalty", 6, number);
        sampling.seed = self.given("seed", 4, whole);
        request.max_output = self.given("max_tokens", 3, |maker| [4u64, 2_000, 40_000][maker.below(3)]);
        request.stop =
            self.given("stop", 4, |maker| (0..1 + maker.below(6)).map(|_| maker.words()).collect());
        request.choices = self.given("n", 6, |maker| 2 + maker.below(2) as u64);
        request.logprobs =
            self.given("logprobs", 6, |maker| Logprobs { top: (maker.below(2) == 0).then_some(3) });
        request.format = self.given("response_format", 3, Self::format);
        request.user = self.given("user", 5, |maker| Text::from(maker.name("user")));
        request.metadata = self.given("metadata", 6, Self::json);
        request.service_tier = self
            .given("service_tier", 5, |maker| Text::from(["default", "flex", "priority"][maker.below(3)]));
        request.store = self.given("store", 6, |maker| maker.below(2) == 0);
        request.thinking.effort =
            self.given("reasoning_effort", 4, |maker| Text::from(["low", "medium", "high"][maker.below(3)]));
        if self.once_in(12) {
            let extension = self.extension(Path::Root);
            request.rest.push(extension);
        }
    }

    fn format(&mut self) -> Format<'static> {
        match self.below(4) {
            0 => Format::Json,
            1 => Format::Other(text(format!("{{\"type\":\"strange\",\"n\":\"o{}\"}}", self.next()))),
            _ => {
                let name = self.once_in(2).then(|| Text::from(self.name("answer")));
                let description = self.once_in(2).then(|| self.words());
                let strict = [None, Some(true), Some(false)][self.below(3)];
                Format::Schema { name, description, schema: self.schema().into(), strict }
            }
        }
    }

    /// An answer of one choice, or of several.
    pub(super) fn answer(&mut self) -> Answer<'static> {
        let mut answer = Answer { model: Text::from(self.name("model")), ..Answer::default() };
        for index in 0..1 + u64::from(self.once_in(6)) {
            let choice = self.answered(index);
            answer.choices.push(choice);
        }
        let usage = Usage { input: 7, output: 5, source: UsageSource::Reported, ..Usage::default() };
        answer.usage = self.once_in(2).then_some(usage);
        answer.service_tier =
            self.once_in(4).then(|| Text::from(["default", "flex", "priority"][self.below(3)]));
        answer
    }

    fn answered(&mut self, index: u64) -> Choice<'static> {
        let mut contents = Vec::new();
        if self.once_in(2) {
            contents.push(Content::Reasoning(self.thought()));
        }
        if self.below(4) > 0 {
            let citations = if self.once_in(3) { vec![self.citation()] } else { Vec::new() };
            contents.push(Content::Text { text: self.words(), citations });
        }
        if self.once_in(8) {
            contents.push(Content::Image(Media { detail: None, name: None, ..self.picture() }));
        }
        let calls = self.below(3);
        contents.extend((0..calls).map(|_| Content::ToolCall(self.call())));
        let mut reason = match (calls, self.below(8)) {
            (1.., _) => Reason::ToolCalls,
            (_, 0) => Reason::Length,
            (_, 1) => Reason::ContentFilter,
            (_, 2) => Reason::StopSequence,
            (_, 3) => Reason::Other,
            (_, 4) => Reason::Pause,
            (_, 5) => Reason::ContextLength,
            _ => Reason::Stop,
        };
        if contents.is_empty() {
            contents.push(Content::Refusal(self.words()));
            reason = Reason::Refusal;
        }
        let stop_sequence = (reason == Reason::StopSequence).then(|| self.words());
        let logprobs = self.once_in(6).then_some(Cow::Borrowed(LOGPROBS));
        let blocks = (0u32..).zip(contents);
        let blocks = blocks.map(|(at, content)| Block::new(content, Path::Item("content", at))).collect();
        let finish = Some(Finish { reason, raw: None, stop_sequence });
        Choice { index, blocks, finish, logprobs, rest: Vec::new() }
    }
}
