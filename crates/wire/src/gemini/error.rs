//! Error documents: `{"error":{"code","message","status","details"}}` (google.rpc.Status as JSON).

use std::time::Duration;

use bytes::Bytes;
use pointsman_core::{ErrorCode, PublicError};

use crate::UpstreamError;
use crate::json::Writer;
use crate::openai::error::TriedCandidate;

/// The error document. `attempts` is an addition that the vendor's SDKs pass over; all else is in the types
/// of `google/rpc/error_details.proto`.
#[must_use]
pub fn render_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let mut writer = Writer::with_capacity(512);
    document(&mut writer, error, request_id, attempts);
    writer.finish().into()
}

/// The same as it ends a stream of events: as an event. Google writes it bare, outside any event; its SDKs read
/// both, but the one for Node only where the bare document is alone in a piece of the network's, and other
/// vendors' libraries read events only.
#[must_use]
pub fn render_stream_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let mut writer = Writer::with_capacity(512);
    writer.frame(b"data: ");
    document(&mut writer, error, request_id, attempts);
    writer.frame(b"\r\n\r\n");
    writer.finish().into()
}

/// Reads an error document; what is not one becomes the message.
#[must_use]
pub fn parse_error(body: &[u8]) -> UpstreamError {
    crate::openai::error::parse(body)
}

/// The HTTP status that Pointsman gives with this code, and Google's name of it (google.rpc.Code).
const fn status(code: ErrorCode) -> (u64, &'static str) {
    match code {
        ErrorCode::InvalidRequest
        | ErrorCode::DuplicateKey
        | ErrorCode::BodyUnreadable
        | ErrorCode::PreviousResponseNotFound
        | ErrorCode::ModelAmbiguous
        | ErrorCode::UpstreamRejected
        | ErrorCode::ContextTooLong
        | ErrorCode::ContentFiltered => (400, "INVALID_ARGUMENT"),
        ErrorCode::UnsupportedOperation => (400, "FAILED_PRECONDITION"),
        ErrorCode::InvalidApiKey => (401, "UNAUTHENTICATED"),
        ErrorCode::ModelNotAllowed | ErrorCode::ForbiddenOrigin => (403, "PERMISSION_DENIED"),
        ErrorCode::ModelNotFound | ErrorCode::ObjectNotFound | ErrorCode::UnknownPath => (404, "NOT_FOUND"),
        ErrorCode::MethodNotAllowed => (405, "UNIMPLEMENTED"),
        ErrorCode::BodyTimeout => (408, "DEADLINE_EXCEEDED"),
        ErrorCode::BodyTooLarge => (413, "OUT_OF_RANGE"),
        ErrorCode::UpgradeRequired => (426, "FAILED_PRECONDITION"),
        ErrorCode::TooManyAuthFailures | ErrorCode::TooManyBytesInFlight | ErrorCode::UpstreamRateLimited => {
            (429, "RESOURCE_EXHAUSTED")
        }
        ErrorCode::Internal => (500, "INTERNAL"),
        ErrorCode::UpstreamUnauthorized
        | ErrorCode::UpstreamUnavailable
        | ErrorCode::UpstreamMalformed
        | ErrorCode::StreamInterrupted => (502, "UNAVAILABLE"),
        ErrorCode::Overloaded | ErrorCode::ShuttingDown | ErrorCode::UpstreamOverloaded => {
            (503, "UNAVAILABLE")
        }
        ErrorCode::UpstreamTimeout => (504, "DEADLINE_EXCEEDED"),
    }
}

fn document(w: &mut Writer, error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) {
    let (code, status) = status(error.code);
    w.object(|w| {
        w.key("error").object(|w| {
            w.key("code").count(code).key("message").string(&error.message).key("status").string(status);
            w.key("details").array(|w| details(w, error, request_id));
            if !attempts.is_empty() {
                w.key("attempts").array(|w| attempts.iter().for_each(|tried| attempt(w, tried)));
            }
        });
    });
}

