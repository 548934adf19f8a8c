//! Paths that nobody serves, let through by rules of keys and routes.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::{ErrorCode, Operation, Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Gate, Received};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::harness::*;

/// A route over both providers that lets a few paths through; a key with paths of its own at `beta`, one
/// with the same models and none, one that may not use the route.
fn keyed() -> World {
    let hash =
        |key: &str| -> String { Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect() };
    let (ann, bob, few) = (hash("pm-ann"), hash("pm-bob"), hash("pm-few"));
    let routes = "routes:\n  wide:\n    first: [alpha/m, beta/m]\n    pass_through:\n      \
                  - { methods: [GET, POST, DELETE], path: '/v1/things/**' }\n";
    let two = TWO.replace("routes:\n", routes);
    start(&format!(
        "{two}keys:\n  - id: ann\n    sha256: {ann}\n    pass_through:\n      \
         - {{ provider: beta, methods: [GET, POST], path: '/v1/things/own/*' }}\n      \
         - {{ provider: beta, methods: POST, path: '/v1/**' }}\n  \
         - {{ id: bob, sha256: {bob} }}\n  - {{ id: few, sha256: {few}, models: [alpha/m] }}\n"
    ))
}

fn ask(method: &str, path: &str, key: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", HOST)
        .header("authorization", format!("Bearer pm-{key}"))
        .body(Full::new(body.into()))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_a_route_lets_through_goes_to_its_providers_as_it_is() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    alpha.script([Answer::new(201, "application/x-odd", "\x00answer")]);
    let body = Bytes::from_static(b"\x00\xff not JSON {\"model\":\"wide\"}");
    let mut request = ask("POST", "/v1/things/a/b?x=1&y=%2F&z", "bob", body.clone());
    for (name, value) in [
        ("content-type", "application/x-odd; v=1"),
        ("content-encoding", "zstd"),
        ("accept", "application/x-odd"),
        ("openai-beta", "things=v1"),
        ("cookie", "a=b"),
        ("x-api-key", "pm-other"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("x-pointsman-provider", "wide"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let reply = world.send(request).await;
    assert_eq!((reply.status, &reply.body[..]), (201, &b"\x00answer"[..]));
    assert_eq!(reply.header("content-type"), Some("application/x-odd"));
    assert_eq!(reply.header("x-pointsman-provider"), Some("alpha"));
    assert!(reply.header("x-pointsman-request-id").is_some());
    let received = alpha.received().remove(0);
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/v1/things/a/b?x=1&y=%2F&z"));
    assert_eq!(received.body, body);
    for (name, value) in [
        ("content-type", "application/x-odd; v=1"),
        ("content-encoding", "zstd"),
        ("accept", "application/x-odd"),
        ("openai-beta", "things=v1"),
        ("authorization", "Bearer alpha-secret"),
    ] {
        assert_eq!(received.header_all(name), [value], "{name}");
    }
    for name in ["cookie", "x-api-key", "x-hop", "te", "connection", "x-pointsman-provider"] {
        assert_eq!(received.header(name), None, "{name}");
    }
    let wrong: Vec<_> =
        alpha.violations().into_iter().filter(|text| !text.contains("no such path")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let record = world.record().await;
    assert_eq!(
        (record.operation, record.outcome, record.status),
        (Operation::PassThrough, Outcome::Success, 201)
    );
    assert_eq!((&*record.requested_model, record.route.as_deref()), ("/v1/things/**", Some("wide")));
    assert_eq!((record.request_bytes, record.response_bytes), (body.len() as u64, 7));
    assert_eq!(
        (record.cost, record.usage.source),
        (None, UsageSource::Unknown),
        "nobody knows what it costs"
    );
    assert!(world.has_metric(
        "pointsman_unpriced_attempts_total{gen_ai_provider_name=\"alpha\",gen_ai_request_model=\"other\"} 1"
    ));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_keys_rules_come_first_and_a_header_chooses() {
    let world = keyed();
    let (alpha, beta) = (world.upstream("alpha"), world.upstream("beta"));
    for mock in [&alpha, &beta] {
        mock.otherwise(|_| Answer::json(&json!({})));
    }
    for (key, path, header, provider) in [
        ("ann", "/v1/things/own/x", None, "beta"),
        ("ann", "/v1/things/own/x", Some("wide"), "alpha"),
        ("ann", "/v1/things/own/x", Some("beta"), "beta"),
        ("bob", "/v1/things/own/x", None, "alpha"),
        ("ann", "/v1/anything", None, "beta"),
    ] {
        let mut request = ask("POST", path, key, "{}");
        if let Some(header) = header {
            request = with(request, "x-pointsman-provider", header);
        }
        let reply = world.send(request).await;
        assert_eq!(reply.header("x-pointsman-provider"), Some(provider), "{key} {path} {header:?}");
    }
    for (key, method, path, header) in [
        ("bob", "POST", "/v1/anything", None),
        ("bob", "PUT", "/v1/things/x", None),
        ("ann", "GET", "/v1/anything", None),
        ("ann", "POST", "/v1/things/own/x", Some("alpha")),
        ("few", "POST", "/v1/things/x", None),
        ("ann", "POST", "/v2/things/x", None),
    ] {
        let mut request = ask(method, path, key, "{}");
        if let Some(header) = header {
            request = with(request, "x-pointsman-provider", header);
        }
        world.send(request).await.assert_error(404, "unknown_path", None);
    }
    world.send(ask("POST", "/v1/things/x", "none", "{}")).await.assert_error(401, "invalid_api_key", None);
    assert_eq!((alpha.received().len(), beta.received().len()), (2, 3));
    let records = world.records(5).await;
    assert_eq!(records[0].route, None);
    assert_eq!(&*records[0].requested_model, "/v1/things/own/*");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn no_spelling_gets_around_the_rules_or_the_handlers() {
    let world = keyed();
    let beta = world.upstream("beta");
    beta.otherwise(|_| Answer::json(&json!({})));
    for path in [
        "/v1/%66iles/file-1",
        "/v1/Files/file-1",
        "/v1/files;x/file-1",
        "/v1/things/../files",
        "/v1/things/%2e%2e/files",
        "/v1/things/..%2Ffiles",
        "/v1/things%2F..%2Ffiles",
        "/v1/things/%252e%252e/files",
        "/v1/things//x",
        "/v1//files",
        "/v1/./files",
        "/v1/things/x/",
        "/v1/things/%5C..%5Cfiles",
        "/v1/CHAT/completions",
        "/v1/chat%2Fcompletions",
        "/v1/models%2Fa",
        "/v1/Models/a",
        "/v1/things/%00",
        "/v1/things/%C0%AE%C0%AE",
    ] {
        world.send(ask("POST", path, "ann", "{}")).await.assert_error(404, "unknown_path", None);
    }
    assert_eq!(beta.received().len(), 0);
    // One spelling, and that is the one that is sent.
    world.send(ask("POST", "/v1/ft%3Ajob%2D1/x", "ann", "{}")).await;
    assert_eq!(beta.received()[0].target, "/v1/ft:job-1/x");
}

#[tokio::test(start_paused = true)]
async fn usage_is_read_where_it_has_openais_shape_and_priced_by_the_model_that_answered() {
    let key = "sk-x";
    let yaml = format!(
        "{PRICED}routes: {{ r: {{ model: openai/gpt-4o, pass_through: [{{ methods: POST, path: /v1/interactions }}] }} }}\n"
    );
    let world = Setup::new(&yaml).env("OPENAI_API_KEY", key).start();
    let openai = world.upstream("openai");
    let response = |model: &str| {
        json!({"id": "r", "model": model, "usage": {"input_tokens": 1000, "output_tokens": 100,
        "input_tokens_details": {"cached_tokens": 200}, "total_tokens": 1100}})
    };
    let event = json!({"type": "response.completed", "response": response("gpt-4o-mini")});
    openai.script([
        Answer::json(&response("gpt-4o-mini")),
        Answer::sse([Bytes::from(format!("event: response.completed\ndata: {event}\n\n"))]),
        Answer::json(&response("gpt-made-up")),
        Answer::json(&json!({"usage": {"tokens": 3}})),
    ]);
    for _ in 0..4 {
        assert_eq!(world.send(post("/v1/interactions", r#"{"model":"gpt-4o-mini"}"#)).await.status, 200);
    }
    let records = world.records(4).await;
    for record in &records[..2] {
        assert_eq!((record.usage.input, record.usage.cached_input, record.usage.output), (1000, 200, 100));
        assert_eq!(&*record.attempts[0].model, "gpt-4o-mini");
        assert!(record.cost.is_some_and(|cost| cost.total().nanos() > 0), "{:?}", record.cost);
        assert_eq!(record.cost, record.attempts[0].cost);
    }
    assert_eq!((records[2].usage.source, records[2].cost), (UsageSource::Reported, None));
    assert_eq!((records[3].usage.source, records[3].cost), (UsageSource::Unknown, None));
    assert_eq!(&*records[3].attempts[0].model, "pass_through");
    assert!(world.has_metric(
        "pointsman_unpriced_attempts_total{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"other\"} 2"
    ));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_twice_that_must_not_be() {
    let world = keyed();
    let beta = world.upstream("beta");
    beta.otherwise(|_| Answer::json(&json!({})));
    // Nobody listens at alpha: nothing has left.
    assert_eq!(
        world.send(ask("POST", "/v1/things/x", "bob", "{}")).await.header("x-pointsman-provider"),
        Some("beta")
    );
    let alpha = world.upstream("alpha");
    alpha.otherwise(|_| Answer::error(503, "busy"));
    for body in ["", "{}"] {
        let reply = world.send(ask("POST", "/v1/things/x", "bob", body)).await;
        reply.assert_error(503, "upstream_overloaded", None);
    }
    assert_eq!((alpha.received().len(), beta.received().len()), (2, 1));
    for method in ["GET", "DELETE"] {
        let reply = world.send(ask(method, "/v1/things/x", "bob", "")).await;
        assert_eq!(reply.header("x-pointsman-provider"), Some("beta"), "{method} may be repeated");
    }
    let gets: Vec<_> = beta
        .received()
        .iter()
        .skip(1)
        .map(|r: &Received| r.header("content-length").map(str::to_owned))
        .collect();
    assert_eq!(gets, [None, None], "no body, and no word of one");
    // It has failed too often by now, and is passed over for a while.
    tokio::time::sleep(secs(301)).await;
    alpha.otherwise(|_| Answer::nothing(Cut::Reset));
    let reply = world.send(ask("POST", "/v1/things/x", "bob", "{}")).await;
    reply.assert_error(502, "upstream_unavailable", None);
    assert_eq!(beta.received().len(), 3);
    tokio::time::sleep(secs(301)).await;
    alpha.otherwise(|_| Answer::error(409, "is there already"));
    let reply = world.send(ask("POST", "/v1/things/x", "bob", "{}")).await;
    assert_eq!((reply.status, reply.message().as_str()), (409, "is there already"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn answers_are_passed_on_as_they_come_and_may_be_empty() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([
        Answer::sse(["data: 1\n\n", "data: 2\n\n"].map(Bytes::from)).gate(1, &gate),
        Answer::new(204, "text/plain", ""),
        Answer::new(200, "text/plain", ""),
    ]);
    let mut streaming = world.client().await.open(ask("GET", "/v1/things/x", "bob", "")).await;
    assert_eq!(streaming.next().await.unwrap(), "data: 1\n\n");
    gate.open();
    assert_eq!(streaming.rest().await, "data: 2\n\n");
    for status in [204, 200] {
        let reply = world.send(ask("DELETE", "/v1/things/x", "bob", "")).await;
        assert_eq!((reply.status, reply.body.len()), (status, 0));
    }
    let records = world.records(3).await;
    assert!(records.iter().all(|record| record.outcome == Outcome::Success), "{records:?}");
}

#[tokio::test(start_paused = true)]
async fn limits_of_uploads_hold_and_without_rules_nothing_has_changed() {
    let yaml = "server: { max_upload: 1KiB }\nproviders: { alpha: { base_url: 'http://alpha.test/v1' } }\n\
                routes: { r: { model: alpha/m, pass_through: [{ methods: [POST], path: /v1/x }] } }\n";
    let world = start(yaml);
    world.upstream("alpha").otherwise(|_| Answer::json(&json!({})));
    assert_eq!(world.send(post("/v1/x", vec![b'x'; 1024])).await.status, 200);
    world.send(post("/v1/x", vec![b'x'; 1025])).await.assert_error(413, "body_too_large", None);
    assert_eq!(world.records(2).await[1].error, Some(ErrorCode::BodyTooLarge));
    let mut foreign = post("/v1/x", "{}");
    foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
    world.send(foreign).await.assert_error(403, "forbidden_origin", None);

    let world = start(TWO);
    world.send(post("/v1/things/x", "{}")).await.assert_error(404, "unknown_path", None);
    assert_eq!(world.sink.records().len(), 0, "as before: no key is asked for, and no record made");
}
