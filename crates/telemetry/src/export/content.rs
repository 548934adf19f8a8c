//! Captured content: bodies as JSON, and as the messages of OpenTelemetry's GenAI conventions
//! (`gen_ai.input.messages`, `gen_ai.output.messages`: role and parts).

use std::collections::BTreeMap;

use pointsman_core::RequestRecord;
use serde_json::{Map, Value, json};

/// Longer bodies are left out, and their length is told instead: receivers refuse large attributes.
const MAX_BODY: usize = 256 << 10;

/// A body for a receiver.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    Empty,
    /// Parsed, or a text where it is no JSON (a stream, say).
    Whole(Value),
    TooLong(u64),
}

/// A body that was stored.
pub(super) fn body(bytes: &[u8]) -> Body {
    match bytes.len() {
        0 => Body::Empty,
        length if length > MAX_BODY => Body::TooLong(length as u64),
        _ => Body::Whole(serde_json::from_slice(bytes).unwrap_or_else(|_| lossy(bytes))),
    }
}

/// What the client sent, as messages. `None` where it is not stored, too long or of another form.
pub(super) fn input_messages(record: &RequestRecord) -> Option<Value> {
    let Body::Whole(request) = body(&record.bodies.as_ref()?.request) else { return None };
    if let Some(messages) = request.get("messages").and_then(Value::as_array) {
        return Some(messages.iter().map(message).collect());
    }
    let text = request.get("prompt").or_else(|| request.get("input"))?;
    Some(json!([{ "role": "user", "parts": parts(text) }]))
}

/// What the client was given, as messages, whether it was streamed or not.
pub(super) fn output_messages(record: &RequestRecord) -> Option<Value> {
    let Body::Whole(response) = body(&record.bodies.as_ref()?.response) else { return None };
    let choices = match &response {
        Value::String(stream) => assemble(stream),
        plain => plain.get("choices")?.as_array()?.clone(),
    };
    let messages = choices.iter().map(|choice| {
        let mut out = match choice.get("message") {
            Some(answer) => message(answer),
            None => {
                json!({ "role": "assistant", "parts": parts(choice.get("text").unwrap_or(&Value::Null)) })
            }
        };
        out["finish_reason"] = choice.get("finish_reason").cloned().unwrap_or(Value::Null);
        out
    });
    Some(messages.collect())
}

/// A message of the chat API.
fn message(message: &Value) -> Value {
    let role = message.get("role").and_then(Value::as_str).unwrap_or("assistant");
    let content = message.get("content").unwrap_or(&Value::Null);
    if role == "tool" {
        let part =
            json!({ "type": "tool_call_response", "id": message.get("tool_call_id"), "response": content });
        return json!({ "role": role, "parts": [part] });
    }
    let mut parts = parts(content);
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let function = call.get("function").unwrap_or(&Value::Null);
        let arguments = function.get("arguments").cloned().unwrap_or(Value::Null);
        // A JSON text in the chat API, an object in the conventions.
        let arguments =
            arguments.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(arguments);
        parts.push(json!({
            "type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments,
        }));
    }
    json!({ "role": role, "parts": parts })
}

/// Content as text, or a list of parts, of which only texts are kept whole.
fn parts(content: &Value) -> Vec<Value> {
    match content {
        Value::Null => Vec::new(),
        Value::Array(items) => items
            .iter()
            .map(|item| match (item.as_str(), item.get("text")) {
                (Some(text), _) => json!({ "type": "text", "content": text }),
                (None, Some(text)) => json!({ "type": "text", "content": text }),
                (None, None) => json!({ "type": item.get("type") }),
            })
            .collect(),
        other => vec![json!({ "type": "text", "content": other })],
    }
}

/// The choices of a stream of server-sent events, as a plain answer would hold them.
fn assemble(stream: &str) -> Vec<Value> {
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    let events = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    for event in events.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok()) {
        for part in event.get("choices").and_then(Value::as_array).into_iter().flatten() {
            choices.entry(part.get("index").and_then(Value::as_u64).unwrap_or(0)).or_default().add(part);
        }
    }
    choices.into_values().map(Choice::finish).collect()
}

