//! Heads: writing a request's, reading an answer's.

use std::mem::MaybeUninit;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use httparse::ParserConfig;

use super::ExchangeError;
use super::framing::{Chunk, Framing};
use crate::body::RequestBody;

/// Answer heads with more fields than this are refused.
pub(crate) const MAX_HEADERS: usize = 128;
/// The one value of `Connection` that is sent.
pub(crate) const UPGRADE: &[u8] = b"upgrade";
/// Longest answer head, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What an answer's head says.
#[derive(Debug)]
pub(crate) struct Head {
    /// Status and headers, without a body.
    pub(crate) response: Response<()>,
    /// How the body is delimited.
    pub(crate) framing: Framing,
    /// Whether another request may follow on this connection.
    pub(crate) reusable: bool,
}

/// How long a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// There is none, and none is expected.
    None,
    /// In bytes.
    Known(u64),
    /// Sent in chunks.
    Chunked,
}

impl Length {
    /// What is said of this body; nothing where a method has none and none is there.
    pub(crate) fn of(method: &Method, body: &RequestBody) -> Self {
        match body.exact_len() {
            Some(0) if matches!(*method, Method::GET | Method::HEAD | Method::DELETE) => Self::None,
            Some(length) => Self::Known(length),
            None => Self::Chunked,
        }
    }
}

/// Writes a request's head. `Content-Length` and `Transfer-Encoding` are ours: those of the map are left out,
/// and so is `Connection`, but for the one word that asks to leave HTTP.
pub(crate) fn write<B>(request: &Request<B>, length: Length, out: &mut BytesMut) {
    out.put_slice(request.method().as_str().as_bytes());
    out.put_u8(b' ');
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    out.put_slice(target.as_bytes());
    out.put_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        if *name == CONTENT_LENGTH
            || *name == TRANSFER_ENCODING
            || (*name == CONNECTION && value.as_bytes() != UPGRADE)
        {
            continue;
        }
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
    match length {
        Length::None => {}
        Length::Known(length) => {
            out.put_slice(b"content-length: ");
            out.put_slice(itoa::Buffer::new().format(length).as_bytes());
            out.put_slice(b"\r\n");
        }
        Length::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
    }
    out.put_slice(b"\r\n");
}

/// Takes an answer's head out of `buffer`; `None` until all of it is here.
pub(crate) fn read(buffer: &mut BytesMut, method: &Method) -> Result<Option<Head>, ExchangeError> {
    // Not made empty first: four kilobytes for the few fields that an answer has.
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let length =
        match ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, buffer, &mut fields) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
            Ok(httparse::Status::Partial) if buffer.len() <= MAX_HEAD_BYTES => return Ok(None),
            Ok(_) => return Err(ExchangeError::Malformed("the head is too long")),
            Err(error) => return Err(ExchangeError::Malformed(reason(error))),
        };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(ExchangeError::Malformed("the status is no number from 100 to 999"))?;
    let old = parsed.version == Some(0);
    // Offsets first: the names and values become slices of the frozen head.
    let start = buffer.as_ptr() as usize;
    let mut places = smallvec::SmallVec::<[(usize, usize, usize, usize); 16]>::new();
    for field in parsed.headers.iter() {
        let name = field.name.as_ptr() as usize - start;
        let value = field.value.as_ptr() as usize - start;
        places.push((name, name + field.name.len(), value, value + field.value.len()));
    }
    let bytes = buffer.split_to(length).freeze();
    let mut headers = HeaderMap::with_capacity(places.len());
    for (name, name_end, value, value_end) in places {
        let name = HeaderName::from_bytes(&bytes[name..name_end])
            .map_err(|_| ExchangeError::Malformed("a field's name is not a name"))?;
        headers.append(name, value_of(bytes.slice(value..value_end))?);
    }
    let (framing, delimited) = framing(&headers, status, method)?;
    let reusable = delimited && keeps_alive(&headers, old);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = if old { Version::HTTP_10 } else { Version::HTTP_11 };
    *response.headers_mut() = headers;
    Ok(Some(Head { response, framing, reusable }))
}

fn value_of(bytes: Bytes) -> Result<HeaderValue, ExchangeError> {
    HeaderValue::from_maybe_shared(bytes)
        .map_err(|_| ExchangeError::Malformed("a field's value is not a value"))
}

/// RFC 9112, section 6.3; and whether the end of the body is beyond doubt.
fn framing(
    headers: &HeaderMap,
    status: StatusCode,
    method: &Method,
) -> Result<(Framing, bool), ExchangeError> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        // What follows is no HTTP.
        return Ok((Framing::Length(0), false));
    }
    let none = *method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    if none {
        return Ok((Framing::Length(0), true));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(ExchangeError::Malformed("the transfer coding is not understood"));
        }
        // With a length beside it, somebody between here and there may see another end of it.
        return Ok((Framing::Chunked(Chunk::Size), !headers.contains_key(CONTENT_LENGTH)));
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok((Framing::UntilClose, false)) };
    let bad = ExchangeError::Malformed("the content length is not one number");
    if lengths.any(|other| other != first) || !first.as_bytes().iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    match first.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(length) => Ok((Framing::Length(length), true)),
        None => Err(bad),
    }
}

fn keeps_alive(headers: &HeaderMap, old: bool) -> bool {
    let says = |word: &[u8]| {
        let values = headers.get_all(CONNECTION).iter();
        values
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(word))
    };
    if old { says(b"keep-alive") && !says(b"close") } else { !says(b"close") }
}

const fn reason(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "a field's name is not a name",
        httparse::Error::HeaderValue => "a field's value is not a value",
        httparse::Error::NewLine => "a line does not end as it should",
        httparse::Error::Status => "there is no status",
        httparse::Error::Token => "a token holds what it may not",
        httparse::Error::TooManyHeaders => "the head has too many fields",
        httparse::Error::Version => "it does not begin with HTTP/1",
    }
}

#[cfg(test)]
mod tests;
