//! How many calls may be made beyond the first ones: a share of the requests of the last seconds. Atomics only.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::settings::{HedgeAfter, HedgePolicy, RetryBudgetPolicy};
use crate::tally::Tally;

/// Requests and retries of so long are held against each other.
const RETRY_WINDOW: Duration = Duration::from_secs(10);
/// Hedges are few: they are counted over longer.
const HEDGE_WINDOW: Duration = Duration::from_secs(60);

/// The retries of one route.
///
/// Where a provider fails for everybody, everybody's retries multiply the load that it fails under. A budget
/// makes that a factor close to one, whatever each request may do: the `retry budget` of Finagle
/// (`com.twitter.finagle.service.RetryBudget`) and of linkerd2-proxy.
#[derive(Debug, Default)]
pub struct RetryBudget {
    requests: Tally,
    retries: Tally,
}

impl RetryBudget {
    /// A request begins.
    pub fn deposit(&self, now: Duration) {
        self.requests.add(RETRY_WINDOW, now);
    }

    /// Whether one more retry is within the budget; it is counted if so.
    ///
    /// Several threads that ask at one moment may each take the last one.
    pub fn withdraw(&self, policy: &RetryBudgetPolicy, now: Duration) -> bool {
        let share = self.requests.sum(RETRY_WINDOW, now) * u64::from(policy.percent) / 100;
        let least = u64::from(policy.minimum_per_second) * RETRY_WINDOW.as_secs();
        let allowed = self.retries.sum(RETRY_WINDOW, now) < share.max(least);
        if allowed {
            self.retries.add(RETRY_WINDOW, now);
        }
        allowed
    }
}

/// The hedges of one route.
#[derive(Debug, Default)]
pub struct HedgeShare {
    requests: Tally,
    hedges: Tally,
}

impl HedgeShare {
    /// A request begins.
    pub fn deposit(&self, now: Duration) {
        self.requests.add(HEDGE_WINDOW, now);
    }

    /// Whether one more hedge is within `max_percent` of a hundred requests; it is counted if so.
    pub fn withdraw(&self, max_percent: u8, now: Duration) -> bool {
        let share = self.requests.sum(HEDGE_WINDOW, now) * u64::from(max_percent) / 100;
        let allowed = self.hedges.sum(HEDGE_WINDOW, now) < share;
        if allowed {
            self.hedges.add(HEDGE_WINDOW, now);
        }
        allowed
    }
}

impl HedgePolicy {
    /// How long `endpoint` has for its first token before another is asked besides. `None`: too little is known
    /// of it.
    #[must_use]
    pub fn delay(&self, endpoint: &Endpoint) -> Option<Duration> {
        match self.after {
            HedgeAfter::Fixed(after) => Some(after),
            HedgeAfter::Percentile(percent) => endpoint.first_token_percentile(percent),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_in_five_and_a_few_where_there_are_few() {
        let policy = RetryBudgetPolicy { percent: 20, minimum_per_second: 0 };
        let budget = RetryBudget::default();
        assert!(!budget.withdraw(&policy, ms(5)));
        (0..50).for_each(|_| budget.deposit(ms(10)));
        let granted = (0..50).filter(|_| budget.withdraw(&policy, ms(20))).count();
        assert_eq!(granted, 10);
        assert!(!budget.withdraw(&policy, ms(9_000)));
        assert!(!budget.withdraw(&policy, ms(11_000)), "requests of long ago earn nothing");
        let least = RetryBudgetPolicy { percent: 0, minimum_per_second: 2 };
        let granted = (0..50).filter(|_| budget.withdraw(&least, ms(30_000))).count();
        assert_eq!(granted, 20);
    }

    #[test]
    fn hedges_keep_their_share() {
        let share = HedgeShare::default();
        assert!(!share.withdraw(100, ms(1)));
        let mut hedges = 0;
        for n in 0..2_000 {
            share.deposit(ms(n * 20));
            hedges += u32::from(share.withdraw(5, ms(n * 20)));
        }
        assert_eq!(hedges, 100);
        assert!(!share.withdraw(0, ms(40_000)));
    }

    proptest! {
        /// Over any ten seconds, calls are at most 1.2 times the requests (and the least that is allowed).
        #[test]
        fn load_is_not_multiplied(
            pauses in proptest::collection::vec((0_u64..400, 0_u32..6), 1..400),
        ) {
            let policy = RetryBudgetPolicy { percent: 20, minimum_per_second: 0 };
            let budget = RetryBudget::default();
            let (mut now, mut requests, mut retries) = (0, Vec::new(), Vec::new());
            for (pause, wanted) in pauses {
                now += pause;
                budget.deposit(ms(now));
                requests.push(now);
                for _ in 0..wanted {
                    if budget.withdraw(&policy, ms(now)) {
                        retries.push(now);
                    }
                }
                let lately = |at: &[u64]| at.iter().filter(|at| now - **at < 9_000).count();
                let earned = requests.iter().filter(|at| now - **at < 19_000).count();
                prop_assert!(lately(&retries) * 5 <= earned);
            }
        }
    }
}
