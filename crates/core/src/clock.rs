//! The only time source. It stands on tokio's clock, so tests run on paused time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Wall time and monotonic time that move together, also when a test pauses tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_unix: Duration,
}

impl Clock {
    /// A clock that takes its wall time from the system once, here.
    #[must_use]
    pub fn system() -> Self {
        let start_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(start_unix)
    }

    /// A clock whose wall time begins at `start_unix`, for tests.
    #[must_use]
    pub fn starting_at(start_unix: Duration) -> Self {
        Self { start: Instant::now(), start_unix }
    }

    /// Monotonic time.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Microseconds since the Unix epoch at `instant`.
    #[must_use]
    pub fn unix_us(&self, instant: Instant) -> i64 {
        let since = self.start_unix + instant.saturating_duration_since(self.start);
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// The moment by which a request must have ended.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// `after` from `start`.
    #[must_use]
    pub fn new(start: Instant, after: Duration) -> Self {
        Self(start + after)
    }

    /// The moment itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left at `now`; zero once it has passed.
    #[must_use]
    pub fn left(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }
}
