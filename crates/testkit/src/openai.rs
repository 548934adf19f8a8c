//! Bodies and stream events of an OpenAI-compatible server, as the mock sends them.
//!
//! Field order and spelling follow OpenAI's API reference (chat completions, embeddings, models).

use bytes::Bytes;
use serde_json::{Value, json};

/// Tokens that an answer reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// `prompt_tokens`
    pub input: u64,
    /// `completion_tokens`
    pub output: u64,
}

impl Tokens {
    /// The `usage` object.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        })
    }
}

/// A smallest valid chat request for `model`.
#[must_use]
pub fn chat_request(model: &str, stream: bool) -> Value {
    let mut request = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    if stream {
        request["stream"] = json!(true);
    }
    request
}

/// A plain chat answer.
#[must_use]
pub fn chat_answer(model: &str, text: &str, tokens: Tokens) -> Value {
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 1_700_000_000, "model": model,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text, "refusal": null},
            "logprobs": null, "finish_reason": "stop",
        }],
        "usage": tokens.to_json(),
    })
}

/// A plain text completion.
#[must_use]
pub fn completion_answer(model: &str, text: &str, tokens: Tokens) -> Value {
    json!({
        "id": "cmpl-mock", "object": "text_completion", "created": 1_700_000_000, "model": model,
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}],
        "usage": tokens.to_json(),
    })
}

/// One embedding of `input_tokens` tokens.
#[must_use]
pub fn embedding_answer(model: &str, input_tokens: u64) -> Value {
    json!({
        "object": "list", "model": model,
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125]}],
        "usage": {"prompt_tokens": input_tokens, "total_tokens": input_tokens},
    })
}

/// `GET /v1/models`
#[must_use]
pub fn models_answer(models: &[&str]) -> Value {
    let data: Vec<_> = models
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "mock"}))
        .collect();
    json!({"object": "list", "data": data})
}

/// An error body.
#[must_use]
pub fn error(message: &str, type_: &str, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": type_, "param": null, "code": code}})
}

/// One event: `data: …` and an empty line.
#[must_use]
pub fn event(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// The events of a streamed chat answer: role, one per text in `deltas`, finish, usage if given, `[DONE]`.
#[must_use]
pub fn chat_events(model: &str, deltas: &[&str], usage: Option<Tokens>) -> Vec<Bytes> {
    let chunk = |choices: Value| {
        json!({
            "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": model, "choices": choices,
        })
    };
    let delta = |delta: Value, finish: Value| {
        event(&chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}])))
    };
    let mut events = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(deltas.iter().map(|text| delta(json!({"content": text}), Value::Null)));
    events.push(delta(json!({}), json!("stop")));
    if let Some(tokens) = usage {
        let mut last = chunk(json!([]));
        last["usage"] = tokens.to_json();
        events.push(event(&last));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}
