//! Wire formats: probe, splice, SSE and observers, as sans-IO state machines.
//!
//! A request body is read once by [`probe`], which validates it and notes where the model name
//! stands; [`splice`] cuts another name in without touching any other byte. Streamed answers go
//! through [`openai::stream::StreamObserver`], plain ones past [`openai::answer::observe`]: both
//! look at the bytes, neither rebuilds them. [`json`] is the scanner under all of it, [`sse`] the
//! framing of event streams, [`multipart`] reads forms with files, [`websocket`] looks at frames as they
//! pass, [`opening`] tells conversations apart, [`rescue`] joins what one provider began with what another
//! one goes on with.

pub mod anthropic;
pub mod convert;
pub mod embeddings;
#[doc(hidden)]
pub mod fuzzing;
pub mod gemini;
pub mod json;
pub mod lists;
pub mod multipart;
pub mod neutral;
pub mod ollama;
pub mod openai;
pub mod opening;
pub mod probe;
pub mod rescue;
pub mod splice;
pub mod sse;
#[cfg(test)]
mod testing;
pub mod websocket;

pub use openai::error::UpstreamError;
