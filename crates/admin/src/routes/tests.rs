//! Every path with and without the credential, and what it shows.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http_body_util::BodyExt;
use pointsman_core::RequestRecord;
use pointsman_core::store::RecordSink;
use pointsman_store::MemoryStore;
use pointsman_store::conformance::record;
use pointsman_telemetry::Metrics;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_service::Service as _;

use super::*;
use crate::state::{ProviderStatus, Status};
use crate::tail::LiveTail;
use crate::token::AdminToken;

struct Admin {
    folder: tempfile::TempDir,
    router: Router,
    draining: Arc<AtomicBool>,
    token: String,
    tail: LiveTail,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

fn state(folder: &std::path::Path, draining: Arc<AtomicBool>) -> AdminState {
    let status = || Status {
        version: "1.2.3",
        config_generation: 4,
        uptime_seconds: 60,
        requests_in_flight: 2,
        providers: vec![ProviderStatus {
            name: "openai".into(),
            kind: "openai",
            source: "config".into(),
            models: 7,
        }],
        routes: vec!["smart".into()],
        warnings: vec![],
    };
    let readiness =
        move || if draining.load(Ordering::Relaxed) { Readiness::Draining } else { Readiness::Ready };
    let token = AdminToken::load_or_create(folder).unwrap();
    AdminState::new(token, Arc::new(Metrics::new("1.2.3")), status, readiness)
}

impl Admin {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::new(10_000);
        let batch: Box<[Box<RequestRecord>]> = (1..=5).map(|n| Box::new(record(n))).collect();
        store.sink().write(&batch).unwrap();
        let draining = Arc::new(AtomicBool::new(false));
        let tail = LiveTail::default();
        let names = || {
            [("openai", "idle"), ("openai", "gpt-4o-mini")].map(|(p, m)| (p.to_owned(), m.to_owned())).into()
        };
        let state = state(folder.path(), Arc::clone(&draining))
            .with_records(move || Ok(Box::new(store.reader())))
            .with_tail(tail.clone())
            .with_deployments(names);
        let token = fs::read_to_string(folder.path().join("admin.token")).unwrap().trim().to_owned();
        Self { router: router(state), folder, draining, token, tail }
    }

    async fn ask(&mut self, path: &str, authorization: &[&str]) -> Answer {
        let mut request = Request::get(path);
        for value in authorization {
            request = request.header(AUTHORIZATION, *value);
        }
        let response = self.router.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes.into()).unwrap() }
    }

    /// With the credential.
    async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.call(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        if head.headers["content-type"] == "text/event-stream" {
            return Answer { status: head.status, headers: head.headers, text: String::new() };
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes.into()).unwrap() }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        self.ask(path, &[&bearer]).await
    }
}

/// Base 64 of `text`, by the standard's definition.
pub(super) fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.as_bytes().chunks(3).flat_map(|chunk| {
        let group =
            chunk.iter().fold(0_u32, |sum, &byte| (sum << 8) | u32::from(byte)) << (8 * (3 - chunk.len()));
        (0..4).map(move |i| match i <= chunk.len() {
            true => char::from(DIGITS[(group >> (18 - 6 * i)) as usize & 63]),
            false => '=',
        })
    });
    digits.collect()
}

#[tokio::test]
async fn everything_but_health_needs_the_token() {
    let mut admin = Admin::new();
    for path in ["/livez", "/readyz"] {
        assert_eq!(admin.ask(path, &[]).await.status, StatusCode::OK, "{path}");
    }
    let closed =
        ["/metrics", "/admin/v1/status", "/admin/v1/requests", "/admin/v1/cost", "/", "/nonesuch", "/livez/"];
    let token = admin.token.clone();
    let almost = format!("Bearer {}", &token[1..]);
    let good = format!("Bearer {token}");
    let bare = token.clone();
    let wrong: [&[&str]; 7] = [
        &[],
        &["Bearer "],
        &["Bearer wrong"],
        &[&almost],
        &[&bare],
        &["Basic YWRtaW46YWRtaW4="],
        &[&good, "Bearer wrong"],
    ];
    for path in closed {
        for authorization in wrong {
            let answer = admin.ask(path, authorization).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {authorization:?}");
            assert!(!answer.text.contains(&token));
        }
    }
}

