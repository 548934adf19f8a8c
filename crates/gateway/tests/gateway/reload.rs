//! Another configuration takes effect: requests in flight keep theirs.

use pointsman_testkit::mock::{Answer, Gate};
use pointsman_testkit::openai::{Tokens, chat_events};

use crate::harness::*;

const AFTER: &str = r"
providers:
  gamma: { base_url: http://gamma.test/v1, models: [m] }
";

#[tokio::test(start_paused = true)]
async fn a_running_stream_keeps_its_world() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let gamma = world.upstream("gamma");
    let gate = Gate::new();
    let usage = Some(Tokens { input: 3, output: 2 });
    alpha.script([Answer::chat_stream("m", &["a", "b"], usage).gate(2, &gate)]);
    let mut stream = world.stream("both").await;
    let first = stream.next().await.unwrap();

    world.reload(AFTER);
    world.chat("both").await.assert_error(404, "model_not_found", Some("model"));
    let reply = world.chat("gamma/m").await;
    assert_eq!((reply.status, gamma.received().len()), (200, 1));
    let list = world.send(get("/v1/models")).await.json();
    assert_eq!(list["data"][0]["id"], "gamma/m");

    gate.open();
    let rest = stream.rest().await;
    let expected: Vec<u8> = chat_events("m", &["a", "b"], None).concat();
    assert_eq!([&first[..], rest.as_bytes()].concat(), expected);
    let records = world.records(3).await;
    let generations: Vec<_> = records.iter().map(|record| record.config_generation).collect();
    assert_eq!(generations, [2, 2, 1], "in the order in which they ended");
    assert_eq!(records[2].usage.output, 2);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_request_falls_back_within_its_own_world() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let gate = Gate::new();
    alpha.script([Answer::error(500, "x").gate_head(&gate)]);
    let mut client = world.client().await;
    let asked = tokio::spawn(async move { client.send(chat("both")).await });
    alpha.wait_received(1).await;
    world.reload(AFTER);
    gate.open();
    let reply = asked.await.unwrap();
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("beta")));
    assert_eq!(beta.received()[0].header("authorization"), Some("Bearer beta-secret"));
}

#[tokio::test(start_paused = true)]
async fn connections_outlive_a_reload_that_does_not_concern_them() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    for round in 0..3 {
        assert_eq!(world.chat("alpha/m").await.status, 200);
        world.reload(&format!("{TWO}aliases: {{ name{round}: alpha/m }}\n"));
    }
    assert_eq!(world.chat("name2").await.status, 200);
    assert_eq!(alpha.connections().accepted, 1);
    assert!(world.has_metric(
        "pointsman_attempts_total{gen_ai_provider_name=\"alpha\",gen_ai_request_model=\"m\",outcome=\"success\"} 4"
    ));
}
