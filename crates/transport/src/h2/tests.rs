//! Requests over connections in memory: servers of the `h2` crate, and raw ones that break the rules.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::server::{Connection, SendResponse};
use ::h2::{RecvStream, server};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use pointsman_testkit::frames::{self as raw, Raw, head};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::session::{MAX_STREAMS, PING_AFTER, PING_LIMIT, SILENCE};
use crate::body::{RequestBody, RequestBodyError};
use crate::connect::{Connect, Connecting, Negotiated, Negotiating, Origin};
use crate::h1::ExchangeError;
use crate::io::BoxedIo;
use crate::pool::UpstreamBody;
use crate::upstream::{SendError, Upstream, UpstreamConfig, UpstreamHttp2, Upstreams};

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;
type Serve = Box<dyn Fn(usize, DuplexStream) -> Serving + Send + Sync>;

/// A network whose only server is a function: which connection it is, and its far end.
struct Net {
    opened: AtomicUsize,
    serve: Serve,
}

impl Net {
    fn open(&self) -> BoxedIo {
        let (near, far) = duplex(64 * 1024);
        tokio::spawn((self.serve)(self.opened.fetch_add(1, Ordering::SeqCst), far));
        Box::new(near)
    }
}

impl Connect for Net {
    fn connect<'a>(&'a self, _: &'a Origin) -> Connecting<'a> {
        Box::pin(async move { Ok(self.open()) })
    }

    fn negotiate<'a>(&'a self, origin: &'a Origin) -> Negotiating<'a> {
        let io = self.open();
        let old = origin.host.starts_with("old");
        Box::pin(async move { Ok(if old { Negotiated::Http1(io) } else { Negotiated::Http2(io) }) })
    }
}

struct World {
    net: Arc<Net>,
    registry: Upstreams,
    upstream: Arc<Upstream>,
}

impl World {
    fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(usize, DuplexStream) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::at("https://engine.test/v1", serve)
    }

    fn at<F: Future<Output = ()> + Send + 'static>(
        base_url: &str,
        serve: impl Fn(usize, DuplexStream) -> F + Send + Sync + 'static,
    ) -> Self {
        let serve: Serve = Box::new(move |number, io| Box::pin(serve(number, io)));
        let net = Arc::new(Net { opened: AtomicUsize::new(0), serve });
        let registry = Upstreams::new(net.clone());
        let config = UpstreamConfig {
            base_url: base_url.into(),
            connect_timeout: Duration::from_secs(5),
            http2: UpstreamHttp2::Auto,
        };
        let upstream = registry.get(&config).unwrap();
        Self { net, registry, upstream }
    }

    fn opened(&self) -> usize {
        self.net.opened.load(Ordering::SeqCst)
    }

    async fn send(&self, body: RequestBody) -> Result<Response<UpstreamBody>, SendError> {
        send(self.upstream.clone(), body).await
    }

    async fn ask(&self) -> Result<Bytes, SendError> {
        let response = self.send(Bytes::from_static(b"{}").into()).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    /// As many at once, each in a task of its own.
    fn ask_together(&self, count: usize) -> JoinSet<Bytes> {
        let mut asking = JoinSet::new();
        for _ in 0..count {
            let upstream = self.upstream.clone();
            asking.spawn(async move {
                let response = send(upstream, Bytes::from_static(b"{}").into()).await.unwrap();
                assert_eq!(response.version(), Version::HTTP_2);
                response.into_body().collect().await.unwrap().to_bytes()
            });
        }
        asking
    }
}

async fn send(upstream: Arc<Upstream>, body: RequestBody) -> Result<Response<UpstreamBody>, SendError> {
    let request = Request::post(upstream.target("/chat/completions").unwrap())
        .header("host", upstream.host())
        .header("connection", "keep-alive")
        .header("transfer-encoding", "chunked")
        .header("authorization", "Bearer key");
    upstream.send(request.body(body).unwrap()).await
}

fn malformed<T>(result: Result<T, SendError>) -> &'static str {
    match result.map(|_| ()) {
        Err(SendError::Exchange(ExchangeError::Malformed(what))) => what,
        other => panic!("{other:?}"),
    }
}

