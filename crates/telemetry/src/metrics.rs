//! The counters, gauges and histograms of the whole program. Counting is an addition to an atomic
//! that was found beforehand: no look-up of labels, no lock.
//!
//! Counters by provider and model are in `deployment.rs`, those of retries and the like in `resilience.rs`, the
//! text form in `exposition.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pointsman_core::{ErrorCode, Operation, Outcome, RequestRecord, UsageSource};
use prometheus_client::registry::Registry;

use crate::deployment::{DeploymentMetrics, Deployments};
use crate::histogram::{DurationHistogram, OVERHEAD_BOUNDS_US, REQUEST_BOUNDS_US};
use crate::resilience::{EndpointSample, EndpointSource, ResilienceCounters};

/// The values of the status label, in the order of [`status_class`].
pub(crate) const STATUS_CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The values of the usage source label, in the order of [`usage_source`].
pub(crate) const USAGE_SOURCES: [UsageSource; 4] =
    [UsageSource::Reported, UsageSource::Counted, UsageSource::Estimated, UsageSource::Unknown];

/// What is scraped at `/metrics`. Made once, shared by everything.
#[derive(Debug)]
pub struct Metrics {
    series: Arc<Series>,
    registry: Registry,
}

/// Records that a sink took, and those that it could not.
#[derive(Debug, Default)]
pub struct SinkCounters {
    /// Handed over without an error.
    pub written: AtomicU64,
    /// In batches that ended in an error.
    pub failed: AtomicU64,
}

/// What became of the records that an exporter was offered.
#[derive(Debug, Default)]
pub struct ExporterCounters {
    /// Taken by the receiver.
    pub sent: AtomicU64,
    /// Refused by the receiver, or given up.
    pub failed: AtomicU64,
    /// Refused by the full queue.
    pub dropped: AtomicU64,
    /// Requests that were sent again.
    pub retries: AtomicU64,
    /// Waiting or under way.
    pub held: AtomicU64,
}

