//! Replays the committed fuzzing corpora: what a fuzzer once found stays found.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::{fs, panic};

use pointsman_wire::fuzzing::{
    check_embeddings, check_frames, check_lists, check_multipart, check_probe, check_reply, check_request,
    check_splice, check_sse, check_stream,
};

#[test]
fn multipart() {
    replay("multipart", check_multipart);
}

#[test]
fn requests() {
    replay("request", check_request);
}

#[test]
fn replies() {
    replay("reply", check_reply);
}

#[test]
fn streams() {
    replay("stream", check_stream);
}

#[test]
fn embeddings() {
    replay("embeddings", check_embeddings);
}

#[test]
fn lists() {
    replay("lists", check_lists);
}

#[test]
fn frames() {
    replay("frames", check_frames);
}

#[test]
fn probe() {
    replay("probe", check_probe);
}

#[test]
fn splice() {
    replay("splice", check_splice);
}

#[test]
fn sse() {
    replay("sse", check_sse);
}

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        let passed = panic::catch_unwind(|| check(&input)).is_ok();
        assert!(passed, "{} fails", path.display());
        replayed += 1;
    }
    assert!(replayed >= 20, "{replayed} inputs in the corpus of {target}");
}