/// The text of an error of the connection or the stream.
fn io_error<T>(result: Result<T, SendError>) -> String {
    match result.map(|_| ()) {
        Err(SendError::Exchange(ExchangeError::Io(error))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn accept(io: DuplexStream, max_streams: u32) -> Connection<DuplexStream, Bytes> {
    server::Builder::new().max_concurrent_streams(max_streams).handshake(io).await.unwrap()
}

type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Serves every stream of a connection in a task of its own.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    io: DuplexStream,
    max_streams: u32,
    answer: impl Fn(Accepted) -> F,
) {
    let mut connection = accept(io, max_streams).await;
    let mut answering = JoinSet::new();
    while let Some(Ok(accepted)) = connection.accept().await {
        answering.spawn(answer(accepted));
    }
    answering.shutdown().await;
}

fn hello(mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(b"hello"), true).unwrap();
}

/// Takes all of a body; gives its length.
async fn drain(mut body: RecvStream) -> usize {
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        length += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    length
}

#[tokio::test]
async fn a_request_says_what_http2_wants_to_hear() {
    let world = World::new(|_, io| {
        serve(io, 10, |(request, respond)| async move {
            assert_eq!(request.uri(), "https://engine.test/v1/chat/completions");
            let headers = request.headers();
            assert_eq!(headers["content-length"], "2");
            assert_eq!(headers["authorization"], "Bearer key");
            assert_eq!(headers.len(), 2, "{headers:?}");
            assert_eq!(drain(request.into_body()).await, 2);
            hello(respond);
        })
    });
    assert_eq!(world.ask().await.unwrap(), "hello");
}

#[tokio::test]
async fn requests_share_one_connection_also_when_they_come_all_at_once() {
    let together = Arc::new(Barrier::new(MAX_STREAMS));
    let world = World::new(move |_, io| {
        let together = together.clone();
        serve(io, 1000, move |(_, respond)| {
            let together = together.clone();
            async move {
                together.wait().await;
                hello(respond);
            }
        })
    });
    for body in world.ask_together(MAX_STREAMS).join_all().await {
        assert_eq!(body, "hello");
    }
    assert_eq!(world.opened(), 1);
    assert_eq!(world.upstream.idle_connections(), 1);
}

#[tokio::test]
async fn where_a_peer_allows_no_more_streams_another_connection_is_opened() {
    let together = Arc::new(Barrier::new(6));
    let world = World::new(move |_, io| {
        let together = together.clone();
        serve(io, 2, move |(_, respond)| {
            let together = together.clone();
            async move {
                together.wait().await;
                hello(respond);
            }
        })
    });
    assert_eq!(world.ask_together(6).join_all().await.len(), 6);
    assert_eq!(world.opened(), 3);
}

#[tokio::test]
async fn a_server_that_chooses_http1_gets_connections_side_by_side() {
    let together = Arc::new(Barrier::new(3));
    let world = World::at("https://old.test/v1", move |_, io| {
        let together = together.clone();
        async move {
            let service = hyper::service::service_fn(move |_request| {
                let together = together.clone();
                async move {
                    together.wait().await;
                    Ok::<_, std::convert::Infallible>(Response::new(String::from("hello")))
                }
            });
            let io = hyper_util::rt::TokioIo::new(io);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        }
    });
    for _ in 0..2 {
        let (a, b, c) = tokio::join!(world.ask(), world.ask(), world.ask());
        assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), ("hello".into(), "hello".into(), "hello".into()));
    }
    assert_eq!(world.opened(), 3, "the second round uses those of the first");
    assert_eq!(world.upstream.idle_connections(), 3);
}

/// So many pieces of 64 KiB, and then an error if one is wanted.
struct Pieces(usize, Option<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if self.0 == 0 {
            return Poll::Ready(self.1.take().map(|error| Err(error.into())));
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; 64 * 1024])))))
    }
}

fn streamed(pieces: usize) -> RequestBody {
    RequestBody::streamed(Box::pin(Pieces(pieces, None)))
}

