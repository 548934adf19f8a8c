//! See `check_answer` in `crates/transport/src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_transport::fuzzing::check_answer(data));
