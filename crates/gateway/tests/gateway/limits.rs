//! Bodies that are too large, too slow, or not what they should be: exact status, code and field.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Gate};
use pointsman_testkit::openai::{Tokens, chat_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 1, output: 1 };

const SMALL: &str = r"
server: { max_body: 1000, max_in_flight: 1500, body_timeout: 5s, header_timeout: 10s }
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m] }
";

/// A chat request of exactly `bytes`.
fn sized(bytes: usize) -> String {
    let mut body = chat_request("alpha/m", false).to_string();
    body.push_str(&" ".repeat(bytes - body.len()));
    body
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn head(fields: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    assert_eq!(world.send(post("/v1/chat/completions", sized(1000))).await.status, 200);
    let reply = world.send(post("/v1/chat/completions", sized(1001))).await;
    reply.assert_error(413, "body_too_large", None);
    assert!(reply.message().contains("1000 bytes") && reply.message().contains("server.max_body"));
    assert_eq!(alpha.received().len(), 1);
    let records = world.records(2).await;
    assert_eq!((records[0].request_bytes, records[1].status), (1000, 413));
    assert_eq!(records[1].outcome, Outcome::ClientFault);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_declared_length_is_refused_without_waiting_for_it() {
    let world = start(SMALL);
    let answer = world.exchange(head("content-length: 1000000000000\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
    let answer = world.exchange(head("content-length: 99999999999999999999999\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn an_undeclared_length_is_counted() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    for (bytes, status) in [(1000, "HTTP/1.1 200"), (1001, "HTTP/1.1 413")] {
        let mut io = world.raw().await;
        io.write_all(head("transfer-encoding: chunked\r\n").as_bytes()).await.unwrap();
        for part in sized(bytes).as_bytes().chunks(100) {
            let framed = [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
            // The answer may come before the last chunk.
            let _ = io.write_all(&framed).await;
        }
        let _ = io.write_all(b"0\r\n\r\n").await;
        let mut answer = [0; 12];
        io.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, status.as_bytes());
    }
    assert_eq!(alpha.received().len(), 1);
    world.records(2).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn all_bodies_together_have_a_budget() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([Answer::chat("m", "x", TOKENS).gate_head(&gate)]);
    let mut client = world.client().await;
    let first = tokio::spawn(async move { client.send(post("/v1/chat/completions", sized(900))).await });
    alpha.wait_received(1).await;
    let reply = world.send(post("/v1/chat/completions", sized(601))).await;
    reply.assert_error(429, "too_many_bytes_in_flight", None);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(world.send(post("/v1/chat/completions", sized(600))).await.status, 200);
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(world.send(post("/v1/chat/completions", sized(1000))).await.status, 200);
    world.records(4).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_its_body_until_its_end() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script([Answer::chat_stream("m", &["a", "b"], None).gate(3, &gate)]);
    let mut body = chat_request("alpha/m", true).to_string();
    body.push_str(&" ".repeat(900 - body.len()));
    let mut stream = world.client().await.open(post("/v1/chat/completions", body)).await;
    world.send(post("/v1/chat/completions", sized(700))).await.assert_error(
        429,
        "too_many_bytes_in_flight",
        None,
    );
    gate.open();
    stream.rest().await;
    world.records(2).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = start(SMALL);
    let started = Instant::now();
    let answer = world.exchange(head("content-length: 100\r\n") + "{\"model\":").await;
    assert_elapsed(started, secs(5));
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
    assert!(answer.contains("within 5 s"), "{answer}");
    let record = world.record().await;
    assert_eq!((record.status, record.overhead_us), (408, 0), "waiting for a client is no overhead");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let world = start(SMALL);
    let started = Instant::now();
    let answer = world.exchange("POST /v1/chat/completions HTTP/1.1\r\nhost: local").await;
    assert_elapsed(started, secs(10));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded() {
    let world = start(&SMALL.replace("max_body: 1000", "max_connections: 2, max_body: 1000"));
    let mut first = world.client().await;
    assert_eq!(first.send(get("/livez")).await.status, 200);
    let mut second = world.client().await;
    assert_eq!(second.send(get("/livez")).await.status, 200);
    let mut third = world.client().await;
    let waiting = tokio::spawn(async move { third.send(get("/livez")).await.status });
    tokio::time::sleep(secs(1)).await;
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    let body = sized(500);
    let mut io = world.raw().await;
    io.write_all(head("expect: 100-continue\r\ncontent-length: 500\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    io.write_all(body.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(alpha.received()[0].header("expect"), None);
    // Where the length alone says no, nothing is asked for.
    let answer = world.exchange(head("expect: 100-continue\r\ncontent-length: 1001\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn heads_are_bounded() {
    let world = start(SMALL);
    let many: String = (0..150).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = world.exchange(head(&many)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let mut io = world.raw().await;
    let long = head(&format!("x-long: {}\r\n", "x".repeat(100_000)));
    let _ = io.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = io.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(start_paused = true)]
async fn compressed_bodies_are_read_within_the_limit() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    let body = sized(1000);
    let encoded = |bytes: &[u8]| with(post("/v1/chat/completions", gzip(bytes)), "content-encoding", "gzip");
    assert_eq!(world.send(encoded(body.as_bytes())).await.status, 200);
    let sent = &alpha.received()[0];
    assert_eq!(sent.body, body.replace("alpha/m", "m"));
    assert_eq!(sent.header("content-encoding"), None);
    let record = world.record().await;
    assert_eq!(record.request_bytes, gzip(body.as_bytes()).len() as u64);

    // Ten megabytes in ten kilobytes, and one byte too many.
    world.send(encoded(&vec![b' '; 400_000])).await.assert_error(413, "body_too_large", None);
    world.send(encoded(sized(1001).as_bytes())).await.assert_error(413, "body_too_large", None);
    let damaged = with(post("/v1/chat/completions", "not gzip"), "content-encoding", "gzip");
    world.send(damaged).await.assert_error(400, "body_unreadable", None);
    let mut cut = gzip(body.as_bytes());
    cut.truncate(cut.len() - 4);
    let cut = with(post("/v1/chat/completions", cut), "content-encoding", "gzip");
    world.send(cut).await.assert_error(400, "body_unreadable", None);
    for unknown in ["br", "zstd", "gzip, gzip"] {
        let reply =
            world.send(with(post("/v1/chat/completions", body.clone()), "content-encoding", unknown)).await;
        reply.assert_error(400, "body_unreadable", None);
        assert!(reply.message().contains(unknown));
    }
    let twice = with(encoded(body.as_bytes()), "content-encoding", "br");
    world.send(twice).await.assert_error(400, "body_unreadable", None);
    assert_eq!(alpha.received().len(), 1);
    world.records(9).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_body_is_said_exactly() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    let cases: [(&[u8], &str, Option<&str>); 24] = [
        (b"", "invalid_request", None),
        (b"nonsense", "invalid_request", None),
        (b"[]", "invalid_request", None),
        (b"\"model\"", "invalid_request", None),
        (b"{\"model\":\"alpha/m\"", "invalid_request", None),
        (b"{\"model\":\"alpha/m\"} x", "invalid_request", None),
        (b"{\"model\":\"alpha/m\",}", "invalid_request", None),
        (b"{'model':'alpha/m'}", "invalid_request", None),
        (b"{\"model\":\"alpha/m\",\"x\":NaN}", "invalid_request", None),
        (b"{\"model\":\"alpha/m\",\"x\":01}", "invalid_request", None),
        (b"{\"model\":\"alpha/m\",\"x\":\"\xff\"}", "invalid_request", None),
        (b"{\"model\":\"alpha/m\",\"x\":\"\x01\"}", "invalid_request", None),
        (b"{}", "invalid_request", Some("model")),
        (b"{\"model\":\"\"}", "invalid_request", Some("model")),
        (b"{\"model\":null}", "invalid_request", Some("model")),
        (b"{\"model\":7}", "invalid_request", Some("model")),
        (b"{\"model\":[\"alpha/m\"]}", "invalid_request", Some("model")),
        (b"{\"Model\":\"alpha/m\"}", "invalid_request", Some("model")),
        (b"{\"model\":\"alpha/m\",\"model\":\"alpha/m\"}", "duplicate_key", Some("model")),
        (b"{\"model\":\"alpha/m\",\"mo\\u0064el\":\"beta/m\"}", "duplicate_key", Some("model")),
        (b"{\"model\":\"alpha/m\",\"stream\":\"true\"}", "invalid_request", Some("stream")),
        (b"{\"model\":\"alpha/m\",\"stream\":true,\"stream\":false}", "duplicate_key", Some("stream")),
        (b"{\"model\":\"alpha/m\",\"stream_options\":true}", "invalid_request", Some("stream_options")),
        (
            b"{\"model\":\"alpha/m\",\"stream_options\":{\"include_usage\":1}}",
            "invalid_request",
            Some("stream_options.include_usage"),
        ),
    ];
    for (number, (body, code, param)) in cases.iter().enumerate() {
        let reply = world.send(post("/v1/chat/completions", body.to_vec())).await;
        reply.assert_error(400, code, *param);
        assert_eq!(reply.error()["type"], "invalid_request_error");
        let record = world.records(number + 1).await.remove(number);
        assert_eq!((record.outcome, record.status), (Outcome::ClientFault, 400));
        assert_eq!(record.error.unwrap().as_str(), *code);
        assert_eq!(reply.error()["request_id"], record.id.to_string());
    }
    let deep = format!("{{\"model\":\"alpha/m\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    world.send(post("/v1/chat/completions", deep)).await.assert_error(400, "invalid_request", None);
    assert_eq!(alpha.connections().accepted, 0, "nothing of this goes upstream");
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn framing_that_could_smuggle_is_refused() {
    let world = start(SMALL);
    let alpha = world.upstream("alpha");
    let body = chat_request("alpha/m", false).to_string();
    for fields in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip\r\n",
        "x y: z\r\n",
        " folded: z\r\n",
        "x: a\0b\r\n",
    ] {
        let answer = world.exchange(head(fields) + &body).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{fields:?}: {answer}");
    }
    // Both framings at once: chunks count, and the connection is not used again (RFC 9112 §6.3).
    let framed = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let both = head("content-length: 7\r\ntransfer-encoding: chunked\r\n") + &framed;
    let mut io = world.raw().await;
    io.write_all(both.as_bytes()).await.unwrap();
    io.write_all(head("content-length: 0\r\n").as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    io.read_exact(&mut answer).await.unwrap();
    if answer == b"HTTP/1.1 200" {
        assert_eq!(alpha.received()[0].body, body.replace("alpha/m", "m"));
    } else {
        assert_eq!(answer, b"HTTP/1.1 400");
        assert_eq!(alpha.received().len(), 0);
    }
}
