//! `/admin/v1/endpoints…`: how deployments are doing now, and an operator's word on their breakers.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use pointsman_resilience::{BreakerState, BreakerView, CeilingView, EndpointStatus, Forced, KeyView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reply::Refusal;
use crate::setup::config::json_body;
use crate::setup::{Action, Actor, blocking};
use crate::state::AdminState;

/// The deployments that the data plane calls.
pub trait Endpoints: Send + Sync {
    /// Those that were called since the start and are still configured, by name.
    fn list(&self) -> Vec<EndpointStatus>;

    /// An operator's word on the breaker of one, by `provider/model`. `None`: there is no such deployment.
    fn force(&self, deployment: &str, forced: Forced) -> Option<EndpointStatus>;
}

/// Deployments that were called since the server began.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndpointList {
    /// By name.
    endpoints: Vec<EndpointRow>,
}

/// How one deployment is doing.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndpointRow {
    /// `provider/model`.
    deployment: String,
    /// Whether it is called.
    breaker: Breaker,
    /// The provider asked to be left alone until then, in milliseconds since the Unix epoch.
    held_until_unix_ms: Option<i64>,
    /// Calls that have not ended.
    in_flight: u32,
    /// Requests that wait for one of them to end.
    waiting: usize,
    /// The time to the first token, in microseconds: peaks count more, and failures are in it.
    first_token_us: Option<u64>,
    /// The time that each further token takes, in microseconds.
    time_per_token_us: Option<u64>,
    /// What balancing compares: seconds that one more answer would take.
    cost: f64,
    /// The part of its share of the traffic that it gets: below 1 while it is cold.
    share: f64,
    /// The provider's keys, in the order of the configuration.
    keys: Vec<Key>,
}

/// A breaker.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Breaker {
    /// What it does with the next call.
    state: CallState,
    /// Who says so.
    set: Setting,
    /// Since when, in milliseconds since the Unix epoch; null: from the beginning.
    since_unix_ms: Option<i64>,
    /// When one call may try again, in milliseconds since the Unix epoch: of an open one.
    until_unix_ms: Option<i64>,
    /// Failures that count just now.
    failures: u32,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BreakerState")]
pub(crate) enum CallState {
    /// It lets them through.
    Closed,
    /// It refuses them.
    Open,
    /// It lets one through, to find out.
    HalfOpen,
}

/// Who decides on a breaker.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Setting {
    /// It opens and closes by what it sees.
    Automatic,
    /// An operator keeps it open: no call is made.
    Open,
    /// An operator keeps it closed: every call is made.
    Closed,
}

/// A key of a provider.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Key {
    /// Open: the provider refuses it, or its account.
    breaker: Breaker,
    /// The provider asked to leave it alone until then, in milliseconds since the Unix epoch.
    held_until_unix_ms: Option<i64>,
    /// Calls that it may make.
    requests: Option<Ceiling>,
    /// Tokens that it may use.
    tokens: Option<Ceiling>,
}

/// A ceiling.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Ceiling {
    /// What there is when nothing was used.
    limit: u64,
    /// What there is now.
    left: u64,
    /// The provider told it; else the configuration did.
    learned: bool,
}

/// Body of `POST /admin/v1/endpoints/breaker`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakerRequest {
    /// `provider/model`.
    #[schemars(length(min = 1))]
    deployment: String,
    /// Until it is set again, or the server ends.
    set: Setting,
}

pub(crate) async fn list(State(state): State<AdminState>) -> Result<Json<EndpointList>, Refusal> {
    let endpoints = state.endpoints.as_ref().ok_or_else(none)?;
    Ok(Json(EndpointList { endpoints: endpoints.list().into_iter().map(EndpointRow::from).collect() }))
}

pub(crate) async fn set_breaker(
    State(state): State<AdminState>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<EndpointRow>, Refusal> {
    let BreakerRequest { deployment, set } = json_body(body)?;
    let endpoints = state.endpoints.clone().ok_or_else(none)?;
    let (name, forced) = match set {
        Setting::Automatic => ("breaker.automatic", Forced::None),
        Setting::Open => ("breaker.open", Forced::Open),
        Setting::Closed => ("breaker.closed", Forced::Closed),
    };
    let actor = Actor::of(&state, &parts);
    let action = Action { name, target: Some(deployment.clone()) };
    let set = blocking(&state, move |setup| {
        setup.note(actor, action, || {
            endpoints.force(&deployment, forced).ok_or_else(|| {
                Refusal::new(
                    StatusCode::NOT_FOUND,
                    "unknown_deployment",
                    "there is no such deployment",
                    "write `provider/model`; GET /admin/v1/endpoints lists those that were called",
                )
            })
        })
    });
    Ok(Json(set.await?.into()))
}

fn none() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "no_endpoints",
        "the deployments cannot be seen here",
        "start the server with `pointsman serve`",
    )
}

impl From<EndpointStatus> for EndpointRow {
    fn from(status: EndpointStatus) -> Self {
        let EndpointStatus { deployment, view, waiting, started_unix_us } = status;
        let times = Times { started_unix_us };
        Self {
            deployment: deployment.to_string(),
            breaker: times.breaker(&view.breaker),
            held_until_unix_ms: times.unix_ms(view.held_until),
            in_flight: view.in_flight,
            waiting,
            first_token_us: micros(view.first_token),
            time_per_token_us: micros(view.time_per_token),
            cost: view.cost,
            share: view.share,
            keys: view.keys.iter().map(|key| times.key(key)).collect(),
        }
    }
}

/// Turns times since the server began into those of a clock on the wall.
#[derive(Clone, Copy)]
struct Times {
    started_unix_us: i64,
}

impl Times {
    fn unix_ms(self, since_start: Option<Duration>) -> Option<i64> {
        let since_start = i64::try_from(since_start?.as_micros()).ok()?;
        Some(self.started_unix_us.saturating_add(since_start) / 1000)
    }

    fn breaker(self, view: &BreakerView) -> Breaker {
        Breaker {
            state: match view.state {
                BreakerState::Closed => CallState::Closed,
                BreakerState::Open => CallState::Open,
                BreakerState::HalfOpen => CallState::HalfOpen,
            },
            set: match view.forced {
                Forced::None => Setting::Automatic,
                Forced::Open => Setting::Open,
                Forced::Closed => Setting::Closed,
            },
            since_unix_ms: self.unix_ms(Some(view.since).filter(|since| !since.is_zero())),
            until_unix_ms: self.unix_ms(view.until),
            failures: view.failures,
        }
    }

    fn key(self, view: &KeyView) -> Key {
        let ceiling =
            |view: &CeilingView| Ceiling { limit: view.limit, left: view.left, learned: view.learned };
        Key {
            breaker: self.breaker(&view.breaker),
            held_until_unix_ms: self.unix_ms(view.held_until),
            requests: view.requests.as_ref().map(ceiling),
            tokens: view.tokens.as_ref().map(ceiling),
        }
    }
}

fn micros(duration: Option<Duration>) -> Option<u64> {
    u64::try_from(duration?.as_micros()).ok()
}
