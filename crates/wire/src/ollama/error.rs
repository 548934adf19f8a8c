//! Error documents: `{"error": "…"}`, whole or as the last line of a stream.

use bytes::Bytes;
use pointsman_core::PublicError;

use crate::UpstreamError;
use crate::json::Writer;
use crate::openai::error::TriedCandidate;

/// The error document, with `code`, `request_id` and `attempts` beside the message.
#[must_use]
pub fn render_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    write(&mut writer, error, request_id, attempts);
    writer.finish().into()
}

/// The same as a line.
#[must_use]
pub fn render_stream_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    write(&mut writer, error, request_id, attempts);
    writer.frame(b"\n");
    writer.finish().into()
}

fn write(w: &mut Writer, error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) {
    w.object(|w| {
        w.key("error").string(&error.message).key("code").string(error.code.as_str());
        if let Some(param) = &error.param {
            w.key("param").string(param);
        }
        if !request_id.is_empty() {
            w.key("request_id").string(request_id);
        }
        if !attempts.is_empty() {
            w.key("attempts").array(|w| {
                for attempt in attempts {
                    w.object(|w| {
                        w.key("provider").string(attempt.provider).key("model").string(attempt.model);
                        w.key("outcome").string(attempt.outcome);
                        if let Some(status) = attempt.status {
                            w.key("status").count(u64::from(status));
                        }
                    });
                }
            });
        }
    });
}

/// Reads an error document.
#[must_use]
pub fn parse_error(body: &[u8]) -> UpstreamError {
    crate::openai::error::parse(body)
}
