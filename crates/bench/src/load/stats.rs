//! What a load measures, in histograms (nanoseconds, three digits).

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

/// Largest value that is told apart: a minute.
const MAX_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// Shared by all connections of a load.
#[derive(Debug, Default)]
pub struct Stats(Mutex<Taken>);

/// What was measured since the last [`Stats::take`].
#[derive(Clone)]
pub struct Taken {
    /// Whole answers with status 200.
    pub ok: u64,
    /// Everything else.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// Stamped chunks received.
    pub chunks: u64,
    /// Streams that had all they need: a finish, and the dialect's end.
    pub streams: u64,
    /// From the moment a request began, or was due, to the last byte of its answer.
    pub latency: Histogram<u64>,
    /// From the moment a chunk was sent by the mock to its arrival.
    pub chunk_delay: Histogram<u64>,
}

impl Default for Taken {
    fn default() -> Self {
        Self {
            ok: 0,
            errors: 0,
            first_error: None,
            chunks: 0,
            streams: 0,
            latency: histogram(),
            chunk_delay: histogram(),
        }
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Taken {{ ok: {}, errors: {}, chunks: {} }}", self.ok, self.errors, self.chunks)
    }
}

impl Stats {
    /// Takes what was measured and begins anew.
    pub fn take(&self) -> Taken {
        std::mem::take(&mut self.lock())
    }

    pub(super) fn fail(&self, why: &str) {
        let mut taken = self.lock();
        taken.errors += 1;
        taken.first_error.get_or_insert_with(|| why.to_owned());
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// A percentile of the latency in microseconds.
    #[must_use]
    pub fn latency_us(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// A percentile of the chunks' delay in microseconds.
    #[must_use]
    pub fn chunk_delay_us(&self, percentile: f64) -> f64 {
        self.chunk_delay.value_at_percentile(percentile) as f64 / 1000.0
    }
}

fn histogram() -> Histogram<u64> {
    // The bounds are constants that the constructor accepts; a histogram that grows is as good.
    let fixed = Histogram::new_with_bounds(1, MAX_NS, DIGITS).or_else(|_| Histogram::new(DIGITS));
    let mut histogram = fixed.unwrap_or_else(|_| unreachable!("three digits are allowed"));
    histogram.auto(true);
    histogram
}
