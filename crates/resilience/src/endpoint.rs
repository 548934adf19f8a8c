//! An endpoint: the live state of one deployment. Who may call it, and what its calls taught.
//!
//! [`Endpoint::admit`] gives a [`Ticket`] or says why there is none. The ticket is a guard: whoever makes the
//! call keeps it, marks the first token, and hands it back with what came of it. One that is dropped was
//! cancelled.
//!
//! A call to a sound deployment costs a few atomics; locks are taken where something is wrong.

mod ticket;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use ticket::Ticket;
pub use view::{CeilingView, EndpointView, KeyView};

use crate::breaker::{Breaker, Forced};
use crate::key::{KeyRefusal, KeyState, Taken};
use crate::latency::{PeakEwma, Samples, Waiting};
use crate::moment::{Moment, nanos};
use crate::settings::EndpointPolicy;

/// Output tokens of a typical answer: what the time per token counts in the cost.
const TYPICAL_TOKENS: f64 = 100.0;
/// The least share that a cold endpoint gets of what would be its own.
const LEAST_SHARE: f64 = 0.1;

/// Of a speed that nobody tries, and of a failure, a third is left after so many seconds. How far away somebody is
/// does not change, but a single failure must not keep a fast one without work for minutes. With 10 s for failures
/// the simulated region in trouble costs 0.54 times the round robin's p99, with 15 s 0.44, with 30 s 0.28.
const SPEED_IDLE: f64 = 60.0;
const PENALTY_IDLE: f64 = 30.0;

/// What a call asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Tokens that it will use, in and out, as far as can be said.
    pub tokens: u64,
    /// A drawn number: it chooses among keys.
    pub draw: u64,
    /// Nobody better is left: a breaker, a bench and a ceiling that the provider told do not hold it back. A
    /// declared ceiling does, and a limit of concurrency, and an operator's word.
    pub forced: bool,
    /// Only this key will do.
    pub key: Option<usize>,
}

/// Why there is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its breaker is open.
    Open {
        /// When it may be tried.
        until: Duration,
    },
    /// A ceiling on requests or tokens is reached, or the provider asked to be left alone.
    Ceiling {
        /// When this call fits.
        until: Duration,
        /// It is one of the operator's, which is never overstepped.
        declared: bool,
    },
    /// As many calls as it may have are under way.
    Busy,
    /// All its keys are benched.
    KeysBenched {
        /// When the first of them may be tried.
        until: Option<Duration>,
    },
}

impl Refusal {
    /// When to ask again, where that is known.
    #[must_use]
    pub const fn until(&self) -> Option<Duration> {
        match *self {
            Self::Open { until } | Self::Ceiling { until, .. } => Some(until),
            Self::KeysBenched { until } => until,
            Self::Busy => None,
        }
    }
}

/// The live state of a deployment. Times are since any fixed moment, the same for all calls.
#[derive(Debug)]
pub struct Endpoint {
    breaker: Breaker,
    keys: Box<[KeyState]>,
    in_flight: AtomicU32,
    waiting: Waiting,
    first_token: PeakEwma,
    /// What failures count as, in seconds of waiting for a first token.
    penalty: PeakEwma,
    per_token: PeakEwma,
    samples: Samples,
    /// The provider asked to be left alone until then, whatever the key.
    held_until: Moment,
    /// Since when it is called again, and how long it takes to get its whole share.
    warm_since: Moment,
    ease_in: Moment,
}

impl Endpoint {
    /// One that nothing is known of yet, with so many keys; without any it has one that is empty.
    #[must_use]
    pub fn new(keys: usize) -> Self {
        Self {
            breaker: Breaker::default(),
            keys: std::iter::repeat_with(KeyState::default).take(keys.max(1)).collect(),
            in_flight: AtomicU32::new(0),
            waiting: Waiting::default(),
            first_token: PeakEwma::new(SPEED_IDLE),
            penalty: PeakEwma::new(PENALTY_IDLE),
            per_token: PeakEwma::new(SPEED_IDLE),
            samples: Samples::default(),
            held_until: Moment::default(),
            warm_since: Moment::default(),
            ease_in: Moment::default(),
        }
    }

    /// Leave to make one call.
    ///
    /// # Errors
    /// Why not, and when to ask again.
    pub fn admit(
        self: &Arc<Self>,
        policy: &Arc<EndpointPolicy>,
        ask: Ask,
        now: Duration,
    ) -> Result<Ticket, Refusal> {
        if !ask.forced
            && let Some(until) = self.held_until.after(nanos(now))
        {
            return Err(Refusal::Ceiling { until, declared: false });
        }
        let pass = self.breaker.admit(&policy.breaker, ask.forced, now);
        let pass = pass.map_err(|until| Refusal::Open { until })?;
        let taken = self.take(policy, ask, now).inspect_err(|_| self.breaker.give_back(pass))?;
        if self.warm_since.begin(nanos(now)) {
            self.ease_in.set(nanos(policy.ease_in));
        }
        self.waiting.begin(nanos(now));
        Ok(Ticket::new(self.clone(), policy.clone(), pass, taken, now))
    }

    /// Whether a call of unknown size would be let through now. Nothing is taken.
    #[must_use]
    pub fn available(&self, policy: &EndpointPolicy, now: Duration) -> bool {
        let busy = policy.max_concurrency.is_some_and(|most| self.in_flight() >= most);
        !busy
            && self.held_until.after(nanos(now)).is_none()
            && self.breaker.refusal(&policy.breaker, now).is_none()
            && self.keys.iter().any(|key| key.refusal(policy, 1, now).is_none())
    }

