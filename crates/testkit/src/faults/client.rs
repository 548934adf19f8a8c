//! The other side: questions to which the answer is known, and a reader that is strict about what it is told.

mod order;
mod surrogates;

use pointsman_core::Dialect;
use serde_json::{Value, json};

use self::order::Order;
use super::text::{Kind, Oracle};
use crate::openai::Tokens;

/// Anthropic's clients must name a limit.
const MAX_TOKENS: usize = 100_000;

/// A request whose answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the client speaks: OpenAI chat, OpenAI responses or Anthropic.
    pub dialect: Dialect,
    /// Model or route.
    pub model: String,
    /// Asks for a stream.
    pub streamed: bool,
    /// From which the answer is worked out.
    pub seed: u64,
    /// Tokens of the whole answer.
    pub tokens: usize,
    /// What kind of answer.
    pub kind: Kind,
    /// The most tokens that may come.
    pub max_tokens: Option<usize>,
    /// A text at which it is to end.
    pub stop: Option<String>,
}

impl Question {
    /// A question for `tokens` tokens of text.
    #[must_use]
    pub fn new(dialect: Dialect, model: &str, streamed: bool, seed: u64, tokens: usize) -> Self {
        Self {
            dialect,
            model: model.to_owned(),
            streamed,
            seed,
            tokens,
            kind: Kind::Text,
            max_tokens: None,
            stop: None,
        }
    }

    /// The same for another kind of answer.
    #[must_use]
    pub fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Where it is sent.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAiResponses => "/v1/responses",
            Dialect::Anthropic => "/v1/messages",
            _ => "/v1/chat/completions",
        }
    }

    /// The request's body.
    #[must_use]
    pub fn body(&self) -> Value {
        let kind = match self.kind {
            Kind::Text => "text",
            Kind::Json => "json",
            Kind::Tool => "tool",
        };
        let prompt = format!("oracle seed={} tokens={} kind={kind}", self.seed, self.tokens);
        let turn = json!([{"role": "user", "content": prompt}]);
        let mut body = json!({"model": self.model});
        let responses = self.dialect == Dialect::OpenAiResponses;
        body[if responses { "input" } else { "messages" }] = turn;
        let limit = match self.dialect {
            Dialect::OpenAiResponses => "max_output_tokens",
            Dialect::Anthropic => "max_tokens",
            _ => "max_completion_tokens",
        };
        match (self.max_tokens, self.dialect) {
            (Some(most), _) => body[limit] = json!(most),
            (None, Dialect::Anthropic) => body[limit] = json!(MAX_TOKENS),
            (None, _) => {}
        }
        if let Some(stop) = &self.stop {
            body[if self.dialect == Dialect::Anthropic { "stop_sequences" } else { "stop" }] = json!([stop]);
        }
        if self.streamed {
            body["stream"] = json!(true);
            if self.dialect == Dialect::OpenAiChat {
                body["stream_options"] = json!({"include_usage": true});
            }
        }
        self.shape(&mut body);
        body
    }

    /// The whole answer, without limits.
    #[must_use]
    pub fn oracle(&self) -> Oracle {
        Oracle::new(self.seed, self.tokens, self.kind)
    }

    /// The text that is to come, limits and stops applied.
    #[must_use]
    pub fn expected(&self) -> String {
        let oracle = self.oracle();
        let text = oracle.first(self.max_tokens.unwrap_or(usize::MAX));
        let end = self.stop.as_ref().and_then(|stop| text.find(stop.as_str()));
        text[..end.unwrap_or(text.len())].to_owned()
    }

    /// Tool or schema.
    fn shape(&self, body: &mut Value) {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "note": {"type": "string"}},
            "required": ["city", "note"], "additionalProperties": false});
        let (name, about) = ("weather", "The weather in a city.");
        match (self.kind, self.dialect) {
            (Kind::Text, _) => {}
            (Kind::Tool, Dialect::Anthropic) => {
                body["tools"] = json!([{"name": name, "description": about, "input_schema": schema}]);
            }
            (Kind::Tool, Dialect::OpenAiResponses) => {
                body["tools"] =
                    json!([{"type": "function", "name": name, "description": about, "parameters": schema}]);
            }
            (Kind::Tool, _) => {
                body["tools"] = json!([{"type": "function",
                    "function": {"name": name, "description": about, "parameters": schema}}]);
            }
            (Kind::Json, Dialect::Anthropic) => {
                body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
            }
            (Kind::Json, Dialect::OpenAiResponses) => {
                body["text"] = json!({"format": {"type": "json_schema", "name": name, "schema": schema}});
            }
            (Kind::Json, _) => {
                body["response_format"] =
                    json!({"type": "json_schema", "json_schema": {"name": name, "schema": schema}});
            }
        }
    }
}

/// What a client was told.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The text; of a call, its arguments.
    pub text: String,
    /// Id and name of a call.
    pub call: Option<(String, String)>,
    /// Why it ended, in the dialect's word.
    pub finish: Option<String>,
    /// The dialect's last event came; a whole answer has it.
    pub done: bool,
    /// Code, or else type, and message of an error.
    pub error: Option<(String, String)>,
    /// Tokens.
    pub usage: Option<Tokens>,
    /// Ids of the answer: one is right.
    pub ids: Vec<String>,
    /// Models that are said to answer.
    pub models: Vec<String>,
    /// What the dialect does not allow.
    pub breaches: Vec<String>,
    /// Deltas with text.
    pub deltas: usize,
}

