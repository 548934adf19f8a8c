//! The store in memory: for tests, and for running without a file. Same behaviour as SQLite, as
//! [`crate::conformance`] shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pointsman_core::store::{
    AttemptSample, CostBy, CostRow, RecordFilter, RecordReader, RecordSink, RecordSummary, StoreError,
};
use pointsman_core::{Money, Outcome, Principal, RequestId, RequestRecord, Usage, calendar};

use crate::query::{NO_KEY, NO_MODEL, NO_PROJECT, NO_TEAM, TOTAL, sort};

type Rows = BTreeMap<RequestId, Box<RequestRecord>>;

/// Records in memory, shared by its sinks and readers.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    rows: Arc<Mutex<Rows>>,
    max_rows: usize,
}

impl MemoryStore {
    /// A store that keeps the newest `max_rows` requests.
    #[must_use]
    pub fn new(max_rows: usize) -> Self {
        Self { rows: Arc::default(), max_rows }
    }

    /// A writing side.
    #[must_use]
    pub fn sink(&self) -> MemorySink {
        MemorySink(self.clone())
    }

    /// A reading side.
    #[must_use]
    pub fn reader(&self) -> MemoryReader {
        MemoryReader(self.clone())
    }

    /// The whole record of one request.
    #[must_use]
    pub fn get(&self, id: RequestId) -> Option<RequestRecord> {
        self.rows().get(&id).map(|record| RequestRecord::clone(record))
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`MemoryStore::sink`].
#[derive(Debug)]
pub struct MemorySink(MemoryStore);

impl RecordSink for MemorySink {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        let mut rows = self.0.rows();
        for record in batch {
            rows.entry(record.id).or_insert_with(|| record.clone());
        }
        while rows.len() > self.0.max_rows {
            rows.pop_first();
        }
        Ok(())
    }
}

/// See [`MemoryStore::reader`].
#[derive(Debug)]
pub struct MemoryReader(MemoryStore);

impl RecordReader for MemoryReader {
    fn list(&mut self, filter: &RecordFilter) -> Result<Vec<RecordSummary>, StoreError> {
        let rows = self.0.rows();
        let wanted = rows.values().rev().filter(|record| matches(filter, record));
        Ok(wanted.take(filter.limit as usize).map(|record| summary(record)).collect())
    }

    fn cost(
        &mut self,
        by: CostBy,
        since: Option<RequestId>,
        until: Option<RequestId>,
    ) -> Result<Vec<CostRow>, StoreError> {
        let mut groups: BTreeMap<String, CostRow> = BTreeMap::new();
        let since = since.unwrap_or(RequestId::from_i64(0));
        let until = until.unwrap_or(RequestId::from_i64(i64::MAX));
        let rows = self.0.rows();
        for record in rows.range(since..).map(|(_, record)| record).take_while(|record| record.id < until) {
            match by {
                CostBy::Total => add_request(&mut groups, TOTAL.to_owned(), record),
                CostBy::Key => {
                    let key = record.principal.key.as_deref().unwrap_or(NO_KEY);
                    add_request(&mut groups, key.to_owned(), record);
                }
                CostBy::Day => add_request(&mut groups, utc_day(record.started_unix_us), record),
                CostBy::Project => {
                    let project = record.principal.project.as_deref().unwrap_or(NO_PROJECT);
                    add_request(&mut groups, project.to_owned(), record);
                }
                CostBy::Team => {
                    let team = record.principal.team.as_deref().unwrap_or(NO_TEAM);
                    add_request(&mut groups, team.to_owned(), record);
                }
                CostBy::Model => add_attempts(&mut groups, record),
            }
        }
        let mut sums: Vec<CostRow> = groups.into_values().collect();
        sort(&mut sums, by);
        Ok(sums)
    }

    fn get(&mut self, id: RequestId) -> Result<Option<RequestRecord>, StoreError> {
        let Some(mut record) = self.0.get(id) else { return Ok(None) };
        // As a file would give it back.
        record.principal = Arc::new(Principal { models: None, ..Principal::clone(&record.principal) });
        Ok(Some(record))
    }

    fn attempts(&mut self, since: RequestId, limit: u32) -> Result<Vec<AttemptSample>, StoreError> {
        let rows = self.0.rows();
        let newest = rows.range(since..).rev().flat_map(|(id, record)| {
            record.attempts.iter().rev().map(|attempt| AttemptSample {
                request: *id,
                provider: attempt.provider.to_string(),
                model: attempt.model.to_string(),
                outcome: attempt.outcome.as_str().to_owned(),
                status: attempt.status,
                first_byte_us: attempt.first_byte_us,
                duration_us: attempt.duration_us,
            })
        });
        Ok(newest.take(limit as usize).collect())
    }
}