    /// Calls under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// What one more call costs: the seconds that a typical answer takes here, times the calls that would then
    /// be under way. Zero where nothing is known. Failures are in it as time that they would have taken.
    #[must_use]
    pub fn cost(&self, now: Duration) -> f64 {
        self.latency(now).unwrap_or_default() * (f64::from(self.in_flight()) + 1.0)
    }

    /// How soon, in seconds, a typical answer would be whole; with nobody else in the way.
    pub(crate) fn latency(&self, now: Duration) -> Option<f64> {
        let at = nanos(now);
        let waited = self.waiting.mean(at);
        // Who waits longer than it should takes at least as long as it has waited.
        let waited = Some(waited).filter(|waited| *waited > 0.0);
        let known = [self.first_token.get(at), self.penalty.get(at), waited];
        let first_token = known.into_iter().flatten().reduce(f64::max)?;
        Some(first_token + TYPICAL_TOKENS * self.per_token.get(at).unwrap_or_default())
    }

    /// The share, up to one, that a cold endpoint gets of what would be its own. Its first call makes it cold.
    pub(crate) fn warmth(&self, now: Duration) -> f64 {
        let (since, ease_in) = (self.warm_since.get(), self.ease_in.get());
        match nanos(now).saturating_sub(since) {
            _ if since == 0 => 1.0,
            age if age >= ease_in => 1.0,
            age => (age as f64 / ease_in as f64).max(LEAST_SHARE),
        }
    }

    /// How long so many of a hundred calls took to their first token at most, 1 to 100. `None` under 20 samples.
    #[must_use]
    pub fn first_token_percentile(&self, percent: u8) -> Option<Duration> {
        self.samples.percentile(percent)
    }

    /// An operator's word, until it is taken back. Either way the breaker begins anew.
    pub fn force(&self, forced: Forced, now: Duration) {
        self.breaker.force(forced, now);
        if forced != Forced::Open {
            // What providers asked for is over, too: the operator knows better.
            self.held_until.set(0);
            self.keys.iter().for_each(|key| key.release(now));
            self.begin_anew(now, self.ease_in.get());
        }
    }

    /// A free place and a key.
    fn take(&self, policy: &EndpointPolicy, ask: Ask, now: Duration) -> Result<(usize, Taken), Refusal> {
        let place = match policy.max_concurrency {
            // Who finds none is never counted, not for a moment: others would be refused for it.
            Some(most) => {
                let one_more = |calls| (calls < most).then_some(calls + 1);
                self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
            }
            None => {
                self.in_flight.fetch_add(1, Ordering::AcqRel);
                true
            }
        };
        if !place {
            return Err(Refusal::Busy);
        }
        self.take_key(policy, ask, now).inspect_err(|_| {
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
        })
    }

    fn take_key(&self, policy: &EndpointPolicy, ask: Ask, now: Duration) -> Result<(usize, Taken), Refusal> {
        let count = self.keys.len();
        let first = ask.key.unwrap_or((ask.draw % count as u64) as usize);
        let tried = if ask.key.is_some() { 1 } else { count };
        // In a second round what may be overstepped is, so that a sound key comes before any other.
        let rounds: &[bool] = if ask.forced { &[false, true] } else { &[false] };
        let mut refusals = Refusals::default();
        for forced in rounds {
            refusals = Refusals::default();
            for at in (0..tried).map(|n| (first + n) % count) {
                match self.keys[at].take(policy, ask.tokens, *forced, now) {
                    Ok(taken) => return Ok((at, taken)),
                    Err(refusal) => refusals.add(refusal),
                }
            }
        }
        Err(refusals.told())
    }

    /// What was known of its speed is of another time.
    fn forget_speed(&self) {
        self.first_token.clear();
        self.penalty.clear();
        self.per_token.clear();
    }

    /// It is called again after a pause, as if it were new.
    fn begin_anew(&self, now: Duration, ease_in: u64) {
        self.forget_speed();
        self.warm_since.set(nanos(now).max(1));
        self.ease_in.set(ease_in);
    }
}

/// Why none of several keys can be used.
#[derive(Debug, Default)]
struct Refusals {
    ceiling: Option<Duration>,
    benched: Option<Duration>,
    /// One of them may be overstepped.
    learned: bool,
}

impl Refusals {
    fn add(&mut self, refusal: KeyRefusal) {
        let sooner =
            |held: Option<Duration>, until| Some(held.map_or(until, |held: Duration| held.min(until)));
        match refusal {
            KeyRefusal::Benched(until) => self.benched = sooner(self.benched, until),
            KeyRefusal::Learned(until) => {
                self.ceiling = sooner(self.ceiling, until);
                self.learned = true;
            }
            KeyRefusal::Declared(until) => self.ceiling = sooner(self.ceiling, until),
        }
    }

    fn told(self) -> Refusal {
        match self.ceiling {
            // A benched key can be forced just as one whose ceiling was told.
            Some(until) => {
                let declared = !self.learned && self.benched.is_none();
                Refusal::Ceiling { until, declared }
            }
            None => Refusal::KeysBenched { until: self.benched },
        }
    }
}

#[cfg(test)]
mod tests;
