//! When a certificate is renewed, and how long a failure is left alone. Pure.

use std::time::Duration;

use pointsman_core::Rng;

use crate::tls::validity::Validity;

/// An authority that cannot be reached, or is out of order: it costs nothing to ask again.
const UNREACHABLE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(10 * 60));
/// It said no. Let's Encrypt stops at five failed checks of a domain in an hour, so they are fewer.
const REFUSED: (Duration, Duration) = (Duration::from_secs(3 * 60), Duration::from_secs(4 * 60 * 60));
/// Longer waits are not believed.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Why it failed, as far as waiting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Unreachable,
    Refused,
}

/// Seconds since 1970 from which on a certificate is renewed: after two thirds of its life, so that a third
/// is left for failures. (What Let's Encrypt advises; holds for lives of days as well.)
pub(super) const fn renewal(validity: Validity) -> i64 {
    let life = validity.not_after.saturating_sub(validity.not_before);
    validity.not_after.saturating_sub(life / 3)
}

/// Waits that double from failure to failure, each lengthened by up to a fifth, so that many servers do not
/// come back at one time.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    rng: Rng,
}

impl Backoff {
    pub(super) const fn new(seed: u64) -> Self {
        Self { failures: 0, rng: Rng::new(seed) }
    }

    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure; `asked`: what the directory asked for.
    pub(super) fn failed(&mut self, failure: Failure, asked: Option<Duration>) -> Duration {
        let (first, longest) = match failure {
            Failure::Unreachable => UNREACHABLE,
            Failure::Refused => REFUSED,
        };
        let doubled = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.max(asked.unwrap_or_default().min(LONGEST_ASKED));
        let fifth = u64::try_from(wait.as_millis() / 5).unwrap_or(u64::MAX);
        wait + Duration::from_millis(self.rng.below(fifth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_a_certificates_life_is_left_at_its_renewal() {
        const DAY: i64 = 86_400;
        assert_eq!(renewal(Validity { not_before: 0, not_after: 90 * DAY }), 60 * DAY);
        assert_eq!(renewal(Validity { not_before: DAY, not_after: 7 * DAY }), 5 * DAY);
    }

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            let mut within = |failure, asked: Option<u64>, seconds: u64| {
                let wait = backoff.failed(failure, asked.map(Duration::from_secs));
                let least = Duration::from_secs(seconds);
                assert!((least..least * 6 / 5).contains(&wait), "{seconds} s: {wait:?}");
            };
            for seconds in [180, 360, 720, 1_440, 2_880, 5_760, 11_520, 14_400, 14_400] {
                within(Failure::Refused, None, seconds);
            }
            within(Failure::Unreachable, None, 600);
            within(Failure::Unreachable, Some(3_600), 3_600);
            within(Failure::Refused, Some(10_000_000), 86_400);
            backoff.succeeded();
            assert!(backoff.failed(Failure::Unreachable, None) < Duration::from_secs(13));
        }
    }

    #[test]
    fn a_domain_is_checked_no_more_than_five_times_in_an_hour() {
        let mut backoff = Backoff::new(7);
        let mut at = Duration::ZERO;
        let mut checks = 1;
        loop {
            at += backoff.failed(Failure::Refused, None);
            if at > Duration::from_secs(3_600) {
                break;
            }
            checks += 1;
        }
        assert!(checks <= 5, "{checks}");
    }
}
