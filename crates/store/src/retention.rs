//! Deletes the oldest records in small steps between batches, and gives freed pages back.

use pointsman_core::RequestId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::options::Retention;

/// Requests that one step deletes at most, unless more came in since the last: a few milliseconds.
pub(crate) const STEP: u64 = 2_000;

/// Free pages that stay in the file: new rows reuse them, which is cheaper than shrinking and growing.
pub(crate) const FREE_PAGES_KEPT: u64 = 1_024;

/// Most pages given back after one batch.
const PAGES_PER_STEP: u64 = 512;

const OLDEST: &str = "SELECT id FROM requests ORDER BY id LIMIT 1";
const NTH_OLDEST: &str = "SELECT id FROM requests ORDER BY id LIMIT 1 OFFSET ?";
const DELETE: [&str; 3] = [
    "DELETE FROM attempts WHERE request_id <= ?",
    "DELETE FROM bodies WHERE request_id <= ?",
    "DELETE FROM requests WHERE id <= ?",
];

/// One step: deletes requests beyond the limits. `added` is how many came since the last one: twice
/// as many may go, so that any limit is reached at any load.
pub(crate) fn sweep(
    conn: &mut Connection,
    limits: &Retention,
    newest: RequestId,
    added: usize,
) -> rusqlite::Result<()> {
    let step = STEP.max(2 * added as u64);
    if let Some(last) = last_to_delete(conn, limits, newest, step)? {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut deleted = 0;
        for sql in DELETE {
            deleted = tx.prepare_cached(sql)?.execute([last])?;
        }
        tx.prepare_cached("UPDATE totals SET rows = rows - ?")?.execute([deleted as i64])?;
        tx.commit()?;
    }
    if pragma(conn, "PRAGMA freelist_count")? > FREE_PAGES_KEPT {
        let mut statement = conn.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
        let mut rows = statement.query([])?;
        // Each row frees one page.
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// The newest id that goes in this step, if any does.
fn last_to_delete(
    conn: &Connection,
    limits: &Retention,
    newest: RequestId,
    step: u64,
) -> rusqlite::Result<Option<i64>> {
    let mut surplus = 0;
    if let Some(max_rows) = limits.max_rows {
        surplus = pragma(conn, "SELECT rows FROM totals")?.saturating_sub(max_rows);
    }
    if let Some(max_bytes) = limits.max_bytes
        && used_bytes(conn)? > max_bytes
    {
        surplus = step;
    }
    if let Some(max_age) = limits.max_age {
        let age_ms = u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX);
        let cutoff = RequestId::first_at(newest.unix_ms().saturating_sub(age_ms)).as_i64();
        let oldest: Option<i64> = conn.prepare_cached(OLDEST)?.query_row([], |row| row.get(0)).optional()?;
        if oldest.is_some_and(|oldest| oldest < cutoff) {
            let by_age = nth_oldest(conn, step)?.unwrap_or(i64::MAX).min(cutoff - 1);
            let by_count = if surplus == 0 { None } else { nth_oldest(conn, surplus.min(step))? };
            return Ok(by_count.max(Some(by_age)));
        }
    }
    if surplus == 0 { Ok(None) } else { nth_oldest(conn, surplus.min(step)) }
}

/// The id of the `n`-th oldest request, from 1.
fn nth_oldest(conn: &Connection, n: u64) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(NTH_OLDEST)?.query_row([(n - 1) as i64], |row| row.get(0)).optional()
}

fn used_bytes(conn: &Connection) -> rusqlite::Result<u64> {
    let pages = pragma(conn, "PRAGMA page_count")?.saturating_sub(pragma(conn, "PRAGMA freelist_count")?);
    Ok(pages * pragma(conn, "PRAGMA page_size")?)
}

fn pragma(conn: &Connection, sql: &str) -> rusqlite::Result<u64> {
    conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).map(i64::unsigned_abs)
}

#[cfg(test)]
mod tests;
