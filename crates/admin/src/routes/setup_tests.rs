//! The set-up through the router, with a real configuration file behind it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use pointsman_config::{ConfigErrors, ConfigFile, Environment, Input, effective, prepare};
use pointsman_core::{Clock, ModelRef};
use pointsman_resilience::{Endpoint, EndpointPolicy, EndpointStatus, Forced};
use pointsman_store::SqliteAudit;
use pointsman_telemetry::Metrics;
use pointsman_transport::Upstreams;
use pointsman_transport::connect::{Connect, Connecting, Origin};
use serde_json::{Value, json};
use tower_service::Service as _;

use crate::{AdminState, AdminToken, Checked, ConfigWorld, Endpoints, Readiness, SetUp, Status};

const START: &str = "# mine\nserver:\n  max_connections: 9\nkeys:\n  - id: first # the first\n    sha256: \
    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";

/// Configurations are composed as in the server; loading one only counts.
struct World {
    file: PathBuf,
    generation: AtomicU64,
    refuses: Arc<AtomicBool>,
}

/// Composing a snapshot connects to nobody.
struct Nowhere;

impl Connect for Nowhere {
    fn connect<'a>(&'a self, _: &'a Origin) -> Connecting<'a> {
        Box::pin(std::future::pending())
    }
}

impl ConfigWorld for World {
    fn file(&self) -> PathBuf {
        self.file.clone()
    }

    fn check(&self, text: &str) -> Result<Checked, ConfigErrors> {
        let environment = Environment::default();
        let file = Some(ConfigFile { path: &self.file, text });
        let input = Input { file, environment: &environment, overrides: &[], engines: &[] };
        let snapshot = prepare(&input, &Upstreams::new(Arc::new(Nowhere)), None)?;
        Ok(Checked { effective: effective(&input)?, warnings: snapshot.warnings })
    }

    fn load(&self, _: &str) -> Result<u64, String> {
        match self.refuses.load(Ordering::Relaxed) {
            true => Err("no".into()),
            false => Ok(self.generation.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

/// One deployment, whose breaker does as it is told.
struct Fleet(Arc<Endpoint>);

impl Endpoints for Fleet {
    fn list(&self) -> Vec<EndpointStatus> {
        vec![EndpointStatus {
            deployment: ModelRef { provider: "a".into(), model: "m/large".into() },
            view: self.0.view(&EndpointPolicy::default(), Duration::from_secs(2)),
            waiting: 3,
            started_unix_us: 1_000_000,
        }]
    }

    fn force(&self, deployment: &str, forced: Forced) -> Option<EndpointStatus> {
        (deployment == "a/m/large").then(|| self.0.force(forced, Duration::from_secs(1)))?;
        self.list().pop()
    }
}

struct Admin {
    folder: tempfile::TempDir,
    router: Router,
    token: String,
    refuses: Arc<AtomicBool>,
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

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), &*self.code()), (status, code), "{}", self.text);
        let error = &self.json()["error"];
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    }
}

impl Admin {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pointsman.yaml");
        fs::write(&file, START).unwrap();
        let refuses = Arc::new(AtomicBool::new(false));
        let world = World { file, generation: AtomicU64::new(1), refuses: Arc::clone(&refuses) };
        let data = folder.path().join("data");
        let token = AdminToken::load_or_create(&data).unwrap();
        let audit = Box::new(SqliteAudit::open(data.join("audit.db")).unwrap());
        let clock = Clock::starting_at(Duration::from_secs(1_795_000_000));
        let setup = SetUp::new(Arc::new(world), audit, &data, clock);
        let status = || Status {
            version: "1",
            config_generation: 1,
            uptime_seconds: 0,
            requests_in_flight: 0,
            providers: vec![],
            routes: vec![],
            warnings: vec![],
        };
        let state = AdminState::new(token, Arc::new(Metrics::new("1")), status, || Readiness::Ready);
        let token = fs::read_to_string(data.join("admin.token")).unwrap().trim().to_owned();
        let state = state.with_setup(setup).with_endpoints(Fleet(Arc::new(Endpoint::new(2))));
        Self { router: crate::router(state), folder, token, refuses }
    }

    async fn send(&mut self, method: &str, path: &str, if_match: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(value) = if_match {
            request = request.header("if-match", value);
        }
        let response = self.router.call(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes.into()).unwrap() }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, None, "").await
    }

    async fn etag(&mut self) -> String {
        self.get("/admin/v1/config").await.headers["etag"].to_str().unwrap().to_owned()
    }

    fn file(&self) -> String {
        fs::read_to_string(self.folder.path().join("pointsman.yaml")).unwrap()
    }
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let mut admin = Admin::new();
    let answer = admin.get("/admin/v1/config").await;
    let view = answer.json();
    assert_eq!(answer.headers["etag"], format!("\"{}\"", view["sha256"].as_str().unwrap()));
    assert_eq!((&view["generation"], &view["valid"]), (&json!(1), &json!(true)));
    assert_eq!(view["effective"]["server"]["max_connections"], 9);
    assert_eq!(view["effective"]["keys"][0]["sha256"], "9f86d081…");
    assert!(!answer.text.contains("9f86d081884c"));
    let text = admin.get("/admin/v1/config/text").await;
    assert_eq!((&*text.text, &text.headers["content-type"]), (START, &"application/yaml".parse().unwrap()));
}

