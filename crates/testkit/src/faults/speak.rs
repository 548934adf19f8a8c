//! Answers and errors as the vendors write them: OpenAI chat, OpenAI responses, Anthropic messages.
//!
//! Shapes and the order of events follow the vendors' API references. Texts come as the inside of JSON
//! strings, so that a stream can be cut in the middle of a character, as servers do that count in UTF-16.

mod chat;
mod errors;
mod messages;
mod responses;

use bytes::Bytes;
use pointsman_core::Dialect;

pub(super) use self::errors::{error, error_event};
use super::text::Kind;
use crate::openai::Tokens;

/// What is said, and how it ends.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) dialect: Dialect,
    /// Tells answers apart.
    pub(super) tag: String,
    pub(super) model: String,
    pub(super) kind: Kind,
    /// For ids of calls.
    pub(super) seed: u64,
    /// The text's tokens, as the inside of JSON strings.
    pub(super) pieces: Vec<String>,
    pub(super) end: End,
    pub(super) tokens: Tokens,
    /// Only OpenAI chat asks.
    pub(super) tells_usage: bool,
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All is said.
    Whole,
    /// The most tokens that were wanted have come.
    Length,
    /// This text came.
    Stop(String),
}

/// An event of a stream.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) bytes: Bytes,
    pub(super) part: Part,
    /// Tokens that it brings.
    pub(super) tokens: u64,
}

/// Where in a stream an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Opening,
    Text,
    /// Also why the answer ended.
    Closing,
    /// Says nothing new.
    Sentinel,
}

impl Reply {
    /// The whole text, as the inside of a JSON string.
    fn text(&self) -> String {
        self.pieces.concat()
    }

    /// A whole answer.
    pub(super) fn plain(&self) -> String {
        match self.dialect {
            Dialect::OpenAiResponses => responses::plain(self),
            Dialect::Anthropic => messages::plain(self),
            _ => chat::plain(self),
        }
    }

    /// A streamed answer.
    pub(super) fn events(&self) -> Vec<Event> {
        match self.dialect {
            Dialect::OpenAiResponses => responses::events(self),
            Dialect::Anthropic => messages::events(self),
            _ => chat::events(self),
        }
    }

    /// An event in mid-text that is no JSON, and brings nothing of the answer.
    pub(super) fn odd_event(number: usize) -> Bytes {
        const EVENTS: [&[u8]; 3] = [b"data: {nonsense\n\n", b"data: \xff\xfe{}\n\n", b"data: <html>\n\n"];
        Bytes::from_static(EVENTS[number % EVENTS.len()])
    }
}

impl Event {
    fn new(part: Part, text: String) -> Self {
        Self { bytes: text.into(), part, tokens: u64::from(part == Part::Text) }
    }
}

/// An event with a name of its own.
fn named(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// A text as the inside of a JSON string.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same with every character beyond the first plane cut into its two halves, and the places where the
/// cuts are.
pub(super) fn halves(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for character in text.chars() {
        let mut units = [0; 2];
        if let [high, low] = character.encode_utf16(&mut units) {
            if let Some(last) = parts.last_mut() {
                last.push_str(&format!("\\u{high:04x}"));
            }
            parts.push(format!("\\u{low:04x}"));
        } else if let Some(last) = parts.last_mut() {
            last.push_str(&escaped(character.encode_utf8(&mut [0; 4])));
        }
    }
    parts
}
