//! Google's Gemini API (`POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`), as a
//! client sends it and as a provider answers it.
//!
//! [`decode_request`] and [`encode_request`] are the two sides of a request, [`decode_answer`] and
//! [`encode_answer`] those of a whole answer, [`StreamDecoder`] and [`StreamEncoder`] those of a streamed
//! one; [`error`](render_error) documents go both ways. `part` and `media` read and write what all of them
//! share. Field names are those of the vendor's reference and SDKs (google-genai 2.25). Its API reads the
//! `snake_case` spelling of each name too, and one value where a list is due: so do the decoders.
//!
//! Where other dialects have a block of reasoning, this one has a signature on any part. One that sits on
//! a text or medium becomes a block of its own with the path of that part, behind it.

mod answer;
mod decode;
mod encode;
mod error;
mod grounding;
mod join;
mod logprobs;
mod media;
mod part;
mod read;
mod schema;
mod signature;
mod stream;
mod thinking;
mod turns;
mod usage;
mod words;

pub use answer::{decode_answer, encode_answer};
pub use decode::decode_request;
pub use encode::encode_request;
pub use error::{parse_error, render_error, render_stream_error};
pub use media::needs;
pub use stream::{StreamDecoder, StreamEncoder};

#[cfg(test)]
mod tests;
