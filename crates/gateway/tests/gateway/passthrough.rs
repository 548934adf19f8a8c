//! Operations beyond completions: JSON in, JSON or bytes out, with the accounts of a chat request.

use bytes::Bytes;
use http_body_util::BodyExt;
use pointsman_core::{ErrorCode, Operation, Outcome, Phase, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Ending, Gate, Received};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::harness::*;

const MODERATION: &str = "{ \"input\":\"x\", \"model\" : \"alpha\\/m\",\"odd\":1e400 }";

fn speech(model: &str) -> http::Request<http_body_util::Full<Bytes>> {
    post("/v1/audio/speech", json!({"model": model, "input": "hi", "voice": "v"}).to_string())
}

fn audio(parts: &[&'static [u8]]) -> Answer {
    Answer::sse(parts.iter().map(|part| Bytes::from_static(part))).content_type("audio/mpeg")
}

#[tokio::test(start_paused = true)]
async fn all_json_operations_reach_their_paths_untouched() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let operations = [
        (Operation::Moderation, "/v1/moderations"),
        (Operation::Rerank, "/v1/rerank"),
        (Operation::ImageGeneration, "/v1/images/generations"),
        (Operation::Speech, "/v1/audio/speech"),
    ];
    let answer = "{\n \"results\": [ 1e999 ] }";
    alpha.otherwise(move |_| Answer::new(200, "application/json", answer));
    for (_, path) in operations {
        let reply = world.send(post(path, MODERATION)).await;
        assert_eq!((reply.status, &reply.body[..]), (200, answer.as_bytes()), "{path}");
        assert_eq!(reply.header("x-pointsman-provider"), Some("alpha"));
        assert_eq!(reply.header("x-pointsman-attempts"), Some("1"));
        assert!(reply.header("x-pointsman-request-id").is_some());
        assert_eq!(reply.header("x-pointsman-cost-usd"), None, "nobody knows what it costs");
    }
    let received = alpha.received();
    assert_eq!(received.iter().map(Received::path).collect::<Vec<_>>(), operations.map(|(_, path)| path));
    for request in &received {
        assert_eq!(request.body, MODERATION.replace("\"alpha\\/m\"", "\"m\""));
        assert_eq!(request.header_all("authorization"), ["Bearer alpha-secret"]);
    }
    let records = world.records(4).await;
    assert_eq!(
        records.iter().map(|record| record.operation).collect::<Vec<_>>(),
        operations.map(|(operation, _)| operation)
    );
    for record in &records {
        assert_eq!((record.outcome, record.status, record.cost), (Outcome::Success, 200, None));
        assert_eq!((record.usage.source, record.attempts[0].cost), (UsageSource::Unknown, None));
    }
    assert!(world.has_metric(
        "pointsman_requests_total{gen_ai_operation_name=\"rerank\",outcome=\"success\",status_class=\"2xx\",stream=\"false\"} 1"
    ));
    assert!(world.has_metric(
        "pointsman_unpriced_attempts_total{gen_ai_provider_name=\"alpha\",gen_ai_request_model=\"m\"} 4"
    ));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn reported_usage_counts() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let usage = json!({"total_tokens": 50, "input_tokens": 10, "output_tokens": 40,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 0}});
    let event =
        json!({"type": "image_generation.completed", "b64_json": "A".repeat(100_000), "usage": usage});
    alpha.script([
        Answer::json(&json!({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": usage})),
        Answer::sse([Bytes::from(format!("event: image_generation.completed\ndata: {event}\n\n"))]),
    ]);
    for stream in [false, true] {
        let body = json!({"model": "alpha/m", "prompt": "x", "stream": stream}).to_string();
        let reply = world.send(post("/v1/images/generations", body)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(alpha.received().last().unwrap().json()["stream_options"], json!(null));
    }
    for record in world.records(2).await {
        assert_eq!((record.usage.input, record.usage.output), (10, 40));
        assert_eq!(record.usage.source, UsageSource::Reported);
        assert_eq!(record.usage, record.attempts[0].usage);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_passed_on_as_they_come() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([audio(&[b"\x00\xff\n", b"\r\n\r\n", b"last"]).gate(2, &gate)]);
    let mut streaming = world.client().await.open(speech("alpha/m")).await;
    assert_eq!(streaming.status, 200);
    assert_eq!(streaming.header("content-type"), Some("audio/mpeg"));
    assert_eq!(streaming.header("x-pointsman-model"), Some("m"));
    let mut seen = Vec::new();
    while seen.len() < 7 {
        seen.extend_from_slice(&streaming.next().await.unwrap());
    }
    assert_eq!(seen, b"\x00\xff\n\r\n\r\n", "before the provider has ended");
    gate.open();
    assert_eq!(streaming.rest().await, "last");
    let record = world.record().await;
    assert_eq!((record.outcome, record.response_bytes, record.streamed), (Outcome::Success, 11, true));
    assert_eq!(alpha.received()[0].header("accept"), Some("*/*"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_break_in_the_middle_breaks_the_clients_answer_too() {
    for (cut, outcome) in [(Cut::Close, Outcome::Reset), (Cut::Hang, Outcome::Timeout(Phase::BetweenChunks))]
    {
        let world = start(TWO);
        let alpha = world.upstream("alpha");
        alpha.script([audio(&[b"one", b"two", b"three"]).pace(secs(1)).cut_after_parts(2, cut)]);
        let mut client = world.client().await;
        let response = client.head(speech("alpha/m")).await;
        assert_eq!(response.status(), 200);
        let broken = response.into_body().collect().await;
        assert!(broken.is_err(), "half of it must not look whole");
        let record = world.record().await;
        assert_eq!((record.outcome, record.error), (outcome, Some(ErrorCode::StreamInterrupted)));
        assert_eq!(record.response_bytes, 6);
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn retry_and_fallback_before_anything_is_shown() {
    let world = start(TWO);
    let (alpha, beta) = (world.upstream("alpha"), world.upstream("beta"));
    alpha.otherwise(|_| Answer::error(500, "broken"));
    beta.script([Answer::new(200, "application/json", "{\"cut"), audio(&[b"ok"])]);
    let reply = world.send(speech("both")).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &b"ok"[..]), "{:?}", reply.body);
    let record = world.record().await;
    assert_eq!(record.attempts.len(), alpha.received().len() + 2);
    assert_eq!(record.attempts.last().unwrap().outcome, Outcome::Success);
    assert_eq!(record.attempts[record.attempts.len() - 2].outcome, Outcome::Malformed);
    let last = u32::try_from(record.attempts.len()).unwrap();
    let traced = beta.received()[1].header("traceparent").unwrap().to_owned();
    assert!(traced.contains(&format!("-{:016x}-", record.id.span(last))), "{traced}");
    let attempts = record.attempts.len().to_string();
    assert_eq!(reply.header("x-pointsman-attempts"), Some(attempts.as_str()));
    assert_eq!((record.route.as_deref(), &*record.attempts.last().unwrap().provider), (Some("both"), "beta"));
}

#[tokio::test(start_paused = true)]
async fn refusals_and_our_own_errors_are_as_for_chat() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::error(422, "no such voice")]);
    let reply = world.send(speech("alpha/m")).await;
    assert_eq!((reply.status, reply.message().as_str()), (422, "no such voice"));
    world.send(speech("alpha/none")).await.assert_error(404, "model_not_found", Some("model"));
    world.send(post("/v1/rerank", "{}")).await.assert_error(400, "invalid_request", Some("model"));
    world.send(post("/v1/rerank", r#"{"model":"alpha/m","model":"beta/m"}"#)).await.assert_error(
        400,
        "duplicate_key",
        Some("model"),
    );
    world.send(get("/v1/moderations")).await.assert_error(405, "method_not_allowed", None);
    start("{}").send(speech("any")).await.assert_error(400, "unsupported_operation", None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_providers_work() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([audio(&[b"one", b"two"]).gate(1, &Gate::new())]);
    let mut streaming = world.client().await.open(speech("alpha/m")).await;
    assert_eq!(streaming.next().await.unwrap(), "one");
    streaming.hang_up();
    let ended = alpha.wait_ended(1).await;
    assert_eq!(ended[0].ending(), Some(Ending::ClientGone));
    let record = world.record().await;
    assert_eq!((record.outcome, record.error, record.response_bytes), (Outcome::Cancelled, None, 3));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_given_up_for_the_next_one() {
    let world = start(TWO);
    let (alpha, beta) = (world.upstream("alpha"), world.upstream("beta"));
    alpha.otherwise(|_| Answer::nothing(Cut::Hang));
    beta.otherwise(|_| audio(&[b"ok"]));
    let started = Instant::now();
    let reply = world.send(speech("both")).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &b"ok"[..]), "{:?}", reply.body);
    assert_elapsed(started, secs(20));
    let record = world.record().await;
    assert_eq!(record.attempts[0].outcome, Outcome::Timeout(Phase::FirstByte));
    assert_eq!((record.attempts[0].cost, record.cost), (None, None), "it may have spoken to nobody");

    let started = Instant::now();
    world.send(speech("alpha/m")).await.assert_error(504, "upstream_timeout", None);
    assert_elapsed(started, secs(60));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn work_that_is_given_up_costs_nobody_knows_what() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let picture = json!({"model": "alpha/m", "prompt": "x"}).to_string();
    alpha.script([
        Answer::nothing(Cut::Hang),
        Answer::new(200, "application/json", "{\"created\":1,\"data\":["),
    ]);
    let mut io = world.raw().await;
    let length = picture.len();
    let head =
        format!("POST /v1/images/generations HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {length}\r\n\r\n");
    io.write_all(format!("{head}{picture}").as_bytes()).await.unwrap();
    alpha.wait_received(1).await;
    drop(io);
    let record = world.record().await;
    assert_eq!((record.outcome, record.cost, record.attempts[0].cost), (Outcome::Cancelled, None, None));

    for (status, known) in [(502, false), (400, true)] {
        let reply = world.send(post("/v1/images/generations", picture.clone())).await;
        assert_eq!(reply.status, status);
        alpha.script([Answer::error(400, "no")]);
        let record = world.records(if known { 3 } else { 2 }).await.pop().unwrap();
        assert_eq!(record.attempts.len(), 1, "what may have drawn a picture is not asked again");
        let costs = [record.attempts[0].cost.is_some(), record.cost.is_some()];
        assert_eq!(costs, [known; 2], "who refuses has done nothing");
    }
    world.assert_at_rest();
}
