//! A circuit breaker: what fails too often is left in peace, and tried with one call when its time has come.
//!
//! ```text
//!          a rule is met                    open_for has passed
//!  Closed ───────────────▶ Open ──────────────────────────────▶ HalfOpen: one probe at a time
//!    ▲                       ▲                                        │
//!    │                       └──────────── the probe failed ──────────┤
//!    └──────────────────────────────── it succeeded ──────────────────┘
//! ```
//!
//! Whoever is let through holds a [`Pass`] and hands it back with what came of it. A pass knows in which
//! period it was given: what began before a breaker opened says nothing of the time after. A closed breaker
//! without failures costs a load, and its success another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::settings::{BreakerPolicy, FailureShare};
use crate::tally::Tally;

/// Failures that are remembered at most: a rule that counts more of them opens at as many.
const MAX_FAILURES: usize = 1_024;
/// When to ask again while a probe is under way.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// When to ask again of what an operator keeps open.
const FORCED_WAIT: Duration = Duration::from_secs(60);

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets them through.
    #[default]
    Closed,
    /// Refuses them.
    Open,
    /// Lets one through, to find out.
    HalfOpen,
}

impl BreakerState {
    /// The word used in metrics and by the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an operator wants of a breaker, whatever it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forced {
    /// Nothing: it decides.
    #[default]
    None,
    /// No call goes through.
    Open,
    /// Every call goes through.
    Closed,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// It says nothing.
    Neutral,
}

/// Leave to make one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    period: u32,
    /// The one call that finds out.
    pub(crate) probe: bool,
    /// Made although it is open.
    forced: bool,
}

/// What a verdict changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    Opened,
    Closed,
}

/// What can be told of a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakerView {
    /// What it does with the next call.
    pub state: BreakerState,
    /// What an operator wants of it.
    pub forced: Forced,
    /// Since when it is in this state; zero: from the beginning.
    pub since: Duration,
    /// When a probe may go through: of an open one.
    pub until: Option<Duration>,
    /// Failures within the window.
    pub failures: u32,
    /// Whether a probe is under way.
    pub probing: bool,
}

/// The state of one breaker.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Calls need a look at `inner` before they are let through.
    guarded: AtomicBool,
    /// A success changes something: failures in a row are counted.
    counting: AtomicBool,
    period: AtomicU32,
    calls: Tally,
    failed: Tally,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: BreakerState,
    forced: Forced,
    since: Duration,
    until: Duration,
    probing: bool,
    in_a_row: u32,
    /// The latest failures, oldest first.
    failures: VecDeque<Duration>,
}

impl Breaker {
    /// Leave for a call, or until when there is none. `forced` makes it although the breaker is open; what an
    /// operator keeps open it does not.
    pub(crate) fn admit(
        &self,
        policy: &BreakerPolicy,
        forced: bool,
        now: Duration,
    ) -> Result<Pass, Duration> {
        let period = self.period.load(Ordering::Acquire);
        if !self.guarded.load(Ordering::Acquire) {
            return Ok(Pass { period, ..Pass::default() });
        }
        let mut inner = self.lock();
        let pass = Pass { period: self.period.load(Ordering::Acquire), ..Pass::default() };
        match inner.refusal(policy, now) {
            None if inner.is_closed(policy) => Ok(pass),
            None => {
                if inner.state == BreakerState::Open {
                    (inner.state, inner.since) = (BreakerState::HalfOpen, now);
                }
                inner.probing = true;
                Ok(Pass { probe: true, ..pass })
            }
            Some(_) if forced && inner.forced != Forced::Open => Ok(Pass { forced: true, ..pass }),
            Some(until) => Err(until),
        }
    }

    /// Until when there is no leave; a look without consequences.
    pub(crate) fn refusal(&self, policy: &BreakerPolicy, now: Duration) -> Option<Duration> {
        if !self.guarded.load(Ordering::Acquire) {
            return None;
        }
        self.lock().refusal(policy, now)
    }

    /// Takes a pass back.
    pub(crate) fn end(&self, pass: Pass, policy: &BreakerPolicy, verdict: Verdict, now: Duration) -> Change {
        match verdict {
            Verdict::Good => self.succeeded(pass, policy, now),
            Verdict::Bad => self.fail(pass, policy, now),
            Verdict::Neutral => {
                self.give_back(pass);
                Change::None
            }
        }
    }

    /// Takes a pass back that says nothing.
    pub(crate) fn give_back(&self, pass: Pass) {
        if pass.probe {
            let mut inner = self.lock();
            if self.is_present(pass) {
                inner.probing = false;
            }
        }
    }

    /// Takes a probe back whose caller would not wait until it said something: the next one comes after `rest`.
    pub(crate) fn put_off(&self, pass: Pass, rest: Duration, now: Duration) {
        if !pass.probe {
            return;
        }
        let mut inner = self.lock();
        if self.is_present(pass) && inner.state == BreakerState::HalfOpen {
            (inner.state, inner.probing) = (BreakerState::Open, false);
            inner.until = now.saturating_add(rest);
        }
    }

    /// What an operator wants.
    pub(crate) fn force(&self, forced: Forced, now: Duration) {
        let mut inner = self.lock();
        // Released, it begins anew: an operator has looked at it.
        self.begin_period(&mut inner, BreakerState::Closed, now);
        inner.forced = forced;
        self.guarded.store(forced != Forced::None, Ordering::Release);
    }

