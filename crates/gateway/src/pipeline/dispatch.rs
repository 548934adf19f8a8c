//! Stage 9: attempts, one after the other, until one has something to show.
//!
//! Retry and fallback are one mechanism: [`Dispatch::open`] goes on from wherever the last attempt left
//! off. It owns all it needs, so that a response body can call it again in the middle of a stream.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use pointsman_config::{Deployment, RouteOptions, Timeouts};
use pointsman_core::record::TraceContext;
use pointsman_core::{Deadline, ErrorCode, Operation, Outcome, PublicError, Rng};
use pointsman_resilience::{Attempts, Decision, Failed, RetryBudget, RetryBudgetPolicy, decide};
use pointsman_wire::neutral::Losses;
use pointsman_wire::splice::Edits;
use smallvec::SmallVec;

use crate::Gateway;
use crate::asked::Asked;
use crate::headers;
use crate::pipeline::attempt::{self, Failure, Opened};
use crate::pipeline::deliver::refused_as;
use crate::pipeline::media::Media;
use crate::pipeline::plan::Planned;
use crate::pipeline::refusal::Rejection;
use crate::pipeline::translate::Speech;
use crate::responses::Keeping;
use crate::settlement::Settlement;

/// What is sent upstream, as far as it does not depend on the candidate.
pub(crate) struct Outgoing {
    /// The client's own bytes.
    pub(crate) body: Bytes,
    /// The client's headers that may go upstream.
    pub(crate) headers: HeaderMap,
    /// Those that name an account of the client's own, and go nowhere.
    pub(crate) accounts: Vec<&'static str>,
}

impl Outgoing {
    pub(crate) fn new(body: Bytes, headers: &HeaderMap) -> Self {
        let mut forwarded = HeaderMap::new();
        headers::forward(headers, &mut forwarded);
        Self { body, headers: forwarded, accounts: headers::accounts(headers) }
    }
}

/// A request on its way through its candidates.
pub(crate) struct Dispatch {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) settlement: Settlement,
    pub(crate) asked: Asked,
    pub(crate) operation: Operation,
    pub(crate) streamed: bool,
    /// Whether the client itself asked for the usage chunk.
    pub(crate) wants_usage: bool,
    pub(crate) first_edits: Option<Edits>,
    pub(crate) outgoing: Outgoing,
    pub(crate) trace: TraceContext,
    pub(crate) deadline: Deadline,
    pub(crate) rng: Rng,
    pub(crate) route: Arc<RouteOptions>,
    /// How many choices the client asked for.
    pub(crate) choices: u64,
    /// How the present candidate is spoken to.
    pub(crate) speech: Speech,
    /// What the request to it does not carry.
    pub(crate) dropped: Losses,
    /// What was fetched for candidates that do not take addresses.
    pub(crate) media: Option<Box<Media>>,
    /// What it takes to keep the answer.
    pub(crate) keeping: Option<Box<Keeping>>,
    candidates: SmallVec<[Arc<Deployment>; 2]>,
    position: usize,
    tries_here: u32,
    failures: Vec<(Arc<Deployment>, Failure)>,
    budget: RetryBudget,
}

