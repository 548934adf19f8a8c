//! One origin: its pool and how a request gets onto a connection. [`shared`] is what HTTP/2 adds.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::body::RequestBody;
use crate::connect::{Connect, ConnectError, Origin};
use crate::h1::ExchangeError;
use crate::h1::conn::{Answered, Conn};
use crate::h2::exchange::Target;
use crate::io::BoxedIo;
use crate::pool::{Pool, UpstreamBody};

mod shared;

use self::shared::{Begun, Shared};

const MAX_IDLE: usize = 512;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// For the goodbye of shared connections, when the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What makes an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// `http(s)://host[:port][/path]`, without query.
    pub base_url: String,
    /// Limit for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Whether it is called with HTTP/2.
    pub http2: UpstreamHttp2,
}

/// Whether an upstream is called with HTTP/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpstreamHttp2 {
    /// Where TLS is spoken and the server chooses it (ALPN).
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Never,
    /// On plain connections too: the server is known to speak it (RFC 9113, 3.3).
    PriorKnowledge,
}

/// A base URL that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamConfigError {
    /// Not a URL at all.
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    /// Neither `http` nor `https`.
    #[error("`{0}` must begin with http:// or https://")]
    Scheme(String),
    /// No host, credentials in the URL, or a query.
    #[error("`{0}` must be scheme, host, optional port and path, and nothing else")]
    Shape(String),
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke before a whole response head was here.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// The answer to a request to leave HTTP.
pub enum Upgraded {
    /// 101: what the stream carries from here on is agreed in the head.
    Switched(Response<()>, BoxedIo),
    /// Any other answer.
    Refused(Response<UpstreamBody>),
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switched(head, _) => f.debug_tuple("Switched").field(head).finish(),
            Self::Refused(response) => f.debug_tuple("Refused").field(response).finish(),
        }
    }
}

/// An origin with its idle connections. Cheap to share; kept across config reloads.
pub struct Upstream {
    origin: Origin,
    base_path: String,
    host: HeaderValue,
    connect_timeout: Duration,
    connector: Arc<dyn Connect>,
    pool: Arc<Pool>,
    /// Where HTTP/2 may be spoken.
    shared: Option<Shared>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({}{})", self.origin, self.base_path)
    }
}

impl Upstream {
    fn new(config: &UpstreamConfig, connector: Arc<dyn Connect>) -> Result<Self, UpstreamConfigError> {
        let (origin, base_path) = parse_base_url(&config.base_url)?;
        let host = HeaderValue::try_from(origin.authority())
            .map_err(|_| UpstreamConfigError::Shape(config.base_url.clone()))?;
        let pool = Pool::new(MAX_IDLE, IDLE_TIMEOUT);
        let offered = match config.http2 {
            UpstreamHttp2::Never => false,
            UpstreamHttp2::Auto => origin.tls,
            UpstreamHttp2::PriorKnowledge => true,
        };
        let shared = match offered {
            true => {
                let authority = Authority::try_from(host.as_bytes())
                    .map_err(|_| UpstreamConfigError::Shape(config.base_url.clone()))?;
                let scheme = if origin.tls { Scheme::HTTPS } else { Scheme::HTTP };
                // Behind TLS, the handshake says it all the same.
                Some(Shared::new(Target { scheme, authority }, !origin.tls))
            }
            false => None,
        };
        let connect_timeout = config.connect_timeout;
        Ok(Self { origin, base_path, host, connect_timeout, connector, pool, shared })
    }

    /// The server.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value for the `Host` header.
    #[must_use]
    pub const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The request target for `path` (which begins with a slash) below the base URL.
    ///
    /// # Errors
    /// Where `path` holds what a URL cannot.
    pub fn target(&self, path: &str) -> Result<Uri, http::Error> {
        let path = PathAndQuery::try_from(format!("{}{path}", self.base_path))?;
        Ok(Uri::from(path))
    }

