//! Providers with a dialect of their own: where OpenAI's other operations go there, and that those which do not
//! exist are told, not sent.

use std::collections::HashMap;

use pointsman_core::{ErrorCode, Operation};
use pointsman_testkit::mock::Answer;
use serde_json::json;

use super::*;

const SIDES: &str = r"
providers:
  gemini: { base_url: http://gem.test/v1beta/openai/, keys: { env: ALPHA_KEY } }
  ollama: { base_url: 'http://olla.test/v1', models: [l] }
  claude: { vendor: anthropic, base_url: http://claude.test/v1, keys: { env: BETA_KEY }, models: [c] }
  old: { kind: azure, base_url: 'http://old.test', api_version: 2024-10-21, models: [d] }
  azure: { base_url: 'http://az.test/openai/v1', keys: { env: BETA_KEY }, models: [d] }
routes:
  pictures: { first: [claude/c, gemini/draw] }
";

fn form(path: &str, model: &str) -> Request<Full<Bytes>> {
    let body = format!("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--B--\r\n");
    let request = Request::post(path).header("host", HOST);
    let request = request.header("content-type", "multipart/form-data; boundary=B");
    request.body(Full::new(body.into())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn operations_of_openais_api_go_to_the_side_that_has_them() {
    let world = start(SIDES);
    let mocks: HashMap<_, _> =
        ["gem", "old", "az"].into_iter().map(|host| (host, world.upstream(host))).collect();
    let draw = json!({"model": "gemini/draw", "prompt": "a fox"});
    let say = json!({"model": "old/d", "input": "hi", "voice": "v"});
    for (host, request, target, auth) in [
        (
            "gem",
            ask("/v1/images/generations", &draw),
            "/v1beta/openai/images/generations",
            ("x-goog-api-key", "alpha-secret"),
        ),
        (
            "gem",
            form("/v1/images/edits", "gemini/draw"),
            "/v1beta/openai/images/edits",
            ("x-goog-api-key", "alpha-secret"),
        ),
        (
            "gem",
            with(form("/v1/files", "x"), "x-pointsman-provider", "gemini"),
            "/v1beta/openai/files",
            ("x-goog-api-key", "alpha-secret"),
        ),
        (
            "old",
            ask("/v1/audio/speech", &say),
            "/openai/deployments/d/audio/speech?api-version=2024-10-21",
            ("host", "old.test"),
        ),
        (
            "old",
            form("/v1/audio/transcriptions", "old/d"),
            "/openai/deployments/d/audio/transcriptions?api-version=2024-10-21",
            ("host", "old.test"),
        ),
        (
            "az",
            form("/v1/audio/transcriptions", "azure/d"),
            "/openai/v1/audio/transcriptions",
            ("api-key", "beta-secret"),
        ),
    ] {
        let upstream = &mocks[host];
        upstream.script([Answer::json(&json!({"id": "x"}))]);
        let reply = world.send(request).await;
        assert_eq!(reply.status, 200, "{target}: {:?}", reply.body);
        let received = upstream.received().pop().unwrap();
        assert_eq!(received.target, target);
        assert_eq!(received.header_all(auth.0), [auth.1], "{target}");
        assert!(auth.0 == "authorization" || received.header("authorization").is_none(), "{target}");
    }
    let chat = json!({"model": "ollama/l", "messages": [{"role": "user", "content": "hi"}]});
    let olla = world.upstream("olla");
    olla.script([Answer::json(&json!({
        "model": "l", "created_at": "2026-01-01T00:00:00Z", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": "hello"}, "prompt_eval_count": 3, "eval_count": 1,
    }))]);
    let reply = world.send(ask("/v1/chat/completions", &chat)).await;
    assert_eq!((reply.status, olla.received()[0].target.as_str()), (200, "/api/chat"), "{:?}", reply.body);
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_does_not_have_is_told_or_asked_of_the_next() {
    let world = start(SIDES);
    let claude = world.upstream("claude");
    let draw = |model: &str| json!({"model": model, "prompt": "a fox"});
    for request in [
        ask("/v1/images/generations", &draw("claude/c")),
        ask("/v1/rerank", &draw("claude/c")),
        form("/v1/audio/transcriptions", "claude/c"),
    ] {
        let reply = world.send(request).await;
        assert_eq!(reply.error()["code"], ErrorCode::UnsupportedOperation.as_str(), "{:?}", reply.body);
        assert!(reply.message().contains("its provider's API has chats only"), "{}", reply.message());
        assert_eq!(reply.header("x-pointsman-attempts"), Some("0"), "nothing was sent");
    }
    let gem = world.upstream("gem");
    gem.script([Answer::json(&json!({"data": [{"b64_json": "AA=="}]}))]);
    let reply = world.send(ask("/v1/images/generations", &draw("pictures"))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gemini")));
    assert_eq!(reply.header("x-pointsman-attempts"), Some("1"), "nothing was sent to the first");
    assert_eq!(claude.connections().accepted, 0);
    // A name that would lead elsewhere is the request's fault.
    let reply = world.send(ask("/v1/images/generations", &draw("gemini/../../x"))).await;
    assert_eq!((reply.status, reply.error()["param"].as_str()), (400, Some("model")), "{:?}", reply.body);
    assert_eq!(gem.received().len(), 1);
    let records = world.records(5).await;
    assert!(records.iter().all(|record| record.attempts.len() <= 1));
    assert_eq!(records[0].operation, Operation::ImageGeneration);
    world.assert_at_rest();
}
