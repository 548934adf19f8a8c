//! Opening connections: names, TCP, TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::io::BoxedIo;

/// Where to connect to: the part of a URL that names a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `https` instead of `http`.
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: Arc<str>,
    /// The port, also where it is the scheme's own.
    pub port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl Origin {
    /// The value of the `Host` header: the port is left out where it is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address.
    #[error("the name {0} has no address")]
    Unknown(Arc<str>),
    /// Refused, unreachable and the like, on every address.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The TLS handshake failed.
    #[error("tls: {0}")]
    Tls(io::Error),
    /// No connection in time.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
}

/// The future of a connection.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<BoxedIo, ConnectError>> + Send + 'a>>;

/// Opens connections. Tests put an in-memory network here.
pub trait Connect: Send + Sync {
    /// A stream on which HTTP can be spoken at once: TLS, if any, is done.
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a>;
}

/// TCP, with TLS where the origin asks for it.
#[derive(Clone)]
pub struct TcpConnect {
    tls: TlsConnector,
}

impl fmt::Debug for TcpConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TcpConnect")
    }
}

impl TcpConnect {
    /// A connector with this TLS configuration; see [`crate::tls::client_config`].
    #[must_use]
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        Self { tls: TlsConnector::from(tls) }
    }
}

impl Connect for TcpConnect {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move {
            let stream = dial(origin).await?;
            stream.set_nodelay(true)?;
            if !origin.tls {
                return Ok(Box::new(stream) as BoxedIo);
            }
            let name = ServerName::try_from(origin.host.to_string())
                .map_err(|e| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
            let stream = self.tls.connect(name, stream).await.map_err(ConnectError::Tls)?;
            Ok(Box::new(stream) as BoxedIo)
        })
    }
}

/// Tries every address of the name in the resolver's order; the last error is told.
async fn dial(origin: &Origin) -> Result<TcpStream, ConnectError> {
    let mut last = None;
    for address in tokio::net::lookup_host((&*origin.host, origin.port))
        .await
        .map_err(|_| ConnectError::Unknown(origin.host.clone()))?
    {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| ConnectError::Unknown(origin.host.clone()), ConnectError::Io))
}
