//! The only time source. It stands on tokio's clock, so tests run on paused time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// What the system's wall time has been set by since the process began, in microseconds.
static STEPS: AtomicI64 = AtomicI64::new(0);
/// Smaller differences are left alone: two readings are never made at one moment.
const STEP_US: i64 = 500_000;

/// Wall time and monotonic time that move together, also when a test pauses tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_unix: Duration,
    /// The system's clock was set by so much; `None`: this one is not the system's.
    steps: Option<&'static AtomicI64>,
}

impl Clock {
    /// A clock that takes its wall time from the system here, and again at each [`Clock::resync`].
    #[must_use]
    pub fn system() -> Self {
        Self { start: Instant::now(), start_unix: system_time(), steps: Some(&STEPS) }
    }

    /// A clock whose wall time begins at `start_unix`, for tests.
    #[must_use]
    pub fn starting_at(start_unix: Duration) -> Self {
        Self { start: Instant::now(), start_unix, steps: None }
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
        let since = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        since.saturating_add(self.steps.map_or(0, |steps| steps.load(Ordering::Relaxed)))
    }

    /// Follows the system's wall time where somebody has set it, or the machine slept. By how many microseconds,
    /// if so.
    pub fn resync(&self) -> Option<i64> {
        self.follow(system_time())
    }

    fn follow(&self, system: Duration) -> Option<i64> {
        let steps = self.steps?;
        let system = i64::try_from(system.as_micros()).unwrap_or(i64::MAX);
        let step = system.saturating_sub(self.unix_us(self.now()));
        if step.saturating_abs() < STEP_US {
            return None;
        }
        steps.fetch_add(step, Ordering::Relaxed);
        Some(step)
    }
}

fn system_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wall_time_that_is_set_is_followed() {
        static SET: AtomicI64 = AtomicI64::new(0);
        let seconds = |seconds| Duration::from_secs(seconds);
        let clock = Clock { start: Instant::now(), start_unix: seconds(1_000), steps: Some(&SET) };
        let shown = || clock.unix_us(clock.now()) / 1_000_000;
        tokio::time::advance(seconds(60)).await;
        assert_eq!((clock.follow(seconds(1_060)), shown()), (None, 1_060));
        assert_eq!(clock.follow(Duration::from_millis(1_060_499)), None, "no more than a late reading");
        assert_eq!((clock.follow(seconds(2_000_000)), shown()), (Some(1_998_940_000_000), 2_000_000));
        assert_eq!(clock.follow(seconds(2_000_000)), None);
        tokio::time::advance(seconds(5)).await;
        assert_eq!((clock.follow(seconds(900)), shown()), (Some(-1_999_105_000_000), 900));
        let fixed = Clock::starting_at(seconds(7));
        assert_eq!((fixed.resync(), fixed.unix_us(fixed.now())), (None, 7_000_000));
    }
}
