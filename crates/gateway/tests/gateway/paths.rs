//! Wrong paths and methods, the page at `/`, health.

use http::Method;

use crate::harness::*;

#[tokio::test(start_paused = true)]
async fn wrong_paths_are_told_the_right_url() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    for (wrong, right) in [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/api/v1/embeddings", "/v1/embeddings"),
        ("/v1/v1/models", "/v1/models"),
        ("/completions", "/v1/completions"),
    ] {
        for request in [post(wrong, "{}"), get(wrong)] {
            let reply = world.send(request).await;
            reply.assert_error(404, "unknown_path", None);
            let message = reply.message();
            assert!(message.contains(&format!("http://{HOST}{right}: ")), "{message}");
            assert!(message.contains(&format!("http://{HOST}/v1")), "{message}");
        }
    }
    for wrong in ["/v1", "/v1/", "/v1/images", "/favicon.ico", "/v1/models/", "//"] {
        let reply = world.send(get(wrong)).await;
        assert_eq!((reply.status, reply.error()["code"].as_str()), (404, Some("unknown_path")), "{wrong}");
    }
    // Who reads the error, the place of the key says where the path does not.
    let reply = world.send(with(get("/v2/any"), "x-api-key", "any")).await;
    assert_eq!((reply.status, &reply.json()["type"]), (404, &serde_json::json!("error")));
    let reply = world.send(with(get("/v2/any"), "x-goog-api-key", "any")).await;
    assert_eq!(reply.json()["error"]["status"], "NOT_FOUND");
    let long = format!("/{}", "x".repeat(5_000));
    assert!(world.send(get(&long)).await.message().len() < 600);
    assert_eq!(alpha.connections().accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_query_changes_nothing() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    let mut request = chat("alpha/m");
    *request.uri_mut() = "/v1/chat/completions?api-version=1".parse().unwrap();
    assert_eq!(world.send(request).await.status, 200);
    assert_eq!(alpha.received()[0].target, "/v1/chat/completions");
    assert_eq!(world.send(get("/v1/models?limit=3")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn wrong_methods_are_told_the_right_one() {
    let world = start(TWO);
    for (path, wrong, allow) in [
        ("/v1/chat/completions", Method::GET, "POST"),
        ("/v1/chat/completions", Method::PUT, "POST"),
        ("/v1/embeddings", Method::DELETE, "POST"),
        ("/v1/models", Method::POST, "GET, HEAD"),
        ("/v1/models/alpha/m", Method::DELETE, "GET, HEAD"),
        ("/", Method::POST, "GET, HEAD"),
    ] {
        let mut request = get(path);
        *request.method_mut() = wrong.clone();
        let reply = world.send(request).await;
        reply.assert_error(405, "method_not_allowed", None);
        assert_eq!(reply.header("allow"), Some(allow), "{wrong} {path}");
    }
}

#[tokio::test(start_paused = true)]
async fn heads_are_answered_without_bodies() {
    let world = start(TWO);
    for path in ["/", "/v1/models", "/v1/models/alpha/m", "/livez"] {
        let full = world.send(get(path)).await;
        let mut client = world.client().await;
        // On one connection, so that a body that should not be there would break the second answer.
        for _ in 0..2 {
            let mut request = get(path);
            *request.method_mut() = Method::HEAD;
            let head = client.send(request).await;
            assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
            assert_eq!(head.header("content-length"), Some(full.body.len().to_string().as_str()), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_shows_how_to_connect_and_cannot_be_written_into() {
    let world = start(TWO);
    let reply = world.send(get("/")).await;
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let page = String::from_utf8(reply.body.to_vec()).unwrap();
    for part in [
        format!("OPENAI_BASE_URL=http://{HOST}/v1"),
        "OPENAI_API_KEY=anything".into(),
        format!("base_url=\"http://{HOST}/v1\""),
        "new OpenAI(".into(),
        "alpha".into(),
        "beta".into(),
    ] {
        assert!(page.contains(&part), "{part}: {page}");
    }
    assert!(!page.contains("secret") && !page.contains("<script"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");

    // With keys any host is served, and whatever it holds stays text.
    let keyed = start(&format!(
        "{TWO}keys: [{{ id: k, sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae }}]\n"
    ));
    let hostile = "GET / HTTP/1.1\r\nhost: \"><script>alert(1)</script>&'\r\nconnection: close\r\n\r\n";
    let page = keyed.exchange(hostile).await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;"));
    assert!(!page.contains("alpha") && page.contains("YOUR_KEY"), "strangers learn no names: {page}");
}

#[tokio::test(start_paused = true)]
async fn the_snippets_never_name_a_model_that_costs() {
    let world = Setup::new(PRICED).env("OPENAI_API_KEY", "k").start();
    let page = String::from_utf8(world.send(get("/")).await.body.to_vec()).unwrap();
    assert!(page.contains("model=\"sim/hello\"") && !page.contains("model=\"openai/"), "{page}");
    let local = "  alpha: { base_url: 'http://alpha.test/v1', models: [mine], local: true }\n";
    let world = Setup::new(&format!("{PRICED}{local}")).env("OPENAI_API_KEY", "k").start();
    let page = String::from_utf8(world.send(get("/")).await.body.to_vec()).unwrap();
    assert!(page.contains("model=\"alpha/mine\""), "{page}");
}

#[tokio::test(start_paused = true)]
async fn health_is_open_to_everybody() {
    let world = start(TWO);
    for path in ["/livez", "/readyz"] {
        let mut request = get(path);
        request.headers_mut().insert("host", "10.0.0.7:4180".parse().unwrap());
        let reply = world.send(request).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &b"ok\n"[..]), "{path}");
    }
}
