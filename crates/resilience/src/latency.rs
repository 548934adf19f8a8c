//! How fast a deployment is: peak-sensitive averages that many threads feed, and a sample of its history.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::moment::Moment;

/// A peak is forgotten to a third after this time of better samples.
const DECAY_SECS: f64 = 10.0;
/// First tokens that are remembered.
const SAMPLES: usize = 128;
/// Fewer of them say nothing.
const MIN_SAMPLES: usize = 20;

/// An average that follows what is worse at once, and what is better slowly: peak-EWMA, as in Finagle's
/// balancer (`com.twitter.finagle.loadbalancer.p2c.PeakEwma`). In seconds.
#[derive(Debug)]
pub(crate) struct PeakEwma {
    /// The bits of a float; not a number: nothing is known.
    value: AtomicU64,
    fed: Moment,
    /// Where nothing comes any more, it is thought better of: e⁻¹ of it is left after so many seconds.
    idle: f64,
}

impl PeakEwma {
    pub(crate) fn new(idle: f64) -> Self {
        Self { value: AtomicU64::new(f64::NAN.to_bits()), fed: Moment::default(), idle }
    }

    /// A sample at `now`, in nanoseconds.
    pub(crate) fn feed(&self, seconds: f64, now: u64) {
        let since = now.saturating_sub(self.fed.get()) as f64 * 1e-9;
        self.fed.at_least(now);
        let weight = (-since / DECAY_SECS).exp();
        let next = |bits: u64| {
            let old = f64::from_bits(bits);
            let follows = old.is_nan() || seconds >= old;
            let new = if follows { seconds } else { old * weight + seconds * (1.0 - weight) };
            Some(new.to_bits())
        };
        // It never refuses.
        let _ = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// The average at `now`, in nanoseconds.
    pub(crate) fn get(&self, now: u64) -> Option<f64> {
        let value = f64::from_bits(self.value.load(Ordering::Relaxed));
        let idle = now.saturating_sub(self.fed.get()) as f64 * 1e-9;
        (!value.is_nan()).then(|| value * (-idle / self.idle).exp())
    }

    /// Forgets what it knows.
    pub(crate) fn clear(&self) {
        self.value.store(f64::NAN.to_bits(), Ordering::Relaxed);
    }
}

/// Calls that wait for their first token. How long they have waited is known before any of them has ended.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    count: AtomicU64,
    /// The sum of the moments at which they began, in microseconds, wrapping.
    began: AtomicU64,
}

impl Waiting {
    // The sum is raised before the count and lowered after it: whoever reads in between takes the wait for
    // shorter than it is, never for longer.
    pub(crate) fn begin(&self, now: u64) {
        self.began.fetch_add(now / 1_000, Ordering::AcqRel);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn end(&self, began: u64) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.began.fetch_sub(began / 1_000, Ordering::AcqRel);
    }

    /// How long they have waited on average, in seconds; zero where none does.
    pub(crate) fn mean(&self, now: u64) -> f64 {
        let count = self.count.load(Ordering::Acquire);
        let waited = count.wrapping_mul(now / 1_000).wrapping_sub(self.began.load(Ordering::Acquire)) as i64;
        if count == 0 || waited <= 0 { 0.0 } else { waited as f64 * 1e-6 / count as f64 }
    }
}

/// The latest times to the first token.
#[derive(Debug)]
pub(crate) struct Samples {
    /// In microseconds.
    ring: Box<[AtomicU32]>,
    fed: AtomicU64,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            ring: std::iter::repeat_with(AtomicU32::default).take(SAMPLES).collect(),
            fed: AtomicU64::new(0),
        }
    }
}

impl Samples {
    pub(crate) fn feed(&self, time: Duration) {
        let at = self.fed.fetch_add(1, Ordering::Relaxed) as usize % SAMPLES;
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.ring[at].store(micros, Ordering::Relaxed);
    }

    /// By nearest rank; `percent` from 1 to 100. `None` under 20 samples.
    pub(crate) fn percentile(&self, percent: u8) -> Option<Duration> {
        let count = (self.fed.load(Ordering::Relaxed) as usize).min(SAMPLES);
        if count < MIN_SAMPLES {
            return None;
        }
        let mut sorted = [0_u32; SAMPLES];
        for (slot, sample) in sorted.iter_mut().zip(&self.ring[..count]) {
            *slot = sample.load(Ordering::Relaxed);
        }
        let sorted = &mut sorted[..count];
        sorted.sort_unstable();
        let rank = (count * usize::from(percent.min(100))).div_ceil(100).max(1) - 1;
        Some(Duration::from_micros(u64::from(sorted[rank])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> u64 {
        seconds * 1_000_000_000
    }

    fn near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() < expected * 0.01, "{value}, not {expected}");
    }

    #[test]
    fn peaks_are_followed_at_once_and_forgotten_slowly() {
        let ewma = PeakEwma::new(60.0);
        assert_eq!(ewma.get(secs(1)), None);
        ewma.feed(0.2, secs(1));
        near(ewma.get(secs(1)), 0.2);
        ewma.feed(2.0, secs(2));
        near(ewma.get(secs(2)), 2.0);
        for second in 3..=12 {
            ewma.feed(0.2, secs(second));
        }
        // e⁻¹ of the distance is left after ten seconds.
        near(ewma.get(secs(12)), 0.2 + 1.8 * (-1.0_f64).exp());
        ewma.clear();
        assert_eq!(ewma.get(secs(12)), None);
    }

    #[test]
    fn who_is_not_called_is_thought_better_of() {
        let ewma = PeakEwma::new(60.0);
        ewma.feed(10.0, secs(5));
        near(ewma.get(secs(65)), 10.0 * (-1.0_f64).exp());
        near(ewma.get(secs(4)), 10.0);
    }

    #[test]
    fn calls_that_wait_are_counted_before_they_end() {
        let waiting = Waiting::default();
        assert!(waiting.mean(secs(9)) < 1e-9);
        waiting.begin(secs(10));
        waiting.begin(secs(14));
        assert!((waiting.mean(secs(16)) - 4.0).abs() < 1e-6);
        assert!(waiting.mean(secs(3)) < 1e-9, "a clock that is late");
        waiting.end(secs(10));
        assert!((waiting.mean(secs(16)) - 2.0).abs() < 1e-6);
        waiting.end(secs(14));
        assert!(waiting.mean(secs(16)) < 1e-9);
    }

    #[test]
    fn percentiles_are_of_the_latest_samples() {
        let samples = Samples::default();
        for n in 1..20 {
            samples.feed(Duration::from_millis(n));
            assert_eq!(samples.percentile(50), None);
        }
        samples.feed(Duration::from_millis(20));
        let percentile = |percent| samples.percentile(percent).unwrap().as_millis();
        assert_eq!((percentile(1), percentile(50), percentile(95), percentile(100)), (1, 10, 19, 20));
        for _ in 0..SAMPLES {
            samples.feed(Duration::from_secs(1));
        }
        assert_eq!(percentile(1), 1_000);
        samples.feed(Duration::MAX);
        assert_eq!(percentile(100), u128::from(u32::MAX) / 1_000);
    }
}
