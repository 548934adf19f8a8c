//! Backoff, retry rules and outcome classification as pure state machines.
