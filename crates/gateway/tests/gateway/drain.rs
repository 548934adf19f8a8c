//! Shutting down: what runs may finish, nothing new begins.

use pointsman_testkit::mock::{Answer, Gate};
use pointsman_testkit::openai::{Tokens, chat_events};

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 1, output: 1 };

#[tokio::test(start_paused = true)]
async fn requests_in_flight_finish_and_nothing_new_begins() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([
        Answer::chat("m", "late", TOKENS).gate_head(&gate),
        Answer::chat_stream("m", &["a", "b"], None).gate(2, &gate),
    ]);
    let mut idle = world.client().await;
    assert_eq!(idle.send(get("/readyz")).await.status, 200);
    let mut client = world.client().await;
    let plain = tokio::spawn(async move {
        let reply = client.send(chat("alpha/m")).await;
        client.closed().await;
        reply
    });
    alpha.wait_received(1).await;
    let mut stream = world.stream("alpha/m").await;
    let first = stream.next().await.unwrap();

    world.drain.start();
    // Idle connections close, new ones are refused.
    idle.closed().await;
    while let Ok(io) = world.net.connect("gateway.test:4180").await {
        drop(io);
        tokio::task::yield_now().await;
    }
    assert!(!world.server.is_finished());
    gate.open();
    let reply = plain.await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    let rest = stream.rest().await;
    assert_eq!([&first[..], rest.as_bytes()].concat(), chat_events("m", &["a", "b"], None).concat());
    assert_eq!(world.records(2).await.len(), 2);
    world.assert_at_rest();
    drop(stream);
    world.server.await.unwrap();
    world.gateway.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_gateway_ends_at_once() {
    let world = start(TWO);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = world.client().await;
        client.send(get("/livez")).await;
        clients.push(client);
    }
    world.drain.start();
    world.server.await.unwrap();
    for client in &mut clients {
        client.closed().await;
    }
}
