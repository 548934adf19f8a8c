//! What requests look like: keys and models drawn uniformly, bodies of a given size.

use memchr::memmem;
use pointsman_core::Rng;

use crate::mock::stream::stamp;

/// The shape of a load's requests.
#[derive(Clone, Debug)]
pub struct Shape {
    /// `/v1/chat/completions` or another path; it decides about the dialect.
    pub path: String,
    /// Client keys, drawn uniformly; none: no credentials are sent.
    pub keys: Vec<String>,
    /// Model names, drawn uniformly.
    pub models: Vec<String>,
    /// Size of the body.
    pub body_bytes: usize,
    /// Chats have instructions, earlier turns and options, and not just one text.
    pub conversation: bool,
    /// Ask for a stream, with usage.
    pub stream: bool,
    /// Send a W3C `traceparent` with a random trace id.
    pub trace: bool,
    /// Further headers, `name: value` each.
    pub headers: Vec<String>,
}

impl Default for Shape {
    /// 1 KB chat requests for the model `bench`, no key.
    fn default() -> Self {
        Self {
            path: "/v1/chat/completions".into(),
            keys: Vec::new(),
            models: vec!["bench".into()],
            body_bytes: 1024,
            conversation: false,
            stream: false,
            trace: false,
            headers: Vec::new(),
        }
    }
}

impl Shape {
    /// The next request, in place of what `out` held.
    pub fn render(&self, rng: &mut Rng, out: &mut Vec<u8>) {
        let model = pick(&self.models, rng).map_or("bench", String::as_str);
        let form = Form::of(&self.path);
        let (middle, tail) = form.around(self.conversation, self.stream);
        let fixed = OPENING.len() + model.len() + middle.len() + tail.len();
        let text = self.body_bytes.saturating_sub(fixed);
        out.clear();
        out.extend_from_slice(b"POST ");
        out.extend_from_slice(self.path.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n");
        if let Some(key) = pick(&self.keys, rng) {
            out.extend_from_slice(form.credential());
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        for header in &self.headers {
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if self.trace {
            let line =
                format!("traceparent: 00-{:016x}{:016x}-{:016x}-01\r\n", rng.next_u64(), rng.next_u64(), 1);
            out.extend_from_slice(line.as_bytes());
        }
        out.extend_from_slice(format!("content-length: {}\r\n\r\n", fixed + text).as_bytes());
        for part in [OPENING, model, middle] {
            out.extend_from_slice(part.as_bytes());
        }
        out.resize(out.len() + text, b'x');
        out.extend_from_slice(tail.as_bytes());
    }
}

/// What a body begins with; the model's name follows.
const OPENING: &str = r#"{"model":""#;

/// What a client speaks, by the path that it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's text completions.
    Completions,
}

impl Form {
    pub(super) fn of(path: &str) -> Self {
        match path.rsplit('/').next() {
            Some("embeddings") => Self::Embeddings,
            Some("completions") if !path.contains("/chat/") => Self::Completions,
            Some("messages") => Self::Messages,
            Some("responses") => Self::Responses,
            _ => Self::Chat,
        }
    }

    /// What precedes the key: the field in which this dialect's SDK sends it.
    const fn credential(self) -> &'static [u8] {
        match self {
            Self::Messages => b"anthropic-version: 2023-06-01\r\nx-api-key: ",
            _ => b"authorization: Bearer ",
        }
    }

    /// What stands between the model's name and the text, and after the text.
    const fn around(self, conversation: bool, stream: bool) -> (&'static str, &'static str) {
        let middle = match self {
            Self::Embeddings => r#"","input":""#,
            Self::Completions => r#"","prompt":""#,
            Self::Chat if conversation => {
                r#"","temperature":0.7,"max_completion_tokens":256,"messages":[{"role":"system","content":"You are terse."},{"role":"user","content":"What is a fox?\nAnd \"vixen\"?"},{"role":"assistant","content":"An animal; she is one too."},{"role":"user","content":""#
            }
            Self::Chat => r#"","messages":[{"role":"user","content":""#,
            Self::Responses if conversation => {
                r#"","temperature":0.7,"max_output_tokens":256,"instructions":"You are terse.","input":[{"role":"user","content":"What is a fox?\nAnd \"vixen\"?"},{"role":"assistant","content":"An animal; she is one too."},{"role":"user","content":""#
            }
            Self::Responses => r#"","input":[{"role":"user","content":""#,
            Self::Messages if conversation => {
                r#"","temperature":0.7,"max_tokens":256,"system":"You are terse.","messages":[{"role":"user","content":"What is a fox?\nAnd \"vixen\"?"},{"role":"assistant","content":"An animal; she is one too."},{"role":"user","content":""#
            }
            Self::Messages => r#"","max_tokens":256,"messages":[{"role":"user","content":""#,
        };
        let tail = match (self, stream) {
            (Self::Embeddings | Self::Completions, _) => r#""}"#,
            (_, false) => r#""}]}"#,
            (Self::Chat, true) => r#""}],"stream":true,"stream_options":{"include_usage":true}}"#,
            (Self::Responses | Self::Messages, true) => r#""}],"stream":true}"#,
        };
        (middle, tail)
    }

    /// Reads one event of a stream and notes how far the stream is.
    pub(super) fn note(self, event: &[u8], end: &mut End) {
        let has = |text: &str| memmem::find(event, text.as_bytes()).is_some();
        match self {
            Self::Messages => {
                end.finished |= has(r#""stop_reason":"end_turn""#);
                end.done |= has(r#""type":"message_stop""#);
            }
            Self::Responses => {
                let whole = has(r#""type":"response.completed""#);
                end.finished |= whole && has(r#""status":"completed""#);
                end.done |= whole;
            }
            Self::Chat | Self::Embeddings | Self::Completions => {
                end.finished |= has(r#""finish_reason":"stop""#);
                end.done |= event == b"data: [DONE]";
            }
        }
    }

    /// The stamp of an event that brings new text. Some dialects repeat the whole text at the end.
    pub(super) fn stamp(self, event: &[u8]) -> Option<u64> {
        match self {
            Self::Responses if !event.starts_with(b"event: response.output_text.delta\n") => None,
            _ => stamp(event),
        }
    }
}

/// How far a stream is: whole with both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The model's reason to end was told.
    pub(super) finished: bool,
    /// The dialect's last event came.
    pub(super) done: bool,
}

fn pick<'a>(list: &'a [String], rng: &mut Rng) -> Option<&'a String> {
    list.get(rng.below(list.len() as u64) as usize)
}
