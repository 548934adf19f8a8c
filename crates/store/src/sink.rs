//! Writes batches of records: one transaction a batch, each id exactly once.
//!
//! What happens to a batch that cannot be kept: a single broken row is left out and the others are
//! kept; where the file as a whole cannot be written (locked, disk full) the batch is held in memory,
//! up to a limit, and goes in before the next one. The row itself is in `insert.rs`, deleting in
//! `retention.rs`.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pointsman_core::store::{RecordSink, StoreError, Tally};
use pointsman_core::{RequestId, RequestRecord};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::insert::Inserts;
use crate::options::{Retention, StoreOptions};
use crate::{failed, retention, schema};

/// Retention looks after so many records: after each small batch it would cost more than the batch.
const SWEEP_ROWS: usize = 500;

/// It also looks after so many milliseconds, for servers with little to do.
const SWEEP_MS: u64 = 10_000;

const ADD_TO_TOTAL: &str = "UPDATE totals SET rows = rows + ?";

/// What became of the records that a sink was given. Shared, so that it outlives the move of the
/// sink into the recorder.
#[derive(Debug, Default)]
pub struct SinkStats {
    /// Rows that are in the file.
    pub written: AtomicU64,
    /// Records whose id was in the file already.
    pub repeated: AtomicU64,
    /// Records that the database refused one by one.
    pub refused: AtomicU64,
    /// Records in memory because the file cannot be written just now.
    pub held: AtomicU64,
    /// Records given up because too many were held.
    pub lost: AtomicU64,
}

/// The record store's writing side: the only writer of its file in this process.
#[derive(Debug)]
pub struct SqliteSink {
    conn: Connection,
    retention: Retention,
    /// The newest id seen: retention counts ages from it, so that tests need no clock.
    newest: RequestId,
    /// Records since retention last looked.
    since_sweep: usize,
    /// The time of `newest` when it did.
    swept_ms: u64,
    backlog: VecDeque<Box<RequestRecord>>,
    backlog_limit: usize,
    stats: Arc<SinkStats>,
}

impl SqliteSink {
    /// Opens the file, creates it (mode 0600) or brings it to the newest schema.
    ///
    /// # Errors
    /// Where the file cannot be opened, is not a database, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        Ok(Self {
            conn: schema::open_writer(path.as_ref(), options.busy_timeout)?,
            retention: options.retention,
            newest: RequestId::from_i64(0),
            since_sweep: 0,
            swept_ms: 0,
            backlog: VecDeque::new(),
            backlog_limit: options.backlog,
            stats: Arc::default(),
        })
    }

    /// Counters of this sink.
    #[must_use]
    pub fn stats(&self) -> Arc<SinkStats> {
        Arc::clone(&self.stats)
    }

    /// Changes which records are kept, from the next batch on.
    pub fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Keeps what is held and the batch, or holds both.
    fn keep(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        let kept = match commit(&mut self.conn, self.backlog.iter().chain(batch)) {
            Ok(kept) => kept,
            Err(error) => return Err(self.hold(batch, error)),
        };
        let total = self.backlog.len() + batch.len();
        self.backlog = VecDeque::new();
        self.stats.written.fetch_add(kept.written, Ordering::Relaxed);
        self.stats.repeated.fetch_add(kept.repeated, Ordering::Relaxed);
        self.stats.refused.fetch_add(kept.refused, Ordering::Relaxed);
        self.stats.held.store(0, Ordering::Relaxed);
        match kept.first_refused {
            None => Ok(()),
            Some((id, error)) => Err(StoreError {
                context: format!("{} of {total} request records refused, {id} first", kept.refused),
                source: error.into(),
            }),
        }
    }

    fn hold(&mut self, batch: &[Box<RequestRecord>], error: rusqlite::Error) -> StoreError {
        let room = self.backlog_limit.saturating_sub(self.backlog.len());
        self.backlog.extend(batch.iter().take(room).cloned());
        let lost = batch.len().saturating_sub(room);
        self.stats.lost.fetch_add(lost as u64, Ordering::Relaxed);
        self.stats.held.store(self.backlog.len() as u64, Ordering::Relaxed);
        let held = self.backlog.len();
        failed(format!("cannot write request records ({held} held for the next try, {lost} lost)"))(error)
    }
}

impl RecordSink for SqliteSink {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        if batch.is_empty() && self.backlog.is_empty() {
            return Ok(());
        }
        self.newest = batch.iter().map(|record| record.id).fold(self.newest, RequestId::max);
        let kept = self.keep(batch);
        self.since_sweep += batch.len();
        if self.since_sweep >= SWEEP_ROWS || self.newest.unix_ms() >= self.swept_ms + SWEEP_MS {
            let added = std::mem::take(&mut self.since_sweep);
            self.swept_ms = self.newest.unix_ms();
            if let Err(error) = retention::sweep(&mut self.conn, &self.retention, self.newest, added) {
                tracing::warn!(%error, "old request records could not be deleted");
            }
        }
        kept
    }

    fn tally(&self) -> Option<Tally> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let stats = &self.stats;
        Some(Tally { held: count(&stats.held), failed: count(&stats.refused) + count(&stats.lost) })
    }
}

impl Drop for SqliteSink {
    /// The last chance of what is held.
    fn drop(&mut self) {
        if self.backlog.is_empty() {
            return;
        }
        if let Err(error) = self.keep(&[]) {
            tracing::error!(%error, lost = self.backlog.len(), "request records lost at shutdown");
        }
    }
}

#[derive(Default)]
struct Kept {
    written: u64,
    repeated: u64,
    refused: u64,
    first_refused: Option<(RequestId, rusqlite::Error)>,
}

fn commit<'r>(
    conn: &mut Connection,
    records: impl Iterator<Item = &'r Box<RequestRecord>>,
) -> rusqlite::Result<Kept> {
    let mut kept = Kept::default();
    // Immediate: waits for another writer here, and never fails to upgrade a read in the middle.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut inserts = Inserts::prepare(&tx)?;
        for record in records {
            match inserts.put(record) {
                Ok(true) => kept.written += 1,
                Ok(false) => kept.repeated += 1,
                Err(error) if concerns_one_row(&error) => {
                    kept.refused += 1;
                    kept.first_refused.get_or_insert((record.id, error));
                }
                Err(error) => return Err(error),
            }
        }
        tx.prepare_cached(ADD_TO_TOTAL)?.execute([kept.written as i64])?;
    }
    tx.commit()?;
    Ok(kept)
}

fn concerns_one_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}

#[cfg(test)]
mod tests;
