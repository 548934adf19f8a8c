//! Reads one HTTP/1.1 request (RFC 9112), strictly.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::log::Received;
use crate::openai::Tokens;

const MAX_HEADERS: usize = 128;
const MAX_HEAD_BYTES: usize = 256 * 1024;

/// Reads the next request. `None`: the client closed the connection between two requests.
///
/// # Errors
/// `UnexpectedEof` where the client went away in the middle, `InvalidData` where it did not speak HTTP/1.1.
pub async fn read_request(
    io: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Option<Received>> {
    let mut request = loop {
        if let Some((request, length)) = parse_head(buffer)? {
            buffer.advance(length);
            break request;
        }
        if buffer.len() > MAX_HEAD_BYTES {
            return Err(invalid("the head is too long"));
        }
        let empty = buffer.is_empty();
        match io.read_buf(buffer).await {
            Ok(0) if empty => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if empty && error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    };
    request.body = match (request.header("content-length"), request.header("transfer-encoding")) {
        (Some(_), Some(_)) => return Err(invalid("both content-length and transfer-encoding")),
        (Some(length), None) => {
            let length = length.parse().map_err(|_| invalid("content-length is no number"))?;
            take(io, buffer, length).await?
        }
        (None, Some("chunked")) => read_chunks(io, buffer).await?,
        (None, Some(_)) => return Err(invalid("transfer-encoding is not chunked")),
        (None, None) => Bytes::new(),
    };
    request.at = Instant::now();
    Ok(Some(request))
}

fn parse_head(buffer: &[u8]) -> io::Result<Option<(Received, usize)>> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut slots);
    let length = match head.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(invalid(&error.to_string())),
    };
    if head.version != Some(1) {
        return Err(invalid("not HTTP/1.1"));
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let request = Received {
        number: 0,
        method: head.method.unwrap_or_default().into(),
        target: head.path.unwrap_or_default().into(),
        headers: head.headers.iter().map(|header| (header.name.into(), text(header.value))).collect(),
        body: Bytes::new(),
        violations: Vec::new(),
        at: Instant::now(),
        parts_sent: 0,
        tokens: Tokens::default(),
        ended: None,
    };
    Ok(Some((request, length)))
}

async fn read_chunks(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = take_line(io, buffer).await?;
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).map_err(|_| invalid("chunk size is no text"))?;
        let size =
            usize::from_str_radix(digits.trim(), 16).map_err(|_| invalid("chunk size is no number"))?;
        if size == 0 {
            // Trailers, if any, up to the empty line.
            while !take_line(io, buffer).await?.is_empty() {}
            return Ok(body.freeze());
        }
        body.extend_from_slice(&take(io, buffer, size).await?);
        if !take_line(io, buffer).await?.is_empty() {
            return Err(invalid("a chunk is longer than its size"));
        }
    }
}

async fn take(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, length: usize) -> io::Result<Bytes> {
    while buffer.len() < length {
        fill(io, buffer).await?;
    }
    Ok(buffer.split_to(length).freeze())
}

async fn take_line(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Bytes> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = buffer.split_to(end).freeze();
            buffer.advance(2);
            return Ok(line);
        }
        fill(io, buffer).await?;
    }
}

async fn fill(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<()> {
    match io.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
