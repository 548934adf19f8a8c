//! Every path of the control plane, with its handler and its description.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router, middleware};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use schemars::JsonSchema;
use serde::Serialize;

use crate::operation::{Operation, Schemas};
use crate::reply::Refusal;
use crate::setup::{audit, config, keys};
use crate::state::{AdminState, Readiness, Status};
use crate::{auth, endpoints, limits, openapi, records, tail};

/// OpenMetrics 1.0, section 4.1.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `text/plain`, as axum sends texts.
const TEXT: &str = "text/plain; charset=utf-8";

/// Who is at the far end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// All paths, behind the admin token (the exceptions are in `auth.rs`).
pub fn router(mut state: AdminState) -> Router {
    let mut schemas = Schemas::new();
    let operations = operations(&mut schemas);
    state.document = Arc::new(openapi::document(&operations, schemas));
    let mut router = Router::new();
    for Operation { path, handler, .. } in operations {
        // Methods of one path are merged.
        router = router.route(path, handler);
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limits::SMALL_BODY))
        .layer(middleware::from_fn_with_state(state.clone(), auth::require))
        .layer(middleware::from_fn(limits::own_origin))
        .layer(middleware::from_fn_with_state(state.clone(), limits::own_host))
        .layer(middleware::from_fn(limits::in_time))
        .with_state(state)
}

/// Everything that there is.
fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = server(schemas);
    operations.extend(requests(schemas));
    operations.extend(endpoints_now(schemas));
    operations.extend(configuration(schemas));
    operations.extend(keys_and_changes(schemas));
    operations
}

fn server(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        read("/livez", "getLiveness", "Whether the process runs", get(|| async { "alive\n" }))
            .text("200", "It runs", TEXT),
        read("/readyz", "getReadiness", "Whether new requests should be sent here", get(readyz))
            .text("200", "Yes", TEXT)
            .text("503", "Not yet, or no more", TEXT),
        read("/metrics", "getMetrics", "Metrics for Prometheus", get(metrics)).text(
            "200",
            "In the OpenMetrics format",
            OPENMETRICS,
        ),
        read(openapi::PATH, "getDocument", "This document", get(openapi::serve)).json::<serde_json::Value>(
            "200",
            "An OpenAPI 3.1 document",
            schemas,
        ),
        read("/admin/v1/status", "getStatus", "What runs here", get(status)).json::<FullStatus>(
            "200",
            "Version, configuration, providers",
            schemas,
        ),
    ]
}

fn requests(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        read("/admin/v1/requests", "listRequests", "Requests, newest first, in pages", get(records::list))
            .query::<records::ListQuery>()
            .json::<records::RequestPage>("200", "A page", schemas),
        read("/admin/v1/requests/stream", "followRequests", "Requests as they end", get(tail::stream))
            .query::<tail::TailQuery>()
            .text(
                "200",
                "Events `request` with a RequestDetail; `cut_off` with the number of requests that a \
                 subscriber missed who was too slow, before the end",
                "text/event-stream",
            ),
        read("/admin/v1/requests/{id}", "getRequest", "One request with its attempts", get(records::one))
            .path_part::<records::RequestPath>()
            .json::<records::RequestDetail>("200", "The request", schemas),
        read("/admin/v1/cost", "sumCost", "What requests cost, added up exactly", get(records::cost))
            .query::<records::CostQuery>()
            .json::<records::CostTable>("200", "A row for each group", schemas),
        read("/admin/v1/health", "getHealth", "How each deployment has done lately", get(records::health))
            .query::<records::HealthQuery>()
            .json::<records::Health>("200", "Error shares, latencies, last outcomes", schemas),
    ]
}

fn endpoints_now(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        read("/admin/v1/endpoints", "listEndpoints", "How deployments are doing now", get(endpoints::list))
            .json::<endpoints::EndpointList>("200", "Breakers, calls, latencies, ceilings, keys", schemas),
        operation(
            Method::POST,
            "/admin/v1/endpoints/breaker",
            "setBreaker",
            "Open or close a deployment's breaker, or leave it to itself",
            post(endpoints::set_breaker),
        )
        .body::<endpoints::BreakerRequest>()
        .json::<endpoints::EndpointRow>("200", "It is set", schemas),
    ]
}

