//! A second candidate beside one that is late: whichever has something to show first is shown, the other one is
//! cancelled and billed for what it may have done.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pointsman_config::Deployment;
use pointsman_core::{Outcome, Rng, Usage};
use pointsman_resilience::HedgeAfter;
use pointsman_telemetry::Hedged;
use pointsman_wire::neutral::Losses;
use tokio::time::sleep;

use crate::endpoints::RouteSite;
use crate::live::Live;
use crate::pipeline::attempt::{self, Failure, Opened, PlainAnswer};
use crate::pipeline::dispatch::Dispatch;
use crate::responses::Made;

/// Of timers.
const PRECISION: Duration = Duration::from_millis(1);

/// An attempt without an answer, and whose it was.
pub(super) type Failed = (Arc<Deployment>, Failure);

/// What a race came to.
enum Raced {
    First(Opened),
    Second(Opened),
    /// The first one's failure, where nobody else's matters.
    Failed(Failure),
    /// Both failed. The second one may not even have had anybody to ask.
    Neither(Failure, Option<Failed>),
}

/// Calls `deployment`, and the next candidate as well where nothing has come `after` that time.
pub(super) async fn attempt(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    after: Duration,
) -> Result<Opened, Failed> {
    let failed = |failure| (deployment.clone(), failure);
    // Before the first begins: it has the request for itself until it ends.
    let mut other = dispatch.fork();
    let mut first = Box::pin(attempt::attempt(dispatch, deployment));
    let early = tokio::select! {
        biased;
        done = &mut first => Some(done),
        () = sleep(after) => None,
    };
    if let Some(done) = early {
        return done.map_err(failed);
    }
    if !other.may_hedge() {
        return first.await.map_err(failed);
    }
    let raced = race(first.as_mut(), Box::pin(other.beside()).as_mut()).await;
    drop(first);
    dispatch.conclude(raced, other, deployment)
}

/// Waits until one of them has something to show, or both have failed.
async fn race<F, S>(mut first: Pin<&mut F>, mut second: Pin<&mut S>) -> Raced
where
    F: Future<Output = Result<Opened, Failure>>,
    S: Future<Output = Result<Opened, Option<Failed>>>,
{
    let mut first_failed: Option<Failure> = None;
    let mut second_failed: Option<Option<Failed>> = None;
    loop {
        tokio::select! {
            biased;
            done = &mut first, if first_failed.is_none() => match done {
                Ok(opened) => return Raced::First(opened),
                // Then the other one need not be asked any more.
                Err(failure) if failure.outcome.blames_request() => return Raced::Failed(failure),
                Err(failure) => first_failed = Some(failure),
            },
            done = &mut second, if second_failed.is_none() => match done {
                Ok(opened) => return Raced::Second(opened),
                Err(failed) => second_failed = Some(failed),
            },
        }
        match (first_failed.take(), second_failed.take()) {
            (Some(first), Some(second)) => return Raced::Neither(first, second),
            (first, second) => (first_failed, second_failed) = (first, second),
        }
    }
}

impl Dispatch {
    /// When another candidate is asked beside this one; `None`: not at all.
    pub(super) fn hedge_after(&self, deployment: &Deployment) -> Option<Duration> {
        let policy = self.route.hedge?;
        // Of a whole answer, the history of first tokens says nothing.
        let told = self.streamed || matches!(policy.after, HedgeAfter::Fixed(_));
        // An answer that goes on from another one has only one place to come from.
        let free = self.keeping.as_ref().is_none_or(|keeping| !keeping.goes_on());
        if !told || !free || !self.operation.is_text() || !self.has_another() {
            return None;
        }
        let live = Live::of(deployment, &self.gateway)?;
        if let Some(site) = RouteSite::of(&self.route) {
            site.hedges.deposit(self.gateway.timeline.now());
        }
        // What comes at its usual moment is not late.
        policy.delay(&live.site.endpoint).map(|after| after + PRECISION)
    }

