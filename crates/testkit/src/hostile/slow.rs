//! Clients that take their time, or stop.

use std::time::Duration;

use bytes::Bytes;

use super::{BODY, Case, Expect, Step, forwarded, head, post};

const TIMEOUT: Expect = Expect::Error(408, "body_timeout", None);
const UNREADABLE: Expect = Expect::Error(400, "body_unreadable", None);
/// Between two bytes: fast enough to look alive.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn cases() -> Vec<Case> {
    let begun = |fields: &str| head(fields) + "{\"model\":";
    let chunked = || head("transfer-encoding: chunked\r\n");
    let (first, rest) = BODY.split_at(9);
    vec![
        closed("a connection that says nothing", b""),
        closed("a head that stops in the first line", b"POST /v1/chat"),
        closed("a head that stops in a field", b"POST /v1/chat/completions HTTP/1.1\r\nhost: local"),
        closed(
            "a head that stops before its end",
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n",
        ),
        closed("a head byte by byte", b"").then(Step::Drip(post(BODY.as_bytes()), PAUSE)),
        closed("a field now and then", b"POST / HTTP/1.1\r\n")
            .then(Step::Drip(Bytes::from(b"x: y\r\n".repeat(20)), PAUSE)),
        Case::new("a body that does not come", head("content-length: 100\r\n"), TIMEOUT),
        Case::new("a body that stops", begun("content-length: 100\r\n"), TIMEOUT),
        Case::new("a body byte by byte", head("content-length: 100\r\n"), TIMEOUT)
            .then(Step::Drip(Bytes::from(vec![b' '; 100]), PAUSE)),
        Case::new("chunks that do not come", chunked(), TIMEOUT),
        Case::new("chunks byte by byte", chunked(), TIMEOUT)
            .then(Step::Drip(Bytes::from(b"1\r\n \r\n".repeat(20)), PAUSE)),
        Case::new("a chunk size that does not end", chunked(), TIMEOUT)
            .then(Step::Drip(Bytes::from(vec![b'0'; 12]), PAUSE)),
        Case::new("trailers that do not end", chunked() + "13\r\n" + BODY + "\r\n0\r\nx: y\r\n", TIMEOUT),
        Case::new(
            "leave asked for, and then nothing",
            head("expect: 100-continue\r\ncontent-length: 100\r\n"),
            TIMEOUT,
        ),
        Case::new("a client that leaves in the body", begun("content-length: 100\r\n"), UNREADABLE)
            .then(Step::EndWrite),
        Case::new("a client that leaves before the body", head("content-length: 100\r\n"), UNREADABLE)
            .then(Step::EndWrite),
        Case::new(
            "a body with a pause that is short enough",
            head("content-length: 19\r\n") + first,
            forwarded(),
        )
        .then(Step::Drip(Bytes::copy_from_slice(rest.as_bytes()), Duration::from_millis(50))),
    ]
}

fn closed(name: &'static str, sent: &'static [u8]) -> Case {
    Case::new(name, sent, Expect::Bare(408)).closed()
}
