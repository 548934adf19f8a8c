//! What a client is told when nobody gave an answer: the most useful of all causes decides, every attempt is
//! named, and so is everybody who could not be asked.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use pointsman_config::Deployment;
use pointsman_core::{ErrorCode, Outcome, PublicError};
use pointsman_resilience::Refusal;

use crate::pipeline::attempt::Failure;
use crate::pipeline::deliver::refused_as;
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::Rejection;

/// When somebody may come back who was shed because too many calls are under way.
const SHED_RETRY_AFTER: Duration = Duration::from_secs(1);

impl Dispatch {
    /// The error after the last attempt.
    pub(crate) fn exhausted(&self) -> PublicError {
        let now = self.gateway.timeline.now();
        let mut message = match self.failures.len() {
            0 => String::from("no candidate may be asked now: "),
            1 => String::from("the provider gave no answer: "),
            count => format!("no provider gave an answer in {count} attempts: "),
        };
        for (number, (deployment, failure)) in self.failures.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(message, "{separator}{}. {}: {}", number + 1, deployment.key, failure.public);
        }
        let mut separator = if self.failures.is_empty() { "" } else { "; not asked: " };
        for (deployment, refusal) in self.not_asked() {
            let _ = write!(message, "{separator}{}: {}", deployment.key, reason(refusal, now));
            separator = "; ";
        }
        let (told, shed) = (self.told(), self.shed(now));
        let code = match (told, shed) {
            (Some(told), Some(shed)) if rank(shed) < rank(told) => shed_as(shed),
            (Some(told), _) => code(told),
            (None, Some(shed)) => shed_as(shed),
            (None, None) => ErrorCode::UpstreamUnavailable,
        };
        let mut error = PublicError::new(code, message);
        let told = self.sent().map(|(_, failure)| failure.outcome);
        let waits = told.chain(self.not_asked().map(|(_, refusal)| counts_as(refusal, now)));
        error.retry_after = waits.filter_map(Outcome::retry_after).min();
        error
    }

    /// Attempts that were made, without those that were made anew with less in them.
    fn sent(&self) -> impl Iterator<Item = &(Arc<Deployment>, Failure)> {
        self.failures.iter().filter(|(_, failure)| failure.unsaid.is_none() && failure.blames.is_none())
    }

    /// Those who were passed over and never called.
    fn not_asked(&self) -> impl Iterator<Item = &(Arc<Deployment>, Refusal)> {
        let tried = |deployment| self.failures.iter().any(|(tried, _)| Arc::ptr_eq(tried, deployment));
        self.candidates.passed_over.iter().filter(move |(deployment, _)| !tried(deployment))
    }

    /// The most useful of what providers said.
    fn told(&self) -> Option<Outcome> {
        most_useful(self.sent().map(|(_, failure)| failure.outcome))
    }

    /// The most useful of why others were not asked.
    fn shed(&self, now: Duration) -> Option<Outcome> {
        most_useful(self.not_asked().map(|(_, refusal)| counts_as(refusal, now)))
    }

    /// The refusal among all failures that is for the client in the provider's own words: it is the one who can
    /// mend that.
    pub(super) fn kept_rejection(&mut self) -> Option<Box<Rejection>> {
        let best = rank(self.told()?);
        if self.shed(self.gateway.timeline.now()).is_some_and(|shed| rank(shed) < best) {
            return None;
        }
        let mut useful = self.failures.iter_mut().filter(|(_, failure)| rank(failure.outcome) == best);
        useful.find_map(|(_, failure)| failure.rejection.take())
    }
}

/// The outcome that says most about what to do: it decides the status, and is how the request ended.
pub(crate) fn most_useful(outcomes: impl Iterator<Item = Outcome>) -> Option<Outcome> {
    // Of equals the last, which is how things are now.
    outcomes.fold(None, |best, outcome| match best {
        Some(best) if rank(best) < rank(outcome) => Some(best),
        _ => Some(outcome),
    })
}

