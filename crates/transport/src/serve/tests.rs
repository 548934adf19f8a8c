//! Connections as clients see them: plain, encrypted, HTTP/2 by ALPN and by preface, limits, drain. In
//! memory, on paused time.

use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use hyper::client::conn::{http1 as client1, http2 as client2};
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls::server::{ServerFiles, ServerIdentity};
use crate::tls::testing::Authority;

type Boxed = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// Connections at one time.
const SLOTS: usize = 16;

/// Connections that tests hand in.
struct Pipes(mpsc::Receiver<DuplexStream>);

impl Accept for Pipes {
    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)> {
        match self.0.recv().await {
            Some(pipe) => Ok((Box::new(pipe), SocketAddr::from(([192, 0, 2, 1], 1)))),
            None => std::future::pending().await,
        }
    }
}

/// A server: `/slow` answers after 10 s, `/flood` endlessly, `/echo` leaves HTTP, everything else with version and `Host`.
struct Server {
    slots: Arc<Semaphore>,
    pipes: mpsc::Sender<DuplexStream>,
    drain: Drain,
    running: JoinHandle<()>,
}

impl Server {
    fn start(edge: Edge) -> Self {
        let (pipes, incoming) = mpsc::channel(8);
        let drain = Drain::default();
        let slots = Arc::new(Semaphore::new(SLOTS));
        let options = ServeOptions {
            connections: slots.clone(),
            header_timeout: Duration::from_secs(30),
            max_head_bytes: 16 * 1024,
            max_headers: 20,
        };
        let service = |_| service_fn(answer);
        let running = tokio::spawn(serve_edge(Pipes(incoming), service, options, edge, drain.clone()));
        Self { slots, pipes, drain, running }
    }

    async fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        self.pipes.send(far).await.unwrap();
        near
    }

    async fn http2(&self) -> client2::SendRequest<Full<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let (sender, connection) = client2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Boxed>, Infallible> {
    if request.uri().path() == "/echo" {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            tokio::io::copy(&mut read, &mut write).await.unwrap();
            write.shutdown().await.unwrap();
        });
        let switched =
            Response::builder().status(101).header("connection", "upgrade").header("upgrade", "echo");
        return Ok(switched.body(Full::default().boxed_unsync()).unwrap());
    }
    if request.uri().path() == "/slow" {
        sleep(Duration::from_secs(10)).await;
    }
    if request.uri().path() == "/flood" {
        return Ok(Response::new(Endless.boxed_unsync()));
    }
    let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
    let text = format!("{:?} {}", request.version(), host.unwrap_or_default());
    Ok(Response::new(Full::new(Bytes::from(text)).boxed_unsync()))
}

/// A body without an end.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://gateway.test{path}")).body(Full::default()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Sends `bytes` as they are and returns everything that comes back before the end.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut io = server.connect().await;
    io.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const CLOSING: &[u8] = b"GET / HTTP/1.1\r\nhost: old.test\r\nconnection: close\r\n\r\n";

fn always() -> Edge {
    Edge { tls: None, http2: Http2::Always }
}

fn encrypted(authority: &Authority, http2: Http2) -> Edge {
    let files: ServerFiles = authority.sign("server", "gateway.test", 2090);
    let identity = ServerIdentity::load(&files, http2 != Http2::Off).unwrap();
    Edge { tls: Some(ServerTls::new(&identity)), http2 }
}