    pub(crate) fn view(&self, policy: &BreakerPolicy, now: Duration) -> BreakerView {
        let mut inner = self.lock();
        inner.trim(policy, now);
        let due = inner.state == BreakerState::Open && now >= inner.until;
        let state = match (inner.forced, inner.state) {
            (Forced::Open, _) => BreakerState::Open,
            (Forced::Closed, _) => BreakerState::Closed,
            _ if policy.is_off() => BreakerState::Closed,
            (Forced::None, _) if due => BreakerState::HalfOpen,
            (Forced::None, state) => state,
        };
        let open = state == BreakerState::Open && inner.forced == Forced::None;
        BreakerView {
            state,
            forced: inner.forced,
            since: inner.since,
            until: open.then_some(inner.until),
            failures: u32::try_from(inner.failures.len()).unwrap_or(u32::MAX),
            probing: inner.probing,
        }
    }

    fn succeeded(&self, pass: Pass, policy: &BreakerPolicy, now: Duration) -> Change {
        if policy.share.is_some() {
            self.calls.add(policy.window, now);
        }
        let finds_out = pass.probe || pass.forced;
        if !finds_out && !self.counting.load(Ordering::Acquire) {
            return Change::None;
        }
        let mut inner = self.lock();
        if !self.is_present(pass) {
            return Change::None;
        }
        if inner.state != BreakerState::Closed && finds_out {
            self.begin_period(&mut inner, BreakerState::Closed, now);
            return Change::Closed;
        }
        inner.in_a_row = 0;
        self.counting.store(false, Ordering::Release);
        Change::None
    }

    fn fail(&self, pass: Pass, policy: &BreakerPolicy, now: Duration) -> Change {
        let mut inner = self.lock();
        if !self.is_present(pass) {
            return Change::None;
        }
        if inner.state != BreakerState::Closed {
            if pass.probe {
                (inner.state, inner.since, inner.probing) = (BreakerState::Open, now, false);
                inner.until = now.saturating_add(policy.open_for);
                return Change::Opened;
            }
            return Change::None;
        }
        inner.failures.push_back(now);
        inner.trim(policy, now);
        inner.in_a_row = inner.in_a_row.saturating_add(1);
        self.counting.store(policy.consecutive.is_some(), Ordering::Release);
        if !self.is_met(&inner, policy, now) {
            return Change::None;
        }
        self.begin_period(&mut inner, BreakerState::Open, now);
        inner.until = now.saturating_add(policy.open_for);
        Change::Opened
    }

    /// Whether a rule says that it is to open. Counts the failure for the rule of shares.
    fn is_met(&self, inner: &Inner, policy: &BreakerPolicy, now: Duration) -> bool {
        let share = policy.share.is_some_and(|FailureShare { percent, minimum }| {
            self.calls.add(policy.window, now);
            self.failed.add(policy.window, now);
            let (calls, failed) = (self.calls.sum(policy.window, now), self.failed.sum(policy.window, now));
            calls >= u64::from(minimum) && failed * 100 >= u64::from(percent) * calls
        });
        let count = policy.failures > 0 && inner.failures.len() >= remembered(policy);
        let in_a_row = policy.consecutive.is_some_and(|limit| inner.in_a_row >= limit);
        share || count || in_a_row
    }

    /// Passes that were given before say nothing from here on.
    fn begin_period(&self, inner: &mut Inner, state: BreakerState, now: Duration) {
        self.period.fetch_add(1, Ordering::AcqRel);
        (inner.state, inner.since, inner.probing, inner.in_a_row) = (state, now, false, 0);
        let forced = inner.forced != Forced::None;
        self.guarded.store(forced || state != BreakerState::Closed, Ordering::Release);
        self.counting.store(false, Ordering::Release);
        if state == BreakerState::Closed {
            inner.failures.clear();
            self.calls.clear();
            self.failed.clear();
        }
    }

    fn is_present(&self, pass: Pass) -> bool {
        pass.period == self.period.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_closed(&self, policy: &BreakerPolicy) -> bool {
        self.forced == Forced::Closed || policy.is_off() || self.state == BreakerState::Closed
    }

    fn refusal(&self, policy: &BreakerPolicy, now: Duration) -> Option<Duration> {
        match self.state {
            _ if self.forced == Forced::Open => Some(now.saturating_add(FORCED_WAIT)),
            _ if self.is_closed(policy) => None,
            BreakerState::Open if now < self.until => Some(self.until),
            _ if self.probing => Some(now.saturating_add(PROBE_WAIT)),
            _ => None,
        }
    }

    /// Forgets failures that do not count any more.
    fn trim(&mut self, policy: &BreakerPolicy, now: Duration) {
        while self.failures.front().is_some_and(|at| now.saturating_sub(*at) > policy.window) {
            self.failures.pop_front();
        }
        while self.failures.len() > remembered(policy) {
            self.failures.pop_front();
        }
    }
}

/// Failures that are kept: as many as the rule needs, and enough to be shown where there is none.
fn remembered(policy: &BreakerPolicy) -> usize {
    match policy.failures {
        0 => MAX_FAILURES,
        failures => (failures as usize).min(MAX_FAILURES),
    }
}

#[cfg(test)]
mod tests;