impl Said {
    /// A whole answer to a streamed or plain request, as far as a client can tell.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.finish.is_some() && self.done && self.error.is_none() && self.breaches.is_empty()
    }

    /// An error that no client can take for an answer.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.error.is_some() && self.finish.is_none() && !self.done && self.breaches.is_empty()
    }

    /// Reads the body of a whole answer.
    #[must_use]
    pub fn plain(dialect: Dialect, body: &[u8]) -> Self {
        let mut said = Self::default();
        let text = String::from_utf8_lossy(body);
        let Ok(value) = serde_json::from_str::<Value>(&surrogates::named(&text)) else {
            said.breaches.push(format!("no JSON: {text}"));
            return said;
        };
        if value["error"].is_object() {
            said.take_error(&value["error"]);
            return said;
        }
        said.id(&value);
        match dialect {
            Dialect::OpenAiResponses => order::whole_response(&value, &mut said),
            Dialect::Anthropic => said.take_message(&value),
            _ => said.take_completion(&value),
        }
        said.done = said.finish.is_some();
        said.close();
        said
    }

    fn id(&mut self, value: &Value) {
        let mut note = |list: fn(&mut Self) -> &mut Vec<String>, name: &str| {
            if let Some(found) = value[name].as_str() {
                let list = list(self);
                if list.iter().all(|known| known != found) {
                    list.push(found.to_owned());
                }
            }
        };
        note(|said| &mut said.ids, "id");
        note(|said| &mut said.models, "model");
    }

    fn take_error(&mut self, error: &Value) {
        let word = error["code"].as_str().or_else(|| error["type"].as_str()).unwrap_or_default();
        let message = error["message"].as_str().unwrap_or_default();
        self.error = Some((word.to_owned(), message.to_owned()));
    }

    fn take_completion(&mut self, value: &Value) {
        let choice = &value["choices"][0];
        let call = &choice["message"]["tool_calls"][0];
        if call.is_object() {
            self.call = Some((word(&call["id"]), word(&call["function"]["name"])));
            self.text = word(&call["function"]["arguments"]);
        } else {
            self.text = word(&choice["message"]["content"]);
        }
        self.finish = choice["finish_reason"].as_str().map(str::to_owned);
        self.usage = tokens(&value["usage"], ["prompt_tokens", "completion_tokens"]);
    }

    fn take_message(&mut self, value: &Value) {
        for block in value["content"].as_array().into_iter().flatten() {
            match block["type"].as_str() {
                Some("text") => self.text += block["text"].as_str().unwrap_or_default(),
                Some("tool_use") => {
                    self.call = Some((word(&block["id"]), word(&block["name"])));
                    self.text = block["input"].to_string();
                }
                _ => {}
            }
        }
        self.finish = value["stop_reason"].as_str().map(str::to_owned);
        self.usage = tokens(&value["usage"], ["input_tokens", "output_tokens"]);
    }

    /// Half characters next to each other are whole ones.
    fn close(&mut self) {
        let (text, halves) = surrogates::joined(&self.text);
        self.text = text;
        if halves > 0 && self.error.is_none() {
            self.breaches.push(format!("{halves} halves of characters"));
        }
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn tokens(usage: &Value, [input, output]: [&str; 2]) -> Option<Tokens> {
    Some(Tokens { input: usage[input].as_u64()?, output: usage[output].as_u64()? })
}

/// Reads a stream, however it is cut.
#[derive(Debug)]
pub struct Reader {
    dialect: Dialect,
    buffer: Vec<u8>,
    said: Said,
    order: Order,
}

impl Reader {
    /// A reader of this dialect's events.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, buffer: Vec::new(), said: Said::default(), order: Order::default() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        // Only what is new can end an event: some are megabytes long.
        let mut from = self.buffer.len().saturating_sub(1);
        self.buffer.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some(length) = self.buffer[from..].windows(2).position(|pair| pair == b"\n\n") {
            let event = self.buffer[taken..from + length].to_vec();
            taken = from + length + 2;
            from = taken;
            self.event(&event);
        }
        self.buffer.drain(..taken);
    }

    /// What was said so far.
    #[must_use]
    pub const fn so_far(&self) -> &Said {
        &self.said
    }

    /// The body has ended: well, or because the connection broke.
    #[must_use]
    pub fn finish(mut self, broken: bool) -> Said {
        if !self.buffer.is_empty() {
            self.said.breaches.push("half an event at the end".to_owned());
        }
        if broken {
            self.said.breaches.push("the connection broke".to_owned());
        }
        self.said.close();
        self.said
    }

    fn event(&mut self, event: &[u8]) {
        let Ok(text) = std::str::from_utf8(event) else {
            return self.said.breaches.push("an event is no UTF-8".to_owned());
        };
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let (Some(data), name) = (field("data:").map(str::trim_start), field("event:").map(str::trim)) else {
            // A comment.
            return;
        };
        if self.said.done || self.said.error.is_some() && self.dialect != Dialect::OpenAiResponses {
            return self.said.breaches.push(format!("an event after the end: {data}"));
        }
        if data == "[DONE]" && self.dialect == Dialect::OpenAiChat {
            self.said.done = true;
            return;
        }
        match serde_json::from_str::<Value>(&surrogates::named(data)) {
            Ok(value) => self.order.event(self.dialect, name, &value, &mut self.said),
            Err(error) => self.said.breaches.push(format!("{error}: {data}")),
        }
    }
}
