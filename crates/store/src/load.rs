//! One whole record, read back from its rows: the other direction of `insert.rs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pointsman_core::record::{Bodies, Joined, Joint, TraceContext};
use pointsman_core::{
    AttemptRecord, Cost, ErrorCode, Money, Operation, Outcome, Principal, RequestId, RequestRecord, Usage,
    UsageSource,
};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::insert::{ATTEMPT_COLUMNS, REQUEST_COLUMNS};

const BODIES: &str = "SELECT request, response FROM bodies WHERE request_id = ?";

/// The record with this id, its attempts and, where they are kept, its bodies.
pub(crate) fn record(conn: &Connection, id: RequestId) -> rusqlite::Result<Option<RequestRecord>> {
    let key = [id.as_i64()];
    let sql = format!("SELECT {REQUEST_COLUMNS} FROM requests WHERE id = ?");
    let Some(mut record) = conn.prepare_cached(&sql)?.query_row(key, request).optional()? else {
        return Ok(None);
    };
    let sql = format!("SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE request_id = ? ORDER BY n");
    record.attempts = conn.prepare_cached(&sql)?.query_map(key, attempt)?.collect::<Result<_, _>>()?;
    let bodies = |row: &Row<'_>| {
        let (request, response): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        Ok(Box::new(Bodies { request: Bytes::from(request), response: Bytes::from(response) }))
    };
    record.bodies = conn.prepare_cached(BODIES)?.query_row(key, bodies).optional()?;
    Ok(Some(record))
}

fn request(row: &Row<'_>) -> rusqlite::Result<RequestRecord> {
    let mut row = Columns { row, next: 0 };
    let id = RequestId::from_i64(row.take()?);
    let started_unix_us = row.take()?;
    let principal = Principal {
        organisation: row.take::<Option<String>>()?.map(Into::into),
        project: row.take::<Option<String>>()?.map(Into::into),
        team: row.take::<Option<String>>()?.map(Into::into),
        user: row.take::<Option<String>>()?.map(Into::into),
        key: row.take::<Option<String>>()?.map(Into::into),
        models: None,
    };
    let (agent, session) = (row.text()?, row.text()?);
    let trace = TraceContext {
        trace_id: row.take::<Option<[u8; 16]>>()?.map_or(0, u128::from_be_bytes),
        parent_id: row.take::<Option<[u8; 8]>>()?.map(u64::from_be_bytes),
        flags: row.take()?,
    };
    let tags = row.text()?;
    let operation = row.word("operation", |word| Operation::ALL.into_iter().find(|o| o.as_str() == word))?;
    let streamed = row.take()?;
    let requested_model = row.take::<String>()?.into();
    let route = row.take::<Option<String>>()?.map(Into::into);
    // The number of attempts: they follow from their own table.
    let _attempts: i64 = row.take()?;
    let usage = row.usage()?;
    let cost = row.cost()?;
    let price_version = row.take()?;
    let config_generation = row.count()?;
    let status = row.take()?;
    let outcome = row.outcome(|_| Ok(None))?;
    let error = row.text()?.and_then(|code| ErrorCode::ALL.iter().copied().find(|c| *c.as_str() == *code));
    Ok(RequestRecord {
        id,
        started_unix_us,
        principal: Arc::new(principal),
        agent,
        session,
        trace,
        tags,
        operation,
        streamed,
        requested_model,
        route,
        attempts: [].into_iter().collect(),
        usage,
        cost,
        price_version,
        config_generation,
        status,
        outcome,
        error,
        duration_us: row.count()?,
        first_token_us: row.optional_count()?,
        overhead_us: row.count()?,
        request_bytes: row.count()?,
        response_bytes: row.count()?,
        simulated: row.take()?,
        dropped: row.text()?,
        bodies: None,
    })
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRecord> {
    // The request's id and the number among its attempts come first.
    let mut row = Columns { row, next: 2 };
    Ok(AttemptRecord {
        provider: row.take::<String>()?.into(),
        model: row.take::<String>()?.into(),
        outcome: row.outcome(|row| Ok(row.optional_count()?.map(Duration::from_millis)))?,
        status: row.take()?,
        started_us: row.count()?,
        first_byte_us: row.optional_count()?,
        duration_us: row.count()?,
        usage: row.usage()?,
        cost: row.cost()?,
        detail: row.text()?,
        joint: row.joint()?,
    })
}

/// Reads the columns of one row from left to right.
struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl Columns<'_, '_> {
    fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    fn text(&mut self) -> rusqlite::Result<Option<Box<str>>> {
        Ok(self.take::<Option<String>>()?.map(String::into_boxed_str))
    }

    fn count(&mut self) -> rusqlite::Result<u64> {
        Ok(self.take::<i64>()?.unsigned_abs())
    }

    fn optional_count(&mut self) -> rusqlite::Result<Option<u64>> {
        Ok(self.take::<Option<i64>>()?.map(i64::unsigned_abs))
    }

    fn word<T>(&mut self, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
        let word: String = self.take()?;
        parse(&word).ok_or_else(|| unknown_word(self.next - 1, what, &word))
    }

    /// `retry_after` reads the column that only attempts have.
    fn outcome(
        &mut self,
        retry_after: impl FnOnce(&mut Self) -> rusqlite::Result<Option<Duration>>,
    ) -> rusqlite::Result<Outcome> {
        let column = self.next;
        let word: String = self.take()?;
        let phase: Option<String> = self.take()?;
        let wait = retry_after(self)?;
        Outcome::from_words(&word, phase.as_deref(), wait)
            .ok_or_else(|| unknown_word(column, "outcome", &word))
    }

    fn joint(&mut self) -> rusqlite::Result<Option<Joint>> {
        let column = self.next;
        let word: Option<String> = self.take()?;
        let (at_chars, dropped_chars) = (self.optional_count()?, self.optional_count()?);
        let Some(word) = word else { return Ok(None) };
        let how = Joined::ALL.into_iter().find(|how| how.as_str() == word);
        let how = how.ok_or_else(|| unknown_word(column, "way of going on", &word))?;
        Ok(Some(Joint {
            at_chars: at_chars.unwrap_or_default(),
            dropped_chars: dropped_chars.unwrap_or_default(),
            how,
        }))
    }

    fn usage(&mut self) -> rusqlite::Result<Usage> {
        Ok(Usage {
            input: self.count()?,
            cached_input: self.count()?,
            cache_write: self.count()?,
            output: self.count()?,
            reasoning: self.count()?,
            input_audio: self.count()?,
            output_audio: self.count()?,
            source: self.word("usage source", |word| {
                UsageSource::ALL.into_iter().find(|source| source.as_str() == word)
            })?,
            ..Usage::default()
        })
    }

    fn cost(&mut self) -> rusqlite::Result<Option<Cost>> {
        let mut parts = [None; 6];
        for part in &mut parts {
            *part = self.take::<Option<i64>>()?.map(Money);
        }
        let [Some(input), Some(cached_input), Some(cache_write), Some(output), Some(reasoning), Some(other)] =
            parts
        else {
            return Ok(None);
        };
        Ok(Some(Cost { input, cached_input, cache_write, output, reasoning, other }))
    }
}

fn unknown_word(column: usize, what: &str, word: &str) -> rusqlite::Error {
    let reason = format!("`{word}` is no {what} that this version knows");
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason.into())
}
