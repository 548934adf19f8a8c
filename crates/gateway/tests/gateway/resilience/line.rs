//! Calls at one time, and who waits for one of them to end.

use pointsman_core::{ErrorCode, Outcome};
use pointsman_testkit::mock::{Answer, Gate};
use tokio::time::Instant;

use crate::harness::*;

const NARROW: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    models: [m]
    limits: { concurrency: 1, queue: 2, queue_wait: 5s }
  beta: { base_url: http://beta.test/v1, models: [m] }
routes:
  one: { model: alpha/m }
  urgent: { model: alpha/m, priority: high }
  idle: { model: alpha/m, priority: low }
  both: { first: [alpha/m, beta/m] }
";

#[tokio::test(start_paused = true)]
async fn who_finds_no_place_goes_elsewhere() {
    let world = start(NARROW);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    let first = world.asking("both").await;
    alpha.wait_received(1).await;
    let reply = world.chat("both").await;
    assert_eq!(reply.header("x-pointsman-provider"), Some("beta"), "before anybody waits");
    gate.open();
    assert_eq!(first.await.unwrap().header("x-pointsman-provider"), Some("alpha"));
    assert_eq!(world.chat("both").await.header("x-pointsman-provider"), Some("alpha"));
    assert_eq!(beta.received().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_is_served_in_order_and_the_urgent_first() {
    let world = start(NARROW);
    let alpha = world.upstream("alpha");
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    alpha.script(gates.iter().map(|gate| Answer::chat("m", "x", TOKENS).gate_head(gate)));
    let first = world.asking("one").await;
    let normal = world.asking("one").await;
    let urgent = world.asking("urgent").await;
    assert_eq!(alpha.received().len(), 1);
    gates[0].open();
    assert_eq!(first.await.unwrap().status, 200);
    alpha.wait_received(2).await;
    gates[1].open();
    assert_eq!(urgent.await.unwrap().status, 200);
    assert!(!normal.is_finished());
    alpha.wait_received(3).await;
    gates[2].open();
    assert_eq!(normal.await.unwrap().status, 200);
    assert!(world.has_metric("pointsman_waits_total{result=\"admitted\"} 2"));
    for record in world.records(3).await {
        assert_eq!((record.attempts.len(), record.overhead_us), (1, 0), "waiting is no overhead");
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_full_line_sheds_at_once_and_says_when_to_come_back() {
    let world = start(NARROW);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.otherwise({
        let gate = gate.clone();
        move |_| Answer::chat("m", "x", TOKENS).gate_head(&gate)
    });
    let waiting = [world.asking("one").await, world.asking("idle").await, world.asking("one").await];
    let started = Instant::now();
    let shed = world.chat("idle").await;
    shed.assert_error(503, "overloaded", None);
    assert_eq!((shed.header("retry-after"), shed.header("x-pointsman-attempts")), (Some("1"), Some("0")));
    assert!(shed.message().contains("alpha/m"), "{}", shed.message());
    assert_elapsed(started, secs(0));

    // Who is more urgent takes the place of the least urgent one.
    let urgent = world.asking("urgent").await;
    let [first, idle, normal] = waiting;
    idle.await.unwrap().assert_error(503, "overloaded", None);
    gate.open();
    for served in [first, urgent, normal] {
        assert_eq!(served.await.unwrap().status, 200);
    }
    let records = world.records(5).await;
    assert_eq!(records[0].error, Some(ErrorCode::Overloaded));
    assert!(matches!(records[0].outcome, Outcome::Overloaded { .. }), "{:?}", records[0].outcome);
    assert!(world.has_metric("pointsman_waits_total{result=\"full\"} 2"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_longer_than_they_may() {
    let world = start(NARROW);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    let first = world.asking("one").await;
    let started = Instant::now();
    let late = world.chat("one").await;
    late.assert_error(503, "overloaded", None);
    assert_elapsed(started, secs(5));
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(world.chat("one").await.status, 200, "the place is free again");
    assert!(world.has_metric("pointsman_waits_total{result=\"late\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn clients_who_leave_the_line_leave_no_gap() {
    let world = start(NARROW);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    let first = world.asking("one").await;
    let leaving = world.asking("one").await;
    let staying = world.asking("one").await;
    leaving.abort();
    let _ = leaving.await;
    let_others_run().await;
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(staying.await.unwrap().status, 200);
    assert_eq!(alpha.received().len(), 2);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_its_place_to_its_end() {
    let world = start(NARROW);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([Answer::chat_stream("m", &["a", "b"], None).gate(2, &gate)]);
    let mut stream = world.stream("one").await;
    stream.next().await.unwrap();
    let waiting = world.asking("one").await;
    assert_eq!(alpha.received().len(), 1);
    gate.open();
    stream.rest().await;
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_was_only_busy_is_waited_for_once_the_others_have_failed() {
    let world = start(NARROW);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    beta.otherwise(|_| Answer::error(401, "x"));
    let first = world.asking("both").await;
    alpha.wait_received(1).await;
    let second = world.asking("both").await;
    beta.wait_received(1).await;
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    let reply = second.await.unwrap();
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("alpha")));
    assert_eq!(reply.header("x-pointsman-attempts"), Some("2"));
    assert_eq!((alpha.received().len(), beta.received().len()), (2, 1));
    world.assert_at_rest();
}
