//! Gemini's dialect on either side, and on both: the model and the stream stand in the path.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::{Operation, Outcome};
use pointsman_testkit::mock::{Answer, Cut};
use pointsman_testkit::openai::Tokens;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fixtures::*;
use crate::harness::*;

/// A smallest request.
fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}

fn generate(model: &str, method: &str) -> Request<Full<Bytes>> {
    ask(&format!("/v1beta/models/{model}:{method}"), &contents())
}

/// The text of all parts.
fn said(chunks: &[Value]) -> String {
    let parts = chunks.iter().filter_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array());
    parts.flatten().filter_map(|part| part["text"].as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn clients_of_other_dialects_get_its_answers() {
    let world = start(FIVE);
    let goog = world.upstream("goog");
    goog.script([
        Answer::json(&candidates()),
        Answer::sse(candidate_events()),
        Answer::sse(candidate_events()),
    ]);
    let reply = world.send(ask("/v1/chat/completions", &tool_chat("goog/f"))).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let received = goog.received().remove(0);
    assert_eq!(received.target, "/v1beta/models/f:generateContent");
    assert_eq!(received.header_all("x-goog-api-key"), ["alpha-secret"]);
    assert_eq!(received.header("authorization"), None);
    let body = sent(&received);
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["args"], json!({"city": "Bern"}));
    assert!(body["systemInstruction"].to_string().contains("Be brief."), "{body}");
    let choice = &reply.json()["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("Let me see."), &json!("tool_calls"))
    );

    let text = world.stream("goog/f").await.rest().await;
    assert!(text.ends_with("data: [DONE]\n\n") && text.contains("Let me "), "{text}");
    let mut body = messages("goog/f");
    body["stream"] = json!(true);
    let text = world.client().await.open(ask("/v1/messages", &body)).await.rest().await;
    assert!(text.contains("event: message_stop") && text.contains("\"stop_reason\":\"tool_use\""), "{text}");
    assert_eq!(goog.received()[2].target, "/v1beta/models/f:streamGenerateContent?alt=sse");
    let records = world.records(3).await;
    for record in &records {
        assert_eq!((record.usage.input, record.usage.cached_input, record.usage.output), (14, 4, 9));
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn its_own_clients_get_events_or_an_array_whoever_answers() {
    let world = start(FIVE);
    let [gpt, claude] = ["gpt", "claude"].map(|name| world.upstream(name));
    let tokens = Tokens { input: 14, output: 9 };
    gpt.otherwise(move |received| match received.json()["stream"] == true {
        true => Answer::chat_stream("gpt-x", &["Let me ", "see."], Some(tokens)),
        false => Answer::chat("gpt-x", "Let me see.", tokens),
    });
    claude.script([Answer::sse(message_events())]);
    let reply = world.send(generate("gpt/g", "generateContent")).await;
    assert_eq!((reply.status, said(&[reply.json()])), (200, "Let me see.".to_owned()));
    assert_eq!(reply.json()["usageMetadata"]["promptTokenCount"], 14);
    for path in [
        "/v1beta/models/gpt%2Fg:streamGenerateContent?alt=sse",
        "/v1/models/gpt/g:streamGenerateContent?alt=sse",
    ] {
        let mut stream = world.client().await.open(ask(path, &contents())).await;
        assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
        let text = stream.rest().await;
        assert!(!text.contains("[DONE]"), "{text}");
        assert_eq!(said(&data(&text)), "Let me see.");
    }
    for (model, words) in [("gpt/g", "STOP"), ("claude/c", "functionCall")] {
        let mut stream = world.client().await.open(generate(model, "streamGenerateContent")).await;
        assert_eq!((stream.status, stream.header("content-type")), (200, Some("application/json")));
        let text = stream.rest().await;
        let chunks: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(said(&chunks), "Let me see.");
        assert!(text.contains(words), "{text}");
    }
    let records = world.records(5).await;
    assert!(records.iter().all(|record| record.outcome == Outcome::Success && record.usage.output == 9));
    assert_eq!(&*records[1].requested_model, "gpt/g");
    assert_eq!(
        records.iter().map(|record| record.streamed).collect::<Vec<_>>(),
        [false, true, true, true, true]
    );
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn on_both_sides_bytes_stay_what_they_are() {
    let world = start(FIVE);
    let goog = world.upstream("goog");
    let odd = "{ \"contents\":[{\"parts\":[{\"text\":\"h\\u00e9\"}]}], \"unknown\":1e999 }\n";
    let answer = format!(" {} ", candidates());
    goog.script([Answer::new(200, "application/json; charset=UTF-8", answer.clone())]);
    let reply = world.send(post("/v1beta/models/goog/f:generateContent", odd)).await;
    assert_eq!(
        (&reply.body[..], reply.header("content-type")),
        (answer.as_bytes(), Some("application/json; charset=UTF-8"))
    );
    let received = goog.received().remove(0);
    assert_eq!(
        (&received.body[..], received.target.as_str()),
        (odd.as_bytes(), "/v1beta/models/f:generateContent")
    );

    let bytes = candidate_events().concat();
    for size in [1, 50, 10_000] {
        goog.script([Answer::sse(bytes.chunks(size).map(Bytes::copy_from_slice))]);
        let path = "/v1beta/models/goog/f:streamGenerateContent?alt=sse";
        let mut stream = world.client().await.open(post(path, odd)).await;
        assert_eq!(stream.rest().await.as_bytes(), bytes, "in chunks of {size}");
        goog.script([Answer::sse(bytes.chunks(size).map(Bytes::copy_from_slice))]);
        let mut stream =
            world.client().await.open(post("/v1beta/models/goog/f:streamGenerateContent", odd)).await;
        assert_eq!(stream.header("content-type"), Some("application/json"));
        let text = stream.rest().await;
        let chunks: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(chunks, data(&String::from_utf8(bytes.clone()).unwrap()), "in chunks of {size}");
        let received = goog.received().pop().unwrap();
        assert_eq!(received.target, "/v1beta/models/f:streamGenerateContent?alt=sse");
        assert_eq!(received.body, odd);
    }
    let records = world.records(7).await;
    assert!(
        records.iter().all(|record| (record.usage.input, record.outcome) == (14, Outcome::Success)),
        "{records:?}"
    );
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn its_errors_have_its_shape() {
    let world = start(FIVE);
    let [goog, gpt] = ["goog", "gpt"].map(|name| world.upstream(name));
    let missing = world.send(generate("goog/none", "generateContent")).await;
    assert_eq!((missing.status, missing.error()["status"].as_str()), (404, Some("NOT_FOUND")));
    let wrong = world.send(post("/v1beta/models/gpt/g:generateContent", "{}")).await;
    assert_eq!((wrong.status, wrong.error()["status"].as_str()), (400, Some("INVALID_ARGUMENT")));
    let method = world.send(get("/v1beta/models/gpt/g:generateContent")).await;
    assert_eq!((method.status, method.error()["code"].as_u64()), (405, Some(405)));
    let unknown = world.send(post("/models/gpt/g:countTokens", "{}")).await;
    assert_eq!((unknown.status, unknown.error()["status"].as_str()), (404, Some("NOT_FOUND")));
    assert!(unknown.message().contains("/v1beta/models/{model}:countTokens"), "{}", unknown.message());
    let own = json!({"error": {"code": 400, "message": "bad argument", "status": "INVALID_ARGUMENT"}});
    goog.script([Answer::status(400, &own)]);
    let reply = world.send(generate("goog/f", "generateContent")).await;
    assert_eq!((reply.status, reply.json()), (400, own));
    gpt.script([Answer::error(400, "no such thing")]);
    let reply = world.send(generate("gpt/g", "generateContent")).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "no such thing"));
    assert_eq!(reply.error()["status"], "INVALID_ARGUMENT");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_stays_readable() {
    let world = start(FIVE);
    let [goog, gpt] = ["goog", "gpt"].map(|name| world.upstream(name));
    let tokens = Some(Tokens { input: 1, output: 1 });
    for (model, mock) in [("gpt/g", &gpt), ("goog/f", &goog)] {
        let answer = match model {
            "gpt/g" => Answer::chat_stream("g", &["a", "b"], tokens),
            _ => Answer::sse(candidate_events()),
        };
        let answer = answer.cut_after_parts(2, Cut::Reset);
        mock.script([answer.clone(), answer]);
        let text = world.client().await.open(generate(model, "streamGenerateContent")).await.rest().await;
        let chunks: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let last = chunks.last().unwrap();
        assert_eq!(last["error"]["status"], "UNAVAILABLE", "{text}");
        assert!(!said(&chunks).is_empty() && !text.contains("finishReason"), "{text}");
        let path = format!("/v1beta/models/{model}:streamGenerateContent?alt=sse");
        let text = world.client().await.open(ask(&path, &contents())).await.rest().await;
        let last = text.trim_end().rsplit("data: ").next().unwrap();
        let error: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(error["error"]["status"], "UNAVAILABLE");
    }
    let records = world.records(4).await;
    assert!(records.iter().all(|record| record.outcome == Outcome::Reset), "{records:?}");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn keys_may_stand_in_its_queries_and_go_no_further() {
    let hash: String = Sha256::digest("pm-1").iter().map(|byte| format!("{byte:02x}")).collect();
    let world = start(&format!("{FIVE}keys: [{{ id: k, sha256: {hash} }}]\n"));
    let goog = world.upstream("goog");
    goog.otherwise(|_| Answer::json(&candidates()));
    let path = "/v1beta/models/goog/f:generateContent";
    let keyed = |key: &str| ask(&format!("{path}?key={key}"), &contents());
    assert_eq!(world.send(keyed("pm-1")).await.status, 200);
    assert_eq!(world.send(keyed("pm%2D1")).await.status, 200);
    assert_eq!(world.send(with(ask(path, &contents()), "x-goog-api-key", "pm-1")).await.status, 200);
    for wrong in [keyed("pm-2"), keyed(""), ask(path, &contents()), keyed("pm%ZZ")] {
        let reply = world.send(wrong).await;
        assert_eq!((reply.status, reply.error()["status"].as_str()), (401, Some("UNAUTHENTICATED")));
    }
    let twice = world.send(keyed("pm-1&key=pm-2")).await;
    assert_eq!((twice.status, twice.error()["status"].as_str()), (400, Some("INVALID_ARGUMENT")));
    for received in goog.received() {
        assert_eq!(received.target, "/v1beta/models/f:generateContent");
        assert!(!received.headers.iter().any(|(_, value)| value.contains("pm-")), "{:?}", received.headers);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_across_dialects() {
    let world = start(FIVE);
    let [goog, claude] = ["goog", "claude"].map(|name| world.upstream(name));
    let own = "{\"totalTokens\": 31, \"promptTokensDetails\": []}";
    goog.script([Answer::new(200, "application/json", own), Answer::json(&json!({"totalTokens": 32}))]);
    claude.script([Answer::json(&json!({"input_tokens": 33})), Answer::json(&json!({"input_tokens": 34}))]);
    let wrapped =
        json!({"generateContentRequest": {"model": "models/f", "contents": contents()["contents"]}});

    let reply = world.send(ask("/v1beta/models/goog/f:countTokens", &wrapped)).await;
    assert_eq!((reply.status, &reply.body[..]), (200, own.as_bytes()));
    assert_eq!(goog.received()[0].json(), wrapped, "its own clients' bytes stay");
    let reply = world.send(ask("/v1/messages/count_tokens", &messages("goog/f"))).await;
    assert_eq!(reply.json(), json!({"input_tokens": 32}));
    let received = goog.received().remove(1);
    assert_eq!(received.target, "/v1beta/models/f:countTokens");
    let inside = &sent(&received)["generateContentRequest"];
    assert_eq!(
        (&inside["model"], &inside["contents"][0]["parts"][0]["text"]),
        (&json!("models/f"), &json!("hello"))
    );
    for (body, tokens) in [(contents(), 33), (wrapped, 34)] {
        let reply = world.send(ask("/v1beta/models/claude/c:countTokens", &body)).await;
        assert_eq!(reply.json(), json!({"totalTokens": tokens}));
    }
    let received = sent(&claude.received()[0]);
    let names: Vec<_> = received.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["model", "messages"], "nothing about the answer");
    let reply = world.send(ask("/v1beta/models/gpt/g:countTokens", &contents())).await;
    assert_eq!(
        (reply.json(), reply.header("x-pointsman-estimated")),
        (json!({"totalTokens": 2}), Some("true"))
    );
    let records = world.records(5).await;
    assert!(records.iter().all(|record| record.operation == Operation::TokenCount && record.status == 200));
}

#[tokio::test(start_paused = true)]
async fn a_tool_has_the_name_that_each_side_takes() {
    let world = start(FIVE);
    let gpt = world.upstream("gpt");
    gpt.otherwise(|received| {
        let body = received.json();
        let name = &body["tools"][0]["function"]["name"];
        let calls = json!([{"index": 0, "id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}]);
        let head = |object: &str| json!({"id": "1", "object": object, "created": 1, "model": "g"});
        let said = json!({"role": "assistant", "content": null, "tool_calls": calls});
        if body["stream"] == true {
            let mut chunk = head("chat.completion.chunk");
            chunk["choices"] = json!([{"index": 0, "delta": said, "finish_reason": "tool_calls"}]);
            return Answer::sse([format!("data: {chunk}\n\n"), "data: [DONE]\n\n".to_owned()].map(Bytes::from));
        }
        let mut answer = head("chat.completion");
        answer["choices"] = json!([{"index": 0, "message": said, "finish_reason": "tool_calls"}]);
        Answer::json(&answer)
    });
    let mut body = contents();
    body["tools"] = json!([{"functionDeclarations": [{"name": "ns.tool:go"}]}]);
    for method in ["generateContent", "streamGenerateContent?alt=sse"] {
        let text = world
            .client()
            .await
            .open(ask(&format!("/v1beta/models/gpt%2Fg:{method}"), &body))
            .await
            .rest()
            .await;
        assert!(text.contains(r#""name":"ns.tool:go""#) && !text.contains("ns_tool_go"), "{text}");
    }
    for received in gpt.received() {
        let name = received.json()["tools"][0]["function"]["name"].as_str().unwrap().to_owned();
        assert!(name.starts_with("ns_tool_go_") && name.len() == 19, "{name}");
    }
    world.assert_at_rest();
}
