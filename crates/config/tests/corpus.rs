//! Replays the committed fuzzing corpus of the configuration: what a fuzzer once found stays found.

use std::path::Path;
use std::{fs, panic};

use pointsman_config::fuzz_parse;

#[test]
fn config() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/config");
    let mut replayed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(panic::catch_unwind(|| fuzz_parse(&input)).is_ok(), "{} fails", path.display());
        replayed += 1;
    }
    assert!(replayed >= 20, "{replayed} inputs in the corpus of config");
}