#[tokio::test(start_paused = true)]
async fn plain_connections_speak_both_only_where_configured() {
    let server = Server::start(always());
    assert!(raw(&server, CLOSING).await.ends_with("HTTP/1.1 old.test"));
    let mut sender = server.http2().await;
    let answer = sender.send_request(get("/")).await.unwrap();
    assert_eq!(text(answer).await, "HTTP/2.0 gateway.test", "the authority is the host");

    let server = Server::start(Edge::default());
    assert!(raw(&server, CLOSING).await.ends_with("HTTP/1.1 old.test"));
    let mut sender = server.http2().await;
    assert!(sender.send_request(get("/")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_only_begins_like_the_preface_is_http1() {
    let server = Server::start(always());
    for text in [
        "PRI * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "P / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ] {
        let answer = raw(&server, text.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    // One byte at a time, as nobody but a test would.
    let mut io = server.connect().await;
    for byte in CLOSING {
        io.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("HTTP/1.1 old.test"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn alpn_decides_where_connections_are_encrypted() {
    let authority = Authority::new();
    let offers: [(&[&[u8]], Http2, &str); 4] = [
        (&[b"h2", b"http/1.1"], Http2::Tls, "h2"),
        (&[b"http/1.1"], Http2::Tls, "http/1.1"),
        (&[], Http2::Tls, ""),
        (&[b"h2", b"http/1.1"], Http2::Off, "http/1.1"),
    ];
    for (offer, http2, expected) in offers {
        let server = Server::start(encrypted(&authority, http2));
        let name = ServerName::try_from("gateway.test").unwrap();
        let connector = TlsConnector::from(authority.client(None, offer));
        let stream = connector.connect(name, server.connect().await).await.unwrap();
        let chosen = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
        assert_eq!(String::from_utf8_lossy(&chosen), expected);
        let io = TokioIo::new(stream);
        let answer = if expected == "h2" {
            let (mut sender, connection) = client2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(get("/")).await.unwrap()
        } else {
            let (mut sender, connection) = client1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(get("/")).await.unwrap()
        };
        let version = if expected == "h2" { "HTTP/2.0" } else { "HTTP/1.1" };
        assert!(text(answer).await.starts_with(version));
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_a_handshake_is_let_go() {
    let authority = Authority::new();
    let server = Server::start(encrypted(&authority, Http2::Tls));
    let started = Instant::now();
    // The beginning of a TLS record, and nothing more.
    let mut silent = server.connect().await;
    silent.write_all(&[0x16, 3, 1]).await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
    assert!((Duration::from_secs(9)..Duration::from_secs(12)).contains(&started.elapsed()));
    // Plain HTTP on an encrypted port.
    let answer = raw(&server, CLOSING).await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
    // Half a preface.
    let server = Server::start(always());
    let started = Instant::now();
    let mut silent = server.connect().await;
    silent.write_all(b"PRI * HT").await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
    assert!((Duration::from_secs(29)..Duration::from_secs(32)).contains(&started.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn draining_lets_http2_requests_finish() {
    let server = Server::start(always());
    let mut sender = server.http2().await;
    let _idle = server.http2().await;
    let running = tokio::spawn(sender.send_request(get("/slow")));
    sleep(Duration::from_secs(1)).await;
    server.drain.start();
    assert_eq!(text(running.await.unwrap().unwrap()).await, "HTTP/2.0 gateway.test");
    assert!(sender.send_request(get("/")).await.is_err(), "no further requests");
    let rest = Instant::now();
    server.running.await.unwrap();
    assert!(rest.elapsed() < Duration::from_secs(8), "{:?}", rest.elapsed());
}

#[tokio::test(start_paused = true)]
async fn draining_waits_neither_for_handshakes_nor_for_silent_http2_clients() {
    let server = Server::start(always());
    let mut silent = server.connect().await;
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    silent.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let _undecided = server.connect().await;
    sleep(Duration::from_secs(1)).await;
    let started = Instant::now();
    server.drain.start();
    server.running.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn idle_http2_connections_end() {
    let server = Server::start(always());
    let started = Instant::now();
    let (near, far) = duplex(64 * 1024);
    server.pipes.send(far).await.unwrap();
    let (mut sender, connection) =
        client2::handshake(TokioExecutor::new(), TokioIo::new(near)).await.unwrap();
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(get("/slow")).await.unwrap();
    assert_eq!(text(answer).await, "HTTP/2.0 gateway.test");
    connection.await.unwrap().unwrap();
    assert!((Duration::from_secs(39)..Duration::from_secs(45)).contains(&started.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let server = Server::start(always());
    let mut sender = server.http2().await;
    let answer = sender.send_request(get("/flood")).await.unwrap();
    let started = Instant::now();
    // Held, not read: the window closes.
    let mut body = answer.into_body();
    while server.drain.started() || started.elapsed() < Duration::from_secs(75) {
        sleep(Duration::from_secs(5)).await;
    }
    let ended = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(ended);
}

#[tokio::test(start_paused = true)]
async fn too_many_or_too_long_headers_are_refused() {
    let server = Server::start(always());
    let mut sender = server.http2().await;
    let mut request = get("/");
    for number in 0..30 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        request.headers_mut().insert(name, http::HeaderValue::from_static("1"));
    }
    assert_eq!(sender.send_request(request).await.unwrap().status(), 431);
    let mut request = get("/");
    let long = http::HeaderValue::try_from("x".repeat(20 * 1024)).unwrap();
    request.headers_mut().insert("x-long", long);
    match sender.send_request(request).await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => assert!(!error.is_user(), "{error}"),
    }
    let mut sender = server.http2().await;
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200, "others are served");
}

/// HEADERS and RST_STREAM, over and over (CVE-2023-44487).
#[tokio::test(start_paused = true)]
async fn a_flood_of_resets_ends_the_connection() {
    let server = Server::start(always());
    let mut io = server.connect().await;
    io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    io.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut flood = Vec::new();
    for stream in (1..4000_u32).step_by(2) {
        // GET / http, from HPACK's static table, and an authority.
        let block = [0x82, 0x86, 0x84, 0x41, 1, b'a'];
        flood.extend_from_slice(&[0, 0, 6, 1, 5]);
        flood.extend_from_slice(&stream.to_be_bytes());
        flood.extend_from_slice(&block);
        flood.extend_from_slice(&[0, 0, 4, 3, 0]);
        flood.extend_from_slice(&stream.to_be_bytes());
        flood.extend_from_slice(&8_u32.to_be_bytes());
    }
    let (mut reader, mut writer) = tokio::io::split(io);
    // The server may hang up before it has read everything.
    let writing = tokio::spawn(async move { writer.write_all(&flood).await });
    let mut answer = Vec::new();
    let _ = reader.read_to_end(&mut answer).await;
    drop(reader);
    let _ = writing.await.unwrap();
    // GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, 7).
    let goaway = answer.windows(9).position(|head| head[3] == 7 && head[5..9] == [0; 4]).unwrap();
    assert_eq!(answer[goaway + 13..goaway + 17], 11_u32.to_be_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_leaves_http_keeps_its_place_and_its_bytes() {
    let server = Server::start(Edge { tls: None, http2: Http2::Off });
    let mut client = server.connect().await;
    let head = b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    // Bytes right behind the head belong to the new protocol.
    client.write_all(&[&head[..], b"first "].concat()).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    server.drain.start();
    client.write_all(b"second").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // One is in use, another was taken for the connection that the listener was waiting for.
    assert!(server.slots.available_permits() < SLOTS, "the upgraded connection counts");
    client.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"\r\n\r\nfirst second"), "{}", String::from_utf8_lossy(&rest));
    server.running.await.unwrap();
    assert_eq!(server.slots.available_permits(), SLOTS);
}
