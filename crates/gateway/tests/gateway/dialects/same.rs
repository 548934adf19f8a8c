//! Anthropic on both sides: bytes go through as they are, and are read along.

use bytes::Bytes;
use pointsman_core::{Outcome, UsageSource};
use pointsman_testkit::mock::Answer;
use serde_json::json;

use super::fixtures::*;
use crate::harness::*;

/// Whitespace, escapes, numbers that no double holds, members that nobody knows.
const ODD: &str = "\n{ \"unknown\" : {\"model\":\"inner\"},\t\"\\u006dodel\":  \"claude\\/c\" ,\"max_tokens\":9,\
\"seed\":123456789012345678901234567890, \"huge\":1e400,\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\"}] }\r\n";

#[tokio::test(start_paused = true)]
async fn a_request_and_its_answer_stay_what_they_are() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    let answer = format!("\n {} \n", message("end_turn")).replace("\"usage\"", "\"unknown\":1e999,\"usage\"");
    claude.script([
        Answer::new(200, "application/json; charset=utf-8", answer.clone()).header("request-id", "up-1")
    ]);
    let request = with(post("/v1/messages", ODD), "anthropic-beta", "x-1");
    let reply = world.send(request).await;
    assert_eq!((reply.status, &reply.body[..]), (200, answer.as_bytes()));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(reply.header("request-id"), Some("up-1"));
    let received = claude.received().remove(0);
    assert_eq!(received.body, ODD.replace("\"claude\\/c\"", "\"c\""));
    assert_eq!(received.header_all("anthropic-beta"), ["x-1"]);
    assert_eq!(received.target, "/v1/messages");
    let record = world.record().await;
    assert_eq!((record.usage.input, record.usage.cached_input, record.usage.output), (14, 4, 7));
    assert_eq!((record.usage.source, record.dropped), (UsageSource::Reported, None));
}