#[tokio::test]
async fn the_refusal_says_where_the_token_is() {
    let mut admin = Admin::new();
    let answer = admin.ask("/metrics", &[]).await;
    let path = admin.folder.path().join("admin.token");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "unauthorized");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.ends_with(&format!("the token is in {}", path.display())), "{hint}");
    assert!(answer.headers[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic "));
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn bearer_and_basic_both_open() {
    let mut admin = Admin::new();
    let token = admin.token.clone();
    for authorization in [
        format!("Bearer {token}"),
        format!("bearer  {token} "),
        format!("Basic {}", base64(&format!("admin:{token}"))),
        format!("basic {}", base64(&format!(":{token}"))),
    ] {
        let answer = admin.ask("/metrics", &[&authorization]).await;
        assert_eq!(answer.status, StatusCode::OK, "{authorization}");
    }
    let swapped = format!("Basic {}", base64(&format!("{token}:admin")));
    assert_eq!(admin.ask("/metrics", &[&swapped]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn draining_is_alive_but_not_ready() {
    let mut admin = Admin::new();
    assert_eq!(admin.ask("/readyz", &[]).await.text, "ready\n");
    admin.draining.store(true, Ordering::Relaxed);
    let answer = admin.ask("/readyz", &[]).await;
    assert_eq!((answer.status, &*answer.text), (StatusCode::SERVICE_UNAVAILABLE, "draining\n"));
    assert_eq!(admin.ask("/livez", &[]).await.status, StatusCode::OK);
    assert_eq!(admin.get("/admin/v1/status").await.json()["readiness"], "draining");
}

#[tokio::test]
async fn metrics_and_status_are_shown() {
    let mut admin = Admin::new();
    let metrics = admin.get("/metrics").await;
    assert_eq!(metrics.headers["content-type"], OPENMETRICS);
    assert!(
        metrics.text.contains("pointsman_build_info{version=\"1.2.3\"} 1\n")
            && metrics.text.ends_with("# EOF\n")
    );
    let status = admin.get("/admin/v1/status").await.json();
    assert_eq!(status["config_generation"], 4);
    assert_eq!(status["providers"][0]["models"], 7);
    assert_eq!(status["readiness"], "ready");
    assert_eq!(admin.get("/nonesuch").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn requests_come_in_pages() {
    let mut admin = Admin::new();
    let first = admin.get("/admin/v1/requests?limit=3").await.json();
    let ids = |page: &Value| -> Vec<String> {
        let rows = page["requests"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let expected = |numbers: &[u64]| numbers.iter().map(|&n| record(n).id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&first), expected(&[5, 4, 3]));
    let next = first["next"].as_str().unwrap();
    let second = admin.get(&format!("/admin/v1/requests?limit=3&before={next}")).await.json();
    assert_eq!(ids(&second), expected(&[2, 1]));
    assert_eq!(second["next"], Value::Null);
    let seconds = record(4).id.unix_ms() / 1_000;
    let since =
        admin.get(&format!("/admin/v1/requests?since={seconds}&model=openai/gpt-4o-mini")).await.json();
    assert_eq!(ids(&since), expected(&[5, 4]));
    assert!(ids(&admin.get("/admin/v1/requests?failed=true").await.json()).is_empty());
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let mut admin = Admin::new();
    let seconds = record(3).id.unix_ms() / 1_000;
    for (query, expected) in [
        (format!("until={seconds}"), 2),
        (format!("until={seconds}&before={}", record(2).id), 1),
        ("route=smart".into(), 5),
        ("route=other".into(), 0),
        ("status=200&outcome=success&key=key-1".into(), 5),
        ("status=500".into(), 0),
        ("min_cost_usd=0.000150004".into(), 2),
    ] {
        let page = admin.get(&format!("/admin/v1/requests?{query}")).await.json();
        assert_eq!(page["requests"].as_array().unwrap().len(), expected, "{query}");
    }
}

#[tokio::test]
async fn one_request_has_its_attempts() {
    let mut admin = Admin::new();
    let found = admin.get(&format!("/admin/v1/requests/{}", record(2).id)).await.json();
    assert_eq!(found["id"], record(2).id.to_string());
    assert_eq!(found["attempts"][0]["model"], "gpt-4o-mini");
    assert_eq!(found["trace_id"], "00000000000000020000000000000007");
    assert_eq!(found["cost"]["total_usd"].to_string(), "0.000150002");
    let missing = admin.get(&format!("/admin/v1/requests/{}", record(9).id)).await;
    assert_eq!(
        (missing.status, &missing.json()["error"]["code"]),
        (StatusCode::NOT_FOUND, &"unknown_request".into())
    );
}

#[tokio::test]
async fn health_is_by_deployment() {
    let mut admin = Admin::new();
    let health = admin.get("/admin/v1/health").await.json();
    let deployments = health["deployments"].as_array().unwrap();
    let told: Vec<_> = deployments.iter().map(|d| (&d["model"], &d["attempts"], &d["configured"])).collect();
    assert_eq!(
        told,
        [(&"gpt-4o-mini".into(), &5.into(), &true.into()), (&"idle".into(), &0.into(), &true.into())]
    );
    assert_eq!(deployments[0]["error_share"].as_f64(), Some(0.0));
    assert_eq!(deployments[0]["duration_us"]["p50"], 1_450);
}

#[tokio::test]
async fn the_tail_sends_what_the_recorder_gets() {
    let mut admin = Admin::new();
    let request = Request::get("/admin/v1/requests/stream?key=key-1")
        .header(AUTHORIZATION, format!("Bearer {}", admin.token))
        .body(Body::empty())
        .unwrap();
    let response = admin.router.call(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut tail = admin.tail.clone();
    tail.write(&[Box::new(record(7))]).unwrap();
    tail.close();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.into()).unwrap();
    let data = text.strip_prefix("event: request\ndata: ").unwrap();
    let sent: Value = serde_json::from_str(data).unwrap();
    assert_eq!(sent["id"], record(7).id.to_string());
}

#[tokio::test]
async fn the_router_and_the_document_agree() {
    let mut admin = Admin::new();
    let document = admin.get("/admin/v1/openapi.json").await;
    assert_eq!(document.headers["content-type"], "application/json");
    let mut ids = std::collections::HashSet::new();
    for (path, methods) in document.json()["paths"].as_object().unwrap() {
        let concrete = path.replace("{id}", "nonesuch");
        for (method, operation) in methods.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].to_string()), "{operation}");
            // What the router does not know has these codes; what it knows may refuse otherwise.
            let answer = admin.send(&method.to_uppercase(), &concrete, &[], "").await;
            assert!(answer.status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert!(!answer.text.contains("unknown_path"), "{method} {path}");
        }
        let answer = admin.send("TRACE", &concrete, &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.headers["allow"].to_str().unwrap().to_ascii_lowercase();
        let mut allowed: Vec<_> = allowed.split(',').filter(|method| *method != "head").collect();
        let mut described: Vec<_> = methods.as_object().unwrap().keys().map(String::as_str).collect();
        allowed.sort_unstable();
        described.sort_unstable();
        assert_eq!(allowed, described, "{path}");
    }
}

#[tokio::test]
async fn the_document_is_as_reviewed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let document = Admin::new().get("/admin/v1/openapi.json").await.json();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path, &text).unwrap();
    }
    let hint =
        "the API changed: `UPDATE_SNAPSHOTS=1 cargo test -p pointsman-admin`, and review the difference";
    assert!(fs::read_to_string(path).unwrap_or_default() == text, "{hint}");
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let mut admin = Admin::new();
    for (origin, status) in [
        ("http://admin.test:4181", StatusCode::OK),
        ("https://admin.test:4181", StatusCode::OK),
        ("http://evil.test", StatusCode::FORBIDDEN),
        ("http://admin.test", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let headers = [("host", "admin.test:4181"), ("origin", origin)];
        let answer = admin.send("GET", "/admin/v1/status", &headers, "").await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn money_is_exact() {
    let mut admin = Admin::new();
    let cost = admin.get("/admin/v1/cost?by=model").await;
    let expected = r#"{"cost":[{"group":"openai/gpt-4o-mini","requests":5,"unpriced":0,"estimated":0,"input_tokens":5015,"output_tokens":250,"cost_usd":0.000750015}]}"#;
    assert_eq!(cost.text, expected);
    let total = admin.get("/admin/v1/cost").await.json();
    assert_eq!(total["cost"][0]["group"], "total");
}

#[tokio::test]
async fn bad_questions_are_answered_with_what_is_known() {
    let mut admin = Admin::new();
    for path in [
        "/admin/v1/requests?limit=many",
        "/admin/v1/requests?before=yesterday",
        "/admin/v1/requests?modell=x",
        "/admin/v1/cost?by=colour",
        "/admin/v1/cost?since=req_1",
        "/admin/v1/cost?until=1.5",
        "/admin/v1/requests?limit=0",
        "/admin/v1/requests?limit=1001",
        "/admin/v1/requests?outcome=odd",
        "/admin/v1/requests?status=1000",
        "/admin/v1/requests?min_cost_usd=-1",
        "/admin/v1/requests?min_cost_usd=NaN",
        "/admin/v1/requests/req_1",
        "/admin/v1/requests/0000000000000",
        "/admin/v1/requests/stream?page=1",
        "/admin/v1/health?since=now",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.json()["error"]["code"], "invalid_query");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_not_shown_inside_out() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("secret-place.db");
    let open = move || Ok(Box::new(pointsman_store::SqliteReader::open(&missing)?) as Box<_>);
    let without = state(folder.path(), Arc::default());
    let token = fs::read_to_string(folder.path().join("admin.token")).unwrap();
    for (state, status, code) in [
        (without.clone(), StatusCode::NOT_FOUND, "no_records"),
        (without.with_records(open), StatusCode::SERVICE_UNAVAILABLE, "store_failed"),
    ] {
        let bearer = format!("Bearer {}", token.trim());
        let request =
            Request::get("/admin/v1/cost").header(AUTHORIZATION, bearer).body(Body::empty()).unwrap();
        let response = router(state).call(request).await.unwrap();
        assert_eq!(response.status(), status);
        let text = String::from_utf8(response.collect().await.unwrap().to_bytes().into()).unwrap();
        assert!(text.contains(code) && !text.contains("secret-place"), "{text}");
    }
}

#[tokio::test]
async fn hyper_serves_it() {
    let folder = tempfile::tempdir().unwrap();
    let peer = ([127, 0, 0, 1], 1).into();
    let service = service(router(state(folder.path(), Arc::default())), peer);
    let (mut client, server) = tokio::io::duplex(4_096);
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(hyper_util::rt::TokioIo::new(server), service);
    let talk = async {
        client.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    };
    let (served, text) = tokio::join!(connection, talk);
    served.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nalive\n"), "{text}");
}

#[tokio::test]
async fn a_listener_on_loopback_answers_to_names_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut router = router(state(folder.path(), Arc::default()).local_only(true));
    let mut ask = async |host: Option<&str>, target: &str| {
        let mut request = Request::get(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status.as_u16(), String::from_utf8(body.into()).unwrap())
    };
    for host in ["127.0.0.1:4181", "localhost:4181", "[::1]:4181"] {
        assert_eq!(ask(Some(host), "/livez").await.0, 200, "{host}");
    }
    for (host, target) in [
        (Some("evil.example:4181"), "/livez"),
        (Some("127.0.0.1.nip.io"), "/metrics"),
        (Some("localhost"), "http://evil.example/livez"),
        (None, "/livez"),
    ] {
        let (status, text) = ask(host, target).await;
        assert!(status == 403 && text.contains("forbidden_host"), "{host:?} {target}: {status} {text}");
    }
}