#[tokio::test]
async fn a_file_that_is_wrong_is_told_and_its_text_is_not() {
    let mut admin = Admin::new();
    fs::write(admin.folder.path().join("pointsman.yaml"), "providers:\n  openai:\n    keys: sk-oops\n")
        .unwrap();
    let answer = admin.get("/admin/v1/config").await;
    let view = answer.json();
    assert_eq!((&view["valid"], &view["effective"]), (&json!(false), &Value::Null));
    assert_eq!(view["problems"][0]["line"], 3);
    let text = admin.get("/admin/v1/config/text").await;
    text.is(422, "config_invalid");
    assert!(!text.text.contains("sk-oops") && !answer.text.contains("sk-oops"));
    admin.get("/admin/v1/keys").await.is(422, "config_invalid");
}

#[tokio::test]
async fn texts_are_validated_with_all_places() {
    let mut admin = Admin::new();
    let good = admin.send("POST", "/admin/v1/config/validate", None, START).await.json();
    assert_eq!((&good["valid"], &good["problems"]), (&json!(true), &json!([])));
    let wrong = "server:\n  lisen: x\n  max_connections: 0\n";
    let verdict = admin.send("POST", "/admin/v1/config/validate", None, wrong).await.json();
    assert_eq!(verdict["valid"], false);
    let places: Vec<_> =
        verdict["problems"].as_array().unwrap().iter().map(|p| (&p["line"], &p["column"])).collect();
    assert_eq!(places, [(&json!(2), &json!(3)), (&json!(3), &json!(20))]);
    assert_eq!(admin.file(), START);
}

#[tokio::test]
async fn a_difference_is_by_meaning() {
    let mut admin = Admin::new();
    let next = START.replace("# mine\n", "").replace("9", "8");
    let next = next.replace("9f86", "9f87");
    let diff = admin.send("POST", "/admin/v1/config/diff", None, &next).await.json();
    let changes = diff["changes"].as_array().unwrap();
    assert!(changes.iter().any(|c| c == &json!({"path": "server.max_connections", "before": 9, "after": 8})));
    assert!(changes.iter().any(|c| c["path"] == "keys.0.sha256" && c["before"] == "9f86d081…"));
    assert_eq!(changes.len(), 2);
    admin.send("POST", "/admin/v1/config/diff", None, "").await.is(400, "invalid_body");
    admin.send("POST", "/admin/v1/config/diff", None, "a: [").await.is(422, "config_invalid");
}

