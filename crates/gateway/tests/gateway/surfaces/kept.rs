//! Answers of the responses API that are kept: read again, gone on from, deleted; each by its owner alone.

use pointsman_core::{Operation, Outcome};
use pointsman_testkit::mock::{Answer, Received};
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};

use super::*;

const PATH: &str = "/v1/responses";
const TOKENS: Tokens = Tokens { input: 5, output: 2 };

/// What a provider of the dialect answers.
fn response(id: &str, text: &str, store: Option<bool>) -> Value {
    json!({
        "id": id, "object": "response", "created_at": 1_790_000_000, "status": "completed", "model": "r", "store": store,
        "output": [{ "type": "message", "id": "msg_up", "status": "completed", "role": "assistant",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }] }],
        "usage": { "input_tokens": 5, "output_tokens": 2, "total_tokens": 7 },
    })
}

fn events(response: &Value) -> Vec<Bytes> {
    let event = |kind: &str, value: &Value| Bytes::from(format!("event: {kind}\ndata: {value}\n\n"));
    let begun =
        json!({ "id": response["id"], "status": "in_progress", "store": response["store"], "output": [] });
    let delta = json!({ "type": "response.output_text.delta", "item_id": "msg_up", "output_index": 0, "content_index": 0,
        "delta": "hi", "sequence_number": 2 });
    let part = json!({ "type": "output_text", "text": "", "annotations": [] });
    vec![
        event(
            "response.created",
            &json!({ "type": "response.created", "response": begun, "sequence_number": 0 }),
        ),
        event(
            "response.output_item.added",
            &json!({ "type": "response.output_item.added", "output_index": 0,
            "item": { "type": "message", "id": "msg_up", "role": "assistant", "status": "in_progress", "content": [] } }),
        ),
        event(
            "response.content_part.added",
            &json!({ "type": "response.content_part.added", "item_id": "msg_up",
            "output_index": 0, "content_index": 0, "part": part }),
        ),
        event("response.output_text.delta", &delta),
        event(
            "response.completed",
            &json!({ "type": "response.completed", "response": response, "sequence_number": 3 }),
        ),
    ]
}

