//! Errors, in documents and streams.

use pointsman_core::{ErrorCode, PublicError};
use serde_json::{Value, json};

use crate::UpstreamError;
use crate::openai::error::TriedCandidate;
use crate::openai::responses::{parse_error, render_error, render_stream_error};

fn told(message: &str, type_: Option<&str>, code: Option<&str>, param: Option<&str>) -> UpstreamError {
    let own = |text: Option<&str>| text.map(str::to_owned);
    UpstreamError {
        message: message.to_owned(),
        type_: own(type_),
        code: own(code),
        param: own(param),
        ..UpstreamError::default()
    }
}

#[test]
fn every_form_of_an_error_is_read() {
    let inner =
        json!({ "type": "invalid_request_error", "code": "too_long", "message": "no", "param": "input" });
    let full = told("no", Some("invalid_request_error"), Some("too_long"), Some("input"));
    for body in [
        json!({ "error": inner }),
        json!({ "type": "error", "sequence_number": 2, "error": inner }),
        json!({ "type": "response.failed", "response": { "status": "failed", "error": inner } }),
        json!({ "object": "response", "status": "failed", "error": inner, "output": [] }),
    ] {
        assert_eq!(parse_error(body.to_string().as_bytes()), full, "{body}");
    }
    let flat = json!({ "type": "error", "code": "server_error", "message": "no", "param": null });
    assert_eq!(parse_error(flat.to_string().as_bytes()), told("no", None, Some("server_error"), None));
    assert_eq!(parse_error(b"bad gateway").message, "bad gateway");
}

#[test]
fn a_stream_ends_with_both_events_that_clients_wait_for() {
    let error = PublicError::new(ErrorCode::UpstreamRateLimited, "slow down").at("model");
    let tried = TriedCandidate { provider: "p", model: "m", outcome: "rate_limited", status: Some(429) };
    let bytes = render_stream_error(&error, "req_abc", &[tried]);
    let text = std::str::from_utf8(&bytes).unwrap();
    let frames: Vec<(&str, Value)> = text
        .strip_suffix("\n\n")
        .unwrap()
        .split("\n\n")
        .map(|frame| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name, serde_json::from_str(data).unwrap())
        })
        .collect();
    let [("error", event), ("response.failed", failed)] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!((&event["type"], &event["code"]), (&json!("error"), &json!("upstream_rate_limited")));
    assert_eq!((&event["message"], &event["param"]), (&json!("slow down"), &json!("model")));
    assert_eq!(event["error"]["attempts"][0]["provider"], "p");
    assert_eq!(event["error"]["request_id"], "req_abc");
    let response = &failed["response"];
    assert_eq!((&response["id"], &response["status"]), (&json!("resp_abc"), &json!("failed")));
    assert_eq!(response["error"], json!({ "code": "rate_limit_exceeded", "message": "slow down" }));
    assert_eq!((&response["output"], &response["tools"]), (&json!([]), &json!([])));
    let read = parse_error(&bytes["event: error\ndata: ".len()..text.find("\n\n").unwrap()]);
    assert_eq!((read.message.as_str(), read.type_.as_deref()), ("slow down", Some("rate_limit_error")));
    let whole: Value = serde_json::from_slice(&render_error(&error, "", &[])).unwrap();
    assert_eq!(whole["error"]["code"], "upstream_rate_limited");
}
