//! Providers of three dialects that tell the same story, and go on with it where they are asked to.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::Dialect;
use pointsman_testkit::mock::{Answer, Cut, Mock, Received};
use serde_json::{Value, json};

use crate::harness::*;

/// The story, one token each.
pub(super) const PIECES: [&str; 8] = [
    "Once upon a time,",
    " in Z\u{fc}rich,",
    "\n\nthere lived a \u{1f642}",
    " \"king\"",
    " who counted",
    " 1, 2,",
    " 3",
    " and slept.",
];
/// Tokens of the client's own prompt, whoever is asked.
pub(super) const PROMPT: u64 = 40;

pub(super) const DIALECTS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic];

pub(super) fn whole() -> String {
    PIECES.concat()
}

/// Two providers of these dialects, and a route over both with these options.
pub(super) fn two(first: Dialect, second: Dialect, options: &str) -> String {
    let kind = |dialect| match dialect {
        Dialect::Anthropic => "kind: anthropic, ",
        Dialect::OpenAiResponses => "kind: openai-responses, ",
        _ => "include_usage: true, ",
    };
    let provider = |name: &str, dialect| {
        format!(
            "  {name}: {{ {}base_url: 'http://{name}.test/v1', keys: {{ env: ALPHA_KEY }}, models: [m], prefill: message, \
timeouts: {{ connect: 2s, first_byte: 20s, first_token: 10s, between_chunks: 5s, total: 60s }} }}\n",
            kind(dialect)
        )
    };
    format!(
        "providers:\n{}{}routes:\n  tale: {{ first: [alpha/m, beta/m]{options} }}\n",
        provider("alpha", first),
        provider("beta", second)
    )
}

/// What a client asks.
pub(super) fn ask(client: Dialect, model: &str, more: Value) -> Request<Full<Bytes>> {
    let (path, mut body) = match client {
        Dialect::Anthropic => (
            "/v1/messages",
            json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Tell me a story."}]}),
        ),
        Dialect::OpenAiResponses => {
            ("/v1/responses", json!({"model": model, "input": "Tell me a story.", "max_output_tokens": 100}))
        }
        _ => (
            "/v1/chat/completions",
            json!({"model": model, "max_tokens": 100, "stream_options": {"include_usage": true},
                "messages": [{"role": "user", "content": "Tell me a story."}]}),
        ),
    };
    body["stream"] = json!(true);
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    post(path, body.to_string())
}

fn event(value: &Value) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap()))
}

/// A stream that says these pieces, one event each, with a prompt of so many tokens.
pub(super) fn told(dialect: Dialect, id: &str, pieces: &[&str], prompt: u64) -> Vec<Bytes> {
    let output = pieces.len() as u64;
    match dialect {
        Dialect::Anthropic => anthropic(id, pieces, (prompt, output)),
        Dialect::OpenAiResponses => responses(id, pieces, (prompt, output)),
        _ => chat(id, pieces, (prompt, output)),
    }
}

fn chat(id: &str, pieces: &[&str], (input, output): (u64, u64)) -> Vec<Bytes> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        json!({"id": format!("chatcmpl-{id}"), "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": format!("model-{id}"), "choices": [choice]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(pieces.iter().map(|piece| chunk(json!({"content": piece}), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    let mut usage = chunk(json!({}), Value::Null);
    usage["choices"] = json!([]);
    usage["usage"] =
        json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    events.push(usage);
    let mut bytes: Vec<Bytes> =
        events.iter().map(|event| Bytes::from(format!("data: {event}\n\n"))).collect();
    bytes.push(Bytes::from_static(b"data: [DONE]\n\n"));
    bytes
}

fn anthropic(id: &str, pieces: &[&str], (input, output): (u64, u64)) -> Vec<Bytes> {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": format!("msg_{id}"), "type": "message", "role": "assistant",
            "model": format!("model-{id}"), "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": input, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(pieces.iter().map(
        |piece| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
    ));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": output}}),
        json!({"type": "message_stop"}),
    ]);
    events.iter().map(event).collect()
}

fn responses(id: &str, pieces: &[&str], (input, output): (u64, u64)) -> Vec<Bytes> {
    let text = pieces.concat();
    let item = format!("msg_{id}");
    let message = |status: &str, content: Value| json!({"type": "message", "id": item, "role": "assistant", "status": status, "content": content});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let whole = |status: &str, output: Value, usage: Value| {
        json!({"id": format!("resp_{id}"), "object": "response", "created_at": 1_700_000_000, "status": status,
            "model": format!("model-{id}"), "output": output, "usage": usage, "error": null, "store": true})
    };
    let mut events = vec![
        json!({"type": "response.created", "response": whole("in_progress", json!([]), Value::Null)}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": message("in_progress", json!([]))}),
        json!({"type": "response.content_part.added", "item_id": item, "output_index": 0, "content_index": 0, "part": part("")}),
    ];
    events.extend(pieces.iter().map(|piece| {
        json!({"type": "response.output_text.delta", "item_id": item, "output_index": 0, "content_index": 0,
            "delta": piece, "logprobs": []})
    }));
    let done = message("completed", json!([part(&text)]));
    let usage = json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output});
    events.extend([
        json!({"type": "response.output_text.done", "item_id": item, "output_index": 0, "content_index": 0, "text": text, "logprobs": []}),
        json!({"type": "response.content_part.done", "item_id": item, "output_index": 0, "content_index": 0, "part": part(&text)}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
        json!({"type": "response.completed", "response": whole("completed", json!([done]), usage)}),
    ]);
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        event
    });
    numbered.map(|value| event(&value)).collect()
}

