//! Documents with anything in the place of anything: an error that names the field, or something that can be
//! written, but never a panic.

use pointsman_core::Dialect;
use serde_json::Value;

use super::FIXTURES;
use super::told::{full, told};
use crate::convert::{Called, codec};
use crate::json::Document;
use crate::neutral::{AnswerContext, Origin, Target};
use crate::testing::with_anything;

const DIALECTS: [Dialect; 3] = [Dialect::OpenAiResponses, Dialect::OpenAiChat, Dialect::Anthropic];

#[test]
fn requests() {
    let own = codec(Dialect::OpenAiResponses).unwrap();
    let (mut read, mut refused) = (0, 0);
    for (name, text) in FIXTURES {
        let document: Value = serde_json::from_str(text).unwrap();
        with_anything(&document, &mut |changed, place| {
            let text = changed.to_string();
            let document = Document::read(text.as_bytes()).unwrap();
            let Ok(request) = own.decode_request(&document, Called::default()) else {
                refused += 1;
                return;
            };
            read += 1;
            for dialect in DIALECTS {
                let target = Target::new(dialect, "p", "m");
                if let Ok(encoded) = codec(dialect).unwrap().encode_request(&request, &target) {
                    let valid = crate::json::validate(&encoded.body);
                    assert!(valid.is_ok(), "{name}{place} to {dialect}: {valid:?}");
                }
            }
        });
    }
    assert!(read > 500 && refused > 300, "{read} {refused}");
}

#[test]
fn answers() {
    let own = codec(Dialect::OpenAiResponses).unwrap();
    let document = include_str!("../../../../fixtures/openai-responses/answers/full.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let (mut read, mut refused) = (0, 0);
    with_anything(&document, &mut |changed, place| {
        let text = changed.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let Ok(answer) = own.decode_answer(&document, &Origin { provider: "p", id: "r" }) else {
            refused += 1;
            return;
        };
        read += 1;
        let context = AnswerContext { request: text.clone().into(), ..AnswerContext::default() };
        for dialect in DIALECTS {
            let encoded = codec(dialect).unwrap().encode_answer(&answer, &context);
            let valid = crate::json::validate(&encoded.body);
            assert!(valid.is_ok(), "{place} to {dialect}: {valid:?}");
        }
    });
    assert!(read > 100 && refused > 100, "{read} {refused}");
}

#[test]
fn streams() {
    let (mut ended, mut refused) = (0, 0);
    with_anything(&Value::Array(full()), &mut |changed, place| {
        let Value::Array(events) = changed else { return };
        let (lines, result) = told(events);
        match result {
            Ok(()) => ended += 1,
            Err(_) => refused += 1,
        }
        // Whatever opens closes, and nothing is told behind the end.
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
        if count("end") == 1 {
            assert_eq!(count("open "), count("close "), "{place}: {lines:?}");
            assert_eq!(lines.last().map(String::as_str), Some("end"), "{place}");
        }
        assert!(count("end") <= 1 && count("start ") <= 1, "{place}: {lines:?}");
    });
    assert!(ended > 300 && refused > 100, "{ended} {refused}");
}

#[test]
fn truncated_documents_are_no_documents() {
    let own = codec(Dialect::OpenAiResponses).unwrap();
    let (_, text) = FIXTURES[1];
    for cut in 1..text.trim_end().len() {
        assert!(Document::read(&text.as_bytes()[..cut]).is_err(), "{cut}");
    }
    let mut decoder = own.decoder("p", "r");
    for event in full() {
        let text = event.to_string();
        let mut sink = |event: crate::neutral::Event<'_>| panic!("{event:?}");
        assert!(decoder.frame(b"", &text.as_bytes()[..text.len() - 1], &mut sink).is_err());
    }
}
