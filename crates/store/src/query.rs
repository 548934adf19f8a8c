//! The questions that readers ask, each a range of ids.

use pointsman_core::store::{AttemptSample, CostBy, CostRow, RecordFilter, RecordSummary};
use pointsman_core::{Money, Outcome, RequestId};
use rusqlite::{Connection, Row, params};

const LIST: &str = "
    SELECT r.id, r.started_us, r.requested_model, a.provider, a.model, r.key_id, r.status, r.outcome,
           r.attempts, r.input_tokens, r.output_tokens, r.cost_nanos, r.duration_us, r.first_token_us,
           r.overhead_us, r.simulated, r.route, r.usage_source,
           r.usage_source IN ('counted', 'estimated') OR r.attempts > 1 AND EXISTS (
            SELECT 1 FROM attempts t
            WHERE t.request_id = r.id AND t.usage_source IN ('counted', 'estimated'))
    FROM requests r LEFT JOIN attempts a ON a.request_id = r.id AND a.n = r.attempts - 1
    WHERE r.id < ?1 AND r.id >= ?2
      AND (?3 IS NULL OR r.requested_model = ?3 OR EXISTS (
            SELECT 1 FROM attempts t
            WHERE t.request_id = r.id AND (t.model = ?3 OR t.provider || '/' || t.model = ?3)))
      AND (?4 IS NULL OR r.key_id = ?4)
      AND (?5 = 0 OR r.outcome <> ?6)
      AND (?7 IS NULL OR r.route = ?7)
      AND (?8 IS NULL OR r.status = ?8)
      AND (?9 IS NULL OR r.outcome = ?9)
      AND (?10 IS NULL OR r.cost_nanos >= ?10)
    ORDER BY r.id DESC LIMIT ?11";

const ATTEMPTS: &str = "
    SELECT request_id, provider, model, outcome, status, first_byte_us, duration_us
    FROM attempts WHERE request_id >= ?1 ORDER BY request_id DESC, n DESC LIMIT ?2";

/// A request without an upstream call has nothing that could be priced. Amounts are added up in halves:
/// SQLite's `sum` fails beyond 64 bits, and one absurd answer of a provider must not hide all costs.
const SUMS: &str = "
    count(*), sum(cost_nanos IS NULL AND attempts > 0),
    sum(usage_source IN ('counted', 'estimated') OR attempts > 1 AND EXISTS (
        SELECT 1 FROM attempts t
        WHERE t.request_id = requests.id AND t.usage_source IN ('counted', 'estimated'))),
    sum(input_tokens >> 32), sum(input_tokens & 0xffffffff),
    sum(output_tokens >> 32), sum(output_tokens & 0xffffffff),
    sum(cost_nanos >> 32), sum(cost_nanos & 0xffffffff)";

/// Costs and tokens go to the model of each attempt, the request to the model that had the last word.
const COST_BY_MODEL: &str = "
    SELECT coalesce(a.provider || '/' || a.model, ?2), coalesce(sum(a.n = r.attempts - 1), count(*)),
           coalesce(sum(a.n = r.attempts - 1 AND r.cost_nanos IS NULL), 0),
           coalesce(sum(a.usage_source IN ('counted', 'estimated')), 0),
           sum(a.input_tokens >> 32), sum(a.input_tokens & 0xffffffff),
           sum(a.output_tokens >> 32), sum(a.output_tokens & 0xffffffff),
           sum(a.cost_nanos >> 32), sum(a.cost_nanos & 0xffffffff)
    FROM requests r LEFT JOIN attempts a ON a.request_id = r.id
    WHERE r.id >= ?1 AND r.id < ?3 GROUP BY 1";

/// The group of requests that no upstream saw.
pub(crate) const NO_MODEL: &str = "(no model)";

/// The group of requests without a client key.
pub(crate) const NO_KEY: &str = "(no key)";

/// The group of requests whose key has no project.
pub(crate) const NO_PROJECT: &str = "(no project)";

/// The group of requests whose key has no team.
pub(crate) const NO_TEAM: &str = "(no team)";

/// The one group of [`CostBy::Total`].
pub(crate) const TOTAL: &str = "total";

