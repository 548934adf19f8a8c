//! What features ask of storage. SQLite implements it now, Postgres joins later.

use crate::ids::RequestId;
use crate::money::Money;
use crate::record::RequestRecord;

/// A storage failure: the text is for the operator's log.
#[derive(Debug, thiserror::Error)]
#[error("{context}: {source}")]
pub struct StoreError {
    /// What was being done.
    pub context: String,
    /// The engine's own error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Receives finished requests in batches, on a thread that may block.
///
/// The gateway's recorder drives every sink: the record store, the access log, exporters.
pub trait RecordSink: Send {
    /// The name used in metrics and logs.
    fn name(&self) -> &'static str;

    /// Takes a batch in the order in which requests ended. On an error the batch is not retried:
    /// a sink that can save it does so itself.
    ///
    /// # Errors
    /// Where the batch could not be kept.
    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError>;
}

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Only requests with a smaller id (older): the cursor for the next page.
    pub before: Option<RequestId>,
    /// Only requests with an id of at least this.
    pub since: Option<RequestId>,
    /// Only this model, as requested or as upstream.
    pub model: Option<String>,
    /// Only this key id.
    pub key: Option<String>,
    /// Only requests that did not succeed.
    pub failed: bool,
    /// At most so many.
    pub limit: u32,
}

/// One line of `pointsman log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// The request.
    pub id: RequestId,
    /// Microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// As the client named it.
    pub requested_model: String,
    /// The provider and model that answered, or were tried last.
    pub provider: Option<String>,
    /// See `provider`.
    pub model: Option<String>,
    /// The key's id.
    pub key: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// A word of [`crate::Outcome`].
    pub outcome: String,
    /// Number of upstream calls.
    pub attempts: u32,
    /// All prompt tokens.
    pub input_tokens: u64,
    /// All completion tokens.
    pub output_tokens: u64,
    /// `None`: no price is known.
    pub cost: Option<Money>,
    /// Whole duration.
    pub duration_us: u64,
    /// Time to first token.
    pub first_token_us: Option<u64>,
    /// Time inside Pointsman.
    pub overhead_us: u64,
    /// Answered by the simulated provider.
    pub simulated: bool,
}

/// How to add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostBy {
    /// One row in all.
    Total,
    /// By upstream provider and model.
    Model,
    /// By client key.
    Key,
    /// By UTC day.
    Day,
}

/// One row of `pointsman cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRow {
    /// The model, key or day; `total` for all.
    pub group: String,
    /// Requests.
    pub requests: u64,
    /// Requests whose price is not known: their cost is not in `cost`.
    pub unpriced: u64,
    /// All prompt tokens.
    pub input_tokens: u64,
    /// All completion tokens.
    pub output_tokens: u64,
    /// The sum of what is known.
    pub cost: Money,
}

/// Reads records, also while a server writes them.
pub trait RecordReader: Send {
    /// Records, newest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn list(&mut self, filter: &RecordFilter) -> Result<Vec<RecordSummary>, StoreError>;

    /// Sums since `since`, dearest first (by day: newest first).
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn cost(&mut self, by: CostBy, since: Option<RequestId>) -> Result<Vec<CostRow>, StoreError>;
}
