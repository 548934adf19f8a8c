//! The built-in provider: answers any name where it is alone, none but its own where it is not.

use pointsman_core::Money;
use pointsman_testkit::openai::chat_request;
use serde_json::{Value, json};

use crate::harness::*;

const ALONE: &str = "server: {}\n";

#[tokio::test(start_paused = true)]
async fn alone_it_answers_any_name_and_says_what_it_is() {
    let world = start(ALONE);
    for model in ["gpt-4o", "x/y/z", "sim/any", "claude:latest"] {
        let reply = world.chat(model).await;
        assert_eq!((reply.status, reply.header("x-pointsman-simulated")), (200, Some("true")), "{model}");
        assert_eq!(reply.header("x-pointsman-provider"), Some("sim"));
        assert_eq!(reply.header("x-pointsman-cost-usd"), Some("0.000000000"));
        let text = reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_lowercase();
        assert!(text.contains("simulated"), "{text}");
    }
    let records = world.records(4).await;
    assert!(records.iter().all(|record| record.simulated && record.usage.output > 0));
    assert!(records.iter().all(|record| record.cost.map(|cost| cost.total()) == Some(Money::ZERO)));
    assert_eq!(world.net.connects(), 4, "only the clients' own connections: nothing leaves");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn it_streams_and_embeds() {
    let world = start(ALONE);
    let mut stream = world.stream("gpt-4o").await;
    assert_eq!(stream.header("x-pointsman-simulated"), Some("true"));
    let all = stream.rest().await;
    assert!(all.ends_with("data: [DONE]\n\n") && all.to_lowercase().contains("simulated"), "{all}");
    let with_usage = |all: &str| all.contains("\"choices\":[]");
    assert!(!with_usage(&all), "nobody asked for usage");
    let mut body = chat_request("gpt-4o", true);
    body["stream_options"] = json!({"include_usage": true});
    let mut stream = world.client().await.open(post("/v1/chat/completions", body.to_string())).await;
    assert!(with_usage(&stream.rest().await));
    let reply =
        world.send(post("/v1/embeddings", json!({"model": "e", "input": ["a", "b"]}).to_string())).await;
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(2));
    let records = world.records(3).await;
    assert!(records.iter().all(|record| record.usage.source.as_str() == "reported"));
}

#[tokio::test(start_paused = true)]
async fn what_it_cannot_answer_is_the_clients_fault() {
    let world = start(ALONE);
    let reply = world.send(post("/v1/chat/completions", "{\"model\":\"x\"}")).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.error()["type"], "invalid_request_error");
    assert!(reply.message().contains("messages"), "{}", reply.message());
}

#[tokio::test(start_paused = true)]
async fn beside_a_real_provider_it_must_be_named() {
    let world = start(TWO);
    let reply = world.chat("sim/x").await;
    assert_eq!((reply.status, reply.header("x-pointsman-simulated")), (200, Some("true")));
    let reply = world.chat("gpt-4o").await;
    reply.assert_error(404, "model_not_found", Some("model"));
    assert_eq!(reply.header("x-pointsman-simulated"), None);
    let list: Value = world.send(get("/v1/models")).await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(3), "{list}");
    assert_eq!(world.send(get("/v1/models/sim/x")).await.json()["owned_by"], "sim");
}

#[tokio::test(start_paused = true)]
async fn the_page_says_that_answers_are_made_up() {
    let world = start(ALONE);
    let page = String::from_utf8(world.send(get("/")).await.body.to_vec()).unwrap();
    assert!(page.contains("simulated") && page.contains("OPENAI_API_KEY"), "{page}");
}
