//! Error documents: `{"type":"error","error":{"type":…,"message":…},"request_id":…}`.

use bytes::Bytes;
use pointsman_core::{ErrorCode, Fault, PublicError};

use crate::UpstreamError;
use crate::json::Writer;
use crate::openai::error::TriedCandidate;

/// The error document. `code`, `param` and `attempts` are additions that the vendor's SDKs pass over.
#[must_use]
pub fn render_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    document(&mut writer, error, request_id, attempts);
    writer.finish().into()
}

/// The same as the event that ends a stream.
#[must_use]
pub fn render_stream_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    writer.frame(b"event: error\ndata: ");
    document(&mut writer, error, request_id, attempts);
    writer.frame(b"\n\n");
    writer.finish().into()
}

/// Reads an error document; what is not one becomes the message.
#[must_use]
pub fn parse_error(body: &[u8]) -> UpstreamError {
    crate::openai::error::parse(body)
}

/// Writes the event for an error that the upstream told inside its stream.
pub(super) fn write_upstream(w: &mut Writer, error: &UpstreamError) {
    w.frame(b"event: error\ndata: ");
    w.object(|w| {
        w.key("type").string("error").key("error").object(|w| {
            let known = error.type_.as_deref().filter(|kind| TYPES.contains(kind));
            w.key("type").string(known.unwrap_or("api_error")).key("message").string(&error.message);
        });
    });
    w.frame(b"\n\n");
}

/// The error types of the vendor's SDK.
const TYPES: [&str; 9] = [
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
];

const fn kind(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidApiKey => "authentication_error",
        ErrorCode::ModelNotAllowed | ErrorCode::ForbiddenOrigin => "permission_error",
        ErrorCode::ModelNotFound | ErrorCode::ObjectNotFound | ErrorCode::UnknownPath => "not_found_error",
        ErrorCode::BodyTooLarge => "request_too_large",
        ErrorCode::UpstreamRateLimited | ErrorCode::TooManyAuthFailures | ErrorCode::TooManyBytesInFlight => {
            "rate_limit_error"
        }
        ErrorCode::Overloaded | ErrorCode::ShuttingDown | ErrorCode::UpstreamOverloaded => "overloaded_error",
        ErrorCode::UpstreamTimeout => "timeout_error",
        ErrorCode::UpstreamRejected | ErrorCode::ContextTooLong | ErrorCode::ContentFiltered => {
            "invalid_request_error"
        }
        other => match other.fault() {
            Fault::Client => "invalid_request_error",
            Fault::Gateway | Fault::Upstream => "api_error",
        },
    }
}

fn document(w: &mut Writer, error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) {
    w.object(|w| {
        w.key("type").string("error").key("error").object(|w| {
            w.key("type").string(kind(error.code)).key("message").string(&error.message);
            w.key("code").string(error.code.as_str());
            if let Some(param) = &error.param {
                w.key("param").string(param);
            }
        });
        if !request_id.is_empty() {
            w.key("request_id").string(request_id);
        }
        if !attempts.is_empty() {
            w.key("attempts").array(|w| attempts.iter().for_each(|tried| attempt(w, tried)));
        }
    });
}

fn attempt(w: &mut Writer, tried: &TriedCandidate<'_>) {
    w.object(|w| {
        w.key("provider").string(tried.provider).key("model").string(tried.model);
        w.key("outcome").string(tried.outcome);
        if let Some(status) = tried.status {
            w.key("status").count(u64::from(status));
        }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_code_has_a_type_that_the_sdk_knows() {
        for code in ErrorCode::ALL {
            assert!(TYPES.contains(&kind(*code)) || kind(*code) == "request_too_large", "{code:?}");
        }
    }

    #[test]
    fn the_document_says_who_was_tried() {
        let error = PublicError::new(ErrorCode::UpstreamOverloaded, "nobody answered").at("model");
        let tried = TriedCandidate { provider: "p", model: "m", outcome: "overloaded", status: Some(529) };
        let value: Value = serde_json::from_slice(&render_error(&error, "req_1", &[tried])).unwrap();
        assert_eq!(
            value,
            json!({
                "type": "error",
                "error": {
                    "type": "overloaded_error",
                    "message": "nobody answered",
                    "code": "upstream_overloaded",
                    "param": "model",
                },
                "request_id": "req_1",
                "attempts": [{ "provider": "p", "model": "m", "outcome": "overloaded", "status": 529 }],
            })
        );
    }

    #[test]
    fn an_error_reads_back() {
        let error = PublicError::new(ErrorCode::UpstreamRateLimited, "slow down");
        let read = parse_error(&render_error(&error, "", &[]));
        assert_eq!((read.message.as_str(), read.type_.as_deref()), ("slow down", Some("rate_limit_error")));
        let event = render_stream_error(&error, "", &[]);
        let data = event.strip_prefix(b"event: error\ndata: ").unwrap().strip_suffix(b"\n\n").unwrap();
        assert_eq!(parse_error(data), read);
    }
}
