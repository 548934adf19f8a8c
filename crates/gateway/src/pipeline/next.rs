//! What comes after a failed attempt: another key, the same candidate again, the next one, or the end.

use std::sync::Arc;
use std::time::Duration;

use pointsman_config::Deployment;
use pointsman_core::{Operation, Outcome, PublicError};
use pointsman_resilience::{Attempts, Decision, Failed, decide};

use crate::endpoints::RouteSite;
use crate::pass::Pass;
use crate::pipeline::attempt::{Blame, Failure};
use crate::pipeline::dispatch::{Dispatch, Withheld};
use crate::pipeline::refusal::Rejection;

/// Fields that one candidate is asked again without, one after the other.
const MAX_WITHHELD: usize = 3;

/// Who is asked after a failure.
enum Next {
    /// This one, with leave to be called.
    Call(usize, Pass),
    /// This one, once there is leave.
    WaitFor(usize),
}

impl From<(usize, Pass)> for Next {
    fn from((position, pass): (usize, Pass)) -> Self {
        Self::Call(position, pass)
    }
}

impl Dispatch {
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
        self.give_back_pass();
        if let Some(unsaid) = failure.unsaid.take_if(|unsaid| unsaid.for_all) {
            return Err(unsaid.error);
        }
        self.failures.push((deployment, failure));
        let mut rest = self.next_position()..self.candidates.list.len();
        if let Some(next) = rest.find(|&position| self.is_untried(position)) {
            self.turn_towards(next);
            return Ok(());
        }
        let nothing_sent = self.failures.iter().all(|(_, failure)| failure.unsaid.is_some());
        let first = self.failures.first_mut().filter(|_| nothing_sent);
        let first = first.and_then(|(_, failure)| failure.unsaid.take());
        Err(first.map_or_else(|| self.exhausted(), |unsaid| unsaid.error))
    }

    /// Decides what comes after a failed attempt; [`Dispatch::candidate`] then waits where that is to wait. A
    /// rejection is the provider's own answer, for the client.
    ///
    /// # Errors
    /// Nothing comes after it.
    pub(crate) fn go_on(
        &mut self,
        deployment: Arc<Deployment>,
        failure: Failure,
    ) -> Result<Option<Box<Rejection>>, PublicError> {
        self.go_on_if(deployment, failure, true)
    }

    /// The same; where the request `may_repeat` not, only others are asked, and the same candidate never again.
    ///
    /// # Errors
    /// Nothing comes after it.
    pub(crate) fn go_on_if(
        &mut self,
        deployment: Arc<Deployment>,
        mut failure: Failure,
        may_repeat: bool,
    ) -> Result<Option<Box<Rejection>>, PublicError> {
        failure.blames = failure.blames.filter(|blame| may_repeat && self.without(*blame));
        if let Some(blame) = failure.blames {
            tracing::debug!(deployment = %deployment.key, without = ?blame, "asked again without what it refuses");
            // Its own words are no answer any more.
            failure.rejection = None;
            self.failures.push((deployment, failure));
            return Ok(None);
        }
        let redirected = self.redirect(&deployment, failure.outcome);
        let (next, decision) = match self.other_key(failure.outcome) {
            Some(next) => (Some(next.into()), Decision::Fallback),
            None => self.decide(failure.outcome, redirected, may_repeat),
        };
        tracing::debug!(
            deployment = %deployment.key,
            outcome = failure.outcome.as_str(),
            detail = failure.detail.as_deref(),
            ?decision,
            "attempt failed"
        );
        match (decision, next) {
            (Decision::Fallback, Some(next)) => {
                self.failures.push((deployment, failure));
                self.turn(next);
                Ok(None)
            }
            (Decision::RetryAfter(pause), _) => {
                self.failures.push((deployment, failure));
                self.candidates.pause = Some(pause);
                self.gateway.metrics.resilience().retried();
                Ok(None)
            }
            (Decision::Fallback | Decision::GiveUp, next) => {
                if let Some(Next::Call(_, pass)) = next {
                    pass.unused();
                }
                self.give_up(deployment, failure)
            }
        }
    }

    /// A stream broke off after something of it was shown, and its attempt has ended. Answers whether
    /// [`Dispatch::open`] has somebody to ask for the rest.
    pub(crate) fn next_after_interrupt(&mut self, deployment: &Arc<Deployment>, failure: Failure) -> bool {
        matches!(self.go_on(deployment.clone(), failure), Ok(None))
    }

    /// Whether somebody could go on with the stream of the present candidate if it broke off.
    pub(crate) fn may_go_on(&self) -> bool {
        let present = self.candidates.position;
        (0..self.candidates.list.len()).any(|position| position != present && self.is_untried(position))
    }

    /// The present candidate is left for the next one: what it said is no answer to what the client asked.
    ///
    /// # Errors
    /// Nobody comes after it: every attempt is named.
    pub(crate) fn leave(&mut self) -> Result<(), PublicError> {
        if self.at_its_end() {
            return Err(self.exhausted());
        }
        let next = self.admitted_from(self.next_position()).map(Next::from);
        let Some(next) = next.or_else(|| self.whoever_is_left()) else { return Err(self.exhausted()) };
        self.turn(next);
        Ok(())
    }

    /// The last attempt has failed: the provider's own words where it is the client who can mend that, else ours.
    ///
    /// # Errors
    /// Every attempt is named.
    pub(crate) fn give_up(
        &mut self,
        deployment: Arc<Deployment>,
        failure: Failure,
    ) -> Result<Option<Box<Rejection>>, PublicError> {
        self.failures.push((deployment, failure));
        match self.kept_rejection() {
            Some(rejection) => Ok(Some(rejection)),
            None => Err(self.exhausted()),
        }
    }

    /// Whether the same candidate may be asked once more, without what it refuses: proofs and ciphers of thoughts
    /// (those of another provider of its dialect, of an earlier key, or of thoughts that stand elsewhere by now), or
    /// a field that a client of another dialect gave and could not know to be refused.
    fn without(&mut self, blame: Blame) -> bool {
        let position = self.candidates.position;
        if self.at_its_end() || self.operation != Operation::Chat {
            return false;
        }
        let free = match blame {
            Blame::Seals => !self.unsealed,
            Blame::Field(name) => {
                let withheld = self.withheld();
                let new = !withheld.contains(&name) && withheld.len() < MAX_WITHHELD;
                self.speech.converted() && !self.route.strict && new
            }
        };
        if !free {
            return false;
        }
        let Ok(pass) = self.admit(position, false) else { return false };
        match blame {
            Blame::Seals => self.unsealed = true,
            Blame::Field(name) => self.withhold(name),
        }
        self.turn_to(position, pass);
        true
    }

    fn withhold(&mut self, name: &'static str) {
        let position = self.candidates.position;
        let withheld = self.withheld.take().filter(|own| own.position == position);
        let mut withheld = withheld.unwrap_or_else(|| Box::new(Withheld { position, fields: Vec::new() }));
        withheld.fields.push(name);
        self.withheld = Some(withheld);
    }

    /// Fields that the present candidate has refused.
    pub(crate) fn withheld(&self) -> &[&'static str] {
        let position = self.candidates.position;
        self.withheld.as_ref().filter(|own| own.position == position).map_or(&[], |own| &own.fields)
    }

    /// Another key of the same provider, where the one that was used is refused or at its limit and others are not.
    fn other_key(&mut self, outcome: Outcome) -> Option<(usize, Pass)> {
        let position = self.candidates.position;
        let keys = self.candidates.list.get(position)?.provider.auth.len();
        let used = self.key();
        let of_the_key = outcome.blames_key() || matches!(outcome, Outcome::RateLimited { .. });
        if !of_the_key || self.candidates.tries_here as usize >= keys || self.at_its_end() {
            return None;
        }
        let pass = self.admit(position, false).ok()?;
        if pass.key() == used {
            pass.unused();
            return None;
        }
        Some((position, pass))
    }

    /// Of those who were passed over: one who only has too much to do, else the least bad. Better somebody who is
    /// not well than nobody.
    fn whoever_is_left(&mut self) -> Option<Next> {
        let busy = self.to_wait_for().map(Next::WaitFor);
        busy.or_else(|| self.forced().map(Next::from))
    }

    fn turn(&mut self, next: Next) {
        match next {
            Next::Call(position, pass) => self.turn_to(position, pass),
            Next::WaitFor(position) => self.turn_towards(position),
        }
    }

    /// Whether the request has no time or no attempts left.
    fn at_its_end(&self) -> bool {
        let made = self.attempts_made();
        made >= self.route.retry.max_attempts_total || self.time_left().is_zero()
    }

    /// Attempts so far, the one that has just failed included.
    fn attempts_made(&self) -> u32 {
        let sent = self.failures.iter().filter(|(_, failure)| failure.unsaid.is_none()).count();
        u32::try_from(sent).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn time_left(&self) -> Duration {
        self.deadline.left(self.gateway.clock.now())
    }

    /// What to do after an attempt that ended so, and who is next, with leave to be called.
    fn decide(&mut self, outcome: Outcome, redirected: bool, may_repeat: bool) -> (Option<Next>, Decision) {
        if outcome.blames_request() && !redirected || self.at_its_end() {
            self.settlement.tried_enough |= outcome.retryable() && !self.time_left().is_zero();
            return (None, Decision::GiveUp);
        }
        let next = self.admitted_from(self.next_position()).map(Next::from);
        if redirected || !may_repeat {
            let next = next.or_else(|| self.to_wait_for().map(Next::WaitFor));
            let decision = if next.is_some() { Decision::Fallback } else { Decision::GiveUp };
            return (next, decision);
        }
        match self.by_rule(outcome, next.is_some()) {
            Decision::GiveUp if next.is_none() && outcome.fallback_helps() => match self.whoever_is_left() {
                Some(next) => (Some(next), Decision::Fallback),
                None => {
                    // Who says when to come back is worth coming back to.
                    self.settlement.tried_enough |= outcome.retryable() && outcome.retry_after().is_none();
                    (None, Decision::GiveUp)
                }
            },
            decision => (next, decision),
        }
    }

    fn by_rule(&mut self, outcome: Outcome, another: bool) -> Decision {
        let attempts = Attempts {
            on_candidate: self.candidates.tries_here,
            total: self.attempts_made(),
            candidates_left: usize::from(another),
        };
        let failed = Failed { outcome, attempts, left: self.time_left(), may_repeat: true };
        let route = self.route.clone();
        let Some(site) = RouteSite::of(&route) else { return Decision::GiveUp };
        let now = self.gateway.timeline.now();
        decide(&route.retry, &failed, (&site.budget, &route.retry_budget), now, &mut self.rng)
    }
}
