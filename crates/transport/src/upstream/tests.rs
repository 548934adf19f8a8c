//! Base URLs, and what the pool does with connections: reuse, replacement, expiry.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::duplex;

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
        Box::pin(async move { Ok(Box::new(near) as crate::BoxedIo) })
    }
}

fn upstream(net: &Net) -> (Upstreams, Arc<Upstream>) {
    let upstreams = Upstreams::new(Arc::new(net.clone()));
    let config = UpstreamConfig {
        base_url: "http://engine.test:8080/v1/".into(),
        connect_timeout: Duration::from_secs(1),
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