impl Metrics {
    /// All zero, for the program's `version`.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let series = Arc::new(Series::new(version));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&series)));
        Self { series, registry }
    }

    /// The counters of this provider's model: keep them with the deployment. Beyond 500 distinct
    /// pairs all further ones share the label `other`.
    #[must_use]
    pub fn deployment(&self, provider: &str, model: &str) -> Arc<DeploymentMetrics> {
        self.series.deployments.get(provider, model)
    }

    /// Counts a request that has ended. `handles` are those of its attempts' deployments, in order.
    pub fn observe<'h>(
        &self,
        handles: impl IntoIterator<Item = &'h DeploymentMetrics>,
        record: &RequestRecord,
    ) {
        for (handle, attempt) in handles.into_iter().zip(&record.attempts) {
            handle.observe(attempt);
        }
        self.series.observe(record);
    }

    /// Counts a request that was refused before it had a record. Those with one are in the requests.
    pub fn refused(&self, code: ErrorCode) {
        let position = ErrorCode::ALL.iter().position(|known| *known == code);
        if let Some(count) = position.and_then(|position| self.series.refused.get(position)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is done so that requests come through.
    #[must_use]
    pub fn resilience(&self) -> &ResilienceCounters {
        &self.series.resilience
    }

    /// Who is asked at each scrape how the deployments are doing. The first call counts.
    pub fn watch_endpoints(&self, ask: impl Fn() -> Vec<EndpointSample> + Send + Sync + 'static) {
        self.series.endpoints.set(Box::new(ask));
    }

    /// Requests that have not ended: count up when one is accepted, down when it has ended.
    #[must_use]
    pub fn in_flight(&self) -> &AtomicI64 {
        &self.series.in_flight
    }

    /// Realtime sessions that have not ended, which are requests as well: count up when one is opened.
    #[must_use]
    pub fn realtime_sessions(&self) -> &AtomicI64 {
        &self.series.realtime_sessions
    }

    /// Bytes of request bodies that are held.
    #[must_use]
    pub fn body_bytes(&self) -> &AtomicI64 {
        &self.series.body_bytes
    }

    /// The counter of entries that the full queue of this name refused.
    #[must_use]
    pub fn queue_drops(&self, queue: &'static str) -> Arc<AtomicU64> {
        named(&self.series.queue_drops, queue)
    }

    /// The counters of the sink of this name.
    #[must_use]
    pub fn sink(&self, sink: &'static str) -> Arc<SinkCounters> {
        named(&self.series.sinks, sink)
    }

    /// The counters of the exporter of this name. Names come from the configuration, and only at start.
    #[must_use]
    pub fn exporter(&self, name: &Arc<str>) -> Arc<ExporterCounters> {
        let mut exporters = self.series.exporters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(exporters.entry(Arc::clone(name)).or_default())
    }

    /// When the certificate of this listener runs out, in seconds since 1970; 0: it has none.
    #[must_use]
    pub fn certificate_expiry(&self, listener: &'static str) -> Arc<AtomicI64> {
        named(&self.series.certificates, listener)
    }

    /// The program's version.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.series.version
    }

    /// A configuration took effect.
    pub fn config_loaded(&self, generation: u64) {
        self.series.generation.store(generation, Ordering::Relaxed);
        self.series.loads_ok.fetch_add(1, Ordering::Relaxed);
    }

    /// A configuration was refused; the one before stays in force.
    pub fn config_failed(&self) {
        self.series.loads_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// The generation of the configuration in force.
    #[must_use]
    pub fn config_generation(&self) -> u64 {
        self.series.generation.load(Ordering::Relaxed)
    }

    /// Everything in the OpenMetrics text format, 1.0
    /// (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// What [`crate::exposition`] renders.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) version: &'static str,
    /// Indexed by operation, outcome, status class, stream.
    pub(crate) requests:
        [[[[AtomicU64; 2]; STATUS_CLASSES.len()]; Outcome::WORDS.len()]; Operation::ALL.len()],
    /// In the order of [`ErrorCode::ALL`].
    pub(crate) refused: [AtomicU64; ErrorCode::ALL.len()],
    /// Indexed by operation, stream.
    pub(crate) duration: [[DurationHistogram; 2]; Operation::ALL.len()],
    /// Indexed by operation, stream.
    pub(crate) first_token: [[DurationHistogram; 2]; Operation::ALL.len()],
    pub(crate) overhead: DurationHistogram,
    pub(crate) usage: [AtomicU64; USAGE_SOURCES.len()],
    pub(crate) deployments: Deployments,
    pub(crate) resilience: ResilienceCounters,
    pub(crate) endpoints: EndpointSource,
    pub(crate) in_flight: AtomicI64,
    pub(crate) realtime_sessions: AtomicI64,
    pub(crate) body_bytes: AtomicI64,
    pub(crate) queue_drops: Mutex<BTreeMap<&'static str, Arc<AtomicU64>>>,
    pub(crate) sinks: Mutex<BTreeMap<&'static str, Arc<SinkCounters>>>,
    pub(crate) exporters: Mutex<BTreeMap<Arc<str>, Arc<ExporterCounters>>>,
    pub(crate) certificates: Mutex<BTreeMap<&'static str, Arc<AtomicI64>>>,
    pub(crate) generation: AtomicU64,
    pub(crate) loads_ok: AtomicU64,
    pub(crate) loads_failed: AtomicU64,
}

impl Series {
    fn new(version: &'static str) -> Self {
        let by_request =
            || Operation::ALL.map(|_| [(); 2].map(|()| DurationHistogram::new(REQUEST_BOUNDS_US)));
        Self {
            version,
            requests: Default::default(),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
            duration: by_request(),
            first_token: by_request(),
            overhead: DurationHistogram::new(OVERHEAD_BOUNDS_US),
            usage: Default::default(),
            deployments: Deployments::new(),
            resilience: ResilienceCounters::default(),
            endpoints: EndpointSource::default(),
            in_flight: AtomicI64::new(0),
            realtime_sessions: AtomicI64::new(0),
            body_bytes: AtomicI64::new(0),
            queue_drops: Mutex::default(),
            sinks: Mutex::default(),
            exporters: Mutex::default(),
            certificates: Mutex::default(),
            generation: AtomicU64::new(0),
            loads_ok: AtomicU64::new(0),
            loads_failed: AtomicU64::new(0),
        }
    }

    fn observe(&self, record: &RequestRecord) {
        let operation = record.operation.index();
        let stream = usize::from(record.streamed);
        let class = status_class(record.status);
        self.requests[operation][record.outcome.index()][class][stream].fetch_add(1, Ordering::Relaxed);
        self.duration[operation][stream].observe(record.duration_us);
        if let Some(first_token_us) = record.first_token_us {
            self.first_token[operation][stream].observe(first_token_us);
        }
        self.overhead.observe(record.overhead_us);
        self.usage[usage_source(record.usage.source)].fetch_add(1, Ordering::Relaxed);
    }
}

/// The position in [`STATUS_CLASSES`].
fn status_class(status: u16) -> usize {
    match usize::from(status / 100) {
        class @ 1..=5 => class,
        _ => 0,
    }
}

/// The position in [`USAGE_SOURCES`].
const fn usage_source(source: UsageSource) -> usize {
    match source {
        UsageSource::Reported => 0,
        UsageSource::Counted => 1,
        UsageSource::Estimated => 2,
        UsageSource::Unknown => 3,
    }
}

fn named<T: Default>(table: &Mutex<BTreeMap<&'static str, Arc<T>>>, name: &'static str) -> Arc<T> {
    Arc::clone(table.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default())
}

#[cfg(test)]
mod tests;
