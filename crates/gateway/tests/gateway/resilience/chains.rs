//! Fallback by cause.

use pointsman_core::{ErrorCode, Outcome};
use pointsman_testkit::mock::Answer;
use serde_json::json;

use crate::harness::*;

const CHAINS: &str = r"
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m, large] }
  beta: { base_url: http://beta.test/v1, models: [m, other] }
  gamma: { base_url: http://gamma.test/v1, models: [m] }
routes:
  plain: { first: [alpha/m, beta/m] }
  longer: { first: [alpha/m, beta/m], fallbacks: { context_too_long: [beta/m, alpha/large] } }
  filtered: { first: [alpha/m, beta/m], fallbacks: { content_filter: [gamma/m] } }
  paid: { first: [alpha/m, beta/m], fallbacks: { quota: [gamma/m] } }
";

fn too_long() -> Answer {
    let words = "This model's maximum context length is 8192 tokens.";
    Answer::status(
        400,
        &json!({"error": {"message": words, "code": "context_length_exceeded", "type": "invalid_request_error"}}),
    )
}

fn filtered() -> Answer {
    Answer::status(400, &json!({"error": {"message": "not that", "code": "content_policy_violation"}}))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_long_goes_to_a_model_that_takes_more() {
    let world = start(CHAINS);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for request in [chat("longer"), streamed("longer")] {
        alpha.script([too_long()]);
        let reply = world.send(request).await;
        assert_eq!((reply.status, reply.header("x-pointsman-model")), (200, Some("large")));
        assert_eq!(beta.received().len(), 0, "never the same request to the same model again");
    }
    for record in world.records(2).await {
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [Outcome::ContextTooLong, Outcome::Success]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_chain_only_models_that_are_known_to_take_more_are_asked() {
    let yaml = "providers:\n  openai: { base_url: 'http://openai.test/v1' }\n\
                routes:\n  up: { first: [openai/gpt-4, openai/gpt-3.5-turbo, openai/gpt-4o-mini] }\n  \
                down: { first: [openai/gpt-4o-mini, openai/gpt-4] }\n";
    let world = Setup::new(yaml).env("OPENAI_API_KEY", "k").start();
    let openai = world.upstream("openai");
    openai.otherwise(|request| match request.json()["model"].as_str() {
        Some("gpt-4o-mini") => Answer::fitting(request),
        _ => too_long(),
    });
    let reply = world.chat("up").await;
    assert_eq!((reply.status, reply.header("x-pointsman-model")), (200, Some("gpt-4o-mini")));
    openai.otherwise(|_| too_long());
    let before = openai.received().len();
    let reply = world.chat("down").await;
    assert_eq!(reply.status, 400);
    assert_eq!(openai.received().len() - before, 1, "the other one takes less");
}

#[tokio::test(start_paused = true)]
async fn the_words_that_agents_look_for_reach_them_in_the_end() {
    let world = start(CHAINS);
    let alpha = world.upstream("alpha");
    // Nobody takes more.
    alpha.script([too_long()]);
    let reply = world.chat("plain").await;
    assert_eq!((reply.status, reply.error()["code"].as_str()), (400, Some("context_length_exceeded")));
    assert!(reply.message().contains("maximum context length"));
    // Somebody does, and fails.
    alpha.script([too_long(), Answer::error(500, "x"), Answer::error(500, "x")]);
    let reply = world.chat("longer").await;
    assert_eq!((reply.status, reply.error()["code"].as_str()), (400, Some("context_length_exceeded")));
    assert_eq!(reply.header("x-pointsman-attempts"), Some("3"));
    for record in world.records(2).await {
        assert_eq!(record.outcome, Outcome::ContextTooLong);
        assert_eq!(record.error, Some(ErrorCode::ContextTooLong));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_filtered_goes_back_unless_the_route_says_otherwise() {
    let world = start(CHAINS);
    let [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map(|name| world.upstream(name));
    alpha.otherwise(|_| filtered());
    let reply = world.chat("plain").await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "not that"));
    let reply = world.chat("filtered").await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gamma")));
    assert_eq!((beta.received().len(), gamma.received().len()), (0, 1), "its own chain, and nobody else");
    gamma.script([filtered()]);
    let reply = world.chat("filtered").await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "not that"));
}

#[tokio::test(start_paused = true)]
async fn an_account_without_credit_is_stood_in_for() {
    let world = start(CHAINS);
    let [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map(|name| world.upstream(name));
    alpha.otherwise(|_| Answer::status(402, &json!({"error": {"message": "no credit"}})));
    let reply = world.chat("paid").await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gamma")));
    gamma.otherwise(|_| Answer::error(500, "x"));
    let reply = world.chat("paid").await;
    assert_eq!(reply.header("x-pointsman-provider"), Some("beta"), "then those of the route");
    assert_eq!(beta.received().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_not_there_is_found_elsewhere() {
    let world = start(CHAINS);
    let [alpha, _beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let gone = || Answer::status(404, &json!({"error": {"message": "no m", "code": "model_not_found"}}));
    for _ in 0..6 {
        alpha.script([gone()]);
        let reply = world.chat("plain").await;
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
    }
    assert_eq!(alpha.received().len(), 6, "the provider is not sick");
    alpha.script([gone()]);
    let reply = world.chat("alpha/m").await;
    assert_eq!((reply.status, reply.message().as_str()), (404, "no m"), "its own words");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_a_filter_answers_with_nothing_goes_to_its_chain_too() {
    let yaml = "providers:\n  goog: { kind: gemini, base_url: 'http://goog.test/v1beta', models: [f] }\n  \
                beta: { base_url: 'http://beta.test/v1', models: [m] }\n\
                routes:\n  filtered: { model: goog/f, fallbacks: { content_filter: [beta/m] } }\n";
    let world = start(yaml);
    let [goog, beta] = ["goog", "beta"].map(|name| world.upstream(name));
    let blocked = json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
    });
    goog.otherwise(move |_| Answer::json(&blocked));
    let reply = world.chat("filtered").await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
    let record = world.record().await;
    assert_eq!(record.attempts[0].outcome, Outcome::ContentFiltered);
    assert_eq!(record.attempts[0].usage.input, 7, "what it says that it used");
    // Without a chain it is an answer like others.
    assert_eq!(world.chat("goog/f").await.status, 200);
    assert_eq!(beta.received().len(), 1);
}
