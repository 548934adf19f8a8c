//! Scripted answers: a head, a body in parts with pauses, and at most one fault.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::check;
use super::log::Received;
use crate::openai::{self, Tokens};

/// What the mock sends for one request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    pub(super) parts: Vec<Part>,
    pub(super) before_head: Option<Part>,
    pub(super) fault: Option<Fault>,
    /// Sent as they are in place of a head and body.
    pub(super) raw: Option<Bytes>,
    pub(super) tokens: Tokens,
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection is closed in good order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more comes, and the connection stays open.
    Hang,
}

/// Holds an answer until the test opens it. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    UntilClose,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Bytes(Bytes),
    Pause(Duration),
    Gate(Gate),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Bytes on the wire before it, counted from the first byte of the head or of the body.
    pub(super) after: usize,
    pub(super) in_body: bool,
    pub(super) cut: Cut,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn passed(&self) {
        // Nobody adds permits: this ends when the gate is opened.
        let _ = self.0.acquire().await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Whole answers.
impl Answer {
    /// `status` with `body` of `content_type`, framed by Content-Length.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            framing: Framing::Length,
            parts: vec![Part::Bytes(body.into())],
            before_head: None,
            fault: None,
            raw: None,
            tokens: Tokens::default(),
        }
    }

    /// 200 with a JSON body.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::status(200, body)
    }

    /// `status` with a JSON body.
    #[must_use]
    pub fn status(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// `status` with an OpenAI error object.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::status(status, &openai::error(message, "mock_error", None))
    }

    /// 429 with `Retry-After` in seconds, if given.
    #[must_use]
    pub fn rate_limited(retry_after: Option<u64>) -> Self {
        let error = openai::error("too many requests", "rate_limit_exceeded", Some("rate_limit_exceeded"));
        let answer = Self::status(429, &error);
        match retry_after {
            Some(seconds) => answer.header("retry-after", &seconds.to_string()),
            None => answer,
        }
    }

    /// A plain chat answer.
    #[must_use]
    pub fn chat(model: &str, text: &str, tokens: Tokens) -> Self {
        Self::json(&openai::chat_answer(model, text, tokens)).emits(tokens)
    }

    /// A streamed chat answer with one chunk on the wire an event; usage is sent if given.
    #[must_use]
    pub fn chat_stream(model: &str, deltas: &[&str], usage: Option<Tokens>) -> Self {
        Self::sse(openai::chat_events(model, deltas, usage)).emits(usage.unwrap_or_default())
    }

    /// An event stream: each item is one HTTP chunk, cut wherever the test likes.
    #[must_use]
    pub fn sse(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        let mut answer = Self::new(200, "text/event-stream; charset=utf-8", Bytes::new());
        answer.framing = Framing::Chunked;
        answer.parts = chunks.into_iter().map(Part::Bytes).collect();
        answer
    }

    /// These bytes in place of an HTTP answer; the connection is closed after them.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        let mut answer = Self::new(200, "", Bytes::new());
        answer.raw = Some(bytes.into());
        answer
    }

    /// The request is read and nothing is sent: hang, close or reset before the head.
    #[must_use]
    pub fn nothing(cut: Cut) -> Self {
        Self::new(200, "", Bytes::new()).cut_head(0, cut)
    }

    /// What a good server says to `request`: fits its path, `stream` and `include_usage`; 400 where the
    /// strict checks found it wrong, 404 for a path that is not there.
    #[must_use]
    pub fn fitting(request: &Received) -> Self {
        if let Some(first) = request.violations.first() {
            return Self::error(if first.contains("no such path") { 404 } else { 400 }, first);
        }
        let body = request.json();
        let model = body["model"].as_str().unwrap_or_default();
        let tokens = Tokens { input: 12, output: 3 };
        let streamed = body["stream"] == true;
        let usage = (body["stream_options"]["include_usage"] == true).then_some(tokens);
        match check::endpoint(request.path()) {
            Some(check::Endpoint::Models) => Self::json(&openai::models_answer(&["mock-1", "mock-2"])),
            Some(check::Endpoint::Embeddings) => Self::json(&openai::embedding_answer(model, tokens.input))
                .emits(Tokens { output: 0, ..tokens }),
            Some(check::Endpoint::Completion) => {
                Self::json(&openai::completion_answer(model, "hi there you", tokens)).emits(tokens)
            }
            _ if streamed => Self::chat_stream(model, &["hi", " there", " you"], usage),
            _ => Self::chat(model, "hi there you", tokens),
        }
    }
}

