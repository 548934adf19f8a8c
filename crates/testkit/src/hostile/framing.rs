//! Where a request ends: lengths, chunks, request smuggling, pipelining.

use super::{BODY, Case, Expect, Step, forwarded, head, post, with_length};

const BAD: Expect = Expect::Bare(400);
const INVALID: Expect = Expect::Error(400, "invalid_request", None);
const UNREADABLE: Expect = Expect::Error(400, "body_unreadable", None);
const MISSING: Expect = Expect::Error(400, "invalid_request", Some("model"));

/// A request that an attacker hides in the body of another.
const HIDDEN: &str = "GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1:4180\r\n\r\n";

pub(super) fn cases() -> Vec<Case> {
    [lengths(), both(), encodings(), chunks(), sequences()].concat()
}

/// `BODY` in one chunk, and the end.
fn chunked() -> String {
    format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len())
}

/// A chunked request with this behind its head.
fn in_chunks(name: &'static str, wire: &str, expect: Expect) -> Case {
    Case::new(name, head("transfer-encoding: chunked\r\n") + wire, expect)
}

fn with(name: &'static str, fields: &str, expect: Expect) -> Case {
    Case::new(name, head(fields) + BODY, expect)
}

fn lengths() -> Vec<Case> {
    let short = format!("content-length: {}\r\n", BODY.len() - 1);
    let long = format!("content-length: {}\r\n", BODY.len() + 1);
    let exact = format!("content-length: {}\r\n", BODY.len());
    vec![
        with("no length and no chunks", "", INVALID).and(BAD),
        // The brace that is left over is no request.
        with("a length that is too short", &short, INVALID).and(BAD),
        with("a length that is too long, and the end", &long, UNREADABLE).then(Step::EndWrite),
        with("a length with a sign", "content-length: +19\r\n", BAD),
        with("a negative length", "content-length: -1\r\n", BAD),
        with("a length in hexadecimal", "content-length: 0x13\r\n", BAD),
        with("a length with a fraction", "content-length: 19.0\r\n", BAD),
        with("an empty length", "content-length:\r\n", BAD),
        with("a length with a blank inside", "content-length: 1 9\r\n", BAD),
        with("a length beyond u64", "content-length: 99999999999999999999999\r\n", BAD),
        with("two lengths in one field", "content-length: 19, 20\r\n", BAD),
        with("two lengths that contradict each other", "content-length: 19\r\ncontent-length: 5\r\n", BAD),
        with("the same length twice", &format!("{exact}{exact}"), forwarded()),
        with("a length with zeros before it", "content-length: 0000000019\r\n", forwarded()),
    ]
}

/// Both framings at once are refused, and the connection ends after the answer (RFC 9112, 6.3). Behind another
/// request, which was not answered yet, the chunks count, and it ends as well.
fn both() -> Vec<Case> {
    let after = |fields: &str| head(fields) + &chunked() + HIDDEN;
    let behind = [post(BODY.as_bytes()), after("transfer-encoding: chunked\r\ncontent-length: 4\r\n").into()];
    vec![
        Case::new("length and chunks", after("content-length: 4\r\ntransfer-encoding: chunked\r\n"), INVALID),
        Case::new("chunks and length", after("transfer-encoding: chunked\r\ncontent-length: 4\r\n"), INVALID),
        Case::new(
            "chunks and a length that covers the next request",
            after("transfer-encoding: chunked\r\ncontent-length: 500\r\n"),
            INVALID,
        ),
        Case::new("chunks and length behind another request", behind.concat(), forwarded()).and(forwarded()),
        Case::new(
            "a request hidden behind an empty chunk",
            head("content-length: 68\r\ntransfer-encoding: chunked\r\n") + "0\r\n\r\n" + HIDDEN,
            INVALID,
        ),
    ]
}

