//! Own authorities against a TLS server on a socket, and a tiny CONNECT proxy in memory.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::TcpListener;

use super::*;
use crate::connect::{ConnectError, Origin};
use crate::fetch::{Fetch, FetchError};
use crate::guard::{Dialing, Network, Resolving};
use crate::pool::UpstreamBody;
use crate::serve::{Drain, Edge, Http2, ServeOptions, serve_edge};
use crate::tls::pem;
use crate::tls::server::{ServerFiles, ServerIdentity, ServerTls};
use crate::tls::testing::Authority;
use crate::upstream::{SendError, Upstream, UpstreamConfig, UpstreamHttp2};

/// A server that answers `hello`, with this identity, on a free port.
async fn server(files: &ServerFiles) -> SocketAddr {
    server_speaking(files, true).await
}

/// The same, with or without HTTP/2.
async fn server_speaking(files: &ServerFiles, http2: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let identity = ServerIdentity::load(files, http2).unwrap();
    let edge = Edge { tls: Some(ServerTls::new(&identity)), http2: Http2::Tls };
    let options = ServeOptions {
        connections: Arc::new(tokio::sync::Semaphore::new(8)),
        header_timeout: Duration::from_secs(30),
        max_head_bytes: 16 * 1024,
        max_headers: 50,
    };
    let hello = |_| {
        service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
        })
    };
    tokio::spawn(serve_edge(listener, hello, options, edge, Drain::default()));
    address
}

fn trusting(path: &Path) -> Egress {
    Egress { trust: Trust::Only(pem::certificates(path).unwrap()), ..Egress::default() }
}

async fn ask(egresses: &Egresses, egress: &Egress, base_url: String) -> Result<Bytes, FetchError> {
    let config =
        UpstreamConfig { base_url, connect_timeout: Duration::from_secs(5), http2: UpstreamHttp2::Auto };
    let upstream = egresses.get(egress).unwrap().get(&config).unwrap();
    let fetch = Fetch {
        method: Method::GET,
        path: "/models",
        headers: &HeaderMap::new(),
        body: Bytes::new(),
        limit: Duration::from_secs(5),
        max_bytes: 1024,
    };
    fetch.run(&upstream).await.map(|(_, body)| body)
}

