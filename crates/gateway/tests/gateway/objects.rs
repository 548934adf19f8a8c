//! Files and batches: ids belong to the key that made them, and lead back to their provider.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::{Operation, Outcome};
use pointsman_testkit::mock::{Answer, Received};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::*;

/// Two keys for everything, and one for a single model.
fn keyed() -> World {
    let hash =
        |key: &str| -> String { Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect() };
    let (ann, bob, few) = (hash("pm-ann"), hash("pm-bob"), hash("pm-few"));
    start(&format!(
        "{TWO}keys:\n  - {{ id: ann, sha256: {ann} }}\n  - {{ id: bob, sha256: {bob} }}\n  \
         - {{ id: few, sha256: {few}, models: [alpha/m] }}\n"
    ))
}

fn ask(method: &str, path: &str, key: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", HOST)
        .header("authorization", format!("Bearer pm-{key}"))
        .header("content-type", "multipart/form-data; boundary=B")
        .body(Full::new(body.into()))
        .unwrap()
}

fn upload(key: &str, provider: &str) -> Request<Full<Bytes>> {
    with(ask("POST", "/v1/files", key, "--B\r\n\r\nraw\r\n--B--"), "x-pointsman-provider", provider)
}

fn object(id: &str, created_at: u64) -> Value {
    json!({"id": id, "object": "file", "created_at": created_at})
}

