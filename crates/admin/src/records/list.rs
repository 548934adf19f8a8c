//! `GET /admin/v1/requests`: newest first, in pages.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use pointsman_core::store::{RecordFilter, RecordSummary};
use pointsman_core::{Money, Outcome, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dollars, Moment, bad_query, query, read};
use crate::reply::Refusal;
use crate::state::AdminState;

/// Records in one answer where the caller does not say.
const DEFAULT_LIMIT: u32 = 100;

/// Most records in one answer; `next` leads on.
const MAX_LIMIT: u32 = 1_000;

/// No request costs more: nano-dollars have to fit.
const MAX_DOLLARS: f64 = 1_000_000_000.0;

/// Query of `/admin/v1/requests`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Most requests in one answer; 100 where absent.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Only requests before this one: the `next` of the last page.
    before: Option<Moment>,
    /// Only requests since: a request id, or Unix seconds.
    since: Option<Moment>,
    /// Only requests before: a request id, or Unix seconds.
    until: Option<Moment>,
    /// Only this model: as asked for, or the upstream's, with or without its provider.
    model: Option<String>,
    /// Only this key, by its id.
    key: Option<String>,
    /// Only this route.
    route: Option<String>,
    /// Only this HTTP status; 0 means that the client left before there was one.
    #[schemars(range(min = 0, max = 999))]
    status: Option<u16>,
    /// Only requests that ended so.
    #[schemars(extend("enum" = Outcome::WORDS))]
    outcome: Option<String>,
    /// Only requests that cost at least so many dollars.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    min_cost_usd: Option<f64>,
    /// Only requests that did not succeed.
    #[serde(default)]
    failed: bool,
}

/// A page of requests.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RequestPage {
    /// Newest first.
    requests: Vec<RequestRow>,
    /// The `before` of the next page; null on the last.
    next: Option<String>,
}

/// One request in a page.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RequestRow {
    /// `req_` and 13 characters.
    id: String,
    /// Microseconds since the Unix epoch.
    started_unix_us: i64,
    /// As the client named it.
    requested_model: String,
    /// The route that it resolved to.
    route: Option<String>,
    /// The provider that answered, or was tried last.
    provider: Option<String>,
    /// Its model.
    model: Option<String>,
    /// The key's id.
    key: Option<String>,
    /// HTTP status; 0: the client left before there was one.
    status: u16,
    /// How it ended.
    outcome: String,
    /// Upstream calls.
    attempts: u32,
    /// All prompt tokens.
    input_tokens: u64,
    /// All completion tokens.
    output_tokens: u64,
    /// Where the tokens come from: `reported`, `counted`, `estimated`, `unknown`.
    usage_source: String,
    /// Null where no price is known.
    cost_usd: Option<Dollars>,
    /// Tokens of some upstream call were counted or estimated, and so the cost is.
    cost_estimated: bool,
    /// Whole duration.
    duration_us: u64,
    /// Time to first token.
    first_token_us: Option<u64>,
    /// Time inside Pointsman.
    overhead_us: u64,
    /// Answered by the simulated provider.
    simulated: bool,
}

/// Newest first; `next` is the `before` of the next page.
pub(crate) async fn list(
    State(state): State<AdminState>,
    given: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<RequestPage>, Refusal> {
    let filter = query(given)?.filter()?;
    let limit = filter.limit as usize;
    let found = read(&state, move |reader| reader.list(&filter)).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.to_string());
    Ok(Json(RequestPage { requests: found.into_iter().map(row).collect(), next }))
}

impl ListQuery {
    fn filter(self) -> Result<RecordFilter, Refusal> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(bad_query(format!("`limit` is 1 to {MAX_LIMIT}")));
        }
        if self.status.is_some_and(|status| status > 999) {
            return Err(bad_query("`status` is 0 to 999".into()));
        }
        if let Some(outcome) = self.outcome.as_deref().filter(|word| !Outcome::WORDS.contains(word)) {
            return Err(bad_query(format!("`{outcome}` is no outcome")));
        }
        let ends: [Option<RequestId>; 2] = [self.before, self.until].map(|end| end.map(|moment| moment.0));
        Ok(RecordFilter {
            before: ends.into_iter().flatten().min(),
            since: self.since.map(|moment| moment.0),
            model: self.model,
            key: self.key,
            route: self.route,
            status: self.status,
            outcome: self.outcome,
            min_cost: self.min_cost_usd.map(nanos).transpose()?,
            failed: self.failed,
            limit,
        })
    }
}

/// A limit, not an amount: the nearest nano-dollar will do.
fn nanos(dollars: f64) -> Result<Money, Refusal> {
    if (0.0..=MAX_DOLLARS).contains(&dollars) {
        Ok(Money((dollars * 1e9).round() as i64))
    } else {
        Err(bad_query(format!("`min_cost_usd` is 0 to {MAX_DOLLARS}")))
    }
}

fn row(summary: RecordSummary) -> RequestRow {
    RequestRow {
        id: summary.id.to_string(),
        started_unix_us: summary.started_unix_us,
        requested_model: summary.requested_model,
        route: summary.route,
        provider: summary.provider,
        model: summary.model,
        key: summary.key,
        status: summary.status,
        outcome: summary.outcome,
        attempts: summary.attempts,
        input_tokens: summary.input_tokens,
        output_tokens: summary.output_tokens,
        usage_source: summary.usage_source,
        cost_usd: summary.cost.map(Dollars::from),
        cost_estimated: summary.estimated,
        duration_us: summary.duration_us,
        first_token_us: summary.first_token_us,
        overhead_us: summary.overhead_us,
        simulated: summary.simulated,
    }
}
