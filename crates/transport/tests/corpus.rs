//! Replays the committed fuzzing corpus of answers: what a fuzzer once found stays found.

use std::path::Path;
use std::{fs, panic};

use pointsman_transport::fuzzing::check_answer;

#[test]
fn answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/answer");
    let mut replayed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(panic::catch_unwind(|| check_answer(&input)).is_ok(), "{} fails", path.display());
        replayed += 1;
    }
    assert!(replayed >= 20, "{replayed} inputs in the corpus of answer");
}
