//! Options of routes. Their graphs are compiled by routing.

use std::time::Duration;

use pointsman_resilience::{HedgeAfter, HedgePolicy, Priority, RetryBudgetPolicy, RetryPolicy};

use super::Checker;
use crate::domain::{OnDisconnect, OnInterrupt, RouteOptions, RouteTimeouts, TimeoutOverrides, ToolDeltas};
use crate::raw::{self, OffOr};
use crate::yaml::Spanned;

/// More calls for one request are a mistake.
const MAX_ATTEMPTS: u32 = 100;
/// Nineteen in twenty answers begin sooner.
const USUAL_PERCENTILE: u8 = 95;
const USUAL_HEDGE_PERCENT: u8 = 5;

impl Checker<'_> {
    /// The options of a route. Its chains come later: they are graphs.
    pub(crate) fn route(&mut self, name: &str, raw: raw::RouteOptions) -> RouteOptions {
        let defaults = RouteOptions::default();
        let timeouts = raw.timeouts.map_or(defaults.timeouts, |raw| self.route_timeouts(raw));
        let (retry, retry_budget) = match raw.retry {
            Some(retry) => (self.retry(&retry, &defaults.retry), budget(retry.budget)),
            None => (defaults.retry, defaults.retry_budget),
        };
        RouteOptions {
            name: name.into(),
            on_disconnect: match raw.on_disconnect {
                Some(raw::Disconnect::Finish) => OnDisconnect::Finish,
                Some(raw::Disconnect::Cancel) => OnDisconnect::Cancel,
                None => defaults.on_disconnect,
            },
            store_bodies: raw.store_bodies.unwrap_or(defaults.store_bodies),
            timeouts,
            retry,
            retry_budget,
            hedge: raw.hedge.and_then(|hedge| self.hedge(hedge)),
            on_interrupt: raw.on_interrupt.map_or(defaults.on_interrupt, OnInterrupt::from),
            tool_deltas: raw.tool_deltas.map_or(defaults.tool_deltas, ToolDeltas::from),
            coalesce: raw.coalesce.unwrap_or(defaults.coalesce),
            priority: raw.priority.map_or(defaults.priority, Priority::from),
            pass_through: self.path_rules(raw.pass_through.as_deref().unwrap_or_default()),
            strict: raw.strict.unwrap_or(defaults.strict),
            fetch_media: raw.fetch_media.unwrap_or(defaults.fetch_media),
            ..defaults
        }
    }

    fn route_timeouts(&mut self, raw: raw::RouteTimeouts) -> RouteTimeouts {
        let usual = TimeoutOverrides {
            connect: self.duration_set(raw.connect),
            first_byte: self.duration_set(raw.first_byte),
            first_token: self.duration_set(raw.first_token),
            between_chunks: self.duration_set(raw.between_chunks),
            total: self.duration_set(raw.total),
        };
        let reasoning = raw.reasoning.map(|raw| self.reasoning_timeouts(raw)).unwrap_or_default();
        RouteTimeouts { usual, reasoning: reasoning.or(&usual) }
    }

    fn hedge(&mut self, raw: OffOr<raw::Hedge>) -> Option<HedgePolicy> {
        let OffOr::On(raw) = raw else { return None };
        let after = match raw.after {
            None => HedgeAfter::Percentile(USUAL_PERCENTILE),
            Some(Spanned { value: raw::HedgeAfter::Percentile(percentile), .. }) => {
                HedgeAfter::Percentile(percentile)
            }
            Some(Spanned { value: raw::HedgeAfter::Fixed(Duration::ZERO), place }) => {
                return self.cx.fail(place, "a time of 0 would ask two candidates from the start");
            }
            Some(Spanned { value: raw::HedgeAfter::Fixed(time), .. }) => HedgeAfter::Fixed(time),
        };
        let max_percent = match &raw.max_share {
            Some(share) => self.positive_percent(share, "a share of 0 is `hedge: off`"),
            None => USUAL_HEDGE_PERCENT,
        };
        Some(HedgePolicy { after, max_percent })
    }

    fn retry(&mut self, raw: &raw::Retry, defaults: &RetryPolicy) -> RetryPolicy {
        for written in [&raw.attempts, &raw.total_attempts].into_iter().flatten() {
            if written.value > MAX_ATTEMPTS {
                self.cx.fail::<()>(written.place, format!("must be at most {MAX_ATTEMPTS}"));
            }
        }
        let per_candidate = self.positive(raw.attempts.as_ref(), defaults.max_attempts_per_candidate);
        let total = match &raw.total_attempts {
            Some(total) if total.value != 0 && total.value < per_candidate && raw.attempts.is_some() => {
                self.cx.fail::<()>(total.place, "less than `attempts`, so that those are never reached");
                total.value
            }
            Some(total) => self.positive(Some(total), defaults.max_attempts_total),
            None => defaults.max_attempts_total.max(per_candidate),
        };
        let base = raw.base.as_ref().map_or(defaults.base, |base| base.value.0);
        let cap = raw.cap.as_ref().map_or(defaults.cap.max(base), |cap| cap.value.0);
        if let Some(written) = raw.cap.as_ref().filter(|_| cap < base) {
            self.cx.fail::<()>(written.place, "shorter than `base`");
        }
        RetryPolicy { max_attempts_per_candidate: per_candidate, max_attempts_total: total, base, cap }
    }
}

fn budget(raw: Option<raw::RetryBudget>) -> RetryBudgetPolicy {
    let usual = RetryBudgetPolicy::default();
    let Some(raw) = raw else { return usual };
    RetryBudgetPolicy {
        percent: raw.percent.map_or(usual.percent, |percent| percent.0),
        minimum_per_second: raw.minimum_per_second.unwrap_or(usual.minimum_per_second),
    }
}

impl From<raw::Interrupt> for OnInterrupt {
    fn from(word: raw::Interrupt) -> Self {
        match word {
            raw::Interrupt::Continue => Self::Continue,
            raw::Interrupt::Restart => Self::Restart,
            raw::Interrupt::Error => Self::Error,
        }
    }
}

impl From<raw::Deltas> for ToolDeltas {
    fn from(word: raw::Deltas) -> Self {
        match word {
            raw::Deltas::Hold => Self::Hold,
            raw::Deltas::Live => Self::Live,
        }
    }
}

impl From<raw::PriorityWord> for Priority {
    fn from(word: raw::PriorityWord) -> Self {
        match word {
            raw::PriorityWord::High => Self::High,
            raw::PriorityWord::Normal => Self::Normal,
            raw::PriorityWord::Low => Self::Low,
        }
    }
}
