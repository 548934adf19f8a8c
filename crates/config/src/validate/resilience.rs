//! What is said of deployments: when they are left in peace, what they can take, what their models can do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pointsman_providers::Prefill;
use pointsman_resilience::{BreakerPolicy, EndpointPolicy, FailureShare, ProbePolicy};

use super::{Checker, ProviderSpec};
use crate::decode::Span;
use crate::domain::{OwnRules, TimeoutOverrides};
use crate::raw::{self, ModelEntry, OffOr};
use crate::yaml::{Spanned, shorten};

/// Every failure within the window is remembered.
const MAX_FAILURES: u32 = 1_000;
/// Fewer calls say little about a share.
const USUAL_MINIMUM: u32 = 20;
/// Requests that may wait where calls are limited and nothing else is said.
const USUAL_QUEUE: u32 = 100;
/// More requests in one queue are a mistake.
const MAX_QUEUE: u32 = 100_000;
/// Probes are paid for.
const USUAL_PROBE: ProbePolicy = ProbePolicy { every: Duration::from_secs(60), max_per_day: 100 };
const MIN_PROBE_PAUSE: Duration = Duration::from_secs(1);

/// The word in a list of models that says that there are others.
const ANY: &str = "any";

/// What a provider or a model says of its deployments, as written.
pub(super) struct Endpoint {
    pub(super) breaker: Option<OffOr<raw::Breaker>>,
    pub(super) limits: Option<raw::Limits>,
    pub(super) zone: Option<String>,
    pub(super) ease_in: Option<Span>,
    pub(super) probe: Option<OffOr<raw::Probe>>,
}

