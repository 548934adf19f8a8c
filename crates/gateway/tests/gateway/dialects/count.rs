//! Counting a prompt's tokens.

use pointsman_core::{Operation, Outcome, UsageSource};
use pointsman_testkit::mock::Answer;
use serde_json::json;

use super::fixtures::*;
use crate::harness::*;

const PATH: &str = "/v1/messages/count_tokens";

#[tokio::test(start_paused = true)]
async fn a_provider_that_counts_is_asked() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    let answer = "{ \"input_tokens\" : 2095, \"more\": 1 }";
    claude.script([Answer::new(200, "application/json", answer)]);
    let body = "{\"model\":\"claude\\/c\", \"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    let reply = world.send(post(PATH, body)).await;
    assert_eq!((reply.status, &reply.body[..]), (200, answer.as_bytes()));
    assert_eq!(reply.header("x-pointsman-estimated"), None);
    assert_eq!(
        (reply.header("x-pointsman-provider"), reply.header("x-pointsman-attempts")),
        (Some("claude"), Some("1"))
    );
    let received = claude.received().remove(0);
    assert_eq!(
        (received.target.as_str(), &received.body[..]),
        (PATH, body.replace("claude\\/c", "c").as_bytes())
    );
    let record = world.record().await;
    assert_eq!((record.operation, record.outcome), (Operation::TokenCount, Outcome::Success));
    assert_eq!(
        (record.usage.source, record.cost.map(|cost| cost.total().nanos())),
        (UsageSource::Unknown, Some(0))
    );
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn elsewhere_it_is_estimated_and_says_so() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    let mut body = messages("gpt/g");
    body["system"] = json!("x".repeat(400));
    body["messages"][0]["content"] = json!([
        {"type": "text", "text": "y".repeat(40)},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A".repeat(100_000)}},
    ]);
    let reply = world.send(ask(PATH, &body)).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"input_tokens": 110 + 1_600})));
    assert_eq!(reply.header("x-pointsman-estimated"), Some("true"));
    assert_eq!(
        (reply.header("x-pointsman-provider"), reply.header("x-pointsman-attempts")),
        (Some("gpt"), Some("0"))
    );
    assert_eq!(gpt.connections().accepted, 0);
    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.attempts.len()), (Outcome::Success, 200, 0));
    let simulated = world.send(ask(PATH, &messages("sim/x"))).await;
    assert_eq!(simulated.json(), json!({"input_tokens": 2}));
}

#[tokio::test(start_paused = true)]
async fn a_server_of_the_dialect_without_this_call_is_estimated_too() {
    let yaml = "providers: { box: { base_url: 'http://box.test/v1', dialects: [openai-chat, anthropic] } }\n";
    let world = start(yaml);
    let server = world.upstream("box");
    server.script([Answer::error(404, "not found"), Answer::error(400, "wrong")]);
    let reply = world.send(ask(PATH, &messages("box/m"))).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"input_tokens": 2})));
    assert_eq!(reply.header("x-pointsman-estimated"), Some("true"));
    assert_eq!(server.received()[0].target, PATH);
    let reply = world.send(ask(PATH, &messages("box/m"))).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "wrong"));
}

#[tokio::test(start_paused = true)]
async fn a_count_is_tried_again_and_elsewhere() {
    let world = start(FIVE);
    let claude = world.upstream("claude");
    claude.script([
        failed(529, "overloaded_error", "busy"),
        Answer::json(&json!({"input_tokens": "many"})),
        Answer::json(&json!({"input_tokens": 3})),
        failed(400, "invalid_request_error", "no"),
    ]);
    let reply = world.send(ask(PATH, &messages("claude/c"))).await;
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (503, Some("upstream_overloaded")));
    let reply = world.send(ask(PATH, &messages("claude/c"))).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"input_tokens": 3})));
    let reply = world.send(ask(PATH, &messages("claude/c"))).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "no"));
    // The next candidate has no such call: its number is an estimate.
    claude.otherwise(|_| failed(529, "overloaded_error", "busy"));
    let reply = world.send(ask(PATH, &messages("both"))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-estimated")), (200, Some("true")));
    world.records(4).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_prompt_is_refused() {
    let world = start(FIVE);
    for body in [json!({"model": "gpt/g"}), json!({"model": "gpt/g", "messages": 7})] {
        let reply = world.send(ask(PATH, &body)).await;
        assert_eq!(
            (reply.status, reply.json()["error"]["param"].as_str()),
            (400, Some("messages")),
            "{body}"
        );
    }
    assert_eq!(world.send(get(PATH)).await.status, 405);
}
