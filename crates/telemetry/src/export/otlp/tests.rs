//! What is sent, decoded from its protobuf by the official message types.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use pointsman_core::{Clock, Cost, ErrorCode, Outcome, Principal, RequestRecord, Usage};
use prost::Message;
use serde_json::{Value, json};

use super::super::tests::{endpoint, options};
use super::super::{Delivery, Format, Ratio, Target};
use super::*;
use crate::Metrics;
use crate::fixture::{attempt, record, with_bodies};

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(flag)) => flag.to_string(),
        Some(any_value::Value::ArrayValue(list)) => {
            let items: Vec<String> = list.values.iter().map(|value| text(Some(value))).collect();
            format!("[{}]", items.join("|"))
        }
        other => panic!("{other:?}"),
    }
}

fn map(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let map: BTreeMap<_, _> =
        attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect();
    assert_eq!(map.len(), attributes.len(), "each attribute once");
    map
}

/// Strict: exactly one resource, scope and request; ids of the right length.
fn spans(mut deliveries: Vec<Delivery>) -> Vec<Span> {
    assert_eq!(deliveries.len(), 1);
    let delivery = deliveries.remove(0);
    assert_eq!(delivery.headers["content-type"], "application/x-protobuf");
    let mut request = ExportTraceServiceRequest::decode(delivery.body).unwrap();
    assert_eq!(request.resource_spans.len(), 1);
    let mut resource_spans = request.resource_spans.remove(0);
    let resource = map(&resource_spans.resource.unwrap().attributes);
    assert_eq!(resource["service.name"], "pointsman");
    assert_eq!(resource["service.version"], "1.2.3");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert_eq!(resource_spans.scope_spans.len(), 1);
    let scope_spans = resource_spans.scope_spans.remove(0);
    assert_eq!(scope_spans.scope.unwrap().name, "pointsman");
    for span in &scope_spans.spans {
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    scope_spans.spans
}

fn traces(content: bool, langfuse: bool) -> Traces {
    sampling(Ratio::ALL, content, langfuse)
}

fn sampling(ratio: Ratio, content: bool, langfuse: bool) -> Traces {
    let mut options = options(Target::OtlpTraces { endpoint: endpoint(), ratio: Ratio::ALL });
    options.capture_content = content;
    Traces::new(&options, ratio, "1.2.3", langfuse)
}

fn one(mut traces: Traces, record: &RequestRecord) -> Vec<Span> {
    assert!(traces.push(record) > 0);
    spans(traces.take())
}

/// Two attempts, the first of which failed.
fn fell_back() -> RequestRecord {
    let mut request = record();
    let mut failed = attempt(Usage::default(), Some(Cost::default()));
    (failed.outcome, failed.status) = (Outcome::RateLimited { retry_after: None }, Some(429));
    (failed.provider, failed.detail) = ("azure".into(), Some("quota".into()));
    failed.duration_us = 10;
    request.attempts.insert(0, failed);
    request.trace.parent_id = Some(0xb7ad_6b71_6920_3331);
    request.principal = Arc::new(Principal { user: Some("ada".into()), ..Principal::default() });
    (request.session, request.tags) = (Some("s-1".into()), Some("a=1, b=2".into()));
    request
}

#[test]
fn a_request_is_a_server_span_with_attempts_below_it() {
    let request = fell_back();
    let spans = one(traces(false, false), &request);
    let [server, first, second] = &spans[..] else { panic!("{spans:?}") };
    for span in &spans {
        assert_eq!(span.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
    }
    assert_eq!((server.name.as_str(), server.kind()), ("chat smart", SpanKind::Server));
    assert_eq!(server.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes(), "the caller's span");
    assert_eq!(server.flags, 0x301, "sampled, and the parent is remote");
    assert_eq!(server.start_time_unix_nano, 1_795_337_748_123_456_000);
    assert_eq!(server.end_time_unix_nano - server.start_time_unix_nano, 1_500_000_000);
    assert_eq!(server.status.as_ref().unwrap().code(), StatusCode::Unset);
    let attributes = map(&server.attributes);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "smart"),
        ("gen_ai.response.model", "gpt-4o-mini"),
        ("gen_ai.usage.input_tokens", "1200"),
        ("gen_ai.usage.output_tokens", "50"),
        ("gen_ai.usage.cache_read.input_tokens", "200"),
        ("gen_ai.conversation.id", "s-1"),
        ("user.id", "ada"),
        ("http.response.status_code", "200"),
        ("pointsman.cost_usd", "0.000150001"),
        ("pointsman.route", "smart"),
    ] {
        assert_eq!(attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!attributes.contains_key("error.type"));

    for (span, index) in [(first, 1), (second, 2)] {
        assert_eq!(span.parent_span_id, server.span_id);
        assert_eq!(span.kind(), SpanKind::Client);
        assert_eq!(span.span_id, request.id.span(index).to_be_bytes());
        assert_eq!(span.start_time_unix_nano - server.start_time_unix_nano, 20_000);
    }
    let attributes = map(&first.attributes);
    assert_eq!(attributes["gen_ai.provider.name"], "azure");
    assert_eq!(attributes["error.type"], "rate_limited");
    assert!(!attributes.contains_key("gen_ai.usage.input_tokens"), "unknown is not 0");
    let status = first.status.as_ref().unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "quota"));
    assert_eq!(second.status.as_ref().unwrap().code(), StatusCode::Unset);
    assert_eq!(map(&second.attributes)["gen_ai.provider.name"], "openai");
}

