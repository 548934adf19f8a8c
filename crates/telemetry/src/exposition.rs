//! Renders [`Series`] for a scrape. Series that were never counted are left out, so that its size
//! follows what is used; gauges and the counters that alerts watch are always there.

use std::fmt::Error;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use pointsman_core::{ErrorCode, Operation, Outcome};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeMetric, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use crate::deployment::{DeploymentMetrics, TOKEN_KINDS};
use crate::histogram::{DurationHistogram, seconds};
use crate::metrics::{STATUS_CLASSES, Series, USAGE_SOURCES};
use crate::names;

/// Nano-dollars in a dollar.
const NANOS_PER_USD: f64 = 1e9;

impl Collector for Series {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.encode_requests(&mut encoder)?;
        self.encode_deployments(&mut encoder)?;
        self.encode_resilience(&mut encoder)?;
        self.encode_queues(&mut encoder)?;
        self.encode_exporters(&mut encoder)?;
        self.encode_state(&mut encoder)
    }
}

impl Series {
    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = counters(encoder, names::REQUESTS, "Client requests that have ended")?;
        for (operation, by_outcome) in Operation::ALL.iter().zip(&self.requests) {
            for (outcome, by_class) in Outcome::WORDS.iter().zip(by_outcome) {
                for (class, by_stream) in STATUS_CLASSES.iter().zip(by_class) {
                    for (stream, count) in STREAM.iter().zip(by_stream) {
                        let labels = [
                            (names::OPERATION, operation.as_str()),
                            (names::OUTCOME, outcome),
                            (names::STATUS_CLASS, class),
                            (names::STREAM, stream),
                        ];
                        count_used(&mut family, &labels, count)?;
                    }
                }
            }
        }
        let help = "Client requests that were refused before they had a record";
        let mut family = counters(encoder, names::REFUSED, help)?;
        for (code, count) in ErrorCode::ALL.iter().zip(&self.refused) {
            count_used(&mut family, &[(names::CODE, code.as_str())], count)?;
        }
        for (name, help, histograms) in [
            (names::REQUEST_DURATION, "From accepting a request to the end of its answer", &self.duration),
            (names::FIRST_TOKEN, "To the first token of a stream, or to a plain answer", &self.first_token),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
            for (operation, by_stream) in Operation::ALL.iter().zip(histograms) {
                for (stream, histogram) in STREAM.iter().zip(by_stream) {
                    let labels = [(names::OPERATION, operation.as_str()), (names::STREAM, stream)];
                    histogram_used(&mut family, &labels, histogram)?;
                }
            }
        }
        let help = "Time inside Pointsman, not spent waiting for client or upstream";
        self.overhead.encode(encoder.encode_descriptor(
            names::OVERHEAD,
            help,
            None,
            MetricType::Histogram,
        )?)?;
        let mut family = counters(encoder, names::USAGE, "Requests by the source of their token counts")?;
        for (source, count) in USAGE_SOURCES.iter().zip(&self.usage) {
            count_used(&mut family, &[(names::SOURCE, source.as_str())], count)?;
        }
        Ok(())
    }

    fn encode_deployments(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let all = self.deployments.all();
        let mut family = counters(encoder, names::ATTEMPTS, "Upstream calls that have ended")?;
        for deployment in &all {
            for (outcome, count) in Outcome::WORDS.iter().zip(&deployment.outcomes) {
                let [provider, model] = labels(deployment);
                count_used(&mut family, &[provider, model, (names::OUTCOME, outcome)], count)?;
            }
        }
        let mut family = counters(encoder, names::ATTEMPT_SECONDS, "Time spent in upstream calls")?;
        for deployment in &all {
            let spent = deployment.duration_us.load(Ordering::Relaxed);
            value_used(&mut family, &labels(deployment), seconds(spent))?;
        }
        let help = "Tokens by kind: input includes cached_input and cache_write, output includes reasoning";
        let mut family = counters(encoder, names::TOKENS, help)?;
        for deployment in &all {
            for (kind, count) in TOKEN_KINDS.iter().zip(&deployment.tokens) {
                let [provider, model] = labels(deployment);
                count_used(&mut family, &[provider, model, (names::TOKEN_TYPE, kind)], count)?;
            }
        }
        let mut family = counters(encoder, names::COST, "Cost of upstream calls whose price is known")?;
        for deployment in &all {
            let nanos = deployment.cost_nanos.load(Ordering::Relaxed);
            value_used(&mut family, &labels(deployment), nanos as f64 / NANOS_PER_USD)?;
        }
        let mut family = counters(encoder, names::UNPRICED, "Upstream calls whose price is not known")?;
        for deployment in &all {
            count_used(&mut family, &labels(deployment), &deployment.unpriced)?;
        }
        Ok(())
    }

    fn encode_queues(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = counters(encoder, names::QUEUE_DROPS, "Entries that a full queue refused")?;
        for (queue, drops) in &*self.queue_drops.lock().unwrap_or_else(PoisonError::into_inner) {
            count(&mut family, &[(names::QUEUE, queue)], drops)?;
        }
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = counters(encoder, names::RECORDS_WRITTEN, "Request records that a sink took")?;
        for (sink, counters) in &*sinks {
            count(&mut family, &[(names::SINK, sink)], &counters.written)?;
        }
        let help = "Request records that a sink lost";
        let mut family = counters(encoder, names::RECORDS_FAILED, help)?;
        for (sink, counters) in &*sinks {
            count(&mut family, &[(names::SINK, sink)], &counters.failed)?;
        }
        Ok(())
    }

    fn encode_exporters(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let exporters = self.exporters.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "Request records by what became of them at an exporter";
        let mut family = counters(encoder, names::EXPORT_RECORDS, help)?;
        for (name, counters) in &*exporters {
            for (result, counter) in
                [("sent", &counters.sent), ("failed", &counters.failed), ("dropped", &counters.dropped)]
            {
                count(&mut family, &[(names::EXPORTER, name), (names::RESULT, result)], counter)?;
            }
        }
        let mut family =
            counters(encoder, names::EXPORT_RETRIES, "Requests of an exporter that were sent again")?;
        for (name, counters) in &*exporters {
            count(&mut family, &[(names::EXPORTER, name)], &counters.retries)?;
        }
        let help = "Request records that wait for an exporter or are under way";
        let mut family = encoder.encode_descriptor(names::EXPORT_HELD, help, None, MetricType::Gauge)?;
        for (name, counters) in &*exporters {
            let labels = [(names::EXPORTER, &**name)];
            let held = i64::try_from(counters.held.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
            family.encode_family(&labels)?.encode_gauge(&held)?;
        }
        Ok(())
    }

    fn encode_state(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        for (name, help, gauge) in [
            (names::IN_FLIGHT, "Requests that have not ended", &self.in_flight),
            (names::REALTIME_SESSIONS, "Realtime sessions that have not ended", &self.realtime_sessions),
            (names::BODY_BYTES, "Bytes of request bodies held", &self.body_bytes),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            family.encode_gauge(&gauge.load(Ordering::Relaxed))?;
        }
        let help = "Generation of the configuration in force";
        let mut family =
            encoder.encode_descriptor(names::CONFIG_GENERATION, help, None, MetricType::Gauge)?;
        family.encode_gauge(&self.generation.load(Ordering::Relaxed))?;
        let help = "When the certificate of an encrypted listener runs out";
        let mut family =
            encoder.encode_descriptor(names::CERTIFICATE_EXPIRY, help, None, MetricType::Gauge)?;
        let certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        for (listener, expiry) in &*certificates {
            let labels = [(names::LISTENER, *listener)];
            family.encode_family(&labels)?.encode_gauge(&expiry.load(Ordering::Relaxed))?;
        }
        drop(certificates);
        let mut family = counters(encoder, names::CONFIG_LOADS, "Attempts to load the configuration")?;
        for (result, loads) in [("ok", &self.loads_ok), ("failed", &self.loads_failed)] {
            count(&mut family, &[(names::RESULT, result)], loads)?;
        }
        let mut family =
            encoder.encode_descriptor(names::BUILD, "The program's version", None, MetricType::Info)?;
        family.encode_info(&[(names::VERSION, self.version)])
    }
}

