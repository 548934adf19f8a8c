//! A byte stream without its type: TCP, TLS, or a pipe in memory.

use tokio::io::{AsyncRead, AsyncWrite};

/// Anything that can carry HTTP.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A boxed stream: one box per connection, none per request.
pub type BoxedIo = Box<dyn Io>;
