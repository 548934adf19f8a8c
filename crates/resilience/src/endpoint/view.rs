//! An endpoint as operators see it.

use std::time::Duration;

use super::Endpoint;
use crate::breaker::BreakerView;
use crate::moment::nanos;
use crate::settings::EndpointPolicy;

/// What can be told of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointView {
    /// Its breaker.
    pub breaker: BreakerView,
    /// The provider asked to be left alone until then.
    pub held_until: Option<Duration>,
    /// Calls under way.
    pub in_flight: u32,
    /// The time to the first token, peaks first; failures are in it.
    pub first_token: Option<Duration>,
    /// The time that each further token takes.
    pub time_per_token: Option<Duration>,
    /// What one more call costs, in seconds.
    pub cost: f64,
    /// The part of its share that it gets: below one while it is cold.
    pub share: f64,
    /// Its keys, in order.
    pub keys: Vec<KeyView>,
}

/// What can be told of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// Whether it is benched.
    pub breaker: BreakerView,
    /// The provider asked to leave it alone until then.
    pub held_until: Option<Duration>,
    /// Calls that it may make.
    pub requests: Option<CeilingView>,
    /// Tokens that it may use.
    pub tokens: Option<CeilingView>,
}

/// A ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeilingView {
    /// What there is when nothing was used.
    pub limit: u64,
    /// What there is now.
    pub left: u64,
    /// The provider told it; else the configuration did.
    pub learned: bool,
}

impl Endpoint {
    /// All that can be told at `now`.
    #[must_use]
    pub fn view(&self, policy: &EndpointPolicy, now: Duration) -> EndpointView {
        let at = nanos(now);
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let keys = self.keys.iter().map(|key| {
            let (requests, tokens) = key.ceilings(policy, at);
            let breaker = key.breaker.view(&policy.key_breaker, now);
            KeyView { breaker, held_until: key.held_until(at), requests, tokens }
        });
        EndpointView {
            breaker: self.breaker.view(&policy.breaker, now),
            held_until: self.held_until.after(at),
            in_flight: self.in_flight(),
            first_token: self.first_token.get(at).map(time),
            time_per_token: self.per_token.get(at).map(time),
            cost: self.cost(now),
            share: self.warmth(now),
            keys: keys.collect(),
        }
    }
}
