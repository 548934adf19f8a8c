//! `GET /admin/v1/requests` and `GET /admin/v1/cost`: what `pointsman log` and `pointsman cost` show,
//! as JSON. Money is a JSON number in dollars with all nine decimals; `null` where no price is known.

use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use pointsman_core::store::{CostBy, CostRow, RecordFilter, RecordReader, RecordSummary, StoreError};
use pointsman_core::{Money, RequestId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::Refusal;
use crate::state::AdminState;

/// Records in one answer where the caller does not say.
const DEFAULT_LIMIT: u32 = 100;

/// Most records in one answer; `next` leads on.
const MAX_LIMIT: u32 = 1_000;

/// Query of `/admin/v1/requests`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u32>,
    before: Option<String>,
    since: Option<String>,
    model: Option<String>,
    key: Option<String>,
    #[serde(default)]
    failed: bool,
}

/// Query of `/admin/v1/cost`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostQuery {
    #[serde(default)]
    by: By,
    since: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Total,
    Model,
    Key,
    Day,
}

/// Newest first; `next` is the `before` of the next page.
pub(crate) async fn list(
    State(state): State<AdminState>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query.map_err(|rejection| bad_query(rejection.body_text()))?;
    let filter = query.filter()?;
    let limit = filter.limit as usize;
    let found = read(&state, move |reader| reader.list(&filter)).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.to_string());
    let requests: Vec<Value> = found.iter().map(request).collect();
    Ok(Json(json!({"requests": requests, "next": next})))
}

/// Dearest first; by day, newest first.
pub(crate) async fn cost(
    State(state): State<AdminState>,
    query: Result<Query<CostQuery>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(CostQuery { by, since }) = query.map_err(|rejection| bad_query(rejection.body_text()))?;
    let since = since.as_deref().map(moment).transpose()?;
    let by = match by {
        By::Total => CostBy::Total,
        By::Model => CostBy::Model,
        By::Key => CostBy::Key,
        By::Day => CostBy::Day,
    };
    let rows = read(&state, move |reader| reader.cost(by, since, None)).await?;
    Ok(Json(json!({"cost": rows.iter().map(sum).collect::<Vec<_>>()})))
}

impl ListQuery {
    fn filter(self) -> Result<RecordFilter, Refusal> {
        Ok(RecordFilter {
            before: self.before.as_deref().map(moment).transpose()?,
            since: self.since.as_deref().map(moment).transpose()?,
            model: self.model,
            key: self.key,
            failed: self.failed,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
            ..RecordFilter::default()
        })
    }
}

/// Asks the store on a thread that may block.
async fn read<T: Send + 'static>(
    state: &AdminState,
    ask: impl FnOnce(&mut dyn RecordReader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let Some(open) = state.records.clone() else {
        return Err(Refusal {
            status: StatusCode::NOT_FOUND,
            code: "no_records",
            message: "request records are not kept".into(),
            hint: "switch records on in the configuration to keep them".into(),
        });
    };
    // The semaphore is never closed, so there is always a permit.
    let permit = state.readers.clone().acquire_owned().await.ok();
    let asked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        ask(&mut *open()?)
    });
    let failure: Box<dyn Display + Send> = match asked.await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(failure)) => Box::new(failure),
        Err(failure) => Box::new(failure),
    };
    tracing::error!(error = %failure, "request records could not be read");
    Err(Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "store_failed",
        message: "the request records cannot be read just now".into(),
        hint: "the server's log says why".into(),
    })
}

/// A request id, or Unix seconds as the smallest id of that second.
fn moment(text: &str) -> Result<RequestId, Refusal> {
    if text.len() <= 12
        && let Ok(seconds) = text.parse::<u64>()
    {
        return Ok(RequestId::first_at(seconds * 1_000));
    }
    text.parse()
        .map_err(|_| bad_query(format!("`{text}` is neither a request id nor a time in Unix seconds")))
}

fn bad_query(message: String) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        code: "invalid_query",
        message: message.into(),
        hint: "requests: limit, before, since, model, key, failed; cost: by (total, model, key, day), since"
            .into(),
    }
}

fn request(row: &RecordSummary) -> Value {
    json!({
        "id": row.id.to_string(),
        "started_unix_us": row.started_unix_us,
        "requested_model": row.requested_model,
        "provider": row.provider,
        "model": row.model,
        "key": row.key,
        "status": row.status,
        "outcome": row.outcome,
        "attempts": row.attempts,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": row.cost.map(dollars),
        "duration_us": row.duration_us,
        "first_token_us": row.first_token_us,
        "overhead_us": row.overhead_us,
        "simulated": row.simulated,
    })
}

fn sum(row: &CostRow) -> Value {
    json!({
        "group": row.group,
        "requests": row.requests,
        "unpriced": row.unpriced,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": dollars(row.cost),
    })
}

/// Exact: the digits are kept as they are written.
fn dollars(amount: Money) -> Value {
    amount.to_string().parse().map_or(Value::Null, Value::Number)
}
