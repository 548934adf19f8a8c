//! Requests that are the same, and at one time.

use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Gate};

use crate::harness::*;

const SHARED: &str = r"
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m] }
routes:
  shared: { model: alpha/m, coalesce: true }
  alone: { model: alpha/m }
  finished: { model: alpha/m, coalesce: true, on_disconnect: finish }
";

#[tokio::test(start_paused = true)]
async fn one_of_them_is_sent_and_all_have_the_answer() {
    for route in ["shared", "finished"] {
        let world = start(SHARED);
        let alpha = world.upstream("alpha");
        let gate = Gate::new();
        alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
        let asked = [world.asking(route).await, world.asking(route).await, world.asking(route).await];
        assert_eq!(alpha.received().len(), 1);
        gate.open();
        let mut shared = 0;
        for reply in asked {
            let reply = reply.await.unwrap();
            assert_eq!(reply.json(), pointsman_testkit::openai::chat_answer("m", "x", TOKENS));
            shared += usize::from(reply.header("x-pointsman-coalesced") == Some("true"));
        }
        assert_eq!(shared, 2);
        let records = world.records(3).await;
        let tokens: u64 = records.iter().flat_map(|r| &r.attempts).map(|a| a.usage.total()).sum();
        assert_eq!(tokens, TOKENS.input + TOKENS.output, "it is paid for once");
        assert!(records.iter().all(|record| record.outcome == Outcome::Success));
        assert!(world.has_metric("pointsman_requests_coalesced_total 2"), "{}", world.metrics.encode());
        // The next one is a new one.
        assert_eq!(world.chat(route).await.status, 200);
        assert_eq!(alpha.received().len(), 2);
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn only_where_the_route_asks_for_it_and_only_the_same() {
    let world = start(SHARED);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.otherwise({
        let gate = gate.clone();
        move |request| Answer::fitting(request).gate_head(&gate)
    });
    let first = [world.asking("alone").await, world.asking("alone").await];
    alpha.wait_received(2).await;
    let mut client = world.client().await;
    let body = r#"{"model":"shared","messages":[{"role":"user","content":"another"}]}"#;
    let other = tokio::spawn(async move { client.send(post("/v1/chat/completions", body)).await });
    let same = world.asking("shared").await;
    alpha.wait_received(4).await;
    let mut stream = world.client().await;
    let streamed = tokio::spawn(async move { stream.send(streamed("shared")).await });
    alpha.wait_received(5).await;
    gate.open();
    for reply in first.into_iter().chain([other, same, streamed]) {
        let reply = reply.await.unwrap();
        assert_eq!((reply.status, reply.header("x-pointsman-coalesced")), (200, None));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_first_one_leaves_another_is_sent() {
    let world = start(SHARED);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    let leaving = world.asking("shared").await;
    let staying = [world.asking("shared").await, world.asking("shared").await];
    leaving.abort();
    for reply in staying {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(alpha.received().len(), 2);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_everybodys_too() {
    let world = start(SHARED);
    let alpha = world.upstream("alpha");
    for (answer, status) in [(Answer::error(400, "no"), 400), (Answer::error(504, "x"), 504)] {
        let before = alpha.received().len();
        let gate = Gate::new();
        alpha.script([answer.gate_head(&gate)]);
        let asked = [world.asking("shared").await, world.asking("shared").await];
        gate.open();
        for reply in asked {
            assert_eq!(reply.await.unwrap().status, status);
        }
        assert_eq!(alpha.received().len() - before, 1);
    }
    world.assert_at_rest();
}
