//! Streams of which nobody can see that two providers wrote them.

use std::collections::HashMap;

use pointsman_core::Dialect;
use serde_json::Value;

use super::events;

/// Holds a client's stream to the rules of its dialect: one id, one model, numbers without gaps.
pub(super) fn assert_of_one_piece(client: Dialect, stream: &[u8]) {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    match client {
        Dialect::OpenAiChat => chat(&text, &events(stream)),
        Dialect::OpenAiResponses => responses(&text, &events(stream)),
        Dialect::Anthropic => anthropic(&text, &events(stream)),
        // They have neither numbers nor blocks.
        Dialect::Gemini | Dialect::Ollama => {}
    }
}

fn chat(text: &str, events: &[Value]) {
    assert!(text.ends_with("data: [DONE]\n\n") && text.matches("[DONE]").count() == 1, "{text}");
    for name in ["id", "model", "created", "object"] {
        assert!(events.iter().all(|event| event[name] == events[0][name]), "{name}: {text}");
    }
    let roles = events.iter().filter(|event| event["choices"][0]["delta"]["role"].is_string());
    assert_eq!(roles.count(), 1, "{text}");
    let finishes = events.iter().filter(|event| event["choices"][0]["finish_reason"].is_string());
    assert_eq!(finishes.count(), 1, "{text}");
    let mut slots: Vec<u64> = Vec::new();
    for call in events.iter().filter_map(|event| event["choices"][0]["delta"]["tool_calls"].as_array()) {
        let slot = call[0]["index"].as_u64().unwrap();
        assert_eq!(call[0]["id"].is_string(), !slots.contains(&slot), "{text}");
        if !slots.contains(&slot) {
            assert_eq!(slot as usize, slots.len(), "{text}");
            slots.push(slot);
        }
    }
}

fn anthropic(text: &str, events: &[Value]) {
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    for kind in ["message_start", "message_delta", "message_stop"] {
        assert_eq!(count(kind), 1, "{kind}: {text}");
    }
    let (mut open, mut next) = (None, 0);
    for event in events {
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)), "{text}");
                open = index;
                next += 1;
            }
            "content_block_delta" => assert_eq!(open, index, "{text}"),
            "content_block_stop" => assert_eq!(open.take(), index, "{text}"),
            _ => {}
        }
    }
    assert_eq!(open, None, "{text}");
}

fn responses(text: &str, events: &[Value]) {
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"].as_u64(), Some(number as u64), "{text}");
    }
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed", "{text}");
    assert_eq!(last["response"]["id"], events[0]["response"]["id"], "{text}");
    let mut ids: HashMap<u64, Value> = HashMap::new();
    let mut done: HashMap<u64, Value> = HashMap::new();
    for event in events {
        let Some(at) = event["output_index"].as_u64() else { continue };
        let id =
            if event["item"].is_object() { event["item"]["id"].clone() } else { event["item_id"].clone() };
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                assert_eq!(at as usize, ids.len(), "{text}");
                assert!(ids.insert(at, id).is_none(), "{text}");
            }
            "response.output_item.done" => {
                assert_eq!(ids.get(&at), Some(&id), "{text}");
                assert!(done.insert(at, event["item"].clone()).is_none(), "{text}");
            }
            _ => {
                assert_eq!(ids.get(&at), Some(&id), "{text}");
                assert!(!done.contains_key(&at), "{text}");
            }
        }
    }
    let output = last["response"]["output"].as_array().unwrap();
    assert_eq!(output.len(), ids.len(), "{text}");
    for (at, item) in output.iter().enumerate() {
        assert_eq!(done.get(&(at as u64)), Some(item), "{text}");
    }
    // Its pieces are what it is told as in the end.
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let pieces: String = deltas.map(|event| event["delta"].as_str().unwrap()).collect();
    let parts = output.iter().filter_map(|item| item["content"].as_array()).flatten();
    let texts = parts.filter(|part| part["type"] == "output_text");
    let whole: String = texts.filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(pieces, whole, "{text}");
}
