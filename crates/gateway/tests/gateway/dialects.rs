//! Clients and providers of different dialects: requests, answers, streams, errors, accounts.
//!
//! [`fixtures`] has what providers of each dialect say; one file a subject.

mod anthropic;
mod count;
mod errors;
mod fixtures;
mod gemini;
mod losses;
mod media;
mod ollama;
mod responses;
mod same;
