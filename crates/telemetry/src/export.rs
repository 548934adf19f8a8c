//! Exporters: finished requests leave for other systems, and the data plane never waits for them.
//!
//! [`start`] gives a [`RecordSink`](pointsman_core::store::RecordSink) that only puts records into
//! bounded queues, and one thread an exporter, which batches ([`worker`]), encodes (a [`Format`]: one
//! module for each receiver) and hands over to a [`Deliver`]: HTTP, injected by the binary, or
//! [`RotatingFile`]. What a full queue refuses and what a receiver does not take is counted by exporter.

mod content;
mod datadog;
mod file;
mod helicone;
mod json;
mod options;
mod otlp;
mod queue;
pub mod semconv;
mod webhook;
mod worker;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use pointsman_core::{Clock, RequestRecord};

use crate::Metrics;

pub use file::RotatingFile;
pub use options::{BatchOptions, Endpoint, ExporterOptions, HmacKey, Ratio, RotateOptions, Target};
pub use queue::ExportSink;

use queue::Queue;
use worker::{Pace, Worker};

/// One request of an exporter: a POST to its [`Endpoint`], or bytes to append to its file.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Beside those of the endpoint. Always holds `content-type`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How many records it holds.
    pub records: usize,
}

/// What a receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 200 for a file that was written.
    pub status: u16,
    /// From `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body, or its beginning.
    pub body: Bytes,
}

/// The future of [`Deliver::deliver`]. The error is for the operator's log.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Result<Answer, String>> + Send + 'a>>;

/// Hands one request to the receiver and waits for its answer, within a limit of its own.
pub trait Deliver: Send + Sync {
    /// Called on the exporter's own thread, which may block.
    fn deliver(&self, delivery: Delivery) -> Delivering<'_>;
}

/// From records to requests of one receiver.
pub(crate) trait Format: Send + Sync {
    /// Adds a record to the batch. Returns the bytes that it takes there.
    fn push(&mut self, record: &RequestRecord) -> usize;

    /// The batch as requests; afterwards it is empty.
    fn take(&mut self) -> Vec<Delivery>;
}

/// What all exporters share.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a> {
    /// Also the source of what the metrics exporter sends.
    pub metrics: &'a Arc<Metrics>,
    /// The only time source.
    pub clock: Clock,
    /// For the jitter of pauses.
    pub seed: u64,
    /// How long exporters may go on once the sink is gone.
    pub flush_limit: Duration,
}

/// The threads of all exporters. They end when the [`ExportSink`] is dropped.
#[derive(Debug)]
pub struct ExporterThreads {
    threads: Vec<(Arc<str>, mpsc::Receiver<()>, JoinHandle<()>)>,
    limit: Duration,
}

/// Starts one thread for each exporter.
///
/// # Errors
/// Where the system has no thread left.
pub fn start(
    exporters: Vec<(ExporterOptions, Arc<dyn Deliver>)>,
    shared: Shared<'_>,
) -> io::Result<(ExportSink, ExporterThreads)> {
    let mut sink = ExportSink::default();
    let mut threads = Vec::new();
    for (index, (options, deliver)) in exporters.into_iter().enumerate() {
        let counters = shared.metrics.exporter(&options.name);
        let (queue, source) = Queue::new(&options, Arc::clone(&counters));
        let worker = Worker {
            name: options.name.clone(),
            pace: pace(&options),
            format: format(&options, shared),
            deliver,
            source,
            retry_for: options.retry_for,
            flush_limit: shared.flush_limit,
            rng: pointsman_core::Rng::new(shared.seed.wrapping_add(index as u64)),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (done, ended) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name(format!("export-{}", options.name)).spawn(move || {
                runtime.block_on(worker.run());
                // Nobody listens any more where the limit was over.
                let _ = done.send(());
            })?;
        threads.push((options.name, ended, thread));
        sink.add(queue);
    }
    Ok((sink, ExporterThreads { threads, limit: shared.flush_limit }))
}

impl ExporterThreads {
    /// Waits until everything is handed over or the limit is over. Drop the [`ExportSink`] first.
    pub fn join(self) {
        // The workers keep the limit themselves; a thread that blocks in a system call cannot, and is left.
        let until = std::time::Instant::now() + self.limit + Duration::from_secs(1);
        for (name, ended, thread) in self.threads {
            match ended.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
                Ok(()) => drop(thread.join()),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    tracing::error!(exporter = &*name, "the exporter hangs and is left behind");
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    tracing::error!(exporter = &*name, "the exporter ended abnormally");
                }
            }
        }
    }
}

fn pace(options: &ExporterOptions) -> Pace {
    match &options.target {
        Target::OtlpMetrics { every, .. } => Pace::Every(*every),
        Target::Datadog { .. } => {
            let records = options.batch.records.min(datadog::Datadog::MAX_ENTRIES);
            Pace::Batch(BatchOptions { records, ..options.batch })
        }
        _ => Pace::Batch(options.batch),
    }
}

fn format(options: &ExporterOptions, shared: Shared<'_>) -> Box<dyn Format> {
    match &options.target {
        Target::OtlpTraces { ratio, .. } => {
            Box::new(otlp::Traces::new(options, *ratio, shared.metrics.version(), false))
        }
        Target::Langfuse { ratio, .. } => {
            Box::new(otlp::Traces::new(options, *ratio, shared.metrics.version(), true))
        }
        Target::OtlpMetrics { .. } => {
            Box::new(otlp::MetricsFormat::new(options, Arc::clone(shared.metrics), shared.clock))
        }
        Target::Webhook { secret, .. } => {
            Box::new(webhook::Webhook::new(options, secret.clone(), shared.clock))
        }
        Target::Helicone { .. } => Box::new(helicone::Helicone::new(options)),
        Target::Datadog { .. } => Box::new(datadog::Datadog::new(options)),
        Target::File { .. } => Box::new(json::Lines::new(options)),
    }
}

#[cfg(test)]
mod tests;