    /// Connections that wait for work.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.pool.len() + self.shared.as_ref().map_or(0, |shared| shared.sessions.idle())
    }

    /// Sends `request` (origin-form target, `Host` set) and waits for the response head.
    ///
    /// A pooled connection that the server has closed is replaced in silence. A request in memory that a
    /// server of HTTP/2 certainly has not begun with is sent once more.
    ///
    /// # Errors
    /// Where there is no connection, or it breaks before the head is complete.
    pub fn send(
        &self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, SendError>> + Send {
        self.send_within(request, self.connect_timeout)
    }

    /// The same with a limit of its own for a new connection.
    ///
    /// # Errors
    /// Where there is no connection, or it breaks before the head is complete.
    pub async fn send_within(
        &self,
        mut request: Request<RequestBody>,
        connect: Duration,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let mut conn = match self.pool.take() {
            Some(conn) => conn,
            // Opening a connection is rare: its future is boxed so that the common path stays small.
            None => match Box::pin(self.begin(request, connect)).await? {
                Begun::Own(own) => {
                    let conn;
                    (conn, request) = *own;
                    conn
                }
                Begun::Answered(response) => return Ok(response),
            },
        };
        let Answered { head, sent_all } = conn.exchange(request).await?;
        // A server that answered before it had read everything may take the rest for the next request.
        let pool = (head.reusable && sent_all).then(|| self.pool.clone());
        Ok(head.response.map(|()| UpstreamBody::new(conn, head.framing, pool)))
    }

    /// Asks to leave HTTP (RFC 9110, 7.8) on a connection of its own, which is HTTP/1.1. The request holds
    /// `Upgrade` and, in small letters, `Connection: upgrade`.
    ///
    /// # Errors
    /// Where there is no connection, or it breaks before the head is complete.
    pub async fn upgrade(&self, request: Request<RequestBody>) -> Result<Upgraded, SendError> {
        let mut conn = self.open(self.connect_timeout).await?;
        let Answered { head, .. } = conn.exchange(request).await?;
        if head.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgraded::Switched(head.response, conn.into_io()));
        }
        Ok(Upgraded::Refused(head.response.map(|()| UpstreamBody::new(conn, head.framing, None))))
    }

    fn sweep(&self) {
        self.pool.sweep();
        if let Some(shared) = &self.shared {
            shared.sessions.sweep(IDLE_TIMEOUT);
        }
    }

    /// A connection of HTTP/1.1.
    async fn open(&self, limit: Duration) -> Result<Conn, SendError> {
        let io = timeout(limit, self.connector.connect(&self.origin))
            .await
            .map_err(|_| ConnectError::Timeout(limit))??;
        Ok(Conn::new(io))
    }
}

/// All upstreams by their configuration, so that a reload keeps the connections it can.
pub struct Upstreams {
    connector: Arc<dyn Connect>,
    known: Mutex<HashMap<(String, Duration, UpstreamHttp2), Arc<Upstream>>>,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upstreams")
    }
}

impl Upstreams {
    /// A registry whose upstreams connect through `connector`.
    #[must_use]
    pub fn new(connector: Arc<dyn Connect>) -> Self {
        Self { connector, known: Mutex::default() }
    }

    /// The upstream with this configuration: the one from before, or a new one.
    ///
    /// # Errors
    /// Where the base URL cannot be used.
    pub fn get(&self, config: &UpstreamConfig) -> Result<Arc<Upstream>, UpstreamConfigError> {
        let key = (config.base_url.clone(), config.connect_timeout, config.http2);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(upstream) = known.get(&key) {
            return Ok(upstream.clone());
        }
        let upstream = Arc::new(Upstream::new(config, self.connector.clone())?);
        known.insert(key, upstream.clone());
        Ok(upstream)
    }

    /// Closes connections that were idle for too long and forgets upstreams that no snapshot holds.
    pub fn sweep(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, upstream| {
            upstream.sweep();
            Arc::strong_count(upstream) > 1
        });
    }

    /// Says goodbye on shared connections, and waits for their tasks: when no request runs any more. What does
    /// not end in time is cut.
    pub async fn close(&self) {
        let mut tasks: Vec<JoinSet<()>> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().filter_map(|upstream| Some(upstream.shared.as_ref()?.sessions.retire())).collect()
        };
        let ended = async {
            for tasks in &mut tasks {
                while tasks.join_next().await.is_some() {}
            }
        };
        let _ = timeout(FAREWELL, ended).await;
        for tasks in &mut tasks {
            tasks.shutdown().await;
        }
    }
}

fn parse_base_url(text: &str) -> Result<(Origin, String), UpstreamConfigError> {
    let uri: Uri = text.parse().map_err(|_| UpstreamConfigError::NotAUrl(text.to_owned()))?;
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(UpstreamConfigError::Scheme(text.to_owned())),
    };
    let shape = || UpstreamConfigError::Shape(text.to_owned());
    let authority = uri.authority().ok_or_else(shape)?;
    if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
        return Err(shape());
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let origin = Origin { tls, host: host.into(), port };
    Ok((origin, uri.path().trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests;
