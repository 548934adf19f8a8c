//! Opening connections: names, TCP, TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::egress::{Proxies, Proxy};
use crate::guard::{Network, Reach, Refused, SystemNetwork};
use crate::io::BoxedIo;
use crate::tls::server::{ALPN_HTTP1, ALPN_HTTP2};

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
    /// The server that an absolute URL names. `None`: neither `http` nor `https`, or no host.
    #[must_use]
    pub fn of(url: &http::Uri) -> Option<Self> {
        let tls = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = url.authority()?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        (!host.is_empty()).then(|| Self { tls, host: host.into(), port })
    }

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

/// A stream, and what is spoken on it.
pub enum Negotiated {
    /// HTTP/1.1.
    Http1(BoxedIo),
    /// HTTP/2.
    Http2(BoxedIo),
}

/// The future of a connection whose protocol its server chooses.
pub type Negotiating<'a> = Pin<Box<dyn Future<Output = Result<Negotiated, ConnectError>> + Send + 'a>>;
/// The future of a connection.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<BoxedIo, ConnectError>> + Send + 'a>>;

/// Opens connections. Tests put an in-memory network here.
pub trait Connect: Send + Sync {
    /// A stream on which HTTP/1.1 can be spoken at once: TLS, if any, is done.
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a>;

    /// The same where the server may choose HTTP/2. A network without such servers offers HTTP/1.1 alone.
    fn negotiate<'a>(&'a self, origin: &'a Origin) -> Negotiating<'a> {
        let connecting = self.connect(origin);
        Box::pin(async move { connecting.await.map(Negotiated::Http1) })
    }
}

/// TCP, with TLS where the origin asks for it, through a proxy where one is meant for it.
#[derive(Clone)]
pub struct TcpConnect {
    tls: TlsConnector,
    /// The same configuration, with HTTP/2 on offer.
    tls_http2: TlsConnector,
    network: Arc<dyn Network>,
    reach: Reach,
    proxies: Arc<Proxies>,
}

impl fmt::Debug for TcpConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TcpConnect")
    }
}

impl TcpConnect {
    /// A connector with this TLS configuration; see [`crate::tls::client_config`]. Link-local addresses
    /// and metadata services are refused.
    #[must_use]
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        let mut http2 = (*tls).clone();
        http2.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        Self {
            tls: TlsConnector::from(tls),
            tls_http2: TlsConnector::from(Arc::new(http2)),
            network: Arc::new(SystemNetwork),
            reach: Reach::Configured,
            proxies: Arc::default(),
        }
    }

    /// With another network.
    #[must_use]
    pub fn with_network(self, network: Arc<dyn Network>) -> Self {
        Self { network, ..self }
    }

    /// With another reach.
    #[must_use]
    pub fn with_reach(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Through proxies.
    #[must_use]
    pub fn with_proxies(self, proxies: Arc<Proxies>) -> Self {
        Self { proxies, ..self }
    }

    /// Tries every address of the name that may be called, in the resolver's order; the last error is told.
    async fn dial(&self, host: &Arc<str>, port: u16, reach: Reach) -> Result<BoxedIo, ConnectError> {
        let (addresses, mut last) = self.addresses(host, port, reach).await?;
        for address in addresses {
            match self.network.dial(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(ConnectError::Io(error)),
            }
        }
        Err(last.unwrap_or_else(|| ConnectError::Unknown(host.clone())))
    }

    /// The addresses of a name that may be called, and why the first of the others may not.
    async fn addresses(
        &self,
        host: &Arc<str>,
        port: u16,
        reach: Reach,
    ) -> Result<(Vec<SocketAddr>, Option<ConnectError>), ConnectError> {
        let resolved = self.network.resolve(host, port).await;
        let mut addresses = resolved.map_err(|_| ConnectError::Unknown(host.clone()))?;
        let mut first = None;
        addresses.retain(|address| match reach.check(address.ip()) {
            Ok(()) => true,
            Err(refused) => {
                first.get_or_insert_with(|| refusal(refused));
                false
            }
        });
        Ok((addresses, first))
    }

    /// The server, or a tunnel to it.
    async fn stream(&self, origin: &Origin) -> Result<BoxedIo, ConnectError> {
        match self.proxies.of(origin) {
            Some(proxy) => self.tunnel(proxy, origin).await,
            None => self.dial(&origin.host, origin.port, self.reach).await,
        }
    }

    async fn tunnel(&self, proxy: &Proxy, origin: &Origin) -> Result<BoxedIo, ConnectError> {
        match self.reach {
            // The proxy resolves the name, so that only addresses can be checked here.
            Reach::Configured => {
                if let Ok(address) = origin.host.parse() {
                    self.reach.check(address).map_err(refusal)?;
                }
                self.ask_for(proxy, origin).await
            }
            // A user's name may mean anything in the proxy's network: it is resolved here, and the proxy asked for
            // exactly the address that was checked.
            Reach::Public => {
                let (addresses, mut last) = self.addresses(&origin.host, origin.port, self.reach).await?;
                for address in addresses {
                    let host = address.ip().to_string().into();
                    match self.ask_for(proxy, &Origin { host, ..origin.clone() }).await {
                        Ok(stream) => return Ok(stream),
                        Err(error) => last = Some(error),
                    }
                }
                Err(last.unwrap_or_else(|| ConnectError::Unknown(origin.host.clone())))
            }
        }
    }

    /// A tunnel of the proxy's, which is the operator's own and may be anywhere.
    async fn ask_for(&self, proxy: &Proxy, origin: &Origin) -> Result<BoxedIo, ConnectError> {
        let io = self.dial(proxy.host(), proxy.port(), Reach::Configured).await?;
        proxy.tunnel(io, origin).await.map_err(ConnectError::Io)
    }
}

impl Connect for TcpConnect {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move {
            let stream = self.stream(origin).await?;
            if !origin.tls {
                return Ok(stream);
            }
            Ok(Box::new(encrypt(&self.tls, origin, stream).await?) as BoxedIo)
        })
    }

    fn negotiate<'a>(&'a self, origin: &'a Origin) -> Negotiating<'a> {
        Box::pin(async move {
            let stream = self.stream(origin).await?;
            if !origin.tls {
                return Ok(Negotiated::Http1(stream));
            }
            let stream = encrypt(&self.tls_http2, origin, stream).await?;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
            let stream: BoxedIo = Box::new(stream);
            Ok(if http2 { Negotiated::Http2(stream) } else { Negotiated::Http1(stream) })
        })
    }
}

async fn encrypt(
    tls: &TlsConnector,
    origin: &Origin,
    stream: BoxedIo,
) -> Result<TlsStream<BoxedIo>, ConnectError> {
    let name = ServerName::try_from(origin.host.to_string())
        .map_err(|e| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
    tls.connect(name, stream).await.map_err(ConnectError::Tls)
}

fn refusal(refused: Refused) -> ConnectError {
    ConnectError::Io(io::Error::new(io::ErrorKind::PermissionDenied, refused))
}
