//! Heads that are right, at every cut; heads that are not.

use super::*;

fn parse(wire: &str) -> Result<Option<Head>, ExchangeError> {
    read(&mut BytesMut::from(wire), &Method::POST)
}

fn one(wire: &str) -> Head {
    parse(wire).unwrap().unwrap()
}

#[test]
fn a_request_is_written_with_a_length_of_ours() {
    let request = Request::post("/v1/x?y=1")
        .header("host", "h:1")
        .header("content-length", "999")
        .header("connection", "close")
        .header("a", "b")
        .body(())
        .unwrap();
    let mut out = BytesMut::new();
    write(&request, Length::Known(3), &mut out);
    assert_eq!(out, "POST /v1/x?y=1 HTTP/1.1\r\nhost: h:1\r\na: b\r\ncontent-length: 3\r\n\r\n");
    out.clear();
    write(&request, Length::Chunked, &mut out);
    assert!(out.ends_with(b"a: b\r\ntransfer-encoding: chunked\r\n\r\n"));
}

#[test]
fn a_head_is_complete_at_its_last_byte_and_not_before() {
    let wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\n";
    for end in 0..wire.len() {
        assert!(read(&mut BytesMut::from(&wire[..end]), &Method::POST).unwrap().is_none(), "{end}");
    }
    let mut buffer = BytesMut::from(format!("{wire}hello").as_str());
    let head = read(&mut buffer, &Method::POST).unwrap().unwrap();
    assert_eq!((head.framing, head.reusable), (Framing::Length(5), true));
    assert_eq!(head.response.headers().get("x-a").unwrap(), "b");
    assert_eq!(buffer, "hello");
}

#[test]
fn where_the_body_ends_and_whether_the_connection_goes_on() {
    let chunked = Framing::Chunked(Chunk::Size);
    let cases = [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n", chunked, true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n", chunked, false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n", Framing::Length(3), true),
        ("HTTP/1.1 200 OK\r\n", Framing::UntilClose, false),
        ("HTTP/1.1 204 No Content\r\n", Framing::Length(0), true),
        ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n", Framing::Length(0), false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n", Framing::Length(1), false),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n", Framing::Length(1), true),
    ];
    for (wire, framing, reusable) in cases {
        let head = one(&format!("{wire}\r\n"));
        assert_eq!((head.framing, head.reusable), (framing, reusable), "{wire}");
    }
    let head = read(&mut BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"), &Method::HEAD);
    assert_eq!(head.unwrap().unwrap().framing, Framing::Length(0));
}

#[test]
fn what_is_no_head_is_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(MAX_HEAD_BYTES));
    let bad = [
        "hello\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: \u{1}\r\n\r\n",
        &many,
        &long,
    ];
    for wire in bad {
        let verdict = parse(wire);
        assert!(matches!(verdict, Err(ExchangeError::Malformed(_))), "{verdict:?} {wire:.60}");
    }
}
