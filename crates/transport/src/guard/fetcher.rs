//! Getting what a user's URL names: public addresses only, at every redirect anew; bounded in time,
//! length and redirects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{Network, Reach};
use crate::collect::collect;
use crate::connect::{Connect, ConnectError, Origin, TcpConnect};
use crate::egress::Proxies;

/// Longer URLs are no use, in bytes.
const MAX_URL: usize = 8 * 1024;
/// Upper bound of an answer's head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// What a fetch may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For everything, redirects included.
    pub time: Duration,
    /// Of the body, in bytes.
    pub bytes: usize,
    /// Redirects that are followed.
    pub redirects: u32,
}

/// What a URL led to.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it was in the end.
    pub url: Uri,
    /// The answer's status: never a redirect.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why a URL was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchUrlError {
    /// Not `http://` or `https://`, credentials in it, or malformed.
    #[error("not a URL that can be fetched: {0}")]
    Url(&'static str),
    /// Not allowed, or no connection.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The exchange broke.
    #[error("{0}")]
    Exchange(#[from] hyper::Error),
    /// A redirect that names no URL.
    #[error("a redirect without a sound target")]
    Redirect,
    /// From `https` to `http`.
    #[error("a redirect gives up encryption")]
    Downgrade,
    /// Too many.
    #[error("more than {0} redirects")]
    Redirects(u32),
    /// The body broke off or is too long.
    #[error("the body is too long or broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// Too slow.
    #[error("not fetched within {0:?}")]
    Timeout(Duration),
}

/// Fetches users' URLs.
pub struct Fetcher {
    connector: TcpConnect,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

impl Fetcher {
    /// Fetches through `network`.
    #[must_use]
    pub fn new(tls: Arc<rustls::ClientConfig>, network: Arc<dyn Network>) -> Self {
        Self { connector: TcpConnect::new(tls).with_network(network).with_reach(Reach::Public) }
    }

    /// Through proxies, which are told checked addresses instead of names.
    #[must_use]
    pub fn with_proxies(self, proxies: Arc<Proxies>) -> Self {
        Self { connector: self.connector.with_proxies(proxies) }
    }

    /// Gets `url`, with no header that says who asks.
    ///
    /// # Errors
    /// Where an address on the way is not public, a limit is met, or the exchange fails.
    pub async fn get(&self, url: &str, limits: Limits) -> Result<Fetched, FetchUrlError> {
        timeout(limits.time, self.follow(url, limits))
            .await
            .map_err(|_| FetchUrlError::Timeout(limits.time))?
    }

    async fn follow(&self, url: &str, limits: Limits) -> Result<Fetched, FetchUrlError> {
        let mut url = parse(url)?;
        for _ in 0..=limits.redirects {
            let fetched = self.once(&url, limits.bytes).await?;
            if !redirects(fetched.status) {
                return Ok(fetched);
            }
            let target = fetched.headers.get(header::LOCATION).ok_or(FetchUrlError::Redirect)?;
            let next = join(&url, target)?;
            if url.scheme() == Some(&Scheme::HTTPS) && next.scheme() != Some(&Scheme::HTTPS) {
                return Err(FetchUrlError::Downgrade);
            }
            url = next;
        }
        Err(FetchUrlError::Redirects(limits.redirects))
    }

    async fn once(&self, url: &Uri, max_bytes: usize) -> Result<Fetched, FetchUrlError> {
        let origin = Origin::of(url).ok_or(FetchUrlError::Url("no host"))?;
        let io = self.connector.connect(&origin).await?;
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(io)).await?;
        let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().map_err(|_| FetchUrlError::Url("its path"))?;
        let host = HeaderValue::try_from(origin.authority()).map_err(|_| FetchUrlError::Url("its host"))?;
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = if redirects(head.status) {
                Bytes::new()
            } else {
                collect(body, max_bytes).await.map_err(|error| FetchUrlError::Body(error.into()))?
            };
            Ok(Fetched { url: url.clone(), status: head.status, headers: head.headers, body })
        };
        // The connection runs only as long as its exchange, in this same task.
        let mut exchange = std::pin::pin!(exchange);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            done = exchange.as_mut() => return done,
            _ended = connection.as_mut() => {}
        }
        exchange.await
    }
}

fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn parse(text: &str) -> Result<Uri, FetchUrlError> {
    if text.len() > MAX_URL {
        return Err(FetchUrlError::Url("it is too long"));
    }
    let uri: Uri = text.parse().map_err(|_| FetchUrlError::Url("it is malformed"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(FetchUrlError::Url("it must begin with http:// or https://"));
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err(FetchUrlError::Url("it must not hold credentials"))
        }
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(FetchUrlError::Url("it has no host")),
    }
}

/// A redirect's target: a whole URL, or one relative to `base` (RFC 9110, 10.2.2).
fn join(base: &Uri, target: &HeaderValue) -> Result<Uri, FetchUrlError> {
    let target = target.to_str().map_err(|_| FetchUrlError::Redirect)?;
    // A fragment never leaves the client.
    let target = target.split('#').next().unwrap_or_default();
    let (scheme, authority) = (base.scheme_str().unwrap_or_default(), base.authority());
    let authority = authority.map(http::uri::Authority::as_str).unwrap_or_default();
    if target.contains("://") && !target.starts_with(['/', '?']) {
        return parse(target);
    }
    if let Some(rest) = target.strip_prefix("//") {
        return parse(&format!("{scheme}://{rest}"));
    }
    let path = base.path();
    let path = match target.as_bytes().first() {
        None => return Err(FetchUrlError::Redirect),
        Some(b'/') => target.to_owned(),
        Some(b'?') => format!("{path}{target}"),
        Some(_) => format!("{}/{target}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    parse(&format!("{scheme}://{authority}{path}"))
}
