//! Who is asked, and who comes next: candidates in their order, without those that may not be called now.
//!
//! A candidate whose breaker is open, whose ceiling is reached or who has as many calls as it may is passed over
//! without a call. Where that leaves nobody, [`last_resort`](Dispatch::candidate) decides: wait in line, or try the
//! least bad.

use std::sync::Arc;
use std::time::Duration;

use pointsman_config::Deployment;
use pointsman_core::{Operation, PublicError};
use pointsman_resilience::{Ask, Refusal};
use pointsman_telemetry::{PassedOver, Waited};
use pointsman_wire::neutral::CHARS_PER_TOKEN;
use smallvec::{SmallVec, smallvec};

use crate::line::{self, Left, Wish};
use crate::live::Live;
use crate::pass::Pass;
use crate::pipeline::chains::Chains;
use crate::pipeline::dispatch::Dispatch;

/// Candidates of one request.
pub(crate) struct Candidates {
    pub(super) list: SmallVec<[Arc<Deployment>; 2]>,
    /// The present one.
    pub(super) position: usize,
    /// Calls of the present one.
    pub(super) tries_here: u32,
    /// Leave to call the present one; the attempt takes it.
    pass: Option<Pass>,
    /// Which key of the provider goes with the present call.
    key: usize,
    /// The only key that may.
    pub(super) pinned_key: Option<usize>,
    /// Comes before the next attempt.
    pub(super) pause: Option<Duration>,
    /// Those that might not be called when their turn came, and why.
    pub(super) passed_over: SmallVec<[(Arc<Deployment>, Refusal); 1]>,
    /// Further ones for single causes.
    pub(super) chains: Chains,
}

/// What is left to do where everybody refuses.
enum Resort {
    /// Somebody admits after all.
    Free(usize, Pass),
    /// These have to be waited for.
    Busy(SmallVec<[(usize, Refusal); 2]>),
    /// All are sick; the least bad of them.
    Sick(usize),
}

impl Candidates {
    pub(crate) fn new(list: SmallVec<[Arc<Deployment>; 2]>, chains: Chains) -> Self {
        Self {
            list,
            position: 0,
            tries_here: 0,
            pass: None,
            key: 0,
            pinned_key: None,
            pause: None,
            passed_over: SmallVec::new(),
            chains,
        }
    }

    /// The same, as far as they have come, for an attempt beside the present one.
    pub(crate) fn fork(&self) -> Self {
        Self {
            list: self.list.clone(),
            pass: None,
            pause: None,
            passed_over: self.passed_over.clone(),
            chains: self.chains.clone(),
            ..*self
        }
    }

    /// Which key of the present one's provider goes with the call.
    pub(crate) const fn key(&self) -> usize {
        self.key
    }

    /// Whether the present one is the first of the plan, as it was drawn.
    pub(crate) const fn at_first(&self) -> bool {
        self.position == 0
    }

    fn go_to(&mut self, position: usize, pass: Pass) {
        if position != self.position {
            self.position = position;
            self.tries_here = 0;
        }
        self.key = pass.key();
        self.pass = Some(pass);
    }

    fn note(&mut self, position: usize, refusal: Refusal) {
        let Some(deployment) = self.list.get(position) else { return };
        match self.passed_over.iter_mut().find(|(known, _)| Arc::ptr_eq(known, deployment)) {
            Some((_, before)) => *before = refusal,
            None => self.passed_over.push((deployment.clone(), refusal)),
        }
    }
}

impl Dispatch {
    /// The candidate whose turn it is, with leave to call it.
    ///
    /// # Errors
    /// None is left: every attempt is named, and everybody who could not be asked.
    pub(crate) async fn candidate(&mut self) -> Result<Arc<Deployment>, PublicError> {
        if let Some(pause) = self.candidates.pause.take() {
            self.settlement.meter.pause(self.gateway.clock.now());
            tokio::time::sleep(pause).await;
            self.settlement.meter.resume(self.gateway.clock.now());
        }
        if self.candidates.pass.is_none() {
            match self.admitted_from(self.candidates.position) {
                Some((position, pass)) => self.candidates.go_to(position, pass),
                // Boxed: it is rare, and its future would make everybody's larger.
                None => Box::pin(self.last_resort()).await?,
            }
        }
        self.candidates.tries_here += 1;
        match self.candidates.list.get(self.candidates.position) {
            Some(deployment) => Ok(deployment.clone()),
            None => Err(self.exhausted()),
        }
    }

    /// Asks this one alone, with this key of its provider, and without a history.
    pub(crate) fn only(&mut self, deployment: Arc<Deployment>, key: usize) {
        self.give_back_pass();
        self.candidates = Candidates::new(smallvec![deployment], Chains::default());
        self.candidates.pinned_key = Some(key);
    }

    /// Only this key of each provider may be used.
    pub(crate) const fn pin_key(&mut self, key: usize) {
        self.candidates.pinned_key = Some(key);
    }

