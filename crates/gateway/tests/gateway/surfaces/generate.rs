//! Ollama's `/api/generate`, and requests that only load a model.

use pointsman_core::{Operation, Outcome};
use pointsman_testkit::mock::Answer;
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};

use super::*;

const PATH: &str = "/api/generate";
const TOKENS: Tokens = Tokens { input: 5, output: 2 };

#[tokio::test(start_paused = true)]
async fn ollama_gets_the_clients_bytes() {
    let world = start(KINDS);
    let olla = world.upstream("olla");
    let told = "{\"model\":\"l\",\"created_at\":\"x\",\"response\":\"hi\",\"done\":true,\"done_reason\":\"stop\",\"context\":[1],\"prompt_eval_count\":3,\"eval_count\":2}";
    olla.script([Answer::new(200, "application/json", told)]);
    let body = "{\"prompt\":\"p\", \"model\":\"olla\\/l\",\"raw\":true,\"stream\":false,\"context\":[1, 2]}";
    let reply = world.send(post(PATH, body)).await;
    assert_eq!((reply.status, &reply.body[..]), (200, told.as_bytes()));
    assert_eq!(olla.received()[0].target, PATH);
    assert_eq!(olla.received()[0].body, body.replace("olla\\/l", "l"));
    let record = world.record().await;
    assert_eq!((record.operation, record.outcome), (Operation::TextCompletion, Outcome::Success));
    assert_eq!((record.usage.input, record.usage.output), (3, 2));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn ollamas_stream_goes_through_as_it_is() {
    let world = start(KINDS);
    let olla = world.upstream("olla");
    let lines = [
        "{\"model\":\"l\",\"response\":\"a\",\"done\":false}\n",
        "{\"model\":\"l\",\"response\":\"\",\"done\":true,\"prompt_eval_count\":3,\"eval_count\":2}\n",
    ];
    let chunks = lines.concat().into_bytes().chunks(7).map(Bytes::copy_from_slice).collect::<Vec<_>>();
    olla.script([Answer::sse(chunks).content_type("application/x-ndjson")]);
    let mut stream = world.client().await.open(ask(PATH, &json!({ "model": "olla/l", "prompt": "p" }))).await;
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!(stream.rest().await, lines.concat());
    let record = world.record().await;
    assert_eq!((record.outcome, record.usage.output, record.streamed), (Outcome::Success, 2, true));
}

#[tokio::test(start_paused = true)]
async fn elsewhere_a_prompt_is_a_chat() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.script([Answer::chat("g", "hello", TOKENS)]);
    let body = json!({
        "model": "gpt/g", "prompt": "p", "system": "s", "stream": false, "suffix": "}", "options": { "seed": 3 },
    });
    let reply = world.send(ask(PATH, &body)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let told = reply.json();
    assert_eq!(
        (&told["response"], &told["done"], &told["eval_count"]),
        (&json!("hello"), &json!(true), &json!(2))
    );
    assert!(told.get("message").is_none());
    assert_eq!(reply.header("x-pointsman-dropped"), Some("suffix"));
    let received = gpt.received().remove(0);
    assert_eq!(received.target, "/v1/chat/completions");
    let sent = received.json();
    assert_eq!(
        (&sent["messages"][0]["role"], &sent["messages"][1]["content"]),
        (&json!("system"), &json!("p"))
    );
    assert_eq!((&sent["seed"], &sent["model"]), (&json!(3), &json!("g")));
}

#[tokio::test(start_paused = true)]
async fn elsewhere_its_stream_is_lines() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.script([Answer::chat_stream("g", &["hel", "lo"], Some(TOKENS))]);
    let mut stream = world.client().await.open(ask(PATH, &json!({ "model": "gpt/g", "prompt": "p" }))).await;
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("application/x-ndjson")));
    let text = stream.rest().await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: String = lines.iter().map(|line| line["response"].as_str().unwrap()).collect();
    assert_eq!(said, "hello");
    let (last, before) = lines.split_last().unwrap();
    assert!(before.iter().all(|line| line["done"] == false));
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert_eq!(gpt.received()[0].json()["stream"], true);
    world.record().await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn loading_a_model_asks_nobody_but_ollama() {
    let world = start(KINDS);
    let (gpt, olla) = (world.upstream("gpt"), world.upstream("olla"));
    let loaded = world.send(ask(PATH, &json!({ "model": "gpt/g" }))).await;
    assert_eq!((loaded.status, loaded.header("content-type")), (200, Some("application/x-ndjson")));
    let told = loaded.json();
    assert_eq!(
        (&told["done_reason"], &told["response"], &told["model"]),
        (&json!("load"), &json!(""), &json!("g"))
    );
    let body = json!({ "model": "gpt/g", "messages": [], "keep_alive": 0, "stream": false });
    let unloaded = world.send(ask("/api/chat", &body)).await;
    assert_eq!(
        (&unloaded.json()["done_reason"], unloaded.header("content-type")),
        (&json!("unload"), Some("application/json"))
    );
    assert_eq!(gpt.connections().accepted, 0);
    let told = "{\"model\":\"l\",\"response\":\"\",\"done\":true,\"done_reason\":\"load\"}";
    olla.script([Answer::new(200, "application/json", told)]);
    let reply = world.send(ask(PATH, &json!({ "model": "olla/l", "stream": false }))).await;
    assert_eq!((reply.status, &reply.body[..]), (200, told.as_bytes()));
    let records = world.records(3).await;
    assert!(records.iter().all(|record| record.outcome == Outcome::Success));
    assert_eq!((records[0].attempts.len(), records[2].attempts.len()), (0, 1));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn errors_are_ollamas() {
    let world = start(KINDS);
    let reply = world.send(ask(PATH, &json!({ "model": "gpt/g", "prompt": 3 }))).await;
    assert_eq!((reply.status, &reply.json()["param"]), (400, &json!("prompt")));
    assert!(reply.json()["error"].is_string());
    assert_eq!(world.send(get(PATH)).await.status, 405);
}