fn said(received: &Received) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let sent = received.json();
    sent["messages"].as_array().unwrap().iter().map(|m| (text(&m["role"]), text(&m["content"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(role, text)| (role.to_owned(), text.to_owned())).collect()
}

async fn id_of(world: &World, body: &Value) -> String {
    let reply = world.send(ask(PATH, body)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    reply.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_on_with_a_provider_that_knows_nothing_of_it() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.script([
        Answer::chat("g", "one", TOKENS),
        Answer::chat_stream("g", &["tw", "o"], Some(TOKENS)),
        Answer::chat("g", "three", TOKENS),
    ]);
    let first = id_of(&world, &json!({ "model": "gpt/g", "input": "first?", "instructions": "once" })).await;
    assert!(first.starts_with("resp_"), "{first}");

    let body = json!({ "model": "gpt/g", "input": [{ "role": "user", "content": "second?" }], "stream": true,
        "previous_response_id": first });
    let mut stream = world.client().await.open(ask(PATH, &body)).await;
    assert_eq!(stream.status, 200);
    let text = stream.rest().await;
    let done = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let done: Value = serde_json::from_str(done).unwrap();
    assert_eq!(
        (&done["type"], &done["response"]["previous_response_id"]),
        (&json!("response.completed"), &json!(first))
    );
    let second = done["response"]["id"].as_str().unwrap().to_owned();

    let third =
        id_of(&world, &json!({ "model": "gpt/g", "input": "third?", "previous_response_id": second })).await;
    let received = gpt.received();
    assert_eq!(said(&received[0]), pairs(&[("system", "once"), ("user", "first?")]));
    let expected = [("user", "first?"), ("assistant", "one"), ("user", "second?")];
    assert_eq!(said(&received[1]), pairs(&expected), "instructions are not carried over");
    let expected = [&expected[..], &[("assistant", "two"), ("user", "third?")]].concat();
    assert_eq!(said(&received[2]), pairs(&expected));
    for received in &received {
        let sent = received.json().to_string();
        assert!(!sent.contains("pm1_") && !sent.contains("previous_response_id"), "{sent}");
    }

    // All of it is listed, the newest first.
    let items = world.send(get(&format!("{PATH}/{third}/input_items?limit=4"))).await.json();
    let texts: Vec<_> = items["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["content"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["third?", "two", "second?", "one"]);
    assert_eq!(items["has_more"], true);
    let after = items["last_id"].as_str().unwrap();
    let rest = world.send(get(&format!("{PATH}/{third}/input_items?after={after}"))).await.json();
    assert_eq!(
        (&rest["data"][0]["content"][0]["text"], &rest["has_more"]),
        (&json!("first?"), &json!(false))
    );
    world.records(5).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_read_again_until_it_is_deleted() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.script([Answer::chat("g", "hello", TOKENS)]);
    let made =
        world.send(ask(PATH, &json!({ "model": "gpt/g", "input": "x", "metadata": { "a": "b" } }))).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let again = world.send(get(&format!("{PATH}/{id}"))).await;
    assert_eq!((again.status, &again.body), (200, &made.body));
    assert_eq!(again.header("content-type"), Some("application/json"));

    let cancel = world.send(call("POST", &format!("{PATH}/{id}/cancel"))).await;
    cancel.assert_error(400, "invalid_request", None);
    assert_eq!(cancel.message(), "Cannot cancel a synchronous response.");
    let streamed = world.send(get(&format!("{PATH}/{id}?stream=true"))).await;
    streamed.assert_error(400, "invalid_request", Some("stream"));
    let wrong = world.send(get(&format!("{PATH}/{id}/input_items?order=up"))).await;
    wrong.assert_error(400, "invalid_request", Some("order"));

    let gone = world.send(call("DELETE", &format!("{PATH}/{id}"))).await;
    assert_eq!(gone.json(), json!({ "id": id, "object": "response", "deleted": true }));
    for (method, path) in [
        ("GET", format!("{PATH}/{id}")),
        ("DELETE", format!("{PATH}/{id}")),
        ("POST", format!("{PATH}/{id}/cancel")),
        ("GET", format!("{PATH}/{id}/input_items")),
    ] {
        let reply = world.send(call(method, &path)).await;
        reply.assert_error(404, "object_not_found", None);
        assert_eq!(reply.message(), format!("Response with id '{id}' not found."));
    }
    let next = json!({ "model": "gpt/g", "input": "y", "previous_response_id": id });
    let reply = world.send(ask(PATH, &next)).await;
    reply.assert_error(400, "previous_response_not_found", Some("previous_response_id"));
    assert_eq!(reply.message(), format!("Previous response with id '{id}' not found."));
    assert_eq!(gpt.received().len(), 1);
    let records = world.records(11).await;
    assert_eq!((records[1].operation, records[1].outcome), (Operation::Responses, Outcome::Success));
    assert!(records[1..].iter().all(|record| record.usage.total() == 0));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_the_client_does_not_want_kept_is_not() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.otherwise(|_| Answer::chat("g", "hello", TOKENS));
    let id = id_of(&world, &json!({ "model": "gpt/g", "input": "x", "store": false })).await;
    assert_eq!(world.send(get(&format!("{PATH}/{id}"))).await.status, 404);
    let off = start(&format!("{KINDS}data: {{ responses: {{ keep: false }} }}\n"));
    let (gpt, native) = (off.upstream("gpt"), off.upstream("native"));
    gpt.otherwise(|_| Answer::chat("g", "hello", TOKENS));
    native.otherwise(|_| Answer::json(&response("resp_n", "hi", Some(true))));
    let id = id_of(&off, &json!({ "model": "gpt/g", "input": "x" })).await;
    assert_eq!(off.send(get(&format!("{PATH}/{id}"))).await.status, 404);
    // Who keeps what is still known.
    let id = id_of(&off, &json!({ "model": "native/r", "input": "x" })).await;
    assert_eq!(off.send(get(&format!("{PATH}/{id}"))).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_its_owners_alone() {
    let world = start(&keyed());
    let (gpt, native) = (world.upstream("gpt"), world.upstream("native"));
    gpt.otherwise(|_| Answer::chat("g", "hello", TOKENS));
    native.otherwise(|_| Answer::json(&response("resp_n", "hi", Some(true))));
    let make = |model: &str| by(ask(PATH, &json!({ "model": model, "input": "x" })), "ann");
    let own = world.send(make("gpt/g")).await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(world.send(make("native/r")).await.json()["id"], "resp_n");
    for id in [own.as_str(), "resp_n"] {
        for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")] {
            let reply = world.send(by(call(method, &format!("{PATH}/{id}{path}")), "bob")).await;
            reply.assert_error(404, "object_not_found", None);
        }
        let body = json!({ "model": "gpt/g", "input": "y", "previous_response_id": id });
        let reply = world.send(by(ask(PATH, &body), "bob")).await;
        reply.assert_error(400, "previous_response_not_found", Some("previous_response_id"));
        assert_eq!(world.send(call("GET", &format!("{PATH}/{id}"))).await.status, 401);
    }
    assert_eq!((gpt.received().len(), native.received().len()), (1, 1), "nobody was asked");
    assert_eq!(world.send(by(get(&format!("{PATH}/{own}")), "ann")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_keeps_is_gone_on_from_there() {
    let world = start(KINDS);
    let native = world.upstream("native");
    native.script([
        Answer::json(&response("resp_1", "hi", Some(true))),
        Answer::sse(events(&response("resp_2", "hi", Some(true)))),
        Answer::json(&response("resp_3", "hi", Some(true))),
    ]);
    assert_eq!(id_of(&world, &json!({ "model": "native/r", "input": "x" })).await, "resp_1");
    let key = native.received()[0].header("authorization").unwrap().to_owned();
    // A route whose first candidate is somebody else, and another model of the provider.
    let body = json!({ "model": "any", "input": "y", "previous_response_id": "resp_1", "stream": true });
    let mut stream = world.client().await.open(ask(PATH, &body)).await;
    assert_eq!((stream.status, stream.header("x-pointsman-provider")), (200, Some("native")));
    stream.rest().await;
    let body = "{\"model\":\"native\\/r2\", \"input\":\"z\",\"previous_response_id\":\"resp_2\", \"n\": 1.0}";
    assert_eq!(world.send(post(PATH, body)).await.json()["id"], "resp_3");
    let received = native.received();
    assert_eq!(received[1].json()["previous_response_id"], "resp_1");
    assert_eq!(received[2].body, body.replace("native\\/r2", "r2"), "its bytes are not touched");
    for received in &received {
        assert_eq!(received.header("authorization"), Some(&*key), "the account that keeps it");
    }
    let elsewhere = json!({ "model": "gpt/g", "input": "x", "previous_response_id": "resp_1" });
    let reply = world.send(ask(PATH, &elsewhere)).await;
    reply.assert_error(400, "invalid_request", Some("previous_response_id"));
    assert!(reply.message().contains("`native`"), "{}", reply.message());
    world.records(4).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_keeps_is_read_and_deleted_there() {
    let world = start(KINDS);
    let native = world.upstream("native");
    let mut failed = response("resp_1", "hi", Some(true));
    failed["error"] = json!({ "code": "server_error", "message": "it failed later" });
    native.script([
        Answer::json(&response("resp_1", "hi", Some(true))),
        Answer::json(&failed),
        Answer::sse(events(&response("resp_1", "hi", Some(true)))),
        Answer::json(&json!({ "object": "list", "data": [], "has_more": false })),
        Answer::status(400, &json!({ "error": { "message": "Cannot cancel a synchronous response.", "type": "invalid_request_error", "param": null, "code": null } })),
        Answer::json(&json!({ "id": "resp_1", "object": "response", "deleted": true })),
    ]);
    id_of(&world, &json!({ "model": "native/r", "input": "x" })).await;
    let path = format!("{PATH}/resp_1");
    assert_eq!(
        world.send(get(&format!("{path}?include=reasoning.encrypted_content&key=secret"))).await.json(),
        failed
    );
    let mut stream = world.client().await.open(get(&format!("{path}?stream=true&starting_after=4"))).await;
    assert_eq!(stream.status, 200);
    assert!(stream.rest().await.contains("response.completed"));
    assert_eq!(
        world.send(get(&format!("{path}/input_items?limit=3&order=asc"))).await.json()["object"],
        "list"
    );
    let refused = world.send(call("POST", &format!("{path}/cancel"))).await;
    assert_eq!((refused.status, refused.message().as_str()), (400, "Cannot cancel a synchronous response."));
    assert_eq!(world.send(call("DELETE", &path)).await.json()["deleted"], true);
    assert_eq!(world.send(get(&path)).await.status, 404);

    let received = native.received();
    let asked: Vec<_> = received.iter().map(|r| format!("{} {}", r.method, r.target)).collect();
    assert_eq!(
        asked,
        [
            "POST /v1/responses",
            "GET /v1/responses/resp_1?include=reasoning.encrypted_content",
            "GET /v1/responses/resp_1?stream=true&starting_after=4",
            "GET /v1/responses/resp_1/input_items?limit=3&order=asc",
            "POST /v1/responses/resp_1/cancel",
            "DELETE /v1/responses/resp_1",
        ]
    );
    let key = received[0].header("authorization");
    assert!(received.iter().all(|received| received.header("authorization") == key));
    let records = world.records(7).await;
    assert!(records[1..].iter().all(|record| record.usage.total() == 0), "it was billed when it was made");
    assert_eq!((records[2].outcome, records[4].outcome), (Outcome::Success, Outcome::ClientFault));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_of_the_dialect_does_not_keep_is_kept_here() {
    let world = start(KINDS);
    let native = world.upstream("native");
    native.script([
        Answer::json(&response("resp_1", "one", None)),
        Answer::sse(events(&response("resp_2", "two", Some(false)))),
        Answer::json(&response("resp_3", "three", Some(false))),
    ]);
    id_of(&world, &json!({ "model": "native/r", "input": "first?" })).await;
    let body =
        json!({ "model": "native/r", "input": "second?", "previous_response_id": "resp_1", "stream": true });
    let mut stream = world.client().await.open(ask(PATH, &body)).await;
    stream.rest().await;
    id_of(&world, &json!({ "model": "native/r", "input": "third?", "previous_response_id": "resp_2" })).await;
    let sent = native.received()[2].json();
    let texts: Vec<_> = sent["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["content"][0]["text"].as_str().or(item["content"].as_str()).unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["first?", "one", "second?", "two", "third?"]);
    assert!(sent.get("previous_response_id").is_none() && !sent.to_string().contains("pm1_"), "{sent}");
    assert_eq!(
        world.send(get(&format!("{PATH}/resp_2"))).await.json()["output"][0]["content"][0]["text"],
        "two"
    );
}

#[tokio::test(start_paused = true)]
async fn items_that_are_only_named_are_sent_whole() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.otherwise(|_| Answer::chat("g", "one", TOKENS));
    let made = world.send(ask(PATH, &json!({ "model": "gpt/g", "input": "first?" }))).await.json();
    let item = made["output"][0]["id"].as_str().unwrap();
    let body = json!({ "model": "gpt/g", "input": [
        { "role": "user", "content": "first?" }, { "type": "item_reference", "id": item }, { "role": "user", "content": "and?" },
    ] });
    assert_eq!(world.send(ask(PATH, &body)).await.status, 200);
    let expected = [("user", "first?"), ("assistant", "one"), ("user", "and?")];
    assert_eq!(said(&gpt.received()[1]), pairs(&expected));
    let unknown =
        json!({ "model": "gpt/g", "input": [{ "type": "item_reference", "id": "msg_pm1_none_0" }] });
    let reply = world.send(ask(PATH, &unknown)).await;
    reply.assert_error(400, "invalid_request", Some("input"));
    assert_eq!(reply.message(), "Item with id 'msg_pm1_none_0' not found.");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_has_a_limit() {
    let world = start(&format!("{KINDS}server: {{ max_body: 4KiB, max_in_flight: 8KiB }}\n"));
    let gpt = world.upstream("gpt");
    gpt.otherwise(|_| Answer::chat("g", "one", TOKENS));
    let mut previous = id_of(&world, &json!({ "model": "gpt/g", "input": "x".repeat(1_000) })).await;
    let mut turns = 1;
    let refused = loop {
        let body = json!({ "model": "gpt/g", "input": "x".repeat(1_000), "previous_response_id": previous });
        let reply = world.send(ask(PATH, &body)).await;
        if reply.status != 200 {
            break reply;
        }
        previous = reply.json()["id"].as_str().unwrap().to_owned();
        turns += 1;
        assert!(turns < 10);
    };
    refused.assert_error(413, "body_too_large", Some("previous_response_id"));
    world.records(turns + 1).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_whole_conversation_are_counted() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    gpt.script([Answer::chat("g", &"o".repeat(400), TOKENS)]);
    let id = id_of(&world, &json!({ "model": "gpt/g", "input": "first?" })).await;
    let count = |body: Value| {
        let world = &world;
        async move {
            let reply = world.send(ask("/v1/responses/input_tokens", &body)).await;
            assert_eq!(reply.status, 200, "{:?}", reply.body);
            reply.json()["input_tokens"].as_u64().unwrap()
        }
    };
    let alone = count(json!({ "model": "gpt/g", "input": "x" })).await;
    let whole = count(json!({ "model": "gpt/g", "input": "x", "previous_response_id": id })).await;
    assert!(whole >= alone + 100, "{alone} {whole}");
    let other = json!({ "model": "gpt/g", "input": "x", "previous_response_id": "resp_none" });
    let reply = world.send(ask("/v1/responses/input_tokens", &other)).await;
    reply.assert_error(400, "previous_response_not_found", Some("previous_response_id"));
}

#[tokio::test(start_paused = true)]
async fn paths_and_methods() {
    let world = start(KINDS);
    world.send(get("/v1/responses/resp_none")).await.assert_error(404, "object_not_found", None);
    world.send(call("PUT", "/v1/responses/resp_1")).await.assert_error(405, "method_not_allowed", None);
    world.send(get("/v1/responses/resp_1/cancel")).await.assert_error(405, "method_not_allowed", None);
    for path in ["/v1/responses/compact", "/v1/responses/resp_1/other", "/v1/responses/a%2Fb"] {
        world.send(get(path)).await.assert_error(404, "unknown_path", None);
    }
}