    /// Leave to call the present candidate, for its attempt.
    pub(crate) fn take_pass(&mut self) -> Option<Pass> {
        self.candidates.pass.take()
    }

    /// Which key of the present candidate's provider goes with the call.
    pub(crate) const fn key(&self) -> usize {
        self.candidates.key
    }

    /// Nothing was sent to the present candidate.
    pub(super) fn give_back_pass(&mut self) {
        if let Some(pass) = self.candidates.pass.take() {
            pass.unused();
        }
    }

    /// The first candidate from `position` on that may be called now.
    pub(super) fn admitted_from(&mut self, position: usize) -> Option<(usize, Pass)> {
        for position in position..self.candidates.list.len() {
            if position != self.candidates.position && !self.is_untried(position) {
                continue;
            }
            match self.admit(position, false) {
                Ok(pass) => return Some((position, pass)),
                Err(refusal) => self.candidates.note(position, refusal),
            }
        }
        None
    }

    /// Where those after the present one begin.
    pub(super) const fn next_position(&self) -> usize {
        self.candidates.position + 1
    }

    /// The candidate at `position` is the next to be called.
    pub(crate) fn turn_to(&mut self, position: usize, pass: Pass) {
        self.candidates.go_to(position, pass);
    }

    /// The candidate at `position` is the next to be called, once it may be.
    pub(super) fn turn_towards(&mut self, position: usize) {
        self.candidates.position = position;
        self.candidates.tries_here = 0;
    }

    /// Asks for leave to call the candidate at `position`.
    pub(super) fn admit(&mut self, position: usize, forced: bool) -> Result<Pass, Refusal> {
        let now = self.gateway.timeline.now();
        let ask = self.ask(position, forced);
        let deployment = self.candidates.list.get(position).ok_or(Refusal::Busy)?;
        let live = Live::of(deployment, &self.gateway).ok_or(Refusal::Busy)?;
        let admitted = live.site.enter(&deployment.endpoint, ask, now);
        if let Err(refusal) = &admitted {
            live.metrics.passed_over(why(refusal));
        }
        admitted
    }

    fn ask(&mut self, position: usize, forced: bool) -> Ask {
        let keys = self.candidates.list.get(position).map_or(0, |deployment| deployment.provider.auth.len());
        let draw = if keys > 1 { self.rng.next_u64() } else { 0 };
        // Counting uses none.
        let tokens = match self.operation {
            Operation::TokenCount => 0,
            _ => (self.outgoing.body.len() as u64).div_ceil(CHARS_PER_TOKEN),
        };
        Ask { tokens, draw, forced, key: self.candidates.pinned_key }
    }

    /// Whether a candidate follows the present one that may be called now.
    pub(crate) fn has_another(&self) -> bool {
        let position = self.candidates.position;
        let follows = position + 1..self.candidates.list.len();
        follows.into_iter().any(|position| self.may_follow(position) && self.is_available(position))
    }

    fn is_available(&self, position: usize) -> bool {
        let Some(deployment) = self.candidates.list.get(position) else { return false };
        let now = self.gateway.timeline.now();
        Live::of(deployment, &self.gateway)
            .is_some_and(|live| live.site.endpoint.available(&deployment.endpoint, now))
    }

    /// Nobody whose turn it is may be called. Who has only too much to do is waited for, if there is a line and
    /// room in it; where all are sick the least bad of them is tried.
    async fn last_resort(&mut self) -> Result<(), PublicError> {
        // Who was sent away from a line looks once more.
        for _ in 0..2 {
            let waited_for = match self.resort() {
                Some(Resort::Free(position, pass)) => {
                    self.candidates.go_to(position, pass);
                    return Ok(());
                }
                Some(Resort::Sick(position)) => match self.admit(position, true) {
                    Ok(pass) => {
                        self.candidates.go_to(position, pass);
                        return Ok(());
                    }
                    Err(refusal) => {
                        self.candidates.note(position, refusal);
                        break;
                    }
                },
                Some(Resort::Busy(busy)) => self.wait_for_one(busy).await,
                None => break,
            };
            match waited_for {
                Ok((position, pass)) => {
                    self.candidates.go_to(position, pass);
                    return Ok(());
                }
                Err(Left::Away) => {}
                Err(Left::Full | Left::Late) => break,
            }
        }
        Err(self.exhausted())
    }

    /// Waits for the first of these whose line has room.
    async fn wait_for_one(&mut self, busy: SmallVec<[(usize, Refusal); 2]>) -> Result<(usize, Pass), Left> {
        let mut left = Left::Full;
        for (position, refusal) in busy {
            match self.wait_for(position, refusal).await {
                Ok(pass) => return Ok((position, pass)),
                Err(Left::Full) => {}
                Err(Left::Away) => left = Left::Away,
                Err(Left::Late) => return Err(Left::Late),
            }
        }
        Err(left)
    }