/// Changes to an answer.
impl Answer {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Claims another content type.
    #[must_use]
    pub fn content_type(mut self, value: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.header("content-type", value)
    }

    /// The tokens that this answer reports, for the mock's own sum.
    #[must_use]
    pub const fn emits(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// Frames the body by chunks.
    #[must_use]
    pub const fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Frames the body by closing the connection.
    #[must_use]
    pub const fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self
    }

    /// Compresses the body: one gzip stream, flushed after every part so that pacing stays.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut parts: Vec<Part> = Vec::with_capacity(self.parts.len() + 1);
        for part in self.parts {
            let Part::Bytes(bytes) = part else {
                parts.push(part);
                continue;
            };
            // Writing to a Vec cannot fail.
            let _ = encoder.write_all(&bytes).and_then(|()| encoder.flush());
            parts.push(Part::Bytes(std::mem::take(encoder.get_mut()).into()));
        }
        parts.push(Part::Bytes(encoder.finish().unwrap_or_default().into()));
        self.parts = parts;
        self.header("content-encoding", "gzip")
    }

    /// Waits before the head.
    #[must_use]
    pub fn delay_head(mut self, pause: Duration) -> Self {
        self.before_head = Some(Part::Pause(pause));
        self
    }

    /// Holds the head until the gate opens.
    #[must_use]
    pub fn gate_head(mut self, gate: &Gate) -> Self {
        self.before_head = Some(Part::Gate(gate.clone()));
        self
    }

    /// Waits between head and body.
    #[must_use]
    pub fn delay_body(mut self, pause: Duration) -> Self {
        self.parts.insert(0, Part::Pause(pause));
        self
    }

    /// Waits before every part but the first.
    #[must_use]
    pub fn pace(mut self, pause: Duration) -> Self {
        let mut first = true;
        self.parts = self.parts.drain(..).fold(Vec::new(), |mut parts, part| {
            if matches!(part, Part::Bytes(_)) && !std::mem::take(&mut first) {
                parts.push(Part::Pause(pause));
            }
            parts.push(part);
            parts
        });
        self
    }

    /// Holds the body before its part `index` (from 0, pauses not counted) until the gate opens.
    #[must_use]
    pub fn gate(self, index: usize, gate: &Gate) -> Self {
        self.before(index, Part::Gate(gate.clone()))
    }

    /// Waits before the body's part `index`, counted as for [`Answer::gate`].
    #[must_use]
    pub fn pause(self, index: usize, pause: Duration) -> Self {
        self.before(index, Part::Pause(pause))
    }

    fn before(mut self, index: usize, wait: Part) -> Self {
        let is_bytes = |part: &Part| matches!(part, Part::Bytes(_));
        let places = self.parts.iter().enumerate().filter(|(_, part)| is_bytes(part));
        let at = places.map(|(place, _)| place).nth(index).unwrap_or(self.parts.len());
        self.parts.insert(at, wait);
        self
    }

    /// Breaks off after `after` bytes of the head.
    #[must_use]
    pub const fn cut_head(mut self, after: usize, cut: Cut) -> Self {
        self.fault = Some(Fault { after, in_body: false, cut });
        self
    }

    /// Breaks off after `after` bytes of the body (as framed on the wire).
    #[must_use]
    pub const fn cut_body(mut self, after: usize, cut: Cut) -> Self {
        self.fault = Some(Fault { after, in_body: true, cut });
        self
    }

    /// Breaks off after `count` whole parts of the body.
    #[must_use]
    pub fn cut_after_parts(mut self, count: usize, cut: Cut) -> Self {
        let framing = self.framing;
        let sizes = self.parts.iter().filter_map(|part| match part {
            Part::Bytes(bytes) => Some(framing.wire_len(bytes.len())),
            Part::Pause(_) | Part::Gate(_) => None,
        });
        let after = sizes.take(count).sum();
        self.fault = Some(Fault { after, in_body: true, cut });
        self
    }

    /// Leaves out the last `count` parts: a stream without its finish or `[DONE]`, ended in good order.
    #[must_use]
    pub fn without_last(mut self, count: usize) -> Self {
        self.parts.truncate(self.parts.len().saturating_sub(count));
        self
    }
}

impl Framing {
    pub(super) fn wire(self, bytes: &Bytes) -> Bytes {
        // An empty chunk would end the body.
        if self != Self::Chunked || bytes.is_empty() {
            return bytes.clone();
        }
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        framed.into()
    }

    fn wire_len(self, len: usize) -> usize {
        if self != Self::Chunked || len == 0 { len } else { len + format!("{len:x}").len() + 4 }
    }
}
