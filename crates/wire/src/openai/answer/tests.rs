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
