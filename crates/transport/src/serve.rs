//! Running a service on a listener: limits, and a drain that lets requests finish. What an [`Edge`] adds
//! (TLS, HTTP/2) is in the submodules; without it, a connection is plain HTTP/1.1 and costs nothing more.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::io::BoxedIo;
use crate::linger::Linger;
use crate::stall::WriteLimit;
use crate::tls::server::ServerTls;

mod activity;
mod heads;
mod http2;
mod protocol;
#[cfg(test)]
mod tests;

pub use heads::TwoFramings;

/// After a failed accept (no file descriptors left, say) the listener rests for so long.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A client that takes no byte of its answer for so long is given up: it holds a connection here and one
/// upstream. The value is that of nginx's `send_timeout`.
const STALLED_WRITE: Duration = Duration::from_secs(60);

/// Where connections come from: a TCP listener, or a pipe in a test.
pub trait Accept: Send {
    /// The next connection and the address of its far end.
    fn accept(&mut self) -> impl Future<Output = io::Result<(BoxedIo, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), peer))
    }
}

/// Limits of a listener.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Connections at one time; further ones wait unaccepted.
    pub connections: Arc<Semaphore>,
    /// From an idle or new connection to a complete request head.
    pub header_timeout: Duration,
    /// Largest request head and read buffer, in bytes.
    pub max_head_bytes: usize,
    /// Most header fields in a request.
    pub max_headers: usize,
}

/// What a listener speaks besides plain HTTP/1.1. The default adds nothing.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Connections are encrypted, and say by ALPN which HTTP they want.
    pub tls: Option<Arc<ServerTls>>,
    /// Where HTTP/2 is spoken.
    pub http2: Http2,
}

/// Where HTTP/2 is spoken. ALPN itself is part of the TLS identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// Nowhere.
    Off,
    /// On encrypted connections that ask for it.
    #[default]
    Tls,
    /// Also on plain connections that begin with HTTP/2's preface (RFC 9113, 3.3), for which the first
    /// bytes of every plain connection are looked at.
    Always,
}

/// Tells servers to stop accepting, finish what runs, and end.
#[derive(Clone, Debug)]
pub struct Drain(watch::Sender<bool>);

impl Default for Drain {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Drain {
    /// Begins to drain. Cannot be undone.
    pub fn start(&self) {
        self.0.send_replace(true);
    }

    /// Whether draining has begun.
    #[must_use]
    pub fn started(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when draining begins.
    pub async fn wait(&self) {
        // An error would mean that the sender is gone; `self` holds it.
        let _ = self.0.subscribe().wait_for(|draining| *draining).await;
    }
}

/// Serves plain HTTP/1.1 until `drain` starts and the last connection has ended.
///
/// `service` is made per connection from the peer's address.
pub async fn serve<A, M, S, B>(listener: A, make_service: M, options: ServeOptions, drain: Drain)
where
    A: Accept,
    M: Fn(SocketAddr) -> S + Send,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let edge = Edge { tls: None, http2: Http2::Off };
    serve_edge(listener, make_service, options, edge, drain).await;
}

/// Serves what `edge` says until `drain` starts and the last connection has ended.
pub async fn serve_edge<A, M, S, B>(
    mut listener: A,
    make_service: M,
    options: ServeOptions,
    edge: Edge,
    drain: Drain,
) where
    A: Accept,
    M: Fn(SocketAddr) -> S + Send,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        let (slot, accepted) = tokio::select! {
            () = drain.wait() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            next = next_connection(&mut listener, &options) => next,
        };
        match accepted {
            Ok((io, peer)) => {
                let (service, options, drain) = (make_service(peer), options.clone(), drain.clone());
                match protocol::plain_http1(&edge) {
                    true => connections.spawn(http1(io, service, options, drain, slot)),
                    false => {
                        connections.spawn(protocol::choose(io, service, options, edge.clone(), drain, slot))
                    }
                };
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

type Accepted = io::Result<(BoxedIo, SocketAddr)>;

/// Waits for a free slot first: connections beyond the limit stay in the kernel's queue.
async fn next_connection<A: Accept>(
    listener: &mut A,
    options: &ServeOptions,
) -> (Option<OwnedSemaphorePermit>, Accepted) {
    // The semaphore is never closed, so there is always a permit.
    let slot = options.connections.clone().acquire_owned().await.ok();
    (slot, listener.accept().await)
}

/// The connection's slot goes into its stream: it is free again when that is closed, also where the stream
/// has left HTTP by an upgrade.
async fn http1<S, B>(
    io: BoxedIo,
    service: S,
    options: ServeOptions,
    drain: Drain,
    slot: Option<OwnedSemaphorePermit>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (io, service) = heads::watched(io, service);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.max_head_bytes)
        .max_headers(options.max_headers)
        .serve_connection(
            TokioIo::new(Linger::new(WriteLimit::new(io, STALLED_WRITE), drain.clone(), slot)),
            service,
        )
        .with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = drain.wait() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "client connection ended");
    }
}
