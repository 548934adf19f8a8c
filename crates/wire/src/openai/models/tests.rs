//! Rendering; the vendors' lists are golden files, see `tests/golden.rs`.

use super::*;

#[test]
fn renders_what_it_parses() {
    let entries = [
        ModelEntry {
            id: "a/b:8b".into(),
            owned_by: Some("me".into()),
            context_length: Some(8192),
            ..ModelEntry::default()
        },
        ModelEntry { id: "c".into(), ..ModelEntry::default() },
    ];
    let list = render_list(&entries, 1_760_000_000);
    let mut parsed = parse_list(&list).unwrap();
    assert_eq!(parsed.pop().and_then(|entry| entry.owned_by).as_deref(), Some("unknown"));
    assert_eq!(parsed, entries[..1]);
    assert_eq!(
        &render_one(&entries[1], 7)[..],
        br#"{"id":"c","object":"model","created":7,"owned_by":"unknown"}"#
    );
}

#[test]
fn further_members_are_shown_beside_the_usual_ones() {
    let more = json!({ "pricing": { "prompt": "0.000001" } }).as_object().cloned().unwrap();
    let entry = ModelEntry { id: "a".into(), more, ..ModelEntry::default() };
    let shown: Value = serde_json::from_slice(&render_one(&entry, 7)).unwrap();
    assert_eq!(
        shown,
        json!({
            "id": "a", "object": "model", "created": 7, "owned_by": "unknown",
            "pricing": { "prompt": "0.000001" },
        })
    );
}

#[test]
fn refuses_what_is_no_list() {
    for body in ["", "{}", "7", "{\"data\":{}}", "<html>", "[", "{\"data\":null}"] {
        assert!(parse_list(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(parse_list(b"[7,{},{\"id\":\"\"}]"), Ok(Vec::new()));
}