/// The first provider's stream, cut behind this byte.
pub(super) fn cut(events: &[Bytes], at: usize, cut: Cut) -> Answer {
    let bytes = Bytes::from(events.concat());
    Answer::sse([bytes.slice(..at)]).cut_after_parts(1, cut)
}

/// The place in a stream that is `offset` bytes behind the beginning of a piece.
pub(super) fn place(events: &[Bytes], piece: &str, offset: usize) -> usize {
    let bytes = events.concat();
    let needle = json!(piece).to_string();
    let needle = &needle.as_bytes()[1..needle.len() - 1];
    bytes.windows(needle.len()).position(|window| window == needle).unwrap() + offset
}

/// What a request for the rest says of the answer so far: the text, and whether the model is told to go on.
pub(super) fn so_far(dialect: Dialect, body: &Value) -> Option<(String, bool)> {
    let turns = body[if dialect == Dialect::OpenAiResponses { "input" } else { "messages" }].as_array()?;
    let told = turns.last()?["role"] == "user";
    let turn = turns.iter().rev().find(|turn| turn["role"] == "assistant")?;
    let text = match &turn["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array()?.iter().filter_map(|part| part["text"].as_str()).collect(),
    };
    Some((text, told))
}

/// The pieces of the story behind `said`.
pub(super) fn rest_behind(said: &str) -> Vec<&'static str> {
    let mut at = 0;
    let mut rest = Vec::new();
    for piece in PIECES {
        if at >= said.len() {
            rest.push(piece);
        }
        at += piece.len();
    }
    rest
}

/// A provider that goes on with the story from wherever it is asked to, in front of which `opener` stands.
pub(super) fn goes_on(mock: &Mock, dialect: Dialect, opener: &'static str) {
    mock.otherwise(move |received: &Received| {
        let body = received.json();
        let (said, told_to) = so_far(dialect, &body).unwrap_or_default();
        let mut pieces = if said.is_empty() { PIECES.to_vec() } else { rest_behind(&said) };
        if !opener.is_empty() && !said.is_empty() {
            pieces.insert(0, opener);
        }
        let added = (PIECES.len() - rest_behind(&said).len()) as u64 + if told_to { 91 } else { 0 };
        Answer::sse(told(dialect, "beta", &pieces, PROMPT + added))
    });
}

/// What a client makes of its stream: which must be one whole answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) text: String,
    pub(super) id: String,
    pub(super) model: String,
    pub(super) input: u64,
    pub(super) output: u64,
}

pub(super) fn heard(client: Dialect, stream: &str) -> Heard {
    let events: Vec<Value> = events(stream);
    let text =
        |at: &str| -> String { events.iter().filter_map(|event| event.pointer(at)?.as_str()).collect() };
    let first = |at: &str| {
        let found = events.iter().find_map(|event| event.pointer(at)?.as_str());
        found.unwrap_or_else(|| panic!("{at}: {stream}")).to_owned()
    };
    let number = |at: &str| events.iter().rev().find_map(|event| event.pointer(at)?.as_u64()).unwrap_or(0);
    assert!(!stream.contains("stream_interrupted"), "{stream}");
    match client {
        Dialect::Anthropic => {
            assert!(
                stream.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
                "{stream}"
            );
            assert_eq!(stream.matches("event: message_start").count(), 1, "{stream}");
            Heard {
                text: text("/delta/text"),
                id: first("/message/id"),
                model: first("/message/model"),
                input: number("/usage/input_tokens"),
                output: number("/usage/output_tokens"),
            }
        }
        Dialect::OpenAiResponses => {
            let last = events.last().unwrap();
            assert_eq!(last["type"], "response.completed", "{stream}");
            for (number, event) in events.iter().enumerate() {
                assert_eq!(event["sequence_number"].as_u64(), Some(number as u64), "{stream}");
            }
            let said = events.iter().filter(|event| event["type"] == "response.output_text.delta");
            let said: String = said.filter_map(|event| event["delta"].as_str()).collect();
            assert_eq!(last["response"]["output"][0]["content"][0]["text"], said.as_str(), "{stream}");
            assert_eq!(last["response"]["id"], events[0]["response"]["id"], "{stream}");
            Heard {
                text: said,
                id: first("/response/id"),
                model: first("/response/model"),
                input: number("/response/usage/input_tokens"),
                output: number("/response/usage/output_tokens"),
            }
        }
        _ => {
            assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
            for name in ["id", "model"] {
                assert!(events.iter().all(|event| event[name] == events[0][name]), "{name}: {stream}");
            }
            Heard {
                text: text("/choices/0/delta/content"),
                id: first("/id"),
                model: first("/model"),
                input: number("/usage/prompt_tokens"),
                output: number("/usage/completion_tokens"),
            }
        }
    }
}

/// The data of a stream's events.
pub(super) fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
}
