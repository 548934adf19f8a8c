//! Puts one record into its tables with prepared statements. Bound by position, without copies on
//! our side: this is the part whose cost every request pays.

use std::sync::LazyLock;

use pointsman_core::{AttemptRecord, Cost, ErrorCode, Outcome, RequestRecord, Usage};
use rusqlite::{CachedStatement, Connection, Statement, ToSql};

/// In the order in which [`bind_request`] binds, and `load.rs` reads.
pub(crate) const REQUEST_COLUMNS: &str = "id, started_us, organisation, project, team, user_id, key_id, agent, session, \
     trace_id, parent_span, trace_flags, tags, operation, streamed, requested_model, route, attempts, \
     input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, \
     input_audio_tokens, output_audio_tokens, usage_source, \
     cost_input, cost_cached_input, cost_cache_write, cost_output, cost_reasoning, cost_other, \
     price_version, config_generation, status, outcome, timeout_phase, error, duration_us, first_token_us, \
     overhead_us, request_bytes, response_bytes, simulated, dropped";

/// In the order in which [`bind_attempt`] binds, and `load.rs` reads.
pub(crate) const ATTEMPT_COLUMNS: &str = "request_id, n, provider, model, outcome, timeout_phase, retry_after_ms, status, \
     started_us, first_byte_us, duration_us, \
     input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, \
     input_audio_tokens, output_audio_tokens, usage_source, \
     cost_input, cost_cached_input, cost_cache_write, cost_output, cost_reasoning, cost_other, detail, \
     joined, joined_at_chars, joined_dropped_chars";

/// Only a repeated id is passed over: `INSERT OR IGNORE` would also swallow broken rows.
static INSERT_REQUEST: LazyLock<String> =
    LazyLock::new(|| insert("requests", REQUEST_COLUMNS) + " ON CONFLICT (id) DO NOTHING");
static INSERT_ATTEMPT: LazyLock<String> = LazyLock::new(|| insert("attempts", ATTEMPT_COLUMNS));
const INSERT_BODIES: &str = "INSERT INTO bodies (request_id, request, response) VALUES (?, ?, ?)";

/// The statements of one batch.
pub(crate) struct Inserts<'c> {
    conn: &'c Connection,
    request: CachedStatement<'c>,
    attempt: CachedStatement<'c>,
}

impl<'c> Inserts<'c> {
    pub(crate) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            request: conn.prepare_cached(&INSERT_REQUEST)?,
            attempt: conn.prepare_cached(&INSERT_ATTEMPT)?,
        })
    }

    /// Inserts a record with all that belongs to it; `false` where its id is there already. A record
    /// that is refused leaves nothing behind.
    pub(crate) fn put(&mut self, record: &RequestRecord) -> rusqlite::Result<bool> {
        bind_request(&mut self.request, record)?;
        if self.request.raw_execute()? == 0 {
            return Ok(false);
        }
        if let Err(error) = self.put_rest(record) {
            for table in ["attempts WHERE request_id", "bodies WHERE request_id", "requests WHERE id"] {
                self.conn.execute(&format!("DELETE FROM {table} = ?"), [record.id.as_i64()])?;
            }
            return Err(error);
        }
        Ok(true)
    }

    fn put_rest(&mut self, record: &RequestRecord) -> rusqlite::Result<()> {
        for (n, attempt) in record.attempts.iter().enumerate() {
            bind_attempt(&mut self.attempt, record.id.as_i64(), n, attempt)?;
            self.attempt.raw_execute()?;
        }
        if let Some(bodies) = &record.bodies {
            let values = (record.id.as_i64(), &bodies.request[..], &bodies.response[..]);
            self.conn.prepare_cached(INSERT_BODIES)?.execute(values)?;
        }
        Ok(())
    }
}

fn insert(table: &str, columns: &str) -> String {
    let marks = vec!["?"; columns.split(',').count()].join(", ");
    format!("INSERT INTO {table} ({columns}) VALUES ({marks})")
}

