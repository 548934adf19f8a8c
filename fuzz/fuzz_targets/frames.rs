//! See `check_frames` in `crates/wire/src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_wire::fuzzing::check_frames(data));
