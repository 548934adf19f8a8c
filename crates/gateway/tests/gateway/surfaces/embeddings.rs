//! Embeddings from every client's call to every kind of provider.

use pointsman_core::{Operation, Outcome, UsageSource};
use pointsman_testkit::mock::Answer;
use serde_json::{Value, json};

use super::*;

const VECTORS: [[f64; 3]; 2] = [[0.25, -1.5, 3.0], [1e-7, 0.0, -0.0625]];
const TEXTS: [&str; 2] = ["first \"text\"", "\u{442}\u{432}o"];

/// A client's call for `texts` of `model`: its path and its body.
fn client(kind: &str, model: &str, texts: &[&str]) -> (String, Value) {
    let content = |text: &&str| json!({ "content": { "parts": [{ "text": text }] }, "model": format!("models/{model}") });
    match kind {
        "openai" => ("/v1/embeddings".into(), json!({ "model": model, "input": texts })),
        "ollama" => ("/api/embed".into(), json!({ "model": model, "input": texts })),
        "ollama-one" => ("/api/embeddings".into(), json!({ "model": model, "prompt": texts[0] })),
        "gemini-one" => (format!("/v1beta/models/{model}:embedContent"), content(&texts[0])),
        _ => {
            let requests: Vec<_> = texts.iter().map(content).collect();
            (format!("/v1beta/models/{model}:batchEmbedContents"), json!({ "requests": requests }))
        }
    }
}

/// The vectors of a client's answer.
fn vectors(kind: &str, answer: &Value) -> Vec<Vec<f64>> {
    let read = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    let list = |name: &str, inner: &str| {
        answer[name].as_array().unwrap().iter().map(|one| read(&one[inner])).collect()
    };
    match kind {
        "openai" => list("data", "embedding"),
        "ollama" => serde_json::from_value(answer["embeddings"].clone()).unwrap(),
        "ollama-one" => vec![read(&answer["embedding"])],
        "gemini-one" => vec![read(&answer["embedding"]["values"])],
        _ => list("embeddings", "values"),
    }
}

/// What a provider answers for so many texts.
fn answer(provider: &str, count: usize) -> Value {
    let vectors = &VECTORS[..count];
    match provider {
        "gpt" => {
            let data: Vec<_> =
                vectors.iter().enumerate().map(|(at, v)| json!({ "index": at, "embedding": v })).collect();
            json!({ "object": "list", "data": data, "model": "told", "usage": { "prompt_tokens": 9, "total_tokens": 9 } })
        }
        "gem" => {
            let embeddings: Vec<_> = vectors.iter().map(|v| json!({ "values": v })).collect();
            json!({ "embeddings": embeddings, "usageMetadata": { "promptTokenCount": 9 } })
        }
        _ => json!({ "model": "told", "embeddings": vectors, "prompt_eval_count": 9, "total_duration": 1 }),
    }
}

const CLIENTS: [&str; 5] = ["openai", "ollama", "ollama-one", "gemini-one", "gemini-batch"];

