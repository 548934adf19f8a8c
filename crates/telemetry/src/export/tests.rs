//! Workers on paused time against a scripted receiver, and what each JSON format sends.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use hmac::{Hmac, KeyInit, Mac};
use pointsman_core::record::TraceContext;
use pointsman_core::store::RecordSink;
use pointsman_core::{ErrorCode, Outcome, Principal, Rng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::fixture::{record, with_bodies};
use crate::metrics::ExporterCounters;

/// What the receiver does with the next request.
#[derive(Clone, Copy, Debug)]
enum Step {
    Say(u16, Option<u64>),
    Break,
    Hang,
}

/// Follows its script, then says 200.
struct Receiver {
    script: Mutex<VecDeque<Step>>,
    began: Instant,
    got: Mutex<Vec<(Duration, Delivery)>>,
}

impl Receiver {
    fn new(script: &[Step]) -> Arc<Self> {
        let script = Mutex::new(script.iter().copied().collect());
        Arc::new(Self { script, began: Instant::now(), got: Mutex::default() })
    }

    /// When, and how many records, for each request.
    fn times(&self) -> Vec<(Duration, usize)> {
        self.got.lock().unwrap().iter().map(|(at, delivery)| (*at, delivery.records)).collect()
    }
}

impl Deliver for Receiver {
    fn deliver(&self, delivery: Delivery) -> Delivering<'_> {
        let step = self.script.lock().unwrap().pop_front().unwrap_or(Step::Say(200, None));
        self.got.lock().unwrap().push((self.began.elapsed(), delivery));
        Box::pin(async move {
            match step {
                Step::Say(status, after) => {
                    let retry_after = after.map(Duration::from_secs);
                    Ok(Answer { status, retry_after, body: Bytes::from_static(b"no") })
                }
                Step::Break => Err("connection reset".to_owned()),
                Step::Hang => std::future::pending().await,
            }
        })
    }
}

pub(super) fn endpoint() -> Endpoint {
    Endpoint { origin: "http://127.0.0.1:1".into(), path: "/".into(), headers: HeaderMap::new() }
}

pub(super) fn options(target: Target) -> ExporterOptions {
    ExporterOptions {
        name: "out".into(),
        service: "pointsman".into(),
        environment: Some("test".into()),
        target,
        capture_content: false,
        queue: 10,
        batch: BatchOptions { records: 4, bytes: 1 << 20, wait: Duration::from_secs(2) },
        retry_for: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
    }
}

struct Running {
    sink: ExportSink,
    counters: Arc<ExporterCounters>,
    worker: JoinHandle<()>,
}

fn run(options: &ExporterOptions, receiver: &Arc<Receiver>) -> Running {
    let metrics = Arc::new(Metrics::new("1"));
    let shared =
        Shared { metrics: &metrics, clock: Clock::system(), seed: 1, flush_limit: Duration::from_secs(5) };
    let counters = metrics.exporter(&options.name);
    let (queue, source) = Queue::new(options, counters.clone());
    let worker = Worker {
        name: options.name.clone(),
        pace: pace(options),
        format: format(options, shared),
        deliver: receiver.clone(),
        source,
        retry_for: options.retry_for,
        flush_limit: shared.flush_limit,
        rng: Rng::new(1),
    };
    let mut sink = ExportSink::default();
    sink.add(queue);
    Running { sink, counters, worker: tokio::spawn(worker.run()) }
}

fn lines() -> ExporterOptions {
    let rotate = RotateOptions { bytes: 1, every: Duration::from_secs(1), keep: 1 };
    options(Target::File { path: "unused".into(), rotate })
}

#[expect(clippy::vec_box, reason = "sinks take boxed records, as the gateway queues them")]
fn records(count: usize) -> Vec<Box<RequestRecord>> {
    (0..count).map(|_| Box::new(record())).collect()
}

