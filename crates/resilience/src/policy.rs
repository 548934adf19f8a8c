//! Retry or fall back: the rules.
//!
//! A retry goes to the same deployment, a fallback to the next candidate. Where another candidate is
//! left, it is asked at once: it can answer now, while the failed one would first have to recover. The
//! last candidate is retried, after a pause with full jitter.

use std::time::Duration;

use pointsman_core::{Outcome, Phase, Rng};

use crate::budget::RetryBudget;
use crate::settings::RetryBudgetPolicy;

/// How often to try, and how long to wait between two tries of one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Calls of one candidate, the first included. At least 1.
    pub max_attempts_per_candidate: u32,
    /// Calls of one request in all, the first included. At least 1.
    pub max_attempts_total: u32,
    /// The upper bound of the first pause; it doubles with each retry.
    pub base: Duration,
    /// No drawn pause is longer. A `Retry-After` may be.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// One retry of the last candidate, six calls in all, pauses of at most 250 ms growing to 4 s.
    ///
    /// One retry mends what a single broken connection or a restarting replica breaks. More retries
    /// multiply load exactly when a provider has too much of it, so they are the operator's choice.
    fn default() -> Self {
        Self {
            max_attempts_per_candidate: 2,
            max_attempts_total: 6,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(4),
        }
    }
}

/// What has been tried so far, the attempt that just failed included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Calls of the present candidate.
    pub on_candidate: u32,
    /// Calls of this request.
    pub total: u32,
    /// Candidates that may take over now: those that come after the present one, or, where the cause has a
    /// chain of its own (too long, forbidden, no quota), those of that chain.
    pub candidates_left: usize,
}

/// An attempt that failed, and what is left to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How it ended.
    pub outcome: Outcome,
    /// What has been tried, this attempt included.
    pub attempts: Attempts,
    /// Until the request's deadline.
    pub left: Duration,
    /// Doing it twice does no harm. Where it would, it is done again only if no byte of it can have left.
    pub may_repeat: bool,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Wait so long, then call the same candidate again. The pause ends before the deadline.
    RetryAfter(Duration),
    /// Call the next candidate now.
    Fallback,
    /// Tell the client.
    GiveUp,
}

/// The pause before the next call of the same deployment, after its `attempt`th call (from 1) failed.
///
/// Full jitter: uniform between 0 and min(cap, base · 2^(attempt − 1)); source: "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015. With a `retry_after` the provider's wish is the least, and a
/// jitter below `base` is added, so that callers who were told the same moment do not return as one.
pub fn backoff(policy: &RetryPolicy, attempt: u32, retry_after: Option<Duration>, rng: &mut Rng) -> Duration {
    if let Some(wait) = retry_after {
        return wait.saturating_add(below(policy.base, rng));
    }
    let doublings = attempt.saturating_sub(1).min(31);
    below(policy.base.saturating_mul(1 << doublings).min(policy.cap), rng)
}

/// What to do after an attempt that failed.
///
/// | outcome | another candidate left | none left |
/// |---|---|---|
/// | success, client's fault, cancelled | give up | give up |
/// | it would be done twice, and may have been done | give up | give up |
/// | total deadline passed, or nothing left of it | give up | give up |
/// | too long, forbidden, no such model, unauthorized, no quota, silent | fall back | give up |
/// | anything else | fall back | retry while attempts, budget and time allow, else give up |
///
/// A success is never tried again: "give up" then means that there is nothing to do. A `Retry-After` that does
/// not fit into the time left ends the request at once: the client learns it early enough to go elsewhere.
///
/// Another candidate is always asked at once, and takes nothing from the `budget`: it is not the one that is in
/// trouble. A retry is counted when it is decided.
pub fn decide(
    policy: &RetryPolicy,
    failed: &Failed,
    budget: (&RetryBudget, &RetryBudgetPolicy),
    now: Duration,
    rng: &mut Rng,
) -> Decision {
    let Failed { outcome, attempts, left, may_repeat } = *failed;
    let over = left.is_zero() || outcome == Outcome::Timeout(Phase::Total);
    let done = matches!(outcome, Outcome::Success | Outcome::ClientFault | Outcome::Cancelled);
    let twice = !may_repeat && !outcome.nothing_sent();
    if over || done || twice || attempts.total >= policy.max_attempts_total {
        return Decision::GiveUp;
    }
    if attempts.candidates_left > 0 {
        return Decision::Fallback;
    }
    if !outcome.retryable() || attempts.on_candidate >= policy.max_attempts_per_candidate {
        return Decision::GiveUp;
    }
    let wait = backoff(policy, attempts.on_candidate, outcome.retry_after(), rng);
    let (spent, allowed) = budget;
    if wait < left && spent.withdraw(allowed, now) { Decision::RetryAfter(wait) } else { Decision::GiveUp }
}

/// Uniform in [0, bound], to the microsecond.
fn below(bound: Duration, rng: &mut Rng) -> Duration {
    let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(rng.below(micros.saturating_add(1)))
}

#[cfg(test)]
mod tests;