fn details(w: &mut Writer, error: &PublicError, request_id: &str) {
    detail(w, "ErrorInfo", |w| {
        w.key("reason").string(&error.code.as_str().to_ascii_uppercase()).key("domain").string("pointsman");
    });
    if let Some(param) = &error.param {
        detail(w, "BadRequest", |w| {
            w.key("fieldViolations").array(|w| {
                w.object(|w| {
                    w.key("field").string(param).key("description").string(&error.message);
                });
            });
        });
    }
    if let Some(after) = error.retry_after {
        detail(w, "RetryInfo", |w| {
            w.key("retryDelay").string(&duration(after));
        });
    }
    if !request_id.is_empty() {
        detail(w, "RequestInfo", |w| {
            w.key("requestId").string(request_id);
        });
    }
}

fn detail(w: &mut Writer, kind: &str, members: impl FnOnce(&mut Writer)) {
    w.object(|w| {
        w.key("@type").string(&format!("type.googleapis.com/google.rpc.{kind}"));
        members(w);
    });
}

/// As protobuf's JSON has it: `1.5s`.
fn duration(after: Duration) -> String {
    match after.subsec_millis() {
        0 => format!("{}s", after.as_secs()),
        millis => format!("{}.{millis:03}s", after.as_secs()),
    }
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
    fn the_document_says_what_is_wrong_and_who_was_tried() {
        let mut error = PublicError::new(ErrorCode::UpstreamRateLimited, "slow down").at("model");
        error.retry_after = Some(Duration::from_millis(1_500));
        let tried = TriedCandidate { provider: "p", model: "m", outcome: "rate_limited", status: Some(429) };
        let value: Value = serde_json::from_slice(&render_error(&error, "req_1", &[tried])).unwrap();
        let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
        assert_eq!(
            value,
            json!({ "error": {
                "code": 429,
                "message": "slow down",
                "status": "RESOURCE_EXHAUSTED",
                "details": [
                    { "@type": kind("ErrorInfo"), "reason": "UPSTREAM_RATE_LIMITED", "domain": "pointsman" },
                    { "@type": kind("BadRequest"),
                      "fieldViolations": [{ "field": "model", "description": "slow down" }] },
                    { "@type": kind("RetryInfo"), "retryDelay": "1.500s" },
                    { "@type": kind("RequestInfo"), "requestId": "req_1" },
                ],
                "attempts": [{ "provider": "p", "model": "m", "outcome": "rate_limited", "status": 429 }],
            } })
        );
    }

    #[test]
    fn every_code_has_a_status_of_googles() {
        const NAMES: [&str; 12] = [
            "INVALID_ARGUMENT",
            "FAILED_PRECONDITION",
            "UNAUTHENTICATED",
            "PERMISSION_DENIED",
            "NOT_FOUND",
            "UNIMPLEMENTED",
            "DEADLINE_EXCEEDED",
            "OUT_OF_RANGE",
            "RESOURCE_EXHAUSTED",
            "INTERNAL",
            "UNAVAILABLE",
            "ABORTED",
        ];
        for code in ErrorCode::ALL {
            let (number, name) = status(*code);
            assert!(NAMES.contains(&name) && (400..600).contains(&number), "{code:?}");
        }
        assert_eq!(duration(Duration::from_secs(3)), "3s");
    }

    #[test]
    fn an_error_reads_back() {
        let error = PublicError::new(ErrorCode::UpstreamOverloaded, "come back later");
        let read = parse_error(&render_error(&error, "", &[]));
        assert_eq!((read.message.as_str(), read.type_.as_deref()), ("come back later", Some("UNAVAILABLE")));
        assert_eq!(read.code.as_deref(), Some("503"));
        let event = render_stream_error(&error, "", &[]);
        let document = event.strip_prefix(b"data: ").and_then(|rest| rest.strip_suffix(b"\r\n\r\n")).unwrap();
        assert_eq!(parse_error(document), read);
    }
}
