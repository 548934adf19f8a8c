//! `GET /admin/v1/cost`: exact sums.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use pointsman_core::store::{CostBy, CostRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dollars, Moment, query, read};
use crate::reply::Refusal;
use crate::state::AdminState;

/// Query of `/admin/v1/cost`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostQuery {
    /// How to add up; `total` where absent.
    by: Option<By>,
    /// Only requests since: a request id, or Unix seconds.
    since: Option<Moment>,
    /// Only requests before: a request id, or Unix seconds.
    until: Option<Moment>,
}

/// How to add up.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Total,
    Model,
    Key,
    Day,
    Project,
    Team,
}

/// Sums of cost.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CostTable {
    /// Dearest first; by day, newest first.
    cost: Vec<CostLine>,
}

/// The sum of one group.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CostLine {
    /// The model, key, day, project or team.
    group: String,
    /// Requests.
    requests: u64,
    /// Requests whose price is not known: they are not in `cost_usd`.
    unpriced: u64,
    /// Requests of which tokens, and so the cost, were counted or estimated; by model: upstream calls.
    estimated: u64,
    /// All prompt tokens.
    input_tokens: u64,
    /// All completion tokens.
    output_tokens: u64,
    /// The sum of what is known.
    cost_usd: Dollars,
}

/// Dearest first; by day, newest first.
pub(crate) async fn cost(
    State(state): State<AdminState>,
    given: Result<Query<CostQuery>, QueryRejection>,
) -> Result<Json<CostTable>, Refusal> {
    let CostQuery { by, since, until } = query(given)?;
    let (since, until) = (since.map(|moment| moment.0), until.map(|moment| moment.0));
    let by = match by.unwrap_or_default() {
        By::Total => CostBy::Total,
        By::Model => CostBy::Model,
        By::Key => CostBy::Key,
        By::Day => CostBy::Day,
        By::Project => CostBy::Project,
        By::Team => CostBy::Team,
    };
    let rows = read(&state, move |reader| reader.cost(by, since, until)).await?;
    Ok(Json(CostTable { cost: rows.into_iter().map(line).collect() }))
}

fn line(row: CostRow) -> CostLine {
    CostLine {
        group: row.group,
        requests: row.requests,
        unpriced: row.unpriced,
        estimated: row.estimated,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        cost_usd: row.cost.into(),
    }
}