#[tokio::test]
async fn a_change_needs_the_version_that_it_is_made_to() {
    let mut admin = Admin::new();
    let next = START.replace("9", "8");
    let path = "/admin/v1/config";
    admin.send("PUT", path, None, &next).await.is(428, "if_match_missing");
    admin.send("PUT", path, Some("abc"), &next).await.is(400, "invalid_if_match");
    admin.send("PUT", path, Some(&format!("\"{}\"", "0".repeat(64))), &next).await.is(412, "config_changed");
    let etag = admin.etag().await;
    admin.send("PUT", path, Some(&etag), "server: 1\n").await.is(422, "config_invalid");
    assert_eq!(admin.file(), START);
    assert_eq!(admin.get("/admin/v1/audit").await.json()["changes"], json!([]));

    let applied = admin.send("PUT", path, Some(&etag), &next).await;
    assert_eq!((applied.status, &applied.json()["generation"]), (StatusCode::OK, &json!(2)));
    assert_eq!(admin.file(), next);
    assert_eq!(fs::read_to_string(admin.folder.path().join("pointsman.yaml.bak")).unwrap(), START);
    assert_eq!(admin.etag().await, applied.headers["etag"].to_str().unwrap());
    // The version is used up.
    admin.send("PUT", path, Some(&etag), START).await.is(412, "config_changed");
}

#[tokio::test]
async fn what_cannot_be_loaded_is_taken_back() {
    let mut admin = Admin::new();
    let etag = admin.etag().await;
    admin.refuses.store(true, Ordering::Relaxed);
    let answer = admin.send("PUT", "/admin/v1/config", Some(&etag), &START.replace("9", "8")).await;
    answer.is(409, "config_not_loaded");
    assert_eq!(admin.file(), START);
    let change = &admin.get("/admin/v1/audit").await.json()["changes"][0];
    assert_eq!((&change["state"], &change["action"]), (&json!("failed"), &json!("config.apply")));
}

