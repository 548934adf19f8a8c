//! What counts as an answer; the vendors' shapes are golden files, see `tests/golden.rs`.

use super::*;

#[test]
fn each_operation_needs_its_own_member() {
    let bodies = [r#"{"choices":[]}"#, r#"{"data":[]}"#, r#"{"choices":null,"data":null}"#];
    let expected = [
        (Operation::Chat, [None, Some("choices"), Some("choices")]),
        (Operation::TextCompletion, [None, Some("choices"), Some("choices")]),
        (Operation::Embeddings, [Some("data"), None, Some("data")]),
    ];
    for (operation, missing) in expected {
        for (body, missing) in bodies.iter().zip(missing) {
            let found = observe(operation, body.as_bytes()).err();
            assert_eq!(found, missing.map(Malformed::Missing), "{operation:?} {body}");
        }
    }
}

#[test]
fn an_error_needs_no_choices() {
    for body in
        [r#"{"error":"no"}"#, r#"{"object":"error","message":"no"}"#, r#"{"choices":[{"error":"no"}]}"#]
    {
        let answer = observe(Operation::Chat, body.as_bytes()).unwrap();
        assert_eq!(answer.error.map(|error| error.message).as_deref(), Some("no"), "{body}");
    }
    for body in
        [r#"{"error":null,"choices":[]}"#, r#"{"error":{},"choices":[]}"#, r#"{"error":false,"choices":[]}"#]
    {
        assert_eq!(observe(Operation::Chat, body.as_bytes()).unwrap().error, None, "{body}");
    }
}

#[test]
fn pictures_are_counted_and_their_tokens_known_as_such() {
    let used = |operation, body: &str| observe(operation, body.as_bytes()).unwrap().usage;
    let two = r#"{"created":1,"data":[{"b64_json":"AA=="},{"url":"https://a.test/[1]"}]}"#;
    let usage = used(Operation::ImageGeneration, two).unwrap();
    assert_eq!((usage.detail.pictures, usage.total(), usage.source), (2, 0, UsageSource::Counted));
    let told = r#"{"data":[{}],"usage":{"input_tokens":50,"output_tokens":4200,"total_tokens":4250}}"#;
    let usage = used(Operation::ImageEdit, told).unwrap();
    assert_eq!((usage.detail.pictures, usage.detail.output_image), (1, 4200));
    assert_eq!((usage.output, usage.source), (4200, UsageSource::Reported));
    let apart = told.replace("}}", r#","output_tokens_details":{"image_tokens":4000}}}"#);
    assert_eq!(used(Operation::ImageVariation, &apart).unwrap().detail.output_image, 4000);
    for none in [r#"{"data":[]}"#, r#"{"data":7}"#, r#"{"images":[1]}"#] {
        assert_eq!(used(Operation::ImageGeneration, none), None, "{none}");
    }
    assert_eq!(used(Operation::Embeddings, two), None, "vectors are no pictures");
}

#[test]
fn transcriptions_tell_their_length_in_two_places() {
    let used = |body: &str| {
        let usage = observe(Operation::Transcription, body.as_bytes()).unwrap().usage;
        usage.map(|usage| (usage.detail.heard_ms, usage.input, usage.source))
    };
    assert_eq!(used(r#"{"text":"a","duration":8.47}"#), Some((8_470, 0, UsageSource::Reported)));
    assert_eq!(used(r#"{"text":"a","duration":"8.47"}"#), Some((8_470, 0, UsageSource::Reported)));
    let both = r#"{"duration":8.47,"usage":{"type":"duration","seconds":9}}"#;
    assert_eq!(used(both), Some((9_000, 0, UsageSource::Reported)), "what is billed");
    let tokens = r#"{"duration":8.47,"usage":{"type":"tokens","input_tokens":14,"output_tokens":4}}"#;
    assert_eq!(used(tokens), Some((0, 14, UsageSource::Reported)));
    assert_eq!(used(r#"{"text":"a"}"#), None);
}

#[test]
fn characters_to_speak_are_those_of_the_input() {
    assert_eq!(spoken(br#"{"voice":"v","input":"h\u00e9 \ud83d\ude00","model":"m"}"#), Some(4));
    assert_eq!(spoken(br#"{"input":7}"#), None);
    assert_eq!(spoken(br#"{"input":"a""#), None);
    assert_eq!(spoken(b"[]"), None);
}

#[test]
fn every_cut_is_malformed() {
    let body = br#"{"choices":[{"message":{"content":"a\u00e9"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
    assert!(observe(Operation::Chat, body).is_ok());
    for length in 0..body.len() {
        let error = observe(Operation::Chat, &body[..length]).unwrap_err();
        assert!(matches!(error, Malformed::Json(_)), "cut at {length}");
    }
    let trailing = [&body[..], b"{}"].concat();
    assert!(matches!(observe(Operation::Chat, &trailing), Err(Malformed::Json(_))));
}

#[test]
fn characters_of_all_choices_are_counted() {
    let body = r#"{"choices":[{"message":{"content":"é\u00e9","reasoning":"ab","tool_calls":[
        {"function":{"name":"f","arguments":"{}"}},{"custom":{"name":"g","input":"xyz"}}]}},
        {"text":"😀\ud83d\ude00"}]}"#;
    let answer = observe(Operation::Chat, body.as_bytes()).unwrap();
    assert_eq!((answer.choices, answer.output_chars), (2, 2 + 2 + 3 + 4 + 2));
}
