//! Limits that hold for every path: time, size of bodies, the server's name and the origin of pages.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pointsman_transport::loopback::is_loopback_authority;

use crate::reply::Refusal;
use crate::state::AdminState;

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

/// Where only this machine can reach the listener: refuses requests that call it by another name.
pub(crate) async fn own_host(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    if state.local_only && !names_this_machine(&request) {
        return Refusal::new(
            StatusCode::FORBIDDEN,
            "forbidden_host",
            "the control plane listens on loopback and answers to loopback names only",
            "call it as 127.0.0.1 or localhost, or let `server.admin` listen on another address",
        )
        .into_response();
    }
    next.run(request).await
}

/// A target may be a whole URL: then its host is the one that counts (RFC 9112, 3.2.2), and both are looked at.
fn names_this_machine(request: &Request) -> bool {
    let host = request.headers().get(HOST).map(|value| value.to_str().unwrap_or_default());
    let target = request.uri().authority().map(Authority::as_str);
    host.or(target).is_some_and(is_loopback_authority) && target.is_none_or(is_loopback_authority)
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
