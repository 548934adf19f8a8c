//! The recorder: one thread that drains finished requests, in batches, into every sink.
//!
//! Admission takes a permit of its queue, so a finished request always finds room: money is never
//! dropped. Where the sinks cannot keep up, new requests are shed instead. A sink that holds records for
//! another try gets it also where no further request comes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use pointsman_core::RequestRecord;
use pointsman_core::store::RecordSink;
use pointsman_telemetry::{Metrics, SinkCounters};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

/// Finished and admitted requests at one time. At 30,000 requests a second this is a full second.
const QUEUE: usize = 32 * 1024;
/// Most records in one batch: bounds the time that a reader of the store waits.
const BATCH: usize = 4 * 1024;
/// How long the first record of a batch waits for others. Fewer, larger transactions cost less.
const WINDOW: Duration = Duration::from_millis(50);
/// A sink that holds records tries again after so many windows without a further one: a second.
const RETRY_WINDOWS: u32 = 20;

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

/// A sink, and what became of its records.
struct Watched {
    sink: Box<dyn RecordSink>,
    counters: Arc<SinkCounters>,
    given: u64,
    written: u64,
    failed: u64,
}

impl Watched {
    fn new(sink: Box<dyn RecordSink>, metrics: &Metrics) -> Self {
        let counters = metrics.sink(sink.name());
        Self { sink, counters, given: 0, written: 0, failed: 0 }
    }

    fn holds(&self) -> bool {
        self.sink.tally().is_some_and(|tally| tally.held > 0)
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) {
        let (sink, records) = (self.sink.name(), batch.len());
        let result = self.sink.write(batch);
        match &result {
            Err(error) if records > 0 => tracing::error!(sink, records, %error, "records were not written"),
            // Told already, when the records came.
            Err(error) => tracing::debug!(sink, %error, "held records were not written"),
            Ok(()) if records == 0 => tracing::info!(sink, "held records are written"),
            Ok(()) => {}
        }
        let records = records as u64;
        self.given += records;
        let (written, failed) = match (self.sink.tally(), result) {
            (Some(tally), _) => (self.given.saturating_sub(tally.failed + tally.held), tally.failed),
            (None, Ok(())) => (self.written + records, self.failed),
            (None, Err(_)) => (self.written, self.failed + records),
        };
        self.counters.written.fetch_add(written.saturating_sub(self.written), Ordering::Relaxed);
        self.counters.failed.fetch_add(failed.saturating_sub(self.failed), Ordering::Relaxed);
        (self.written, self.failed) = (written, failed);
    }
}

fn drain(mut queue: mpsc::Receiver<Box<RequestRecord>>, sinks: Vec<Box<dyn RecordSink>>, metrics: &Metrics) {
    let mut sinks: Vec<_> = sinks.into_iter().map(|sink| Watched::new(sink, metrics)).collect();
    let mut batch = Vec::new();
    while wait(&mut queue, &mut batch, sinks.iter().any(Watched::holds)) {
        if !batch.is_empty() && !queue.is_closed() && batch.len() < BATCH {
            std::thread::sleep(WINDOW);
            while batch.len() < BATCH
                && let Ok(record) = queue.try_recv()
            {
                batch.push(record);
            }
        }
        for sink in &mut sinks {
            if !batch.is_empty() || sink.holds() {
                sink.write(&batch);
            }
        }
        batch.clear();
        batch.shrink_to(BATCH / 8);
    }
}

/// Waits for the first records of a batch: where a sink holds some, not for long. False: none will come.
fn wait<T>(queue: &mut mpsc::Receiver<T>, batch: &mut Vec<T>, held: bool) -> bool {
    if !held {
        return queue.blocking_recv_many(batch, BATCH) > 0;
    }
    for _ in 0..RETRY_WINDOWS {
        match queue.try_recv() {
            Ok(record) => {
                batch.push(record);
                return true;
            }
            Err(TryRecvError::Disconnected) => return false,
            Err(TryRecvError::Empty) => std::thread::sleep(WINDOW),
        }
    }
    true
}
