//! Where a request's wall time went: waiting for the client, waiting for providers, or here.

use std::time::Duration;

use tokio::time::Instant;

/// Adds up waits; what is left of the wall time is overhead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    started: Instant,
    waited: Duration,
    since: Option<Instant>,
}

impl Meter {
    /// Starts to measure: the request head is here.
    pub(crate) const fn start(now: Instant) -> Self {
        Self { started: now, waited: Duration::ZERO, since: None }
    }

    /// When the request came.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// From here on somebody else is waited for. A second call changes nothing.
    pub(crate) const fn pause(&mut self, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// Work goes on.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }

    /// Microseconds since the start.
    pub(crate) fn elapsed_us(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.started))
    }

    /// Microseconds spent here.
    pub(crate) fn overhead_us(&self, now: Instant) -> u64 {
        let waiting = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        micros(now.saturating_duration_since(self.started).saturating_sub(self.waited + waiting))
    }
}

/// A duration in whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_not_overhead() {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let mut meter = Meter::start(start);
        meter.pause(start + ms(1));
        meter.pause(start + ms(2));
        meter.resume(start + ms(5));
        assert_eq!(meter.overhead_us(start + ms(7)), 3000);
        meter.pause(start + ms(7));
        assert_eq!(meter.overhead_us(start + ms(100)), 3000);
        assert_eq!(meter.elapsed_us(start + ms(100)), 100_000);
    }
}
