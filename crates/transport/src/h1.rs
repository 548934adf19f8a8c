//! An HTTP/1.1 client connection (RFC 9112) that runs on its caller's own task.
//!
//! A connection task of its own, with channels to and from it, costs a small request more than everything
//! else that a gateway does with it (docs/adr/0003-upstream-client.md). Here a request is written and its
//! answer read where it is awaited. [`framing`] decodes bodies, [`head`] writes and reads heads, both
//! without I/O; [`conn`] drives them.

pub(crate) mod conn;
pub(crate) mod framing;
pub(crate) mod head;

use std::io;

/// Why an exchange, or the body that follows it, broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The connection was closed before the first byte of an answer.
    #[error("the connection was closed without an answer")]
    Closed,
    /// The connection was closed in the middle.
    #[error("the connection was closed in the middle of the answer")]
    Truncated,
    /// Not HTTP/1.1, or beyond a limit.
    #[error("the answer is not valid HTTP: {0}")]
    Malformed(&'static str),
    /// The socket's own error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The request's body broke off on its way here.
    #[error("the request's body broke off: {0}")]
    RequestBody(Box<dyn std::error::Error + Send + Sync>),
}
