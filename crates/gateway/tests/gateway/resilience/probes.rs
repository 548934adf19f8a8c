//! Calls of our own to sick deployments.

use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Mock};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::*;

const PROBED: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    keys: { env: ALPHA_KEY }
    models: [m]
    probe: { every: 30s, max_per_day: 3 }
  beta: { base_url: http://beta.test/v1, models: [m] }
routes:
  both: { first: [alpha/m, beta/m] }
";

async fn fall_sick(world: &World, alpha: &Mock) {
    for _ in 0..5 {
        alpha.script([Answer::error(500, "x")]);
        assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("beta"));
    }
}

fn probing(yaml: &str) -> (World, Mock) {
    let world = start(yaml);
    let alpha = world.upstream("alpha");
    world.upstream("beta");
    tokio::spawn(world.gateway.clone().probe());
    (world, alpha)
}

#[tokio::test(start_paused = true)]
async fn they_bring_a_deployment_back_before_a_caller_has_to() {
    let (world, alpha) = probing(PROBED);
    sleep(secs(100)).await;
    assert_eq!(alpha.received().len(), 0, "who is well is not probed");
    fall_sick(&world, &alpha).await;
    sleep(secs(5)).await;
    let received = alpha.received();
    assert_eq!(received.len(), 6, "one probe");
    assert_eq!(received[5].json()["max_tokens"], json!(1));
    assert_eq!(received[5].json()["model"], "m");
    assert_eq!(received[5].header("authorization"), Some("Bearer alpha-secret"));
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
    let records = world.records(7).await;
    let probe = &records[5];
    assert_eq!(probe.principal.key.as_deref(), Some("system:probe"));
    assert_eq!((&*probe.requested_model, probe.outcome), ("alpha/m", Outcome::Success));
    assert!(probe.attempts[0].usage.output > 0, "it is paid for");
    assert!(world.has_metric("pointsman_probes_total{result=\"well\"} 1"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn they_are_apart_and_few_a_day() {
    let (world, alpha) = probing(PROBED);
    alpha.otherwise(|_| Answer::error(500, "x"));
    fall_sick(&world, &alpha).await;
    sleep(secs(29)).await;
    assert_eq!(alpha.received().len(), 6);
    sleep(secs(200)).await;
    assert_eq!(alpha.received().len(), 8, "three a day");
    assert!(world.has_metric("pointsman_probes_total{result=\"sick\"} 3"));
    sleep(secs(86_400)).await;
    assert_eq!(alpha.received().len(), 11, "and three on the next");
}

#[tokio::test(start_paused = true)]
async fn they_are_off_by_default() {
    let (world, alpha) = probing(TWO);
    fall_sick(&world, &alpha).await;
    sleep(secs(10_000)).await;
    assert_eq!(alpha.received().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn they_end_when_the_server_drains() {
    let world = start(PROBED);
    let probing = tokio::spawn(world.gateway.clone().probe());
    world.drain.start();
    probing.await.unwrap();
}