#[tokio::test]
async fn versions_can_be_gone_back_to() {
    let mut admin = Admin::new();
    for connections in ["8", "7"] {
        let etag = admin.etag().await;
        let next = START.replace("9", connections);
        assert_eq!(admin.send("PUT", "/admin/v1/config", Some(&etag), &next).await.status, StatusCode::OK);
    }
    let history = admin.get("/admin/v1/config/history").await.json();
    let versions = history["versions"].as_array().unwrap();
    let current: Vec<_> = versions.iter().map(|version| version["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false, false]);
    let first = json!({"version": versions[2]["version"]}).to_string();
    let path = "/admin/v1/config/rollback";
    admin.send("POST", path, None, &first).await.is(428, "if_match_missing");
    let etag = admin.etag().await;
    admin.send("POST", path, Some(&etag), r#"{"version": "x"}"#).await.is(404, "unknown_version");
    admin.send("POST", path, Some(&etag), r#"{"other": "x"}"#).await.is(400, "invalid_body");
    assert_eq!(admin.send("POST", path, Some(&etag), &first).await.status, StatusCode::OK);
    assert_eq!(admin.file(), START);
    let change = &admin.get("/admin/v1/audit").await.json()["changes"][0];
    assert_eq!((&change["action"], &change["target"]), (&json!("config.rollback"), &versions[2]["version"]));
}

#[tokio::test]
async fn keys_are_made_shown_once_and_revoked() {
    let mut admin = Admin::new();
    let request = json!({"id": "ci", "team": "core", "models": ["simulated/x"]}).to_string();
    let made = admin.send("POST", "/admin/v1/keys", None, &request).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("pk-") && key.len() == 67, "{key}");
    assert!(admin.file().contains("# the first") && !admin.file().contains(key));
    let listed = admin.get("/admin/v1/keys").await;
    let keys = listed.json()["keys"].clone();
    assert_eq!(
        (&keys[0]["id"], &keys[1]["id"], &keys[1]["team"]),
        (&json!("first"), &json!("ci"), &json!("core"))
    );
    assert_eq!(keys[1]["fingerprint"], made["fingerprint"]);
    assert_eq!(keys[1]["models"], json!(["simulated/x"]));
    assert_eq!(keys[0]["fingerprint"], "9f86d081");
    assert!(!listed.text.contains(key) && !listed.text.contains("9f86d081884c"));
    admin.send("POST", "/admin/v1/keys", None, &request).await.is(409, "key_exists");
    for id in ["", "1", "a b", "ä"] {
        let request = json!({"id": id}).to_string();
        admin.send("POST", "/admin/v1/keys", None, &request).await.is(400, "invalid_key_id");
    }
    admin.send("POST", "/admin/v1/keys", None, "{").await.is(400, "invalid_body");

    assert_eq!(admin.send("DELETE", "/admin/v1/keys/ci", None, "").await.status, StatusCode::OK);
    assert_eq!(admin.file(), START);
    admin.send("DELETE", "/admin/v1/keys/ci", None, "").await.is(404, "unknown_key");
    admin.send("DELETE", "/admin/v1/keys/first", None, "").await.is(409, "last_key");
    assert_eq!(admin.file(), START);

    let page = admin.get("/admin/v1/audit?limit=1").await.json();
    assert_eq!((&page["next"], &page["changes"][0]["action"]), (&json!(2), &json!("key.revoke")));
    let rest = admin.get("/admin/v1/audit?before=2").await.json();
    let change = &rest["changes"][0];
    assert_eq!(
        (&change["action"], &change["target"], &change["state"]),
        (&json!("key.create"), &json!("ci"), &json!("done"))
    );
    assert!(change["actor"].as_str().unwrap().starts_with("admin-token "));
    assert_eq!(change["after_sha256"], page["changes"][0]["before_sha256"]);
    assert_eq!(rest["next"], Value::Null);
}

#[tokio::test]
async fn bodies_have_limits() {
    let mut admin = Admin::new();
    let long = "#".repeat(65 * 1024);
    admin.send("POST", "/admin/v1/keys", None, &long).await.is(413, "body_too_large");
    assert_eq!(admin.send("POST", "/admin/v1/config/validate", None, &long).await.json()["valid"], true);
    let longer = "#".repeat((16 << 20) + 1);
    admin.send("POST", "/admin/v1/config/validate", None, &longer).await.is(413, "body_too_large");
}

#[tokio::test]
async fn a_browser_that_adds_credentials_by_itself_changes_nothing() {
    let mut admin = Admin::new();
    // `admin:<token>` as a browser sends it, without any origin.
    let pair = format!("admin:{}", admin.token);
    let basic = format!("Basic {}", super::tests::base64(&pair));
    let request = Request::delete("/admin/v1/keys/first").header(AUTHORIZATION, basic);
    let response = admin.router.call(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn wrong_queries_of_the_trail_are_refused() {
    let mut admin = Admin::new();
    for query in ["limit=0", "limit=1001", "before=0", "before=x", "odd=1"] {
        admin.get(&format!("/admin/v1/audit?{query}")).await.is(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_breaker_is_shown_and_set_and_the_trail_says_by_whom() {
    let mut admin = Admin::new();
    let list = admin.get("/admin/v1/endpoints").await.json();
    let [row] = list["endpoints"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((&row["deployment"], &row["waiting"]), (&json!("a/m/large"), &json!(3)));
    let breaker = json!({
        "state": "closed", "set": "automatic", "since_unix_ms": null, "until_unix_ms": null, "failures": 0
    });
    assert_eq!(row["breaker"], breaker);
    assert_eq!(row["keys"].as_array().unwrap().len(), 2);
    let set = async |admin: &mut Admin, deployment: &str, to: &str| {
        let body = json!({"deployment": deployment, "set": to}).to_string();
        admin.send("POST", "/admin/v1/endpoints/breaker", None, &body).await
    };
    for (to, state) in [("open", "open"), ("closed", "closed"), ("automatic", "closed")] {
        let answer = set(&mut admin, "a/m/large", to).await;
        let breaker = &answer.json()["breaker"];
        assert_eq!((&breaker["set"], &breaker["state"]), (&json!(to), &json!(state)), "{}", answer.text);
        assert_eq!(breaker["since_unix_ms"], 2_000);
    }
    set(&mut admin, "a/none", "open").await.is(404, "unknown_deployment");
    set(&mut admin, "a/m/large", "ajar").await.is(400, "invalid_body");
    let trail = admin.get("/admin/v1/audit").await.json();
    let changes = trail["changes"].as_array().unwrap();
    let told: Vec<_> =
        changes.iter().map(|change| (change["action"].as_str().unwrap(), &change["state"])).collect();
    let (done, failed) = (json!("done"), json!("failed"));
    let expected = [
        ("breaker.open", &failed),
        ("breaker.automatic", &done),
        ("breaker.closed", &done),
        ("breaker.open", &done),
    ];
    assert_eq!(told, expected);
    assert_eq!(changes[3]["target"], "a/m/large");
}