#[derive(Default)]
struct Choice {
    text: String,
    calls: BTreeMap<u64, Map<String, Value>>,
    finish_reason: Value,
}

impl Choice {
    fn add(&mut self, part: &Value) {
        let delta = part.get("delta").unwrap_or(part);
        let text = delta.get("content").or_else(|| delta.get("text")).and_then(Value::as_str);
        self.text.push_str(text.unwrap_or_default());
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            let known = self.calls.entry(call.get("index").and_then(Value::as_u64).unwrap_or(0)).or_default();
            let function = call.get("function").unwrap_or(&Value::Null);
            for (name, value) in [("id", call.get("id")), ("name", function.get("name"))] {
                if let Some(value) = value.filter(|value| !value.is_null()) {
                    known.insert(name.to_owned(), value.clone());
                }
            }
            let more = function.get("arguments").and_then(Value::as_str).unwrap_or_default();
            let before = known.get("arguments").and_then(Value::as_str).unwrap_or_default();
            known.insert("arguments".to_owned(), format!("{before}{more}").into());
        }
        if let Some(reason) = part.get("finish_reason").filter(|reason| !reason.is_null()) {
            self.finish_reason = reason.clone();
        }
    }

    fn finish(self) -> Value {
        let calls = self.calls.into_values().map(|call| {
            json!({
                "id": call.get("id"),
                "function": { "name": call.get("name"), "arguments": call.get("arguments") },
            })
        });
        let content = if self.text.is_empty() { Value::Null } else { self.text.into() };
        json!({
            "message": { "role": "assistant", "content": content, "tool_calls": calls.collect::<Value>() },
            "finish_reason": self.finish_reason,
        })
    }
}

fn lossy(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{record, with_bodies};

    #[test]
    fn requests_and_answers_become_messages() {
        let request = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url"}]},
            {"role":"tool","tool_call_id":"c1","content":"42"}]}"#;
        let response = r#"{"choices":[{"message":{"role":"assistant","content":"yes","tool_calls":[
            {"id":"c2","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"stop"}]}"#;
        let record = with_bodies(record(), request, response);
        assert_eq!(
            input_messages(&record).unwrap(),
            json!([
                { "role": "user", "parts": [{ "type": "text", "content": "hi" }, { "type": "image_url" }] },
                { "role": "tool", "parts": [{ "type": "tool_call_response", "id": "c1", "response": "42" }] },
            ])
        );
        assert_eq!(
            output_messages(&record).unwrap(),
            json!([{
                "role": "assistant",
                "parts": [
                    { "type": "text", "content": "yes" },
                    { "type": "tool_call", "id": "c2", "name": "f", "arguments": { "a": 1 } },
                ],
                "finish_reason": "stop",
            }])
        );
    }

    #[test]
    fn streams_are_put_together() {
        let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"He\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n\
            data: [DONE]\n\n";
        let record = with_bodies(record(), r#"{"prompt":"p"}"#, stream);
        assert_eq!(
            output_messages(&record).unwrap(),
            json!([{
                "role": "assistant",
                "parts": [
                    { "type": "text", "content": "Hello" },
                    { "type": "tool_call", "id": "c", "name": "f", "arguments": { "a": 1 } },
                ],
                "finish_reason": "tool_calls",
            }])
        );
        assert_eq!(
            input_messages(&record).unwrap(),
            json!([{ "role": "user", "parts": [{ "type": "text", "content": "p" }] }])
        );
    }

    #[test]
    fn long_bodies_are_left_out() {
        assert_eq!(body(&vec![b'x'; MAX_BODY + 1]), Body::TooLong(MAX_BODY as u64 + 1));
        assert_eq!(body(b""), Body::Empty);
        assert_eq!(input_messages(&record()), None, "nothing is stored");
    }
}
