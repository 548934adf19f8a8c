//! What the fuzz target `answer` checks, here so that a plain test replays its corpus too.

use bytes::BytesMut;
use http::Method;

use crate::h1::framing::Decoded;
use crate::h1::head;

/// What came of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    fields: usize,
    reusable: bool,
    body: Vec<u8>,
    /// Whole, and with nothing behind it that was taken.
    end: Result<usize, String>,
}

/// Reads `wire` as the bytes of a connection: the same comes of it whole, byte by byte, and cut in two.
///
/// # Panics
/// Where it does not.
pub fn check_answer(wire: &[u8]) {
    let Some((&choice, wire)) = wire.split_first() else { return };
    let whole = read(wire, wire.len().max(1));
    assert_eq!(whole, read(wire, 1), "whole and byte by byte");
    assert_eq!(whole, read(wire, usize::from(choice) + 1), "whole and in pieces");
}

fn read(wire: &[u8], step: usize) -> Option<Seen> {
    let mut buffer = BytesMut::new();
    let mut pieces = wire.chunks(step);
    let head = loop {
        match head::read(&mut buffer, &Method::POST) {
            Ok(Some(head)) => break head,
            Ok(None) => buffer.extend_from_slice(pieces.next()?),
            // Which fault is found first may depend on the cut; that one is found may not.
            Err(_) => return None,
        }
    };
    let mut seen = Seen {
        status: head.response.status().as_u16(),
        fields: head.response.headers().len(),
        reusable: head.reusable,
        body: Vec::new(),
        end: Ok(0),
    };
    let mut framing = head.framing;
    loop {
        match framing.decode(&mut buffer) {
            Ok(Decoded::Data(data)) => seen.body.extend_from_slice(&data),
            Ok(Decoded::End) => {
                seen.end = Ok(buffer.len() + pieces.map(<[u8]>::len).sum::<usize>());
                return Some(seen);
            }
            Ok(Decoded::More) => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => {
                    seen.end = framing.closed().map(|()| 0).map_err(|error| error.to_string());
                    return Some(seen);
                }
            },
            Err(error) => {
                seen.end = Err(error.to_string());
                return Some(seen);
            }
        }
    }
}
