//! Small, bounded exchanges off the request path: model lists, key checks.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tokio::time::timeout;

use crate::body::RequestBody;
use crate::collect::collect;
use crate::upstream::{SendError, Upstream};

/// Why a small exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The path or a header cannot be sent.
    #[error("{0}")]
    Request(#[from] http::Error),
    /// No answer.
    #[error("{0}")]
    Send(#[from] SendError),
    /// The answer broke off or was too long.
    #[error("{0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// Too slow.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// One request below an upstream's base URL.
#[derive(Debug)]
pub struct Fetch<'a> {
    /// The method.
    pub method: Method,
    /// Begins with a slash.
    pub path: &'a str,
    /// Further headers: credentials.
    pub headers: &'a HeaderMap,
    /// JSON, or nothing.
    pub body: Bytes,
    /// For the whole exchange.
    pub limit: Duration,
    /// Longer answers are an error.
    pub max_bytes: usize,
}

impl Fetch<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// Where there is no whole answer in time and within the size.
    pub async fn run(&self, upstream: &Upstream) -> Result<(StatusCode, Bytes), FetchError> {
        let (head, body) = self.response(upstream).await?.into_parts();
        Ok((head.status, body))
    }

    /// The same, with the answer's headers.
    ///
    /// # Errors
    /// Where there is no whole answer in time and within the size.
    pub async fn response(&self, upstream: &Upstream) -> Result<Response<Bytes>, FetchError> {
        timeout(self.limit, self.exchange(upstream)).await.map_err(|_| FetchError::Timeout(self.limit))?
    }

    async fn exchange(&self, upstream: &Upstream) -> Result<Response<Bytes>, FetchError> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(upstream.target(self.path)?)
            .header(header::HOST, upstream.host())
            .header(header::ACCEPT, "application/json");
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(RequestBody::from(self.body.clone()))?;
        request.headers_mut().extend(self.headers.clone());
        let (head, body) = upstream.send(request).await?.into_parts();
        let body = collect(body, self.max_bytes).await.map_err(|error| FetchError::Body(error.into()))?;
        Ok(Response::from_parts(head, body))
    }
}
