//! From a new connection to the HTTP that it speaks: the TLS handshake with ALPN, or the first bytes.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::io::AsyncReadExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{Drain, Edge, Http2, ServeOptions, http1, http2};
use crate::io::{BoxedIo, Rewound};
use crate::tls::server::ALPN_HTTP2;

/// A TLS handshake takes two round trips; whoever needs longer wants to hold a connection.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether there is nothing to choose.
pub(super) const fn plain_http1(edge: &Edge) -> bool {
    edge.tls.is_none() && !matches!(edge.http2, Http2::Always)
}

/// Serves a connection once it is known what it speaks. Ends at once when draining begins before that.
pub(super) async fn choose<S, B>(
    io: BoxedIo,
    service: S,
    options: ServeOptions,
    edge: Edge,
    drain: Drain,
    slot: Option<OwnedSemaphorePermit>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let opened = tokio::select! {
        opened = open(io, &edge, options.header_timeout) => opened,
        () = drain.wait() => return,
    };
    // Boxed: both futures are large, and only one of them runs.
    match opened {
        Ok((io, true)) => {
            Box::pin(http2::http2(io, service, options, drain)).await;
            drop(slot);
        }
        Ok((io, false)) => Box::pin(http1(io, service, options, drain, slot)).await,
        Err(error) => tracing::debug!(%error, "a connection ended before HTTP began"),
    }
}

/// The stream, and whether HTTP/2 is spoken on it.
async fn open(io: BoxedIo, edge: &Edge, preface_limit: Duration) -> io::Result<(BoxedIo, bool)> {
    let Some(tls) = &edge.tls else {
        return timeout(preface_limit, peek(io)).await.map_err(|_| io::ErrorKind::TimedOut)?;
    };
    let stream = timeout(HANDSHAKE_LIMIT, tls.accept(io)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
    Ok((Box::new(stream), http2))
}

/// Reads until it is certain whether the preface is there; what was read is given out again.
async fn peek(mut io: BoxedIo) -> io::Result<(BoxedIo, bool)> {
    let mut first = [0; PREFACE.len()];
    let mut filled = 0;
    while filled < first.len() && first[..filled] == PREFACE[..filled] {
        match io.read(&mut first[filled..]).await? {
            0 => break,
            read => filled += read,
        }
    }
    let http2 = first == *PREFACE;
    let head = Bytes::copy_from_slice(&first[..filled]);
    Ok((Box::new(Rewound::new(head, io)), http2))
}