async fn upload_as(world: &World, key: &str, provider: &str) {
    let reply = world.send(upload(key, provider)).await;
    assert_eq!(
        (reply.status, reply.header("x-pointsman-provider")),
        (200, Some(provider)),
        "{:?}",
        reply.body
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_is_its_makers_alone() {
    let world = keyed();
    let (alpha, beta) = (world.upstream("alpha"), world.upstream("beta"));
    alpha.script([Answer::json(&object("file-1", 5))]);
    upload_as(&world, "ann", "alpha").await;
    assert_eq!(alpha.received()[0].body, "--B\r\n\r\nraw\r\n--B--");
    assert_eq!(alpha.received()[0].header("content-type"), Some("multipart/form-data; boundary=B"));
    assert_eq!(alpha.received()[0].header_all("authorization"), ["Bearer alpha-secret"]);

    for (method, path) in
        [("GET", "/v1/files/file-1"), ("GET", "/v1/files/file-1/content"), ("DELETE", "/v1/files/file-1")]
    {
        let reply = world.send(ask(method, path, "bob", "")).await;
        reply.assert_error(404, "object_not_found", Some("id"));
    }
    let batch = json!({"input_file_id": "file-1", "endpoint": "/v1/chat/completions"}).to_string();
    let reply = world.send(ask("POST", "/v1/batches", "bob", batch)).await;
    reply.assert_error(404, "object_not_found", Some("input_file_id"));
    assert_eq!((alpha.received().len(), beta.received().len()), (1, 0), "nobody was asked");

    alpha.script([
        Answer::json(&object("file-1", 5)),
        Answer::new(200, "application/json", "{\"not\": json, but content}"),
        Answer::json(&json!({"id": "file-1", "deleted": true})),
    ]);
    assert_eq!(world.send(ask("GET", "/v1/files/file-1", "ann", "")).await.json(), object("file-1", 5));
    let content = world.send(ask("GET", "/v1/files/file-1/content", "ann", "")).await;
    assert_eq!(content.body, "{\"not\": json, but content}", "passed on as it is");
    assert_eq!(world.send(ask("DELETE", "/v1/files/file-1", "ann", "")).await.status, 200);
    let gone = world.send(ask("GET", "/v1/files/file-1", "ann", "")).await;
    gone.assert_error(404, "object_not_found", Some("id"));
    let asked: Vec<_> = alpha.received().iter().map(|r| format!("{} {}", r.method, r.path())).collect();
    assert_eq!(
        asked,
        ["POST /v1/files", "GET /v1/files/file-1", "GET /v1/files/file-1/content", "DELETE /v1/files/file-1"]
    );
    let records = world.records(9).await;
    assert!(records.iter().all(|record| record.usage.total() == 0));
    assert_eq!((records[0].operation, records[0].outcome), (Operation::Files, Outcome::Success));
    assert_eq!((records[1].outcome, records[1].status), (Outcome::ClientFault, 404));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn batches_go_where_their_input_is_and_their_output_belongs_to_them() {
    let world = keyed();
    let beta = world.upstream("beta");
    beta.script([
        Answer::json(&object("file-in", 1)),
        Answer::json(&json!({"id": "batch-1", "object": "batch", "output_file_id": null})),
        Answer::json(&json!({"id": "batch-1", "output_file_id": "file-out", "error_file_id": "file-err"})),
        Answer::new(200, "application/octet-stream", "{}\n{}\n"),
        Answer::json(&json!({"id": "batch-1", "status": "cancelling"})),
    ]);
    upload_as(&world, "ann", "beta").await;
    let body = "{ \"input_file_id\" : \"file-in\", \"odd\": 1e999 }";
    assert_eq!(world.send(ask("POST", "/v1/batches", "ann", body)).await.status, 200);
    assert_eq!(beta.received()[1].body, body);
    let early = world.send(ask("GET", "/v1/files/file-out/content", "ann", "")).await;
    early.assert_error(404, "object_not_found", Some("id"));
    assert_eq!(world.send(ask("GET", "/v1/batches/batch-1", "ann", "")).await.status, 200);
    let output = world.send(ask("GET", "/v1/files/file-out/content", "ann", "")).await;
    assert_eq!((output.status, &output.body[..]), (200, &b"{}\n{}\n"[..]));
    let other = world.send(ask("GET", "/v1/files/file-out/content", "bob", "")).await;
    other.assert_error(404, "object_not_found", Some("id"));
    assert_eq!(world.send(ask("POST", "/v1/batches/batch-1/cancel", "ann", "")).await.status, 200);
    assert_eq!(beta.received()[4].path(), "/v1/batches/batch-1/cancel");
    let twice = r#"{"input_file_id":"file-in","input_file_i\u0064":"file-x"}"#;
    let reply = world.send(ask("POST", "/v1/batches", "ann", twice)).await;
    reply.assert_error(400, "invalid_request", Some("input_file_id"));
    assert_eq!(beta.received().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn lists_hold_the_callers_own_of_all_providers() {
    let world = keyed();
    let (alpha, beta) = (world.upstream("alpha"), world.upstream("beta"));
    let none = world.send(ask("GET", "/v1/files", "ann", "")).await;
    let empty = json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false});
    assert_eq!(none.json(), empty);
    alpha.script([Answer::json(&object("a-1", 10)), Answer::json(&object("a-2", 30))]);
    beta.script([Answer::json(&object("b-1", 20)), Answer::json(&object("b-2", 40))]);
    for (key, provider) in [("ann", "alpha"), ("bob", "alpha"), ("ann", "beta"), ("bob", "beta")] {
        upload_as(&world, key, provider).await;
    }
    let list = |items: &[Value], more: bool| {
        Answer::json(&json!({"object": "list", "data": items, "has_more": more}))
    };
    alpha.script([list(&[object("a-2", 30), object("foreign", 1)], true), list(&[object("a-1", 10)], false)]);
    beta.script([list(&[object("b-2", 40), object("b-1", 20)], false)]);
    let reply = world.send(ask("GET", "/v1/files", "ann", "")).await;
    assert_eq!(
        reply.json(),
        json!({"object": "list", "data": [object("b-1", 20), object("a-1", 10)], "first_id": "b-1",
            "last_id": "a-1", "has_more": false})
    );
    let targets: Vec<_> = alpha.received().iter().skip(2).map(|r: &Received| r.target.clone()).collect();
    assert_eq!(targets, ["/v1/files?limit=100", "/v1/files?limit=100&after=foreign"]);
    alpha.script([Answer::error(500, "broken")]);
    world.send(ask("GET", "/v1/files", "ann", "")).await.assert_error(502, "upstream_unavailable", None);
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_in_either_order_and_by_purpose() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    let file = |n: u64| {
        let purpose = if n.is_multiple_of(2) { "batch" } else { "user_data" };
        json!({"id": format!("f-{n}"), "object": "file", "created_at": n, "purpose": purpose})
    };
    for n in 1..=5 {
        alpha.script([Answer::json(&file(n))]);
        upload_as(&world, "ann", "alpha").await;
    }
    let all: Vec<_> = (1..=6).rev().map(file).collect();
    alpha.otherwise(move |_| Answer::json(&json!({"object": "list", "data": all, "has_more": false})));
    for (query, ids, more) in [
        ("limit=2", &["f-5", "f-4"][..], true),
        ("limit=2&after=f-4", &["f-3", "f-2"], true),
        ("limit=2&after=f-2", &["f-1"], false),
        ("limit=5", &["f-5", "f-4", "f-3", "f-2", "f-1"], false),
        ("order=asc&limit=2", &["f-1", "f-2"], true),
        ("order=asc&after=f-4", &["f-5"], false),
        ("purpose=batch", &["f-4", "f-2"], false),
        ("purpose=user_data&limit=1&after=f-3", &["f-1"], false),
        ("purpose=vision", &[], false),
    ] {
        let list = world.send(ask("GET", &format!("/v1/files?{query}"), "ann", "")).await.json();
        let seen: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!((&seen[..], list["has_more"].as_bool()), (ids, Some(more)), "{query}");
        assert_eq!(
            (list["first_id"].as_str(), list["last_id"].as_str()),
            (ids.first().copied(), ids.last().copied())
        );
    }
    let reply = world.send(ask("GET", "/v1/files?after=f-6", "ann", "")).await;
    reply.assert_error(404, "object_not_found", Some("after"));
    let before = alpha.received().len();
    let reply = world.send(ask("GET", "/v1/files?limit=0", "ann", "")).await;
    reply.assert_error(400, "invalid_request", Some("limit"));
    assert_eq!(alpha.received().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_model_or_route_leads_to_the_provider_of_a_new_file() {
    let world = keyed();
    let (alpha, beta) = (world.upstream("alpha"), world.upstream("beta"));
    for mock in [&alpha, &beta] {
        mock.otherwise(|_| Answer::json(&object("file-1", 1)));
    }
    for (named, provider) in [("beta", "beta"), ("beta/m", "beta"), ("both", "alpha"), ("alpha/m", "alpha")] {
        let reply = world.send(upload("ann", named)).await;
        assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some(provider)), "{named}");
    }
    let compressed = with(upload("ann", "alpha"), "content-encoding", "gzip");
    assert_eq!(world.send(compressed).await.status, 200);
    assert_eq!(alpha.received().last().unwrap().header("content-encoding"), Some("gzip"));
    for named in ["sim", "alpha/none", "m"] {
        let reply = world.send(upload("ann", named)).await;
        reply.assert_error(400, "invalid_request", Some("x-pointsman-provider"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_before_anybody_is_asked() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    let reply = world.send(ask("POST", "/v1/files", "ann", "x")).await;
    reply.assert_error(400, "invalid_request", Some("x-pointsman-provider"));
    assert!(reply.message().contains("alpha, beta"), "{}", reply.message());
    world.send(upload("ann", "nobody")).await.assert_error(
        400,
        "invalid_request",
        Some("x-pointsman-provider"),
    );
    world.send(upload("few", "alpha")).await.assert_error(403, "model_not_allowed", None);
    world.send(upload("none", "alpha")).await.assert_error(401, "invalid_api_key", None);
    for path in ["/v1/files/..", "/v1/files/a%2Fb", "/v1/files/a/b", "/v1/batches/a/content"] {
        world.send(ask("GET", path, "ann", "")).await.assert_error(404, "unknown_path", None);
    }
    world.send(ask("PUT", "/v1/files/a", "ann", "")).await.assert_error(405, "method_not_allowed", None);
    world.send(ask("POST", "/v1/batches", "ann", "{}")).await.assert_error(
        400,
        "invalid_request",
        Some("input_file_id"),
    );
    assert_eq!(alpha.received().len(), 0);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_made_something_is_not_repeated() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    alpha.script([Answer::error(503, "busy"), Answer::error(400, "bad purpose")]);
    world.send(upload("ann", "alpha")).await.assert_error(503, "upstream_overloaded", None);
    let reply = world.send(upload("ann", "alpha")).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "bad purpose"));
    assert_eq!(alpha.received().len(), 2);
}