#[tokio::test(start_paused = true)]
async fn every_client_reaches_every_provider() {
    for (provider, target) in
        [("gpt", "/v1/embeddings"), ("gem", "/v1beta/models/e:batchEmbedContents"), ("olla", "/api/embed")]
    {
        for kind in CLIENTS {
            let world = start(KINDS);
            let upstream = world.upstream(provider);
            let count = if kind.ends_with("one") { 1 } else { 2 };
            upstream.script([Answer::json(&answer(provider, count))]);
            let (path, body) = client(kind, &format!("{provider}/e"), &TEXTS[..count]);
            let reply = world.send(ask(&path, &body)).await;
            assert_eq!(reply.status, 200, "{kind} {provider}: {:?}", reply.body);
            let expected: Vec<Vec<f64>> = VECTORS[..count].iter().map(|v| v.to_vec()).collect();
            assert_eq!(vectors(kind, &reply.json()), expected, "{kind} {provider}");
            assert_eq!(reply.header("x-pointsman-dropped"), None, "{kind} {provider}");
            assert_eq!(reply.header("content-type"), Some("application/json"));

            let received = upstream.received().remove(0);
            assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", target));
            let sent = received.json();
            let texts: Vec<_> = match provider {
                "gem" => {
                    let requests = sent["requests"].as_array().unwrap();
                    assert!(requests.iter().all(|request| request["model"] == "models/e"), "{sent}");
                    requests.iter().map(|request| request["content"]["parts"][0]["text"].clone()).collect()
                }
                _ => {
                    assert_eq!(sent["model"], "e");
                    sent["input"].as_array().unwrap().clone()
                }
            };
            assert_eq!(texts, TEXTS[..count], "{kind} {provider}");

            let record = world.record().await;
            assert_eq!((record.operation, record.outcome), (Operation::Embeddings, Outcome::Success));
            assert_eq!(
                (record.usage.input, record.usage.source),
                (9, UsageSource::Reported),
                "{kind} {provider}"
            );
            world.assert_at_rest();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn openais_own_bytes_are_not_touched() {
    let world = start(KINDS);
    let gpt = world.upstream("gpt");
    let told = "{ \"data\" : [ {\"embedding\":\"AAAA\"} ] , \"x\":1 }";
    gpt.script([Answer::new(200, "application/json", told)]);
    let body = "{\"input\": [[1, 2]], \"model\":\"gpt\\/e\",\"encoding_format\":\"base64\", \"z\":1.0}";
    let reply = world.send(post("/v1/embeddings", body)).await;
    assert_eq!((reply.status, &reply.body[..]), (200, told.as_bytes()));
    assert_eq!(gpt.received()[0].body, body.replace("gpt\\/e", "e"));
}

#[tokio::test(start_paused = true)]
async fn base64_is_made_here_where_the_provider_has_none() {
    let world = start(KINDS);
    let olla = world.upstream("olla");
    olla.script([Answer::json(&json!({ "model": "e", "embeddings": [[0.5, -1.0]] }))]);
    let body = json!({ "model": "olla/e", "input": "x", "encoding_format": "base64", "user": "u" });
    let reply = world.send(ask("/v1/embeddings", &body)).await;
    assert_eq!(reply.json()["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(reply.header("x-pointsman-dropped"), Some("user"));
    let record = world.record().await;
    assert_eq!(record.dropped.as_deref(), Some("user"));
    assert_eq!((record.usage.source, record.usage.input), (UsageSource::Estimated, 1), "nobody counted");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_said_is_refused_or_asked_of_the_next() {
    let world = start(KINDS);
    let (gpt, olla) = (world.upstream("gpt"), world.upstream("olla"));
    // Anthropic has none: the route goes on.
    gpt.script([Answer::json(&answer("gpt", 1))]);
    let reply = world.send(ask("/api/embed", &json!({ "model": "both", "input": "x" }))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gpt")), "{:?}", reply.body);
    let alone = world.send(ask("/v1/embeddings", &json!({ "model": "claude/c", "input": "x" }))).await;
    alone.assert_error(400, "unsupported_operation", None);
    // Ollama takes no tokens.
    let tokens = world.send(ask("/v1/embeddings", &json!({ "model": "olla/e", "input": [1, 2] }))).await;
    tokens.assert_error(400, "invalid_request", Some("input"));
    let strict =
        world.send(ask("/v1/embeddings", &json!({ "model": "exact", "input": "x", "user": "u" }))).await;
    strict.assert_error(400, "invalid_request", Some("user"));
    let wrong = world.send(ask("/v1beta/models/gpt/e:embedContent", &json!({ "content": 3 }))).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
    assert!(wrong.message().contains("content"), "{:?}", wrong.body);
    assert_eq!(olla.connections().accepted, 0);
    world.records(5).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_answers_wrongly_is_told_in_the_clients_words() {
    let world = start(KINDS);
    let olla = world.upstream("olla");
    // One vector for two texts.
    olla.otherwise(|_| Answer::json(&answer("olla", 1)));
    let (path, body) = client("gemini-batch", "olla/e", &TEXTS);
    let reply = world.send(ask(&path, &body)).await;
    assert_eq!((reply.status, &reply.json()["error"]["status"]), (502, &json!("UNAVAILABLE")));
    let gem = world.upstream("gem");
    gem.otherwise(|_| {
        let error = json!({ "error": { "code": 400, "message": "too long", "status": "INVALID_ARGUMENT" } });
        Answer::status(400, &error)
    });
    let reply = world.send(ask("/api/embed", &json!({ "model": "gem/e", "input": "x" }))).await;
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("too long")));
    assert_eq!(gem.received()[0].header_all("x-goog-api-key"), ["alpha-secret"]);
}

#[tokio::test(start_paused = true)]
async fn paths_of_embeddings_are_for_post() {
    let world = start(KINDS);
    for path in ["/api/embed", "/api/embeddings", "/v1beta/models/gpt/e:embedContent"] {
        let reply = world.send(get(path)).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{path}");
    }
}
