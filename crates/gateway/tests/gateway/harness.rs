//! A gateway with everything around it: configuration from YAML, upstreams and clients in memory, and
//! the records that it leaves.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use pointsman_config::{ConfigFile, Environment, Input, Snapshot, prepare};
use pointsman_core::responses::ResponseLimits;
use pointsman_core::store::RecordSink;
use pointsman_core::{Clock, RequestRecord};
use pointsman_gateway::{Gateway, Recorder, SimulatedConnect};
use pointsman_store::{MemoryResponses, SqliteObjects};
use pointsman_telemetry::Metrics;
use pointsman_testkit::fakes::CollectingSink;
use pointsman_testkit::mock::{Mock, MockServer};
use pointsman_testkit::net::{MemoryIo, MemoryNet};
use pointsman_testkit::openai::Tokens;
use pointsman_transport::{Drain, ServeOptions, Upstreams, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

/// Where the gateway listens in the world of a test.
const GATEWAY: &str = "gateway.test:4180";
/// What clients send as `Host`.
pub(crate) const HOST: &str = "127.0.0.1:4180";
/// The wall clock of every test begins here.
pub(crate) const START_UNIX: Duration = Duration::from_secs(1_790_000_000);
/// Real time that records may take before a test gives up on them.
const RECORDS_WITHIN: Duration = Duration::from_secs(20);

/// Two unpriced providers with short limits, and one route over both.
pub(crate) const TWO: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    keys: { env: ALPHA_KEY }
    models: [m]
    include_usage: true
    timeouts: { connect: 2s, first_byte: 20s, first_token: 10s, between_chunks: 5s, total: 60s }
  beta:
    base_url: http://beta.test/v1
    keys: { env: BETA_KEY }
    models: [m]
    timeouts: { connect: 2s, first_byte: 20s, first_token: 10s, between_chunks: 5s, total: 60s }
routes:
  both: { first: [alpha/m, beta/m] }
";

/// What scripted answers say they used.
pub(crate) const TOKENS: Tokens = Tokens { input: 5, output: 2 };

/// A vendor with known prices.
pub(crate) const PRICED: &str = r"
providers:
  openai: { base_url: 'http://openai.test/v1' }
";

/// What a world is made from.
pub(crate) struct Setup {
    yaml: String,
    variables: Vec<(String, String)>,
    sinks: Vec<Box<dyn RecordSink>>,
    queue: usize,
}

impl Setup {
    pub(crate) fn new(yaml: &str) -> Self {
        let secrets = [("ALPHA_KEY", "alpha-secret"), ("BETA_KEY", "beta-secret")];
        Self {
            yaml: yaml.to_owned(),
            variables: secrets.map(|(name, value)| (name.into(), value.into())).into(),
            sinks: Vec::new(),
            queue: 1024,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Room in the recorder's queue.
    pub(crate) fn queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    /// A sink besides the collecting one, which it comes before.
    pub(crate) fn sink(mut self, sink: impl RecordSink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    pub(crate) fn start(mut self) -> World {
        let net = MemoryNet::new();
        let clock = Clock::starting_at(START_UNIX);
        let upstreams = Upstreams::new(Arc::new(SimulatedConnect::new(net.clone(), clock)));
        let environment: Environment = self.variables.into_iter().collect();
        let snapshot = load(&self.yaml, &environment, &upstreams, None);
        let options = ServeOptions {
            connections: Arc::new(Semaphore::new(snapshot.settings.server.max_connections)),
            header_timeout: snapshot.settings.server.header_timeout,
            max_head_bytes: 64 * 1024,
            max_headers: 100,
        };
        let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
        let metrics = Arc::new(Metrics::new("test"));
        let sink = CollectingSink::new();
        self.sinks.push(Box::new(sink.clone()));
        let (recorder, _thread) = Recorder::with_queue(self.queue, self.sinks, metrics.clone()).unwrap();
        let drain = Drain::default();
        let gateway = Gateway::new(snapshots.clone(), clock, recorder, metrics.clone(), drain.clone());
        gateway.keep_objects(Arc::new(SqliteObjects::in_memory().unwrap()));
        let responses = MemoryResponses::new(ResponseLimits::default());
        gateway.keep_responses(Arc::new(responses), snapshots.load().settings.data.keep_responses);
        let service = gateway.clone();
        let server = tokio::spawn(serve(
            net.listen(GATEWAY),
            move |peer| service.service(peer),
            options.clone(),
            drain.clone(),
        ));
        World {
            net,
            gateway,
            metrics,
            sink,
            drain,
            server,
            options,
            snapshots,
            upstreams,
            environment,
            servers: RefCell::default(),
        }
    }
}

fn load(
    text: &str,
    environment: &Environment,
    upstreams: &Upstreams,
    previous: Option<&Snapshot>,
) -> Snapshot {
    let file = ConfigFile { path: Path::new("test.yaml"), text };
    let input = Input { file: Some(file), environment, overrides: &[], engines: &[] };
    prepare(&input, upstreams, previous).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A world with this configuration.
pub(crate) fn start(yaml: &str) -> World {
    Setup::new(yaml).start()
}

/// A gateway and everything around it.
pub(crate) struct World {
    pub(crate) net: MemoryNet,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) sink: CollectingSink,
    pub(crate) drain: Drain,
    pub(crate) server: JoinHandle<()>,
    options: ServeOptions,
    snapshots: Arc<ArcSwap<Snapshot>>,
    upstreams: Upstreams,
    environment: Environment,
    servers: RefCell<Vec<MockServer>>,
}

impl World {
    /// A scripted upstream at `http://{name}.test`.
    pub(crate) fn upstream(&self, name: &str) -> Mock {
        self.server(&format!("{name}.test:80"))
    }

    /// A scripted server at this name or address.
    pub(crate) fn server(&self, authority: &str) -> Mock {
        let mock = Mock::new();
        self.servers.borrow_mut().push(mock.serve_memory(&self.net, authority));
        mock
    }

    /// Another configuration takes effect.
    pub(crate) fn reload(&self, yaml: &str) {
        let next = load(yaml, &self.environment, &self.upstreams, Some(&self.snapshots.load()));
        self.snapshots.store(Arc::new(next));
    }

    /// A new client connection.
    pub(crate) async fn client(&self) -> Client {
        self.client_at(GATEWAY).await
    }

    /// A new client connection from another address.
    pub(crate) async fn client_from(&self, peer: &str) -> Client {
        let peer = SocketAddr::new(peer.parse().unwrap(), 50_000);
        let name = format!("gateway for {peer}");
        let gateway = self.gateway.clone();
        let listener = self.net.listen(&name).from_peer(peer);
        tokio::spawn(serve(
            listener,
            move |peer| gateway.service(peer),
            self.options.clone(),
            self.drain.clone(),
        ));
        self.client_at(&name).await
    }

    async fn client_at(&self, name: &str) -> Client {
        let io = self.net.connect(name).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
        Client { sender, connection: tokio::spawn(async move { drop(connection.await) }) }
    }

    /// A connection without a client on it.
    pub(crate) async fn raw(&self) -> MemoryIo {
        self.net.connect(GATEWAY).await.unwrap()
    }

    /// Sends `bytes` and reads until the gateway closes.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut io = self.raw().await;
        io.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        self.client().await.send(request).await
    }

    /// One plain chat request.
    pub(crate) async fn chat(&self, model: &str) -> Reply {
        self.send(chat(model)).await
    }

    /// One plain chat request that is where it waits: for its answer, or in line.
    pub(crate) async fn asking(&self, model: &'static str) -> JoinHandle<Reply> {
        let mut client = self.client().await;
        let asking = tokio::spawn(async move { client.send(chat(model)).await });
        let_others_run().await;
        asking
    }

    /// One streamed chat request: its head is here.
    pub(crate) async fn stream(&self, model: &str) -> Streaming {
        self.client().await.open(streamed(model)).await
    }

    /// The first `count` records. Paused time stands still meanwhile: the recorder's thread works in
    /// real time, and a blocking task keeps the clock from running on.
    pub(crate) async fn records(&self, count: usize) -> Vec<RequestRecord> {
        let sink = self.sink.clone();
        let (sender, receiver) = mpsc::channel();
        let waiting = tokio::spawn(async move {
            // Nobody listens any more where the test has given up.
            drop(sender.send(sink.wait_for(count).await));
        });
        let records = spawn_blocking(move || receiver.recv_timeout(RECORDS_WITHIN)).await.unwrap();
        waiting.abort();
        records.unwrap_or_else(|_| panic!("{count} records, but only {} came", self.sink.records().len()))
    }

    /// The only record.
    pub(crate) async fn record(&self) -> RequestRecord {
        let mut records = self.records(1).await;
        assert_eq!(records.len(), 1, "one request, one record");
        records.remove(0)
    }

    /// What a scrape shows.
    pub(crate) fn has_metric(&self, line: &str) -> bool {
        self.metrics.encode().lines().any(|have| have == line)
    }

    /// Nothing is held any more: no request, no byte of a body.
    pub(crate) fn assert_at_rest(&self) {
        assert_eq!(self.metrics.in_flight().load(Relaxed), 0, "requests in flight");
        assert_eq!(self.metrics.body_bytes().load(Relaxed), 0, "body bytes in flight");
    }
}

/// A connection with HTTP on it. Closed on drop.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
}

impl Client {
    /// A request and its whole answer; the connection stays.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Reply {
        Reply::collect(self.head(request).await).await
    }

    /// A request; the answer is read as it comes.
    pub(crate) async fn open(mut self, request: Request<Full<Bytes>>) -> Streaming {
        let (head, body) = self.head(request).await.into_parts();
        Streaming { status: head.status.as_u16(), headers: head.headers, body, client: self }
    }

    pub(crate) async fn head(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    /// Whether the server has closed the connection, or closes it now.
    pub(crate) async fn closed(&mut self) {
        (&mut self.connection).await.unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    async fn collect(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The `error` object.
    pub(crate) fn error(&self) -> Value {
        self.json()["error"].clone()
    }

    pub(crate) fn message(&self) -> String {
        self.error()["message"].as_str().unwrap().to_owned()
    }

    /// Checks that this is our error with these data.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str, param: Option<&str>) {
        let error = self.error();
        let seen = (self.status, error["code"].as_str(), error["param"].as_str());
        assert_eq!(seen, (status, Some(code), param), "{error}");
        assert_eq!(self.header("content-type"), Some("application/json"));
    }
}

/// An answer that is read as it comes.
pub(crate) struct Streaming {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    client: Client,
}

impl Streaming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The next bytes; `None` at the end. A connection that breaks off is an error.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.body.frame().await.map(|frame| frame.unwrap().into_data().unwrap())
    }

    /// All that is left.
    pub(crate) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await {
            all.extend_from_slice(&bytes);
        }
        String::from_utf8(all).unwrap()
    }

    /// The connection breaks: the client is gone.
    pub(crate) fn hang_up(self) {
        drop(self.client);
    }
}

/// A request of this machine's own programs.
pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", HOST).body(Full::default()).unwrap()
}

/// The same with a body.
pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post(path).header("host", HOST).header("content-type", "application/json");
    request.body(Full::new(body.into())).unwrap()
}

/// A smallest plain chat request.
pub(crate) fn chat(model: &str) -> Request<Full<Bytes>> {
    let body = pointsman_testkit::openai::chat_request(model, false).to_string();
    post("/v1/chat/completions", body)
}

/// A smallest streamed chat request.
pub(crate) fn streamed(model: &str) -> Request<Full<Bytes>> {
    let body = pointsman_testkit::openai::chat_request(model, true).to_string();
    post("/v1/chat/completions", body)
}

/// The same request with one more header.
pub(crate) fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Request<Full<Bytes>> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// Time has run for `expected` since `start`, to the timer's precision of a millisecond.
#[track_caller]
pub(crate) fn assert_elapsed(start: Instant, expected: Duration) {
    let elapsed = start.elapsed();
    let over = elapsed.checked_sub(expected);
    assert!(over.is_some_and(|over| over <= Duration::from_millis(2)), "{elapsed:?}, not {expected:?}");
}

/// All other tasks come to where they wait.
pub(crate) async fn let_others_run() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