#[test]
fn only_faults_of_the_server_are_errors_of_its_span() {
    for (status, outcome, expected) in [
        (502, Outcome::UpstreamFault, StatusCode::Error),
        (400, Outcome::ClientFault, StatusCode::Unset),
        (0, Outcome::Cancelled, StatusCode::Error),
    ] {
        let mut request = record();
        (request.status, request.outcome, request.error) = (status, outcome, Some(ErrorCode::ALL[0]));
        let spans = one(traces(false, false), &request);
        assert_eq!(spans[0].status.as_ref().unwrap().code(), expected, "{status}");
        assert_eq!(map(&spans[0].attributes)["error.type"], ErrorCode::ALL[0].as_str());
    }
}

#[test]
fn the_callers_decision_to_sample_is_kept_and_others_are_drawn() {
    let mut none = sampling(Ratio(0), false, false);
    let mut request = fell_back();
    assert!(none.push(&request) > 0, "the caller samples it");
    request.trace.flags = 0;
    assert_eq!(traces(false, false).push(&request), 0, "the caller does not");
    request.trace.parent_id = None;
    assert!(traces(false, false).push(&request) > 0, "it begins here: the ratio decides");
    let mut none = sampling(Ratio(0), false, false);
    assert_eq!(none.push(&request), 0);
    request.trace.trace_id = 0;
    assert_eq!(traces(false, false).push(&request), 0, "refused before its headers were read");
}

#[test]
fn content_goes_along_only_where_it_is_asked_for() {
    let request = with_bodies(
        record(),
        r#"{"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"choices":[{"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}"#,
    );
    let without = map(&one(traces(false, false), &request)[0].attributes);
    assert!(!without.keys().any(|name| name.ends_with("messages")));
    let with = map(&one(traces(true, false), &request)[0].attributes);
    let input: Value = serde_json::from_str(&with["gen_ai.input.messages"]).unwrap();
    assert_eq!(input, json!([{ "role": "user", "parts": [{ "type": "text", "content": "hi" }] }]));
    let output: Value = serde_json::from_str(&with["gen_ai.output.messages"]).unwrap();
    assert_eq!(output[0]["parts"][0]["content"], "yes");
    assert_eq!(output[0]["finish_reason"], "stop");
}

