//! Request records: pages of them, one with its attempts, sums of cost, and how deployments do.
//! What `pointsman log` and `pointsman cost` show, as JSON.

mod cost;
mod detail;
mod health;
mod list;
mod values;

use std::fmt::Display;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use pointsman_core::store::{RecordReader, StoreError};

use crate::reply::Refusal;
use crate::state::AdminState;

pub(crate) use cost::{CostQuery, CostTable, cost};
pub(crate) use detail::{RequestDetail, one};
pub(crate) use health::{Health, HealthQuery, health};
pub(crate) use list::{ListQuery, RequestPage, list};
pub(crate) use values::{Dollars, Moment, RequestPath};

/// Asks the store on a thread that may block.
async fn read<T: Send + 'static>(
    state: &AdminState,
    ask: impl FnOnce(&mut dyn RecordReader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let Some(open) = state.records.clone() else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no_records",
            "request records are not kept",
            "switch records on in the configuration to keep them",
        ));
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
    Err(Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store_failed",
        "the request records cannot be read just now",
        "the server's log says why",
    ))
}

/// The query, or what is wrong with it.
pub(crate) fn query<Q>(given: Result<Query<Q>, QueryRejection>) -> Result<Q, Refusal> {
    match given {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(bad_query(rejection.body_text())),
    }
}

pub(crate) fn bad_query(message: String) -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "invalid_query",
        message,
        "GET /admin/v1/openapi.json lists the parameters of every path",
    )
}
