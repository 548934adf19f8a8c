//! What operators set: plain data, read by the configuration and followed by the state machines here.
//!
//! Every default is what holds where nobody says anything.

use std::sync::Arc;
use std::time::Duration;

/// When a breaker opens, and for how long. Whichever of its rules is met first opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures within `window` that open it; 0: their number alone does not.
    pub failures: u32,
    /// How long a failure counts.
    pub window: Duration,
    /// How long it stays open before one call may try again.
    pub open_for: Duration,
    /// Failures in a row that open it, however far apart.
    pub consecutive: Option<u32>,
    /// A share of failures within `window` that opens it.
    pub share: Option<FailureShare>,
}

impl BreakerPolicy {
    /// Never opens.
    pub const OFF: Self = Self { failures: 0, consecutive: None, share: None, ..Self::USUAL };
    const USUAL: Self = Self {
        failures: 5,
        window: Duration::from_secs(60),
        open_for: Duration::from_secs(300),
        consecutive: None,
        share: None,
    };

    /// Whether nothing can open it.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.failures == 0 && self.consecutive.is_none() && self.share.is_none()
    }

    /// For one of a provider's keys: what it is refused for once, it is refused for until somebody acts.
    #[must_use]
    pub const fn for_keys() -> Self {
        Self { failures: 1, ..Self::USUAL }
    }
}

impl Default for BreakerPolicy {
    /// Five failures within a minute, for five minutes.
    fn default() -> Self {
        Self::USUAL
    }
}

/// A share of failures that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureShare {
    /// Failed calls of a hundred, 1 to 100.
    pub percent: u8,
    /// Calls within the window below which a share says nothing. At least 1.
    pub minimum: u32,
}

/// What holds for one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPolicy {
    /// When it is left in peace.
    pub breaker: BreakerPolicy,
    /// When one of its keys is, for what only that key is refused.
    pub key_breaker: BreakerPolicy,
    /// Calls at one time; `None`: no limit.
    pub max_concurrency: Option<u32>,
    /// Requests that may wait for one of them to end; 0: none does.
    pub max_queue: u32,
    /// How long each of them waits at most.
    pub queue_wait: Duration,
    /// Calls that each key may make in a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens, in and out, that each key may use in a minute.
    pub tokens_per_minute: Option<u64>,
    /// How long a cold one takes to get its whole share; zero: at once.
    pub ease_in: Duration,
    /// Where it is.
    pub zone: Option<Arc<str>>,
    /// Calls of our own that find out whether it is well again.
    pub probe: Option<ProbePolicy>,
}

impl Default for EndpointPolicy {
    /// A breaker, and no limit of any kind.
    fn default() -> Self {
        Self {
            breaker: BreakerPolicy::default(),
            key_breaker: BreakerPolicy::for_keys(),
            max_concurrency: None,
            max_queue: 0,
            queue_wait: Duration::from_secs(10),
            requests_per_minute: None,
            tokens_per_minute: None,
            ease_in: Duration::from_secs(10),
            zone: None,
            probe: None,
        }
    }
}

/// Calls of our own to a deployment whose breaker is open. They cost a token each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbePolicy {
    /// The pause between two.
    pub every: Duration,
    /// How many a day, at most.
    pub max_per_day: u32,
}

/// When a second candidate is asked besides the first, which is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgePolicy {
    /// What counts as late.
    pub after: HedgeAfter,
    /// Of a hundred requests, how many may be asked twice.
    pub max_percent: u8,
}

/// When the first token is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// After this percentile of the deployment's own history, 1 to 99.
    Percentile(u8),
    /// After this time.
    Fixed(Duration),
}

/// How many calls may be made beyond the first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetPolicy {
    /// Of a hundred requests, how many may be tried again.
    pub percent: u8,
    /// So many a second may in any case: where requests are few, a share of them is none.
    pub minimum_per_second: u32,
}

impl Default for RetryBudgetPolicy {
    /// One in five, and one a second.
    fn default() -> Self {
        Self { percent: 20, minimum_per_second: 1 }
    }
}

/// How one of several deployments is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The better of two drawn ones, by its own latency and what is in flight.
    #[default]
    PeakEwma,
    /// Drawn by weight.
    Weighted,
    /// In turn.
    RoundRobin,
    /// The one with the fewest calls in flight.
    LeastBusy,
    /// The one whose first token comes soonest.
    LowestLatency,
    /// The one with the lowest price.
    Cheapest,
    /// The lowest number first; equals by turn.
    Priority,
    /// By a hash of the caller and the deployment, so that a caller stays where it is.
    Rendezvous,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PeakEwma,
        Self::Weighted,
        Self::RoundRobin,
        Self::LeastBusy,
        Self::LowestLatency,
        Self::Cheapest,
        Self::Priority,
        Self::Rendezvous,
    ];

    /// The word used in routes, records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PeakEwma => "peak_ewma",
            Self::Weighted => "weighted",
            Self::RoundRobin => "round_robin",
            Self::LeastBusy => "least_busy",
            Self::LowestLatency => "lowest_latency",
            Self::Cheapest => "cheapest",
            Self::Priority => "priority",
            Self::Rendezvous => "rendezvous",
        }
    }
}

/// By what requests are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AffinityBy {
    /// The session that the caller names.
    Session,
    /// How the conversation begins.
    Prefix,
    /// Whose request it is.
    User,
}

/// Requests that belong together go to one deployment while it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AffinityPolicy {
    /// What belongs together.
    pub by: AffinityBy,
    /// How long that is remembered since the last of them.
    pub ttl: Duration,
}

/// Who is served first where requests wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// After all others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before all others.
    High,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_breaker_without_rules_is_off() {
        assert!(BreakerPolicy::OFF.is_off());
        let share = Some(FailureShare { percent: 50, minimum: 20 });
        for on in [
            BreakerPolicy::default(),
            BreakerPolicy::for_keys(),
            BreakerPolicy { consecutive: Some(3), ..BreakerPolicy::OFF },
            BreakerPolicy { share, ..BreakerPolicy::OFF },
        ] {
            assert!(!on.is_off(), "{on:?}");
        }
    }

    #[test]
    fn strategies_have_words_of_their_own() {
        let mut words = Strategy::ALL.map(Strategy::as_str);
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
        assert!(Priority::High > Priority::default() && Priority::default() > Priority::Low);
    }
}
