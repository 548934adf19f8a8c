//! See `fuzz_parse` in `crates/config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_config::fuzz_parse(data));
