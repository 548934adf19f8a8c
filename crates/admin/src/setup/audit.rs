//! `GET /admin/v1/audit`: every change, newest first.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use pointsman_core::store::AuditEntry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocking;
use crate::records::{bad_query, query};
use crate::reply::Refusal;
use crate::state::AdminState;

/// Changes in one answer where the caller does not say.
const DEFAULT_LIMIT: u32 = 100;

/// Most changes in one answer.
const MAX_LIMIT: u32 = 1_000;

/// Query of `/admin/v1/audit`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Most changes in one answer; 100 where absent.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Only changes before this one: the `next` of the last page.
    #[schemars(range(min = 1))]
    before: Option<i64>,
}

/// A page of changes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditPage {
    /// Newest first.
    changes: Vec<AuditRow>,
    /// The `before` of the next page; null on the last.
    next: Option<i64>,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditRow {
    /// Counts up from 1.
    id: i64,
    /// Microseconds since the Unix epoch.
    at_unix_us: i64,
    /// The credential, by its public name.
    actor: String,
    /// The client's address.
    address: Option<String>,
    /// `config.apply`, `config.rollback`, `key.create`, `key.revoke`, `breaker.open`, `breaker.closed`,
    /// `breaker.automatic`.
    action: String,
    /// The key's id, the version or the deployment.
    target: Option<String>,
    /// SHA-256 of the configuration before.
    before_sha256: Option<String>,
    /// SHA-256 of the configuration after.
    after_sha256: Option<String>,
    /// `done`; `failed`; or `begun` where the process ended in the middle.
    state: String,
    /// Why it failed.
    detail: Option<String>,
}

/// Newest first.
pub(crate) async fn list(
    State(state): State<AdminState>,
    given: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditPage>, Refusal> {
    let AuditQuery { limit, before } = query(given)?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(bad_query(format!("`limit` is 1 to {MAX_LIMIT}")));
    }
    if before.is_some_and(|before| before < 1) {
        return Err(bad_query("`before` is the id of a change".into()));
    }
    let found = blocking(&state, move |setup| setup.with_audit(|audit| audit.list(before, limit))).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|last| last.id);
    Ok(Json(AuditPage { changes: found.into_iter().map(row).collect(), next }))
}

fn row(entry: AuditEntry) -> AuditRow {
    let AuditEntry { id, change, state, detail } = entry;
    AuditRow {
        id,
        at_unix_us: change.at_unix_us,
        actor: change.actor,
        address: change.address,
        action: change.action,
        target: change.target,
        before_sha256: change.before,
        after_sha256: change.after,
        state,
        detail,
    }
}
