//! Breakers, held against what the provider itself was asked.

use std::time::Duration;

use pointsman_core::{ErrorCode, Outcome};
use pointsman_resilience::{BreakerState, Forced};
use pointsman_testkit::mock::{Answer, Gate, Mock};
use tokio::time::{Instant, sleep, sleep_until};

use crate::harness::*;

/// Answers `both` after alpha has failed.
async fn fail(world: &World, alpha: &Mock) {
    alpha.script([Answer::error(500, "x")]);
    let reply = world.chat("both").await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
}

/// Who answers `both`.
async fn served_by(world: &World) -> String {
    let reply = world.chat("both").await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    reply.header("x-pointsman-provider").unwrap().to_owned()
}

fn world() -> (World, Mock, Mock) {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    (world, alpha, beta)
}

#[tokio::test(start_paused = true)]
async fn four_failures_do_not_open_it_and_the_fifth_does() {
    let (world, alpha, beta) = world();
    for failures in 1..=5 {
        fail(&world, &alpha).await;
        assert_eq!(alpha.received().len(), failures);
    }
    assert_eq!(served_by(&world).await, "beta");
    assert_eq!((alpha.received().len(), beta.received().len()), (5, 6), "it is left in peace");
    let last = world.records(6).await.pop().unwrap();
    let asked: Vec<_> = last.attempts.iter().map(|attempt| &*attempt.provider).collect();
    assert_eq!(asked, ["beta"], "who is passed over makes no attempt");
    assert!(world.has_metric(
        "pointsman_candidates_passed_over_total{gen_ai_provider_name=\"alpha\",gen_ai_request_model=\"m\",reason=\"open\"} 1"
    ));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn only_failures_within_its_window_count() {
    for (apart, opens) in [(Duration::from_millis(14_750), true), (Duration::from_millis(15_250), false)] {
        let (world, alpha, _beta) = world();
        for number in 0..5 {
            if number > 0 {
                sleep(apart).await;
            }
            fail(&world, &alpha).await;
        }
        let before = alpha.received().len();
        let provider = served_by(&world).await;
        assert_eq!(provider, if opens { "beta" } else { "alpha" }, "five within {:?}", apart * 4);
        assert_eq!(alpha.received().len() - before, usize::from(!opens));
    }
}

#[tokio::test(start_paused = true)]
async fn it_stays_open_for_its_time_and_then_one_call_tries() {
    let (world, alpha, _beta) = world();
    for _ in 0..5 {
        fail(&world, &alpha).await;
    }
    let opened = Instant::now();
    sleep_until(opened + secs(299)).await;
    assert_eq!(served_by(&world).await, "beta");
    assert_eq!(alpha.received().len(), 5, "no call at 299 s");

    sleep_until(opened + secs(301)).await;
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "well", TOKENS).gate_head(&gate)]);
    let mut client = world.client().await;
    let trying = tokio::spawn(async move { client.send(chat("both")).await });
    alpha.wait_received(6).await;
    for _ in 0..5 {
        assert_eq!(served_by(&world).await, "beta");
    }
    assert_eq!(alpha.received().len(), 6, "exactly one call at 301 s");
    gate.open();
    assert_eq!(trying.await.unwrap().header("x-pointsman-provider"), Some("alpha"));
    assert_eq!(served_by(&world).await, "alpha", "a success closes it");
}

#[tokio::test(start_paused = true)]
async fn a_failed_try_opens_it_again() {
    let (world, alpha, _beta) = world();
    for _ in 0..5 {
        fail(&world, &alpha).await;
    }
    sleep(secs(301)).await;
    fail(&world, &alpha).await;
    sleep(secs(290)).await;
    assert_eq!(served_by(&world).await, "beta");
    assert_eq!(alpha.received().len(), 6);
    sleep(secs(11)).await;
    assert_eq!(served_by(&world).await, "alpha");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_the_try_gives_it_back() {
    let (world, alpha, _beta) = world();
    for _ in 0..5 {
        fail(&world, &alpha).await;
    }
    sleep(secs(301)).await;
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "well", TOKENS).gate_head(&gate)]);
    let mut client = world.client().await;
    let trying = tokio::spawn(async move { client.send(chat("both")).await });
    alpha.wait_received(6).await;
    trying.abort();
    alpha.wait_entry(5, |entry| entry.ended.is_some()).await;
    assert_eq!(served_by(&world).await, "alpha", "the next one tries");
}

#[tokio::test(start_paused = true)]
async fn faults_of_clients_never_count() {
    let (world, alpha, _beta) = world();
    for _ in 0..20 {
        alpha.script([Answer::error(400, "no such tool")]);
        assert_eq!(world.chat("both").await.status, 400);
    }
    assert_eq!(served_by(&world).await, "alpha");
}

