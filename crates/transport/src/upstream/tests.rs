//! Base URLs, and what the pool does with connections: reuse, replacement, expiry.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use hyper_util::rt::TokioIo;

use super::*;
use crate::connect::Connecting;

/// Answers `hello` on in-memory connections and closes after `per_connection` requests.
#[derive(Clone, Default)]
struct Net {
    opened: Arc<AtomicUsize>,
    per_connection: Option<usize>,
}

impl Connect for Net {
    fn connect<'a>(&'a self, _origin: &'a Origin) -> Connecting<'a> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (near, far) = duplex(64 * 1024);
        let served = AtomicUsize::new(0);
        let limit = self.per_connection;
        tokio::spawn(async move {
            let service = service_fn(|_request: Request<Incoming>| {
                let close = limit == Some(served.fetch_add(1, Ordering::SeqCst) + 1);
                async move {
                    let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
                    if close {
                        response.headers_mut().insert("connection", HeaderValue::from_static("close"));
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service).await;
        });
        Box::pin(async move { Ok(Box::new(near) as BoxedIo) })
    }
}

fn upstream(net: &Net) -> (Upstreams, Arc<Upstream>) {
    let upstreams = Upstreams::new(Arc::new(net.clone()));
    let config = UpstreamConfig {
        base_url: "http://engine.test:8080/v1/".into(),
        connect_timeout: Duration::from_secs(1),
        http2: UpstreamHttp2::Auto,
    };
    let upstream = upstreams.get(&config).unwrap();
    assert!(Arc::ptr_eq(&upstream, &upstreams.get(&config).unwrap()));
    (upstreams, upstream)
}

async fn ask(upstream: &Upstream) -> Bytes {
    let request = Request::post(upstream.target("/chat/completions").unwrap())
        .header(http::header::HOST, upstream.host())
        .body(RequestBody::from(Bytes::from_static(b"{}")))
        .unwrap();
    upstream.send(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn one_connection_serves_many_requests_in_turn() {
    let net = Net::default();
    let (_registry, upstream) = upstream(&net);
    for _ in 0..50 {
        assert_eq!(ask(&upstream).await, "hello");
    }
    assert_eq!(net.opened.load(Ordering::SeqCst), 1);
    assert_eq!(upstream.idle_connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let net = Net { per_connection: Some(2), ..Net::default() };
    let (_registry, upstream) = upstream(&net);
    for _ in 0..6 {
        assert_eq!(ask(&upstream).await, "hello");
    }
    assert_eq!(net.opened.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn sweeping_closes_idle_connections_and_forgets_unused_upstreams() {
    let net = Net::default();
    let (registry, upstream) = upstream(&net);
    ask(&upstream).await;
    registry.sweep();
    assert_eq!(upstream.idle_connections(), 1);
    tokio::time::advance(IDLE_TIMEOUT).await;
    registry.sweep();
    assert_eq!(upstream.idle_connections(), 0);
    drop(upstream);
    registry.sweep();
    assert_eq!(registry.known.lock().unwrap().len(), 0);
}

/// Never gets anywhere.
struct Stuck;

impl Connect for Stuck {
    fn connect<'a>(&'a self, _origin: &'a Origin) -> Connecting<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_have_a_limit_of_its_own_for_the_connection() {
    for http2 in [UpstreamHttp2::Never, UpstreamHttp2::PriorKnowledge] {
        let base_url = "http://engine.test/v1".to_owned();
        let config = UpstreamConfig { base_url, connect_timeout: Duration::from_secs(5), http2 };
        let upstream = Upstreams::new(Arc::new(Stuck)).get(&config).unwrap();
        let request = || Request::post("/v1/x").body(RequestBody::from(Bytes::new())).unwrap();
        let started = tokio::time::Instant::now();
        let own = upstream.send_within(request(), Duration::from_millis(30)).await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_millis(30), "{own}");
        let usual = upstream.send(request()).await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_millis(5_030), "{usual}");
        for error in [own, usual] {
            assert!(matches!(error, SendError::Connect(ConnectError::Timeout(_))), "{error}");
        }
    }
}

/// Answers every connection with these bytes, and echoes what comes behind the request's head.
struct Scripted(&'static [u8]);

impl Connect for Scripted {
    fn connect<'a>(&'a self, _origin: &'a Origin) -> Connecting<'a> {
        let (near, mut far) = duplex(1024);
        let answer = self.0;
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(far.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            assert!(
                head.contains("\r\nconnection: upgrade\r\n") && !head.contains("content-length"),
                "{head}"
            );
            far.write_all(answer).await.unwrap();
            let (mut read, mut write) = tokio::io::split(far);
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        Box::pin(async move { Ok(Box::new(near) as BoxedIo) })
    }
}

async fn switch(answer: &'static [u8]) -> Upgraded {
    let config = UpstreamConfig {
        base_url: "http://a/v1".into(),
        connect_timeout: Duration::from_secs(1),
        http2: UpstreamHttp2::Auto,
    };
    let upstream = Upstream::new(&config, Arc::new(Scripted(answer))).unwrap();
    let request = Request::get("/v1/realtime").header("connection", "upgrade").header("upgrade", "websocket");
    let answer = upstream.upgrade(request.body(RequestBody::default()).unwrap()).await.unwrap();
    assert_eq!(upstream.idle_connections(), 0);
    answer
}

#[tokio::test]
async fn a_switched_connection_is_handed_out_with_what_came_behind_the_head() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nearly ";
    let Upgraded::Switched(head, mut io) = switch(answer).await else { panic!("refused") };
    assert_eq!(head.headers()["upgrade"], "websocket");
    io.write_all(b"late").await.unwrap();
    let mut all = [0; 10];
    io.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"early late");
}

#[tokio::test]
async fn a_refusal_to_switch_is_an_answer_like_others() {
    let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone";
    let Upgraded::Refused(response) = switch(answer).await else { panic!("switched") };
    assert_eq!(response.status(), 404);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "none");
}

#[tokio::test]
async fn a_connection_that_switches_unasked_is_never_used_again() {
    let config = UpstreamConfig {
        base_url: "http://a/v1".into(),
        connect_timeout: Duration::from_secs(1),
        http2: UpstreamHttp2::Auto,
    };
    let answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    let upstream = Upstream::new(&config, Arc::new(Scripted(answer))).unwrap();
    let request = Request::get("/").header("connection", "upgrade").body(RequestBody::default()).unwrap();
    let response = upstream.send(request).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(upstream.idle_connections(), 0);
}

#[test]
fn base_urls() {
    let good = |text: &str| parse_base_url(text).map(|(origin, path)| format!("{origin} {path}"));
    assert_eq!(good("https://api.openai.com/v1").unwrap(), "https://api.openai.com /v1");
    assert_eq!(good("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080 ");
    assert_eq!(good("http://[::1]:1234/v1/").unwrap(), "http://[::1]:1234 /v1");
    for bad in ["", "/v1", "ftp://host/v1", "http://", "http://user:pass@host/v1", "http://host/v1?x=1"] {
        assert!(parse_base_url(bad).is_err(), "{bad}");
    }
}
