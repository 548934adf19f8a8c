//! The live state of one of a deployment's keys: whether it is benched, and what is left of its limits.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use pointsman_core::{LimitsSeen, Outcome};

use crate::breaker::{Breaker, Forced, Pass, Verdict};
use crate::bucket::{Bucket, Learned, Rate};
use crate::endpoint::CeilingView;
use crate::moment::{Moment, nanos};
use crate::settings::EndpointPolicy;

/// How long a key rests after its first refusal that names no wait; it doubles with each further one.
const REST: Duration = Duration::from_secs(1);
const MAX_DOUBLINGS: u32 = 4;
/// No provider's wish is kept to for longer: it may mean well and err.
pub(crate) const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// One key.
#[derive(Debug, Default)]
pub(crate) struct KeyState {
    pub(crate) breaker: Breaker,
    /// A provider's refusal holds until then.
    held_until: Moment,
    /// Refusals in a row that named no wait.
    refused: AtomicU32,
    requests: Bucket,
    tokens: Bucket,
    seen_requests: Learned,
    seen_tokens: Learned,
    /// All that was ever let through, to know what came after an answer was on its way.
    all_requests: AtomicU64,
    all_tokens: AtomicU64,
}

/// What a call took of a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) pass: Pass,
    /// The estimate.
    pub(crate) tokens: u64,
    requests_before: u64,
    tokens_before: u64,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyRefusal {
    Benched(Duration),
    /// It may be overstepped: the provider will say no by itself.
    Learned(Duration),
    Declared(Duration),
}

impl KeyState {
    /// Whether a call of `tokens` can be made; a look without consequences.
    pub(crate) fn refusal(&self, policy: &EndpointPolicy, tokens: u64, now: Duration) -> Option<KeyRefusal> {
        let at = nanos(now);
        self.breaker
            .refusal(&policy.key_breaker, now)
            .map(KeyRefusal::Benched)
            .or_else(|| self.declared(policy, tokens, at))
            .or_else(|| self.learned(tokens, at))
    }

    /// Takes what a call of `tokens` needs. `forced` oversteps what the provider told, and its bench.
    pub(crate) fn take(
        &self,
        policy: &EndpointPolicy,
        tokens: u64,
        forced: bool,
        now: Duration,
    ) -> Result<Taken, KeyRefusal> {
        let at = nanos(now);
        if !forced && let Some(refusal) = self.learned(tokens, at) {
            return Err(refusal);
        }
        let declared = |at| KeyRefusal::Declared(Duration::from_nanos(at));
        let tokens = self.at_most(policy, tokens, at);
        let requests = policy.requests_per_minute.map(Rate::per_minute);
        let per_minute = policy.tokens_per_minute.map(Rate::per_minute);
        if let Some(rate) = requests {
            self.requests.take(rate, 1, at).map_err(declared)?;
        }
        let undo_requests = || requests.into_iter().for_each(|rate| self.requests.give(rate, 1));
        if let Some(rate) = per_minute {
            self.tokens.take(rate, tokens, at).map_err(declared).inspect_err(|_| undo_requests())?;
        }
        let pass = self.breaker.admit(&policy.key_breaker, forced, now).map_err(|until| {
            undo_requests();
            per_minute.into_iter().for_each(|rate| self.tokens.give(rate, tokens));
            KeyRefusal::Benched(until)
        })?;
        for (learned, units) in [(&self.seen_requests, 1), (&self.seen_tokens, tokens)] {
            if let Some(rate) = learned.rate(at) {
                learned.bucket().charge(rate, units, at);
            }
        }
        Ok(Taken {
            pass,
            tokens,
            requests_before: self.all_requests.fetch_add(1, Ordering::Relaxed) + 1,
            tokens_before: self.all_tokens.fetch_add(tokens, Ordering::Relaxed).saturating_add(tokens),
        })
    }

    /// Puts everything back: nothing was sent.
    pub(crate) fn give_back(&self, policy: &EndpointPolicy, taken: &Taken, now: Duration) {
        let at = nanos(now);
        self.breaker.give_back(taken.pass);
        if let Some(limit) = policy.requests_per_minute {
            self.requests.give(Rate::per_minute(limit), 1);
        }
        if let Some(rate) = self.seen_requests.rate(at) {
            self.seen_requests.bucket().give(rate, 1);
        }
        self.correct(policy, taken.tokens, 0, at);
    }

    /// A call ended. `tokens` are those that it used; zero: not known.
    pub(crate) fn end(
        &self,
        policy: &EndpointPolicy,
        taken: &Taken,
        outcome: Outcome,
        tokens: u64,
        now: Duration,
    ) {
        let verdict = match outcome {
            Outcome::Success => Verdict::Good,
            outcome if outcome.blames_key() => Verdict::Bad,
            _ => Verdict::Neutral,
        };
        self.breaker.end(taken.pass, &policy.key_breaker, verdict, now);
        match outcome {
            Outcome::RateLimited { retry_after } => self.rest(retry_after, now),
            Outcome::Success if self.refused.load(Ordering::Relaxed) > 0 => {
                self.refused.store(0, Ordering::Relaxed);
            }
            _ => {}
        }
        if tokens > 0 || did_nothing(outcome) {
            self.correct(policy, taken.tokens, tokens, nanos(now));
        }
    }