/// Sent, failed, dropped, retries, held.
fn counts(counters: &ExporterCounters) -> [u64; 5] {
    let ExporterCounters { sent, failed, dropped, retries, held } = counters;
    [sent, failed, dropped, retries, held].map(|counter| counter.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn batches_end_at_their_limits() {
    let receiver = Receiver::new(&[]);
    let mut running = run(&lines(), &receiver);
    running.sink.write(&records(6)).unwrap();
    sleep(Duration::from_secs(3)).await;
    // Four at once, the other two when the wait is over.
    assert_eq!(receiver.times(), [(Duration::ZERO, 4), (Duration::from_secs(2), 2)]);
    running.sink.write(&records(1)).unwrap();
    drop(running.sink);
    running.worker.await.unwrap();
    assert_eq!(receiver.times()[2], (Duration::from_secs(3), 1), "flushed at once when the sink is gone");
    assert_eq!(counts(&running.counters), [7, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_at_its_bytes() {
    let receiver = Receiver::new(&[]);
    let mut options = lines();
    options.batch.bytes = 1_500;
    let mut running = run(&options, &receiver);
    running.sink.write(&records(4)).unwrap();
    drop(running.sink);
    running.worker.await.unwrap();
    assert_eq!(receiver.times().iter().map(|(_, records)| *records).collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let receiver = Receiver::new(&[Step::Say(429, Some(7)), Step::Break, Step::Say(503, None)]);
    let mut running = run(&lines(), &receiver);
    running.sink.write(&records(4)).unwrap();
    drop(receiver.times());
    // The sink stays: at shutdown less time is left.
    while running.counters.sent.load(Ordering::Relaxed) == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let times = receiver.times();
    assert_eq!(times.len(), 4);
    assert!(times[1].0 >= Duration::from_secs(7), "Retry-After is the least: {times:?}");
    assert!(times[3].0 < Duration::from_secs(12), "{times:?}");
    let got = receiver.got.lock().unwrap();
    assert!(got.iter().all(|(_, delivery)| delivery.body == got[0].1.body), "the same request each time");
    assert_eq!(counts(&running.counters), [4, 0, 0, 3, 0]);
}

#[tokio::test(start_paused = true)]
async fn refusals_and_lasting_trouble_are_counted() {
    let receiver = Receiver::new(&[Step::Say(400, None)]);
    let mut running = run(&lines(), &receiver);
    running.sink.write(&records(4)).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(counts(&running.counters), [0, 4, 0, 0, 0], "a refusal is final");

    *receiver.script.lock().unwrap() = [Step::Break; 100].into_iter().collect();
    running.sink.write(&records(4)).unwrap();
    sleep(Duration::from_secs(61)).await;
    let [sent, failed, dropped, retries, held] = counts(&running.counters);
    assert_eq!([sent, failed, dropped, held], [0, 8, 0, 0], "given up in the time for retries");
    assert!(retries > 2);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_holds_up_nobody() {
    let receiver = Receiver::new(&[Step::Hang]);
    let mut running = run(&lines(), &receiver);
    running.sink.write(&records(4)).unwrap();
    sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    for _ in 0..1_000 {
        running.sink.write(&records(1)).unwrap();
    }
    assert_eq!(before.elapsed(), Duration::ZERO, "the sink never waits");
    // Four are under way and ten wait; the rest was dropped.
    assert_eq!(counts(&running.counters), [0, 0, 990, 0, 14]);
    drop(running.sink);
    running.worker.await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(5), "the limit for finishing");
    assert_eq!(counts(&running.counters), [0, 14, 990, 0, 0], "and what it held is accounted for");
}

#[test]
fn threads_end_with_the_sink_and_flush() {
    let metrics = Arc::new(Metrics::new("1"));
    let folder = tempfile::tempdir().unwrap();
    let rotate = RotateOptions { bytes: 1 << 20, every: Duration::from_secs(1 << 30), keep: 1 };
    let path = folder.path().join("out.jsonl");
    let options = options(Target::File { path: path.clone(), rotate });
    let clock = Clock::system();
    let deliver: Arc<dyn Deliver> = Arc::new(RotatingFile::open(path.clone(), rotate, clock).unwrap());
    let shared = Shared { metrics: &metrics, clock, seed: 1, flush_limit: Duration::from_secs(5) };
    let (mut sink, threads) = start(vec![(options, deliver)], shared).unwrap();
    sink.write(&records(6)).unwrap();
    drop(sink);
    threads.join();
    let text = std::fs::read_to_string(path).unwrap();
    let parsed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed.len(), 6);
    assert_eq!(parsed[0]["request_id"], record().id.to_string());
    let scrape = metrics.encode();
    assert!(
        scrape.contains("pointsman_export_records_total{exporter=\"out\",result=\"sent\"} 6"),
        "{scrape}"
    );
    assert!(scrape.contains("pointsman_export_records_held{exporter=\"out\"} 0"), "{scrape}");
}

#[test]
fn stored_bodies_are_bounded_and_only_kept_where_asked_for() {
    let counters = || Arc::new(ExporterCounters::default());
    let mut options = lines();
    let (queue, mut source) = Queue::new(&options, counters());
    let mut sink = ExportSink::default();
    sink.add(queue);
    let large = "x".repeat(40 << 20);
    let with_content = Box::new(with_bodies(record(), &large, ""));
    sink.write(std::slice::from_ref(&with_content)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(source.next()).unwrap().bodies.is_none());

    options.capture_content = true;
    let (queue, mut source) = Queue::new(&options, counters());
    sink.add(queue);
    sink.write(&[with_content.clone(), with_content.clone()]).unwrap();
    assert_eq!(counts(&source.counters), [0, 0, 1, 0, 1], "a second one would be too much");
    assert!(runtime.block_on(source.next()).unwrap().bodies.is_some());
    sink.write(&[with_content]).unwrap();
    assert_eq!(counts(&source.counters)[2], 1, "there is room again");
}

/// A record with everything that a JSON format shows.
fn full() -> RequestRecord {
    let mut full = with_bodies(
        record(),
        r#"{"model":"smart","messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"gpt-4o-mini","choices":[{"message":{"role":"assistant","content":"yes"}}]}"#,
    );
    full.principal = Arc::new(Principal {
        key: Some("key-1".into()),
        team: Some("search".into()),
        user: Some("ada".into()),
        ..Principal::default()
    });
    full.session = Some("s-1".into());
    full.trace = TraceContext { parent_id: Some(7), ..full.trace };
    full
}

fn one(options: &ExporterOptions, record: &RequestRecord) -> (Delivery, Value) {
    let metrics = Arc::new(Metrics::new("1"));
    let shared = Shared {
        metrics: &metrics,
        clock: Clock::starting_at(Duration::from_secs(1_795_337_749)),
        seed: 1,
        flush_limit: Duration::ZERO,
    };
    let mut format = format(options, shared);
    assert!(format.take().is_empty(), "nothing is sent for nothing");
    assert!(format.push(record) > 0);
    let mut deliveries = format.take();
    assert!(format.take().is_empty());
    let delivery = deliveries.remove(0);
    let body = serde_json::from_slice(&delivery.body).unwrap();
    (delivery, body)
}

#[tokio::test]
async fn a_line_holds_the_whole_record() {
    let (delivery, line) = one(&lines(), &full());
    assert!(delivery.body.ends_with(b"}\n"));
    assert_eq!(line["ts"], "2026-11-22T08:55:48.123456Z");
    assert_eq!(line["cost_usd"].to_string(), "0.000150001", "exact");
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(line["parent_span_id"], "0000000000000007");
    assert_eq!(line["attempts"][0]["provider"], "openai");
    assert_eq!((line["team"].as_str(), line.get("error")), (Some("search"), None));
    assert_eq!((line.get("request"), line.get("response")), (None, None), "content is off");

    let options = ExporterOptions { capture_content: true, ..lines() };
    let (_, line) = one(&options, &full());
    assert_eq!(line["request"]["messages"][0]["content"], "hi");
    assert_eq!(line["response"]["choices"][0]["message"]["content"], "yes");
}

#[tokio::test]
async fn webhooks_are_signed() {
    let target = Target::Webhook { endpoint: endpoint(), secret: Some(HmacKey::new(b"s3cret")) };
    let (delivery, body) = one(&options(target), &full());
    let header = |name: &str| delivery.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-pointsman-timestamp"), "1795337749");
    assert!(header("x-pointsman-delivery").starts_with("del_"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(b"1795337749.");
    mac.update(&delivery.body);
    assert_eq!(
        header("x-pointsman-signature"),
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    );
    assert_eq!(body.as_array().map(Vec::len), Some(1));
    assert_eq!(body[0]["request_id"], record().id.to_string());

    let unsigned = Target::Webhook { endpoint: endpoint(), secret: None };
    let (delivery, _) = one(&options(unsigned), &full());
    assert!(!delivery.headers.contains_key("x-pointsman-signature"));
}

#[tokio::test]
async fn helicone_gets_request_response_and_timing() {
    let options = options(Target::Helicone { endpoint: endpoint() });
    let (delivery, log) = one(&options, &full());
    assert_eq!(delivery.headers["content-type"], "application/json");
    assert_eq!(log["providerRequest"]["url"], "custom-model-nopath");
    assert_eq!(log["providerRequest"]["json"], json!({ "model": "gpt-4o-mini" }));
    assert_eq!(log["providerRequest"]["meta"]["Helicone-User-Id"], "ada");
    assert_eq!(log["providerRequest"]["meta"]["Helicone-Session-Id"], "s-1");
    assert!(log["providerRequest"]["meta"].as_object().unwrap().values().all(Value::is_string));
    let id = log["providerRequest"]["meta"]["Helicone-Request-Id"].as_str().unwrap();
    let shape: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(shape, [8, 4, 4, 4, 12], "{id}");
    assert!(id.as_bytes()[14] == b'8' && b"89ab".contains(&id.as_bytes()[19]), "version and variant: {id}");
    assert_eq!(log["providerResponse"]["status"], 200);
    assert_eq!(log["providerResponse"]["headers"], json!({}));
    let usage = json!({ "prompt_tokens": 1_200, "completion_tokens": 50, "total_tokens": 1_250 });
    assert_eq!(log["providerResponse"]["json"]["usage"], usage);
    assert_eq!(log["timing"]["startTime"], json!({ "seconds": 1_795_337_748, "milliseconds": 123 }));
    assert_eq!(log["timing"]["endTime"], json!({ "seconds": 1_795_337_749, "milliseconds": 623 }));
    assert_eq!(log["timing"]["timeToFirstToken"], 900);

    let options = ExporterOptions { capture_content: true, ..options };
    let (_, log) = one(&options, &full());
    assert_eq!(log["providerRequest"]["json"]["messages"][0]["content"], "hi");
    assert_eq!(log["providerResponse"]["json"]["choices"][0]["message"]["content"], "yes");
    let streamed = with_bodies(record(), "{}", "data: {}\n\ndata: [DONE]\n\n");
    let (_, log) = one(&options, &streamed);
    assert_eq!(log["providerResponse"]["textBody"], "data: {}\n\ndata: [DONE]\n\n");
}

#[tokio::test]
async fn datadog_gets_its_reserved_attributes() {
    let options = options(Target::Datadog { endpoint: endpoint() });
    let mut failed = full();
    (failed.outcome, failed.status, failed.error) = (Outcome::UpstreamFault, 502, Some(ErrorCode::ALL[0]));
    let (delivery, entries) = one(&options, &failed);
    assert_eq!(delivery.headers["content-type"], "application/json");
    let entry = &entries[0];
    for (name, value) in [
        ("ddsource", "pointsman"),
        ("ddtags", "env:test"),
        ("service", "pointsman"),
        ("status", "error"),
        ("message", "chat smart by openai/gpt-4o-mini: upstream_fault in 1500 ms"),
    ] {
        assert_eq!(entry[name], value, "{name}");
    }
    assert_eq!(entry["timestamp"], 1_795_337_748_123_i64);
    assert_eq!(entry["http"]["status_code"], 502);
    let mut large = options;
    large.batch.records = 100_000;
    assert!(matches!(pace(&large), Pace::Batch(limits) if limits.records == 1_000), "Datadog's limit");
}
