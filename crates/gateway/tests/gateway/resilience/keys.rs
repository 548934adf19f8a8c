//! Keys of one provider: they take turns, and one that is refused is left out.

use std::collections::BTreeSet;

use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Mock, Received};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::*;

const KEYED: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    keys: [{ env: ALPHA_KEY }, { env: SECOND_KEY }]
    models: [m]
  beta: { base_url: http://beta.test/v1, models: [m] }
routes:
  both: { first: [alpha/m, beta/m] }
";
const FIRST: &str = "Bearer alpha-secret";
const SECOND: &str = "Bearer second-secret";

fn world() -> World {
    Setup::new(KEYED).env("SECOND_KEY", "second-secret").start()
}

fn keys(mock: &Mock) -> Vec<String> {
    let used = |request: &Received| request.header("authorization").unwrap().to_owned();
    mock.received().iter().map(used).collect()
}

/// Refuses the first key.
fn refuse_first(mock: &Mock, status: u16, code: &'static str) {
    mock.otherwise(move |request| match request.header("authorization") {
        Some(FIRST) => Answer::status(status, &json!({"error": {"message": "no", "code": code}})),
        _ => Answer::fitting(request),
    });
}

#[tokio::test(start_paused = true)]
async fn they_take_turns() {
    let world = world();
    let alpha = world.upstream("alpha");
    for _ in 0..40 {
        assert_eq!(world.chat("alpha/m").await.status, 200);
    }
    let used: BTreeSet<_> = keys(&alpha).into_iter().collect();
    assert_eq!(used, BTreeSet::from([FIRST.to_owned(), SECOND.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_is_left_out_and_nobody_notices() {
    for (status, code, outcome) in [
        (401, "invalid_api_key", Outcome::Unauthorized),
        (429, "insufficient_quota", Outcome::QuotaExhausted),
    ] {
        let world = world();
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        refuse_first(&alpha, status, code);
        for _ in 0..30 {
            let reply = world.chat("both").await;
            assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("alpha")));
        }
        let used = keys(&alpha);
        assert_eq!(used.iter().filter(|key| *key == FIRST).count(), 1, "{code}: {used:?}");
        assert_eq!(beta.received().len(), 0, "another account of the same provider answered");
        let refused: Vec<_> = world
            .records(30)
            .await
            .into_iter()
            .filter(|record| record.attempts.len() == 2)
            .map(|record| record.attempts[0].outcome)
            .collect();
        assert_eq!(refused, [outcome]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_sound_key_the_next_provider_is_asked_at_once() {
    let world = world();
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.otherwise(|_| Answer::error(401, "no"));
    for _ in 0..10 {
        let reply = world.chat("both").await;
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
    }
    assert_eq!(alpha.received().len(), 2, "each key was refused once");
    assert_eq!(beta.received().len(), 10);
    assert!(world.has_metric(
        "pointsman_candidates_passed_over_total{gen_ai_provider_name=\"alpha\",gen_ai_request_model=\"m\",reason=\"keys\"} 9"
    ));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_changed_is_tried_again() {
    let world = Setup::new(KEYED).env("SECOND_KEY", "second-secret").env("NEW_KEY", "new-secret").start();
    let [alpha, _beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.otherwise(|request| match request.header("authorization") {
        Some("Bearer new-secret") => Answer::fitting(request),
        _ => Answer::error(401, "no"),
    });
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("beta"));
    world.reload(&KEYED.replace("env: ALPHA_KEY", "env: NEW_KEY"));
    for _ in 0..4 {
        assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_at_its_limit_is_not_waited_for() {
    let world = world();
    let alpha = world.upstream("alpha");
    alpha.otherwise(|request| match request.header("authorization") {
        Some(FIRST) => Answer::rate_limited(Some(20)),
        _ => Answer::fitting(request),
    });
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(world.chat("alpha/m").await.status, 200);
    }
    assert_elapsed(started, secs(0));
    assert_eq!(keys(&alpha).iter().filter(|key| *key == FIRST).count(), 1, "{:?}", keys(&alpha));
}