fn tls_error(result: Result<Bytes, FetchError>) -> String {
    match result {
        Err(FetchError::Send(SendError::Connect(ConnectError::Tls(error)))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_own_authority_vouches_for_its_servers_only() {
    let (mine, other) = (Authority::new(), Authority::new());
    let egresses = Egresses::default();
    let address = server(&mine.sign("good", "127.0.0.1", 2090)).await;
    let url = format!("https://{address}/v1");
    assert_eq!(ask(&egresses, &trusting(&mine.file()), url.clone()).await.unwrap(), "hello");
    let system = tls_error(ask(&egresses, &Egress::default(), url.clone()).await);
    assert!(system.contains("UnknownIssuer"), "{system}");
    let added = Trust::SystemAnd(pem::certificates(&mine.file()).unwrap());
    let added = Egress { trust: added, ..Egress::default() };
    assert_eq!(ask(&egresses, &added, url.clone()).await.unwrap(), "hello");
    let wrong = tls_error(ask(&egresses, &trusting(&other.file()), url).await);
    assert!(wrong.contains("UnknownIssuer") || wrong.contains("BadSignature"), "{wrong}");
}

#[tokio::test]
async fn the_server_chooses_the_protocol_unless_one_is_told() {
    let authority = Authority::new();
    let egresses = Egresses::default();
    let files = authority.sign("good", "127.0.0.1", 2090);
    let (new, old) = (server_speaking(&files, true).await, server_speaking(&files, false).await);
    for (address, http2, version) in [
        (new, UpstreamHttp2::Auto, Version::HTTP_2),
        (new, UpstreamHttp2::Never, Version::HTTP_11),
        (old, UpstreamHttp2::Auto, Version::HTTP_11),
    ] {
        let base_url = format!("https://{address}/v1");
        let config = UpstreamConfig { base_url, connect_timeout: Duration::from_secs(5), http2 };
        let upstream = egresses.get(&trusting(&authority.file())).unwrap().get(&config).unwrap();
        for _ in 0..3 {
            let response = send(&upstream).await;
            assert_eq!(response.version(), version, "{address} {http2:?}");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
        }
        assert_eq!(upstream.idle_connections(), 1);
    }
    egresses.close().await;
}

async fn send(upstream: &Upstream) -> Response<UpstreamBody> {
    let request = Request::post(upstream.target("/x").unwrap()).header("host", upstream.host());
    upstream.send(request.body(Bytes::from_static(b"{}").into()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn certificates_that_do_not_match_are_refused() {
    let authority = Authority::new();
    let egresses = Egresses::default();
    let trust = trusting(&authority.file());
    let elsewhere = server(&authority.sign("name", "elsewhere.test", 2090)).await;
    let error = tls_error(ask(&egresses, &trust, format!("https://{elsewhere}")).await);
    assert!(error.contains("not valid for name"), "{error}");
    let old = server(&authority.sign("old", "127.0.0.1", 2021)).await;
    let error = tls_error(ask(&egresses, &trust, format!("https://{old}")).await);
    assert!(error.contains("expired"), "{error}");
}

#[tokio::test]
async fn ways_are_kept_while_they_are_used() {
    let authority = Authority::new();
    let egresses = Egresses::default();
    let trust = trusting(&authority.file());
    let config = UpstreamConfig {
        base_url: "https://a.test".into(),
        connect_timeout: Duration::from_secs(1),
        http2: UpstreamHttp2::Auto,
    };
    let upstream = egresses.get(&trust).unwrap().get(&config).unwrap();
    assert!(Arc::ptr_eq(&egresses.get(&trust).unwrap(), &egresses.get(&trust.clone()).unwrap()));
    assert!(!Arc::ptr_eq(&egresses.get(&trust).unwrap(), &egresses.get(&Egress::default()).unwrap()));
    egresses.sweep();
    assert_eq!(egresses.0.lock().unwrap().len(), 1, "nobody used the default way");
    drop(upstream);
    egresses.sweep();
    assert_eq!(egresses.0.lock().unwrap().len(), 0);
}

/// A network in which there is only a proxy; it notes what it was asked, and leads to `target`.
struct ProxyNet {
    target: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    answer: &'static str,
}

impl Network for ProxyNet {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        let known = host == "proxy.test";
        Box::pin(async move {
            if known {
                Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))])
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        })
    }

    fn dial(&self, address: SocketAddr) -> Dialing<'_> {
        assert_eq!(address, "10.0.0.1:3128".parse().unwrap());
        let (near, mut far) = duplex(64 * 1024);
        let (target, heads, answer) = (self.target, self.heads.clone(), self.answer);
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(far.read_u8().await.unwrap());
            }
            heads.lock().unwrap().push(String::from_utf8(head).unwrap());
            far.write_all(answer.as_bytes()).await.unwrap();
            if answer.contains(" 200 ") {
                let mut upstream = tokio::net::TcpStream::connect(target).await.unwrap();
                let _ = copy_bidirectional(&mut far, &mut upstream).await;
            }
        });
        Box::pin(async move { Ok(Box::new(near) as crate::BoxedIo) })
    }
}

/// Connects to `upstream.test` through a proxy that answers so.
async fn through(answer: &'static str) -> (Result<(), String>, Vec<String>) {
    let authority = Authority::new();
    let target = server(&authority.sign("behind", "upstream.test", 2090)).await;
    let heads = Arc::new(Mutex::new(Vec::new()));
    let proxy = Proxy::parse("http://user:p%40ss@proxy.test:3128").unwrap();
    let connector = TcpConnect::new(authority.client(None, &[b"http/1.1"]))
        .with_network(Arc::new(ProxyNet { target, heads: heads.clone(), answer }))
        .with_proxies(Arc::new(Proxies::all(proxy)));
    let origin = Origin { tls: true, host: "upstream.test".into(), port: 443 };
    let result = async {
        let mut io = connector.connect(&origin).await.map_err(|error| error.to_string())?;
        io.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        io.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("hello"), "{text}");
        Ok(())
    };
    let result = result.await;
    let heads = heads.lock().unwrap().clone();
    (result, heads)
}

#[tokio::test]
async fn a_tunnel_leads_through_the_proxy_and_tls_ends_at_the_server() {
    let (result, heads) = through("HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n").await;
    result.unwrap();
    let expected = "CONNECT upstream.test:443 HTTP/1.1\r\nHost: upstream.test:443\r\n\
                    Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n";
    assert_eq!(heads, [expected]);
}

