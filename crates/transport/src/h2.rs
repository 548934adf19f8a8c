//! HTTP/2 towards upstreams (RFC 9113): connections that many requests share.
//!
//! [`session`] opens connections, each with a task of its own, and hands out their streams; [`exchange`]
//! sends a request on a stream and reads the head of its answer; [`answer`] is that answer's body. Frames,
//! flow control and header compression are the `h2` crate's. `crate::upstream` decides between this and
//! `crate::h1`.

pub(crate) mod answer;
pub(crate) mod exchange;
pub(crate) mod session;
#[cfg(test)]
mod tests;
mod upload;

use std::io;

use ::h2::{Error, Reason};

use crate::h1::ExchangeError;

/// What an error of the library means for an exchange.
fn broken(error: Error) -> ExchangeError {
    if error.is_library() {
        return ExchangeError::Malformed(match error.reason() {
            Some(Reason::ENHANCE_YOUR_CALM) => "it floods the connection",
            Some(Reason::COMPRESSION_ERROR) => "its header compression is broken",
            Some(Reason::FLOW_CONTROL_ERROR) => "it sends more than was asked for",
            Some(Reason::FRAME_SIZE_ERROR) => "a frame is too long or too short",
            _ => "it breaks the rules of HTTP/2, or its head is too long",
        });
    }
    if error.is_io() {
        return error.into_io().map_or(ExchangeError::Truncated, ExchangeError::Io);
    }
    // A reset or a goodbye of the peer: the reason is in the text.
    ExchangeError::Io(io::Error::new(io::ErrorKind::ConnectionReset, error))
}

/// Whether the peer says, or our side knows, that it has not begun to work on the request (RFC 9113, 8.7).
fn unprocessed(error: &Error) -> bool {
    // The library gives a stream the peer's GOAWAY only where that names an earlier stream as the last.
    error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
}
