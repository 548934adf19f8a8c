//! Upstream connections: kept, shared, replaced.

use pointsman_testkit::mock::{Answer, Gate};
use pointsman_testkit::openai::Tokens;

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 1, output: 1 };

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_use_one_connection() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let mut client = world.client().await;
    for number in 0..1_000 {
        let request = if number % 2 == 0 { chat("alpha/m") } else { streamed("alpha/m") };
        assert_eq!(client.send(request).await.status, 200, "{number}");
    }
    assert_eq!(alpha.connections().accepted, 1);
    assert_eq!(alpha.violations(), [""; 0]);
    assert_eq!(world.net.connects(), 2, "one of the client, one to the provider");
    let records = world.records(1_000).await;
    assert!(records.windows(2).all(|pair| pair[0].id < pair[1].id), "ids grow with time");
    let tokens: u64 = records.iter().map(|record| record.usage.output).sum();
    assert_eq!(tokens, alpha.tokens_emitted().output);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn requests_at_one_time_have_a_connection_each_and_leave_them_to_others() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script(std::iter::repeat_n(Answer::chat("m", "x", TOKENS).gate_head(&gate), 20));
    let mut asked = Vec::new();
    for _ in 0..20 {
        let mut client = world.client().await;
        asked.push(tokio::spawn(async move { client.send(chat("alpha/m")).await }));
    }
    alpha.wait_received(20).await;
    assert_eq!(alpha.connections().accepted, 20);
    gate.open();
    for reply in asked {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    for _ in 0..40 {
        assert_eq!(world.chat("alpha/m").await.status, 200);
    }
    assert_eq!(alpha.connections().accepted, 20);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_provider_closes_is_replaced() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script(std::iter::repeat_n(Answer::chat("m", "x", TOKENS).until_close(), 3));
    for _ in 0..4 {
        let reply = world.chat("alpha/m").await;
        assert_eq!((reply.status, reply.header("x-pointsman-attempts")), (200, Some("1")));
    }
    assert_eq!(alpha.connections().accepted, 4);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_send_its_next_request_at_once() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let body = pointsman_testkit::openai::chat_request("alpha/m", false).to_string();
    let request = |fields: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\n{fields}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let both = request("") + &request("connection: close\r\n");
    let answers = world.exchange(both).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert_eq!(alpha.received().len(), 2);
}
