//! The provider that answers where there is no other: any model name, no network, no cost.
//!
//! Pure: request bytes in, answer bytes or stream events out.

mod answer;
mod embeddings;
mod request;
mod schema;

use bytes::Bytes;
use pointsman_core::{ErrorCode, Operation, PublicError};

/// The provider's name in `provider/model`, headers and records.
pub const NAME: &str = "sim";

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON body.
    Plain(Bytes),
    /// Server-sent events, each complete with its blank line; the last one is `data: [DONE]`.
    Events(Vec<Bytes>),
}

/// When and for whom an answer is made; all that the answer takes from outside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Goes into the answer's id (`chatcmpl-sim-…`): the request id's integer.
    pub seed: u64,
    /// Seconds since the Unix epoch, for `created`.
    pub now_unix: u64,
}

/// Answers `body` (a JSON object) as a model would, saying in its text that it is simulated.
///
/// # Errors
/// Where the body is not what the operation takes: not an object, or without messages, prompt or input.
pub fn answer(operation: Operation, body: &[u8], context: Context) -> Result<Answer, PublicError> {
    let request: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| PublicError::new(ErrorCode::InvalidRequest, format!("body is not JSON: {error}")))?;
    if !request.is_object() {
        return Err(PublicError::new(ErrorCode::InvalidRequest, "body must be a JSON object"));
    }
    match operation {
        Operation::Chat => answer::chat(&request, context),
        Operation::TextCompletion => answer::completion(&request, context),
        Operation::Embeddings => embeddings::answer(&request),
        other => Err(PublicError::new(
            ErrorCode::UnsupportedOperation,
            format!("the simulated provider has no {}", other.as_str()),
        )),
    }
}

#[cfg(test)]
mod tests;