#[test]
fn langfuse_reads_its_own_attributes() {
    let request = with_bodies(fell_back(), r#"{"prompt":"hi"}"#, r#"{"choices":[{"text":"yes"}]}"#);
    let spans = one(traces(true, true), &request);
    let root = map(&spans[0].attributes);
    for (name, value) in [
        ("langfuse.trace.name", "chat smart"),
        ("langfuse.user.id", "ada"),
        ("langfuse.session.id", "s-1"),
        ("langfuse.trace.tags", "[a=1|b=2]"),
        ("langfuse.environment", "test"),
        ("langfuse.observation.type", "span"),
        ("langfuse.observation.level", "DEFAULT"),
    ] {
        assert_eq!(root[name], value, "{name}");
    }
    let failed = map(&spans[1].attributes);
    assert_eq!(failed["langfuse.observation.type"], "generation");
    assert_eq!(failed["langfuse.observation.level"], "ERROR");
    assert_eq!(failed["langfuse.observation.status_message"], "quota");
    assert!(!failed.contains_key("langfuse.observation.input"), "not told twice");
    let answered = map(&spans[2].attributes);
    assert_eq!(answered["langfuse.observation.model.name"], "gpt-4o-mini");
    let usage: Value = serde_json::from_str(&answered["langfuse.observation.usage_details"]).unwrap();
    assert_eq!(usage, json!({ "input": 1_000, "input_cached_tokens": 200, "output": 50, "total": 1_250 }));
    let cost: Value = serde_json::from_str(&answered["langfuse.observation.cost_details"]).unwrap();
    assert_eq!(cost["total"].to_string(), "0.000150001");
    assert_eq!(answered["langfuse.observation.completion_start_time"], "2026-11-22T08:55:49.023456Z");
    assert!(answered["langfuse.observation.input"].contains("hi"));
    assert!(answered["langfuse.observation.output"].contains("yes"));
}

fn decode_metrics(delivery: Delivery) -> BTreeMap<String, Metric> {
    assert_eq!(delivery.headers["content-type"], "application/x-protobuf");
    let mut request = ExportMetricsServiceRequest::decode(delivery.body).unwrap();
    let scope = request.resource_metrics.remove(0).scope_metrics.remove(0);
    scope.metrics.into_iter().map(|metric| (metric.name.clone(), metric)).collect()
}

#[tokio::test(start_paused = true)]
async fn metrics_are_those_of_the_scrape_and_the_histograms_of_the_conventions() {
    let metrics = Arc::new(Metrics::new("1.2.3"));
    let odd = metrics.deployment("a\"b\\c", "line\nfeed");
    metrics.observe([&*metrics.deployment("openai", "gpt-4o-mini")], &record());
    odd.observe(&attempt(record().usage, None));
    let clock = Clock::starting_at(Duration::from_secs(1_000));
    let every = Duration::from_secs(60);
    let options = options(Target::OtlpMetrics { endpoint: endpoint(), every });
    let mut format = MetricsFormat::new(&options, metrics.clone(), clock);
    assert_eq!(format.push(&fell_back()), 0, "records are counted, not sent");
    tokio::time::advance(every).await;
    let all = decode_metrics(format.take().remove(0));

    let scraped: Vec<String> = metrics
        .encode()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .collect();
    let with_values = |name: &&String| metrics.encode().lines().any(|line| line.starts_with(name.as_str()));
    for name in scraped.iter().filter(with_values) {
        assert!(all.contains_key(name), "{name} is scraped, but not pushed");
    }

    let Some(metric::Data::Sum(tokens)) = &all["pointsman_tokens"].data else { panic!("a counter") };
    assert!(tokens.is_monotonic);
    let point = tokens.data_points.iter().find(|point| {
        map(&point.attributes)["gen_ai.token.type"] == "input"
            && map(&point.attributes)["gen_ai.provider.name"] == "openai"
    });
    let point = point.unwrap();
    assert_eq!(point.value, Some(number_data_point::Value::AsDouble(1_200.0)));
    assert_eq!(point.start_time_unix_nano, 1_000_000_000_000);
    assert_eq!(point.time_unix_nano, 1_060_000_000_000);
    assert!(tokens.data_points.iter().any(|point| {
        let labels = map(&point.attributes);
        labels["gen_ai.provider.name"] == "a\"b\\c" && labels["gen_ai.request.model"] == "line\nfeed"
    }));

    let Some(metric::Data::Histogram(durations)) = &all["pointsman_request_duration_seconds"].data else {
        panic!("a histogram")
    };
    assert_eq!(all["pointsman_request_duration_seconds"].unit, "s");
    let point = &durations.data_points[0];
    assert_eq!((point.count, point.sum), (1, Some(1.5)));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 1);
    let bucket = point.bucket_counts.iter().position(|&count| count == 1).unwrap();
    assert_eq!(point.explicit_bounds[bucket], 2.5);

    let Some(metric::Data::Histogram(tokens)) = &all["gen_ai.client.token.usage"].data else { panic!() };
    assert_eq!(all["gen_ai.client.token.usage"].unit, "{token}");
    assert_eq!(tokens.data_points.len(), 2, "input and output of the one attempt whose usage is known");
    let Some(metric::Data::Histogram(durations)) = &all["gen_ai.client.operation.duration"].data else {
        panic!()
    };
    assert_eq!(durations.data_points.len(), 2);
    let failed = durations.data_points.iter().map(|point| map(&point.attributes));
    let failed: Vec<_> = failed.filter(|labels| labels.contains_key("error.type")).collect();
    assert_eq!(failed[0]["error.type"], "rate_limited");
    assert_eq!(failed[0]["gen_ai.provider.name"], "azure");
}
