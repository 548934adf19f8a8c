//! Who is served: without keys this machine's own programs, with keys whoever has one.

use std::sync::{Arc, Mutex};

use pointsman_testkit::mock::{Answer, Cut};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::*;

/// `TWO` with two keys: one for everything, one for `alpha/m` and the route.
fn keyed() -> World {
    let hash =
        |key: &str| -> String { Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect() };
    let (all, some) = (hash("pm-all"), hash("pm-some"));
    start(&format!(
        "{TWO}keys:\n  - {{ id: all, sha256: {all}, team: core, user: ann }}\n  \
         - {{ id: some, sha256: {some}, models: [alpha/m, both] }}\n"
    ))
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[tokio::test(start_paused = true)]
async fn without_keys_only_loopback_names_are_served() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    for path in ["/v1/chat/completions", "/v1/models", "/v1/models/alpha/m", "/"] {
        for (host, served) in [
            ("127.0.0.1:4180", true),
            ("localhost:9", true),
            ("[::1]:4180", true),
            ("evil.example:4180", false),
            ("127.0.0.1.nip.io", false),
            ("192.168.0.7:4180", false),
        ] {
            let mut request = if path.ends_with("completions") { chat("alpha/m") } else { get(path) };
            request.headers_mut().insert("host", host.parse().unwrap());
            let reply = world.send(request).await;
            if served {
                assert_eq!(reply.status, 200, "{path} {host}");
            } else {
                reply.assert_error(403, "forbidden_origin", None);
            }
        }
    }
    assert_eq!(alpha.received().len(), 3);
    assert!(world.has_metric("pointsman_requests_refused_total{code=\"forbidden_origin\"} 9"));
    // HTTP/1.0 may leave the host out; nobody knows then whom it means.
    let answer = world.exchange("GET /v1/models HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 403"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn foreign_origins_are_refused_and_no_page_may_read_anything() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    for (origin, served) in [
        ("http://localhost:3000", true),
        ("https://evil.example", false),
        ("null", false),
        ("http://127.0.0.1.evil.example", false),
    ] {
        for request in [chat("alpha/m"), streamed("alpha/m"), get("/v1/models"), get("/"), get("/nowhere")] {
            let path = request.uri().path().to_owned();
            let reply = world.send(with(request, "origin", origin)).await;
            if served && path != "/nowhere" {
                assert_eq!(reply.status, 200, "{origin} {path}");
            } else if path != "/nowhere" {
                reply.assert_error(403, "forbidden_origin", None);
            }
            let cors = reply.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(cors, None, "{origin} {path}");
        }
    }
    assert_eq!(alpha.received().len(), 2);
    let mut preflight = with(chat("alpha/m"), "access-control-request-method", "POST");
    *preflight.method_mut() = http::Method::OPTIONS;
    let reply = world.send(with(preflight, "origin", "http://localhost:3000")).await;
    reply.assert_error(405, "method_not_allowed", None);
    assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test(start_paused = true)]
async fn without_keys_any_credential_is_ignored() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    for value in ["Bearer anything", "Bearer sk-proj-1234", "Basic eDp5", "nonsense"] {
        assert_eq!(world.send(with(chat("alpha/m"), "authorization", value)).await.status, 200, "{value}");
    }
    assert!(alpha.received().iter().all(|sent| sent.header_all("authorization") == ["Bearer alpha-secret"]));
    assert!(world.records(4).await.iter().all(|record| record.principal.key.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_vendors_key_is_mentioned_once_and_no_secret_is_ever_printed() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::TRACE);
    let _printing = tracing::subscriber::set_default(
        subscriber
            .with_writer({
                let log = log.clone();
                move || log.clone()
            })
            .finish(),
    );
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([
        Answer::error(401, "wrong key alpha-secret"),
        Answer::nothing(Cut::Reset),
        Answer::error(500, "x"),
    ]);
    for key in ["harmless", "sk-proj-1234", "gsk_5678"] {
        world.send(with(chat("both"), "authorization", &bearer(key))).await;
        world.send(with(streamed("both"), "x-api-key", key)).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("looks like a vendor's key").count(), 1, "{log}");
    assert!(log.contains("attempt failed"), "the log was on: {log}");
    for secret in ["harmless", "sk-proj", "gsk_", "alpha-secret", "beta-secret", "hello"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_asked_for_before_the_body() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    for auth in ["", "authorization: Bearer wrong\r\n", "authorization: Basic pm-all\r\n", "x-api-key: \r\n"]
    {
        let mut io = world.raw().await;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: any.example\r\n{auth}content-length: 5000000\r\n\r\n"
        );
        io.write_all(head.as_bytes()).await.unwrap();
        // Not a byte of the body, and yet there is an answer; then the connection ends.
        let mut answer = String::new();
        io.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{auth}: {answer}");
        assert!(answer.contains("\"invalid_api_key\"") && answer.contains("authentication_error"));
        assert!(answer.to_ascii_lowercase().contains("www-authenticate: bearer"));
        assert!(!answer.contains("wrong"), "keys are not repeated");
    }
    assert_eq!(alpha.connections().accepted, 0);
    assert!(world.has_metric("pointsman_requests_refused_total{code=\"invalid_api_key\"} 4"));
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_key_is_found_where_clients_put_it() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    for (name, value) in [
        ("authorization", "Bearer pm-all"),
        ("authorization", "bearer pm-all"),
        ("x-api-key", "pm-all"),
        ("api-key", "pm-all"),
    ] {
        // With keys, any host and origin may call: browsers still get no CORS headers.
        let mut request = with(with(chat("alpha/m"), name, value), "origin", "https://app.example");
        request.headers_mut().insert("host", "gateway.example".parse().unwrap());
        let reply = world.send(request).await;
        assert_eq!(reply.status, 200, "{name}");
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    }
    for sent in alpha.received() {
        assert_eq!(sent.header_all("authorization"), ["Bearer alpha-secret"]);
        assert!(sent.headers.iter().all(|(_, value)| !value.contains("pm-all")));
    }
    let record = &world.records(4).await[0];
    assert_eq!(record.principal.key.as_deref(), Some("all"));
    assert_eq!(
        (record.principal.team.as_deref(), record.principal.user.as_deref()),
        (Some("core"), Some("ann"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_names_its_models_only() {
    let world = keyed();
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    for (model, allowed) in [("alpha/m", true), ("both", true), ("beta/m", false), ("sim/x", false)] {
        let reply = world.send(with(chat(model), "authorization", &bearer("pm-some"))).await;
        if allowed {
            assert_eq!(reply.status, 200, "{model}");
        } else {
            reply.assert_error(403, "model_not_allowed", Some("model"));
            assert!(reply.message().contains(model));
        }
    }
    assert_eq!((alpha.received().len(), beta.received().len()), (2, 0));
    let records = world.records(4).await;
    assert_eq!(records[2].principal.key.as_deref(), Some("some"));
    assert_eq!((records[2].status, records[2].attempts.len()), (403, 0));
    assert_eq!(world.send(with(chat("beta/m"), "authorization", &bearer("pm-all"))).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_restricted_key_is_offered_only_what_it_may_use() {
    let world = keyed();
    for (key, all) in [("pm-all", true), ("pm-some", false)] {
        for request in [chat("beta/mm"), get("/v1/models/beta%2Fmm")] {
            let reply = world.send(with(request, "authorization", &bearer(key))).await;
            reply.assert_error(404, "model_not_found", Some("model"));
            let message = reply.message();
            assert_eq!(message.contains("`beta/m`"), all, "{key}: {message}");
            assert!(message.contains("`alpha/m`"), "{key}: {message}");
        }
        // Two providers have it; the key may use one of them.
        let reply = world.send(with(chat("m"), "authorization", &bearer(key))).await;
        let message = reply.message();
        assert_eq!(message.contains("`beta/m`"), all, "{key}: {message}");
        assert!(message.contains("`alpha/m`"), "{key}: {message}");
        let reply = world.send(with(chat("gpt-4o"), "authorization", &bearer(key))).await;
        assert_eq!(reply.message().contains("OPENAI_API_KEY"), all, "{key}: {}", reply.message());
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_of_models_is_the_callers_own() {
    let world = keyed();
    let ids = |reply: &Reply| -> Vec<String> {
        let list = reply.json();
        assert_eq!(list["object"], "list");
        let data = list["data"].as_array().unwrap();
        data.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
    };
    let list = |key: &str| with(get("/v1/models"), "authorization", &bearer(key));
    assert_eq!(ids(&world.send(list("pm-all")).await), ["both", "alpha/m", "beta/m"]);
    assert_eq!(ids(&world.send(list("pm-some")).await), ["both", "alpha/m"]);
    world.send(get("/v1/models")).await.assert_error(401, "invalid_api_key", None);

    let one = |key: &str, id: &str| with(get(&format!("/v1/models/{id}")), "authorization", &bearer(key));
    for id in ["alpha/m", "alpha%2Fm"] {
        let reply = world.send(one("pm-some", id)).await;
        assert_eq!((reply.status, reply.json()["id"].as_str()), (200, Some("alpha/m")), "{id}");
        assert_eq!(reply.json()["owned_by"], "alpha");
        assert_eq!(reply.json()["object"], "model");
    }
    world.send(one("pm-some", "beta/m")).await.assert_error(403, "model_not_allowed", Some("model"));
    world.send(one("pm-all", "beta/nothing")).await.assert_error(404, "model_not_found", Some("model"));
    world.send(get("/v1/models/alpha/m")).await.assert_error(401, "invalid_api_key", None);
}

#[tokio::test(start_paused = true)]
async fn a_model_is_shown_by_every_name_that_a_request_may_use() {
    let yaml = "providers:\n  alpha: { base_url: 'http://alpha.test/v1', models: [only-here] }\n";
    let hash: String = Sha256::digest("pm-k").iter().map(|byte| format!("{byte:02x}")).collect();
    let world = start(&format!("{yaml}keys: [{{ id: k, sha256: {hash}, models: [alpha/only-here] }}]\n"));
    world.upstream("alpha");
    for name in ["alpha/only-here", "only-here"] {
        let chat = world.send(with(chat(name), "authorization", "Bearer pm-k")).await;
        let model =
            world.send(with(get(&format!("/v1/models/{name}")), "authorization", "Bearer pm-k")).await;
        assert_eq!((chat.status, model.status), (200, 200), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn models_are_shown_with_prices_in_the_words_of_openrouters_list() {
    let world = start(
        "providers:
  alpha: { vendor: openai, base_url: 'http://alpha.test/v1', keys: { env: ALPHA_KEY }, models: [gpt-4o-mini, my-own] }
  beta: { base_url: 'http://beta.test/v1', local: true, models: [m] }
routes: { fast: alpha/gpt-4o-mini }
",
    );
    let list = world.send(get("/v1/models")).await.json();
    let entry = |id: &str| list["data"].as_array().unwrap().iter().find(|e| e["id"] == id).unwrap().clone();
    let mini = entry("alpha/gpt-4o-mini");
    // $0.15, $0.075 and $0.60 for a million tokens.
    let pricing =
        json!({ "prompt": "0.00000015", "completion": "0.0000006", "input_cache_read": "0.000000075" });
    assert_eq!(mini["pricing"], pricing);
    assert_eq!(mini["context_length"], 128_000);
    assert_eq!(mini["top_provider"]["max_completion_tokens"], 16_384);
    assert_eq!(mini["architecture"]["input_modalities"], json!(["text", "image", "file"]));
    // Nobody knows what it costs, which is not nothing; what runs here costs nothing; a route costs what its models do.
    assert_eq!(entry("alpha/my-own").get("pricing"), None);
    assert_eq!(entry("beta/m")["pricing"], json!({ "prompt": "0", "completion": "0" }));
    assert_eq!(entry("fast").get("pricing"), None);
    let one = world.send(get("/v1/models/gpt-4o-mini")).await.json();
    assert_eq!((&one["id"], &one["pricing"]), (&json!("gpt-4o-mini"), &pricing));
}
