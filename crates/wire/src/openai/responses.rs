//! OpenAI's responses (`POST /v1/responses`) as a dialect that is converted.
//!
//! The dialect has items where others have turns: messages, thoughts, calls and results, each with an id of
//! its own beside the id that joins a call with its result. Requests are read by [`decode`] and written by
//! [`encode`], answers are read by [`answer`] and written by [`render`], [`stream`] does the same for streams.
//! [`item`], [`parts`] and [`write`] are what they have in common, [`echo`] what an answer repeats of its
//! request. The member names are those of the vendor's own SDK (openai-python 3.51).
//!
//! Ciphers of thoughts go round through clients of other dialects with the id of their item, to which the
//! provider binds them. Items that only this dialect has (what the provider's own tools did, references) are
//! opaque. Of a streamed thought whose summary has several parts, the parts are joined by blank lines.

mod answer;
mod decode;
mod echo;
mod encode;
mod error;
mod item;
mod parts;
mod render;
mod stream;
mod words;
mod write;

pub use answer::decode_answer;
pub use decode::decode_request;
pub use encode::{encode_request, needs};
pub use error::{parse_error, render_error, render_stream_error};
pub use render::encode_answer;
pub use stream::{StreamDecoder, StreamEncoder};

#[cfg(test)]
mod tests;
