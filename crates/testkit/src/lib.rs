//! What tests lean on: nothing in here is part of the product.
//!
//! - [`acme`]: an authority that issues certificates (RFC 8555), strict about what it is sent;
//! - [`net`]: listener and connector in memory, so that timing tests run on paused time;
//! - [`frames`]: an HTTP/2 server that can break every rule of it;
//! - [`mock`]: a scripted OpenAI-compatible upstream with faults and an exact request log;
//! - [`chaos`]: the scorecard: what must become of a request for each of those faults;
//! - [`faults`]: providers in three dialects that fail in every way, with texts worked out from seeds;
//! - [`fakes`]: stand-ins for the traits of core;
//! - [`hostile`]: inputs of hostile clients, each with its exact result;
//! - [`process`]: the real binary, started on a free port and killed on drop;
//! - [`openai`]: bodies and stream events as the mock sends them;
//! - [`realtime`]: sessions over WebSockets, from both ends.

pub mod acme;
pub mod chaos;
pub mod fakes;
pub mod faults;
pub mod frames;
pub mod hostile;
pub mod mock;
pub mod net;
pub mod openai;
pub mod process;
pub mod realtime;