#[tokio::test]
async fn eight_megabytes_are_uploaded_from_memory_or_as_a_stream() {
    let world = World::new(|_, io| {
        serve(io, 10, |(request, mut respond)| async move {
            let length = drain(request.into_body()).await.to_string();
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(length.into(), true).unwrap();
        })
    });
    for body in [streamed(128), Bytes::from(vec![b'x'; 8 << 20]).into()] {
        let response = world.send(body).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "8388608");
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_the_answer_has_begun() {
    let world = World::new(|_, io| {
        serve(io, 10, |(request, mut respond)| async move {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            let length = drain(request.into_body()).await.to_string();
            stream.send_data(length.into(), true).unwrap();
        })
    });
    let response = world.send(streamed(16)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "1048576");
}

#[tokio::test]
async fn a_refusal_is_heard_before_all_has_been_sent() {
    let world = World::new(|_, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        let stream = raw.request().await.unwrap();
        // Complete; then: do not send the rest.
        raw.send(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, stream, raw::STATUS_400).await;
        raw.reset(stream, 0).await;
        raw.serve(b"hello").await;
    });
    assert_eq!(world.send(streamed(128)).await.unwrap().status(), 400);
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert_eq!(world.opened(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_said_to_be_at_fault_and_the_server_hears_of_it() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let world = World::new(move |_, io| {
        let tell = tell.lock().unwrap().take().unwrap();
        async move { tell.send(Raw::open(io).await.unwrap().next_reset().await).unwrap() }
    });
    let body = RequestBody::streamed(Box::pin(Pieces(1, Some("the client left"))));
    let error = world.send(body).await.unwrap_err();
    assert!(matches!(error, SendError::Exchange(ExchangeError::RequestBody(_))), "{error:?}");
    assert_eq!(told.await.unwrap(), Some((1, 8)), "CANCEL");
}

#[tokio::test]
async fn a_body_that_is_dropped_resets_its_stream_and_frees_its_place() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let world = World::new(move |_, io| {
        let tell = tell.clone();
        async move {
            let mut raw = Raw::open(io).await.unwrap();
            let stream = raw.request().await.unwrap();
            raw.send(raw::HEADERS, raw::END_HEADERS, stream, raw::STATUS_200).await;
            raw.send(raw::DATA, 0, stream, b"data: 1\n\n").await;
            tell.send(raw.next_reset().await).unwrap();
            // A second one is given up before its head.
            raw.request().await.unwrap();
            tell.send(None).unwrap();
            tell.send(raw.next_reset().await).unwrap();
            raw.serve(b"hello").await;
        }
    });
    let mut body = world.send(RequestBody::default()).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    assert_eq!(world.upstream.idle_connections(), 0);
    drop(body);
    assert_eq!(told.recv().await, Some(Some((1, 8))), "CANCEL");
    assert_eq!(world.upstream.idle_connections(), 1);
    let upstream = world.upstream.clone();
    let sending = tokio::spawn(async move { send(upstream, RequestBody::default()).await.map(|_| ()) });
    assert_eq!(told.recv().await, Some(None));
    sending.abort();
    assert_eq!(told.recv().await, Some(Some((3, 8))), "CANCEL");
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert_eq!(world.opened(), 1);
}

#[tokio::test]
async fn what_a_goodbye_leaves_out_is_sent_once_more_elsewhere() {
    let world = World::new(|number, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        if number == 0 {
            let first = raw.request().await.unwrap();
            let second = raw.request().await.unwrap();
            assert_eq!((first, second), (1, 3));
            // The last stream is 1, for no reason.
            raw.send(raw::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]).await;
            tokio::task::yield_now().await;
            raw.answer(first, b"hello").await;
            while raw.next().await.is_some() {}
        } else {
            raw.serve(b"hello").await;
        }
    });
    for body in world.ask_together(2).join_all().await {
        assert_eq!(body, "hello");
    }
    assert_eq!(world.opened(), 2);
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert_eq!(world.opened(), 2, "the connection of the goodbye is not used again");
}

#[tokio::test]
async fn a_refused_stream_is_sent_once_more_and_only_once() {
    let world = World::new(|number, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        if number == 0 || number > 1 {
            while let Some(stream) = raw.request().await {
                raw.reset(stream, 7).await;
            }
        }
        raw.serve(b"hello").await;
    });
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert_eq!(world.opened(), 2);

    let world = World::new(|_, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        while let Some(stream) = raw.request().await {
            raw.reset(stream, 7).await;
        }
    });
    let error = io_error(world.ask().await);
    assert!(error.contains("refused"), "{error}");
    assert_eq!(world.opened(), 2);
    // What was streamed is gone.
    io_error(world.send(streamed(1)).await);
    assert_eq!(world.opened(), 2);
}

