//! Documents with something else in one place: read or refused, and what is read can be written for everybody.

use proptest::prelude::*;

use super::*;
use crate::convert::{Called, codec};
use crate::json::Writer;

/// Puts `other` somewhere inside; each step chooses a member, or stops.
fn disturb(value: &mut Value, steps: &[usize], other: &Value) {
    let inner = match (value, steps) {
        (value, []) => {
            *value = other.clone();
            return;
        }
        (Value::Object(members), [step, ..]) if !members.is_empty() => {
            let at = step % members.len();
            members.values_mut().nth(at)
        }
        (Value::Array(items), [step, ..]) if !items.is_empty() => {
            let at = step % items.len();
            items.get_mut(at)
        }
        (value, _) => {
            *value = other.clone();
            return;
        }
    };
    if let Some(inner) = inner {
        disturb(inner, steps.get(1..).unwrap_or_default(), other);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{ "text": 1 }], null, "x"])),
        Just(json!({ "a": { "text": "x" }, "thought": true })),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn requests(steps in proptest::collection::vec(0usize..32, 1..9), other in any_value()) {
        let mut body = own::full();
        disturb(&mut body, &steps, &other);
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let gemini = codec(Dialect::Gemini).unwrap();
        let Ok(request) = gemini.decode_request(&document, Called::default()) else { return Ok(()) };
        for dialect in Dialect::ALL {
            let target = Target::new(dialect, "provider", "model");
            if let Ok(encoded) = codec(dialect).unwrap().encode_request(&request, &target) {
                prop_assert!(Document::read(&encoded.body).is_ok(), "{dialect}");
            }
        }
    }

    #[test]
    fn answers_and_streams(steps in proptest::collection::vec(0usize..32, 1..9), other in any_value()) {
        let mut body = answers::full();
        disturb(&mut body, &steps, &other);
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let origin = Origin { provider: "google", id: "r" };
        let whole = decode_answer(&document, &origin);
        for dialect in Dialect::ALL {
            let client = codec(dialect).unwrap();
            if let Ok(answer) = &whole {
                let encoded = client.encode_answer(answer, &AnswerContext::default());
                prop_assert!(Document::read(&encoded.body).is_ok(), "{dialect}");
            }
            let (mut decoder, mut encoder) = (StreamDecoder::new("google", "r"), client.encoder(AnswerContext::default()));
            let mut out = Writer::default();
            let mut sink = |event: crate::neutral::Event<'_>| encoder.event(event, &mut out);
            let read = decoder.frame(b"", text.as_bytes(), &mut sink);
            let ended = decoder.finish(&mut sink);
            prop_assert!(ended.is_ok());
            // What is an answer is one event of a stream too, and the other way round if it says anything.
            prop_assert!(whole.is_err() || read.is_ok(), "{:?}", read);
        }
    }
}
