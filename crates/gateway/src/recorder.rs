//! The recorder: one thread that drains finished requests, in batches, into every sink.
//!
//! Admission takes a permit of its queue, so a finished request always finds room: money is never
//! dropped. Where the sinks cannot keep up, new requests are shed instead.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use pointsman_core::RequestRecord;
use pointsman_core::store::RecordSink;
use pointsman_telemetry::Metrics;
use tokio::sync::mpsc;

/// Finished and admitted requests at one time. At 30,000 requests a second this is a full second.
const QUEUE: usize = 32 * 1024;
/// Most records in one batch: bounds the time that a reader of the store waits.
const BATCH: usize = 4 * 1024;
/// How long the first record of a batch waits for others. Fewer, larger transactions cost less.
const WINDOW: Duration = Duration::from_millis(50);

/// Room for one record, taken at admission.
pub(crate) type RecordPermit = mpsc::OwnedPermit<Box<RequestRecord>>;

/// The way to the recorder's thread.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Box<RequestRecord>>,
}

/// The thread itself. It ends when every [`Recorder`] and every permit is gone.
#[derive(Debug)]
pub struct RecorderThread(JoinHandle<()>);

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub fn start(
        sinks: Vec<Box<dyn RecordSink>>,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, RecorderThread)> {
        Self::with_queue(QUEUE, sinks, metrics)
    }

    /// The same with room for `queue` finished and admitted requests, at least 1.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub fn with_queue(
        queue: usize,
        sinks: Vec<Box<dyn RecordSink>>,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, RecorderThread)> {
        let (queue, receiver) = mpsc::channel(queue.max(1));
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || drain(receiver, sinks, &metrics))?;
        Ok((Self { queue }, RecorderThread(thread)))
    }

    /// Room for one record, if there is any.
    pub(crate) fn permit(&self) -> Option<RecordPermit> {
        self.queue.clone().try_reserve_owned().ok()
    }

    /// Records that are admitted or waiting.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl RecorderThread {
    /// Waits until everything is written.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the recorder ended abnormally");
        }
    }
}

fn drain(
    mut queue: mpsc::Receiver<Box<RequestRecord>>,
    mut sinks: Vec<Box<dyn RecordSink>>,
    metrics: &Metrics,
) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        if !queue.is_closed() && batch.len() < BATCH {
            std::thread::sleep(WINDOW);
            while batch.len() < BATCH
                && let Ok(record) = queue.try_recv()
            {
                batch.push(record);
            }
        }
        for sink in &mut sinks {
            let counters = metrics.sink(sink.name());
            let counter = match sink.write(&batch) {
                Ok(()) => &counters.written,
                Err(error) => {
                    tracing::error!(sink = sink.name(), records = batch.len(), %error, "records were not written");
                    &counters.failed
                }
            };
            counter.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        batch.clear();
        batch.shrink_to(BATCH / 8);
    }
}
