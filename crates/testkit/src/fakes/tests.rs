//! The fakes keep the promises of the traits they stand in for.

use super::*;

#[test]
fn keys_are_found_by_hash_and_limit_models() {
    let keys = FakeKeys::none();
    assert!(keys.is_empty());
    let keys = keys.with("secret", "k1", Some(&["a/b"]));
    let found = keys.find(&Sha256::digest(b"secret").into()).unwrap();
    assert_eq!(found.key.as_deref(), Some("k1"));
    assert!(found.may_use("a/b") && !found.may_use("a/c"));
    assert!(keys.find(&Sha256::digest(b"Secret").into()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_broken_sink_fails_and_keeps_nothing() {
    let sink = CollectingSink::new();
    sink.set_broken(true);
    assert!(sink.clone().write(&[]).is_err());
    sink.set_broken(false);
    assert!(sink.clone().write(&[]).is_ok());
    assert!(sink.wait_for(0).await.is_empty());
}