    /// Waits in the line of the candidate at `position`, which `refusal` says what to wait for.
    async fn wait_for(&mut self, position: usize, refusal: Refusal) -> Result<Pass, Left> {
        let ask = self.ask(position, false);
        let Some(deployment) = self.candidates.list.get(position).cloned() else { return Err(Left::Full) };
        let gateway = self.gateway.clone();
        let Some(live) = Live::of(&deployment, &gateway) else { return Err(Left::Full) };
        let now = gateway.clock.now();
        let policy = deployment.endpoint.clone();
        let until = (now + policy.queue_wait).min(self.deadline.instant());
        // Those who would wait in vain learn it at once.
        if matches!(refusal, Refusal::Ceiling { until: free, .. } if free >= gateway.timeline.at(until)) {
            return Err(Left::Full);
        }
        let wish = Wish { policy, ask, priority: self.route.priority, until };
        self.settlement.meter.pause(now);
        let waited = line::wait(&live.site, wish).await;
        self.settlement.meter.resume(gateway.clock.now());
        gateway.metrics.resilience().waited(match &waited {
            Ok(_) => Waited::Admitted,
            Err(Left::Full) => Waited::Full,
            Err(Left::Late) => Waited::Late,
            Err(Left::Away) => Waited::Away,
        });
        waited
    }

    fn resort(&mut self) -> Option<Resort> {
        let untried: SmallVec<[usize; 4]> =
            (0..self.candidates.list.len()).filter(|&position| self.is_untried(position)).collect();
        // Everybody was tried: only who may be tried again is left.
        let whom =
            if untried.is_empty() { SmallVec::from_slice(&[self.candidates.position]) } else { untried };
        let mut refused: SmallVec<[(usize, Refusal); 4]> = SmallVec::new();
        for position in whom {
            match self.admit(position, false) {
                Ok(pass) => return Some(Resort::Free(position, pass)),
                Err(refusal) => {
                    self.candidates.note(position, refusal);
                    refused.push((position, refusal));
                }
            }
        }
        let busy: SmallVec<[_; 2]> =
            refused.iter().filter(|(_, refusal)| is_busy(refusal)).copied().collect();
        if !busy.is_empty() {
            return Some(Resort::Busy(busy));
        }
        // Whose time comes first; of those that say nothing, the first of the plan.
        let least = refused.iter().min_by_key(|(position, refusal)| (free_at(refusal), *position))?;
        Some(Resort::Sick(least.0))
    }

    /// The least bad of those that were passed over, with leave to be called.
    pub(super) fn forced(&mut self) -> Option<(usize, Pass)> {
        let sick = self.passed_over().filter(|(_, refusal)| !is_busy(refusal));
        let (_, position) = sick.map(|(position, refusal)| (free_at(refusal), position)).min()?;
        Some((position, self.admit(position, true).ok()?))
    }

    /// The first of those that were passed over although they are well.
    pub(super) fn to_wait_for(&self) -> Option<usize> {
        self.passed_over().find(|(_, refusal)| is_busy(refusal)).map(|(position, _)| position)
    }

    /// Those that were passed over and may still be asked, besides the present one.
    fn passed_over(&self) -> impl Iterator<Item = (usize, &Refusal)> {
        let present = self.candidates.position;
        let others = (0..self.candidates.list.len()).filter(move |&position| position != present);
        others.filter(|&position| self.is_untried(position)).filter_map(|position| {
            let deployment = self.candidates.list.get(position)?;
            let mut passed = self.candidates.passed_over.iter();
            let (_, refusal) = passed.find(|(known, _)| Arc::ptr_eq(known, deployment))?;
            Some((position, refusal))
        })
    }

    /// Whether the candidate at `position` may be asked, and was not.
    pub(super) fn is_untried(&self, position: usize) -> bool {
        let Some(deployment) = self.candidates.list.get(position) else { return false };
        self.may_follow(position) && !self.failures.iter().any(|(tried, _)| Arc::ptr_eq(tried, deployment))
    }
}

/// Whether it is well, and only has too much to do.
const fn is_busy(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Busy | Refusal::Ceiling { declared: true, .. })
}

/// When it may be called again, as far as that is known.
const fn free_at(refusal: &Refusal) -> Duration {
    match refusal {
        Refusal::Open { until } | Refusal::Ceiling { until, .. } => *until,
        Refusal::KeysBenched { until: Some(until) } => *until,
        Refusal::KeysBenched { until: None } | Refusal::Busy => Duration::MAX,
    }
}

/// As it is counted.
const fn why(refusal: &Refusal) -> PassedOver {
    match refusal {
        Refusal::Open { .. } => PassedOver::Open,
        Refusal::Ceiling { .. } => PassedOver::Ceiling,
        Refusal::Busy => PassedOver::Busy,
        Refusal::KeysBenched { .. } => PassedOver::Keys,
    }
}
