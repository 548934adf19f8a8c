//! The data plane as its clients and its providers see it: a real HTTP client on one side, scripted
//! upstreams on the other, everything in memory and on paused time.
//!
//! One binary, one file a subject; [`harness`] puts the world together.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod access;
mod brute_force;
mod chaos;
mod commit;
mod dialects;
mod disconnect;
mod drain;
mod failures;
mod fallback;
mod forms;
mod generic;
mod harness;
mod hostile;
mod hostile_http2;
mod hostile_upstreams;
mod limits;
mod names;
mod objects;
mod passthrough;
mod paths;
mod pieces;
mod plain;
mod pool;
mod realtime;
mod recorder;
mod reload;
mod rescue;
mod resilience;
mod simulated;
mod stream;
mod surfaces;
