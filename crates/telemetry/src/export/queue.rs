//! The way from the recorder to the exporters: bounded, never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pointsman_core::RequestRecord;
use pointsman_core::store::{RecordSink, StoreError};
use tokio::sync::{mpsc, watch};

use super::ExporterOptions;
use crate::metrics::ExporterCounters;

/// Bytes of stored bodies that may wait for one exporter: few large answers must not fill the memory
/// that many small ones never would.
const MAX_CONTENT_BYTES: usize = 64 << 20;

/// The sink that feeds all exporters. Dropping it tells them to finish.
#[derive(Debug, Default)]
pub struct ExportSink {
    queues: Vec<Queue>,
    content: bool,
}

impl ExportSink {
    pub(super) fn add(&mut self, queue: Queue) {
        self.content |= queue.content;
        self.queues.push(queue);
    }
}

impl RecordSink for ExportSink {
    fn name(&self) -> &'static str {
        "exporters"
    }

    /// Never blocks and never fails: what a queue has no room for is counted by exporter.
    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        for record in batch {
            let mut copy = None;
            for queue in &self.queues {
                queue.offer(record, || Arc::clone(copy.get_or_insert_with(|| self.copy(record))));
            }
        }
        Ok(())
    }
}

impl ExportSink {
    fn copy(&self, record: &RequestRecord) -> Arc<RequestRecord> {
        let mut copy = record.clone();
        if !self.content {
            copy.bodies = None;
        }
        Arc::new(copy)
    }
}

/// One exporter's queue, at the sink's end.
#[derive(Debug)]
pub(super) struct Queue {
    records: mpsc::Sender<Arc<RequestRecord>>,
    counters: Arc<ExporterCounters>,
    content: bool,
    content_bytes: Arc<AtomicUsize>,
    /// Its end tells the worker to finish.
    _open: watch::Sender<()>,
}

/// The same at the worker's end.
#[derive(Debug)]
pub(super) struct Source {
    records: mpsc::Receiver<Arc<RequestRecord>>,
    content: bool,
    content_bytes: Arc<AtomicUsize>,
    /// Resolves with an error once the sink is gone.
    pub(super) open: watch::Receiver<()>,
    pub(super) counters: Arc<ExporterCounters>,
}

impl Queue {
    pub(super) fn new(options: &ExporterOptions, counters: Arc<ExporterCounters>) -> (Self, Source) {
        let (records, receiver) = mpsc::channel(options.queue.max(1));
        let (open, watched) = watch::channel(());
        let content_bytes = Arc::new(AtomicUsize::new(0));
        let content = options.capture_content;
        let source = Source {
            records: receiver,
            content,
            content_bytes: Arc::clone(&content_bytes),
            open: watched,
            counters: Arc::clone(&counters),
        };
        (Self { records, counters, content, content_bytes, _open: open }, source)
    }

    /// `copy` is made only where there is room: a receiver that hangs costs no copies.
    fn offer(&self, record: &RequestRecord, copy: impl FnOnce() -> Arc<RequestRecord>) {
        let bytes = content_bytes(record, self.content);
        let room = self.content_bytes.load(Ordering::Relaxed) + bytes <= MAX_CONTENT_BYTES;
        let Some(place) = self.records.try_reserve().ok().filter(|_| room) else {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        // Counted first: the worker may be done with the record before this thread goes on.
        self.content_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counters.held.fetch_add(1, Ordering::Relaxed);
        place.send(copy());
    }
}

impl Source {
    /// The next record; `None` once the sink is gone and the queue empty.
    pub(super) async fn next(&mut self) -> Option<Arc<RequestRecord>> {
        let record = self.records.recv().await?;
        self.content_bytes.fetch_sub(content_bytes(&record, self.content), Ordering::Relaxed);
        Some(record)
    }
}

fn content_bytes(record: &RequestRecord, content: bool) -> usize {
    match &record.bodies {
        Some(bodies) if content => bodies.request.len() + bodies.response.len(),
        _ => 0,
    }
}
