//! How far it goes: long answers, deadlines, clients that leave, answers that are kept.

use pointsman_core::{Dialect, Outcome, Phase};
use pointsman_testkit::mock::{Answer, Cut, Ending, Received};
use serde_json::json;
use tokio::time::Instant;

use super::story::*;
use crate::harness::*;

/// A long text in pieces.
fn long(pieces: usize, length: usize) -> Vec<String> {
    (0..pieces).map(|number| format!(" {number}:{}", "abcdefghij".repeat(length / 10))).collect()
}

async fn cut_long(client: Dialect, pieces: &[String]) -> (String, Vec<Received>) {
    let world = start(&two(client, client, ""));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let texts: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let (before, after) = texts.split_at(texts.len() - 3);
    let events = told(client, "alpha", &texts, PROMPT);
    alpha.script([Answer::sse(events.clone()).cut_after_parts(events.len() - 8, Cut::Reset)]);
    let rest: Vec<&str> = after.to_vec();
    assert!(!before.is_empty());
    let answer = Answer::sse(told(client, "beta", &rest, PROMPT));
    beta.script([answer]);
    let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
    let text = stream.rest().await;
    world.record().await;
    world.assert_at_rest();
    (text, beta.received())
}

#[tokio::test(start_paused = true)]
async fn long_answers_are_gone_on_with_and_endless_ones_are_not() {
    for client in DIALECTS {
        // More than is kept unread: it is read on the way.
        let pieces = long(600, 300);
        let (text, asked) = cut_long(client, &pieces).await;
        let so_far = so_far(client, &asked[0].json()).unwrap().0;
        assert!(so_far.len() > 150_000 && pieces.concat().starts_with(&so_far));
        assert!(text.len() > 200_000 && !text.contains("stream_interrupted"));
    }
    let (text, asked) = cut_long(Dialect::OpenAiChat, &long(400, 4_000)).await;
    assert_eq!(asked.len(), 0, "more than is kept");
    assert!(text.contains("stream_interrupted"));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_whole_requests() {
    let world = start(&two(Dialect::OpenAiChat, Dialect::OpenAiChat, ", timeouts: { total: 12s }"));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let events = told(Dialect::OpenAiChat, "alpha", &PIECES, PROMPT);
    alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Hang)]);
    beta.script([Answer::nothing(Cut::Hang)]);
    let started = Instant::now();
    let mut stream = world.client().await.open(ask(Dialect::OpenAiChat, "tale", json!({}))).await;
    let text = stream.rest().await;
    // Five seconds without a token, and what was left for the second one.
    assert_elapsed(started, secs(12));
    assert!(text.contains("stream_interrupted") && !text.contains("[DONE]"), "{text}");
    let record = world.record().await;
    assert_eq!(record.attempts[0].outcome, Outcome::Timeout(Phase::BetweenChunks));
    assert!(matches!(record.attempts[1].outcome, Outcome::Timeout(_)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_meanwhile_ends_the_search() {
    let world = start(&two(Dialect::OpenAiChat, Dialect::OpenAiChat, ""));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let events = told(Dialect::OpenAiChat, "alpha", &PIECES, PROMPT);
    alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
    beta.script([Answer::nothing(Cut::Hang)]);
    let mut stream = world.client().await.open(ask(Dialect::OpenAiChat, "tale", json!({}))).await;
    let mut seen = String::new();
    while !seen.contains("king") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap()).unwrap());
    }
    tokio::join!(
        async {
            // The body is polled only while somebody reads.
            let waited = tokio::time::timeout(secs(1), stream.next()).await;
            assert!(waited.is_err());
            stream.hang_up();
        },
        beta.wait_received(1)
    );
    let entry = beta.wait_entry(0, |entry| entry.ended.is_some()).await;
    assert_eq!(entry.ending(), Some(Ending::ClientGone));
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::Cancelled);
    let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Reset, Outcome::Cancelled]);
    assert_eq!(record.usage.output, 4, "what the client has");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn without_another_candidate_the_error_comes_at_once() {
    for client in DIALECTS {
        let world = start(&two(client, client, ""));
        let alpha = world.upstream("alpha");
        let events = told(client, "alpha", &PIECES, PROMPT);
        alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
        let mut stream = world.client().await.open(ask(client, "alpha/m", json!({}))).await;
        let text = stream.rest().await;
        assert!(text.contains("alpha/m: the stream broke off"), "{text}");
        assert_eq!(world.record().await.attempts.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_two_providers_is_kept_here() {
    let world = start(&two(Dialect::OpenAiResponses, Dialect::OpenAiResponses, ""));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let events = told(Dialect::OpenAiResponses, "alpha", &PIECES, PROMPT);
    alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
    goes_on(&beta, Dialect::OpenAiResponses, "");
    let mut stream = world.client().await.open(ask(Dialect::OpenAiResponses, "tale", json!({}))).await;
    let id = heard(Dialect::OpenAiResponses, &stream.rest().await).id;
    assert_eq!(id, "resp_alpha");
    // Neither of the two knows the answer as the client has it.
    let more = json!({"model": "beta/m", "input": "And then?", "previous_response_id": id, "stream": false});
    let part = json!({"type": "output_text", "text": "No.", "annotations": []});
    beta.script([Answer::json(&json!({"id": "resp_2", "object": "response", "created_at": 1, "status": "completed",
        "model": "m", "error": null, "incomplete_details": null,
        "output": [{"type": "message", "id": "msg_2", "role": "assistant", "status": "completed", "content": [part]}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}))]);
    let reply = world.send(post("/v1/responses", more.to_string())).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let sent = beta.received()[1].json();
    assert_eq!(sent.get("previous_response_id"), None, "{sent}");
    let said = sent["input"].to_string();
    assert!(
        said.contains("Tell me a story.") && said.contains("counted") && said.contains("And then?"),
        "{said}"
    );
}
