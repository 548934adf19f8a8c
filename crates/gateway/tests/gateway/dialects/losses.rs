//! What another dialect has no place for: named, recorded, or refused.

use pointsman_core::Outcome;
use pointsman_testkit::mock::Answer;
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};

use super::fixtures::*;
use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 1, output: 1 };

fn seeded(model: &str) -> Value {
    let mut body = tool_chat(model);
    body["seed"] = json!(7);
    body["logit_bias"] = json!({"5": 1});
    body["x-\u{e9}, odd\r\n"] = json!(true);
    body
}

#[tokio::test(start_paused = true)]
async fn fields_that_are_left_out_are_named_to_the_client_and_in_the_record() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.script([Answer::json(&message("end_turn")), Answer::sse(message_events())]);
    for streams in [false, true] {
        let mut body = seeded("claude/c");
        body["stream"] = json!(streams);
        let mut stream = world.client().await.open(ask("/v1/chat/completions", &body)).await;
        let dropped = stream.header("x-pointsman-dropped").unwrap().to_owned();
        let fields: Vec<_> = dropped.split(',').collect();
        for field in ["seed", "logit_bias", "x-???odd??"] {
            assert!(fields.contains(&field), "{field}: {dropped}");
        }
        stream.rest().await;
        let received = sent(claude.received().last().unwrap());
        assert!(received.get("seed").is_none() && received.get("logit_bias").is_none(), "{received}");
    }
    let records = world.records(2).await;
    for record in &records {
        let dropped = record.dropped.as_deref().unwrap();
        assert!(dropped.contains("seed") && dropped.contains("logit_bias"), "{dropped}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_answer_loses_is_in_the_record() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    let mut answer = completion();
    answer["choices"][0]["logprobs"] = json!({"content": []});
    answer["vendor_extra"] = json!({"a": 1});
    gpt.script([Answer::json(&answer)]);
    let reply = world.send(ask("/v1/messages", &messages("gpt/g"))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-dropped")), (200, None));
    let record = world.record().await;
    let dropped = record.dropped.unwrap();
    assert!(dropped.split(',').all(|field| field.starts_with("answer.")), "{dropped}");
    assert!(dropped.contains("answer.vendor_extra"), "{dropped}");

    let mut events = pointsman_testkit::openai::chat_events("g", &["a"], Some(TOKENS));
    events.insert(1, pointsman_testkit::openai::event(&json!({"vendor_extra": 1, "choices": []})));
    gpt.script([Answer::sse(events)]);
    let mut body = messages("gpt/g");
    body["stream"] = json!(true);
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    assert!(text.contains("message_stop"), "{text}");
    let record = world.records(2).await.remove(1);
    assert_eq!(record.dropped.as_deref(), Some("answer.vendor_extra"));
}

#[tokio::test(start_paused = true)]
async fn a_strict_route_refuses_what_it_would_have_to_leave_out() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.otherwise(|_| Answer::json(&message("end_turn")));
    let mut body = tool_chat("exact");
    assert_eq!(world.send(ask("/v1/chat/completions", &body)).await.status, 200);
    body["seed"] = json!(7);
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    reply.assert_error(400, "invalid_request", Some("seed"));
    assert!(
        reply.message().contains("`strict`") && reply.message().contains("claude/c"),
        "{}",
        reply.message()
    );
    // A prompt of Ollama's is a chat elsewhere.
    let prompt = json!({ "model": "exact", "prompt": "x", "stream": false, "options": { "seed": 7 } });
    let refused = world.send(ask("/api/generate", &prompt)).await;
    assert_eq!(refused.status, 400, "{:?}", refused.body);
    assert!(refused.json()["error"].as_str().unwrap().contains("`options.seed`"), "{:?}", refused.body);
    assert_eq!(claude.received().len(), 1);
    let record = world.records(3).await.remove(1);
    assert_eq!((record.outcome, record.status, record.attempts.len()), (Outcome::ClientFault, 400, 0));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_strict_route_asks_the_candidate_that_can_be_told_everything() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    gpt.script([Answer::chat("g", "hi", TOKENS), Answer::error(500, "x"), Answer::error(500, "x")]);
    let mut body = tool_chat("exact-both");
    body["seed"] = json!(7);
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gpt")));
    assert_eq!(
        (reply.header("x-pointsman-attempts"), reply.header("x-pointsman-dropped")),
        (Some("1"), None)
    );
    assert_eq!(gpt.received()[0].json()["seed"], 7);
    // That one failing is what the client is told.
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    reply.assert_error(502, "upstream_unavailable", None);
    assert!(
        reply.message().contains("1. claude/c: `seed`") && reply.message().contains("2. gpt/g"),
        "{}",
        reply.message()
    );
    assert_eq!(claude.received().len(), 0);
    let records = world.records(2).await;
    assert_eq!(records[0].attempts.len(), 1, "what was not sent is no attempt");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_carries_all_leaves_no_word_of_the_one_before() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    claude.script([failed(500, "api_error", "x")]);
    gpt.script([Answer::chat("g", "hi", TOKENS)]);
    let mut body = tool_chat("both");
    body["seed"] = json!(7);
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    assert_eq!((reply.status, reply.header("x-pointsman-dropped")), (200, None));
    assert_eq!(gpt.received()[0].json()["seed"], 7);
    assert_eq!(world.record().await.dropped, None);
}

/// A client of Anthropic's dialect that wants an answer thought over.
fn thoughtful(model: &str) -> Value {
    let mut body = messages(model);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 2_000});
    body["stop_sequences"] = json!(["END"]);
    body["max_tokens"] = json!(4_000);
    body
}

fn refusal(message: &str) -> Answer {
    Answer::status(400, &json!({"error": {"message": message, "type": "invalid_request_error"}}))
}

const NO_EFFORT: &str = "Model grok-4 does not support parameter reasoningEffort.";

#[tokio::test(start_paused = true)]
async fn a_field_that_a_model_refuses_is_left_out_and_named() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    let tokens = Tokens { input: 14, output: 9 };
    gpt.script([
        refusal(NO_EFFORT),
        refusal("Argument not supported on this model: stop"),
        Answer::chat("gpt-x", "So.", tokens),
    ]);
    let reply = world.send(ask("/v1/messages", &thoughtful("gpt/g"))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-attempts")), (200, Some("3")), "{:?}", reply.body);
    let dropped = reply.header("x-pointsman-dropped").unwrap_or_default();
    assert!(dropped.contains("thinking.budget_tokens") && dropped.contains("stop_sequences"), "{dropped}");
    let sent = gpt.received();
    let has = |at: usize, name: &str| sent[at].json().get(name).is_some();
    assert_eq!(
        [0, 1, 2].map(|at| (has(at, "reasoning_effort"), has(at, "stop"))),
        [(true, true), (false, true), (false, false)]
    );
    assert_eq!(world.record().await.outcome, Outcome::Success);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_again_or_was_the_clients_own_word_is_its_answer() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    gpt.otherwise(|_| refusal(NO_EFFORT));
    let reply = world.send(ask("/v1/messages", &thoughtful("gpt/g"))).await;
    assert_eq!((reply.status, gpt.received().len()), (400, 2));
    assert!(String::from_utf8_lossy(&reply.body).contains("reasoningEffort"), "{:?}", reply.body);
    // In its own dialect the client means what it says.
    let mut body = tool_chat("gpt/g");
    body["reasoning_effort"] = json!("low");
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    assert_eq!((reply.status, gpt.received().len()), (400, 3));
    world.records(2).await;
    world.assert_at_rest();
}
