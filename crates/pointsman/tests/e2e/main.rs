//! End to end: the real binary between real clients and a real engine (see `docs/testing.md`).
//!
//! [`support`] starts things, the other modules are the claims. Everything runs on 127.0.0.1, on ports
//! that were free a moment ago; what a test starts ends with it.

#![cfg(test)]

mod admin;
mod compat;
mod crash;
mod engine;
mod faults;
mod realtime;
mod rescue;
mod sdk;
mod support;
