//! Limits that hold for every path: time, size of bodies, and the origin of pages.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::reply::Refusal;

/// Until an answer has begun. Reading the whole store of a busy month takes a few seconds.
const TIME: Duration = Duration::from_secs(30);

/// Bodies of small requests.
pub(crate) const SMALL_BODY: usize = 64 * 1024;

/// Configurations: 20,000 keys with everything set are 5 MiB.
pub(crate) const CONFIG_BODY: usize = 16 << 20;

/// Answers in time or gives up.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            format!("there was no answer within {} s", TIME.as_secs()),
            "ask for less: a later `since`, a smaller `limit`; a body has to arrive in that time too",
        )
        .into_response(),
    }
}

/// Refuses requests that a page of another origin makes, whatever credential the browser adds.
pub(crate) async fn own_origin(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        return Refusal::new(
            StatusCode::FORBIDDEN,
            "forbidden_origin",
            "pages of other origins may not use the control plane",
            "call it from a program, or from a page that it served itself",
        )
        .into_response();
    }
    next.run(request).await
}

/// A page's requests name its origin, unless they only read from the page's own server.
fn is_foreign(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(axum::http::HeaderValue::as_bytes);
    headers.get_all(ORIGIN).iter().any(|origin| {
        let origin = origin.as_bytes();
        let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        authority.is_none() || authority != host
    })
}