    /// Whether one more call is within the route's share.
    fn may_hedge(&self) -> bool {
        let now = self.gateway.timeline.now();
        let within = |site: &RouteSite| {
            self.route.hedge.is_some_and(|policy| site.hedges.withdraw(policy.max_percent, now))
                && site.budget.withdraw(&self.route.retry_budget, now)
        };
        let may = RouteSite::of(&self.route).is_some_and(within);
        if !may {
            self.gateway.metrics.resilience().hedged(Hedged::Denied);
        }
        may
    }

    /// The same request once more, for one attempt at somebody else.
    fn fork(&mut self) -> Self {
        Self {
            gateway: self.gateway.clone(),
            settlement: self.settlement.fork(),
            asked: self.asked.clone(),
            operation: self.operation,
            streamed: self.streamed,
            wants_usage: self.wants_usage,
            first_edits: None,
            outgoing: self.outgoing.clone(),
            trace: self.trace,
            deadline: self.deadline,
            rng: Rng::new(self.rng.next_u64()),
            route: self.route.clone(),
            choices: self.choices,
            speech: self.speech,
            dropped: Losses::default(),
            tool_names: None,
            media: None,
            keeping: None,
            unsealed: self.unsealed,
            withheld: None,
            continuation: self.continuation.clone(),
            leader: None,
            candidates: self.candidates.fork(),
            failures: Vec::new(),
        }
    }

    /// Calls the next candidate that may be called now.
    async fn beside(&mut self) -> Result<Opened, Option<Failed>> {
        let next = self.admitted_from(self.next_position());
        let (position, pass) = next.ok_or(None)?;
        self.turn_to(position, pass);
        let deployment = self.candidate().await.map_err(|_| None)?;
        let done = attempt::attempt(self, &deployment).await;
        done.map_err(|failure| Some((deployment, failure)))
    }

    /// Settles a race in one request again.
    fn conclude(
        &mut self,
        raced: Raced,
        mut other: Self,
        deployment: &Arc<Deployment>,
    ) -> Result<Opened, Failed> {
        let now = self.gateway.clock.now();
        let counters = self.gateway.metrics.clone();
        match raced {
            Raced::First(opened) => {
                counters.resilience().hedged(Hedged::Lost);
                other.settlement.end_attempt(Outcome::Cancelled, Usage::default(), None, now);
                self.settlement.absorb();
                Ok(opened)
            }
            Raced::Second(opened) => {
                counters.resilience().hedged(Hedged::Won);
                self.settlement.end_attempt(Outcome::Cancelled, Usage::default(), None, now);
                self.settlement.meter.resume(now);
                self.take_over(other);
                self.keep_whole(&opened);
                Ok(opened)
            }
            Raced::Failed(failure) => {
                other.settlement.end_attempt(Outcome::Cancelled, Usage::default(), None, now);
                self.settlement.absorb();
                Err((deployment.clone(), failure))
            }
            Raced::Neither(failure, None) => {
                self.settlement.absorb();
                Err((deployment.clone(), failure))
            }
            Raced::Neither(failure, Some(failed)) => {
                counters.resilience().hedged(Hedged::Failed);
                // Nobody asks again without what it refused.
                self.failures.push((deployment.clone(), Failure { blames: None, ..failure }));
                self.take_over(other);
                Err(failed)
            }
        }
    }

    /// Goes on where `other` stands.
    fn take_over(&mut self, other: Self) {
        self.settlement.adopt(other.settlement);
        self.speech = other.speech;
        self.dropped = other.dropped;
        self.tool_names = other.tool_names;
        self.media = self.media.take().or(other.media);
        self.candidates = other.candidates;
        self.failures.extend(other.failures);
        if let Some(keeping) = &mut self.keeping {
            keeping.used(self.candidates.key());
        }
    }

    /// Has a whole answer kept that came from beside.
    fn keep_whole(&mut self, opened: &Opened) {
        let Opened::Plain(PlainAnswer { deployment, body, .. }) = opened else { return };
        let Some(mut keeping) = self.keeping.take() else { return };
        keeping.answered(body, &Made::of(self, deployment));
        self.keeping = Some(keeping);
    }
}
