//! The scanner against serde_json, and its own edges.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::de::IgnoredAny;

use super::string::end_of_string;
use super::*;
use crate::testing::{Body, Source, body, value};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new_with_rng(
        Config { cases, failure_persistence: None, ..Config::default() },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    )
}

fn referee(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

#[test]
fn agrees_with_serde_json_on_generated_and_mutated_texts() {
    let (valid, invalid) = (Cell::new(0), Cell::new(0));
    let choices = (prop::collection::vec(any::<u8>(), 0..200), any::<u64>());
    let result = runner(20_000).run(&choices, |(choices, mutation)| {
        let mut source = Source::new(&choices);
        let mut text = if mutation % 2 == 0 {
            body(&mut source).text
        } else {
            value(&mut source, &mut Body::default(), 6)
        }
        .into_bytes();
        mutate(&mut text, mutation >> 1);
        let ours = validate(&text).is_ok();
        prop_assert_eq!(ours, referee(&text), "{}", String::from_utf8_lossy(&text));
        let count = if ours { &valid } else { &invalid };
        count.set(count.get() + 1);
        Ok(())
    });
    assert_eq!(result, Ok(()));
    assert!(valid.get() > 2000 && invalid.get() > 2000, "{valid:?} valid, {invalid:?} invalid");
}

/// Changes, drops, doubles or inserts one byte in three cases of four.
fn mutate(text: &mut Vec<u8>, mutation: u64) {
    const BYTES: &[u8] = b"{}[]:,\"\\u0eE+-.1tfn \n\x00\x1f\x7f\xc3\xff";
    if text.is_empty() {
        return;
    }
    let at = (mutation >> 16) as usize % text.len();
    let byte = BYTES[(mutation >> 8) as usize % BYTES.len()];
    match mutation % 8 {
        0 | 1 => text[at] = byte,
        2 => text.insert(at, byte),
        3 => drop(text.remove(at)),
        4 => text.insert(at, text[at]),
        5 => text.truncate(at),
        _ => {}
    }
}

#[test]
fn accepts_and_refuses_as_the_rfc_says() {
    let good = [
        "0",
        "-0",
        "10.01",
        "1e5",
        "1E+5",
        "1e-0",
        "1e99999",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        " [ ] ",
        "{ }",
        "[1 , 2]",
        "\t\r\n null",
        "\"\u{7f}\"",
        "\"\\/\"",
        "{\"a\":{\"b\":[]},\"c\":[{}]}",
    ];
    for text in good {
        assert_eq!(validate(text.as_bytes()), Ok(()), "{text}");
    }
    let bad: [(&[u8], Flaw, usize); 32] = [
        (b"", Flaw::UnexpectedEnd, 0),
        (b"  ", Flaw::UnexpectedEnd, 2),
        (b"01", Flaw::Trailing, 1),
        (b"-", Flaw::UnexpectedEnd, 1),
        (b"-a", Flaw::Unexpected, 1),
        (b"+1", Flaw::Unexpected, 0),
        (b".5", Flaw::Unexpected, 0),
        (b"1.", Flaw::UnexpectedEnd, 2),
        (b"1.e5", Flaw::Unexpected, 2),
        (b"1e", Flaw::UnexpectedEnd, 2),
        (b"NaN", Flaw::Unexpected, 0),
        (b"nul", Flaw::UnexpectedEnd, 3),
        (b"nulL", Flaw::Unexpected, 3),
        (b"truefalse", Flaw::Trailing, 4),
        (b"\"", Flaw::UnexpectedEnd, 1),
        (b"\"\\", Flaw::UnexpectedEnd, 2),
        (b"\"\\x\"", Flaw::BadEscape, 2),
        (b"\"\\u12\"", Flaw::BadEscape, 5),
        (b"\"\\u12", Flaw::UnexpectedEnd, 5),
        (b"\"\n\"", Flaw::ControlCharacter, 1),
        (b"\"a\x00\"", Flaw::ControlCharacter, 2),
        (b"\"\xff\"", Flaw::NotUtf8, 1),
        (b"\"\xed\xa0\x80\"", Flaw::NotUtf8, 1),
        (b"\xef\xbb\xbf{}", Flaw::Unexpected, 0),
        (b"[1,]", Flaw::Unexpected, 3),
        (b"[1 2]", Flaw::Unexpected, 3),
        (b"[1}", Flaw::Unexpected, 2),
        (b"{\"a\":1,}", Flaw::Unexpected, 7),
        (b"{\"a\" 1}", Flaw::Unexpected, 5),
        (b"{a:1}", Flaw::Unexpected, 1),
        (b"{\"a\":1", Flaw::UnexpectedEnd, 6),
        (b"{} {}", Flaw::Trailing, 3),
    ];
    for (text, flaw, offset) in bad {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(validate(text), Err(JsonError { flaw, offset }), "{shown}");
        assert!(!referee(text), "{shown}");
    }
}

#[test]
fn depth_is_capped_whatever_is_nested() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let levels = MAX_DEPTH / open.matches(['[', '{']).count();
        let nested = |n: usize| open.repeat(n) + "1" + &close.repeat(n);
        assert_eq!(validate(nested(levels).as_bytes()), Ok(()), "{open}");
        let error = validate(nested(levels + 1).as_bytes()).unwrap_err();
        assert_eq!(error.flaw, Flaw::TooDeep, "{open}");
        // Far beyond any stack.
        assert_eq!(validate(open.repeat(1_000_000).as_bytes()).unwrap_err().flaw, Flaw::TooDeep);
    }
    // Levels that the caller walks count as those that are skipped.
    let mut scanner = Scanner::new(b"[[[[").unwrap();
    scanner.depth_for_test(MAX_DEPTH - 2);
    let result = scanner.array(Scanner::skip);
    assert_eq!(result, Err(JsonError { flaw: Flaw::TooDeep, offset: 2 }));
}

