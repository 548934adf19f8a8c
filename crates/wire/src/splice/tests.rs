//! Splicing against parse, edit, serialise; and that it copies nothing.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::fuzzing::check_splice_with;
use crate::probe::probe;
use crate::testing::{Source, body};

fn edited(text: &'static str, include_usage: bool) -> String {
    let body = Bytes::from_static(text.as_bytes());
    let edits = probe(&body).unwrap().edits(&Bytes::from_static(b"\"new\""), include_usage);
    String::from_utf8(splice(&body, &edits).concat()).unwrap()
}

#[test]
fn equals_parse_edit_serialise() {
    #[derive(Default)]
    struct Counts([Cell<u32>; 7]);
    let counts = Counts::default();
    let add = |index: usize, seen: bool| counts.0[index].set(counts.0[index].get() + u32::from(seen));
    let config = Config { cases: 20_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let choices = (prop::collection::vec(any::<u8>(), 0..200), 0..4usize, any::<bool>());
    let result = runner.run(&choices, |(choices, name, include_usage)| {
        let body = body(&mut Source::new(&choices));
        let name = ["m", "provider/model:8b", "quote\" slash\\ tab\t", "模型\u{0}"][name];
        // Fails by panicking, with the difference; refused bodies are those with duplicates.
        let spliced = check_splice_with(body.text.as_bytes(), name, include_usage);
        prop_assert_eq!(spliced, !body.duplicate_key, "{}", body.text);
        add(0, spliced && body.escaped_key);
        add(1, spliced && body.nested_model);
        add(2, body.duplicate_key);
        add(3, spliced && body.odd_space);
        add(4, spliced && body.huge_number);
        add(5, spliced && body.models == 0);
        add(6, spliced && include_usage);
        Ok(())
    });
    assert_eq!(result, Ok(()));
    let names =
        ["escaped keys", "nested models", "duplicates", "odd space", "huge numbers", "no model", "usage"];
    for (name, count) in names.iter().zip(&counts.0) {
        println!("{name}: {}", count.get());
        assert!(count.get() > 200, "{name} generated only {} times", count.get());
    }
}

#[test]
fn only_the_edits_are_new_memory() {
    let body = Bytes::from_static(br#"{"messages":[],"model":"old","stream":true}"#);
    let name = Bytes::from_static(b"\"new\"");
    let pieces = splice(&body, &probe(&body).unwrap().edits(&name, true));
    assert_eq!(pieces.len(), 5);
    assert!(!pieces.spilled());
    for (piece, offset) in [(0, 0), (2, 1), (4, 28)] {
        assert_eq!(pieces[piece].as_ptr(), body[offset..].as_ptr());
    }
    assert_eq!(pieces[3].as_ptr(), name.as_ptr());
}

#[test]
fn members_are_added_where_they_are_absent() {
    let cases = [
        ("{}", r#"{"model":"new"}"#, r#"{"stream_options":{"include_usage":true},"model":"new"}"#),
        (
            r#"{ "x":1}"#,
            r#"{"model":"new", "x":1}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new", "x":1}"#,
        ),
        (
            r#"{"model":"a"}"#,
            r#"{"model":"new"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new"}"#,
        ),
        (
            r#"{"stream_options": null ,"model":"a"}"#,
            r#"{"stream_options": null ,"model":"new"}"#,
            r#"{"stream_options": {"include_usage":true} ,"model":"new"}"#,
        ),
        (
            r#"{"model":"a","stream_options":{ }}"#,
            r#"{"model":"new","stream_options":{ }}"#,
            r#"{"model":"new","stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"model":"a","stream_options":{"y":1}}"#,
            r#"{"model":"new","stream_options":{"y":1}}"#,
            r#"{"model":"new","stream_options":{"include_usage":true,"y":1}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false},"model":"a"}"#,
            r#"{"stream_options":{"include_usage":false},"model":"new"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new"}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":true},"model":"a"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new"}"#,
        ),
    ];
    for (text, plain, with_usage) in cases {
        assert_eq!(edited(text, false), plain);
        assert_eq!(edited(text, true), with_usage);
    }
}

#[test]
fn no_edits_leave_the_body_whole() {
    let body = Bytes::from_static(b"{}");
    let pieces = splice(&body, &Edits::default());
    assert!(Edits::default().is_empty());
    assert_eq!(pieces.as_slice(), std::slice::from_ref(&body));
    assert_eq!(pieces[0].as_ptr(), body.as_ptr());
}
