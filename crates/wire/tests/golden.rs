//! Golden tests: every file of `fixtures/` against what must be read from it, in `fixtures/seen/`.
//!
//! `UPDATE_GOLDEN=1` writes what is read now; look at the difference before it is committed.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pointsman_core::{Operation, Usage};
use pointsman_wire::UpstreamError;
use pointsman_wire::openai::answer::observe;
use pointsman_wire::openai::models::parse_list;
use pointsman_wire::openai::stream::{StreamObserver, StreamRules};
use pointsman_wire::openai::{error, models};
use serde_json::{Value, json};

#[test]
fn answers() {
    check("answers", 19, |name, body| {
        let operation = match name.split('-').next() {
            Some("chat") => Operation::Chat,
            Some("text") => Operation::TextCompletion,
            _ => Operation::Embeddings,
        };
        match observe(operation, body) {
            Ok(answer) => json!({
                "usage": usage(answer.usage.as_ref()),
                "model": answer.model,
                "finish_reason": answer.finish_reason,
                "error": answer.error.as_ref().map(upstream_error),
                "output_chars": answer.output_chars,
                "choices": answer.choices,
            }),
            Err(e) => json!({ "malformed": e.to_string() }),
        }
    });
}

#[test]
fn streams() {
    check("streams", 34, |_, body| {
        let rules = StreamRules { operation: Operation::Chat, strip_usage: true };
        let mut observer = StreamObserver::new(rules);
        let mut committed_by_event = None;
        let (mut out, mut flushed, mut fault) = (Vec::new(), Vec::new(), None);
        for byte in body.chunks(1) {
            fault = fault.or(observer.push(Bytes::copy_from_slice(byte), &mut out).err());
            if observer.observed().committed {
                committed_by_event = committed_by_event.or(Some(observer.observed().events));
            }
        }
        observer.finish(&mut flushed);
        let (forwarded, flushed) = (out.concat(), flushed.concat());
        let seen = observer.observed();
        json!({
            "committed_by_event": committed_by_event,
            "finished": seen.finished,
            "done": seen.done,
            "complete": seen.complete(),
            "usage": usage(seen.usage.as_ref()),
            "content_deltas": seen.content_deltas,
            "output_chars": seen.output_chars,
            "error": seen.error.as_ref().map(upstream_error),
            "model": seen.model,
            "finish_reason": seen.finish_reason,
            "events": seen.events,
            "fault": fault.map(|fault| fault.to_string()),
            "untouched": body.starts_with(&forwarded),
            "kept_back_bytes": body.len() - forwarded.len(),
            "flushed": String::from_utf8_lossy(&flushed),
        })
    });
}

#[test]
fn errors() {
    check("errors", 22, |_, body| upstream_error(&error::parse(body)));
}

#[test]
fn model_lists() {
    check("models", 9, |_, body| match parse_list(body) {
        Ok(list) => json!({
            "ids": list.iter().map(|m| &m.id).collect::<Vec<_>>(),
            "owned_by": list.iter().map(|m| &m.owned_by).collect::<Vec<_>>(),
            "context_length": list.iter().map(|m| m.context_length).collect::<Vec<_>>(),
            "rendered": serde_json::from_slice::<Value>(&models::render_list(&list, 7)).unwrap(),
        }),
        Err(e) => json!({ "malformed": e.to_string() }),
    });
}

fn usage(usage: Option<&Usage>) -> Value {
    let Some(usage) = usage else { return Value::Null };
    json!({
        "input": usage.input,
        "cached_input": usage.cached_input,
        "cache_write": usage.cache_write,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "input_audio": usage.input_audio,
        "output_audio": usage.output_audio,
        "source": usage.source.as_str(),
    })
}

fn upstream_error(error: &UpstreamError) -> Value {
    json!({ "message": error.message, "type": error.type_, "code": error.code, "param": error.param })
}

/// Reads each fixture of a folder and compares. `count` guards against an empty folder.
fn check(kind: &str, count: usize, read: impl Fn(&str, &[u8]) -> Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<PathBuf> =
        fs::read_dir(root.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), count, "fixtures in {kind}");
    let seen: serde_json::Map<String, Value> = files
        .iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let value = read(&name, &fs::read(file).unwrap());
            (name, value)
        })
        .collect();
    let golden = root.join("seen").join(format!("{kind}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, serde_json::to_string_pretty(&seen).unwrap() + "\n").unwrap();
        return;
    }
    let expected: serde_json::Map<String, Value> =
        serde_json::from_slice(&fs::read(&golden).unwrap()).unwrap();
    assert_eq!(expected.keys().collect::<Vec<_>>(), seen.keys().collect::<Vec<_>>());
    for (name, value) in &seen {
        assert_eq!(value, &expected[name], "{kind}/{name}");
    }
}
