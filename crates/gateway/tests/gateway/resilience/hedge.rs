//! A second candidate beside one that is late.

use std::time::Duration;

use pointsman_core::{Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Ending, Gate};
use pointsman_testkit::openai::chat_events;
use tokio::time::{Instant, sleep};

use crate::harness::*;

const HEDGED: &str = r"
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m] }
  beta: { base_url: http://beta.test/v1, models: [m] }
  gamma: { base_url: http://gamma.test/v1, models: [m] }
routes:
  fixed: { first: [alpha/m, beta/m, gamma/m], hedge: { after: 2s, max_share: 100% } }
  learned: { first: [alpha/m, beta/m], hedge: { after: p95, max_share: 100% } }
  capped: { first: [alpha/m, beta/m], hedge: { after: 1s, max_share: 5% } }
";

#[tokio::test(start_paused = true)]
async fn the_quicker_answer_is_shown_and_the_other_call_is_cancelled_and_billed() {
    for stream in [false, true] {
        let world = start(HEDGED);
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        alpha.script([Answer::nothing(Cut::Hang)]);
        beta.otherwise(move |_| match stream {
            true => Answer::chat_stream("m", &["b"], None),
            false => Answer::chat("m", "b", TOKENS),
        });
        let started = Instant::now();
        let reply = world.send(if stream { streamed("fixed") } else { chat("fixed") }).await;
        assert_elapsed(started, secs(2));
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
        assert_eq!(reply.header("x-pointsman-attempts"), Some("2"));
        if stream {
            assert_eq!(reply.body, chat_events("m", &["b"], None).concat());
        }
        let entry = alpha.wait_entry(0, |entry| entry.ended.is_some()).await;
        assert_eq!(entry.ending(), Some(Ending::ClientGone));
        let record = world.record().await;
        let [lost, won] = record.attempts.as_slice() else { panic!("{:?}", record.attempts) };
        assert_eq!((&*lost.provider, lost.outcome), ("alpha", Outcome::Cancelled));
        assert_eq!((&*won.provider, won.outcome), ("beta", Outcome::Success));
        assert!(lost.usage.input > 0 && lost.usage.source == UsageSource::Estimated, "{:?}", lost.usage);
        assert!((2_000_000..2_005_000).contains(&won.started_us), "{}", won.started_us);
        assert_eq!((record.outcome, record.overhead_us), (Outcome::Success, 0));
        assert_eq!(record.last_attempt().map(|attempt| &*attempt.provider), Some("beta"));
        assert!(world.has_metric("pointsman_hedges_total{result=\"won\"} 1"));
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_only_a_little_late_still_wins() {
    for stream in [false, true] {
        let world = start(HEDGED);
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let answer = match stream {
            true => Answer::chat_stream("m", &["a"], None),
            false => Answer::chat("m", "a", TOKENS),
        };
        alpha.script([answer.delay_head(secs(3))]);
        beta.script([Answer::nothing(Cut::Hang)]);
        let reply = world.send(if stream { streamed("fixed") } else { chat("fixed") }).await;
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("alpha")));
        let entry = beta.wait_entry(0, |entry| entry.ended.is_some()).await;
        assert_eq!(entry.ending(), Some(Ending::ClientGone));
        let record = world.record().await;
        let ends: Vec<_> = record.attempts.iter().map(|a| (&*a.provider, a.outcome)).collect();
        assert_eq!(ends, [("alpha", Outcome::Success), ("beta", Outcome::Cancelled)]);
        assert_eq!(record.last_attempt().map(|attempt| &*attempt.provider), Some("alpha"));
        assert!(world.has_metric("pointsman_hedges_total{result=\"lost\"} 1"));
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn where_both_fail_the_third_is_asked() {
    let world = start(HEDGED);
    let [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map(|name| world.upstream(name));
    alpha.script([Answer::error(500, "x").delay_head(secs(3))]);
    beta.script([Answer::error(503, "x").delay_head(secs(2))]);
    let started = Instant::now();
    let reply = world.chat("fixed").await;
    assert_elapsed(started, secs(4));
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gamma")));
    let record = world.record().await;
    let ends: Vec<_> = record.attempts.iter().map(|a| (&*a.provider, a.outcome.as_str())).collect();
    assert_eq!(ends, [("alpha", "upstream_fault"), ("beta", "overloaded"), ("gamma", "success")]);
    assert_eq!((alpha.received().len(), beta.received().len(), gamma.received().len()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_request_ends_it() {
    let world = start(HEDGED);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::error(400, "no such tool").delay_head(secs(3))]);
    beta.script([Answer::nothing(Cut::Hang)]);
    let reply = world.chat("fixed").await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "no such tool"));
    let record = world.record().await;
    assert_eq!(record.outcome, Outcome::ClientFault);
    assert_eq!(record.attempts.len(), 2);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn late_is_what_is_late_for_that_deployment() {
    let world = start(HEDGED);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.otherwise(|request| Answer::fitting(request).delay_head(Duration::from_millis(100)));
    for _ in 0..40 {
        assert_eq!(world.send(streamed("learned")).await.header("x-pointsman-provider"), Some("alpha"));
    }
    assert_eq!(beta.received().len(), 0, "as usual is not late");
    alpha.script([Answer::nothing(Cut::Hang)]);
    let started = Instant::now();
    let reply = world.send(streamed("learned")).await;
    assert_eq!(reply.header("x-pointsman-provider"), Some("beta"));
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(90) && waited < Duration::from_millis(400), "{waited:?}");
    // A whole answer takes as long as it is: nothing is known of that.
    alpha.script([Answer::chat("m", "x", TOKENS).delay_head(secs(9))]);
    assert_eq!(world.chat("learned").await.header("x-pointsman-provider"), Some("alpha"));
}

#[tokio::test(start_paused = true)]
async fn only_a_share_of_requests_is_asked_twice() {
    let world = start(HEDGED);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.otherwise(|request| Answer::fitting(request).delay_head(secs(2)));
    for _ in 0..200 {
        assert_eq!(world.chat("capped").await.status, 200);
    }
    let twice = beta.received().len();
    assert!((1..=20).contains(&twice), "{twice} of 200");
    assert!(world.metrics.encode().contains("pointsman_hedges_total{result=\"denied\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_cancels_both_and_pays_for_both() {
    let world = start(HEDGED);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    beta.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    let mut client = world.client().await;
    let asking = tokio::spawn(async move { client.send(chat("fixed")).await });
    beta.wait_received(1).await;
    sleep(secs(1)).await;
    asking.abort();
    let record = world.record().await;
    let ends: Vec<_> = record.attempts.iter().map(|a| (&*a.provider, a.outcome)).collect();
    assert_eq!(ends, [("alpha", Outcome::Cancelled), ("beta", Outcome::Cancelled)]);
    assert!(record.attempts.iter().all(|attempt| attempt.usage.input > 0));
    assert_eq!(record.outcome, Outcome::Cancelled);
    world.assert_at_rest();
}
