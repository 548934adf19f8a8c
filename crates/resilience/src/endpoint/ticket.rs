//! Leave to make one call, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pointsman_core::{LimitsSeen, Outcome};

use super::Endpoint;
use crate::breaker::{Change, Pass, Verdict};
use crate::key::{KeyState, LONGEST_REST, Taken};
use crate::moment::nanos;
use crate::settings::EndpointPolicy;

/// A failure counts as this many times the wait for it, or what the endpoint usually takes.
const PENALTY: f64 = 5.0;
/// Nothing that a failure counts as is below or above this, in seconds.
const LEAST_PENALTY: f64 = 0.5;
const MOST_PENALTY: f64 = 60.0;
/// After a probe that its caller gave up nobody else waits for this many times as long.
const PATIENCE: u32 = 10;
/// A single answer raises the time per token by no more than this factor: a client that reads slowly holds
/// its provider back, and says nothing of it.
const MOST_RISE: f64 = 2.0;

/// Leave to make one call. Dropped, it was cancelled.
#[derive(Debug)]
pub struct Ticket {
    /// Which of the deployment's keys to use, from 0.
    pub key: usize,
    /// It is the one call that finds out whether the deployment, or the key, is well again.
    pub probe: bool,
    endpoint: Arc<Endpoint>,
    policy: Arc<EndpointPolicy>,
    pass: Pass,
    taken: Taken,
    started: Duration,
    first_token: Option<Duration>,
    ended: bool,
}

impl Ticket {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        policy: Arc<EndpointPolicy>,
        pass: Pass,
        (key, taken): (usize, Taken),
        now: Duration,
    ) -> Self {
        Self {
            key,
            probe: pass.probe || taken.pass.probe,
            endpoint,
            policy,
            pass,
            taken,
            started: now,
            first_token: None,
            ended: false,
        }
    }

    /// Whose call it is.
    #[must_use]
    pub const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// A stream has something to show. The first call counts.
    pub fn first_token(&mut self, now: Duration) {
        if self.first_token.is_some() {
            return;
        }
        self.first_token = Some(now);
        let took = now.saturating_sub(self.started);
        self.endpoint.waiting.end(nanos(self.started));
        self.endpoint.first_token.feed(took.as_secs_f64(), nanos(now));
        self.endpoint.samples.feed(took);
    }

    /// What the head of the answer said of limits.
    pub fn limits_seen(&self, seen: &LimitsSeen, now: Duration) {
        if !seen.is_empty() {
            self.state().learn(&self.taken, seen, now);
        }
    }

    /// The call is over. `tokens` are those that it used, in and out, `output_tokens` those of the answer;
    /// zero: not known. Of a call without [`Ticket::first_token`] the whole time counts as the wait for it.
    pub fn end(mut self, outcome: Outcome, tokens: u64, output_tokens: u64, now: Duration) {
        self.ended = true;
        self.leave();
        self.feed(outcome, output_tokens, now);
        self.state().end(&self.policy, &self.taken, outcome, tokens, now);
        let endpoint = &self.endpoint;
        if outcome == Outcome::Cancelled && self.first_token.is_none() {
            // A provider that hangs would cost one impatient caller after the other its time.
            let rest = (now.saturating_sub(self.started) * PATIENCE).min(self.policy.breaker.open_for);
            endpoint.breaker.put_off(self.pass, rest, now);
        }
        if let Outcome::Overloaded { retry_after: Some(wait) } = outcome {
            endpoint.held_until.at_least(nanos(now.saturating_add(wait.min(LONGEST_REST))));
        }
        // Where there is but one key, what it is refused for makes the deployment useless.
        let only_key = endpoint.keys.len() == 1 && outcome.blames_key();
        let verdict = match outcome {
            Outcome::Success => Verdict::Good,
            _ if outcome.counts_against_health() || only_key => Verdict::Bad,
            _ => Verdict::Neutral,
        };
        match endpoint.breaker.end(self.pass, &self.policy.breaker, verdict, now) {
            Change::None => {}
            // What its failures counted as would keep the probe away for longer than the breaker does.
            Change::Opened => endpoint.forget_speed(),
            Change::Closed => endpoint.begin_anew(now, nanos(self.policy.ease_in)),
        }
    }

    /// Nothing was sent: all that was taken is given back.
    pub fn unused(mut self, now: Duration) {
        self.ended = true;
        self.leave();
        self.state().give_back(&self.policy, &self.taken, now);
        self.endpoint.breaker.give_back(self.pass);
    }

    /// What the call says of the deployment's speed. What clients did wrong is answered fast, and says nothing.
    fn feed(&self, outcome: Outcome, output_tokens: u64, now: Duration) {
        let endpoint = &self.endpoint;
        let (at, took) = (nanos(now), now.saturating_sub(self.started).as_secs_f64());
        if outcome == Outcome::Success {
            match self.first_token {
                Some(first) if output_tokens > 1 => {
                    let each = now.saturating_sub(first).as_secs_f64() / (output_tokens - 1) as f64;
                    let most = endpoint.per_token.get(at).map_or(f64::INFINITY, |usual| usual * MOST_RISE);
                    endpoint.per_token.feed(each.min(most), at);
                }
                Some(_) => {}
                // A whole answer: what its tokens did not take is the wait for the first.
                None => {
                    let writing = endpoint.per_token.get(at).unwrap_or_default() * output_tokens as f64;
                    endpoint.first_token.feed((took - writing).max(0.0), at);
                }
            }
        } else if outcome.counts_against_health() {
            let usual = endpoint.first_token.get(at).unwrap_or_default();
            let penalty = (took.max(usual) * PENALTY).clamp(LEAST_PENALTY, MOST_PENALTY);
            endpoint.penalty.feed(penalty, at);
        } else if outcome == Outcome::Cancelled && self.first_token.is_none() {
            // Whoever gave it up (a hedge that another one won, say) has waited for so long at least.
            let usual = endpoint.first_token.get(at);
            if usual.is_some_and(|usual| took > usual) {
                endpoint.first_token.feed(took, at);
            }
        }
    }

    fn leave(&self) {
        if self.first_token.is_none() {
            self.endpoint.waiting.end(nanos(self.started));
        }
        self.endpoint.in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    fn state(&self) -> &KeyState {
        &self.endpoint.keys[self.key]
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            self.leave();
            self.state().breaker.give_back(self.taken.pass);
            self.endpoint.breaker.give_back(self.pass);
        }
    }
}
