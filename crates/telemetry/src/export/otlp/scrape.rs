//! From our own OpenMetrics text to OTLP metrics: what is pushed is what `/metrics` shows, also where a
//! metric is added later. Reads only what [`crate::exposition`] writes (OpenMetrics 1.0).

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric,
};

use super::Attributes;

/// Start of counting and now, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) now: u64,
}

#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    /// By labels without `le`; of one sample, or of the parts of a histogram.
    series: BTreeMap<Vec<(String, String)>, Series>,
}

#[derive(Default)]
struct Series {
    value: f64,
    /// Cumulative counts by upper bound, in order.
    buckets: Vec<(f64, u64)>,
    count: u64,
}

/// All metrics of a scrape.
pub(super) fn metrics(text: &str, window: Window) -> Vec<Metric> {
    let mut families: Vec<(String, Family)> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (Some(word), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if families.last().is_none_or(|(last, _)| last != name) {
                families.push((name.to_owned(), Family::default()));
            }
            let Some((_, family)) = families.last_mut() else { continue };
            match word {
                "TYPE" => rest.clone_into(&mut family.kind),
                "HELP" => rest.clone_into(&mut family.help),
                _ => {}
            }
        } else if let (Some((name, family)), Some(sample)) = (families.last_mut(), Sample::parse(line)) {
            family.add(name, sample);
        }
    }
    families.into_iter().filter_map(|(name, family)| family.finish(name, window)).collect()
}

struct Sample<'t> {
    name: &'t str,
    labels: Vec<(String, String)>,
    value: f64,
}

impl<'t> Sample<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        let end = line.find(['{', ' '])?;
        let (name, mut rest) = line.split_at(end);
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, after) = rest.trim_start_matches(',').split_once("=\"")?;
                let (value, after) = quoted(after)?;
                labels.push((label.to_owned(), value));
                rest = after;
            }
            rest = &rest[1..];
        }
        let value = rest.trim_start().split(' ').next()?.parse().ok()?;
        Some(Self { name, labels, value })
    }
}

/// The text up to the closing quote, unescaped, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
    None
}

impl Family {
    fn add(&mut self, name: &str, mut sample: Sample<'_>) {
        let part = sample.name.strip_prefix(name).unwrap_or_default();
        let bound = sample.labels.iter().position(|(label, _)| label == "le");
        let bound = bound.and_then(|at| sample.labels.remove(at).1.parse::<f64>().ok());
        let series = self.series.entry(sample.labels).or_default();
        match (part, bound) {
            ("_bucket", Some(bound)) => series.buckets.push((bound, sample.value as u64)),
            ("_count", _) => series.count = sample.value as u64,
            _ => series.value = sample.value,
        }
    }

    fn finish(self, name: String, window: Window) -> Option<Metric> {
        if self.series.is_empty() {
            return None;
        }
        let temporality = AggregationTemporality::Cumulative.into();
        let (start, now) = (window.start, window.now);
        let numbers = |start: u64| {
            let points = self.series.iter().map(|(labels, series)| NumberDataPoint {
                attributes: attributes(labels),
                start_time_unix_nano: start,
                time_unix_nano: now,
                value: Some(Value::AsDouble(series.value)),
                ..NumberDataPoint::default()
            });
            points.collect()
        };
        let data = match self.kind.as_str() {
            "counter" => metric::Data::Sum(Sum {
                data_points: numbers(start),
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            "histogram" => metric::Data::Histogram(Histogram {
                data_points: self
                    .series
                    .iter()
                    .map(|(labels, series)| series.point(labels, window))
                    .collect(),
                aggregation_temporality: temporality,
            }),
            _ => metric::Data::Gauge(Gauge { data_points: numbers(0) }),
        };
        let unit = if name.ends_with("_seconds") { "s".to_owned() } else { String::new() };
        Some(Metric { name, description: self.help, unit, data: Some(data), ..Metric::default() })
    }
}

impl Series {
    /// OTLP counts by bucket where OpenMetrics counts up to each bound; the last has no bound there.
    fn point(&self, labels: &[(String, String)], window: Window) -> HistogramDataPoint {
        let mut below = 0;
        let counts =
            self.buckets.iter().map(|&(_, count)| count - std::mem::replace(&mut below, count).min(count));
        HistogramDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: window.start,
            time_unix_nano: window.now,
            count: self.count,
            sum: Some(self.value),
            bucket_counts: counts.collect(),
            explicit_bounds: self
                .buckets
                .iter()
                .map(|&(bound, _)| bound)
                .filter(|bound| bound.is_finite())
                .collect(),
            ..HistogramDataPoint::default()
        }
    }
}

/// Our labels are the GenAI attributes with underscores for dots: here they get their dots back.
fn attributes(labels: &[(String, String)]) -> Vec<KeyValue> {
    let mut attributes = Attributes::default();
    for (label, value) in labels {
        let name = match label.strip_prefix("gen_ai_") {
            Some(rest) => format!("gen_ai.{}", rest.replacen('_', ".", 1)),
            None => label.clone(),
        };
        attributes.text(&name, value.clone());
    }
    attributes.0
}
