//! A provider of each dialect, and what they say.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_testkit::mock::{Answer, Received};
use serde_json::{Value, json};

use crate::harness::*;

/// One provider of each dialect, and routes over them.
pub(super) const FIVE: &str = r"
providers:
  claude: { kind: anthropic, base_url: http://claude.test/v1, keys: { env: ALPHA_KEY }, models: [c] }
  gpt:
    base_url: http://gpt.test/v1
    keys: { env: BETA_KEY }
    models: [g]
    include_usage: true
    timeouts: { connect: 2s, first_byte: 20s, first_token: 10s, between_chunks: 5s, total: 60s }
  olla: { kind: ollama, base_url: http://olla.test, models: [l] }
  goog: { kind: gemini, base_url: http://goog.test/v1beta, keys: { env: ALPHA_KEY }, models: [f] }
  resp: { kind: openai-responses, base_url: http://resp.test/v1, keys: { env: BETA_KEY }, models: [r] }
routes:
  both: { first: [claude/c, gpt/g] }
  exact: { model: claude/c, strict: true }
  exact-both: { first: [claude/c, gpt/g], strict: true }
  seeing: { model: claude/c, fetch_media: true }
  seeing-both: { first: [claude/c, gpt/g], fetch_media: true }
";

/// A smallest request of Anthropic's dialect.
pub(super) fn messages(model: &str) -> Value {
    json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]})
}

/// The same, as it is sent.
pub(super) fn ask(path: &str, body: &Value) -> Request<Full<Bytes>> {
    post(path, body.to_string())
}

/// A whole answer of Anthropic's: thoughts, text, and a call.
pub(super) fn message(stop: &str) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmF0dXJl"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Z\u{fc}rich", "days": 2}},
        ],
        "stop_reason": stop, "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0,
            "output_tokens": 7},
    })
}

/// One event of Anthropic's.
fn event(value: &Value) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap()))
}

/// The same answer as a stream.
pub(super) fn message_events() -> Vec<Bytes> {
    let delta =
        |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let open = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let close = |index: u32| json!({"type": "content_block_stop", "index": index});
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-x", "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        open(0, json!({"type": "text", "text": ""})),
        delta(0, json!({"type": "text_delta", "text": "Let me "})),
        delta(0, json!({"type": "text_delta", "text": "see."})),
        close(0),
        open(1, json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}})),
        delta(1, json!({"type": "input_json_delta", "partial_json": "{\"city\": \"Z\u{fc}"})),
        delta(1, json!({"type": "input_json_delta", "partial_json": "rich\"}"})),
        close(1),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    events.iter().map(event).collect()
}

/// A refusal of Anthropic's.
pub(super) fn failed(status: u16, kind: &str, message: &str) -> Answer {
    let error = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_up"});
    Answer::status(status, &error)
}

/// A whole answer of OpenAI's: text and a call.
pub(super) fn completion() -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-x",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {
            "role": "assistant", "content": "Let me see.", "refusal": null,
            "tool_calls": [{"id": "call_1", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\": \"Z\u{fc}rich\"}"}}]}}],
        "usage": {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23,
            "prompt_tokens_details": {"cached_tokens": 4}},
    })
}

/// Lines of Ollama's stream.
pub(super) fn lines() -> Vec<Bytes> {
    let said = |message: Value| json!({"model": "l", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false});
    let lines = [
        said(json!({"role": "assistant", "content": "Let me "})),
        said(json!({"role": "assistant", "content": "see."})),
        said(json!({"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "weather", "arguments": {"city": "Z\u{fc}rich"}}}]})),
        json!({"model": "l", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": ""},
            "done": true, "done_reason": "stop", "prompt_eval_count": 14, "eval_count": 9}),
    ];
    lines.iter().map(|line| Bytes::from(format!("{line}\n"))).collect()
}

/// A stream of lines.
pub(super) fn ndjson(lines: Vec<Bytes>) -> Answer {
    Answer::sse(lines).content_type("application/x-ndjson")
}

/// The data of all events of a stream, without `[DONE]`.
pub(super) fn data(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
}

/// What a provider got, which must have been JSON without anything wrong with its framing.
#[track_caller]
pub(super) fn sent(received: &Received) -> Value {
    let wrong: Vec<_> = received.violations.iter().filter(|text| !text.contains("no such path")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    received.json()
}

/// A request of OpenAI's dialect with a tool, its call and its result.
pub(super) fn tool_chat(model: &str) -> Value {
    json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "How is the weather?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_9", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\": \"Bern\"}"}}]},
            {"role": "tool", "tool_call_id": "call_9", "content": "sunny"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "The weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}],
        "max_completion_tokens": 200,
        "temperature": 0.5,
    })
}

/// A whole answer of Gemini's: text and a call.
pub(super) fn candidates() -> Value {
    json!({
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
            {"text": "Let me see."},
            {"functionCall": {"name": "weather", "args": {"city": "Z\u{fc}rich"}}}]}}],
        "usageMetadata": {"promptTokenCount": 14, "cachedContentTokenCount": 4, "candidatesTokenCount": 9,
            "totalTokenCount": 23},
        "modelVersion": "gemini-x", "responseId": "resp-1",
    })
}

/// The same answer as a stream.
pub(super) fn candidate_events() -> Vec<Bytes> {
    let said = |parts: Value| {
        json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": parts}}],
        "modelVersion": "gemini-x", "responseId": "resp-1"})
    };
    let mut last = said(json!([{"functionCall": {"name": "weather", "args": {"city": "Z\u{fc}rich"}}}]));
    last["candidates"][0]["finishReason"] = json!("STOP");
    last["usageMetadata"] = candidates()["usageMetadata"].clone();
    let events = [said(json!([{"text": "Let me "}])), said(json!([{"text": "see."}])), last];
    events.iter().map(|event| Bytes::from(format!("data: {event}\r\n\r\n"))).collect()
}

/// A whole answer of OpenAI's responses: text and a call.
pub(super) fn response() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed", "model": "r-x",
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "output": [
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather",
                "arguments": "{\"city\": \"Z\u{fc}rich\"}", "status": "completed"},
        ],
        "usage": {"input_tokens": 14, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 23},
    })
}

/// The same answer as a stream.
pub(super) fn response_events() -> Vec<Bytes> {
    let whole = response();
    let (message, call) = (&whole["output"][0], &whole["output"][1]);
    let mut begun = whole.clone();
    (begun["output"], begun["usage"], begun["status"]) = (json!([]), Value::Null, json!("in_progress"));
    let mut empty = message.clone();
    (empty["content"], empty["status"]) = (json!([]), json!("in_progress"));
    let mut called = call.clone();
    (called["arguments"], called["status"]) = (json!(""), json!("in_progress"));
    let part = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
    let text = |kind: &str, more: Value| {
        let mut event = json!({"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": 0});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let events = [
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": empty}),
        text("response.content_part.added", json!({"part": part})),
        text("response.output_text.delta", json!({"delta": "Let me ", "logprobs": []})),
        text("response.output_text.delta", json!({"delta": "see.", "logprobs": []})),
        text("response.output_text.done", json!({"text": "Let me see.", "logprobs": []})),
        text("response.content_part.done", json!({"part": message["content"][0]})),
        json!({"type": "response.output_item.done", "output_index": 0, "item": message}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": called}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 1,
            "delta": call["arguments"]}),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 1,
            "name": "weather", "arguments": call["arguments"]}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": call}),
        json!({"type": "response.completed", "response": whole}),
    ];
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        event
    });
    numbered.map(|value| event(&value)).collect()
}
