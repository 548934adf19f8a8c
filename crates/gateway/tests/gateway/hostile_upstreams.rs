//! Hostile upstreams: each kind of bad answer has its exact error, within its time, and spoils nothing.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use pointsman_testkit::mock::{Answer, Cut, Mock};
use pointsman_testkit::openai::{Tokens, chat_answer, chat_events};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::*;

/// One provider with short limits, asked once.
const ONE: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    models: [m]
    timeouts: { connect: 2s, first_byte: 20s, first_token: 10s, between_chunks: 5s, total: 60s }
  elsewhere: { base_url: 'http://elsewhere.test/v1', models: [m] }
";
const TOKENS: Tokens = Tokens { input: 5, output: 2 };
/// No single answer may hold a request for longer: the total limit, twice for its one retry.
const LONGEST: Duration = Duration::from_secs(61);

/// What the client sees.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// The answer, whole.
    Good,
    /// 502 `upstream_malformed`.
    Malformed,
    /// 502 `upstream_unavailable`.
    Unavailable,
    /// 504 `upstream_timeout`.
    Timeout,
}

type Make = fn() -> Answer;

/// What it does, what a plain request sees, what a streamed one sees.
type Case = (&'static str, Make, Seen, Seen);

fn body() -> String {
    chat_answer("m", "x", TOKENS).to_string()
}

/// A raw answer whose body fits a plain request.
fn raw(status_line: &str, fields: &str) -> Answer {
    let body = body();
    Answer::raw(format!("{status_line}\r\n{fields}content-length: {}\r\n\r\n{body}", body.len()))
}

fn fields(fields: &str) -> Answer {
    raw("HTTP/1.1 200 OK", &format!("content-type: application/json\r\n{fields}"))
}

/// A raw answer in chunks, with this behind its head.
fn chunks(wire: &str) -> Answer {
    Answer::raw(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{wire}"))
}

fn framed() -> String {
    let body = body();
    format!("{:x}\r\n{body}\r\n", body.len())
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

fn megabytes(count: usize) -> impl Iterator<Item = Bytes> {
    std::iter::repeat_n(Bytes::from(vec![b' '; 1 << 20]), count)
}

use Seen::{Good, Malformed, Timeout, Unavailable};

/// Heads. A plain answer to a stream is malformed in any case.
const HEADS: &[Case] = &[
    ("no HTTP", || Answer::raw("SSH-2.0-OpenSSH_9.7\r\n\r\n"), Malformed, Malformed),
    ("HTTP/0.9", || Answer::raw(body()), Malformed, Malformed),
    ("HTTP/2 frames", || Answer::raw(&b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"[..]), Malformed, Malformed),
    ("a TLS alert", || Answer::raw(&b"\x15\x03\x01\0\x02\x02\x46"[..]), Malformed, Malformed),
    ("HTTP/1.0 to its end", || Answer::raw(format!("HTTP/1.0 200 OK\r\n\r\n{}", body())), Good, Malformed),
    ("HTTP/3.0", || raw("HTTP/3.0 200 OK", ""), Malformed, Malformed),
    ("status 0", || raw("HTTP/1.1 000 No", ""), Malformed, Malformed),
    ("status 99", || raw("HTTP/1.1 099 No", ""), Malformed, Malformed),
    ("status 1000", || raw("HTTP/1.1 1000 No", ""), Malformed, Malformed),
    ("status 999", || raw("HTTP/1.1 999 No", ""), Unavailable, Unavailable),
    ("status 600", || raw("HTTP/1.1 600 No", ""), Unavailable, Unavailable),
    ("a status in letters", || raw("HTTP/1.1 OK", ""), Malformed, Malformed),
    (
        "another protocol from now on",
        || raw("HTTP/1.1 101 Switching", "upgrade: x\r\n"),
        Unavailable,
        Unavailable,
    ),
    ("no content", || Answer::raw("HTTP/1.1 204 No Content\r\n\r\n"), Malformed, Malformed),
    ("not modified", || Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n"), Unavailable, Unavailable),
    (
        "200 fields",
        || fields(&(0..200).map(|n| format!("x-{n}: 1\r\n")).collect::<String>()),
        Malformed,
        Malformed,
    ),
    (
        "100 fields",
        || fields(&(0..100).map(|n| format!("x-{n}: 1\r\n")).collect::<String>()),
        Good,
        Malformed,
    ),
    ("a field of 100 KB", || fields(&format!("x: {}\r\n", "y".repeat(100_000))), Malformed, Malformed),
    ("a name of 100 KB", || fields(&format!("{}: y\r\n", "x".repeat(100_000))), Malformed, Malformed),
    (
        "a head without end",
        || Answer::raw(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20))),
        Malformed,
        Malformed,
    ),
    ("a line feed in a value", || fields("x-request-id: a\nset-cookie: b\r\n"), Good, Malformed),
    ("a carriage return in a value", || fields("x-request-id: a\rb\r\n"), Malformed, Malformed),
    ("a NUL in a value", || fields("x-request-id: a\0b\r\n"), Malformed, Malformed),
    ("a folded line", || fields("x: a\r\n b\r\n"), Malformed, Malformed),
    ("a name that is none", || fields("x y: a\r\n"), Malformed, Malformed),
    ("a value beyond ASCII", || fields("x-request-id: \u{fc}\r\n"), Good, Malformed),
    (
        "two interim answers",
        || raw("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nlink: x\r\n\r\nHTTP/1.1 200 OK", ""),
        Good,
        Malformed,
    ),
    (
        "1,000 interim answers",
        || Answer::raw("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
        Malformed,
        Malformed,
    ),
    ("interim answers only", || Answer::raw("HTTP/1.1 102 Processing\r\n\r\n"), Unavailable, Unavailable),
];

/// Lengths and chunks.
const FRAMING: &[Case] = &[
    ("nothing", || Answer::nothing(Cut::Close), Unavailable, Unavailable),
    ("a reset", || Answer::nothing(Cut::Reset), Unavailable, Unavailable),
    ("half a head", || Answer::json(&json!({})).cut_head(20, Cut::Close), Unavailable, Unavailable),
    ("half a body", || Answer::chat("m", "x", TOKENS).cut_body(30, Cut::Close), Unavailable, Malformed),
    (
        "half a body and a reset",
        || Answer::chat("m", "x", TOKENS).cut_body(30, Cut::Reset),
        Unavailable,
        Malformed,
    ),
    (
        "a length that is too long",
        || Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{}"),
        Unavailable,
        Malformed,
    ),
    (
        "a length that is too short",
        || Answer::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{}", body())),
        Malformed,
        Malformed,
    ),
    (
        "a negative length",
        || Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}"),
        Malformed,
        Malformed,
    ),
    (
        "a length in words",
        || Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}"),
        Malformed,
        Malformed,
    ),
    (
        "a length beyond u64",
        || Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}"),
        Malformed,
        Malformed,
    ),
    (
        "two lengths",
        || Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
        Malformed,
        Malformed,
    ),
    ("an encoding that is not chunked", || fields("transfer-encoding: gzip\r\n"), Malformed, Malformed),
    ("chunks twice", || fields("transfer-encoding: chunked, chunked\r\n"), Malformed, Malformed),
    (
        "chunks and a length",
        || {
            Answer::raw(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
                framed()
            ))
        },
        Good,
        Malformed,
    ),
    (
        "chunks with an extension",
        || chunks(&format!("2;a=b\r\n{{}}\r\n{}0\r\n\r\n", "")),
        Malformed,
        Malformed,
    ),
    (
        "trailers",
        || chunks(&format!("{}0\r\nset-cookie: a=b\r\nx-request-id: c\r\n\r\n", framed())),
        Good,
        Malformed,
    ),
    (
        "trailers without end",
        || chunks(&format!("{}0\r\n{}", framed(), "x: y\r\n".repeat(100_000))),
        Malformed,
        Malformed,
    ),
    ("a size that is no number", || chunks("xyz\r\n{}\r\n0\r\n\r\n"), Malformed, Malformed),
    ("a size beyond u64", || chunks("fffffffffffffffff\r\n{}"), Malformed, Malformed),
    ("a negative size", || chunks("-2\r\n{}\r\n0\r\n\r\n"), Malformed, Malformed),
    ("a size line without end", || chunks(&"0".repeat(100_000)), Malformed, Malformed),
    ("a chunk longer than its size", || chunks("1\r\n{}\r\n0\r\n\r\n"), Malformed, Malformed),
    ("chunks that stop", || chunks(&framed()), Unavailable, Malformed),
];

/// Bodies.
const BODIES: &[Case] = &[
    ("HTML", || Answer::new(200, "text/html", "<html></html>"), Malformed, Malformed),
    ("an empty body", || Answer::new(200, "application/json", ""), Malformed, Malformed),
    ("half a JSON", || Answer::new(200, "application/json", "{\"choices\":["), Malformed, Malformed),
    ("an array", || Answer::json(&json!(["no"])), Malformed, Malformed),
    (
        "invalid UTF-8",
        || Answer::new(200, "application/json", &b"{\"choices\":\"\xff\"}"[..]),
        Malformed,
        Malformed,
    ),
    (
        "nesting of a million",
        || Answer::new(200, "application/json", "[".repeat(1_000_000)),
        Malformed,
        Malformed,
    ),
    (
        "objects of half a million",
        || Answer::new(200, "application/json", "{\"a\":".repeat(500_000)),
        Malformed,
        Malformed,
    ),
    (
        "a wrong type and the right body",
        || Answer::chat("m", "x", TOKENS).content_type("image/png"),
        Good,
        Malformed,
    ),
    ("70 MB", || Answer::sse(megabytes(70)).content_type("application/json"), Malformed, Malformed),
    (
        "70 MB to the end of the connection",
        || Answer::sse(megabytes(70)).content_type("application/json").until_close(),
        Malformed,
        Malformed,
    ),
    (
        "a gzip bomb",
        || {
            Answer::new(200, "application/json", gzip(&vec![b' '; 1 << 20]).repeat(80))
                .header("content-encoding", "gzip")
        },
        Malformed,
        Malformed,
    ),
    ("gzip that nobody asked for", || Answer::chat("m", "x", TOKENS).gzip(), Good, Malformed),
    (
        "damaged gzip",
        || Answer::chat("m", "x", TOKENS).header("content-encoding", "gzip"),
        Malformed,
        Malformed,
    ),
    ("brotli", || Answer::chat("m", "x", TOKENS).header("content-encoding", "br"), Malformed, Malformed),
    (
        "an error inside a success",
        || Answer::json(&json!({"error": {"message": "no", "type": "server_error"}})),
        Unavailable,
        Unavailable,
    ),
];

/// Answers that take their time.
const SLOW: &[Case] = &[
    ("no answer", || Answer::nothing(Cut::Hang), Timeout, Timeout),
    ("half a head and no more", || Answer::json(&json!({})).cut_head(20, Cut::Hang), Timeout, Timeout),
    (
        "half a body and no more",
        || Answer::chat("m", "x", TOKENS).cut_body(30, Cut::Hang),
        Timeout,
        Malformed,
    ),
    (
        "a byte a second",
        || {
            Answer::sse(body().into_bytes().into_iter().map(|byte| Bytes::from(vec![byte])))
                .content_type("application/json")
                .pace(secs(1))
        },
        Timeout,
        Malformed,
    ),
    (
        "blanks for ever",
        || {
            Answer::sse(std::iter::repeat_n(Bytes::from_static(b" "), 1000))
                .content_type("application/json")
                .pace(secs(4))
        },
        Timeout,
        Malformed,
    ),
];

/// What is wrong with a stream before its first token.
const STREAMS: &[Case] = &[
    (
        "an event of a megabyte",
        || Answer::sse([Bytes::from([&b"data: "[..], &vec![b'x'; 20 << 20]].concat())]),
        Malformed,
        Malformed,
    ),
    ("20 MB without a line end", || Answer::sse(megabytes(20)), Malformed, Malformed),
    (
        "a stream of invalid UTF-8",
        || Answer::sse([Bytes::from_static(b"data: \xff\xfe\n\n")]),
        Malformed,
        Malformed,
    ),
    ("a stream of no JSON", || Answer::sse([Bytes::from_static(b"data: hello\n\n")]), Malformed, Malformed),
    (
        "an event that is nested too deep",
        || Answer::sse([format!("data: {}\n\n", "[".repeat(100_000)).into()]),
        Malformed,
        Malformed,
    ),
    (
        "comments for ever",
        || Answer::sse(std::iter::repeat_n(Bytes::from_static(b": ping\n\n"), 1000)).pace(secs(1)),
        Timeout,
        Timeout,
    ),
    ("an empty stream", || Answer::sse([]), Malformed, Unavailable),
    (
        "a stream that is only cut",
        || Answer::sse(chat_events("m", &["x"], None)).cut_body(3, Cut::Reset),
        Unavailable,
        Unavailable,
    ),
    ("a compressed stream", || Answer::sse(chat_events("m", &["x"], None)).gzip(), Malformed, Malformed),
];

async fn play(world: &World, alpha: &Mock, case: &Case, stream: bool) -> Option<String> {
    let &(name, make, plain, streamed_seen) = case;
    let expected = if stream { streamed_seen } else { plain };
    alpha.otherwise(move |_| make());
    let started = Instant::now();
    let reply = world.send(if stream { streamed("alpha/m") } else { chat("alpha/m") }).await;
    let elapsed = started.elapsed();
    alpha.otherwise(|_| Answer::chat("m", "good", TOKENS));
    let normal = world.chat("alpha/m").await;
    world.assert_at_rest();
    let seen = match (reply.status, reply.body.starts_with(b"{\"error\"")) {
        (200, false) => "good".to_owned(),
        (status, _) => format!("{status} {}", reply.error()["code"].as_str().unwrap_or_default()),
    };
    let wanted = match expected {
        Good => "good",
        Malformed => "502 upstream_malformed",
        Unavailable => "502 upstream_unavailable",
        Timeout => "504 upstream_timeout",
    };
    let place = format!("{name} ({})", if stream { "stream" } else { "plain" });
    if seen != wanted {
        return Some(format!(
            "{place}: expected {wanted}, got {seen}: {:?}",
            reply.body.slice(..reply.body.len().min(300))
        ));
    }
    if reply.headers.contains_key("set-cookie") || reply.headers.contains_key("link") {
        return Some(format!("{place}: foreign fields got through: {:?}", reply.headers));
    }
    if normal.status != 200 || normal.json() != chat_answer("m", "good", TOKENS) {
        return Some(format!("{place}: the next request got {} {:?}", normal.status, normal.body));
    }
    (elapsed > LONGEST).then(|| format!("{place}: took {elapsed:?}"))
}

#[tokio::test(start_paused = true)]
async fn every_bad_answer_has_its_exact_error() {
    let world = start(ONE);
    let alpha = world.upstream("alpha");
    let elsewhere = world.upstream("elsewhere");
    let mut wrong = Vec::new();
    for case in [HEADS, FRAMING, BODIES, SLOW, STREAMS].concat() {
        for stream in [false, true] {
            wrong.extend(play(&world, &alpha, &case, stream).await);
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(elsewhere.connections().accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn redirects_are_never_followed() {
    let world = start(ONE);
    let alpha = world.upstream("alpha");
    let elsewhere = world.upstream("elsewhere");
    for status in [300, 301, 302, 303, 307, 308] {
        for location in [
            "http://elsewhere.test/v1/chat/completions",
            "/v1/other",
            "//elsewhere.test/",
            "file:///etc/passwd",
            "",
        ] {
            for stream in [false, true] {
                let before = alpha.received().len();
                let location = location.to_owned();
                alpha.otherwise(move |_| Answer::error(status, "elsewhere").header("location", &location));
                let reply = world.send(if stream { streamed("alpha/m") } else { chat("alpha/m") }).await;
                reply.assert_error(502, "upstream_unavailable", None);
                assert_eq!(reply.header("location"), None);
                assert!(alpha.received()[before..].iter().all(|sent| sent.path() == "/v1/chat/completions"));
            }
        }
    }
    assert_eq!(elsewhere.connections().accepted, 0);
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_follows_an_answer_is_nobodys_answer() {
    let world = start(ONE);
    let alpha = world.upstream("alpha");
    let body = body();
    let one = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let poison = chat_answer("m", "poison", TOKENS).to_string();
    let two = format!("{one}HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{poison}", poison.len());
    // The mock keeps the connection open, as an attacker would.
    alpha.script([Answer::sse([]).cut_head(0, Cut::Close), Answer::raw(two)]);
    assert_eq!(world.chat("alpha/m").await.body, body, "after one retry");
    for _ in 0..3 {
        assert!(!world.chat("alpha/m").await.body.windows(6).any(|part| part == b"poison"));
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn waiting_times_are_not_believed_beyond_reason() {
    let world = start(ONE);
    let alpha = world.upstream("alpha");
    for wait in ["99999999999999999999", "-5", "1e9", "soon", "Thu, 01 Jan 2099 00:00:00 GMT", "31536000000"]
    {
        alpha.otherwise(move |_| Answer::rate_limited(None).header("retry-after", wait));
        let started = Instant::now();
        let reply = world.chat("alpha/m").await;
        reply.assert_error(429, "upstream_rate_limited", None);
        assert!(started.elapsed() <= LONGEST, "{wait}: {:?}", started.elapsed());
        let told = reply.header("retry-after").map_or(0, |told| told.parse::<u64>().unwrap());
        assert!(told <= 7 * 24 * 3600, "{wait}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn words_of_an_error_are_short() {
    let world = start(ONE);
    let alpha = world.upstream("alpha");
    let long = "é".repeat(30_000);
    for answer in [
        Answer::error(500, &long),
        Answer::new(500, "text/plain", long.clone()),
        Answer::new(500, "application/json", "[".repeat(60_000)),
        Answer::sse(megabytes(70)).content_type("text/plain"),
    ] {
        let answer = std::sync::Arc::new(answer);
        alpha.otherwise(move |_| Answer::clone(&answer));
        let reply = world.chat("alpha/m").await;
        assert_eq!(reply.status, 502);
        assert!(reply.body.len() < 4000, "{} bytes", reply.body.len());
    }
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_committed_stream_ends_in_an_error_and_never_looks_whole() {
    let world = start(ONE);
    let alpha = world.upstream("alpha");
    let start_of = || chat_events("m", &["x"], None).into_iter().take(2);
    let with = |more: Vec<Bytes>| Answer::sse(start_of().chain(more));
    let long_line = Bytes::from([&b"data: "[..], &vec![b'x'; 20 << 20]].concat());
    for (name, answer, limit) in [
        ("cut", with(vec![Bytes::from_static(b"data: x")]).cut_after_parts(2, Cut::Close), 1),
        ("reset", with(vec![Bytes::from_static(b"data: x")]).cut_after_parts(2, Cut::Reset), 1),
        ("ended", with(vec![]), 1),
        ("silent", with(vec![Bytes::from_static(b": x\n\n")]).cut_after_parts(2, Cut::Hang), 6),
        ("a long line", with(vec![long_line]), 1),
        ("no JSON", with(vec![Bytes::from_static(b"data: {\"choices\":\n\n")]), 1),
        (
            "invalid UTF-8",
            with(vec![Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n")]),
            1,
        ),
        ("comments for ever", with(vec![Bytes::from_static(b": x\n\n"); 1000]).pace(secs(1)), 61),
        ("blanks for ever", with(vec![Bytes::from_static(b" "); 1000]).pace(secs(1)), 61),
    ] {
        alpha.script([answer]);
        let started = Instant::now();
        let mut stream = world.stream("alpha/m").await;
        assert_eq!(stream.status, 200, "{name}");
        let text = stream.rest().await;
        assert!(
            text.contains("\"stream_interrupted\""),
            "{name}: {}",
            &text[text.len().saturating_sub(500)..]
        );
        assert!(!text.contains("[DONE]"), "{name}");
        assert!(started.elapsed() <= secs(limit), "{name}: {:?}", started.elapsed());
    }
    world.assert_at_rest();
}
