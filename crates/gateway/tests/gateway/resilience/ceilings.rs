//! Limits of requests and tokens: traffic moves before the provider has to refuse it.

use pointsman_testkit::mock::Answer;
use tokio::time::{Instant, sleep};

use crate::harness::*;

const DECLARED: &str = r"
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m], limits: { requests_per_minute: 3 } }
  beta: { base_url: http://beta.test/v1, models: [m] }
  patient:
    base_url: http://patient.test/v1
    models: [m]
    limits: { requests_per_minute: 3, concurrency: 50, queue: 5, queue_wait: 30s }
routes:
  both: { first: [alpha/m, beta/m] }
";

#[tokio::test(start_paused = true)]
async fn a_declared_limit_moves_traffic_and_comes_back() {
    let world = start(DECLARED);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for _ in 0..8 {
        assert_eq!(world.chat("both").await.status, 200);
    }
    assert_eq!((alpha.received().len(), beta.received().len()), (3, 5));
    sleep(secs(61)).await;
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
}

#[tokio::test(start_paused = true)]
async fn with_nobody_else_a_declared_limit_is_a_429_at_once() {
    let world = start(DECLARED);
    let alpha = world.upstream("alpha");
    for _ in 0..3 {
        assert_eq!(world.chat("alpha/m").await.status, 200);
    }
    let started = Instant::now();
    let reply = world.chat("alpha/m").await;
    reply.assert_error(429, "upstream_rate_limited", None);
    assert_elapsed(started, secs(0));
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(alpha.received().len(), 3);
    sleep(secs(wait)).await;
    assert_eq!(world.chat("alpha/m").await.status, 200, "what it says holds");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_a_line_requests_wait_for_the_limit() {
    let world = start(DECLARED);
    let patient = world.upstream("patient");
    for _ in 0..3 {
        assert_eq!(world.chat("patient/m").await.status, 200);
    }
    let started = Instant::now();
    assert_eq!(world.chat("patient/m").await.status, 200);
    let waited = started.elapsed();
    assert!(waited > secs(1) && waited <= secs(30), "{waited:?}");
    assert_eq!(patient.received().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_of_its_limits_is_believed() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::chat("m", "x", TOKENS)
        .header("x-ratelimit-limit-requests", "60")
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "60s")]);
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("beta"), "before the 429");
    assert_eq!((alpha.received().len(), beta.received().len()), (1, 1));
    sleep(secs(61)).await;
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_traffic_away_for_as_long_as_it_says() {
    let world = start(TWO);
    let [alpha, _beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::rate_limited(Some(20))]);
    for _ in 0..5 {
        assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("beta"));
    }
    assert_eq!(alpha.received().len(), 1);
    sleep(secs(21)).await;
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
}

#[tokio::test(start_paused = true)]
async fn a_learned_limit_is_overstepped_where_nobody_else_is_left() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::chat("m", "x", TOKENS)
        .header("x-ratelimit-remaining-tokens", "0")
        .header("x-ratelimit-limit-tokens", "1000")
        .header("x-ratelimit-reset-tokens", "1m0s")]);
    for _ in 0..2 {
        assert_eq!(world.chat("alpha/m").await.status, 200, "the provider itself decides");
    }
    assert_eq!(alpha.received().len(), 2);
}