#[tokio::test(start_paused = true)]
async fn with_all_open_the_least_bad_is_tried() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for _ in 0..5 {
        alpha.script([Answer::error(500, "x")]);
        // Not asked again by its own request: its failures are five in all.
        beta.script([Answer::error(504, "x")]);
        world.chat("both").await.assert_error(504, "upstream_timeout", None);
        sleep(secs(1)).await;
    }
    assert_eq!(
        served_by(&world).await,
        "alpha",
        "it was the first to fail, and will be the first to be back"
    );
    assert_eq!((alpha.received().len(), beta.received().len()), (6, 5));
}

#[tokio::test(start_paused = true)]
async fn a_single_deployment_is_never_refused_by_its_breaker() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.otherwise(|_| Answer::error(500, "x"));
    for _ in 0..8 {
        world.chat("alpha/m").await.assert_error(502, "upstream_unavailable", None);
    }
    alpha.otherwise(Answer::fitting);
    assert_eq!(world.chat("alpha/m").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn it_survives_a_reload_by_its_name() {
    let (world, alpha, _beta) = world();
    for _ in 0..5 {
        fail(&world, &alpha).await;
    }
    world.reload(&TWO.replace("between_chunks: 5s", "between_chunks: 6s"));
    assert_eq!(served_by(&world).await, "beta");
    assert_eq!(alpha.received().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_turn_it_off() {
    let yaml = TWO.replace("    include_usage: true\n", "    include_usage: true\n    breaker: off\n");
    let world = start(&yaml);
    let [alpha, _beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for _ in 0..10 {
        fail(&world, &alpha).await;
    }
    assert_eq!(served_by(&world).await, "alpha");
}

#[tokio::test(start_paused = true)]
async fn a_fast_failure_costs_no_time() {
    for request in [chat("both"), streamed("both")] {
        let (world, alpha, _beta) = world();
        alpha.script([Answer::error(500, "x")]);
        let started = Instant::now();
        assert_eq!(world.send(request).await.status, 200);
        assert_elapsed(started, secs(0));
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_break_off_count_too() {
    let yaml = format!("{TWO}\n  cut: {{ first: [alpha/m, beta/m], on_interrupt: error }}\n");
    let world = start(&yaml);
    let [alpha, _beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for _ in 0..5 {
        alpha.script([Answer::chat_stream("m", &["a", "b"], None).without_last(2)]);
        let mut stream = world.stream("cut").await;
        assert!(stream.rest().await.contains("stream_interrupted"));
    }
    assert_eq!(served_by(&world).await, "beta");
    let records = world.records(6).await;
    assert_eq!(records[0].error, Some(ErrorCode::StreamInterrupted));
    assert_eq!(records[0].attempts[0].outcome, Outcome::Reset);
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_it_and_has_the_last_word() {
    let (world, alpha, beta) = world();
    assert!(world.gateway.endpoints().is_empty(), "nobody was called yet");
    for _ in 0..5 {
        fail(&world, &alpha).await;
    }
    let seen = world.gateway.endpoints();
    let names: Vec<_> = seen.iter().map(|status| status.deployment.to_string()).collect();
    assert_eq!(names, ["alpha/m", "beta/m"]);
    assert_eq!(seen[0].view.breaker.state, BreakerState::Open);
    let gauge = |name: &str, state| {
        format!(
            "pointsman_breaker_state{{gen_ai_provider_name=\"{name}\",gen_ai_request_model=\"m\"}} {state}"
        )
    };
    assert!(world.has_metric(&gauge("alpha", 2)) && world.has_metric(&gauge("beta", 0)));

    world.gateway.force_breaker("alpha/m", Forced::Closed).unwrap();
    for _ in 0..7 {
        fail(&world, &alpha).await;
    }
    assert_eq!(alpha.received().len(), 12, "every call is made");
    world.gateway.force_breaker("alpha/m", Forced::None).unwrap();
    assert_eq!(served_by(&world).await, "alpha", "it begins anew");

    for name in ["alpha/m", "beta/m"] {
        world.gateway.force_breaker(name, Forced::Open).unwrap();
    }
    world.reload(&TWO.replace("between_chunks: 5s", "between_chunks: 6s"));
    let asked = (alpha.received().len(), beta.received().len());
    let reply = world.chat("both").await;
    reply.assert_error(502, "upstream_unavailable", None);
    assert!(
        reply.message().contains("alpha/m: ") && reply.message().contains("beta/m: "),
        "{}",
        reply.message()
    );
    assert_eq!((alpha.received().len(), beta.received().len()), asked, "not even where nobody is left");
    assert!(world.gateway.force_breaker("nobody/m", Forced::Open).is_none());
}
