//! Ollama's dialect on either side, and on both.

use bytes::Bytes;
use pointsman_core::{Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut};
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};

use super::fixtures::*;
use crate::harness::*;

fn parse(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn ollama(model: &str, stream: Option<bool>) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    if let Some(stream) = stream {
        body["stream"] = json!(stream);
    }
    body
}

#[tokio::test(start_paused = true)]
async fn clients_of_other_dialects_get_its_streams() {
    let world = start(FIVE);
    let olla = world.upstream("olla");
    for size in [1, 10, 10_000] {
        let bytes = lines().concat();
        olla.script([ndjson(bytes.chunks(size).map(Bytes::copy_from_slice).collect())]);
        let mut body = tool_chat("olla/l");
        body["stream"] = json!(true);
        let text = world.client().await.open(ask("/v1/chat/completions", &body)).await.rest().await;
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        let chunks = data(&text);
        let said: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(said, "Let me see.");
        let call =
            chunks.iter().find_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["id"].as_str());
        assert!(call.is_some_and(|id| id.starts_with("call_")), "{text}");
        let received = olla.received().pop().unwrap();
        assert_eq!(
            (received.target.as_str(), received.header("accept")),
            ("/api/chat", Some("application/x-ndjson"))
        );
        let received = sent(&received);
        assert_eq!((&received["stream"], &received["options"]["temperature"]), (&json!(true), &json!(0.5)));
    }
    let mut body = messages("olla/l");
    body["stream"] = json!(true);
    olla.script([ndjson(lines())]);
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    assert!(text.contains("\"stop_reason\":\"tool_use\"") && text.contains("event: message_stop"), "{text}");
    let records = world.records(4).await;
    assert!(records.iter().all(|record| (record.usage.input, record.usage.output) == (14, 9)), "{records:?}");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn clients_of_other_dialects_get_its_whole_answers() {
    let world = start(FIVE);
    let olla = world.upstream("olla");
    let answer = json!({"model": "l", "created_at": "2026-01-01T00:00:00Z", "done": true, "done_reason": "length",
        "message": {"role": "assistant", "content": "hi", "thinking": "Hm."}, "prompt_eval_count": 3, "eval_count": 2});
    olla.otherwise(move |_| Answer::json(&answer));
    let reply = world.chat("olla/l").await;
    let choice = &reply.json()["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("hi"), &json!("length")));
    let reply = world.send(ask("/v1/messages", &messages("olla/l"))).await;
    assert_eq!(reply.json()["stop_reason"], "max_tokens");
    assert_eq!(sent(&olla.received()[0])["stream"], false);
    let records = world.records(2).await;
    assert!(records.iter().all(|record| record.usage.source == UsageSource::Reported), "{records:?}");
}

#[tokio::test(start_paused = true)]
async fn its_own_clients_get_lines_whoever_answers() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    claude.script([Answer::sse(message_events())]);
    let tokens = Some(Tokens { input: 14, output: 9 });
    gpt.script([Answer::chat_stream("gpt-x", &["Let me ", "see."], tokens)]);
    // It streams by itself.
    for model in ["claude/c", "gpt/g"] {
        let mut stream = world.client().await.open(ask("/api/chat", &ollama(model, None))).await;
        assert_eq!((stream.status, stream.header("content-type")), (200, Some("application/x-ndjson")));
        let lines = parse(&stream.rest().await);
        let said: String = lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
        assert_eq!(said, "Let me see.");
        let last = lines.last().unwrap();
        assert_eq!(
            (&last["done"], &last["prompt_eval_count"], &last["eval_count"]),
            (&json!(true), &json!(14), &json!(9))
        );
        assert!(lines[..lines.len() - 1].iter().all(|line| line["done"] == false), "{lines:?}");
    }
    assert_eq!(sent(&claude.received()[0])["stream"], true);
    gpt.script([Answer::json(&completion())]);
    let reply = world.send(ask("/api/chat", &ollama("gpt/g", Some(false)))).await;
    let answer = reply.json();
    assert_eq!((&answer["done"], &answer["message"]["content"]), (&json!(true), &json!("Let me see.")));
    let call = &answer["message"]["tool_calls"][0]["function"];
    assert_eq!((&call["name"], &call["arguments"]), (&json!("weather"), &json!({"city": "Z\u{fc}rich"})));
    world.records(3).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn on_both_sides_bytes_stay_what_they_are() {
    let world = start(FIVE);
    let olla = world.upstream("olla");
    let bytes = lines().concat();
    for size in [1, 33, 10_000] {
        olla.script([ndjson(bytes.chunks(size).map(Bytes::copy_from_slice).collect())]);
        let body =
            "{ \"model\":\"olla\\/l\",\"odd\":1e999, \"messages\":[{\"role\":\"user\",\"content\":\"x\"}] }";
        let mut stream = world.client().await.open(post("/api/chat", body)).await;
        assert_eq!(stream.rest().await.as_bytes(), bytes, "in chunks of {size}");
        assert_eq!(olla.received().pop().unwrap().body, body.replace("olla\\/l", "l"));
    }
    let records = world.records(3).await;
    assert!(records.iter().all(|record| (record.usage.input, record.outcome) == (14, Outcome::Success)));
}

#[tokio::test(start_paused = true)]
async fn its_errors_are_texts_and_lines() {
    let world = start(FIVE);
    let [olla, gpt] = ["olla", "gpt"].map(|name| world.upstream(name));
    let reply = world.send(ask("/api/chat", &ollama("olla/none", None))).await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (404, Some("model_not_found")));
    assert!(reply.json()["error"].is_string(), "{:?}", reply.body);
    olla.script([
        Answer::status(400, &json!({"error": "does not support tools"})).header("x-request-id", "u")
    ]);
    let reply = world.send(ask("/api/chat", &ollama("olla/l", None))).await;
    assert_eq!((reply.status, reply.json()), (400, json!({"error": "does not support tools"})));
    gpt.script([
        Answer::error(400, "no such thing"),
        Answer::chat_stream("g", &["a", "b"], None).cut_after_parts(2, Cut::Reset),
    ]);
    let reply = world.send(ask("/api/chat", &ollama("gpt/g", None))).await;
    assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("no such thing")));
    let text = world.client().await.open(ask("/api/chat", &ollama("gpt/g", None))).await.rest().await;
    let lines = parse(&text);
    let last = lines.last().unwrap();
    assert_eq!(last["code"], "stream_interrupted", "{text}");
    assert!(last["error"].is_string() && lines.iter().all(|line| line["done"] != true), "{text}");
    // A provider's own error in the middle of its lines.
    olla.script([ndjson(vec![lines_of(0), "{\"error\":\"out of memory\"}\n".into()])]);
    let text = world.stream("olla/l").await.rest().await;
    assert!(text.contains("out of memory") && !text.contains("[DONE]"), "{text}");
    world.records(5).await;
    world.assert_at_rest();
}

fn lines_of(at: usize) -> Bytes {
    lines()[at].clone()
}

#[tokio::test(start_paused = true)]
async fn pictures_by_address_are_refused_where_they_are_not_fetched() {
    let world = start(FIVE);
    let olla = world.upstream("olla");
    let body = json!({"model": "olla/l", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}]}]});
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    reply.assert_error(400, "invalid_request", Some("messages[0].content[0]"));
    assert_eq!(olla.received().len(), 0);
}
