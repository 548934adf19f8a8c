//! The way to the directory: our own connections, so that proxies, authorities and the guard over addresses
//! hold here as well. A connection each: an order takes a dozen requests, once in two months.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::time::timeout;

use crate::connect::{Connect, ConnectError, Origin, TcpConnect};

/// For one request and its answer.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Longest answer: a chain of certificates has a few KiB.
const MAX_ANSWER: usize = 1024 * 1024;
/// Upper bound of an answer's head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The media type of an error that the directory explains (RFC 9457).
const PROBLEM: &[u8] = b"application/problem+json";

/// Why there is no answer that could be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("{0} is not an https URL")]
    Url(Uri),
    #[error("{url}: {source}")]
    Connect { url: Uri, source: ConnectError },
    #[error("{url}: {source}")]
    Exchange { url: Uri, source: hyper::Error },
    #[error("{url}: the answer is too long or broke off: {source}")]
    Body { url: Uri, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{url}: no answer within {REQUEST_LIMIT:?}")]
    Timeout { url: Uri },
    #[error("{url} answers {status}")]
    Status { url: Uri, status: StatusCode },
}

/// What the directory asked for with `Retry-After`, the last time.
pub(super) type Pause = Arc<Mutex<Option<Duration>>>;

/// Requests to a directory.
pub(super) struct Client {
    connector: Arc<TcpConnect>,
    pause: Pause,
}

impl Client {
    pub(super) const fn new(connector: Arc<TcpConnect>, pause: Pause) -> Self {
        Self { connector, pause }
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (connector, pause) = (self.connector.clone(), self.pause.clone());
        Box::pin(async move {
            let url = request.uri().clone();
            let exchange = timeout(REQUEST_LIMIT, exchange(&connector, request, &url));
            let answer = match exchange.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => return Err(Error::Other(Box::new(error))),
                Err(_) => return Err(Error::Other(Box::new(ClientError::Timeout { url }))),
            };
            let status = answer.status();
            if status.is_success() {
                return Ok(answer.into());
            }
            *pause.lock().unwrap_or_else(PoisonError::into_inner) = retry_after(answer.headers());
            if is_problem(answer.headers()) {
                return Ok(answer.into());
            }
            Err(Error::Other(Box::new(ClientError::Status { url, status })))
        })
    }
}

async fn exchange(
    connector: &TcpConnect,
    mut request: Request<BodyWrapper<Bytes>>,
    url: &Uri,
) -> Result<Response<Full<Bytes>>, ClientError> {
    let origin = Origin::of(url).filter(|origin| origin.tls).ok_or_else(|| ClientError::Url(url.clone()))?;
    let failed = |source| ClientError::Exchange { url: url.clone(), source };
    let io = connector
        .connect(&origin)
        .await
        .map_err(|source| ClientError::Connect { url: url.clone(), source })?;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(io)).await.map_err(failed)?;
    let host = HeaderValue::try_from(origin.authority()).map_err(|_| ClientError::Url(url.clone()))?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| ClientError::Url(url.clone()))?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|source| ClientError::Body { url: url.clone(), source })?;
        Ok(Response::from_parts(head, Full::new(body.to_bytes())))
    };
    // The connection runs only as long as its exchange, in this same task.
    let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
    tokio::select! {
        biased;
        done = exchange.as_mut() => return done,
        _ended = connection.as_mut() => {}
    }
    exchange.await
}

/// Seconds; dates are left out: the wait of our own is long enough.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM))
}
