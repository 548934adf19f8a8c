//! What is read, what is refused, and with which words.

use super::*;

fn refused(body: &str) -> (ErrorCode, Option<&'static str>, String) {
    let error = probe(body.as_bytes()).unwrap_err();
    (error.code, error.param, error.message.into_owned())
}

#[test]
fn reads_what_routing_needs() {
    let body = r#" { "messages" : [{"model": "inner", "stream": true}], "model" : "gpt-4o", "stream":true,
        "stream_options": {"x": 1, "include_usage": true}, "n": 2 } "#;
    let found = probe(body.as_bytes()).unwrap();
    let model = found.model.clone().unwrap();
    assert_eq!(model.value, "gpt-4o");
    assert!(matches!(model.value, Cow::Borrowed(_)));
    assert_eq!(&body[model.range], "\"gpt-4o\"");
    assert!(found.streams() && found.wants_usage());
    assert_eq!(found.choices, Some(2));
}

#[test]
fn keys_are_compared_after_unescaping() {
    let found = probe(br#"{"\u006dodel":"a\u002fb","str\u0065am":false}"#).unwrap();
    assert_eq!(found.model.unwrap().value, "a/b");
    assert_eq!(found.stream, Some(false));
}

#[test]
fn null_is_absent_for_optional_fields() {
    let found = probe(br#"{"stream":null,"stream_options":null}"#).unwrap();
    assert_eq!((found.stream, found.include_usage, found.model), (None, None, None));
    let found = probe(br#"{"stream_options":{"include_usage":null}}"#).unwrap();
    assert!(!found.wants_usage());
}

#[test]
fn duplicates_of_keys_acted_upon_are_refused() {
    let cases = [
        (r#"{"model":"a","model":"a"}"#, MODEL),
        (r#"{"model":"a","\u006dodel":"b"}"#, MODEL),
        (r#"{"stream":true,"x":1,"stream":true}"#, STREAM),
        (r#"{"stream_options":null,"stream_options":{}}"#, STREAM_OPTIONS),
        (r#"{"stream_options":{"include_usage":true,"include\u005fusage":false}}"#, INCLUDE_USAGE),
    ];
    for (body, param) in cases {
        let (code, at, message) = refused(body);
        assert_eq!((code, at), (ErrorCode::DuplicateKey, Some(param)), "{body}");
        assert_eq!(message, format!("`{param}` occurs more than once"));
    }
    assert!(probe(br#"{"x":1,"x":2,"y":{"model":1,"model":2},"model":"a"}"#).is_ok());
}

#[test]
fn keys_that_differ_in_case_only_are_refused() {
    let cases = [
        (r#"{"model":"a","Model":"b"}"#, MODEL),
        (r#"{"MODEL":"b"}"#, MODEL),
        (r#"{"\u004dodel":"b"}"#, MODEL),
        ("{\"\u{17F}tream\":true}", STREAM),
        (r#"{"Stream_Options":{}}"#, STREAM_OPTIONS),
        (r#"{"stream_options":{"include_Usage":true}}"#, INCLUDE_USAGE),
    ];
    for (body, param) in cases {
        let (code, at, message) = refused(body);
        assert_eq!((code, at), (ErrorCode::InvalidRequest, Some(param)), "{body}");
        assert!(message.ends_with("only in case"), "{message}");
    }
    assert!(probe("{\"models\":1,\"mode\":2,\"mödel\":3,\"\\ud800model\":4}".as_bytes()).is_ok());
}

#[test]
fn wrong_types_name_their_field() {
    let cases = [
        (r#"{"model":null}"#, MODEL, "`model` must be a string"),
        (r#"{"model":["a"]}"#, MODEL, "`model` must be a string"),
        (r#"{"model":"\ud800"}"#, MODEL, "`model` is not valid Unicode"),
        (r#"{"stream":"true"}"#, STREAM, "`stream` must be true or false"),
        (r#"{"stream":1}"#, STREAM, "`stream` must be true or false"),
        (r#"{"stream_options":true}"#, STREAM_OPTIONS, "`stream_options` must be an object"),
        (
            r#"{"stream_options":{"include_usage":1}}"#,
            INCLUDE_USAGE,
            "`stream_options.include_usage` must be true or false",
        ),
    ];
    for (body, param, text) in cases {
        assert_eq!(refused(body), (ErrorCode::InvalidRequest, Some(param), text.to_owned()), "{body}");
    }
}

#[test]
fn the_whole_body_is_validated() {
    let cases = [
        ("", "the request body is not valid JSON: unexpected end at byte 0"),
        ("[]", "the request body must be a JSON object"),
        ("\"model\"", "the request body must be a JSON object"),
        (
            r#"{"model":"a"} x"#,
            "the request body is not valid JSON: unexpected text after the value at byte 14",
        ),
        (r#"{"model":"a","x":[1,2}"#, "the request body is not valid JSON: unexpected character at byte 21"),
    ];
    for (body, message) in cases {
        assert_eq!(refused(body), (ErrorCode::InvalidRequest, None, message.to_owned()), "{body}");
    }
    let deep = format!("{{\"model\":\"a\",\"x\":{}{}}}", "[".repeat(128), "]".repeat(128));
    assert!(refused(&deep).2.contains("nested too deeply"));
    let error = probe(b"{\"model\":\"a\",\"x\":\"\xff\"}").unwrap_err();
    assert_eq!((error.code, error.offset), (ErrorCode::InvalidRequest, 18));
}

#[test]
fn becomes_a_public_error_at_its_field() {
    let error = PublicError::from(probe(br#"{"stream":1}"#).unwrap_err());
    assert_eq!(
        error,
        PublicError::new(ErrorCode::InvalidRequest, "`stream` must be true or false").at(STREAM)
    );
}