#[tokio::test(start_paused = true)]
async fn the_clients_version_goes_to_its_own_vendor_and_configured_ones_before_it() {
    let yaml = "providers:\n  claude: { kind: anthropic, base_url: 'http://claude.test/v1' }\n  \
                fixed: { kind: anthropic, base_url: 'http://claude.test/v1', headers: { anthropic-version: v0 } }\n";
    let world = start(yaml);
    let claude = world.upstream("claude");
    claude.otherwise(|_| Answer::json(&message("end_turn")));
    let newer = [("anthropic-version", "2026-10-21"), ("anthropic-beta", "a,b")];
    for (model, sent, version) in [
        ("claude/c", &newer[..], "2026-10-21"),
        ("claude/c", &newer[..0], "2023-06-01"),
        ("fixed/c", &newer[..], "v0"),
    ] {
        let request = ask("/v1/messages", &messages(model));
        let request = sent.iter().fold(request, |request, (name, value)| with(request, name, value));
        let reply = world.send(request).await;
        assert_eq!((reply.status, reply.header("x-pointsman-dropped")), (200, None), "{:?}", reply.body);
        let received = claude.received().pop().unwrap();
        assert_eq!(received.header_all("anthropic-version"), [version], "{model}");
        assert_eq!(received.header("anthropic-beta"), sent.get(1).map(|(_, value)| *value));
    }
    // For a client of another dialect it is the version that its requests are written in.
    let chat = json!({"model": "claude/c", "messages": [{"role": "user", "content": "hi"}]});
    let reply = world.send(with(ask("/v1/chat/completions", &chat), "anthropic-version", "2026-10-21")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(claude.received().pop().unwrap().header_all("anthropic-version"), ["2023-06-01"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_stays_what_it_is_however_it_is_cut() {
    let bytes = [&b": hello\r\n\r\n"[..], &message_events().concat()].concat();
    for size in [1, 7, 64, 100_000] {
        let world = start(FIVE);
        let claude = world.upstream("claude");
        claude.script([Answer::sse(bytes.chunks(size).map(Bytes::copy_from_slice))]);
        let mut body = messages("claude/c");
        body["stream"] = json!(true);
        let mut stream = world.client().await.open(ask("/v1/messages", &body)).await;
        assert_eq!(stream.rest().await.as_bytes(), bytes, "in chunks of {size}");
        let record = world.record().await;
        assert_eq!((record.outcome, record.usage.input, record.usage.output), (Outcome::Success, 14, 9));
        body["model"] = json!("c");
        assert_eq!(sent(&claude.received()[0]), body);
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn thoughts_of_another_provider_are_taken_out() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.script([Answer::json(&message("end_turn"))]);
    let mut body = messages("claude/c");
    body["messages"] = json!([
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "pm1.gemini.other.s.Zm9yZWlnbg=="},
            {"type": "text", "text": "Hi."}]},
        {"role": "user", "content": "and?"},
    ]);
    let reply = world.send(ask("/v1/messages", &body)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let received = sent(&claude.received()[0]);
    assert!(!received.to_string().contains("Zm9yZWlnbg=="), "{received}");
    assert_eq!(received["messages"][2], json!({"role": "user", "content": "and?"}));
    assert!(reply.header("x-pointsman-dropped").is_some_and(|dropped| dropped.starts_with("messages[1]")));
    // The answer is in the client's own dialect: nothing of it is rewritten.
    assert_eq!(reply.json(), message("end_turn"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_goes_through_as_it_is() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.script([failed(400, "invalid_request_error", "max_tokens: too large")]);
    let reply = world.send(ask("/v1/messages", &messages("claude/c"))).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["request_id"], "req_up");
    assert_eq!(reply.error(), json!({"type": "invalid_request_error", "message": "max_tokens: too large"}));
}

/// A conversation whose thoughts somebody sealed.
fn thoughtful() -> serde_json::Value {
    let mut body = messages("claude/c");
    body["messages"] = json!([
        { "role": "user", "content": "hello" },
        { "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "c2lnbmF0dXJl" },
            { "type": "text", "text": "Yes?" },
        ] },
        { "role": "user", "content": "go on" },
    ]);
    body
}

fn invalid_signature() -> Answer {
    let message = "messages.1.content.0: Invalid `signature` in `thinking` block";
    let error = json!({ "type": "invalid_request_error", "message": message });
    Answer::status(400, &json!({ "type": "error", "error": error }))
}

#[tokio::test(start_paused = true)]
async fn who_cannot_verify_a_thought_is_asked_again_without_it() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.script([invalid_signature(), Answer::json(&message("end_turn"))]);
    let reply = world.send(ask("/v1/messages", &thoughtful())).await;
    assert_eq!((reply.status, reply.header("x-pointsman-attempts")), (200, Some("2")), "{:?}", reply.body);
    assert!(reply.header("x-pointsman-dropped").is_some(), "what was left out is named");
    let [first, second] = [0, 1].map(|at| claude.received()[at].json());
    assert_eq!(first["messages"][1]["content"][0]["signature"], "c2lnbmF0dXJl");
    assert!(!second.to_string().contains("c2lnbmF0dXJl"), "{second}");
    assert_eq!(
        (&second["messages"][0], &second["messages"][2]),
        (&first["messages"][0], &first["messages"][2])
    );
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::Success);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn without_thoughts_it_is_asked_once_and_then_its_words_count() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.otherwise(|_| invalid_signature());
    let reply = world.send(ask("/v1/messages", &thoughtful())).await;
    assert_eq!((reply.status, claude.received().len()), (400, 2));
    assert!(String::from_utf8_lossy(&reply.body).contains("Invalid `signature`"), "{:?}", reply.body);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn ids_of_calls_fit_where_they_have_to_be_short() {
    let world = start(
        "providers:\n  short: { base_url: http://short.test/v1, models: [m], quirks: { short_call_ids: true } }\n",
    );
    let short = world.upstream("short");
    let call = json!({ "id": "call_0", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let body = json!({ "model": "short/m", "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": null, "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "call_0", "content": "r" },
    ] });
    assert_eq!(world.send(ask("/v1/chat/completions", &body)).await.status, 200);
    // Ollama's clients have none at all.
    let call = json!({ "function": { "name": "f", "arguments": {} } });
    let prompt = json!({ "model": "short/m", "stream": false, "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": "", "tool_calls": [call] },
        { "role": "tool", "tool_name": "f", "content": "r" },
    ] });
    assert_eq!(world.send(ask("/api/chat", &prompt)).await.status, 200);
    for received in short.received() {
        let sent = received.json();
        let id = sent["messages"][1]["tool_calls"][0]["id"].as_str().unwrap().to_owned();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sent}");
        assert_eq!(sent["messages"][2]["tool_call_id"], id.as_str());
    }
}
