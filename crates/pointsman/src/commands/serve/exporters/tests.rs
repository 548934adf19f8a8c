//! Every kind from its configuration over real connections to a receiver that is checked strictly: method,
//! path, headers, body.

use std::path::Path;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use pointsman_config::{ConfigFile, Input, prepare};
use pointsman_core::record::TraceContext;
use pointsman_core::store::RecordSink;
use pointsman_core::{Operation, Outcome, RequestId, RequestRecord, Usage};
use pointsman_testkit::mock::{Answer as Say, Mock, Received};
use pointsman_transport::connect::{Connect, ConnectError, Connecting, Origin};
use prost::Message;
use serde_json::{Value, json};

use super::*;

fn record() -> RequestRecord {
    RequestRecord {
        id: RequestId::first_at(1_795_337_748_123),
        started_unix_us: 1_795_337_748_123_456,
        principal: Arc::default(),
        agent: None,
        session: None,
        trace: TraceContext { trace_id: 7, parent_id: Some(9), flags: 1 },
        tags: None,
        operation: Operation::Chat,
        streamed: false,
        requested_model: "smart".into(),
        route: None,
        attempts: std::iter::empty().collect(),
        usage: Usage::default(),
        cost: None,
        price_version: 1,
        config_generation: 1,
        status: 200,
        outcome: Outcome::Success,
        error: None,
        duration_us: 1_000,
        first_token_us: None,
        overhead_us: 10,
        request_bytes: 1,
        response_bytes: 1,
        simulated: false,
        dropped: None,
        bodies: None,
    }
}

struct Nowhere;

impl Connect for Nowhere {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move { Err(ConnectError::Unknown(Arc::clone(&origin.host))) })
    }
}

fn settings(exporters: &str) -> Arc<Settings> {
    let text = format!("exporters:\n{exporters}");
    let environment = [("SECRET", "s3cret"), ("PUBLIC", "pk")].into_iter().collect();
    let file = Some(ConfigFile { path: Path::new("pointsman.yaml"), text: &text });
    let input = Input { file, environment: &environment, overrides: &[], engines: &[] };
    let snapshot = prepare(&input, &Upstreams::new(Arc::new(Nowhere)), None);
    snapshot.unwrap_or_else(|errors| panic!("{errors}")).settings.clone()
}

/// Exports two records and ends. Returns what arrived, and the metrics.
async fn export(mock: &Mock, kind: &str) -> (Vec<Received>, Arc<Metrics>) {
    let server = mock.serve_tcp().await.unwrap();
    let endpoint = format!("endpoint: 'http://{}/base'", server.authority);
    let settings =
        settings(&format!("  out: {{ {}, batch: {{ wait: 10ms }} }}", kind.replace("ENDPOINT", &endpoint)));
    let metrics = Arc::new(Metrics::new("1.2.3"));
    let started = start(&settings, &metrics, Clock::system()).unwrap();
    let (mut sink, threads) = started.unwrap();
    sink.write(&[Box::new(record()), Box::new(record())]).unwrap();
    drop(sink);
    tokio::task::spawn_blocking(move || threads.join()).await.unwrap();
    (mock.received(), metrics)
}

/// The only request, with its common parts checked.
fn only(received: &[Received], path: &str, content_type: &str) -> Received {
    let [one] = received else { panic!("{received:?}") };
    assert_eq!((one.method.as_str(), one.target.as_str()), ("POST", path));
    assert_eq!(one.header("content-type"), Some(content_type));
    assert_eq!(one.header("content-length").map(str::parse), Some(Ok(one.body.len())));
    assert_eq!(
        one.header("user-agent"),
        Some("pointsman/".to_owned() + env!("CARGO_PKG_VERSION")).as_deref()
    );
    one.clone()
}

fn json_of(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

fn accepting() -> Mock {
    let mock = Mock::new();
    mock.otherwise(|_| Say::json(&json!({})));
    mock
}

#[tokio::test(flavor = "multi_thread")]
async fn otlp_traces() {
    let mock = accepting();
    let kind = "kind: otlp, ENDPOINT, metrics: false, headers: { x-team: a, authorization: { env: SECRET } }";
    let (received, metrics) = export(&mock, kind).await;
    let got = only(&received, "/base/v1/traces", "application/x-protobuf");
    assert_eq!((got.header("authorization"), got.header("x-team")), (Some("s3cret"), Some("a")));
    let request = ExportTraceServiceRequest::decode(got.body).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].trace_id, 7_u128.to_be_bytes());
    assert_eq!(spans[0].parent_span_id, 9_u64.to_be_bytes());
    assert!(metrics.encode().contains("pointsman_export_records_total{exporter=\"out\",result=\"sent\"} 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn otlp_metrics() {
    let mock = accepting();
    let (received, _) = export(&mock, "kind: otlp, ENDPOINT, traces: false").await;
    let got = only(&received, "/base/v1/metrics", "application/x-protobuf");
    let request = ExportMetricsServiceRequest::decode(got.body).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    assert!(metrics.iter().any(|metric| metric.name == "pointsman_build"), "a last report at the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn langfuse() {
    let mock = accepting();
    let kind = "kind: langfuse, ENDPOINT, public_key: { env: PUBLIC }, secret_key: { env: SECRET }";
    let (received, _) = export(&mock, kind).await;
    let got = only(&received, "/base/api/public/otel/v1/traces", "application/x-protobuf");
    assert_eq!(got.header("authorization"), Some("Basic cGs6czNjcmV0"));
    assert_eq!(got.header("x-langfuse-ingestion-version"), Some("4"));
    let request = ExportTraceServiceRequest::decode(got.body).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    assert!(spans[0].attributes.iter().any(|attribute| attribute.key == "langfuse.trace.name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn helicone() {
    let mock = accepting();
    let (received, _) = export(&mock, "kind: helicone, ENDPOINT, api_key: { env: SECRET }").await;
    assert_eq!(received.len(), 2, "one request a record");
    let got = only(&received[..1], "/base/custom/v1/log", "application/json");
    assert_eq!(got.header("authorization"), Some("Bearer s3cret"));
    let log = json_of(&got);
    let keys: Vec<_> = log.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["providerRequest", "providerResponse", "timing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datadog() {
    let mock = accepting();
    mock.script([Say::status(202, &json!({}))]);
    let (received, _) = export(&mock, "kind: datadog, ENDPOINT, api_key: { env: SECRET }").await;
    let got = only(&received, "/base/api/v2/logs", "application/json");
    assert_eq!(got.header("dd-api-key"), Some("s3cret"));
    assert_eq!(json_of(&got)[1]["ddsource"], "pointsman");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_tried_again_as_the_receiver_asks() {
    let mock = accepting();
    mock.script([Say::status(503, &json!({})).header("retry-after", "0")]);
    let (received, metrics) = export(&mock, "kind: webhook, ENDPOINT, secret: { env: SECRET }").await;
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].body, received[1].body);
    let got = only(&received[1..], "/base", "application/json");
    assert!(got.header("x-pointsman-signature").is_some_and(|signature| signature.starts_with("sha256=")));
    assert_eq!(json_of(&got).as_array().map(Vec::len), Some(2));
    assert!(metrics.encode().contains("pointsman_export_retries_total{exporter=\"out\"} 1"));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_told_at_start() {
    let settings = settings("  out: { kind: file, path: /nonexistent/r.jsonl }");
    let metrics = Arc::new(Metrics::new("1"));
    let failure = start(&settings, &metrics, Clock::system()).unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("cannot start the exporter `out`: /nonexistent/r.jsonl: "), "{text}");
}