fn configuration(schemas: &mut Schemas) -> Vec<Operation> {
    let large = DefaultBodyLimit::max(limits::CONFIG_BODY);
    let yaml = "A configuration, as `pointsman schema` describes it.";
    let seen = "The `ETag` of the version that the change is made to.";
    vec![
        read("/admin/v1/config", "getConfig", "The configuration in force", get(config::view))
            .json::<config::ConfigView>("200", "Secrets are references", schemas),
        operation(
            Method::PUT,
            "/admin/v1/config",
            "applyConfig",
            "Replace the file, and load it",
            put(config::apply).layer(large),
        )
        .header("If-Match", seen, config::ETAG_PATTERN)
        .yaml_body(config::YAML, yaml)
        .json::<config::Applied>("200", "It is in force", schemas)
        .refuses("409", "The file cannot be written, or could not be loaded")
        .refuses("412", "The file is another version by now")
        .refuses("422", "The text is wrong")
        .refuses("428", "`If-Match` is missing"),
        read("/admin/v1/config/text", "getConfigText", "The file as it is written", get(config::text))
            .text("200", "The text", config::YAML)
            .refuses("422", "The file is wrong: it might hold what it must not"),
        operation(
            Method::POST,
            "/admin/v1/config/validate",
            "validateConfig",
            "Is a text right?",
            post(config::validate).layer(large),
        )
        .yaml_body(config::YAML, yaml)
        .json::<config::Verdict>("200", "All errors, with places", schemas),
        operation(
            Method::POST,
            "/admin/v1/config/diff",
            "compareConfig",
            "What would a text change?",
            post(config::diff).layer(large),
        )
        .yaml_body(config::YAML, yaml)
        .json::<config::DiffView>("200", "By meaning, not by line", schemas)
        .refuses("422", "The text is wrong"),
        read("/admin/v1/config/history", "listVersions", "Versions of the file", get(config::versions))
            .json::<config::HistoryView>("200", "Newest first", schemas),
        operation(
            Method::POST,
            "/admin/v1/config/rollback",
            "rollBackConfig",
            "Go back to a version",
            post(config::rollback),
        )
        .header("If-Match", seen, config::ETAG_PATTERN)
        .body::<config::Rollback>()
        .json::<config::Applied>("200", "It is in force", schemas)
        .refuses("409", "The file cannot be written, or could not be loaded")
        .refuses("412", "The file is another version by now")
        .refuses("422", "That version is wrong by now")
        .refuses("428", "`If-Match` is missing"),
    ]
}

fn keys_and_changes(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        read("/admin/v1/keys", "listKeys", "Client keys", get(keys::list))
            .json::<keys::KeyList>("200", "Never a key, nor its hash", schemas)
            .refuses("422", "The file is wrong"),
        operation(Method::POST, "/admin/v1/keys", "createKey", "Make a client key", post(keys::create))
            .body::<keys::KeyRequest>()
            .json::<keys::KeyMade>("201", "The key, shown only this once", schemas)
            .refuses("409", "The id is taken, or the file cannot be written")
            .refuses("412", "The file is another version by now")
            .refuses("422", "The file would be wrong"),
        operation(
            Method::DELETE,
            "/admin/v1/keys/{id}",
            "revokeKey",
            "Revoke a client key",
            delete(keys::revoke),
        )
        .path_part::<keys::KeyPath>()
        .json::<config::Applied>("200", "It opens nothing any more", schemas)
        .refuses("409", "It is the last key, or the file cannot be written")
        .refuses("412", "The file is another version by now")
        .refuses("422", "The file is or would be wrong"),
        read("/admin/v1/audit", "listChanges", "Every change of the set-up, newest first", get(audit::list))
            .query::<audit::AuditQuery>()
            .json::<audit::AuditPage>("200", "A page", schemas),
    ]
}

fn read(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    handler: MethodRouter<AdminState>,
) -> Operation {
    operation(Method::GET, path, id, summary, handler)
}

fn operation(
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    handler: MethodRouter<AdminState>,
) -> Operation {
    Operation::new(method, path, id, summary, handler)
}

/// The router as hyper serves it to the client at `peer`, one clone a connection.
pub fn service(
    router: Router,
    peer: SocketAddr,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        tower_service::Service::call(&mut router.clone(), request)
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

/// What runs here.
#[derive(Debug, Serialize, JsonSchema)]
struct FullStatus {
    #[serde(flatten)]
    status: Status,
    readiness: Readiness,
    /// Requests that subscribers of the live tail missed because they were too slow.
    tail_missed: u64,
}

async fn status(State(state): State<AdminState>) -> Json<FullStatus> {
    let (status, readiness) = ((state.status)(), (state.readiness)());
    Json(FullStatus { status, readiness, tail_missed: state.tail.missed() })
}

async fn unknown() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown_path",
        "there is no such path here",
        "GET /admin/v1/openapi.json lists every path",
    )
}

async fn wrong_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the path exists, the method does not",
        "the `Allow` header names the methods that do",
    )
}

#[cfg(test)]
mod setup_tests;
#[cfg(test)]
mod tests;
