//! The commit point: what fails before it is tried elsewhere, what fails after it is told.

use std::time::Duration;

use bytes::Bytes;
use pointsman_core::{ErrorCode, Outcome, Phase, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Mock};
use pointsman_testkit::openai::chat_events;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::*;

fn ping() -> Bytes {
    Bytes::from_static(b": ping\n\n")
}

fn role() -> Bytes {
    chat_events("m", &[], None)[0].clone()
}

fn error_event() -> Bytes {
    Bytes::from(format!(
        "data: {}\n\n",
        json!({"error": {"message": "engine fell over", "type": "server_error", "code": 500}})
    ))
}

/// Role and comments, then `answer`'s fault: beta answers, and the client notices nothing.
async fn unnoticed(answer: Answer, outcome: &str) -> Duration {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([answer]);
    let good = chat_events("m", &["from", " beta"], None);
    beta.script([Answer::sse(good.clone())]);
    let started = Instant::now();
    let mut stream = world.stream("both").await;
    let elapsed = started.elapsed();
    assert_eq!((stream.status, stream.header("x-pointsman-provider")), (200, Some("beta")));
    assert_eq!(stream.header("x-pointsman-attempts"), Some("2"));
    assert_eq!(stream.rest().await, good.concat_text());
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::Success);
    let attempts: Vec<_> =
        record.attempts.iter().map(|a| (&*a.provider, a.outcome.as_str(), a.status)).collect();
    assert_eq!(attempts, [("alpha", outcome, Some(200)), ("beta", "success", Some(200))]);
    assert!(record.attempts[0].detail.is_some());
    assert_let_go(&alpha).await;
    elapsed
}

/// The connection of an attempt that broke off is not kept.
async fn assert_let_go(mock: &Mock) {
    if !mock.wait_ended(1).await[0].is_complete() {
        mock.wait_connections(|connections| connections.open == 0).await;
    }
}

trait ConcatText {
    fn concat_text(&self) -> String;
}

