//! A provider of everything but text: images, audio, moderations, files, batches, responses. Small models
//! of these do not exist, so it is scripted; it answers as OpenAI's reference says, and keeps what it is given.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use pointsman_testkit::mock::{Answer, Mock, Received};
use serde_json::{Value, json};

/// What speech sounds like here: no text, and more than one write.
const SOUND: &[u8] = &[0xff, 0xfb, 0x00, 0x0a, 0x0d];
const SOUND_REPEATS: usize = 20_000;

/// What was uploaded, by its number; ids are `file-{number}`.
#[derive(Default)]
struct Files {
    held: BTreeMap<u64, (Value, Bytes)>,
    made: u64,
}

/// The provider; serve it.
pub(crate) fn media() -> Mock {
    let mock = Mock::new();
    let files = Mutex::new(Files::default());
    mock.otherwise(move |request| answer(request, &mut files.lock().unwrap()));
    mock
}

fn answer(request: &Received, files: &mut Files) -> Answer {
    let path = request.path().strip_prefix("/v1").unwrap_or_default();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let usage = json!({"input_tokens": 11, "output_tokens": 5, "total_tokens": 16});
    match (request.method.as_str(), &segments[..]) {
        ("POST", ["moderations"]) => {
            Answer::json(&json!({"id": "modr-1", "model": model(request), "results": [
            {"flagged": request.json()["input"] == "bad", "categories": {}, "category_scores": {}}]}))
        }
        ("POST", ["images", "generations"]) => {
            Answer::json(&json!({"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}],
            "usage": usage}))
        }
        ("POST", ["images", "edits"]) => {
            Answer::json(&json!({"created": 1, "data": [{"b64_json": field(request, "prompt")}]}))
        }
        ("POST", ["audio", "transcriptions" | "translations"]) => {
            let text = format!("{} of {}", field(request, "model"), field(request, "file"));
            match field(request, "response_format").as_str() {
                "text" => Answer::new(200, "text/plain; charset=utf-8", text + "\n"),
                _ => Answer::json(&json!({"text": text})),
            }
        }
        ("POST", ["audio", "speech"]) => {
            Answer::sse((0..SOUND_REPEATS / 1000).map(|_| Bytes::from(SOUND.repeat(1000))))
                .content_type("audio/mpeg")
        }
        ("POST", ["responses"]) => response(request, &usage),
        ("GET", ["things", id]) => Answer::json(&json!({"id": id, "target": request.target})),
        (method, ["files", rest @ ..]) => files.answer(method, rest, request),
        (method, ["batches", rest @ ..]) => batches(method, rest, request),
        _ => Answer::error(404, "no such path"),
    }
}

fn model(request: &Received) -> Value {
    request.json()["model"].clone()
}

/// The content of a form's field, as text.
fn field(request: &Received, name: &str) -> String {
    let body = String::from_utf8_lossy(&request.body);
    let part = body.split_once(&format!("name=\"{name}\"")).map(|(_, rest)| rest).unwrap_or_default();
    let content = part.split_once("\r\n\r\n").map(|(_, rest)| rest).unwrap_or_default();
    content.split("\r\n--").next().unwrap_or_default().to_owned()
}

fn response(request: &Received, usage: &Value) -> Answer {
    let text =
        format!("{} heard {}", model(request).as_str().unwrap(), request.json()["input"].as_str().unwrap());
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}]});
    let whole = json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": model(request),
        "output": [message], "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "usage": usage});
    if request.json()["stream"] != true {
        return Answer::json(&whole);
    }
    let begun = json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1",
        "object": "response", "created_at": 1, "status": "in_progress", "model": model(request), "output": [],
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": []}});
    let item = json!({"type": "response.output_item.added", "output_index": 0, "sequence_number": 1, "item":
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}});
    let part = json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0,
        "sequence_number": 2, "part": {"type": "output_text", "text": "", "annotations": []}});
    let delta = json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
        "delta": text, "sequence_number": 3, "logprobs": []});
    let done = json!({"type": "response.completed", "sequence_number": 4, "response": whole});
    let event =
        |event: &Value| Bytes::from(format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    Answer::sse([&begun, &item, &part, &delta, &done].map(event))
}

impl Files {
    fn answer(&mut self, method: &str, rest: &[&str], request: &Received) -> Answer {
        let number =
            rest.first().and_then(|id| id.strip_prefix("file-")).and_then(|number| number.parse().ok());
        match (method, rest) {
            ("POST", []) => {
                self.made += 1;
                let content = Bytes::from(field(request, "file"));
                let file = json!({"id": format!("file-{}", self.made), "object": "file", "bytes": content.len(),
                    "created_at": self.made, "filename": "input.jsonl", "purpose": field(request, "purpose"),
                    "status": "processed"});
                self.held.insert(self.made, (file.clone(), content));
                Answer::json(&file)
            }
            ("GET", []) => {
                let data: Vec<_> = self.held.values().rev().map(|(file, _)| file).collect();
                Answer::json(&json!({"object": "list", "data": data, "has_more": false}))
            }
            ("GET", ["file-out", "content"]) => {
                Answer::new(200, "application/octet-stream", "{\"id\":\"out\"}\n")
            }
            (method, [id, below @ ..]) => {
                let Some((file, content)) = number.and_then(|number| self.held.get(&number).cloned()) else {
                    return Answer::error(404, "no such file");
                };
                match (method, below) {
                    ("GET", []) => Answer::json(&file),
                    ("GET", ["content"]) => Answer::new(200, "application/octet-stream", content),
                    ("DELETE", []) => {
                        self.held.remove(&number.unwrap());
                        Answer::json(&json!({"id": id, "object": "file", "deleted": true}))
                    }
                    _ => Answer::error(404, "no such path"),
                }
            }
            _ => Answer::error(404, "no such path"),
        }
    }
}

fn batches(method: &str, rest: &[&str], request: &Received) -> Answer {
    let batch = |id: &str, status: &str| {
        json!({"id": id, "object": "batch", "endpoint": "/v1/chat/completions", "completion_window": "24h",
            "created_at": 1, "input_file_id": "file-1", "output_file_id": "file-out", "status": status})
    };
    match (method, rest) {
        ("POST", []) => {
            let mut made = batch("batch_1", "validating");
            made["input_file_id"] = request.json()["input_file_id"].clone();
            made["output_file_id"] = Value::Null;
            Answer::json(&made)
        }
        ("GET", []) => Answer::json(
            &json!({"object": "list", "data": [batch("batch_1", "completed")], "has_more": false}),
        ),
        ("GET", [id]) => Answer::json(&batch(id, "completed")),
        ("POST", [id, "cancel"]) => Answer::json(&batch(id, "cancelling")),
        _ => Answer::error(404, "no such path"),
    }
}
