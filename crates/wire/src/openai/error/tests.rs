//! Our shape exactly; the vendors' shapes are golden files, see `tests/golden.rs`.

use super::*;

#[test]
fn renders_openais_shape() {
    let error = PublicError::new(ErrorCode::ModelNotFound, "no model \"x\"").at("model");
    let text = render(&error, "req_1", &[]);
    assert_eq!(
        &text[..],
        br#"{"error":{"message":"no model \"x\"","type":"invalid_request_error","param":"model","code":"model_not_found","request_id":"req_1"}}"#
    );
}

#[test]
fn names_every_attempt() {
    let attempts = [
        TriedCandidate { provider: "openai", model: "gpt", outcome: "rate_limited", status: Some(429) },
        TriedCandidate { provider: "local", model: "smol", outcome: "unreachable", status: None },
    ];
    let error = PublicError::new(ErrorCode::UpstreamUnavailable, "no candidate answered");
    let event = render_stream_event(&error, "req_1", &attempts);
    let data = event.strip_prefix(b"data: ").unwrap().strip_suffix(b"\n\n").unwrap();
    let value: Value = serde_json::from_slice(data).unwrap();
    assert_eq!(value["error"]["type"], "upstream_error");
    assert_eq!(value["error"]["param"], Value::Null);
    assert_eq!(value["error"]["attempts"][0]["status"], 429);
    assert_eq!(value["error"]["attempts"][1]["provider"], "local");
    assert_eq!(value["error"]["attempts"][1]["status"], Value::Null);
}

#[test]
fn every_code_renders_to_what_our_own_parser_reads() {
    for &code in ErrorCode::ALL {
        let error = PublicError::new(code, "line\u{2028}end");
        let parsed = parse(&render(&error, "req_1", &[]));
        assert_eq!(parsed.code.as_deref(), Some(code.as_str()));
        assert!(parsed.type_.is_some_and(|text| text.ends_with("_error")), "{code:?}");
    }
}

#[test]
fn messages_are_one_line_and_bounded() {
    let long = "word\n\u{1}".repeat(5000);
    let message = parse(long.as_bytes()).message;
    assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
    assert!(!message.contains(|c: char| c.is_control()));
    assert_eq!(parse(b"\xff\xfe").message, "\u{fffd}\u{fffd}");
    assert_eq!(parse(b"<HTML><HEAD><TITLE lang=en> Bad\n Gateway </TITLE>").message, "Bad Gateway");
    assert_eq!(parse(b"<body><h1>Down</h1>").message, "Down");
    assert_eq!(parse("<İtitle>".as_bytes()).message, "<İtitle>");
}