impl ConcatText for [Bytes] {
    fn concat_text(&self) -> String {
        String::from_utf8(self.concat()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn cuts_before_the_first_token_go_unnoticed() {
    let early = || Answer::sse([ping(), role(), ping()]);
    unnoticed(early(), "reset").await;
    unnoticed(early().cut_after_parts(3, Cut::Close), "reset").await;
    unnoticed(early().cut_after_parts(3, Cut::Reset), "reset").await;
    unnoticed(early().cut_body(9, Cut::Reset), "reset").await;
    unnoticed(Answer::sse([]), "reset").await;
}

#[tokio::test(start_paused = true)]
async fn faults_inside_the_stream_before_the_first_token_go_unnoticed() {
    unnoticed(Answer::sse([ping(), role(), error_event()]), "upstream_fault").await;
    let named = Bytes::from_static(
        b"event: error\ndata: {\"message\":\"overloaded\",\"type\":\"overloaded_error\"}\n\n",
    );
    unnoticed(Answer::sse([role(), named]), "overloaded").await;
    unnoticed(Answer::sse([role(), Bytes::from_static(b"data: {\"choices\": oops}\n\n")]), "malformed").await;
    let first_token = chat_events("m", &["lost"], None);
    unnoticed(Answer::sse(first_token).content_type("text/html"), "malformed").await;
    unnoticed(Answer::sse(chat_events("m", &["x"], None)).gzip(), "malformed").await;
}

#[tokio::test(start_paused = true)]
async fn silence_before_the_first_token_ends_at_its_limit() {
    let hang = Answer::sse([role()]).cut_after_parts(1, Cut::Hang);
    let elapsed = unnoticed(hang.clone(), "timeout").await;
    assert!(elapsed >= secs(10) && elapsed < secs(10) + secs(1) / 100, "{elapsed:?}");
    // Pings do not count: ten seconds are ten seconds.
    let pings = Answer::sse(std::iter::repeat_n(ping(), 100)).pace(secs(1));
    let elapsed = unnoticed(pings, "timeout").await;
    assert!(elapsed >= secs(10) && elapsed < secs(10) + secs(1) / 100, "{elapsed:?}");
    // The limit counts from the head.
    let elapsed = unnoticed(hang.delay_head(secs(7)), "timeout").await;
    assert!(elapsed >= secs(17) && elapsed < secs(17) + secs(1) / 100, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_route_sets_limits_of_its_own() {
    let world =
        start(&format!("{TWO}  quick: {{ first: [alpha/m, beta/m], timeouts: {{ first_token: 700ms }} }}\n"));
    let [alpha, _beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::sse([role()]).cut_after_parts(1, Cut::Hang)]);
    let started = Instant::now();
    let stream = world.stream("quick").await;
    assert_elapsed(started, Duration::from_millis(700));
    assert_eq!(stream.header("x-pointsman-provider"), Some("beta"));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_bounded() {
    let world = start(&format!("{TWO}{TOLD}"));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let noise = Bytes::from(format!(": {}\n\n", "x".repeat(50_000)));
    alpha.script([Answer::sse(std::iter::repeat_n(noise.clone(), 8)).cut_after_parts(8, Cut::Reset)]);
    let mut stream = world.stream("told").await;
    assert_eq!(stream.header("x-pointsman-provider"), Some("alpha"), "too much was held to try elsewhere");
    let all = stream.rest().await;
    assert!(all.starts_with(": xxx") && all.contains("stream_interrupted"), "{}", all.len());
    assert_eq!(beta.received().len(), 0);
}

/// A route on which nobody goes on with another one's answer.
const TOLD: &str = "  told: { first: [alpha/m, beta/m], on_interrupt: error }\n";

/// Two tokens, then `answer`'s fault: the client is told, and nothing looks like an end.
async fn told(answer: impl FnOnce(Vec<Bytes>) -> Answer) -> (Value, pointsman_core::RequestRecord, Instant) {
    let world = start(&format!("{TWO}{TOLD}"));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let events = chat_events("m", &["a", "b", "c"], None);
    alpha.script([answer(events.clone())]);
    let started = Instant::now();
    let mut stream = world.stream("told").await;
    let all = stream.rest().await;
    let shown = events[..3].concat_text();
    let rest = all.strip_prefix(&shown).unwrap_or_else(|| panic!("{all}"));
    assert!(!all.contains("[DONE]"), "a cut answer must not look whole");
    let error = rest.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let error: Value = serde_json::from_str(error.unwrap_or_else(|| panic!("{rest}"))).unwrap();
    assert_eq!(error["error"]["code"], "stream_interrupted");
    assert_eq!(error["error"]["request_id"], stream.header("x-pointsman-request-id").unwrap());
    assert!(error["error"]["message"].as_str().unwrap().contains("alpha/m"), "{error}");
    assert_eq!(beta.received().len(), 0, "the client has part of alpha's answer");
    let record = world.record().await;
    assert_eq!((record.status, record.error), (200, Some(ErrorCode::StreamInterrupted)));
    assert_eq!((record.usage.output, record.usage.source), (2, UsageSource::Counted));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].outcome, record.outcome);
    assert_let_go(&alpha).await;
    world.assert_at_rest();
    (error["error"].clone(), record, started)
}

#[tokio::test(start_paused = true)]
async fn cuts_after_the_first_token_are_told() {
    for cut in [Cut::Close, Cut::Reset] {
        let (_, record, _) = told(|events| Answer::sse(events).cut_after_parts(3, cut)).await;
        assert_eq!(record.outcome, Outcome::Reset);
    }
    // Ended in good order, but without a finish.
    let (_, record, _) = told(|events| Answer::sse(events).without_last(3)).await;
    assert_eq!(record.outcome, Outcome::Reset);
    // Half an event is never shown.
    let (_, record, _) = told(|mut events| {
        let half = events[3].slice(..events[3].len() / 2);
        events.truncate(3);
        events.push(half);
        Answer::sse(events)
    })
    .await;
    assert_eq!(record.outcome, Outcome::Reset);
}

#[tokio::test(start_paused = true)]
async fn errors_and_garbage_after_the_first_token_are_told() {
    let insert = |event: Bytes| {
        move |mut events: Vec<Bytes>| {
            events.insert(3, event);
            Answer::sse(events)
        }
    };
    let (error, record, _) = told(insert(error_event())).await;
    assert_eq!(record.outcome, Outcome::UpstreamFault);
    assert!(error["message"].as_str().unwrap().contains("engine fell over"), "{error}");
    // The first one is passed over; and one that may have held a piece of the answer is not.
    let twice = Bytes::from_static(b"data: {nonsense\n\ndata: {nonsense\n\n");
    let (_, record, _) = told(insert(twice)).await;
    assert_eq!(record.outcome, Outcome::Malformed);
    let damaged = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"b\n\n");
    let (_, record, _) = told(insert(damaged)).await;
    assert_eq!(record.outcome, Outcome::Malformed);
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_told_at_its_limit() {
    let (error, record, started) =
        told(|events| Answer::sse(events).pace(secs(3)).cut_after_parts(3, Cut::Hang)).await;
    // Role at 0, tokens at 3 and 6, then 5 seconds of nothing.
    assert_elapsed(started, secs(11));
    assert_eq!(record.outcome, Outcome::Timeout(Phase::BetweenChunks));
    assert!(error["message"].as_str().unwrap().contains("stalled"), "{error}");
    assert!((11_000_000..11_010_000).contains(&record.duration_us));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_end_ends_at_the_deadline() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let token = chat_events("m", &["x"], None)[1].clone();
    alpha.script([Answer::sse(std::iter::repeat_n(token, 100)).pace(Duration::from_millis(3500))]);
    let started = Instant::now();
    let mut stream = world.stream("alpha/m").await;
    let all = stream.rest().await;
    assert_elapsed(started, secs(60));
    assert!(all.contains("stream_interrupted") && !all.contains("[DONE]"), "{all}");
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::Timeout(Phase::Total));
    assert_eq!(record.usage.output, 18, "one token each three and a half seconds, from 0 to 59.5");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_comes_before_longer_limits() {
    let route = "  hurried: { first: [alpha/m, beta/m], timeouts: { total: 3s } }\n";
    // Held or shown: no other limit of these providers is as short as three seconds.
    for (parts, status) in [(1, 504), (2, 200)] {
        let world = start(&format!("{TWO}{route}"));
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        alpha.script([Answer::sse(chat_events("m", &["a"], None)).cut_after_parts(parts, Cut::Hang)]);
        let started = Instant::now();
        let mut stream = world.stream("hurried").await;
        assert_eq!(stream.status, status);
        let all = stream.rest().await;
        assert_elapsed(started, secs(3));
        assert!(all.contains("the request's deadline passed") && !all.contains("[DONE]"), "{all}");
        assert_eq!(beta.received().len(), 0, "no time is left for another");
        assert_eq!(world.record().await.outcome, Outcome::Timeout(Phase::Total));
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_is_an_end_also_without_done() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let events = chat_events("m", &["a"], None);
    for cut in [None, Some(Cut::Close), Some(Cut::Reset)] {
        let answer = Answer::sse(events.clone());
        alpha.script([match cut {
            Some(cut) => answer.cut_after_parts(events.len() - 1, cut),
            None => answer.without_last(1),
        }]);
        let mut stream = world.stream("alpha/m").await;
        assert_eq!(stream.rest().await, events.concat_text(), "{cut:?}: the end is made up for");
    }
    let outcomes: Vec<_> = world.records(3).await.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success; 3]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_that_says_done_is_an_answer() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let events = [role(), Bytes::from_static(b"data: [DONE]\n\n")];
    alpha.script([Answer::sse(events.clone())]);
    let mut stream = world.stream("both").await;
    assert_eq!(stream.rest().await, events.concat_text());
    assert_eq!(world.record().await.outcome, Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn reasoning_tool_calls_and_refusals_commit() {
    for delta in [
        json!({"reasoning_content": "hm"}),
        json!({"reasoning": "hm"}),
        json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}),
        json!({"refusal": "no"}),
    ] {
        let world = start(&format!("{TWO}{TOLD}"));
        let alpha = world.upstream("alpha");
        let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        let chunk = Bytes::from(format!("data: {chunk}\n\n"));
        alpha.script([Answer::sse([role(), chunk.clone()]).cut_after_parts(2, Cut::Hang)]);
        let started = Instant::now();
        let mut stream = world.stream("told").await;
        assert_elapsed(started, secs(0));
        let mut shown = stream.next().await.unwrap().to_vec();
        while shown.len() < role().len() + chunk.len() {
            shown.extend_from_slice(&stream.next().await.unwrap());
        }
        assert_eq!(shown, [role(), chunk].concat(), "{delta}");
    }
}
