//! Forms with files: streamed, never collected, with another model name in the middle.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pointsman_core::{ErrorCode, Operation, Outcome, UsageSource};
use pointsman_testkit::mock::{Answer, Cut, Received};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::*;

const MODEL: &str = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
const FILE: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n";
const END: &str = "\r\n--B--\r\n";
const TYPE: &str = "multipart/form-data; boundary=B";

fn form(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", HOST)
        .header("content-type", TYPE)
        .body(Full::new(body.into()))
        .unwrap()
}

fn model_first(model: &str, file: &[u8]) -> Vec<u8> {
    [MODEL.as_bytes(), model.as_bytes(), b"\r\n", FILE.as_bytes(), file, END.as_bytes()].concat()
}

fn file_first(model: &str, file: &[u8]) -> Vec<u8> {
    [FILE.as_bytes(), file, b"\r\n", MODEL.as_bytes(), model.as_bytes(), END.as_bytes()].concat()
}

fn transcript() -> Answer {
    Answer::json(&json!({"text": "hi", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 14}, "total_tokens": 59}}))
}

#[tokio::test(start_paused = true)]
async fn forms_go_upstream_with_another_name_wherever_the_model_stands() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.otherwise(|_| transcript());
    let file: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    let operations = [
        (Operation::Transcription, "/v1/audio/transcriptions"),
        (Operation::Translation, "/v1/audio/translations"),
        (Operation::ImageEdit, "/v1/images/edits"),
        (Operation::ImageVariation, "/v1/images/variations"),
    ];
    for (_, path) in operations {
        for (sent, expected) in [
            (model_first("alpha/m", &file), model_first("m", &file)),
            (file_first("alpha/m", &file), file_first("m", &file)),
        ] {
            let length = sent.len();
            let reply = world.send(form(path, sent)).await;
            assert_eq!(reply.status, 200, "{:?}", reply.body);
            assert_eq!(reply.header("x-pointsman-provider"), Some("alpha"));
            let received = alpha.received().pop().unwrap();
            assert!(received.body == expected, "{path}: {} of {} bytes", received.body.len(), expected.len());
            assert_eq!(received.path(), path);
            assert_eq!(received.header("content-length"), Some(expected.len().to_string().as_str()));
            assert_eq!(received.header("content-type"), Some("multipart/form-data; boundary=\"B\""));
            assert_eq!(received.header_all("authorization"), ["Bearer alpha-secret"]);
            assert!(length > received.body.len());
        }
    }
    for (index, record) in world.records(8).await.iter().enumerate() {
        assert_eq!((record.operation, record.outcome), (operations[index / 2].0, Outcome::Success));
        assert_eq!((record.usage.input, record.usage.input_audio, record.usage.output), (14, 14, 45));
        assert_eq!(record.usage.source, UsageSource::Reported);
        assert_eq!(&*record.requested_model, "alpha/m");
        assert!(record.request_bytes > 200_000);
    }
    world.assert_at_rest();
}

/// A chunked upload written by hand.
fn head(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: {TYPE}\r\ntransfer-encoding: chunked\r\n\r\n"
    )
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test(start_paused = true)]
async fn a_form_is_streamed_and_waits_for_a_provider_that_does_not_read() {
    let world = start(TWO);
    // A listener that takes the connection and reads nothing at first.
    let mut listener = world.net.listen("alpha.test:80");
    let mut io = world.raw().await;
    io.write_all(head("/v1/audio/transcriptions").as_bytes()).await.unwrap();
    io.write_all(&chunk([MODEL, "alpha/m\r\n", FILE].concat().as_bytes())).await.unwrap();
    let mut upstream = listener.accept().await.unwrap();
    let block = chunk(&[7; 16 * 1024]);
    let mut written = 0;
    while tokio::time::timeout(secs(1), io.write_all(&block)).await.is_ok() {
        written += block.len();
        assert!(written < 4 << 20, "the gateway takes in what nobody reads");
    }
    assert!(world.metrics.body_bytes().load(std::sync::atomic::Ordering::Relaxed) < 64 * 1024);
    let mut first = vec![0; 64 * 1024];
    upstream.read_exact(&mut first).await.unwrap();
    let text = String::from_utf8_lossy(&first);
    assert!(text.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{}", &text[..200]);
    assert!(text.contains("name=\"model\"") && text.contains("\r\n1\r\nm\r\n"), "before the form has ended");
    drop(io);
    // The client is gone: the provider's connection is closed, with less than a whole body.
    let mut rest = Vec::new();
    let _ = upstream.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "half a form must not look whole");
    assert_eq!(world.record().await.error, Some(ErrorCode::BodyUnreadable));
}