#[test]
fn strings_end_where_a_plain_search_says() {
    for special in [b'"', b'\\', 0x00, 0x1f] {
        for length in 0..100 {
            for plain in [b'a', 0x20, 0x7f, 0xc3, b'#', b'!', b']', b'['] {
                let mut text = vec![plain; length];
                text.push(special);
                text.extend_from_slice(b"n\"");
                let expected = match special {
                    b'"' => Ok((length, false)),
                    b'\\' => Ok((length + 2, true)),
                    _ => Err(JsonError { flaw: Flaw::ControlCharacter, offset: length }),
                };
                assert_eq!(end_of_string(&text, 0), expected, "{special} after {length} of {plain}");
            }
        }
    }
}

#[test]
fn values_and_lengths_are_those_of_serde_json() {
    let escapes = ["\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\u00e9", "\\ud83d\\ude00", "\\uD83D\\uDE00"];
    let plain = ["a", "é", "模", "😀", " long enough for a block of plain text or even two of them "];
    let lone = ["\\ud800", "\\udc00", "\\uDBFFx", "\\ud800\\ud800", "\\ud800\\n", "\\ud800\\u0041"];
    let parts: Vec<&str> = escapes.into_iter().chain(plain).chain(lone).collect();
    let (with_value, without) = (Cell::new(0), Cell::new(0));
    let indexes = prop::collection::vec(0..parts.len(), 0..12);
    let result = runner(4000).run(&indexes, |indexes| {
        let text = format!("\"{}\"", indexes.iter().map(|&i| parts[i]).collect::<String>());
        let raw = Scanner::new(text.as_bytes()).unwrap().string().unwrap();
        let expected: Option<String> = serde_json::from_str(&text).ok();
        let value = raw.value();
        prop_assert_eq!(value.as_deref(), expected.as_deref(), "{}", text);
        prop_assert_eq!(raw.range(), 0..text.len());
        if let Some(expected) = expected {
            prop_assert_eq!(raw.chars(), expected.chars().count() as u64, "{}", text);
            with_value.set(with_value.get() + 1);
        } else {
            without.set(without.get() + 1);
        }
        Ok(())
    });
    assert_eq!(result, Ok(()));
    assert!(with_value.get() > 500 && without.get() > 500, "{with_value:?}, {without:?}");
}

#[test]
fn counts_are_whole_and_not_negative() {
    let cases = [
        ("12", Some(12)),
        ("12.0", Some(12)),
        ("1.2e1", Some(12)),
        ("18446744073709551615", Some(u64::MAX)),
        ("-1", None),
        ("1.5", None),
        ("1e40", None),
        ("\"12\"", None),
        ("null", None),
        ("[1]", None),
    ];
    for (text, count) in cases {
        assert_eq!(Scanner::new(text.as_bytes()).unwrap().count_or_skip(), Ok(count), "{text}");
    }
}
