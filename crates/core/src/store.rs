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

    /// Takes a batch in the order in which requests ended. On an error the batch is not given again: a
    /// sink that can save it holds it itself. While it holds some, it is called again and again, with an
    /// empty batch where there is no other.
    ///
    /// # Errors
    /// Where the batch could not be kept.
    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError>;

    /// What became of all records so far, where single ones may be held or lost. `None`: what [`Self::write`]
    /// answers is true of its whole batch.
    fn tally(&self) -> Option<Tally> {
        None
    }
}

/// Records that a sink was given and has not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Held for another try.
    pub held: u64,
    /// Lost for good, since the start.
    pub failed: u64,
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
    /// Only this route.
    pub route: Option<String>,
    /// Only this HTTP status.
    pub status: Option<u16>,
    /// Only this word of [`crate::Outcome`].
    pub outcome: Option<String>,
    /// Only requests that cost at least so much; those without a known price never do.
    pub min_cost: Option<Money>,
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
    /// The route that it resolved to.
    pub route: Option<String>,
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
    /// Where the answer's tokens come from: a word of [`crate::UsageSource`].
    pub usage_source: String,
    /// `None`: no price is known.
    pub cost: Option<Money>,
    /// Tokens of any upstream call were counted or estimated, and so its cost is.
    pub estimated: bool,
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
    /// By project.
    Project,
    /// By team.
    Team,
}

impl CostBy {
    /// Every grouping.
    pub const ALL: [Self; 6] = [Self::Total, Self::Model, Self::Key, Self::Day, Self::Project, Self::Team];
}

/// One upstream call, as the health of deployments is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptSample {
    /// The request that it was made for.
    pub request: RequestId,
    /// The provider's configured name.
    pub provider: String,
    /// The upstream model id.
    pub model: String,
    /// A word of [`crate::Outcome`].
    pub outcome: String,
    /// The upstream's HTTP status, if a head arrived.
    pub status: Option<u16>,
    /// From its start to the response head.
    pub first_byte_us: Option<u64>,
    /// From its start to its end.
    pub duration_us: u64,
}

/// One row of `pointsman cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRow {
    /// The model, key, day, project or team; `total` for all.
    pub group: String,
    /// Requests.
    pub requests: u64,
    /// Requests whose price is not known: their cost is not in `cost`.
    pub unpriced: u64,
    /// Requests of which tokens, and so the cost, were counted or estimated instead of reported; by model:
    /// upstream calls.
    pub estimated: u64,
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

    /// Sums of requests with an id of at least `since` and below `until`, dearest first (by day:
    /// newest first).
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn cost(
        &mut self,
        by: CostBy,
        since: Option<RequestId>,
        until: Option<RequestId>,
    ) -> Result<Vec<CostRow>, StoreError>;

    /// The whole record of one request, with its attempts. What only the running process knows (which
    /// models the key may name) is absent.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn get(&mut self, id: RequestId) -> Result<Option<RequestRecord>, StoreError>;

    /// The latest upstream calls of requests with an id of at least `since`, newest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn attempts(&mut self, since: RequestId, limit: u32) -> Result<Vec<AttemptSample>, StoreError>;
}

/// How a change of the set-up went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeState {
    /// It was begun; where it stays so, the process ended in the middle.
    Begun,
    /// It is in force.
    Done,
    /// It was undone or never made.
    Failed,
}

impl ChangeState {
    /// The word in the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One change of the set-up: who, from where, what, and between which states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Microseconds since the Unix epoch.
    pub at_unix_us: i64,
    /// The credential, by its public name.
    pub actor: String,
    /// The client's address; `None` where the change came from this machine's files.
    pub address: Option<String>,
    /// What was done: `config.apply`, `key.create`.
    pub action: String,
    /// To what: a key's id, a version.
    pub target: Option<String>,
    /// SHA-256 of the configuration before, in hexadecimal digits.
    pub before: Option<String>,
    /// The same after.
    pub after: Option<String>,
}

/// A change as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Counts up from 1.
    pub id: i64,
    /// What was to be done.
    pub change: Change,
    /// A word of [`ChangeState`].
    pub state: String,
    /// Why it failed.
    pub detail: Option<String>,
}

/// Keeps every change of the set-up, for good.
pub trait AuditTrail: Send {
    /// Notes a change before it is made: what cannot be noted must not be done.
    ///
    /// # Errors
    /// Where it could not be kept.
    fn begin(&mut self, change: &Change) -> Result<i64, StoreError>;

    /// Notes how the change with this id went.
    ///
    /// # Errors
    /// Where it could not be kept.
    fn finish(&mut self, id: i64, state: ChangeState, detail: Option<&str>) -> Result<(), StoreError>;

    /// Changes with an id below `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// Where the trail cannot be read.
    fn list(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}
