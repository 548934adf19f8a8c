//! What converting an answer needs besides the answer.

use bytes::Bytes;

use super::{Event, Losses};

/// A document in the target's dialect, and what it does not say.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The JSON text.
    pub body: Vec<u8>,
    /// What could not be carried.
    pub losses: Losses,
}

/// Who answers: for tagging proofs, and for ids that the dialect does not give.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The configured provider's name.
    pub provider: &'a str,
    /// Unique for the request: calls without an id become `call_<id>_<number>`.
    pub id: &'a str,
}

/// To whom the answer goes.
#[derive(Clone, Debug, Default)]
pub struct AnswerContext {
    /// The answer's id where the provider gave none, without the dialect's prefix.
    pub id: String,
    /// The model to name where the provider named none.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Whether the client wants usage in its stream, where its dialect asks.
    pub stream_usage: bool,
    /// Gemini: a JSON array instead of server-sent events.
    pub json_array: bool,
    /// The client's own body, for dialects whose answers repeat parts of it (OpenAI responses).
    pub request: Bytes,
}

/// Where a decoder puts its events.
pub type Sink<'s> = dyn FnMut(Event<'_>) + 's;
