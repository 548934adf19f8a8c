//! OpenAI's responses on either side, and on both.

use bytes::Bytes;
use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Cut};
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};

use super::fixtures::*;
use crate::harness::*;

const PATH: &str = "/v1/responses";

fn input(model: &str) -> Value {
    json!({"model": model, "input": "hello", "instructions": "Be brief.", "max_output_tokens": 64})
}

#[tokio::test(start_paused = true)]
async fn clients_of_other_dialects_get_its_answers() {
    let world = start(FIVE);
    let resp = world.upstream("resp");
    resp.script([Answer::json(&response()), Answer::sse(response_events()), Answer::sse(response_events())]);
    let reply = world.send(ask("/v1/chat/completions", &tool_chat("resp/r"))).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let received = resp.received().remove(0);
    assert_eq!(
        (received.target.as_str(), received.header("authorization")),
        (PATH, Some("Bearer beta-secret"))
    );
    let body = sent(&received);
    assert_eq!((&body["model"], &body["max_output_tokens"]), (&json!("r"), &json!(200)));
    assert!(body["input"].to_string().contains("function_call_output"), "{body}");
    let choice = &reply.json()["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("Let me see."), &json!("tool_calls"))
    );

    let text = world.stream("resp/r").await.rest().await;
    let parts = data(&text);
    let said: String =
        parts.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Let me see.");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let mut body = messages("resp/r");
    body["stream"] = json!(true);
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    assert!(text.contains("\"stop_reason\":\"tool_use\"") && text.contains("event: message_stop"), "{text}");
    let records = world.records(3).await;
    for record in &records {
        assert_eq!((record.usage.input, record.usage.cached_input, record.usage.output), (14, 4, 9));
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn its_own_clients_are_answered_whoever_answers() {
    let world = start(FIVE);
    let [claude, gpt] = ["claude", "gpt"].map(|name| world.upstream(name));
    claude.script([Answer::json(&message("tool_use")), Answer::sse(message_events())]);
    let reply = world.send(ask(PATH, &input("claude/c"))).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let answer = reply.json();
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(answer["instructions"], "Be brief.");
    let output = answer["output"].as_array().unwrap();
    let kinds: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"], "{answer}");
    assert_eq!(
        (&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]),
        (&json!(14), &json!(7))
    );
    assert!(sent(&claude.received()[0])["system"].to_string().contains("Be brief."));

    let tokens = Some(Tokens { input: 14, output: 9 });
    gpt.script([Answer::chat_stream("gpt-x", &["Let me ", "see."], tokens)]);
    for model in ["claude/c", "gpt/g"] {
        let mut body = input(model);
        body["stream"] = json!(true);
        let text = world.client().await.open(ask(PATH, &body)).await.rest().await;
        let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        assert_eq!(
            (kinds.first(), kinds.last()),
            (Some(&"response.created"), Some(&"response.completed")),
            "{text}"
        );
        assert!(!text.contains("[DONE]"), "{text}");
        let said: String = data(&text)
            .iter()
            .filter(|event| event["type"] == "response.output_text.delta")
            .filter_map(|event| event["delta"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(said, "Let me see.");
    }
    world.records(3).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn on_both_sides_bytes_stay_what_they_are() {
    let world = start(FIVE);
    let resp = world.upstream("resp");
    let odd = "{ \"model\":\"resp\\/r\", \"input\":\"h\\u00e9\", \"truncation\":\"auto\", \"x\":1e999 }\n";
    let answer = format!(" {} ", response());
    resp.script([Answer::new(200, "application/json", answer.clone())]);
    let reply = world.send(post(PATH, odd)).await;
    assert_eq!((reply.status, &reply.body[..]), (200, answer.as_bytes()));
    assert_eq!(resp.received()[0].body, odd.replace("resp\\/r", "r"));
    let bytes = response_events().concat();
    for size in [1, 100, 100_000] {
        resp.script([Answer::sse(bytes.chunks(size).map(Bytes::copy_from_slice))]);
        let mut body = input("resp/r");
        body["stream"] = json!(true);
        let text = world.client().await.open(ask(PATH, &body)).await.rest().await;
        assert_eq!(text.as_bytes(), bytes, "in chunks of {size}");
    }
    let records = world.records(4).await;
    assert!(
        records.iter().all(|record| (record.usage.input, record.outcome) == (14, Outcome::Success)),
        "{records:?}"
    );
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn its_errors_have_its_shape() {
    let world = start(FIVE);
    let [resp, gpt] = ["resp", "gpt"].map(|name| world.upstream(name));
    world.send(ask(PATH, &input("gpt/none"))).await.assert_error(404, "model_not_found", Some("model"));
    world.send(get(PATH)).await.assert_error(405, "method_not_allowed", None);
    // What only its provider knows is not made up elsewhere.
    let mut body = input("gpt/g");
    body["previous_response_id"] = json!("resp_0");
    let reply = world.send(ask(PATH, &body)).await;
    reply.assert_error(400, "previous_response_not_found", Some("previous_response_id"));
    assert_eq!(gpt.received().len(), 0);
    let failed = json!({"id": "resp_2", "object": "response", "created_at": 1, "model": "r", "status": "failed",
        "error": {"code": "server_error", "message": "it broke"}, "output": []});
    resp.script([Answer::json(&failed), Answer::json(&response())]);
    let reply = world.chat("resp/r").await;
    assert_eq!((reply.status, reply.header("x-pointsman-attempts")), (200, Some("2")));
    let tokens = Some(Tokens { input: 1, output: 1 });
    gpt.script([Answer::chat_stream("g", &["a", "b"], tokens).cut_after_parts(2, Cut::Reset)]);
    let mut body = input("gpt/g");
    body["stream"] = json!(true);
    let text = world.client().await.open(ask(PATH, &body)).await.rest().await;
    assert!(text.contains("stream_interrupted") && !text.contains("response.completed"), "{text}");
    let outcomes: Vec<_> = world.records(4).await.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::ClientFault, Outcome::ClientFault, Outcome::Success, Outcome::Reset]);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted() {
    let world = start(FIVE);
    let resp = world.upstream("resp");
    let counted = json!({"object": "response.input_tokens", "input_tokens": 41});
    resp.script([Answer::json(&counted), Answer::json(&counted)]);
    let body = json!({"model": "resp/r", "input": "hello"});
    let reply = world.send(ask("/v1/responses/input_tokens", &body)).await;
    assert_eq!((reply.status, reply.json()), (200, counted));
    let reply = world.send(ask("/v1/messages/count_tokens", &messages("resp/r"))).await;
    assert_eq!(reply.json(), json!({"input_tokens": 41}));
    let received = resp.received().remove(1);
    assert_eq!(received.target, "/v1/responses/input_tokens");
    let received = sent(&received);
    assert!(received.get("max_output_tokens").is_none() && received.get("store").is_none(), "{received}");
    let reply =
        world.send(ask("/v1/responses/input_tokens", &json!({"model": "gpt/g", "input": "hello"}))).await;
    assert_eq!(reply.json(), json!({"object": "response.input_tokens", "input_tokens": 2}));
    assert_eq!(reply.header("x-pointsman-estimated"), Some("true"));
}
