//! Sockets without sockets: named listeners and connections over `tokio::io::duplex`.
//!
//! Nothing leaves the process, so a test on paused time sees exact delays. A connection can be reset
//! as well as closed, and a name can be made a black hole for connect timeouts.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use pointsman_transport::BoxedIo;
use pointsman_transport::connect::{Connect, ConnectError, Connecting, Origin};
use pointsman_transport::serve::Accept;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Bytes that one direction holds before the writer waits: as a socket's buffer, but small enough
/// that back-pressure shows in tests.
const BUFFER_BYTES: usize = 64 * 1024;
/// Connections that wait for `accept`.
const BACKLOG: usize = 1024;
/// How long a socket may take to deliver what was written before it is reset.
const DELIVERED_WITHIN: Duration = Duration::from_millis(20);
/// Where connections seem to come from unless a test says otherwise.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);

/// A world of named listeners. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryNet {
    hosts: Arc<Mutex<HashMap<String, Host>>>,
    connects: Arc<AtomicUsize>,
}

/// Takes the connections made to one name. Once dropped, connecting is refused.
#[derive(Debug)]
pub struct MemoryListener {
    incoming: mpsc::Receiver<MemoryIo>,
    peer: SocketAddr,
}

/// One end of a connection.
#[derive(Debug)]
pub struct MemoryIo {
    stream: DuplexStream,
    reset: Arc<AtomicBool>,
}

/// A byte stream that can also be torn down the hard way.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Resets the connection: the peer sees an error, not an end, behind everything that was written.
    fn reset(self) -> impl Future<Output = ()> + Send;
}

#[derive(Clone, Debug)]
enum Host {
    Listening(mpsc::Sender<MemoryIo>),
    BlackHole,
}

impl MemoryNet {
    /// An empty world.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens at `name` (by habit `host:port`); a later listener of the same name replaces it.
    #[must_use]
    pub fn listen(&self, name: &str) -> MemoryListener {
        let (sender, incoming) = mpsc::channel(BACKLOG);
        self.hosts().insert(name.to_owned(), Host::Listening(sender));
        MemoryListener { incoming, peer: PEER }
    }

    /// Connecting to `name` hangs from now on.
    pub fn black_hole(&self, name: &str) {
        self.hosts().insert(name.to_owned(), Host::BlackHole);
    }

    /// Connects to `name`.
    ///
    /// # Errors
    /// `ConnectionRefused` where nobody listens.
    pub async fn connect(&self, name: &str) -> io::Result<MemoryIo> {
        self.connects.fetch_add(1, Ordering::Relaxed);
        let host = self.hosts().get(name).cloned();
        let refused =
            || io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens at {name}"));
        match host {
            None => Err(refused()),
            Some(Host::BlackHole) => std::future::pending().await,
            Some(Host::Listening(sender)) => {
                let (ours, theirs) = pair();
                sender.send(theirs).await.map_err(|_| refused())?;
                Ok(ours)
            }
        }
    }

    /// How often somebody tried to connect, to any name.
    #[must_use]
    pub fn connects(&self) -> usize {
        self.connects.load(Ordering::Relaxed)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryListener {
    /// Lets all connections seem to come from `peer`.
    #[must_use]
    pub fn from_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = peer;
        self
    }

    /// The next connection.
    ///
    /// # Errors
    /// `NotConnected` where the world is gone, so that nobody can connect any more.
    pub async fn accept(&mut self) -> io::Result<MemoryIo> {
        self.incoming.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Upstream connections into this world: the name is `host:port`, and TLS is taken as done.
impl Connect for MemoryNet {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move {
            let name = format!("{}:{}", origin.host, origin.port);
            let io = Self::connect(self, &name).await.map_err(ConnectError::Io)?;
            Ok(Box::new(io) as BoxedIo)
        })
    }
}

impl Accept for MemoryListener {
    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)> {
        match self.incoming.recv().await {
            Some(io) => Ok((Box::new(io), self.peer)),
            // Nobody can connect any more; the server ends when it drains.
            None => std::future::pending().await,
        }
    }
}

/// Two connected ends.
#[must_use]
pub fn pair() -> (MemoryIo, MemoryIo) {
    let (a, b) = tokio::io::duplex(BUFFER_BYTES);
    let reset = Arc::new(AtomicBool::new(false));
    (MemoryIo { stream: a, reset: Arc::clone(&reset) }, MemoryIo { stream: b, reset })
}

impl MemoryIo {
    fn reset_error(&self) -> Option<io::Error> {
        self.reset.load(Ordering::Acquire).then(|| io::ErrorKind::ConnectionReset.into())
    }
}

impl Io for MemoryIo {
    fn reset(self) -> impl Future<Output = ()> + Send {
        self.reset.store(true, Ordering::Release);
        std::future::ready(())
    }
}

impl Io for TcpStream {
    async fn reset(self) {
        // What the peer's buffer had no room for yet would be thrown away.
        tokio::time::sleep(DELIVERED_WITHIN).await;
        // Without lingering, closing a socket sends RST. Where that cannot be set, it is a plain close.
        let _ = self.set_zero_linger();
    }
}

/// As Linux does it: bytes that had arrived before the reset can still be read.
impl AsyncRead for MemoryIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match (&polled, self.reset_error()) {
            (Poll::Ready(Ok(())), Some(error)) if buf.filled().len() == before => Poll::Ready(Err(error)),
            _ => polled,
        }
    }
}

impl AsyncWrite for MemoryIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.reset_error() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
