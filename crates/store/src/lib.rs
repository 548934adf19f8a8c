//! Request records: [`SqliteSink`] writes them, [`SqliteReader`] reads them while a server writes.
//!
//! The traits are in `pointsman_core::store`. Start with [`sink`] for how a batch is kept, with
//! `sql/001_requests.sql` for the columns, and with [`conformance`] for what every other store
//! (memory now, Postgres later) has to do as well.

#[doc(hidden)]
pub mod conformance;
pub mod memory;
pub mod objects;
pub mod options;
pub mod reader;
pub mod responses;
pub mod sink;

mod audit;
mod insert;
mod load;
mod query;
mod retention;
mod schema;

pub use audit::SqliteAudit;
pub use memory::MemoryStore;
pub use objects::SqliteObjects;
pub use options::{Retention, StoreOptions};
pub use reader::SqliteReader;
pub use responses::{MemoryResponses, SqliteResponses};
pub use sink::{SinkStats, SqliteSink};

use pointsman_core::store::StoreError;

/// A [`StoreError`] for an engine error, for use in `map_err`.
pub(crate) fn failed<E>(context: impl Into<String>) -> impl FnOnce(E) -> StoreError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let context = context.into();
    move |source| StoreError { context, source: source.into() }
}
