//! OpenAI chat as a dialect that is converted: `POST /v1/chat/completions`, as OpenAI and its many
//! vendors speak it.
//!
//! Requests are read by [`decode`] and written by [`encode`]; answers are read by [`answer`] and written
//! by [`render`]; [`stream`] and [`emit`] do the same for streams. [`assistant`] and [`parts`] are what
//! requests and answers have in common. Where no conversion is needed, [`super::stream`] and
//! [`super::answer`] only look on.

mod answer;
mod assistant;
mod decode;
mod details;
mod emit;
mod encode;
mod order;
mod parts;
mod render;
mod stream;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use pointsman_core::PublicError;

pub use super::error::parse as parse_error;
use super::error::{self, TriedCandidate};
pub use answer::decode_answer;
pub use decode::decode_request;
pub use emit::StreamEncoder;
pub use encode::{encode_request, needs};
pub use render::encode_answer;
pub use stream::StreamDecoder;

/// The error document.
#[must_use]
pub fn render_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    error::render(error, request_id, attempts)
}

/// The same as it ends a stream.
#[must_use]
pub fn render_stream_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    error::render_stream_event(error, request_id, attempts)
}
