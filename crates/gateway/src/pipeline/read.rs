//! Stage 2, second half: the body, held once, within its limits. Runs only after the key is accepted.

use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use pointsman_core::{ErrorCode, PublicError};
use pointsman_telemetry::Metrics;
use tokio::time::timeout;

use crate::budget::ByteLease;

/// Buffer for bodies of unknown length, in bytes: it doubles from here.
const UNKNOWN_LENGTH_BYTES: usize = 8 * 1024;
/// Most bytes of buffer on a length's word alone: a client that sends less than it said holds no more.
const TRUSTED_LENGTH_BYTES: usize = 1024 * 1024;

/// What a request body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Bytes of one body, decoded.
    pub(crate) per_request: usize,
    /// Bytes of all bodies held at one time.
    pub(crate) in_flight: usize,
    /// From the end of the head to the end of the body.
    pub(crate) timeout: Duration,
}

/// A whole body.
#[derive(Debug)]
pub(crate) struct Received {
    /// Decoded, so that it can be observed; forwarded without a content encoding.
    pub(crate) bytes: Bytes,
    /// Bytes that arrived on the wire.
    pub(crate) wire_bytes: u64,
    /// The share of the global budget; held as long as the body is.
    pub(crate) lease: ByteLease,
}

/// Reads `body` to its end.
pub(crate) async fn read<B>(
    body: B,
    headers: &HeaderMap,
    limits: BodyLimits,
    metrics: &Arc<Metrics>,
) -> Result<Received, PublicError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let declared = declared_length(headers);
    if declared.is_some_and(|length| length > limits.per_request as u64) {
        return Err(too_large(limits.per_request));
    }
    let encoding = Encoding::of(headers)?;
    let mut lease = ByteLease::new(metrics.clone(), limits.in_flight);
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    // Refused at once where it cannot fit; taken only as the bytes come: a slow client holds what it sent.
    if !lease.fits(declared.unwrap_or(0)) {
        return Err(too_many_bytes());
    }
    let collecting = collect(body, declared, limits, &mut lease);
    let bytes = timeout(limits.timeout, collecting).await.map_err(|_| {
        let seconds = limits.timeout.as_secs();
        let message = format!("the request body did not arrive within {seconds} s; send it faster or raise `server.body_timeout`");
        PublicError::new(ErrorCode::BodyTimeout, message)
    })??;
    let wire_bytes = bytes.len() as u64;
    let bytes = match encoding {
        None => bytes,
        Some(encoding) => {
            let decoded = encoding.decode(&bytes, limits.per_request)?;
            if !lease.grow(decoded.len()) {
                return Err(too_many_bytes());
            }
            decoded
        }
    };
    Ok(Received { bytes, wire_bytes, lease })
}

async fn collect<B>(
    body: B,
    declared: Option<usize>,
    limits: BodyLimits,
    lease: &mut ByteLease,
) -> Result<Bytes, PublicError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = pin!(body);
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            PublicError::new(ErrorCode::BodyUnreadable, format!("the request body broke off: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let length = buffer.len() + data.len();
        if length > limits.per_request {
            return Err(too_large(limits.per_request));
        }
        if !lease.grow(data.len()) {
            return Err(too_many_bytes());
        }
        if declared == Some(data.len()) && buffer.is_empty() {
            return Ok(data);
        }
        if buffer.capacity() < length {
            let trusted = if buffer.is_empty() { TRUSTED_LENGTH_BYTES } else { usize::MAX };
            let expected = declared.unwrap_or(UNKNOWN_LENGTH_BYTES).min(trusted).max(length);
            buffer.reserve(expected - buffer.len());
        }
        buffer.extend_from_slice(&data);
    }
    Ok(buffer.freeze())
}

/// Content encodings that can be undone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    /// `None` where the bytes are plain.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, PublicError> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            let message = "more than one content encoding is not understood; send gzip, deflate or none";
            return Err(PublicError::new(ErrorCode::BodyUnreadable, message));
        }
        let Ok(text) = value.to_str().map(str::trim) else {
            let message = "the content encoding is no text; send gzip, deflate or none";
            return Err(PublicError::new(ErrorCode::BodyUnreadable, message));
        };
        if text.is_empty() || text.eq_ignore_ascii_case("identity") {
            Ok(None)
        } else if text.eq_ignore_ascii_case("gzip") || text.eq_ignore_ascii_case("x-gzip") {
            Ok(Some(Self::Gzip))
        } else if text.eq_ignore_ascii_case("deflate") {
            Ok(Some(Self::Deflate))
        } else {
            let message = format!("content encoding `{text}` is not understood; send gzip, deflate or none");
            Err(PublicError::new(ErrorCode::BodyUnreadable, message))
        }
    }

    /// Decodes all of `bytes`, to at most `limit` bytes: a bomb ends there.
    pub(crate) fn decode(self, bytes: &[u8], limit: usize) -> Result<Bytes, PublicError> {
        let sink = Bounded { buffer: Vec::new(), limit };
        let decoded = match self {
            Self::Gzip => {
                let mut decoder = MultiGzDecoder::new(sink);
                decoder.write_all(bytes).and_then(|()| decoder.finish())
            }
            Self::Deflate => {
                let mut decoder = ZlibDecoder::new(sink);
                decoder.write_all(bytes).and_then(|()| decoder.finish())
            }
        };
        match decoded {
            Ok(sink) => Ok(Bytes::from(sink.buffer)),
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => Err(too_large(limit)),
            Err(_) => {
                Err(PublicError::new(ErrorCode::BodyUnreadable, "the compressed request body is damaged"))
            }
        }
    }
}

struct Bounded {
    buffer: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if self.buffer.len() + data.len() > self.limit {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.buffer.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> PublicError {
    let message =
        format!("the request body is longer than {limit} bytes; raise `server.max_body` to allow it");
    PublicError::new(ErrorCode::BodyTooLarge, message)
}

pub(crate) fn too_many_bytes() -> PublicError {
    let mut error = PublicError::new(
        ErrorCode::TooManyBytesInFlight,
        "too many bytes of request bodies are in flight; try again in a moment",
    );
    error.retry_after = Some(Duration::from_secs(1));
    error
}

#[cfg(test)]
mod tests;
