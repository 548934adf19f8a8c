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
fn details_tell_the_reason_and_the_wait() {
    let google = json!({ "error": {
        "code": 429,
        "message": "You exceeded your current quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                { "quotaMetric": "m", "quotaId": "GenerateRequestsPerMinutePerProjectPerModel" },
                { "quotaMetric": "m", "quotaId": "GenerateRequestsPerDayPerProjectPerModel" },
            ] },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s" },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "99s" },
        ],
    } });
    let read = parse(google.to_string().as_bytes());
    assert_eq!(read.reason.as_deref(), Some("GenerateRequestsPerDayPerProjectPerModel"));
    assert_eq!(read.retry_after, Some(Duration::from_millis(34_500)));
    let wrong_key = json!({ "error": { "code": 400, "details": [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID" },
    ] } });
    assert_eq!(parse(wrong_key.to_string().as_bytes()).reason.as_deref(), Some("API_KEY_INVALID"));
    let azure = json!({ "error": {
        "message": "filtered", "code": "content_filter", "innererror": { "code": "ResponsibleAIPolicyViolation" },
    } });
    let read = parse(azure.to_string().as_bytes());
    assert_eq!(read.code.as_deref(), Some("content_filter"));
    assert_eq!((read.reason.as_deref(), read.retry_after), (Some("ResponsibleAIPolicyViolation"), None));
    for odd in ["soon", "-1s", "1e400s", "", "5"] {
        let body = json!({ "error": { "message": "x", "details": [{ "retryDelay": odd }, 7, null] } });
        assert_eq!(parse(body.to_string().as_bytes()).retry_after, None, "{odd}");
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
