//! The control plane of the real binary: a tour of the admin API, and Schemathesis against its document.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, KEY};
use crate::support::http::{self, Answer};
use crate::support::parts::{parts, repository};

/// Cases for each operation: enough for every kind of wrong input that Schemathesis knows.
const MAX_EXAMPLES: &str = "25";

/// Operations that are tested: all but the event stream.
const OPERATIONS: usize = 21;

struct Admin<'g> {
    gateway: &'g Gateway,
    bearer: String,
}

impl<'g> Admin<'g> {
    fn of(gateway: &'g Gateway) -> Self {
        Self { gateway, bearer: format!("Bearer {}", gateway.admin_token()) }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: Vec<_> =
            [("authorization", &*self.bearer)].into_iter().chain(headers.iter().copied()).collect();
        http::ask(self.gateway.admin, method, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        answer.json().await
    }

    async fn chat(&self, key: &str) -> u16 {
        let body = json!({"model": "simulated/hello", "messages": [{"role": "user", "content": "hi"}]});
        let bearer = format!("Bearer {key}");
        let path = "/v1/chat/completions";
        http::post(self.gateway.address, path, &[("authorization", &bearer)], &body).await.unwrap().status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tour() {
    let gateway = Gateway::start("providers:\n  simulated:\n    kind: simulated\n");
    let admin = Admin::of(&gateway);

    // A key that is made works at once; the file never holds it.
    let made = admin.ask("POST", "/admin/v1/keys", &[], r#"{"id": "tour", "project": "p1"}"#).await;
    assert_eq!(made.status, 201);
    let made = made.json().await;
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(!fs::read_to_string(gateway.config()).unwrap().contains(&key));
    let mut tail = admin.ask("GET", "/admin/v1/requests/stream?key=tour", &[], "").await;
    assert_eq!((tail.status, tail.header("content-type")), (200, "text/event-stream"));
    assert_eq!(admin.chat(&key).await, 200);

    // The request is in the tail, then in the records, the costs and the health.
    let event: Value = serde_json::from_str(&tail.next_event().await.unwrap().unwrap()).unwrap();
    assert_eq!((&event["key"], &event["simulated"]), (&json!("tour"), &json!(true)));
    let path = format!("/admin/v1/requests/{}", event["id"].as_str().unwrap());
    // SQLite is the sink before the tail, so the row is there.
    assert_eq!(admin.get(&path).await, event);
    let page = admin.get("/admin/v1/requests?key=tour&outcome=success&status=200").await;
    assert_eq!(page["requests"].as_array().unwrap().len(), 1);
    let cost = admin.get("/admin/v1/cost?by=project").await;
    assert_eq!((&cost["cost"][0]["group"], &cost["cost"][0]["requests"]), (&json!("p1"), &json!(1)));
    let health = admin.get("/admin/v1/health").await;
    let deployments = health["deployments"].as_array().unwrap();
    let hello = deployments.iter().find(|deployment| deployment["model"] == "hello").unwrap();
    assert_eq!((&hello["attempts"], &hello["last_outcome"]), (&json!(1), &json!("success")));

    // A revoked key opens nothing; going back to the version that had it makes it work again.
    assert_eq!(admin.ask("DELETE", "/admin/v1/keys/tour", &[], "").await.status, 200);
    assert_eq!(admin.chat(&key).await, 401);
    assert_eq!(admin.chat(KEY).await, 200);
    let history = admin.get("/admin/v1/config/history").await;
    let with_key = &made["sha256"];
    let version = history["versions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|version| version["sha256"] == *with_key)
        .unwrap();
    let etag = format!("\"{}\"", admin.get("/admin/v1/config").await["sha256"].as_str().unwrap());
    let body = json!({"version": version["version"]}).to_string();
    let back = admin.ask("POST", "/admin/v1/config/rollback", &[("if-match", &etag)], &body).await;
    assert_eq!(back.status, 200);
    assert_eq!(admin.chat(&key).await, 200);

    // A wrong text is refused with its place, and changes nothing.
    let etag = back.header("etag").to_owned();
    let refused = admin.ask("PUT", "/admin/v1/config", &[("if-match", &etag)], "server:\n  lisen: x\n").await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json().await["error"]["problems"][0]["line"], 2);
    assert_eq!(admin.chat(&key).await, 200);

    // An edit by hand in between is never overwritten.
    let text = fs::read_to_string(gateway.config()).unwrap();
    fs::write(gateway.config(), format!("# by hand\n{text}")).unwrap();
    let late = admin.ask("PUT", "/admin/v1/config", &[("if-match", &etag)], &text).await;
    assert_eq!(late.status, 412);

    let audit = admin.get("/admin/v1/audit").await;
    let changes = audit["changes"].as_array().unwrap();
    let actions: Vec<_> = changes.iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["config.rollback", "key.revoke", "key.create"]);
    assert!(changes.iter().all(|change| change["state"] == "done"));
    assert!(changes.iter().all(|change| change["address"].as_str().unwrap().starts_with("127.0.0.1:")));
    let log = gateway.process.output();
    assert!(!log.contains(&key) && !log.contains(&gateway.admin_token()));
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing() {
    let gateway = Gateway::start("providers:\n  simulated:\n    kind: simulated\n");
    let admin = Admin::of(&gateway);
    assert_eq!(admin.chat(KEY).await, 200);
    let url = format!("http://{}/admin/v1/openapi.json", gateway.admin);
    let header = format!("Authorization: {}", admin.bearer);
    let config = repository().join("tests/schemathesis/schemathesis.toml");
    let output = Command::new(&parts().schemathesis)
        .args(["--config-file", config.to_str().unwrap()])
        .args(["run", &url, "--header", &header, "--max-examples", MAX_EXAMPLES])
        .args([
            "--generation-deterministic",
            "--continue-on-failure",
            "--no-color",
            "--request-timeout",
            "30",
        ])
        // An event stream has no end that could be waited for: the tour above follows it.
        .args(["--exclude-path", "/admin/v1/requests/stream"])
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(gateway.config().parent().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let summary = |word: &str| text.lines().find(|line| line.contains(word)).unwrap_or_default().trim();
    assert!(summary("Tested:").contains(&format!("{OPERATIONS}")), "{text}");
    println!("note-for-summary: Schemathesis: {OPERATIONS} operations, {}", summary(" generated, "));
}