pub(crate) fn list(conn: &Connection, filter: &RecordFilter) -> rusqlite::Result<Vec<RecordSummary>> {
    let before = filter.before.map_or(i64::MAX, RequestId::as_i64);
    let since = filter.since.map_or(0, RequestId::as_i64);
    let success = Outcome::Success.as_str();
    let min_cost = filter.min_cost.map(Money::nanos);
    let values = params![
        before,
        since,
        filter.model,
        filter.key,
        filter.failed,
        success,
        filter.route,
        filter.status,
        filter.outcome,
        min_cost,
        filter.limit,
    ];
    conn.prepare_cached(LIST)?.query_map(values, summary)?.collect()
}

pub(crate) fn cost(
    conn: &Connection,
    by: CostBy,
    since: Option<RequestId>,
    until: Option<RequestId>,
) -> rusqlite::Result<Vec<CostRow>> {
    let since = since.map_or(0, RequestId::as_i64);
    let until = until.map_or(i64::MAX, RequestId::as_i64);
    let (group, other) = match by {
        CostBy::Model => ("", NO_MODEL),
        CostBy::Total => ("?2", TOTAL),
        CostBy::Key => ("coalesce(key_id, ?2)", NO_KEY),
        CostBy::Day => ("coalesce(date(started_us / 1000000, 'unixepoch'), ?2)", "(no day)"),
        CostBy::Project => ("coalesce(project, ?2)", NO_PROJECT),
        CostBy::Team => ("coalesce(team, ?2)", NO_TEAM),
    };
    let sql = match by {
        CostBy::Model => COST_BY_MODEL.to_owned(),
        _ => format!("SELECT {group}, {SUMS} FROM requests WHERE id >= ?1 AND id < ?3 GROUP BY 1"),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![since, other, until], cost_row)?;
    let mut rows: Vec<CostRow> = rows.collect::<Result<_, _>>()?;
    sort(&mut rows, by);
    Ok(rows)
}

/// Newest day first; otherwise the dearest group.
pub(crate) fn sort(rows: &mut [CostRow], by: CostBy) {
    match by {
        CostBy::Day => rows.sort_by(|a, b| b.group.cmp(&a.group)),
        _ => rows.sort_by(|a, b| {
            b.cost.cmp(&a.cost).then(b.requests.cmp(&a.requests)).then_with(|| a.group.cmp(&b.group))
        }),
    }
}

pub(crate) fn attempts(
    conn: &Connection,
    since: RequestId,
    limit: u32,
) -> rusqlite::Result<Vec<AttemptSample>> {
    let sample = |row: &Row<'_>| {
        Ok(AttemptSample {
            request: RequestId::from_i64(row.get(0)?),
            provider: row.get(1)?,
            model: row.get(2)?,
            outcome: row.get(3)?,
            status: row.get(4)?,
            first_byte_us: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
            duration_us: count(row, 6)?,
        })
    };
    conn.prepare_cached(ATTEMPTS)?.query_map(params![since.as_i64(), limit], sample)?.collect()
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RecordSummary> {
    Ok(RecordSummary {
        id: RequestId::from_i64(row.get(0)?),
        started_unix_us: row.get(1)?,
        requested_model: row.get(2)?,
        provider: row.get(3)?,
        model: row.get(4)?,
        key: row.get(5)?,
        status: row.get(6)?,
        outcome: row.get(7)?,
        attempts: row.get(8)?,
        input_tokens: count(row, 9)?,
        output_tokens: count(row, 10)?,
        cost: row.get::<_, Option<i64>>(11)?.map(Money),
        duration_us: count(row, 12)?,
        first_token_us: row.get::<_, Option<i64>>(13)?.map(i64::unsigned_abs),
        overhead_us: count(row, 14)?,
        simulated: row.get(15)?,
        route: row.get(16)?,
        usage_source: row.get(17)?,
        estimated: row.get(18)?,
    })
}

/// Counts are written as signed integers that are never negative.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

fn cost_row(row: &Row<'_>) -> rusqlite::Result<CostRow> {
    Ok(CostRow {
        group: row.get(0)?,
        requests: count(row, 1)?,
        unpriced: count(row, 2)?,
        estimated: count(row, 3)?,
        input_tokens: halves(row, 4)?.unsigned_abs(),
        output_tokens: halves(row, 6)?.unsigned_abs(),
        cost: Money(halves(row, 8)?),
    })
}

/// The sum whose upper and lower 32 bits were added up apart, in two columns; 0 where there was nothing.
fn halves(row: &Row<'_>, column: usize) -> rusqlite::Result<i64> {
    let half = |column| row.get::<_, Option<i64>>(column).map(|sum| i128::from(sum.unwrap_or(0)));
    let sum = (half(column)? << 32) + half(column + 1)?;
    Ok(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}
