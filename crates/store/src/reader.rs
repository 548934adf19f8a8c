//! Reads records through a connection of its own, also while a server writes. The questions
//! themselves are in `query.rs` and `load.rs`.

use std::path::Path;
use std::time::Duration;

use pointsman_core::store::{
    AttemptSample, CostBy, CostRow, RecordFilter, RecordReader, RecordSummary, StoreError,
};
use pointsman_core::{RequestId, RequestRecord};
use rusqlite::Connection;

use crate::{failed, load, query, schema};

/// Readers wait only for a checkpoint that resets the log, which is short.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The record store's reading side.
#[derive(Debug)]
pub struct SqliteReader {
    conn: Connection,
}

impl SqliteReader {
    /// Opens the file read-only.
    ///
    /// # Errors
    /// Where there is no such file, or it was written by another version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self { conn: schema::open_reader(path.as_ref(), BUSY_TIMEOUT)? })
    }
}

impl RecordReader for SqliteReader {
    fn list(&mut self, filter: &RecordFilter) -> Result<Vec<RecordSummary>, StoreError> {
        query::list(&self.conn, filter).map_err(failed("cannot list request records"))
    }

    fn cost(
        &mut self,
        by: CostBy,
        since: Option<RequestId>,
        until: Option<RequestId>,
    ) -> Result<Vec<CostRow>, StoreError> {
        query::cost(&self.conn, by, since, until).map_err(failed("cannot add up the cost of request records"))
    }

    fn get(&mut self, id: RequestId) -> Result<Option<RequestRecord>, StoreError> {
        load::record(&self.conn, id).map_err(failed(format!("cannot read the record of {id}")))
    }

    fn attempts(&mut self, since: RequestId, limit: u32) -> Result<Vec<AttemptSample>, StoreError> {
        query::attempts(&self.conn, since, limit).map_err(failed("cannot list upstream calls"))
    }
}
