//! Options of routes. Their graphs are compiled by routing.

use std::sync::Arc;

use pointsman_resilience::RetryPolicy;

use super::Checker;
use crate::domain::{OnDisconnect, RouteOptions, TimeoutOverrides};
use crate::raw;

/// More calls for one request are a mistake.
const MAX_ATTEMPTS: u32 = 100;

impl Checker<'_> {
    pub(crate) fn route(&mut self, name: &str, raw: raw::RouteOptions) -> Arc<RouteOptions> {
        let defaults = RouteOptions::default();
        let timeouts = raw.timeouts.map_or(defaults.timeouts, |raw| TimeoutOverrides {
            first_byte: self.duration_set(raw.first_byte),
            first_token: self.duration_set(raw.first_token),
            between_chunks: self.duration_set(raw.between_chunks),
            total: self.duration_set(raw.total),
        });
        let retry = match raw.retry {
            Some(retry) => self.retry(&retry, &defaults.retry),
            None => defaults.retry,
        };
        Arc::new(RouteOptions {
            name: name.into(),
            on_disconnect: match raw.on_disconnect {
                Some(raw::Disconnect::Finish) => OnDisconnect::Finish,
                Some(raw::Disconnect::Cancel) => OnDisconnect::Cancel,
                None => defaults.on_disconnect,
            },
            store_bodies: raw.store_bodies.unwrap_or(defaults.store_bodies),
            timeouts,
            retry,
            pass_through: self.path_rules(raw.pass_through.as_deref().unwrap_or_default()),
            strict: raw.strict.unwrap_or(defaults.strict),
            fetch_media: raw.fetch_media.unwrap_or(defaults.fetch_media),
        })
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
