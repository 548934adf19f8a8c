//! See `check_reply` in `crates/wire/src/fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_wire::fuzzing::check_reply(data));
