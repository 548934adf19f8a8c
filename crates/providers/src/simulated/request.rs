//! What the simulated provider reads of a request.

use pointsman_core::{ErrorCode, PublicError};
use serde_json::Value;

/// Characters that count as one token: the usual estimate for English text.
const CHARS_PER_TOKEN: usize = 4;

/// `floor(chars / 4)`, but at least one token for any text.
pub(super) fn tokens(chars: usize) -> u64 {
    (chars.div_ceil(CHARS_PER_TOKEN)) as u64
}

/// A field of this name that is there and not `null`.
pub(super) fn field<'a>(request: &'a Value, name: &str) -> Option<&'a Value> {
    request.get(name).filter(|value| !value.is_null())
}

/// The model as the client named it.
pub(super) fn model(request: &Value) -> &str {
    field(request, "model").and_then(Value::as_str).unwrap_or(super::NAME)
}

/// Whether a stream is asked for.
pub(super) fn streams(request: &Value) -> bool {
    field(request, "stream").and_then(Value::as_bool).unwrap_or(false)
}

/// Whether the stream shall end with a chunk of usage.
pub(super) fn include_usage(request: &Value) -> bool {
    field(request, "stream_options").and_then(|o| o.get("include_usage")).is_some_and(|v| v == true)
}

/// The most tokens that the answer may have.
pub(super) fn max_tokens(request: &Value) -> Result<Option<usize>, PublicError> {
    for name in ["max_completion_tokens", "max_tokens"] {
        if let Some(value) = field(request, name) {
            let tokens = value.as_u64().filter(|tokens| *tokens > 0);
            let tokens = tokens.ok_or_else(|| invalid(name, "must be a positive integer"))?;
            return Ok(Some(usize::try_from(tokens).unwrap_or(usize::MAX)));
        }
    }
    Ok(None)
}

/// Refuses `n` above one.
pub(super) fn one_choice(request: &Value) -> Result<(), PublicError> {
    match field(request, "n") {
        Some(n) if n.as_u64() != Some(1) => Err(invalid("n", "must be 1 for a simulated model")),
        _ => Ok(()),
    }
}

/// The messages of a chat request.
pub(super) fn messages(request: &Value) -> Result<&[Value], PublicError> {
    let messages = field(request, "messages").and_then(Value::as_array).filter(|list| !list.is_empty());
    messages.map(Vec::as_slice).ok_or_else(|| invalid("messages", "must be a non-empty array"))
}

/// The text of a message's content: a string, or its parts of type `text`.
pub(super) fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// An error at this field.
pub(super) fn invalid(param: &'static str, problem: &str) -> PublicError {
    PublicError::new(ErrorCode::InvalidRequest, format!("{param} {problem}")).at(param)
}
