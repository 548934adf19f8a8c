//! Anthropic's messages (`POST /v1/messages`), as a client sends them and as a provider answers them.
//!
//! [`decode_request`] and [`encode_request`] are the two sides of a request, [`decode_answer`] and
//! [`encode_answer`] those of a whole answer, [`StreamDecoder`] and [`StreamEncoder`] those of a
//! streamed one; [`error`](render_error) documents go both ways. `block` and `media` read and write what
//! all of them share. The field names are those of the vendor's own SDK (anthropic-python 2.12).
//!
//! A body for `count_tokens` is a request without `max_tokens`: [`decode_request`] reads it too.

mod answer;
mod block;
mod decode;
mod encode;
mod error;
mod media;
mod models;
mod schema;
mod stream;
mod thinking;
mod turns;
mod usage;
mod words;
mod write;

pub use answer::{decode_answer, encode_answer};
pub use decode::decode_request;
pub use encode::{DEFAULT_MAX_TOKENS, encode_request};
pub use error::{parse_error, render_error, render_stream_error};
pub use media::needs;
pub use stream::{StreamDecoder, StreamEncoder};

#[cfg(test)]
mod tests;
