//! The mock over memory: what is received is exact, what is scripted is what comes.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;
use crate::net::MemoryIo;
use crate::openai::chat_request;

const NAME: &str = "mock:80";

struct World {
    mock: Mock,
    net: MemoryNet,
    _server: MockServer,
}

impl World {
    fn new() -> Self {
        let (mock, net) = (Mock::new(), MemoryNet::new());
        let server = mock.serve_memory(&net, NAME);
        Self { mock, net, _server: server }
    }

    async fn send(&self, bytes: &[u8]) -> MemoryIo {
        let mut io = self.net.connect(NAME).await.unwrap();
        io.write_all(bytes).await.unwrap();
        io
    }

    /// Sends one chat request and reads until the connection ends; `Err` holds what came before a reset.
    async fn exchange(&self, answer: Answer) -> Result<String, String> {
        self.mock.script([answer]);
        read_all(&mut self.send(&chat(true)).await).await
    }
}

fn chat(stream: bool) -> Vec<u8> {
    post("/v1/chat/completions", &chat_request("m", stream).to_string())
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: mock\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn read_all(io: &mut MemoryIo) -> Result<String, String> {
    let mut all = Vec::new();
    let result = io.read_to_end(&mut all).await;
    let text = String::from_utf8_lossy(&all).into_owned();
    if result.is_ok() { Ok(text) } else { Err(text) }
}

/// Reads up to and with `end`.
async fn read_until(io: &mut MemoryIo, end: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        all.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test(start_paused = true)]
async fn keeps_requests_exactly_as_they_came() {
    let world = World::new();
    let body = r#"{ "model" : "m\u0061", "messages":[{}], "x":1e400 }"#;
    let mut io = world.send(&post("/v1/chat/completions?q=1", body)).await;
    read_until(&mut io, "}}").await;
    let entry = world.mock.wait_ended(1).await.remove(0);
    assert_eq!((entry.method.as_str(), entry.path()), ("POST", "/v1/chat/completions"));
    assert_eq!(entry.headers[0], ("Host".to_owned(), "mock".to_owned()));
    assert_eq!(entry.body, body.as_bytes());
    assert_eq!((entry.model().as_str(), entry.is_complete()), ("ma", true));
    assert_eq!(world.mock.tokens_emitted(), Tokens { input: 12, output: 3 });
    assert_eq!(world.mock.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn one_connection_carries_many_requests_also_chunked_ones() {
    let world = World::new();
    let mut io = world.send(&chat(false)).await;
    read_until(&mut io, "}}").await;
    let chunked = b"POST /v1/embeddings HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n5\r\n{\"mod\r\n1a\r\nel\":\"e\",\"input\":[\"a\",\"b\"]}\r\n0\r\n\r\n";
    io.write_all(chunked).await.unwrap();
    let answer = read_until(&mut io, "}}").await;
    assert!(answer.contains("embedding"), "{answer}");
    let log = world.mock.wait_ended(2).await;
    assert_eq!(log[1].body, r#"{"model":"e","input":["a","b"]}"#);
    assert_eq!(world.mock.connections(), Connections { accepted: 1, open: 1 });
    drop(io);
    world.mock.wait_connections(|count| count.open == 0).await;
}

#[tokio::test(start_paused = true)]
async fn strict_checks_find_what_a_picky_server_refuses() {
    let cases: [(Vec<u8>, &str, &str); 6] = [
        (post("/v1/nothing", "{}"), "404", "no such path"),
        (post("/v1/chat/completions", "{"), "400", "body is not JSON"),
        (post("/v1/chat/completions", r#"{"model":"m","messages":[]}"#), "400", "messages is not"),
        (post("/v1/embeddings", r#"{"input":"x"}"#), "400", "model is null"),
        (
            post("/v1/chat/completions", r#"{"model":"m","messages":[{}],"stream_options":{}}"#),
            "400",
            "stream_options without stream",
        ),
        (b"GET /v1/models HTTP/1.1\r\nhost: m\r\nCookie: a=b\r\n\r\n".to_vec(), "400", "header cookie"),
    ];
    for (request, status, violation) in cases {
        let world = World::new();
        let mut io = world.send(&request).await;
        let line = read_until(&mut io, "\r\n").await;
        assert!(line.starts_with(&format!("HTTP/1.1 {status}")), "{violation}: {line}");
        let found = world.mock.violations();
        assert!(found.iter().any(|text| text.contains(violation)), "{violation} not in {found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn paces_a_stream_by_the_given_clock() {
    let world = World::new();
    let answer = Answer::chat_stream("m", &["a", "b"], None).delay_head(Duration::from_secs(3));
    world.mock.script([answer.pace(Duration::from_secs(1))]);
    let start = Instant::now();
    let mut io = world.send(&chat(true)).await;
    read_until(&mut io, "\r\n\r\n").await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    let text = read_until(&mut io, "0\r\n\r\n").await;
    // Role, two texts, finish and [DONE]: four pauses between five parts.
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    assert!(text.contains(r#"{"content":"a"}"#) && text.contains("data: [DONE]"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_a_stream_and_a_client_that_leaves_is_seen() {
    let world = World::new();
    let gate = Gate::new();
    world.mock.script([Answer::chat_stream("m", &["a"], None).gate(2, &gate)]);
    let mut io = world.send(&chat(true)).await;
    read_until(&mut io, "\"a\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n\r\n").await;
    let entry = world.mock.wait_entry(0, |entry| entry.parts_sent == 2).await;
    assert_eq!(entry.ending(), None);
    drop(io);
    assert_eq!(world.mock.wait_ended(1).await[0].ending(), Some(Ending::ClientGone));
    gate.open();
}

#[tokio::test(start_paused = true)]
async fn breaks_off_where_the_script_says() {
    let world = World::new();
    assert_eq!(world.exchange(Answer::nothing(Cut::Reset)).await, Err(String::new()));
    assert_eq!(world.exchange(Answer::nothing(Cut::Close)).await, Ok(String::new()));
    let head = world.exchange(Answer::json(&json!({})).cut_head(12, Cut::Close)).await;
    assert_eq!(head.as_deref(), Ok("HTTP/1.1 200"));
    let stream = || Answer::sse([Bytes::from_static(b"data: 1\n\n"), Bytes::from_static(b"data: 2\n\n")]);
    let cut = world.exchange(stream().cut_after_parts(1, Cut::Reset)).await.unwrap_err();
    assert!(cut.ends_with("\r\n\r\n9\r\ndata: 1\n\n\r\n"), "{cut}");
    let cut = world.exchange(stream().cut_body(20, Cut::Close)).await.unwrap();
    assert!(cut.ends_with("9\r\ndata: 1\n\n\r\n9\r\ndat"), "{cut}");
    let log = world.mock.wait_ended(5).await;
    assert!(log.iter().all(|entry| entry.ending() == Some(Ending::Cut)));
    assert_eq!(log[3].parts_sent, 1);
    assert_eq!(log[4].parts_sent, 1);
    let raw = world.exchange(Answer::raw("not http at all\n")).await;
    assert_eq!(raw.as_deref(), Ok("not http at all\n"));
}

#[tokio::test(start_paused = true)]
async fn hangs_until_the_client_gives_up() {
    let world = World::new();
    world.mock.script([Answer::nothing(Cut::Hang)]);
    let mut io = world.send(&chat(true)).await;
    let waited = tokio::time::timeout(Duration::from_secs(600), io.read_u8()).await;
    assert!(waited.is_err());
    drop(io);
    assert_eq!(world.mock.wait_ended(1).await[0].ending(), Some(Ending::ClientGone));
}

#[tokio::test(start_paused = true)]
async fn gzip_bodies_stay_decodable_part_by_part() {
    let world = World::new();
    let parts = [Bytes::from_static(b"data: 1\n\n"), Bytes::from_static(b"data: 2\n\n")];
    let answer = Answer::sse(parts).gzip().until_close();
    world.mock.script([answer]);
    let mut io = world.send(&chat(true)).await;
    let head = read_until(&mut io, "\r\n\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut body = Vec::new();
    io.read_to_end(&mut body).await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "data: 1\n\ndata: 2\n\n");
}

#[tokio::test]
async fn serves_tcp_and_resets_it_too() {
    let mock = Mock::new();
    let server = mock.serve_tcp().await.unwrap();
    assert!(server.base_url().starts_with("http://127.0.0.1:"));
    mock.script([Answer::nothing(Cut::Reset)]);
    let mut io = tokio::net::TcpStream::connect(&server.authority).await.unwrap();
    io.write_all(&chat(false)).await.unwrap();
    assert_eq!(io.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}
