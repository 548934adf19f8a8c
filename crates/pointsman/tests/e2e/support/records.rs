//! The record file, read while the gateway writes it.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Row};

use super::POLL;

/// Records are written in batches; a busy machine may take its time.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// An open record file.
#[derive(Debug)]
pub(crate) struct Records(Connection);

/// The columns of one request that the tests look at.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) status: u16,
    pub(crate) outcome: String,
    pub(crate) error: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) usage_source: String,
    pub(crate) cost_nanos: Option<i64>,
    pub(crate) streamed: bool,
}

/// One upstream call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) provider: String,
    pub(crate) outcome: String,
}

impl Records {
    /// Opens the database of requests in the data folder.
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join("pointsman.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).unwrap();
        connection.busy_timeout(WRITTEN_WITHIN).unwrap();
        Self(connection)
    }

    /// The request of the n-th row by time, waited for.
    pub(crate) fn nth(&self, n: u32) -> Record {
        self.wait(|| {
            let sql = "SELECT status, outcome, error, route, attempts, input_tokens, output_tokens, usage_source, \
                       cost_nanos, streamed FROM requests ORDER BY id LIMIT 1 OFFSET ?1";
            self.0.query_row(sql, [n], record).ok()
        })
    }

    /// All requests that the client saw end with this status, by time. Nothing is waited for.
    pub(crate) fn with_status(&self, status: u16) -> Vec<Record> {
        let sql = "SELECT status, outcome, error, route, attempts, input_tokens, output_tokens, usage_source, \
                   cost_nanos, streamed FROM requests WHERE status = ?1 ORDER BY id";
        let mut statement = self.0.prepare(sql).unwrap();
        statement.query_map([status], record).unwrap().map(Result::unwrap).collect()
    }

    /// The attempts of the n-th request by time. Ask for the request first: that waits.
    pub(crate) fn attempts_of_nth(&self, n: u32) -> Vec<Attempt> {
        let sql = "SELECT provider, outcome FROM attempts WHERE request_id = \
                   (SELECT id FROM requests ORDER BY id LIMIT 1 OFFSET ?1) ORDER BY n";
        let mut statement = self.0.prepare(sql).unwrap();
        let attempt = |row: &Row<'_>| Ok(Attempt { provider: row.get(0)?, outcome: row.get(1)? });
        statement.query_map([n], attempt).unwrap().map(Result::unwrap).collect()
    }

    /// How often each session occurs.
    pub(crate) fn sessions(&self) -> std::collections::HashMap<String, u32> {
        let sql = "SELECT session, count(*) FROM requests WHERE session IS NOT NULL GROUP BY session";
        let mut statement = self.0.prepare(sql).unwrap();
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        pairs.map(Result::unwrap).collect()
    }

    /// What SQLite itself finds wrong with the file: `ok` is good.
    pub(crate) fn integrity(&self) -> String {
        self.0.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    }

    fn wait<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begun.elapsed() < WRITTEN_WITHIN, "the record was not written");
            std::thread::sleep(POLL);
        }
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        status: row.get(0)?,
        outcome: row.get(1)?,
        error: row.get(2)?,
        route: row.get(3)?,
        attempts: row.get(4)?,
        input_tokens: tokens(row, 5)?,
        output_tokens: tokens(row, 6)?,
        usage_source: row.get(7)?,
        cost_nanos: row.get(8)?,
        streamed: row.get(9)?,
    })
}

fn tokens(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap())
}