impl Dispatch {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        settlement: Settlement,
        planned: Planned,
        outgoing: Outgoing,
    ) -> Self {
        let (operation, trace) = settlement
            .record()
            .map_or((Operation::Chat, TraceContext::default()), |record| (record.operation, record.trace));
        let deadline = Deadline::new(settlement.meter.started(), planned.total);
        let asked = Asked::openai(operation);
        Self {
            gateway,
            settlement,
            speech: Speech::same(asked.dialect),
            asked,
            operation,
            streamed: planned.streamed,
            wants_usage: planned.wants_usage,
            first_edits: planned.first_edits,
            outgoing,
            trace,
            deadline,
            rng: planned.rng,
            route: planned.route,
            choices: planned.choices,
            dropped: Losses::default(),
            media: None,
            keeping: None,
            candidates: planned.candidates,
            position: 0,
            tries_here: 0,
            failures: Vec::new(),
            budget: RetryBudget::default(),
        }
    }

    /// Makes attempts until one has an answer to show, or none is left.
    ///
    /// # Errors
    /// What the client is told: every attempt is named in it.
    pub(crate) async fn open(&mut self) -> Result<Opened, PublicError> {
        loop {
            let deployment = self.candidate()?;
            match attempt::attempt(self, &deployment).await {
                Ok(opened) => return Ok(opened),
                Err(failure) if failure.unsaid.is_some() => self.pass_over(deployment, failure)?,
                Err(failure) => {
                    if let Some(rejection) = self.go_on(deployment, failure).await? {
                        return Ok(Opened::Rejected(rejection));
                    }
                }
            }
        }
    }

    /// The candidate whose turn it is.
    ///
    /// # Errors
    /// None is left: every attempt is named.
    pub(crate) fn candidate(&mut self) -> Result<Arc<Deployment>, PublicError> {
        let Some(deployment) = self.candidates.get(self.position).cloned() else {
            return Err(self.exhausted());
        };
        self.tries_here += 1;
        Ok(deployment)
    }

    /// Goes on to the next candidate where nothing was sent to this one.
    ///
    /// # Errors
    /// Nobody else can be asked: where nobody was, why the first one was not.
    pub(crate) fn pass_over(
        &mut self,
        deployment: Arc<Deployment>,
        mut failure: Failure,
    ) -> Result<(), PublicError> {
        tracing::debug!(deployment = %deployment.key, reason = %failure.public, "candidate passed over");
        if let Some(unsaid) = failure.unsaid.take_if(|unsaid| unsaid.for_all) {
            return Err(unsaid.error);
        }
        let another = self.has_another();
        self.failures.push((deployment, failure));
        if another {
            self.position += 1;
            self.tries_here = 0;
            return Ok(());
        }
        let nothing_sent = self.failures.iter().all(|(_, failure)| failure.unsaid.is_some());
        let first = self.failures.first_mut().filter(|_| nothing_sent);
        let first = first.and_then(|(_, failure)| failure.unsaid.take());
        Err(first.map_or_else(|| self.exhausted(), |unsaid| unsaid.error))
    }

    /// Decides what comes after a failed attempt, and waits where that is to wait. A rejection is the
    /// provider's own answer, for the client.
    ///
    /// # Errors
    /// Nothing comes after it.
    pub(crate) async fn go_on(
        &mut self,
        deployment: Arc<Deployment>,
        failure: Failure,
    ) -> Result<Option<Box<Rejection>>, PublicError> {
        let now = self.gateway.clock.now();
        let attempts = Attempts {
            on_candidate: self.tries_here,
            total: u32::try_from(self.failures.len()).unwrap_or(u32::MAX).saturating_add(1),
            candidates_left: match failure.outcome.fallback_helps() {
                true => self.candidates.len() - self.position - 1,
                false => 0,
            },
        };
        let failed =
            Failed { outcome: failure.outcome, attempts, left: self.deadline.left(now), may_repeat: true };
        let elapsed = now.saturating_duration_since(self.settlement.meter.started());
        let budget = (&self.budget, &RetryBudgetPolicy::default());
        let decision = decide(&self.route.retry, &failed, budget, elapsed, &mut self.rng);
        tracing::debug!(
            deployment = %deployment.key,
            outcome = failure.outcome.as_str(),
            detail = failure.detail.as_deref(),
            ?decision,
            "attempt failed"
        );
        if decision == Decision::GiveUp {
            return self.give_up(deployment, failure);
        }
        self.failures.push((deployment, Failure { rejection: None, ..failure }));
        match decision {
            Decision::RetryAfter(pause) => {
                self.settlement.meter.pause(now);
                tokio::time::sleep(pause).await;
                self.settlement.meter.resume(self.gateway.clock.now());
            }
            Decision::Fallback | Decision::GiveUp => {
                self.position += 1;
                self.tries_here = 0;
            }
        }
        Ok(None)
    }

    /// The last attempt has failed: the provider's own words where it blames the request, else ours.
    ///
    /// # Errors
    /// Every attempt is named.
    pub(crate) fn give_up(
        &mut self,
        deployment: Arc<Deployment>,
        failure: Failure,
    ) -> Result<Option<Box<Rejection>>, PublicError> {
        if failure.rejection.is_some() {
            return Ok(failure.rejection);
        }
        self.failures.push((deployment, failure));
        Err(self.exhausted())
    }

    /// The limits of a candidate on this request's route.
    pub(crate) fn timeouts(&self, deployment: &Deployment) -> Timeouts {
        self.route.timeouts.of(deployment)
    }

    /// The client's request as it came; what is sent upstream is made of `outgoing`.
    pub(crate) fn received(&self) -> &Bytes {
        self.keeping.as_ref().map_or(&self.outgoing.body, |keeping| &keeping.request)
    }

    /// The time, in seconds since the Unix epoch.
    pub(crate) fn unix_seconds(&self) -> u64 {
        let unix_us = self.gateway.clock.unix_us(self.gateway.clock.now());
        u64::try_from(unix_us / 1_000_000).unwrap_or_default()
    }

    /// Asks only candidates that may be.
    pub(crate) fn retain(&mut self, may: impl Fn(&Deployment) -> bool) {
        self.candidates.retain(|candidate| may(candidate));
    }

    /// The first candidate.
    pub(crate) fn first(&self) -> Option<&Arc<Deployment>> {
        self.candidates.first()
    }

    /// Whether a candidate follows the present one.
    pub(crate) fn has_another(&self) -> bool {
        self.position + 1 < self.candidates.len()
    }

    /// The accounts, when nothing is left to be done.
    pub(crate) fn into_settlement(self) -> Settlement {
        self.settlement
    }

    /// The error after the last attempt: the cause of the last one that was sent decides, all are named.
    fn exhausted(&self) -> PublicError {
        let sent = self.failures.iter().rev().find(|(_, failure)| failure.unsaid.is_none());
        let last = sent.map_or(Outcome::UpstreamFault, |(_, failure)| failure.outcome);
        let code = match last {
            Outcome::RateLimited { .. } => ErrorCode::UpstreamRateLimited,
            Outcome::Overloaded { .. } => ErrorCode::UpstreamOverloaded,
            Outcome::Timeout(_) => ErrorCode::UpstreamTimeout,
            Outcome::Unauthorized | Outcome::QuotaExhausted => ErrorCode::UpstreamUnauthorized,
            Outcome::Malformed => ErrorCode::UpstreamMalformed,
            Outcome::ClientFault
            | Outcome::ContextTooLong
            | Outcome::ContentFiltered
            | Outcome::ModelNotFound => refused_as(last),
            Outcome::Success
            | Outcome::UpstreamFault
            | Outcome::Refused
            | Outcome::UnknownHost
            | Outcome::TlsFailed
            | Outcome::Unreachable
            | Outcome::Reset
            | Outcome::Cancelled => ErrorCode::UpstreamUnavailable,
        };
        let mut message = match self.failures.len() {
            1 => String::from("the provider gave no answer: "),
            count => format!("no provider gave an answer in {count} attempts: "),
        };
        for (number, (deployment, failure)) in self.failures.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(message, "{separator}{}. {}: {}", number + 1, deployment.key, failure.public);
        }
        let mut error = PublicError::new(code, message);
        error.retry_after =
            self.failures.iter().filter_map(|(_, failure)| failure.outcome.retry_after()).min();
        error
    }
}
