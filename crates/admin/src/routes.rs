//! Every path of the control plane.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router, middleware};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};

use crate::reply::Refusal;
use crate::state::{AdminState, Readiness};
use crate::{auth, records};

/// OpenMetrics 1.0, section 4.1.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All paths, behind the admin token (the exceptions are in `auth.rs`).
pub fn router(state: AdminState) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/admin/v1/status", get(status))
        .route("/admin/v1/requests", get(records::list))
        .route("/admin/v1/cost", get(records::cost))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(state.clone(), auth::require))
        .with_state(state)
}

/// The router as hyper serves it, one clone a connection.
pub fn service(
    router: Router,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Incoming>| {
        tower_service::Service::call(&mut router.clone(), request.map(Body::new))
    })
}

async fn readyz(State(state): State<AdminState>) -> impl IntoResponse {
    match (state.readiness)() {
        Readiness::Ready => (StatusCode::OK, "ready\n"),
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], state.metrics.encode())
}

async fn status(State(state): State<AdminState>) -> impl IntoResponse {
    let mut status = serde_json::json!((state.status)());
    status["readiness"] = serde_json::json!((state.readiness)());
    Json(status)
}

async fn unknown() -> Refusal {
    Refusal {
        status: StatusCode::NOT_FOUND,
        code: "unknown_path",
        message: "there is no such path here".into(),
        hint: "try /metrics, /livez, /readyz, /admin/v1/status, /admin/v1/requests or /admin/v1/cost".into(),
    }
}

#[cfg(test)]
mod tests;