fn bind_request(statement: &mut Statement<'_>, record: &RequestRecord) -> rusqlite::Result<()> {
    let mut row = Binder { statement, bound: 0 };
    row.put(record.id.as_i64())?;
    row.put(record.started_unix_us)?;
    let principal = &record.principal;
    for name in
        [&principal.organisation, &principal.project, &principal.team, &principal.user, &principal.key]
    {
        row.put(name.as_deref())?;
    }
    row.put(record.agent.as_deref())?;
    row.put(record.session.as_deref())?;
    let trace = record.trace;
    row.put((trace.trace_id != 0).then_some(&trace.trace_id.to_be_bytes()[..]))?;
    row.put(trace.parent_id.map(u64::to_be_bytes).as_ref().map(|bytes| &bytes[..]))?;
    row.put(trace.flags)?;
    row.put(record.tags.as_deref())?;
    row.put(record.operation.as_str())?;
    row.put(record.streamed)?;
    row.put(&*record.requested_model)?;
    row.put(record.route.as_deref())?;
    row.count(record.attempts.len() as u64)?;
    row.usage(&record.usage)?;
    row.cost(record.cost.as_ref())?;
    row.put(record.price_version)?;
    row.count(record.config_generation)?;
    row.put(record.status)?;
    row.put(record.outcome.as_str())?;
    row.put(timeout_phase(record.outcome))?;
    row.put(record.error.map(ErrorCode::as_str))?;
    row.count(record.duration_us)?;
    row.put(record.first_token_us.map(clamp))?;
    row.count(record.overhead_us)?;
    row.count(record.request_bytes)?;
    row.count(record.response_bytes)?;
    row.put(record.simulated)?;
    row.put(record.dropped.as_deref())
}

fn bind_attempt(
    statement: &mut Statement<'_>,
    id: i64,
    n: usize,
    attempt: &AttemptRecord,
) -> rusqlite::Result<()> {
    let mut row = Binder { statement, bound: 0 };
    row.put(id)?;
    row.count(n as u64)?;
    row.put(&*attempt.provider)?;
    row.put(&*attempt.model)?;
    row.put(attempt.outcome.as_str())?;
    row.put(timeout_phase(attempt.outcome))?;
    row.put(attempt.outcome.retry_after().map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))?;
    row.put(attempt.status)?;
    row.count(attempt.started_us)?;
    row.put(attempt.first_byte_us.map(clamp))?;
    row.count(attempt.duration_us)?;
    row.usage(&attempt.usage)?;
    row.cost(attempt.cost.as_ref())?;
    row.put(attempt.detail.as_deref())?;
    row.put(attempt.joint.map(|joint| joint.how.as_str()))?;
    row.put(attempt.joint.map(|joint| clamp(joint.at_chars)))?;
    row.put(attempt.joint.map(|joint| clamp(joint.dropped_chars)))
}

/// Binds the parameters of one row from left to right.
struct Binder<'s, 'c> {
    statement: &'s mut Statement<'c>,
    bound: usize,
}

impl Binder<'_, '_> {
    fn put(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)
    }

    fn count(&mut self, value: u64) -> rusqlite::Result<()> {
        self.put(clamp(value))
    }

    fn usage(&mut self, usage: &Usage) -> rusqlite::Result<()> {
        let Usage {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
            input_audio,
            output_audio,
            source,
            detail: _,
        } = *usage;
        for tokens in [input, cached_input, cache_write, output, reasoning, input_audio, output_audio] {
            self.count(tokens)?;
        }
        self.put(source.as_str())
    }

    fn cost(&mut self, cost: Option<&Cost>) -> rusqlite::Result<()> {
        let parts = cost.map_or([None; 6], |cost| {
            let Cost { input, cached_input, cache_write, output, reasoning, other } = *cost;
            // The file adds the parts up and refuses a sum beyond 64 bits: absurd parts share what there is.
            let mut room = i64::MAX;
            [input, cached_input, cache_write, output, reasoning, other].map(|part| {
                let part = part.nanos().min(room);
                room -= part.max(0);
                Some(part)
            })
        });
        parts.into_iter().try_for_each(|part| self.put(part))
    }
}

/// SQLite's integers are signed; no honest count comes near the limit.
fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn timeout_phase(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Timeout(phase) => Some(phase.as_str()),
        _ => None,
    }
}