/// The values of the stream label.
const STREAM: [&str; 2] = ["false", "true"];

pub(crate) type Label<'l> = (&'l str, &'l str);

pub(crate) fn labels(deployment: &DeploymentMetrics) -> [Label<'_>; 2] {
    [(names::PROVIDER, &*deployment.provider), (names::MODEL, &*deployment.model)]
}

pub(crate) fn counters<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
) -> Result<MetricEncoder<'e>, Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn value(
    family: &mut MetricEncoder<'_>,
    labels: &[Label<'_>],
    value: &impl EncodeCounterValue,
) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(value, None)
}

fn value_used(family: &mut MetricEncoder<'_>, labels: &[Label<'_>], amount: f64) -> Result<(), Error> {
    if amount > 0.0 { value(family, labels, &amount) } else { Ok(()) }
}

pub(crate) fn count(
    family: &mut MetricEncoder<'_>,
    labels: &[Label<'_>],
    counter: &AtomicU64,
) -> Result<(), Error> {
    value(family, labels, &counter.load(Ordering::Relaxed))
}

pub(crate) fn count_used(
    family: &mut MetricEncoder<'_>,
    labels: &[Label<'_>],
    counter: &AtomicU64,
) -> Result<(), Error> {
    if counter.load(Ordering::Relaxed) == 0 { Ok(()) } else { count(family, labels, counter) }
}

fn histogram_used(
    family: &mut MetricEncoder<'_>,
    labels: &[Label<'_>],
    histogram: &DurationHistogram,
) -> Result<(), Error> {
    if histogram.is_empty() { Ok(()) } else { histogram.encode(family.encode_family(&labels)?) }
}