#[tokio::test]
async fn other_resets_and_a_lost_connection_are_not_hidden() {
    for code in [1, 2, 8, 11] {
        let world = World::new(move |_, io| async move {
            let mut raw = Raw::open(io).await.unwrap();
            let before = raw.request().await.unwrap();
            raw.reset(before, code).await;
            let within = raw.request().await.unwrap();
            raw.send(raw::HEADERS, raw::END_HEADERS, within, raw::STATUS_200).await;
            raw.send(raw::DATA, 0, within, b"hel").await;
            raw.reset(within, code).await;
            raw.request().await.unwrap();
        });
        io_error(world.ask().await);
        let mut body = world.send(RequestBody::default()).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hel");
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(matches!(error, ExchangeError::Io(_)), "{error:?}");
        assert!(body.frame().await.is_none());
        assert_eq!(world.opened(), 1);
        io_error(world.ask().await);
        assert_eq!(world.opened(), 1);
    }
}

#[tokio::test]
async fn a_closed_connection_is_replaced() {
    let close = Arc::new(Notify::new());
    let closing = close.clone();
    let world = World::new(move |_, io| {
        let closing = closing.clone();
        async move {
            let mut raw = Raw::open(io).await.unwrap();
            let stream = raw.request().await.unwrap();
            raw.answer(stream, b"hello").await;
            closing.notified().await;
        }
    });
    for number in 1..4 {
        assert_eq!(world.ask().await.unwrap(), "hello");
        assert_eq!(world.opened(), number);
        close.notify_one();
        // Its task sees the end.
        while world.upstream.idle_connections() > 0 {
            world.registry.sweep();
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_gives_no_sign_of_life_is_given_up() {
    let world = World::new(|number, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        let stream = raw.request().await.unwrap();
        raw.answer(stream, b"hello").await;
        if number == 0 {
            raw.request().await.unwrap();
            // Open, and as good as dead.
            std::future::pending::<()>().await;
        }
        raw.serve(b"hello").await;
    });
    assert_eq!(world.ask().await.unwrap(), "hello");
    let started = Instant::now();
    io_error(world.ask().await);
    assert!(started.elapsed() <= PING_AFTER + PING_LIMIT, "{:?}", started.elapsed());
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert_eq!(world.opened(), 2);
}

/// The first connection serves one request; a second one gets no answer, and pings only where `pongs`.
fn silent(pongs: bool) -> World {
    World::new(move |number, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        if number == 0 {
            let first = raw.request().await.unwrap();
            raw.answer(first, b"hello").await;
            raw.request().await.unwrap();
            if !pongs {
                std::future::pending::<()>().await;
            }
        }
        raw.serve(b"hello").await;
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_in_silence_puts_its_connection_in_doubt() {
    for (pongs, opened) in [(true, 1), (false, 2)] {
        let world = silent(pongs);
        assert_eq!(world.ask().await.unwrap(), "hello");
        let given_up = tokio::time::timeout(Duration::from_secs(3), world.ask()).await;
        assert!(given_up.is_err());
        // A ping takes no time here.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let started = Instant::now();
        assert_eq!(world.ask().await.unwrap(), "hello");
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(world.opened(), opened);
    }
    // Also where the peer has never said anything.
    let mute = World::new(|number, io| async move {
        if number == 0 {
            let _io = io;
            std::future::pending::<()>().await;
        } else {
            Raw::open(io).await.unwrap().serve(b"hello").await;
        }
    });
    assert!(tokio::time::timeout(Duration::from_secs(3), mute.ask()).await.is_err());
    assert_eq!(mute.ask().await.unwrap(), "hello");
    // Who gives up at once says nothing about the connection.
    let world = silent(false);
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert!(tokio::time::timeout(Duration::from_secs(1), world.ask()).await.is_err());
    assert!(tokio::time::timeout(Duration::from_secs(1), world.ask()).await.is_err());
    assert_eq!(world.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_speaks_is_no_connection_for_long() {
    let world = World::new(|number, io| async move {
        if number == 0 {
            let _io = io;
            std::future::pending::<()>().await;
        } else {
            Raw::open(io).await.unwrap().serve(b"hello").await;
        }
    });
    let upstream = world.upstream.clone();
    let first = tokio::spawn(async move { send(upstream, RequestBody::default()).await.map(|_| ()) });
    tokio::task::yield_now().await;
    let started = Instant::now();
    // Its limits are waited for, but not for long; those that come later do not wait at all.
    for _ in 0..2 {
        assert_eq!(world.ask().await.unwrap(), "hello");
        assert_eq!(started.elapsed(), SILENCE);
    }
    assert_eq!(world.opened(), 2);
    io_error(first.await.unwrap());
    assert!(started.elapsed() <= PING_LIMIT);
}

/// A server that answers every request with these frames of kind, flags and payload.
fn frames(frames: Vec<(u8, u8, Vec<u8>)>) -> World {
    let frames = Arc::new(frames);
    World::new(move |_, io| {
        let frames = frames.clone();
        async move {
            let mut raw = Raw::open(io).await.unwrap();
            while let Some(stream) = raw.request().await {
                for (kind, flags, payload) in &*frames {
                    raw.send(*kind, *flags, stream, payload).await;
                }
            }
        }
    })
}

#[tokio::test]
async fn heads_have_the_limits_of_http1() {
    // Just within: 60 KiB in frames of 15 KiB, and 128 fields.
    let long = head(&[raw::field("x", &"y".repeat(60 * 1024))]);
    let mut pieces: Vec<_> =
        long.chunks(15 * 1024).map(|piece| (raw::CONTINUATION, 0, piece.to_vec())).collect();
    pieces[0].0 = raw::HEADERS;
    pieces[0].1 = raw::END_STREAM;
    pieces.last_mut().unwrap().1 = raw::END_HEADERS;
    assert_eq!(frames(pieces).ask().await.unwrap(), "");
    let end = raw::END_HEADERS | raw::END_STREAM;
    let many = |count: usize| {
        let fields: Vec<_> = (0..count).map(|number| raw::field(&format!("x-{number}"), "y")).collect();
        frames(vec![(raw::HEADERS, end, head(&fields))])
    };
    assert_eq!(many(128).ask().await.unwrap(), "");
    assert_eq!(malformed(many(129).ask().await), "the head has too many fields");
    // Beyond.
    let long = head(&[raw::field("x", &"y".repeat(12 * 1024)), raw::field("z", &"y".repeat(60 * 1024))]);
    let mut pieces: Vec<_> =
        long.chunks(15 * 1024).map(|piece| (raw::CONTINUATION, 0, piece.to_vec())).collect();
    pieces[0].0 = raw::HEADERS;
    pieces.last_mut().unwrap().1 = raw::END_HEADERS;
    assert!(malformed(frames(pieces).ask().await).contains("head is too long"));
}

#[tokio::test]
async fn floods_end_the_connection() {
    let world = World::new(|number, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        let stream = raw.request().await.unwrap();
        if number == 0 {
            raw.send(raw::HEADERS, 0, stream, raw::STATUS_200).await;
            while raw.send(raw::CONTINUATION, 0, stream, &[]).await {}
        }
        raw.answer(stream, b"hello").await;
        while raw.next().await.is_some() {}
    });
    assert_eq!(malformed(world.ask().await), "it floods the connection");
    assert_eq!(world.ask().await.unwrap(), "hello");
    assert_eq!(world.opened(), 2);

    let world = World::new(|_, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        let stream = raw.request().await.unwrap();
        // `:status: 103`, for ever.
        let hint = [0x08, 3, b'1', b'0', b'3'];
        while raw.send(raw::HEADERS, raw::END_HEADERS, stream, &hint).await {}
    });
    assert_eq!(malformed(world.ask().await), "too many interim answers");

    let world = World::new(|_, io| async move {
        let mut raw = Raw::open(io).await.unwrap();
        let stream = raw.request().await.unwrap();
        raw.send(raw::HEADERS, raw::END_HEADERS, stream, raw::STATUS_200).await;
        while raw.send(raw::DATA, 0, stream, &[]).await {}
    });
    assert_eq!(malformed(world.ask().await), "it floods the connection");
}

#[tokio::test]
async fn answers_against_the_rules_are_malformed() {
    let end = raw::END_HEADERS | raw::END_STREAM;
    let short = head(&[raw::field("content-length", "9")]);
    for (what, answer) in [
        (
            "a body that is too short",
            vec![
                (raw::HEADERS, raw::END_HEADERS, short.clone()),
                (raw::DATA, raw::END_STREAM, b"hello".to_vec()),
            ],
        ),
        ("no body at all", vec![(raw::HEADERS, end, short)]),
        ("no status", vec![(raw::HEADERS, end, raw::field("x", "y"))]),
        ("a capital letter", vec![(raw::HEADERS, end, head(&[raw::field("X", "y")]))]),
        ("a field of HTTP/1.1", vec![(raw::HEADERS, end, head(&[raw::field("connection", "close")]))]),
        ("a body before the head", vec![(raw::DATA, 0, b"hello".to_vec())]),
        ("broken compression", vec![(raw::HEADERS, end, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]),
        ("too long a frame", vec![(raw::DATA, 0, vec![0; 17 * 1024])]),
    ] {
        let result = frames(answer).ask().await;
        assert!(
            matches!(result, Err(SendError::Exchange(ExchangeError::Malformed(_)))),
            "{what}: {result:?}"
        );
    }
}

#[tokio::test]
async fn trailers_are_dropped_and_a_kind_reset_ends_a_whole_answer() {
    let trailers = frames(vec![
        (raw::HEADERS, raw::END_HEADERS, head(&[])),
        (raw::DATA, 0, b"hello".to_vec()),
        (raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, raw::field("x-sum", "1")),
    ]);
    for _ in 0..2 {
        assert_eq!(trailers.ask().await.unwrap(), "hello");
    }
    assert_eq!((trailers.opened(), trailers.upstream.idle_connections()), (1, 1));
    for (length, whole) in [("5", true), ("6", false)] {
        let world = frames(vec![
            (raw::HEADERS, raw::END_HEADERS, head(&[raw::field("content-length", length)])),
            (raw::DATA, 0, b"hello".to_vec()),
            (raw::RST_STREAM, 0, vec![0; 4]),
        ]);
        assert_eq!(world.ask().await.is_ok(), whole);
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_and_busy_ones_stay() {
    let world = World::new(|_, io| serve(io, 10, |(_, respond)| async move { hello(respond) }));
    assert_eq!(world.ask().await.unwrap(), "hello");
    world.registry.sweep();
    assert_eq!(world.upstream.idle_connections(), 1);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let busy = world.send(RequestBody::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(40)).await;
    world.registry.sweep();
    assert_eq!(busy.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(world.upstream.idle_connections(), 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    world.registry.sweep();
    assert_eq!(world.upstream.idle_connections(), 0);
}

#[tokio::test]
async fn an_answer_outlives_the_upstream_of_an_old_configuration() {
    let world = World::new(|_, io| serve(io, 10, |(_, respond)| async move { hello(respond) }));
    let response = world.send(RequestBody::default()).await.unwrap();
    let World { registry, upstream, .. } = world;
    drop(upstream);
    registry.sweep();
    drop(registry);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_goodbye_is_said_and_waited_for() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let world = World::new(move |_, io| {
        let tell = tell.clone();
        async move {
            let mut raw = Raw::open(io).await.unwrap();
            let stream = raw.request().await.unwrap();
            raw.answer(stream, b"hello").await;
            while let Some(sent) = raw.next().await {
                tell.send(sent.kind).unwrap();
            }
        }
    });
    assert_eq!(world.ask().await.unwrap(), "hello");
    let started = Instant::now();
    world.registry.close().await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    // The request's body, and the end.
    assert_eq!(told.recv().await, Some(raw::DATA));
    assert_eq!(told.recv().await, Some(raw::GOAWAY));

    // What does not end is cut.
    let stuck = frames(vec![(raw::HEADERS, raw::END_HEADERS, head(&[]))]);
    let mut body = stuck.send(RequestBody::default()).await.unwrap().into_body();
    stuck.registry.close().await;
    assert!(body.frame().await.unwrap().is_err());
}