#[tokio::test(start_paused = true)]
async fn hostile_forms_are_refused() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let twice = [MODEL, "alpha/m\r\n", MODEL, "beta/m", END].concat();
    let none = [FILE, "x", END].concat();
    let cases: [(&str, Vec<u8>, &str, Option<&str>); 9] = [
        (TYPE, none.into_bytes(), "invalid_request", Some("model")),
        (TYPE, model_first("", b"x"), "invalid_request", Some("model")),
        (TYPE, model_first("alpha/\0m", b"x"), "invalid_request", Some("model")),
        (TYPE, model_first(&"m".repeat(600), b"x"), "invalid_request", Some("model")),
        (TYPE, b"{\"model\":\"alpha/m\"}".to_vec(), "invalid_request", None),
        (TYPE, model_first("x", b"x")[..50].to_vec(), "invalid_request", None),
        ("multipart/form-data", model_first("alpha/m", b"x"), "invalid_request", None),
        ("application/json", b"{\"model\":\"alpha/m\"}".to_vec(), "invalid_request", None),
        (
            TYPE,
            twice.replace("name=\"model\"", "name=\"MODEL\"").into_bytes(),
            "duplicate_key",
            Some("model"),
        ),
    ];
    for (content_type, body, code, param) in cases {
        let mut request = form("/v1/audio/transcriptions", body.clone());
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        let reply = world.send(request).await;
        assert_eq!(reply.status, 400, "{}", String::from_utf8_lossy(&body));
        reply.assert_error(400, code, param);
    }
    let compressed = with(form("/v1/images/edits", model_first("alpha/m", b"x")), "content-encoding", "gzip");
    world.send(compressed).await.assert_error(400, "body_unreadable", None);
    assert_eq!(alpha.received().len(), 0);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_second_model_ends_the_request_before_it_goes_upstream() {
    let world = start(TWO);
    let mut listener = world.net.listen("alpha.test:80");
    let file = vec![b'x'; 30_000];
    let first = [MODEL.as_bytes(), b"alpha/m\r\n", FILE.as_bytes(), &file].concat();
    let second = ["\r\n", MODEL, "beta/m", END].concat();
    let mut io = world.raw().await;
    io.write_all(head("/v1/audio/transcriptions").as_bytes()).await.unwrap();
    io.write_all(&chunk(&first)).await.unwrap();
    let mut upstream = listener.accept().await.unwrap();
    io.write_all(&chunk(second.as_bytes())).await.unwrap();
    let mut sent = Vec::new();
    let _ = upstream.read_to_end(&mut sent).await;
    assert!(!sent.windows(6).any(|part| part == b"beta/m"));
    assert!(!sent.ends_with(b"0\r\n\r\n"));
    let mut answer = vec![0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
    let record = world.record().await;
    assert_eq!(record.error, Some(ErrorCode::DuplicateKey));
    assert_eq!((record.attempts.len(), record.attempts[0].outcome), (1, Outcome::ClientFault));
}

#[tokio::test(start_paused = true)]
async fn limits_of_forms() {
    let yaml = format!("server: {{ max_body: 64KiB, max_upload: 256KiB, body_timeout: 7s }}\n{TWO}");
    let world = start(&yaml);
    let alpha = world.upstream("alpha");
    alpha.otherwise(|_| transcript());
    let path = "/v1/audio/transcriptions";
    assert_eq!(world.send(form(path, model_first("alpha/m", &[0; 200_000]))).await.status, 200);
    let reply = world.send(form(path, file_first("alpha/m", &[0; 200_000]))).await;
    reply.assert_error(413, "body_too_large", Some("model"));
    assert!(reply.message().contains("send it before the file"), "{}", reply.message());
    let reply = world.send(form(path, model_first("alpha/m", &[0; 300_000]))).await;
    reply.assert_error(413, "body_too_large", None);

    let mut io = world.raw().await;
    io.write_all(head(path).as_bytes()).await.unwrap();
    io.write_all(&chunk([MODEL, "alpha/m\r\n", FILE].concat().as_bytes())).await.unwrap();
    let started = tokio::time::Instant::now();
    let mut answer = vec![0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    assert_elapsed(started, secs(7));
    drop(io);
    world.records(4).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn another_provider_is_asked_only_while_nothing_has_left() {
    let world = start(TWO);
    let beta = world.upstream("beta");
    beta.otherwise(|_| transcript());
    let path = "/v1/audio/transcriptions";
    // Nobody listens at alpha: the form is still here.
    let reply = world.send(form(path, model_first("both", b"x"))).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(beta.received()[0].body, model_first("m", b"x"));
    // Alpha takes it and fails: the form is gone.
    let alpha = world.upstream("alpha");
    alpha.script([Answer::error(500, "broken")]);
    world.send(form(path, model_first("both", b"x"))).await.assert_error(502, "upstream_unavailable", None);
    alpha.script([Answer::nothing(Cut::Reset)]);
    world.send(form(path, model_first("both", b"x"))).await.assert_error(502, "upstream_unavailable", None);
    assert_eq!((alpha.received().len(), beta.received().len()), (2, 1));
    assert_eq!(alpha.received().iter().map(Received::path).collect::<Vec<_>>(), [path, path]);
    let records = world.records(3).await;
    assert!(records[0].attempts.len() > 1);
    assert_eq!((records[1].attempts.len(), records[2].attempts.len()), (1, 1));
}
