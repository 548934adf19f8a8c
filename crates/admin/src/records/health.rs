//! `GET /admin/v1/health`: how each deployment has done lately, from its recorded upstream calls.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use pointsman_core::store::AttemptSample;
use pointsman_core::{Outcome, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, query, read};
use crate::reply::Refusal;
use crate::state::AdminState;

/// Upstream calls that are looked at: enough for a median that holds still, few enough to be read in
/// milliseconds.
const SAMPLES: u32 = 10_000;

/// Query of `/admin/v1/health`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthQuery {
    /// Only upstream calls since: a request id, or Unix seconds. Never more than the latest 10,000.
    since: Option<Moment>,
}

/// How deployments have done lately.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// By provider and model. Those of the configuration that were not called are there as well.
    deployments: Vec<DeploymentHealth>,
    /// Upstream calls that were looked at.
    samples: usize,
}

/// How one deployment has done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeploymentHealth {
    /// The provider's name.
    provider: String,
    /// The upstream model.
    model: String,
    /// Whether the configuration lists it now.
    configured: bool,
    /// Upstream calls.
    attempts: usize,
    /// Those that failed by the provider's fault.
    failures: usize,
    /// `failures` by `attempts`, 0 to 1; null without attempts.
    error_share: Option<f64>,
    /// How the latest call ended.
    last_outcome: Option<String>,
    /// Its HTTP status.
    last_status: Option<u16>,
    /// When its request began, in milliseconds since the Unix epoch.
    last_unix_ms: Option<u64>,
    /// Whole duration of calls that succeeded.
    duration_us: Option<Spread>,
    /// Time to the response head of calls that succeeded.
    first_byte_us: Option<Spread>,
}

/// Percentiles.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Spread {
    p50: u64,
    p95: u64,
    max: u64,
}

#[derive(Default)]
struct Tally {
    configured: bool,
    attempts: usize,
    failures: usize,
    last: Option<AttemptSample>,
    durations: Vec<u64>,
    first_bytes: Vec<u64>,
}

/// By provider and model.
pub(crate) async fn health(
    State(state): State<AdminState>,
    given: Result<Query<HealthQuery>, QueryRejection>,
) -> Result<Json<Health>, Refusal> {
    let since = query(given)?.since.map_or(RequestId::from_i64(0), |moment| moment.0);
    let samples = read(&state, move |reader| reader.attempts(since, SAMPLES)).await?;
    let configured = (state.deployments)();
    Ok(Json(judge(configured, samples)))
}

fn judge(configured: Vec<(String, String)>, samples: Vec<AttemptSample>) -> Health {
    let count = samples.len();
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for name in configured {
        tallies.entry(name).or_default().configured = true;
    }
    for sample in samples {
        let tally = tallies.entry((sample.provider.clone(), sample.model.clone())).or_default();
        tally.attempts += 1;
        if sample.outcome == Outcome::Success.as_str() {
            tally.durations.push(sample.duration_us);
            tally.first_bytes.extend(sample.first_byte_us);
        } else if !blameless(&sample.outcome) {
            tally.failures += 1;
        }
        // They come newest first.
        tally.last.get_or_insert(sample);
    }
    let deployments = tallies.into_iter().map(|((provider, model), tally)| DeploymentHealth {
        provider,
        model,
        configured: tally.configured,
        attempts: tally.attempts,
        failures: tally.failures,
        error_share: (tally.attempts > 0).then(|| tally.failures as f64 / tally.attempts as f64),
        last_status: tally.last.as_ref().and_then(|last| last.status),
        last_unix_ms: tally.last.as_ref().map(|last| last.request.unix_ms()),
        last_outcome: tally.last.map(|last| last.outcome),
        duration_us: Spread::of(tally.durations),
        first_byte_us: Spread::of(tally.first_bytes),
    });
    Health { deployments: deployments.collect(), samples: count }
}

/// Whether the provider is not at fault: the client is, or left.
fn blameless(word: &str) -> bool {
    let outcome = Outcome::from_words(word, None, None);
    outcome.is_some_and(|outcome| outcome.blames_request() || outcome == Outcome::Cancelled)
}

impl Spread {
    /// Nearest rank.
    fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let rank = |percent: usize| values.get((values.len() * percent).div_ceil(100).max(1) - 1).copied();
        Some(Self { p50: rank(50)?, p95: rank(95)?, max: rank(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_callers_are_no_failures_and_the_newest_call_is_the_last() {
        let sample = |n: i64, outcome: &str, duration_us| AttemptSample {
            request: RequestId::from_i64(n << 22),
            provider: "p".into(),
            model: "m".into(),
            outcome: outcome.into(),
            status: Some(200),
            first_byte_us: None,
            duration_us,
        };
        let samples = vec![
            sample(5, "overloaded", 9),
            sample(4, "client_fault", 9),
            sample(3, "cancelled", 9),
            sample(2, "success", 30),
            sample(1, "success", 10),
        ];
        let health = judge(vec![("p".into(), "idle".into())], samples);
        let [idle, busy] = &health.deployments[..] else { panic!("{health:?}") };
        assert!(idle.configured && idle.attempts == 0 && idle.error_share.is_none());
        assert!(!busy.configured && idle.last_outcome.is_none());
        assert_eq!((busy.attempts, busy.failures, busy.error_share), (5, 1, Some(0.2)));
        assert_eq!(busy.last_outcome.as_deref(), Some("overloaded"));
        assert_eq!(busy.duration_us, Some(Spread { p50: 10, p95: 30, max: 30 }));
        assert_eq!(busy.first_byte_us, None);
    }
}
