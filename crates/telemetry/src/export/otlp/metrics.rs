//! Metrics at an interval: everything that `/metrics` shows, and the two histograms of the GenAI
//! conventions, which are counted here from the records.

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics, metric,
};
use pointsman_core::{AttemptRecord, Clock, Outcome, RequestRecord, UsageSource};
use prost::Message;

use super::super::json::content_type;
use super::super::{Delivery, ExporterOptions, Format, semconv};
use super::scrape::{self, Window};
use super::{Attributes, CONTENT_TYPE, resource, scope};
use crate::Metrics;
use crate::names::OTHER;

/// Advised for `gen_ai.client.operation.duration`, in seconds.
const DURATION_BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Advised for `gen_ai.client.token.usage`.
const TOKEN_BOUNDS: [f64; 14] = [
    1.,
    4.,
    16.,
    64.,
    256.,
    1_024.,
    4_096.,
    16_384.,
    65_536.,
    262_144.,
    1_048_576.,
    4_194_304.,
    16_777_216.,
    67_108_864.,
];
/// Series of one histogram; model names come from callers. Beyond, they count as `other`.
const MAX_SERIES: usize = 1_000;

/// The format. Records are counted, not sent.
pub(in super::super) struct MetricsFormat {
    options: ExporterOptions,
    metrics: Arc<Metrics>,
    clock: Clock,
    start: u64,
    duration: HashMap<Key, Buckets>,
    tokens: HashMap<Key, Buckets>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    operation: &'static str,
    provider: Arc<str>,
    model: Arc<str>,
    /// `error.type` of the duration, or the type of token.
    word: &'static str,
}

struct Buckets {
    counts: [u64; DURATION_BOUNDS.len() + 1],
    sum: f64,
}

impl MetricsFormat {
    pub(in super::super) fn new(options: &ExporterOptions, metrics: Arc<Metrics>, clock: Clock) -> Self {
        let (options, start) = (options.clone(), now(clock));
        Self { options, metrics, clock, start, duration: HashMap::new(), tokens: HashMap::new() }
    }

    fn observe(&mut self, operation: &'static str, attempt: &AttemptRecord) {
        let key =
            |word| Key { operation, provider: attempt.provider.clone(), model: attempt.model.clone(), word };
        let error = if attempt.outcome == Outcome::Success { "" } else { attempt.outcome.as_str() };
        count(&mut self.duration, key(error), attempt.duration_us as f64 / 1e6, &DURATION_BOUNDS);
        if attempt.usage.source != UsageSource::Unknown {
            count(&mut self.tokens, key("input"), attempt.usage.input as f64, &TOKEN_BOUNDS);
            count(&mut self.tokens, key("output"), attempt.usage.output as f64, &TOKEN_BOUNDS);
        }
    }
}

impl Format for MetricsFormat {
    fn push(&mut self, record: &RequestRecord) -> usize {
        for attempt in &record.attempts {
            self.observe(record.operation.as_str(), attempt);
        }
        0
    }

    fn take(&mut self) -> Vec<Delivery> {
        let window = Window { start: self.start, now: now(self.clock) };
        let mut all = scrape::metrics(&self.metrics.encode(), window);
        let described = "Duration of upstream calls";
        all.extend(histogram((semconv::OPERATION_DURATION, "s", described), &self.duration, window));
        let described = "Tokens of upstream calls";
        all.extend(histogram((semconv::TOKEN_USAGE, "{token}", described), &self.tokens, window));
        let version = self.metrics.version();
        let scope_metrics = ScopeMetrics {
            scope: Some(scope(version)),
            metrics: all,
            schema_url: semconv::SCHEMA_URL.into(),
        };
        let resource_metrics = ResourceMetrics {
            resource: Some(resource(&self.options, version)),
            scope_metrics: vec![scope_metrics],
            schema_url: semconv::SCHEMA_URL.into(),
        };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] };
        vec![Delivery {
            headers: content_type(CONTENT_TYPE),
            body: request.encode_to_vec().into(),
            records: 0,
        }]
    }
}

fn count(series: &mut HashMap<Key, Buckets>, mut key: Key, value: f64, bounds: &[f64; 14]) {
    if series.len() >= MAX_SERIES && !series.contains_key(&key) {
        (key.provider, key.model) = (OTHER.into(), OTHER.into());
    }
    let buckets = series.entry(key).or_insert_with(|| Buckets { counts: [0; 15], sum: 0.0 });
    buckets.counts[bounds.partition_point(|&bound| bound < value)] += 1;
    buckets.sum += value;
}

fn histogram(
    (name, unit, description): (&str, &str, &str),
    series: &HashMap<Key, Buckets>,
    window: Window,
) -> Option<Metric> {
    let tokens = name == semconv::TOKEN_USAGE;
    let bounds = if tokens { &TOKEN_BOUNDS } else { &DURATION_BOUNDS };
    let points = series.iter().map(|(key, buckets)| {
        let mut attributes = Attributes::default();
        attributes.text(semconv::OPERATION_NAME, key.operation);
        attributes.text(semconv::PROVIDER_NAME, &*key.provider);
        attributes.text(semconv::REQUEST_MODEL, &*key.model);
        if tokens {
            attributes.text(semconv::TOKEN_TYPE, key.word);
        } else if !key.word.is_empty() {
            attributes.text(semconv::ERROR_TYPE, key.word);
        }
        HistogramDataPoint {
            attributes: attributes.0,
            start_time_unix_nano: window.start,
            time_unix_nano: window.now,
            count: buckets.counts.iter().sum(),
            sum: Some(buckets.sum),
            bucket_counts: buckets.counts.to_vec(),
            explicit_bounds: bounds.to_vec(),
            ..HistogramDataPoint::default()
        }
    });
    let data_points: Vec<_> = points.collect();
    if data_points.is_empty() {
        return None;
    }
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    Some(Metric {
        name: name.into(),
        description: description.into(),
        unit: unit.into(),
        data: Some(metric::Data::Histogram(Histogram { data_points, aggregation_temporality })),
        ..Metric::default()
    })
}

fn now(clock: Clock) -> u64 {
    u64::try_from(clock.unix_us(clock.now())).unwrap_or_default().saturating_mul(1_000)
}
