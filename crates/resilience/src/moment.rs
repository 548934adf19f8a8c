//! Times as atomics can hold them: nanoseconds since the moment that callers count from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// `time` in nanoseconds; more than 584 years are as many.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A moment that many threads read and move. Zero: none.
#[derive(Debug, Default)]
pub(crate) struct Moment(AtomicU64);

impl Moment {
    /// In nanoseconds.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::Relaxed);
    }

    /// Moves it to `nanos` unless it is later already.
    pub(crate) fn at_least(&self, nanos: u64) {
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }

    /// Sets it where it was never set, and says whether that was so.
    pub(crate) fn begin(&self, nanos: u64) -> bool {
        self.get() == 0
            && self.0.compare_exchange(0, nanos.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Replaces it by what `change` makes of it; `None` leaves it and is handed back.
    pub(crate) fn update(&self, mut change: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, &mut change).ok()
    }

    /// As a time, where it lies after `now`.
    pub(crate) fn after(&self, now: u64) -> Option<Duration> {
        Some(self.get()).filter(|at| *at > now).map(Duration::from_nanos)
    }
}
