//! A histogram of durations in atomics. (The one of prometheus-client takes a lock for each value.)

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Seconds a whole request can take: from a cached answer to a long agent turn.
pub const REQUEST_BOUNDS_US: &[u64] = &[
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
];

/// What a gateway may add: from a few microseconds to what would be a defect.
pub const OVERHEAD_BOUNDS_US: &[u64] =
    &[10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// Counts durations by upper bounds in microseconds; shown in seconds.
#[derive(Debug)]
pub struct DurationHistogram {
    bounds_us: &'static [u64],
    /// One more than bounds: the last has no upper bound.
    buckets: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl DurationHistogram {
    /// An empty histogram; `bounds_us` ascend.
    #[must_use]
    pub fn new(bounds_us: &'static [u64]) -> Self {
        let buckets = (0..=bounds_us.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds_us, buckets, sum_us: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn observe(&self, duration_us: u64) {
        let index = self.bounds_us.partition_point(|&bound| bound < duration_us);
        self.buckets[index].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(duration_us, Ordering::Relaxed);
    }

    /// Whether nothing was counted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.load(Ordering::Relaxed) == 0)
    }
}

impl EncodeMetric for DurationHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let bounds = self.bounds_us.iter().map(|&bound| seconds(bound)).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|&(_, count)| count).sum();
        let sum = seconds(self.sum_us.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Microseconds as seconds.
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