fn matches(filter: &RecordFilter, record: &RequestRecord) -> bool {
    let named = |model: &str| {
        *record.requested_model == *model
            || record.attempts.iter().any(|attempt| {
                *attempt.model == *model || format!("{}/{}", attempt.provider, attempt.model) == model
            })
    };
    filter.before.is_none_or(|before| record.id < before)
        && filter.since.is_none_or(|since| record.id >= since)
        && filter.model.as_deref().is_none_or(named)
        && filter.key.as_deref().is_none_or(|key| record.principal.key.as_deref() == Some(key))
        && filter.route.as_deref().is_none_or(|route| record.route.as_deref() == Some(route))
        && filter.status.is_none_or(|status| record.status == status)
        && filter.outcome.as_deref().is_none_or(|outcome| record.outcome.as_str() == outcome)
        && filter.min_cost.is_none_or(|least| record.cost.is_some_and(|cost| cost.total() >= least))
        && (!filter.failed || record.outcome != Outcome::Success)
}

fn summary(record: &RequestRecord) -> RecordSummary {
    let last = record.last_attempt();
    RecordSummary {
        id: record.id,
        started_unix_us: record.started_unix_us,
        requested_model: record.requested_model.to_string(),
        route: record.route.as_deref().map(str::to_owned),
        provider: last.map(|attempt| attempt.provider.to_string()),
        model: last.map(|attempt| attempt.model.to_string()),
        key: record.principal.key.as_deref().map(str::to_owned),
        status: record.status,
        outcome: record.outcome.as_str().to_owned(),
        attempts: u32::try_from(record.attempts.len()).unwrap_or(u32::MAX),
        input_tokens: record.usage.input,
        output_tokens: record.usage.output,
        usage_source: record.usage.source.as_str().to_owned(),
        cost: record.cost.map(|cost| cost.total()),
        estimated: estimated(record),
        duration_us: record.duration_us,
        first_token_us: record.first_token_us,
        overhead_us: record.overhead_us,
        simulated: record.simulated,
    }
}

fn estimated(record: &RequestRecord) -> bool {
    record.usage.source.is_estimate()
        || record.attempts.iter().any(|attempt| attempt.usage.source.is_estimate())
}

fn group(groups: &mut BTreeMap<String, CostRow>, name: String) -> &mut CostRow {
    groups.entry(name).or_insert_with_key(|name| CostRow {
        group: name.clone(),
        requests: 0,
        unpriced: 0,
        estimated: 0,
        input_tokens: 0,
        output_tokens: 0,
        cost: Money::ZERO,
    })
}

fn add_request(groups: &mut BTreeMap<String, CostRow>, name: String, record: &RequestRecord) {
    let sum = group(groups, name);
    sum.requests += 1;
    sum.unpriced += u64::from(record.cost.is_none() && !record.attempts.is_empty());
    sum.estimated += u64::from(estimated(record));
    add_tokens(sum, &record.usage);
    sum.cost += record.cost.map_or(Money::ZERO, |cost| cost.total());
}

/// To the largest number that a file can hold, and not beyond.
fn add_tokens(sum: &mut CostRow, usage: &Usage) {
    let add = |sum: u64, more: u64| sum.saturating_add(more).min(i64::MAX as u64);
    sum.input_tokens = add(sum.input_tokens, usage.input);
    sum.output_tokens = add(sum.output_tokens, usage.output);
}

fn add_attempts(groups: &mut BTreeMap<String, CostRow>, record: &RequestRecord) {
    for attempt in &record.attempts {
        let sum = group(groups, format!("{}/{}", attempt.provider, attempt.model));
        sum.estimated += u64::from(attempt.usage.source.is_estimate());
        add_tokens(sum, &attempt.usage);
        sum.cost += attempt.cost.map_or(Money::ZERO, |cost| cost.total());
    }
    let last = record.last_attempt();
    let name = last.map_or(NO_MODEL.to_owned(), |last| format!("{}/{}", last.provider, last.model));
    let sum = group(groups, name);
    sum.requests += 1;
    sum.unpriced += u64::from(last.is_some() && record.cost.is_none());
}

/// `2026-11-22`, as SQLite's `date` writes it.
fn utc_day(unix_us: i64) -> String {
    let (year, month, day) = calendar::date(unix_us.div_euclid(86_400_000_000));
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        let stores = crate::conformance::run(|| {
            let store = MemoryStore::new(10_000);
            (store.sink(), store.reader())
        });
        assert!(stores.unwrap() > 5);
    }

    #[test]
    fn keeps_only_the_newest() {
        let store = MemoryStore::new(2);
        let batch: Vec<_> = (1..=5).map(crate::conformance::record).map(Box::new).collect();
        store.sink().write(&batch).unwrap();
        assert!(store.get(batch[2].id).is_none());
        assert_eq!(store.get(batch[3].id).map(|kept| kept.id), Some(batch[3].id));
    }
}
