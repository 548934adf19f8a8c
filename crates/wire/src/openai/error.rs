//! Error documents: one shape out, every vendor's shape in.

use std::time::Duration;

use bytes::Bytes;
use pointsman_core::{ErrorCode, Fault, PublicError};
use serde_json::{Map, Value, json};

/// What an upstream said went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// For people; never empty, at most [`MAX_MESSAGE_CHARS`] characters.
    pub message: String,
    /// `type`, or Google's `status`.
    pub type_: Option<String>,
    /// `code`; numbers as text.
    pub code: Option<String>,
    /// The field of the request at fault.
    pub param: Option<String>,
    /// A word that says more than `code` does: Google's reason or the quota that was used up, Azure's inner
    /// code.
    pub reason: Option<String>,
    /// How long to stay away, where the document says it.
    pub retry_after: Option<Duration>,
}

/// One upstream call, as an error names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriedCandidate<'a> {
    /// The provider's configured name.
    pub provider: &'a str,
    /// The upstream model id.
    pub model: &'a str,
    /// The word for its outcome.
    pub outcome: &'a str,
    /// The upstream's HTTP status, if a head arrived.
    pub status: Option<u16>,
}

/// Longer messages are cut: some servers send their whole stack.
pub const MAX_MESSAGE_CHARS: usize = 2000;

/// The error document, in OpenAI's shape with `request_id` and `attempts` added to it, where there are any.
#[must_use]
pub fn render(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    document(error, request_id, attempts).to_string().into()
}

/// The same as an event of a stream.
#[must_use]
pub fn render_stream_event(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    format!("data: {}\n\n", document(error, request_id, attempts)).into()
}

/// Reads an error document of any vendor; what is not one becomes the message.
#[must_use]
pub fn parse(body: &[u8]) -> UpstreamError {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return from_text(body) };
    let mut error = UpstreamError::default();
    read(&value, &mut error, 0);
    if error.message.is_empty() {
        let said = [&error.code, &error.type_].into_iter().flatten().next().cloned();
        error.message = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    }
    error.message = tidy(&error.message);
    error
}

/// Documents nest errors at most this deep; what is deeper is not looked at.
const MAX_NESTING: usize = 6;

/// `type` as OpenAI's clients know it.
const fn openai_type(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidApiKey => "authentication_error",
        ErrorCode::ModelNotAllowed | ErrorCode::ForbiddenOrigin => "permission_error",
        ErrorCode::ContextTooLong | ErrorCode::ContentFiltered => "invalid_request_error",
        ErrorCode::UpstreamRateLimited | ErrorCode::TooManyBytesInFlight | ErrorCode::TooManyAuthFailures => {
            "rate_limit_error"
        }
        other => match other.fault() {
            Fault::Client => "invalid_request_error",
            Fault::Gateway => "server_error",
            Fault::Upstream => "upstream_error",
        },
    }
}

fn document(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Value {
    let mut document = json!({
        "message": error.message,
        "type": openai_type(error.code),
        "param": error.param,
        "code": error.code.as_str(),
    });
    if !request_id.is_empty() {
        document["request_id"] = json!(request_id);
    }
    if !attempts.is_empty() {
        let attempts = attempts.iter().map(|tried| {
            json!({
                "provider": tried.provider,
                "model": tried.model,
                "outcome": tried.outcome,
                "status": tried.status,
            })
        });
        document["attempts"] = attempts.collect();
    }
    json!({ "error": document })
}

/// Fills what is still empty in `error` from any value that may hold one.
fn read(value: &Value, error: &mut UpstreamError, depth: usize) {
    if depth == MAX_NESTING {
        return;
    }
    match value {
        Value::String(text) => keep_message(error, text),
        Value::Array(items) => {
            for item in items {
                read(item, error, depth + 1);
            }
        }
        Value::Object(members) => read_members(members, error, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn read_members(members: &Map<String, Value>, error: &mut UpstreamError, depth: usize) {
    // The innermost error says most, so wrappers are opened before their own members are read.
    for wrapper in ["error", "errors", "message", "detail", "msg", "Message", "title", "x_groq", "choices"] {
        let Some(inner) = members.get(wrapper) else { continue };
        if error.message.is_empty() {
            read(inner, error, depth + 1);
        }
    }
    keep(&mut error.type_, members, &["type", "error_type", "status", "__type"]);
    keep(&mut error.code, members, &["code", "error_code"]);
    keep(&mut error.param, members, &["param"]);
    if error.param.is_none()
        && let Some(Value::Array(place)) = members.get("loc")
    {
        error.param = Some(place.iter().filter_map(scalar).collect::<Vec<_>>().join("."));
    }
    if let Some(Value::Object(inner)) = members.get("innererror") {
        keep(&mut error.reason, inner, &["code"]);
    }
    if let Some(Value::Array(details)) = members.get("details") {
        details.iter().filter_map(Value::as_object).for_each(|detail| read_detail(detail, error));
    }
}

/// One of Google's details (google/rpc/error_details.proto): why, which quota, and how long to stay away.
fn read_detail(detail: &Map<String, Value>, error: &mut UpstreamError) {
    keep(&mut error.reason, detail, &["reason"]);
    if let Some(Value::Array(violations)) = detail.get("violations") {
        let quotas = || violations.iter().filter_map(|violation| violation.get("quotaId")?.as_str());
        // Of several, the one that is longest in coming back.
        let quota = quotas().find(|quota| quota.contains("PerDay")).or_else(|| quotas().next());
        error.reason = error.reason.take().or_else(|| quota.map(str::to_owned));
    }
    if let Some(Value::String(delay)) = detail.get("retryDelay") {
        error.retry_after = error.retry_after.or_else(|| proto_duration(delay));
    }
}

/// A duration as protobuf's JSON has it: `1.5s`.
fn proto_duration(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

fn keep(slot: &mut Option<String>, members: &Map<String, Value>, names: &[&str]) {
    if slot.is_none() {
        *slot = names.iter().filter_map(|name| members.get(*name)).find_map(scalar);
    }
}

fn keep_message(error: &mut UpstreamError, text: &str) {
    if error.message.is_empty() && !text.trim().is_empty() {
        text.clone_into(&mut error.message);
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Plain text or a page of a proxy on the way: its title says enough.
fn from_text(body: &[u8]) -> UpstreamError {
    let text = String::from_utf8_lossy(body);
    let title = between(&text, "<title", "</title").and_then(|t| t.split_once('>')).map(|(_, t)| t);
    let heading = between(&text, "<h1", "</h1").and_then(|t| t.split_once('>')).map(|(_, t)| t);
    let message = tidy(title.or(heading).unwrap_or(&text));
    UpstreamError { message, ..UpstreamError::default() }
}

/// What stands between two ASCII marks, whatever their case.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find(open)? + open.len();
    let end = start + lower.get(start..)?.find(close)?;
    text.get(start..end)
}

/// One line, no control characters, bounded; never empty.
fn tidy(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no message".to_owned() } else { line.chars().take(MAX_MESSAGE_CHARS).collect() }
}

#[cfg(test)]
mod tests;
