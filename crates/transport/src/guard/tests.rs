//! Addresses by class; names that lie, change or redirect.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::connect::{Connect, ConnectError, Origin, TcpConnect};
use crate::egress::{NoProxy, Proxies, Proxy};
use crate::tls;

fn verdict(reach: Reach, text: &str) -> bool {
    reach.check(text.parse().unwrap()).is_ok()
}

#[test]
fn metadata_and_link_local_are_refused_whoever_asks() {
    for text in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.0",
        "169.254.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fe80::1",
        "febf:ffff::1",
        "fe80::a9fe:a9fe",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:42::42",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2001:0:1234:5678:0:0:5601:5601",
        "2001:470:1::5efe:169.254.169.254",
        "2001:470:1:0:200:5efe:a9fe:a9fe",
        "::ffff:100.100.100.200",
    ] {
        assert!(!verdict(Reach::Configured, text), "{text}");
        assert!(!verdict(Reach::Public, text), "{text}");
    }
}

#[test]
fn users_reach_public_addresses_only() {
    for text in [
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.9",
        "198.18.0.1",
        "198.19.255.255",
        "192.88.99.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fdff::1",
        "2001:db8::1",
        "2001::1",
        "2001:1ff::1",
        "3fff::1",
        "ff02::1",
        "100::1",
        "fec0::1",
        "64:ff9b:1::1",
        "5f00::1",
        "4000::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "64:ff9b::192.168.0.1",
        "2002:7f00:1::1",
        "2002:c0a8:101::",
    ] {
        assert!(!verdict(Reach::Public, text), "{text}");
        assert!(verdict(Reach::Configured, text), "an operator may: {text}");
    }
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "192.0.1.1",
        "169.253.255.255",
        "169.255.0.0",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "2a00:1450::1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "::ffff:8.8.8.8",
    ] {
        assert!(verdict(Reach::Public, text), "{text}");
    }
}

/// Names with the answers that a resolver gives one after the other, and what was dialled.
#[derive(Default)]
struct Fake {
    names: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    dialled: Mutex<Vec<SocketAddr>>,
    /// What the proxy at [`PROXY`] was asked for.
    tunnels: Arc<Mutex<Vec<String>>>,
}

/// A proxy in the operator's own network.
const PROXY: &str = "10.9.9.9:3128";

impl Fake {
    fn new(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        let names = names
            .iter()
            .map(|(name, answers)| ((*name).to_owned(), answers.iter().rev().map(parse).collect()));
        Arc::new(Self { names: Mutex::new(names.collect()), ..Self::default() })
    }

    fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Network for Fake {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        let found =
            match host.parse() {
                Ok(address) => Some(vec![address]),
                Err(_) => self.names.lock().unwrap().get_mut(host).map(|answers| {
                    if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
                }),
            };
        Box::pin(async move {
            let found = found.ok_or(io::ErrorKind::NotFound)?;
            Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
        })
    }

    fn dial(&self, address: SocketAddr) -> Dialing<'_> {
        self.dialled.lock().unwrap().push(address);
        let (near, mut far) = duplex(64 * 1024);
        let tunnels = (address.to_string() == PROXY).then(|| self.tunnels.clone());
        tokio::spawn(async move {
            if let Some(tunnels) = tunnels {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(far.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
                tunnels.lock().unwrap().push(target);
                far.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            }
            let service = service_fn(redirecting);
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service).await;
        });
        Box::pin(async move { Ok(Box::new(near) as crate::BoxedIo) })
    }
}

/// `/to?URL` redirects there, `/long` answers 1 MB, anything else its own path.
async fn redirecting(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert!(request.headers().keys().all(|name| matches!(name.as_str(), "host" | "connection")));
    let answer = Response::builder();
    let answer = match (request.uri().path(), request.uri().query()) {
        ("/to", Some(target)) => answer.status(302).header("location", target).body(Full::default()),
        ("/nowhere", _) => answer.status(307).body(Full::default()),
        ("/long", _) => answer.body(Full::new(Bytes::from(vec![b'x'; 1_000_000]))),
        (path, _) => answer.body(Full::new(Bytes::from(path.to_owned()))),
    };
    Ok(answer.unwrap())
}

const LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: 64 * 1024, redirects: 3 };

fn fetcher(network: &Arc<Fake>) -> Fetcher {
    Fetcher::new(tls::client_config().unwrap(), network.clone())
}

async fn fetch(network: &Arc<Fake>, url: &str) -> Result<String, String> {
    let fetched = fetcher(network).get(url, LIMITS).await.map_err(|error| error.to_string())?;
    Ok(format!("{} {}", fetched.url, String::from_utf8_lossy(&fetched.body)))
}

fn world() -> Arc<Fake> {
    Fake::new(&[
        ("good.test", &[&["93.184.216.34"]]),
        ("other.test", &[&["2606:4700::1"]]),
        ("inside.test", &[&["10.0.0.8"]]),
        ("meta.test", &[&["169.254.169.254"]]),
        ("mixed.test", &[&["127.0.0.1", "::1", "93.184.216.34"]]),
        ("turns.test", &[&["93.184.216.34"], &["169.254.169.254"]]),
    ])
}

#[tokio::test]
async fn public_urls_are_fetched() {
    let network = world();
    assert_eq!(fetch(&network, "http://good.test/a").await.unwrap(), "http://good.test/a /a");
    assert_eq!(fetch(&network, "http://[2606:4700::2]:81/").await.unwrap(), "http://[2606:4700::2]:81/ /");
    assert_eq!(network.dialled(), ["93.184.216.34:80", "[2606:4700::2]:81"]);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_never_dialled() {
    let network = world();
    for (url, why) in [
        ("http://inside.test/", "10.0.0.8 is not called: it is private"),
        (
            "http://meta.test/latest",
            "169.254.169.254 is not called: it is link-local, where metadata services are",
        ),
        ("http://127.0.0.1:4181/", "127.0.0.1 is not called: it is this machine"),
        ("http://[::1]/", "::1 is not called: it is this machine"),
        ("http://[::ffff:169.254.169.254]/", "is not called: it is link-local"),
        ("https://[fd00:ec2::254]/", "it is a cloud's metadata service"),
        ("http://unknown.test/", "the name unknown.test has no address"),
    ] {
        let error = fetch(&network, url).await.unwrap_err();
        assert!(error.contains(why), "{url}: {error}");
    }
    assert_eq!(network.dialled(), Vec::<String>::new());
    // Of a name with several addresses, only the public one.
    assert!(fetch(&network, "http://mixed.test/x").await.is_ok());
    assert_eq!(network.dialled(), ["93.184.216.34:80"]);
}

#[tokio::test]
async fn a_proxy_is_asked_for_checked_addresses_only() {
    let network = world();
    let proxies = Arc::new(Proxies {
        except: NoProxy::parse("other.test"),
        ..Proxies::all(Proxy::parse(PROXY).unwrap())
    });
    let get = async |url: &str| {
        let fetched = fetcher(&network).with_proxies(proxies.clone()).get(url, LIMITS).await;
        fetched.map(|fetched| fetched.body).map_err(|error| error.to_string())
    };
    // Names are resolved here, also at redirects; the proxy may be anywhere.
    assert_eq!(get("http://good.test/a").await.unwrap(), "/a");
    assert_eq!(get("http://good.test:81/to?http://mixed.test/b").await.unwrap(), "/b");
    assert_eq!(get("http://[2606:4700::2]/c").await.unwrap(), "/c");
    let tunnels = || std::mem::take(&mut *network.tunnels.lock().unwrap());
    assert_eq!(tunnels(), ["93.184.216.34:80", "93.184.216.34:81", "93.184.216.34:80", "[2606:4700::2]:80"]);
    assert!(network.dialled().iter().all(|address| address == PROXY));
    for url in
        ["http://inside.test/", "http://good.test/to?http://meta.test/", "http://127.0.0.1/", "http://[::1]/"]
    {
        let error = get(url).await.unwrap_err();
        assert!(error.contains("is not called"), "{url}: {error}");
    }
    assert!(get("http://unknown.test/").await.unwrap_err().contains("has no address"));
    assert_eq!(tunnels(), ["93.184.216.34:80"], "nothing but the redirect");
    // What is called directly is guarded as ever.
    assert_eq!(get("http://other.test/d").await.unwrap(), "/d");
    assert!(network.dialled().contains(&"[2606:4700::1]:80".to_owned()));
    assert_eq!(tunnels(), Vec::<String>::new());
}

#[tokio::test]
async fn every_redirect_is_checked() {
    let network = world();
    let to = |target: &str| format!("http://good.test/to?{target}");
    for target in ["http://169.254.169.254/", "http://inside.test/", "//meta.test/x", "http://0x7f.1/"] {
        let error = fetch(&network, &to(target)).await.unwrap_err();
        assert!(error.contains("is not called") || error.contains("has no address"), "{target}: {error}");
    }
    assert!(network.dialled().iter().all(|address| address == "93.184.216.34:80"));
    // The name was public when it was asked first, and is not any more.
    let error = fetch(&network, "http://turns.test/to?http://turns.test/").await.unwrap_err();
    assert!(error.contains("169.254.169.254 is not called"), "{error}");
    for target in ["ftp://good.test/", "file:///etc/passwd", "http://a:b@good.test/", "gopher://good.test/"] {
        assert!(fetch(&network, &to(target)).await.unwrap_err().contains("not a URL"), "{target}");
    }
}

#[tokio::test]
async fn redirects_are_followed_where_they_lead() {
    let network = world();
    let to = |target: &str| format!("http://good.test/to?{target}");
    for (target, expected) in [
        ("http://other.test/b", "http://other.test/b /b"),
        ("//other.test/c", "http://other.test/c /c"),
        ("/d", "http://good.test/d /d"),
        ("e/f", "http://good.test/e/f /e/f"),
        ("/g#fragment", "http://good.test/g /g"),
        ("/h?next=http://inside.test/", "http://good.test/h?next=http://inside.test/ /h"),
    ] {
        assert_eq!(fetch(&network, &to(target)).await.unwrap(), expected);
    }
    let error = fetch(&network, "http://good.test/to?/to?/to?/to?/to?/x").await.unwrap_err();
    assert_eq!(error, "more than 3 redirects");
    assert!(
        fetch(&network, "http://good.test/nowhere").await.unwrap_err().contains("without a sound target")
    );
}

#[tokio::test]
async fn urls_and_answers_have_limits() {
    let network = world();
    for url in ["", "good.test", "ftp://good.test/", "http://", "http://u:p@good.test/", "http:///x"] {
        assert!(fetch(&network, url).await.unwrap_err().contains("not a URL"), "{url}");
    }
    let long = format!("http://good.test/{}", "x".repeat(9000));
    assert!(fetch(&network, &long).await.unwrap_err().contains("too long"));
    assert!(fetch(&network, "http://good.test/long").await.unwrap_err().contains("too long"));
}

#[tokio::test]
async fn upstreams_of_the_configuration_are_guarded_as_well() {
    let network = world();
    let connector = TcpConnect::new(tls::client_config().unwrap()).with_network(network.clone());
    let origin = |host: &str| Origin { tls: false, host: host.into(), port: 8000 };
    assert!(connector.connect(&origin("inside.test")).await.is_ok());
    assert!(connector.connect(&origin("127.0.0.1")).await.is_ok());
    for host in ["meta.test", "169.254.169.254", "fe80::1"] {
        let Err(ConnectError::Io(error)) = connector.connect(&origin(host)).await else { panic!("{host}") };
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{host}");
    }
    assert_eq!(network.dialled(), ["10.0.0.8:8000", "127.0.0.1:8000"]);
}