    /// What the answer to a call said of limits.
    pub(crate) fn learn(&self, taken: &Taken, seen: &LimitsSeen, now: Duration) {
        let at = nanos(now);
        if let Some(window) = &seen.requests {
            let since = self.all_requests.load(Ordering::Relaxed).saturating_sub(taken.requests_before);
            self.seen_requests.learn(window, since, at);
        }
        if let Some(window) = &seen.tokens {
            let since = self.all_tokens.load(Ordering::Relaxed).saturating_sub(taken.tokens_before);
            self.seen_tokens.learn(window, since, at);
        }
    }

    /// Forgets its bench and what the provider asked for.
    pub(crate) fn release(&self, now: Duration) {
        self.breaker.force(Forced::None, now);
        self.held_until.set(0);
        self.refused.store(0, Ordering::Relaxed);
    }

    pub(crate) fn held_until(&self, now: u64) -> Option<Duration> {
        self.held_until.after(now)
    }

    /// Ceilings of requests and of tokens: of each the tighter one of what is declared and what was told.
    pub(crate) fn ceilings(
        &self,
        policy: &EndpointPolicy,
        now: u64,
    ) -> (Option<CeilingView>, Option<CeilingView>) {
        let view = |rate: Rate, bucket: &Bucket, learned: bool| CeilingView {
            limit: rate.capacity,
            left: bucket.left(rate, now),
            learned,
        };
        let tighter = |declared: Option<u64>, bucket: &Bucket, learned: &Learned| {
            let declared = declared.map(|limit| view(Rate::per_minute(limit), bucket, false));
            let told = learned.rate(now).map(|rate| view(rate, learned.bucket(), true));
            declared.into_iter().chain(told).min_by_key(|ceiling| ceiling.left)
        };
        (
            tighter(policy.requests_per_minute, &self.requests, &self.seen_requests),
            tighter(policy.tokens_per_minute, &self.tokens, &self.seen_tokens),
        )
    }

    /// What was used instead of what was thought.
    fn correct(&self, policy: &EndpointPolicy, thought: u64, used: u64, now: u64) {
        let put = |bucket: &Bucket, rate: Rate| {
            let used = used.min(rate.capacity);
            match used.checked_sub(thought) {
                Some(more) => bucket.charge(rate, more, now),
                None => bucket.give(rate, thought - used),
            }
        };
        if let Some(limit) = policy.tokens_per_minute {
            put(&self.tokens, Rate::per_minute(limit));
        }
        if let Some(rate) = self.seen_tokens.rate(now) {
            put(self.seen_tokens.bucket(), rate);
        }
    }

    /// What is charged for `tokens`: a whole ceiling at most, so that one large request does not shut everybody out
    /// for longer than the ceiling's own time.
    fn at_most(&self, policy: &EndpointPolicy, tokens: u64, now: u64) -> u64 {
        let declared = policy.tokens_per_minute.map(Rate::per_minute);
        let ceilings = declared.into_iter().chain(self.seen_tokens.rate(now));
        ceilings.map(|rate| rate.capacity).fold(tokens, u64::min)
    }

    fn declared(&self, policy: &EndpointPolicy, tokens: u64, now: u64) -> Option<KeyRefusal> {
        let later = |limit: Option<u64>, bucket: &Bucket, units| {
            let when = bucket.when(Rate::per_minute(limit?), units, now);
            (when > now).then_some(when)
        };
        let requests = later(policy.requests_per_minute, &self.requests, 1);
        let tokens = later(policy.tokens_per_minute, &self.tokens, tokens);
        requests.max(tokens).map(|at| KeyRefusal::Declared(Duration::from_nanos(at)))
    }

    fn learned(&self, tokens: u64, now: u64) -> Option<KeyRefusal> {
        let later = |learned: &Learned, units| {
            let when = learned.bucket().when(learned.rate(now)?, units, now);
            (when > now).then_some(when)
        };
        let held = Some(self.held_until.get()).filter(|until| *until > now);
        let when = held.max(later(&self.seen_requests, 1)).max(later(&self.seen_tokens, tokens));
        when.map(|at| KeyRefusal::Learned(Duration::from_nanos(at)))
    }

    /// The provider refused: it is left alone as long as it says, else a little longer each time.
    fn rest(&self, retry_after: Option<Duration>, now: Duration) {
        let wait = retry_after.unwrap_or_else(|| {
            let doublings = self.refused.fetch_add(1, Ordering::Relaxed).min(MAX_DOUBLINGS);
            REST * (1 << doublings)
        });
        self.held_until.at_least(nanos(now.saturating_add(wait.min(LONGEST_REST))));
    }
}

/// Whether a provider that refused so has used none of its tokens.
fn did_nothing(outcome: Outcome) -> bool {
    outcome.nothing_sent()
        || outcome.blames_request()
        || outcome.blames_key()
        || matches!(outcome, Outcome::ModelNotFound | Outcome::Overloaded { .. })
}
