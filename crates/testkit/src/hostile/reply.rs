//! Answers as they stand on a connection.

use std::io;

use bytes::Bytes;
use serde_json::Value;

/// One answer. Interim ones (1xx) are left out.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    /// The same as JSON, or null.
    pub json: Value,
}

/// Most fields of an answer.
const MAX_FIELDS: usize = 64;

/// All answers in `bytes`. With `head_only` a length announces no body.
pub(super) fn parse(mut bytes: &[u8], head_only: bool) -> io::Result<Vec<Reply>> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let (status, length, rest) = head(bytes)?;
        bytes = rest;
        if (100..200).contains(&status) {
            continue;
        }
        let length = if head_only { 0 } else { length };
        let (body, rest) = bytes.split_at_checked(length).ok_or_else(|| invalid("the body is cut"))?;
        bytes = rest;
        let json = serde_json::from_slice(body).unwrap_or_default();
        replies.push(Reply { status, body: Bytes::copy_from_slice(body), json });
    }
    Ok(replies)
}

fn head(bytes: &[u8]) -> io::Result<(u16, usize, &[u8])> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(end)) = head.parse(bytes) else {
        return Err(invalid(&String::from_utf8_lossy(bytes)));
    };
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
    Ok((head.code.unwrap_or_default(), length.unwrap_or_default(), &bytes[end..]))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}