fn encodings() -> Vec<Case> {
    let framed = chunked();
    let with = |name, fields: &str, expect| Case::new(name, head(fields) + &framed, expect);
    vec![
        with("chunks in capitals", "Transfer-Encoding: CHUNKED\r\n", forwarded()),
        with("chunks, then identity", "transfer-encoding: chunked, identity\r\n", BAD),
        with("gzip only", "transfer-encoding: gzip\r\n", BAD),
        with("identity only", "transfer-encoding: identity\r\n", BAD),
        with("a word that only begins so", "transfer-encoding: chunkedd\r\n", BAD),
        with("a word that only ends so", "transfer-encoding: xchunked\r\n", BAD),
        with("an empty encoding", "transfer-encoding:\r\n", BAD),
        with("quoted chunks", "transfer-encoding: \"chunked\"\r\n", BAD),
        with("gzip, then chunks", "transfer-encoding: gzip, chunked\r\n", INVALID),
        with("chunks twice in one field", "transfer-encoding: chunked, chunked\r\n", INVALID),
        with("chunks in two fields", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", INVALID),
        with("chunks with a parameter", "transfer-encoding: chunked;q=1\r\n", BAD),
        with("a vertical tab before the encoding", "transfer-encoding: \x0bchunked\r\n", BAD),
        with("chunks with a blank before the colon", "transfer-encoding : chunked\r\n", BAD),
        with("an underscore in the name", "transfer_encoding: chunked\r\n", INVALID).and(BAD),
        Case::new(
            "chunks in HTTP/1.0",
            format!(
                "POST /v1/chat/completions HTTP/1.0\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n{framed}"
            ),
            BAD,
        ),
    ]
}

fn chunks() -> Vec<Case> {
    let (length, body) = (BODY.len(), BODY);
    let one = |size: &str| format!("{size}\r\n{body}\r\n0\r\n\r\n");
    vec![
        in_chunks("one chunk", &chunked(), forwarded()),
        in_chunks(
            "a byte a chunk",
            &(body.chars().map(|c| format!("1\r\n{c}\r\n")).collect::<String>() + "0\r\n\r\n"),
            forwarded(),
        ),
        in_chunks("a size with zeros before it", &one("000013"), forwarded()),
        in_chunks(
            "a size in capitals",
            &format!("13\r\n{body}\r\nA\r\n          \r\n0\r\n\r\n"),
            Expect::Forwarded(format!("{}          ", super::SENT).into()),
        ),
        in_chunks("a chunk extension", &one("13;name=\"value\""), forwarded()),
        in_chunks(
            "trailers",
            &format!("13\r\n{body}\r\n0\r\nauthorization: Bearer x\r\ncontent-length: 5\r\n\r\n"),
            forwarded(),
        ),
        in_chunks(
            "an extension without end",
            &format!("13;{}\r\n{body}\r\n0\r\n\r\n", "x".repeat(100_000)),
            UNREADABLE,
        ),
        in_chunks("an extension with a line feed alone", &one("13;a\nb"), UNREADABLE),
        in_chunks(
            "trailers without end",
            &format!("13\r\n{body}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(50_000)),
            UNREADABLE,
        ),
        in_chunks("no chunk at all", "0\r\n\r\n", INVALID),
        in_chunks("a size beyond u64", "fffffffffffffffff\r\n", UNREADABLE),
        in_chunks("the largest size", "ffffffffffffffff\r\n", UNREADABLE).then(Step::EndWrite),
        in_chunks("a negative size", "-13\r\n", UNREADABLE),
        in_chunks("a size with a sign", "+13\r\n", UNREADABLE),
        in_chunks("a size with a prefix", "0x13\r\n", UNREADABLE),
        in_chunks("no size", "\r\n", UNREADABLE),
        in_chunks("a size that is no number", "xyz\r\n", UNREADABLE),
        in_chunks("a blank before the size", &one(" 13"), UNREADABLE),
        in_chunks("a chunk longer than its size", &format!("12\r\n{body}\r\n0\r\n\r\n"), UNREADABLE),
        in_chunks("a chunk shorter than its size", &format!("14\r\n{body}\r\n0\r\n\r\n"), UNREADABLE),
        in_chunks("chunks ended by line feeds", &format!("{length:x}\n{body}\n0\n\n"), UNREADABLE),
        in_chunks("chunks that stop", &format!("{length:x}\r\n{body}\r\n"), UNREADABLE).then(Step::EndWrite),
    ]
}

fn sequences() -> Vec<Case> {
    let two = [&post(BODY.as_bytes())[..], HIDDEN.as_bytes()].concat();
    let ten = post(BODY.as_bytes()).repeat(10);
    let mut pipelined = Case::new("ten requests at once", ten, forwarded());
    pipelined.expect = vec![forwarded(); 10];
    let asks = |length: usize| head(&format!("expect: 100-continue\r\ncontent-length: {length}\r\n"));
    vec![
        pipelined,
        Case::new("a request and a list at once", two, forwarded()).and(Expect::Served),
        Case::new(
            "a request and garbage",
            [&post(BODY.as_bytes())[..], b"\x16\x03\x01"].concat(),
            forwarded(),
        )
        .and(BAD),
        Case::new(
            "empty lines before a request",
            [b"\r\n\r\n", &post(BODY.as_bytes())[..]].concat(),
            forwarded(),
        ),
        Case::new(
            "a wrong request does not spoil the next",
            [post(b"{}"), post(BODY.as_bytes())].concat(),
            MISSING,
        )
        .and(forwarded()),
        Case::new("leave asked for first", asks(BODY.len()) + BODY, forwarded()),
        Case::new("leave asked for, and too long", asks(1 << 30), Expect::Error(413, "body_too_large", None)),
        Case::new("another expectation", with_length("expect: 200-ok\r\n", BODY.as_bytes()), forwarded()),
        Case::new(
            "an upgrade to HTTP/2",
            with_length(
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
                BODY.as_bytes(),
            ),
            forwarded(),
        ),
        Case::new(
            "an upgrade to WebSocket",
            with_length(
                "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
                BODY.as_bytes(),
            ),
            forwarded(),
        ),
        Case::new(
            "fields that belong to one hop",
            with_length(
                "connection: host, content-length, authorization\r\nte: trailers\r\nproxy-authorization: Basic x\r\n",
                BODY.as_bytes(),
            ),
            forwarded(),
        ),
        Case::new(
            "the connection is to be closed",
            [with_length("connection: close\r\n", BODY.as_bytes()), post(BODY.as_bytes())].concat(),
            forwarded(),
        ),
        Case::new(
            "a list with a body that is a request",
            format!(
                "GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {}\r\n\r\n{HIDDEN}",
                HIDDEN.len()
            ),
            Expect::Served,
        ),
    ]
}
