//! Errors as the client's dialect has them, wherever they come from.

use pointsman_core::{ErrorCode, Outcome};
use pointsman_testkit::mock::{Answer, Cut};
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fixtures::*;
use crate::harness::*;

/// Checks that this is our error in Anthropic's shape.
#[track_caller]
fn assert_anthropic(reply: &Reply, status: u16, kind: &str, code: &str) {
    let document = reply.json();
    let error = &document["error"];
    let seen = (reply.status, document["type"].as_str(), error["type"].as_str(), error["code"].as_str());
    assert_eq!(seen, (status, Some("error"), Some(kind), Some(code)), "{document}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test(start_paused = true)]
async fn refusals_before_anything_is_sent() {
    let world = start(FIVE);
    let cases: [(Value, u16, &str, &str); 5] = [
        (json!({"max_tokens": 1}), 400, "invalid_request_error", "invalid_request"),
        (messages("claude/none"), 404, "not_found_error", "model_not_found"),
        (json!({"model": 7}), 400, "invalid_request_error", "invalid_request"),
        (json!({"model": "gpt/g", "max_tokens": 5}), 400, "invalid_request_error", "invalid_request"),
        (
            json!({"model": "gpt/g", "max_tokens": "5", "messages": []}),
            400,
            "invalid_request_error",
            "invalid_request",
        ),
    ];
    for (body, status, kind, code) in cases {
        assert_anthropic(&world.send(ask("/v1/messages", &body)).await, status, kind, code);
    }
    let nonsense = world.send(post("/v1/messages", "nonsense")).await;
    assert_anthropic(&nonsense, 400, "invalid_request_error", "invalid_request");
    let id = nonsense.json()["request_id"].as_str().map(str::to_owned);
    assert_eq!(id.as_deref(), nonsense.header("x-pointsman-request-id"));
    let reply = world.send(get("/v1/messages")).await;
    assert_anthropic(&reply, 405, "invalid_request_error", "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    let mut foreign = ask("/v1/messages", &messages("claude/c"));
    foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_anthropic(&world.send(foreign).await, 403, "permission_error", "forbidden_origin");
    let twice = with(with(ask("/v1/messages", &messages("x")), "x-api-key", "a"), "x-api-key", "b");
    assert_anthropic(&world.send(twice).await, 400, "invalid_request_error", "invalid_request");
    let wrong = world.send(ask("/v1/v1/messages", &messages("claude/c"))).await;
    assert_anthropic(&wrong, 404, "not_found_error", "unknown_path");
    assert!(
        wrong.message().contains(&format!("give clients the base URL http://{HOST}")),
        "{}",
        wrong.message()
    );
    let records = world.records(6).await;
    assert_eq!(records[3].error, Some(ErrorCode::InvalidRequest));
    assert!(records.iter().all(|record| record.attempts.is_empty()), "nothing was sent");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn keys_where_each_sdk_puts_them() {
    let hash: String = Sha256::digest("pm-1").iter().map(|byte| format!("{byte:02x}")).collect();
    let world = start(&format!("{FIVE}keys: [{{ id: k, sha256: {hash} }}]\n"));
    let claude = world.upstream("claude");
    claude.otherwise(|_| Answer::json(&message("end_turn")));
    let request = || ask("/v1/messages", &messages("claude/c"));
    for (name, value) in [
        ("x-api-key", "pm-1"),
        ("authorization", "Bearer pm-1"),
        ("api-key", "pm-1"),
        ("x-goog-api-key", "pm-1"),
    ] {
        assert_eq!(world.send(with(request(), name, value)).await.status, 200, "{name}");
    }
    assert_anthropic(&world.send(request()).await, 401, "authentication_error", "invalid_api_key");
    let wrong = world.send(with(request(), "x-api-key", "pm-2")).await;
    assert_anthropic(&wrong, 401, "authentication_error", "invalid_api_key");
    let mut in_query = request();
    *in_query.uri_mut() = "/v1/messages?key=pm-1".parse().unwrap();
    assert_anthropic(&world.send(in_query).await, 401, "authentication_error", "invalid_api_key");
    for received in claude.received() {
        let secrets = received.headers.iter().filter(|(_, value)| value.contains("pm-1"));
        assert_eq!(secrets.count(), 0, "{:?}", received.headers);
        assert!(!received.target.contains("pm-1"), "{}", received.target);
    }
}

#[tokio::test(start_paused = true)]
async fn a_providers_refusal_is_told_in_the_clients_dialect() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    claude.script([failed(400, "invalid_request_error", "prompt is too long")]);
    let reply = world.chat("claude/c").await;
    reply.assert_error(400, "context_length_exceeded", None);
    assert_eq!(reply.message(), "prompt is too long");
    gpt.script([Answer::error(422, "no such tool"), Answer::new(404, "text/html", "<title>Gone</title>")]);
    for (status, words) in [(422, "no such tool"), (404, "Gone")] {
        let reply = world.send(ask("/v1/messages", &messages("gpt/g"))).await;
        assert_anthropic(&reply, status, "invalid_request_error", "upstream_rejected");
        assert_eq!(reply.message(), words);
    }
    let outcomes: Vec<_> = world.records(3).await.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::ContextTooLong, Outcome::ClientFault, Outcome::ClientFault]);
}

#[tokio::test(start_paused = true)]
async fn exhausted_attempts_are_named_in_the_clients_dialect() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    claude.otherwise(|_| failed(529, "overloaded_error", "busy"));
    gpt.otherwise(|_| Answer::rate_limited(Some(90)));
    let reply = world.send(ask("/v1/messages", &messages("both"))).await;
    assert_anthropic(&reply, 429, "rate_limit_error", "upstream_rate_limited");
    assert_eq!(reply.header("retry-after"), Some("90"));
    let attempts = reply.json()["attempts"].clone();
    assert_eq!((&attempts[0]["provider"], &attempts[0]["outcome"]), (&json!("claude"), &json!("overloaded")));
    assert_eq!((&attempts[1]["provider"], &attempts[1]["status"]), (&json!("gpt"), &json!(429)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_says_so_and_has_no_end() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    let tokens = Some(Tokens { input: 1, output: 1 });
    gpt.script([Answer::chat_stream("g", &["a", "b"], tokens).cut_after_parts(2, Cut::Reset)]);
    let mut body = messages("gpt/g");
    body["stream"] = json!(true);
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    let last = text.split_once("event: error\ndata: ").unwrap().1;
    let error: Value = serde_json::from_str(last.trim_end()).unwrap();
    assert_eq!((&error["type"], &error["error"]["code"]), (&json!("error"), &json!("stream_interrupted")));
    assert!(!text.contains("message_stop") && !text.contains("[DONE]"), "{text}");

    // A provider's own error in the middle, of its own dialect and of the client's.
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let events = [&message_events()[..4], &[overloaded.into()]].concat();
    claude.script([Answer::sse(events.clone()), Answer::sse(events)]);
    let text = world.stream("claude/c").await.rest().await;
    let error = data(&text).pop().unwrap();
    assert_eq!(error["error"]["code"], "stream_interrupted");
    assert!(error["error"]["message"].as_str().unwrap().contains("busy"), "{error}");
    assert!(!text.contains("[DONE]"), "{text}");
    body["model"] = json!("claude/c");
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    assert_eq!(text.matches("event: error").count(), 1, "{text}");
    assert!(text.contains("stream_interrupted") && text.contains("\"Let me \""), "{text}");

    let records = world.records(3).await;
    let outcomes: Vec<_> = records.iter().map(|record| record.outcome).collect();
    let overloaded = Outcome::Overloaded { retry_after: None };
    assert_eq!(outcomes, [Outcome::Reset, overloaded, overloaded]);
    assert!(records.iter().all(|record| record.error == Some(ErrorCode::StreamInterrupted)));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_ends_in_the_clients_dialect() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    let tokens = Some(Tokens { input: 1, output: 1 });
    gpt.script([Answer::chat_stream("g", &["a", "b"], tokens).cut_after_parts(2, Cut::Hang)]);
    let mut body = messages("gpt/g");
    body["stream"] = json!(true);
    let started = tokio::time::Instant::now();
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    assert_elapsed(started, secs(5));
    assert!(text.contains("event: error") && text.contains("the stream stalled"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_api_of_chats_only_is_not_asked_for_more() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    let body = |model: &str| json!({"model": model, "input": "x"});
    let reply = world.send(ask("/v1/embeddings", &body("claude/c"))).await;
    reply.assert_error(400, "unsupported_operation", None);
    assert!(reply.message().contains("claude/c has no embeddings"), "{}", reply.message());
    let reply = world.send(ask("/v1/embeddings", &body("both"))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gpt")));
    assert_eq!(gpt.received()[0].path(), "/v1/embeddings");
    let prompt = json!({"model": "claude/c", "prompt": "x"});
    world.send(ask("/v1/completions", &prompt)).await.assert_error(400, "unsupported_operation", None);
    assert_eq!(claude.connections().accepted, 0);
}
