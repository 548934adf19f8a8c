//! Requests that say nothing: Ollama's clients send one to have a model loaded, or unloaded, in advance.

use super::timestamp;
use crate::json::{Document, Kind, Node, Writer};

/// What an empty request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// To have the model ready.
    Load,
    /// To free its memory.
    Unload,
}

/// Longest such request, in bytes; others are not looked into.
const MAX_BYTES: usize = 4_096;

/// What a body of `/api/generate` or `/api/chat` is for, if it says nothing to the model.
#[must_use]
pub fn read_load(body: &[u8]) -> Option<Load> {
    let document = Document::read(body).ok().filter(|_| body.len() <= MAX_BYTES)?;
    let root = document.root();
    let says = |name| {
        root.get(name).is_some_and(|node| match node.kind() {
            Kind::String => node.text().is_some_and(|text| !text.is_empty()),
            Kind::Array => node.elements().next().is_some(),
            // To be refused as what it is.
            _ => true,
        })
    };
    if root.kind() != Kind::Object || ["messages", "prompt", "images"].into_iter().any(says) {
        return None;
    }
    let kept = root.get("keep_alive");
    let none = kept.is_some_and(|time| match time.text() {
        Some(text) => text.value().trim_end_matches(char::is_alphabetic) == "0",
        None => Node::count(time) == Some(0),
    });
    Some(if none { Load::Unload } else { Load::Load })
}

/// The answer, whole or as the only line of a stream; `chat`: of `/api/chat`.
#[must_use]
pub fn render_load(load: Load, model: &str, created: u64, chat: bool) -> Vec<u8> {
    let mut writer = Writer::with_capacity(160);
    writer.object(|w| {
        w.key("model").string(model).key("created_at").string(&timestamp(created));
        if chat {
            w.key("message").object(|w| {
                w.key("role").string("assistant").key("content").string("");
            });
        } else {
            w.key("response").string("");
        }
        let reason = if load == Load::Load { "load" } else { "unload" };
        w.key("done").bool(true).key("done_reason").string(reason);
    });
    writer.frame(b"\n");
    writer.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_says_nothing_is_told_from_what_does() {
        for body in [
            r#"{"model":"m"}"#,
            r#"{"model":"m","prompt":"","keep_alive":"5m"}"#,
            r#"{"model":"m","messages":[],"system":"s"}"#,
            r#"{"model":"m","messages":null,"keep_alive":-1}"#,
        ] {
            assert_eq!(read_load(body.as_bytes()), Some(Load::Load), "{body}");
        }
        for zero in ["0", "\"0\"", "\"0s\"", "0.0"] {
            let body = format!(r#"{{"model":"m","keep_alive":{zero}}}"#);
            assert_eq!(read_load(body.as_bytes()), Some(Load::Unload), "{body}");
        }
        for body in [
            r#"{"model":"m","prompt":"x"}"#,
            r#"{"model":"m","prompt":3}"#,
            r#"{"model":"m","messages":[{}]}"#,
            r#"{"model":"m","images":["x"]}"#,
            "[]",
            "{",
        ] {
            assert_eq!(read_load(body.as_bytes()), None, "{body}");
        }
        let long = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(MAX_BYTES));
        assert_eq!(read_load(long.as_bytes()), None);
    }

    #[test]
    fn the_answer_is_a_last_line() {
        let read = |load, chat| -> Value {
            serde_json::from_slice(&render_load(load, "m", 1_795_305_600, chat)).unwrap()
        };
        let expected = json!({
            "model": "m", "created_at": "2026-11-22T00:00:00Z", "response": "", "done": true, "done_reason": "load",
        });
        assert_eq!(read(Load::Load, false), expected);
        let chat = read(Load::Unload, true);
        assert_eq!(chat["message"], json!({ "role": "assistant", "content": "" }));
        assert_eq!(chat["done_reason"], "unload");
    }
}