impl Checker<'_> {
    /// What holds where `raw` is said in place of `base`.
    pub(super) fn endpoint_policy(&mut self, raw: Endpoint, base: &EndpointPolicy) -> EndpointPolicy {
        let mut policy = base.clone();
        if let Some(breaker) = raw.breaker {
            policy.breaker = self.breaker(breaker);
            // A key is left in peace for as long as a deployment is.
            let open_for = policy.breaker.open_for;
            policy.key_breaker = BreakerPolicy { open_for, ..BreakerPolicy::for_keys() };
        }
        if let Some(limits) = raw.limits {
            self.limits(&limits, &mut policy);
        }
        policy.zone = raw.zone.map(Arc::from).or(policy.zone);
        policy.ease_in = raw.ease_in.map_or(policy.ease_in, |span| span.0);
        policy.probe = match raw.probe {
            Some(OffOr::Off) => None,
            Some(OffOr::On(probe)) => Some(self.probe(probe)),
            None => policy.probe,
        };
        policy
    }

    fn breaker(&mut self, raw: OffOr<raw::Breaker>) -> BreakerPolicy {
        let OffOr::On(raw) = raw else { return BreakerPolicy::OFF };
        let usual = BreakerPolicy::default();
        // Who names another rule means that one: five failures would be met long before a share.
        let usual_failures =
            if raw.share.is_some() || raw.consecutive.is_some() { 0 } else { usual.failures };
        let share = raw.share.map(|share| FailureShare {
            percent: self.positive_percent(&share.percent, "a share of 0 is always reached"),
            minimum: self.positive(share.minimum.as_ref(), USUAL_MINIMUM),
        });
        let consecutive = raw.consecutive.as_ref().map(|number| self.positive(Some(number), 1));
        let failures = raw.failures.as_ref().map_or(usual_failures, |failures| failures.value);
        let policy = BreakerPolicy {
            failures,
            window: self.duration(raw.window, usual.window),
            open_for: self.duration(raw.open_for, usual.open_for),
            consecutive,
            share,
        };
        if let Some(written) = &raw.failures {
            if policy.is_off() {
                let message = "nothing would ever open this breaker";
                self.cx.fail_hint::<()>(written.place, message, "write `breaker: off`");
            }
            if written.value > MAX_FAILURES {
                self.cx.fail::<()>(written.place, format!("must be at most {MAX_FAILURES}"));
            }
        }
        policy
    }

    fn limits(&mut self, raw: &raw::Limits, policy: &mut EndpointPolicy) {
        let positive = |check: &mut Self, written: &Option<Spanned<u64>>, before: Option<u64>| match written {
            Some(written) => Some(check.positive(Some(written), 1)),
            None => before,
        };
        policy.requests_per_minute = positive(self, &raw.requests_per_minute, policy.requests_per_minute);
        policy.tokens_per_minute = positive(self, &raw.tokens_per_minute, policy.tokens_per_minute);
        if let Some(concurrency) = &raw.concurrency {
            if policy.max_concurrency.is_none() {
                policy.max_queue = USUAL_QUEUE;
            }
            policy.max_concurrency = Some(self.positive(Some(concurrency), 1));
        }
        if let Some(queue) = &raw.queue {
            policy.max_queue = queue.value;
            if policy.max_concurrency.is_none() {
                let message = "nothing waits where calls at one time are not limited";
                self.cx.fail_hint::<()>(queue.place, message, "write `concurrency` as well");
            }
            if queue.value > MAX_QUEUE {
                self.cx.fail::<()>(queue.place, format!("must be at most {MAX_QUEUE}"));
            }
        }
        policy.queue_wait = self.duration(raw.queue_wait.clone(), policy.queue_wait);
    }

    fn probe(&mut self, raw: raw::Probe) -> ProbePolicy {
        if let Some(written) = raw.every.as_ref().filter(|written| written.value.0 < MIN_PROBE_PAUSE) {
            self.cx.fail::<()>(written.place, "probes are paid for: wait at least `1s` between two");
        }
        ProbePolicy {
            every: raw.every.map_or(USUAL_PROBE.every, |every| every.value.0),
            max_per_day: self.positive(raw.max_per_day.as_ref(), USUAL_PROBE.max_per_day),
        }
    }

    pub(super) fn positive_percent(&mut self, written: &Spanned<raw::Percent>, zero: &str) -> u8 {
        if written.value.0 == 0 {
            self.cx.fail::<()>(written.place, zero);
        }
        written.value.0
    }

    /// The limits of models that reason, in place of others.
    pub(super) fn reasoning_timeouts(&mut self, raw: raw::ReasoningTimeouts) -> TimeoutOverrides {
        TimeoutOverrides {
            connect: None,
            first_byte: self.duration_set(raw.first_byte),
            first_token: self.duration_set(raw.first_token),
            between_chunks: self.duration_set(raw.between_chunks),
            total: self.duration_set(raw.total),
        }
    }

    /// The models of a list, with what holds for each.
    pub(super) fn models(&mut self, written: Vec<ModelEntry>, spec: &mut ProviderSpec) {
        let mut seen = HashSet::with_capacity(written.len());
        let mut own = HashMap::new();
        spec.open_ended = false;
        for entry in written {
            let (id, model) = match entry {
                ModelEntry::Id(id) if id.value == ANY => {
                    spec.open_ended = true;
                    continue;
                }
                ModelEntry::Id(id) => (id, None),
                ModelEntry::Model(model) => (model.id.clone(), Some(model)),
            };
            if id.value.is_empty() || id.value.chars().any(char::is_control) {
                self.cx.fail::<()>(id.place, "not the id of a model");
            } else if !seen.insert(id.value.clone()) {
                let message = format!("the model `{}` is there twice", shorten(&id.value));
                self.cx.fail::<()>(id.place, message);
            }
            if let Some(model) = model {
                own.insert(id.value.as_str().into(), self.own_rules(*model, &spec.rules.endpoint));
            }
            spec.models.push(id.value);
        }
        spec.rules.own = own;
    }

    fn own_rules(&mut self, raw: raw::Model, base: &Arc<EndpointPolicy>) -> OwnRules {
        let context_length = raw.context_length.as_ref().map(|length| self.positive(Some(length), 1));
        let raw::Model { timeouts, breaker, limits, zone, ease_in, probe, prefill, reasoning, .. } = raw;
        let endpoint = self.endpoint_policy(Endpoint { breaker, limits, zone, ease_in, probe }, base);
        let timeouts = timeouts.map(|raw| self.model_timeouts(raw)).unwrap_or_default();
        OwnRules {
            endpoint: if endpoint == **base { Arc::clone(base) } else { Arc::new(endpoint) },
            timeouts,
            context_length,
            prefill: prefill.map(Prefill::from),
            reasoning,
        }
    }

    fn model_timeouts(&mut self, raw: raw::ModelTimeouts) -> TimeoutOverrides {
        TimeoutOverrides {
            connect: self.duration_set(raw.connect),
            first_byte: self.duration_set(raw.first_byte),
            first_token: self.duration_set(raw.first_token),
            between_chunks: self.duration_set(raw.between_chunks),
            total: self.duration_set(raw.total),
        }
    }
}