/// What the client can do something about first: mend the request, then wait, then try again; what only the
/// operator can mend comes last.
const fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::ClientFault | Outcome::ContextTooLong | Outcome::ContentFiltered => 0,
        Outcome::RateLimited { .. } => 1,
        Outcome::Overloaded { .. } => 2,
        Outcome::Timeout(_) => 3,
        Outcome::Success
        | Outcome::UpstreamFault
        | Outcome::Refused
        | Outcome::UnknownHost
        | Outcome::TlsFailed
        | Outcome::Unreachable
        | Outcome::Reset
        | Outcome::Cancelled => 4,
        Outcome::Malformed => 5,
        Outcome::ModelNotFound => 6,
        Outcome::QuotaExhausted | Outcome::Unauthorized => 7,
    }
}

/// The error that an outcome is told as.
pub(crate) const fn code(outcome: Outcome) -> ErrorCode {
    match outcome {
        Outcome::RateLimited { .. } => ErrorCode::UpstreamRateLimited,
        Outcome::Overloaded { .. } => ErrorCode::UpstreamOverloaded,
        Outcome::Timeout(_) => ErrorCode::UpstreamTimeout,
        Outcome::Unauthorized | Outcome::QuotaExhausted => ErrorCode::UpstreamUnauthorized,
        Outcome::Malformed => ErrorCode::UpstreamMalformed,
        Outcome::ClientFault
        | Outcome::ContextTooLong
        | Outcome::ContentFiltered
        | Outcome::ModelNotFound => refused_as(outcome),
        Outcome::Success
        | Outcome::UpstreamFault
        | Outcome::Refused
        | Outcome::UnknownHost
        | Outcome::TlsFailed
        | Outcome::Unreachable
        | Outcome::Reset
        | Outcome::Cancelled => ErrorCode::UpstreamUnavailable,
    }
}

/// What a candidate that was not asked would have said.
fn counts_as(refusal: &Refusal, now: Duration) -> Outcome {
    match refusal {
        Refusal::Ceiling { until, .. } => {
            Outcome::RateLimited { retry_after: Some(until.saturating_sub(now)) }
        }
        Refusal::Busy => Outcome::Overloaded { retry_after: Some(SHED_RETRY_AFTER) },
        Refusal::Open { .. } | Refusal::KeysBenched { .. } => Outcome::Unreachable,
    }
}

/// The error that is told where it is we who sent somebody away.
const fn shed_as(outcome: Outcome) -> ErrorCode {
    match outcome {
        Outcome::Overloaded { .. } => ErrorCode::Overloaded,
        outcome => code(outcome),
    }
}

/// Why a candidate was not asked, for the client.
fn reason(refusal: &Refusal, now: Duration) -> String {
    let seconds = |until: &Duration| until.saturating_sub(now).as_millis().div_ceil(1000);
    match refusal {
        Refusal::Open { until } => {
            format!("it failed too often and is left alone for another {} s", seconds(until))
        }
        Refusal::Ceiling { until, .. } => {
            format!("its limit of requests or tokens is reached for another {} s", seconds(until))
        }
        Refusal::Busy => String::from("it has as many calls as it may, and nobody else may wait"),
        Refusal::KeysBenched { .. } => String::from("the provider refuses its key or account"),
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::Phase;

    use super::*;

    #[test]
    fn what_the_client_can_mend_comes_before_what_it_can_wait_for() {
        let limited = Outcome::RateLimited { retry_after: None };
        let cases: [(&[Outcome], Outcome); 6] = [
            (&[Outcome::ContextTooLong, Outcome::UpstreamFault], Outcome::ContextTooLong),
            (&[limited, Outcome::UpstreamFault, Outcome::Reset], limited),
            (&[Outcome::UpstreamFault, Outcome::Reset], Outcome::Reset),
            (&[Outcome::Unauthorized, Outcome::Timeout(Phase::Total)], Outcome::Timeout(Phase::Total)),
            (&[Outcome::Unauthorized, Outcome::ModelNotFound], Outcome::ModelNotFound),
            (&[Outcome::Malformed, Outcome::UnknownHost], Outcome::UnknownHost),
        ];
        for (outcomes, expected) in cases {
            assert_eq!(most_useful(outcomes.iter().copied()), Some(expected), "{outcomes:?}");
        }
        assert_eq!(most_useful(std::iter::empty()), None);
    }
}