#[tokio::test]
async fn http2_goes_through_one_tunnel() {
    let authority = Authority::new();
    let target = server(&authority.sign("behind", "upstream.test", 2090)).await;
    let heads = Arc::new(Mutex::new(Vec::new()));
    let answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    let connector = TcpConnect::new(authority.client(None, &[b"http/1.1"]))
        .with_network(Arc::new(ProxyNet { target, heads: heads.clone(), answer }))
        .with_proxies(Arc::new(Proxies::all(Proxy::parse("proxy.test:3128").unwrap())));
    let config = UpstreamConfig {
        base_url: "https://upstream.test".into(),
        connect_timeout: Duration::from_secs(5),
        http2: UpstreamHttp2::Auto,
    };
    let upstream = Upstreams::new(Arc::new(connector)).get(&config).unwrap();
    let (one, two) = tokio::join!(send(&upstream), send(&upstream));
    assert_eq!((one.version(), two.version()), (Version::HTTP_2, Version::HTTP_2));
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    for (answer, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants other credentials (407)"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "refused a tunnel to upstream.test:443: status 403"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "its answer is not HTTP"),
        ("HTTP/1.1 200", "it hung up"),
    ] {
        let error = through(answer).await.0.unwrap_err();
        assert!(error.contains(expected) && error.contains("Proxy(proxy.test:3128)"), "{error}");
        assert!(!error.contains("ss@") && !error.contains("dXNl"), "{error}");
    }
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 403 No\r\nx: {}\r\n\r\n", "y".repeat(9000)).into_boxed_str());
    assert!(through(long).await.0.unwrap_err().contains("too long"));
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_metadata() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let network = ProxyNet { target: "127.0.0.1:1".parse().unwrap(), heads: heads.clone(), answer: "" };
    let proxies = Arc::new(Proxies::all(Proxy::parse("proxy.test:3128").unwrap()));
    let connector =
        TcpConnect::new(tls::client_config().unwrap()).with_network(Arc::new(network)).with_proxies(proxies);
    let mut origin = Origin { tls: false, host: "169.254.169.254".into(), port: 80 };
    assert!(matches!(connector.connect(&origin).await, Err(ConnectError::Io(_))));
    origin.tls = true;
    assert!(matches!(connector.negotiate(&origin).await, Err(ConnectError::Io(_))));
    assert!(heads.lock().unwrap().is_empty());
}

fn origin(url: &str) -> Origin {
    Origin::of(&url.parse().unwrap()).unwrap()
}

#[test]
fn proxies_are_chosen_as_other_programs_choose_them() {
    let variables = [
        ("https_proxy", "http://secure:1"),
        ("HTTPS_PROXY", "http://ignored:1"),
        ("HTTP_PROXY", "plain:2"),
        ("NO_PROXY", "*.internal, .corp.test,exact.test:8443, 10.0.0.0/8 ,[2001:db8::]/32, 192.0.2.7,"),
    ];
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let proxies = Proxies::from_env(get).unwrap();
    let chosen = |url: &str| proxies.of(&origin(url)).map(|proxy| proxy.host().to_string());
    for (url, expected) in [
        ("https://api.openai.com", Some("secure")),
        ("http://api.openai.com", Some("plain")),
        ("https://a.internal", None),
        ("https://internal", None),
        ("https://notinternal", Some("secure")),
        ("https://X.CORP.test", None),
        ("https://exact.test:8443", None),
        ("https://exact.test", Some("secure")),
        ("http://10.255.0.1:8000", None),
        ("http://11.0.0.1:8000", Some("plain")),
        ("http://[2001:db8::9]:8000", None),
        ("http://192.0.2.7", None),
        ("http://192.0.2.8", Some("plain")),
        ("http://127.0.0.1:11434", None),
        ("http://localhost:11434", None),
        ("http://[::1]:11434", None),
        ("http://[::ffff:127.0.0.1]:11434", None),
    ] {
        assert_eq!(chosen(url).as_deref(), expected, "{url}");
    }
    assert_eq!(Proxies::from_env(|_| None).unwrap(), Proxies::default());
    assert_eq!(Proxies::from_env(|name| (name == "HTTP_PROXY").then_some("socks5://x:1")), Err("HTTP_PROXY"));
    let off = Proxies::from_env(|name| if name == "https_proxy" { Some("") } else { get(name) }).unwrap();
    assert_eq!(off.https, None, "an empty one in lower case turns it off");
    let all = Proxies::from_env(|name| if name == "no_proxy" { Some("*") } else { get(name) }).unwrap();
    assert!(all.of(&origin("https://api.openai.com")).is_none());
}

#[test]
fn proxy_urls() {
    let proxy = Proxy::parse(" http://proxy.test:3128/ ").unwrap();
    assert_eq!((&**proxy.host(), proxy.port()), ("proxy.test", 3128));
    assert_eq!(Proxy::parse("http://proxy.test").unwrap().port(), 80);
    assert_eq!(Proxy::parse("[::1]:3128").unwrap().port(), 3128);
    for bad in
        ["", "https://proxy.test", "socks5://proxy.test", "http://proxy.test/path", "http://p/?q", "a b"]
    {
        assert_eq!(Proxy::parse(bad), Err(ProxyError), "{bad}");
    }
}
