//! Calls of tools: shown when they are whole, begun again unseen, or (`live`) shown as they come.

use bytes::Bytes;
use pointsman_core::{Dialect, Outcome};
use pointsman_testkit::mock::{Answer, Cut, Gate};
use serde_json::{Value, json};

use super::story::*;
use crate::harness::*;

/// A stream with a text and a call, whose arguments come in three pieces.
fn calling(dialect: Dialect, id: &str, text: &str) -> Vec<Bytes> {
    let arguments = ["{\"city\": ", "\"Z\u{fc}rich\"", "}"];
    let events: Vec<Value> = match dialect {
        Dialect::Anthropic => {
            let mut events = vec![
                json!({"type": "message_start", "message": {"id": format!("msg_{id}"), "type": "message",
                "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}}),
            ];
            if !text.is_empty() {
                events.extend([
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
                    json!({"type": "content_block_stop", "index": 0}),
                ]);
            }
            let index = u32::from(!text.is_empty());
            events.push(json!({"type": "content_block_start", "index": index,
                "content_block": {"type": "tool_use", "id": format!("toolu_{id}"), "name": "weather", "input": {}}}));
            events.extend(arguments.map(|piece| {
                json!({"type": "content_block_delta", "index": index,
                "delta": {"type": "input_json_delta", "partial_json": piece}})
            }));
            events.extend([
                json!({"type": "content_block_stop", "index": index}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
                json!({"type": "message_stop"}),
            ]);
            events
        }
        _ => {
            let chunk = |delta: Value, finish: Value| {
                json!({"id": format!("chatcmpl-{id}"), "model": "m", "created": 1,
                "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
            };
            let mut events = vec![chunk(json!({"role": "assistant", "content": text}), Value::Null)];
            events.push(chunk(
                json!({"tool_calls": [{"index": 0, "id": format!("call_{id}"), "type": "function",
                "function": {"name": "weather", "arguments": ""}}]}),
                Value::Null,
            ));
            let piece = |text: &str| {
                chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}), Value::Null)
            };
            events.extend(arguments.map(piece));
            events.push(chunk(json!({}), json!("tool_calls")));
            events
        }
    };
    let named = |event: &Value| match event["type"].as_str() {
        Some(name) => Bytes::from(format!("event: {name}\ndata: {event}\n\n")),
        None => Bytes::from(format!("data: {event}\n\n")),
    };
    let mut bytes: Vec<Bytes> = events.iter().map(named).collect();
    if dialect == Dialect::OpenAiChat {
        bytes.push(Bytes::from_static(b"data: [DONE]\n\n"));
    }
    bytes
}

/// Ids and arguments of the calls that a client gets.
fn calls(client: Dialect, stream: &str) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events(stream) {
        let (id, piece) = match client {
            Dialect::Anthropic => {
                (event["content_block"]["id"].as_str(), event["delta"]["partial_json"].as_str())
            }
            Dialect::OpenAiResponses => {
                let is_delta = event["type"] == "response.function_call_arguments.delta";
                let added = event["type"] == "response.output_item.added";
                let id = event["item"]["call_id"].as_str().filter(|_| added);
                (id, event["delta"].as_str().filter(|_| is_delta))
            }
            _ => {
                let call = &event["choices"][0]["delta"]["tool_calls"][0];
                (call["id"].as_str(), call["function"]["arguments"].as_str())
            }
        };
        if let Some(id) = id {
            calls.push((id.to_owned(), String::new()));
        }
        if let (Some(piece), Some(call)) = (piece, calls.last_mut()) {
            call.1.push_str(piece);
        }
    }
    calls
}

const TOOLS: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::Anthropic];

#[tokio::test(start_paused = true)]
async fn a_call_that_breaks_off_is_begun_again_unseen() {
    for client in DIALECTS {
        for first in TOOLS {
            for second in TOOLS {
                for text in ["Let me see.", ""] {
                    let bytes = calling(first, "alpha", text);
                    for behind in [2, 3, 4] {
                        let world = start(&two(first, second, ""));
                        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
                        let parts = bytes.len() - 2 - behind;
                        alpha.script([Answer::sse(bytes.clone()).cut_after_parts(parts, Cut::Reset)]);
                        // With the text before it, only the call is left to be made.
                        let rest = if text.is_empty() || parts < 2 { text } else { "" };
                        beta.script([Answer::sse(calling(second, "beta", rest))]);
                        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
                        let told = stream.rest().await;
                        let made = calls(client, &told);
                        let [(id, arguments)] = made.as_slice() else {
                            panic!("{client} {first} {second}: {told}")
                        };
                        assert!(id.contains("beta"), "{told}");
                        assert_eq!(arguments, "{\"city\": \"Z\u{fc}rich\"}", "{told}");
                        assert_eq!(told.matches("Let me see.").count() > 0, !text.is_empty(), "{told}");
                        let record = world.record().await;
                        assert_eq!(record.outcome, Outcome::Success, "{told}");
                        world.assert_at_rest();
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_shown_when_it_is_whole_and_not_before() {
    for client in TOOLS {
        for (options, held) in [("", true), (", tool_deltas: live", false), (", on_interrupt: error", false)]
        {
            let world = start(&two(client, client, options));
            let alpha = world.upstream("alpha");
            let bytes = calling(client, "alpha", "Let me see.");
            let gate = Gate::new();
            // Before the last piece of the arguments.
            let last = bytes.iter().position(|event| event.windows(3).any(|at| at == b"\"}\"")).unwrap();
            alpha.script([Answer::sse(bytes.clone()).gate(last, &gate)]);
            let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
            let mut seen = String::new();
            let end = if held { "Let me see." } else { "rich\\\"" };
            while !seen.contains(end) {
                seen.push_str(std::str::from_utf8(&stream.next().await.unwrap()).unwrap());
            }
            assert_eq!(seen.contains("weather"), !held, "{client} {options}: {seen}");
            gate.open();
            seen.push_str(&stream.rest().await);
            assert_eq!(seen.as_bytes(), bytes.concat(), "byte for byte as it came: {client} {options}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_call_that_breaks_off_is_an_error() {
    for client in TOOLS {
        let world = start(&two(client, client, ", tool_deltas: live"));
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let bytes = calling(client, "alpha", "Let me see.");
        let last = bytes.iter().position(|event| event.windows(3).any(|at| at == b"\"}\"")).unwrap();
        alpha.script([Answer::sse(bytes).cut_after_parts(last, Cut::Reset)]);
        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
        let text = stream.rest().await;
        assert!(text.contains("a tool call was shown in part"), "{text}");
        assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
        assert_eq!(beta.received().len(), 0);
        assert_eq!(world.record().await.outcome, Outcome::Reset);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_client_has_is_not_made_twice() {
    for client in TOOLS {
        let world = start(&two(client, client, ""));
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let bytes = calling(client, "alpha", "Let me see.");
        let last = bytes.iter().position(|event| event.windows(3).any(|at| at == b"\"}\"")).unwrap();
        alpha.script([Answer::sse(bytes).cut_after_parts(last + 1, Cut::Reset)]);
        beta.script([Answer::sse(calling(client, "beta", ""))]);
        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
        let text = stream.rest().await;
        let made = calls(client, &text);
        assert_eq!(made.len(), 1, "{text}");
        assert!(made[0].0.contains("alpha"), "{text}");
        let ends = text.contains("\"finish_reason\":\"tool_calls\"")
            || text.contains("\"stop_reason\":\"tool_use\"");
        assert!(ends, "{text}");
        assert_eq!(world.record().await.outcome, Outcome::Success);
    }
}
