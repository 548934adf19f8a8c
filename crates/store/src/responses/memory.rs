//! Answers that are forgotten with the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pointsman_core::responses::{Chain, KeptResponse, ResponseLimits, ResponseStore};
use pointsman_core::store::StoreError;

use super::{fits, follow, oldest};

/// Answers in memory, each with when it was used and the number of that use.
#[derive(Debug)]
pub struct MemoryResponses {
    limits: ResponseLimits,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    kept: HashMap<(String, String), Row>,
    uses: u64,
}

#[derive(Debug)]
struct Row {
    response: KeptResponse,
    used: u64,
    use_number: u64,
}

impl MemoryResponses {
    /// An empty store.
    #[must_use]
    pub fn new(limits: ResponseLimits) -> Self {
        Self { limits, rows: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, response: &KeptResponse, now: u64) -> bool {
        let mut rows = self.lock();
        rows.kept.remove(&name(&response.owner, &response.id));
        if !fits(&self.limits, response) {
            return false;
        }
        let use_number = rows.number();
        let row = Row { response: response.clone(), used: now, use_number };
        rows.kept.insert(name(&response.owner, &response.id), row);
        let oldest = oldest(&self.limits, now);
        rows.kept.retain(|_, row| row.used >= oldest);
        while !rows.within(&self.limits) {
            let first = rows.kept.iter().min_by_key(|(_, row)| (row.used, row.use_number));
            let Some(first) = first.map(|(name, _)| name.clone()) else { break };
            rows.kept.remove(&first);
        }
        true
    }
}

fn name(owner: &str, id: &str) -> (String, String) {
    (owner.to_owned(), id.to_owned())
}

impl Rows {
    fn within(&self, limits: &ResponseLimits) -> bool {
        let bytes: u64 = self.kept.values().map(|row| row.response.size()).sum();
        self.kept.len() as u64 <= limits.count && bytes <= limits.bytes
    }

    fn number(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

impl ResponseStore for MemoryResponses {
    fn keep_all(&self, responses: &[KeptResponse], now: u64) -> Result<Vec<bool>, StoreError> {
        Ok(responses.iter().map(|response| self.put(response, now)).collect())
    }

    fn get(&self, owner: &str, id: &str, now: u64) -> Result<Option<KeptResponse>, StoreError> {
        let rows = self.lock();
        let found = rows.kept.get(&name(owner, id)).filter(|row| row.used >= oldest(&self.limits, now));
        Ok(found.map(|row| row.response.clone()))
    }

    fn chain(&self, owner: &str, id: &str, now: u64, max_bytes: u64) -> Result<Chain, StoreError> {
        let chain = follow(id, max_bytes, |id| self.get(owner, id, now))?;
        if let Chain::Whole(chain) = &chain {
            let mut rows = self.lock();
            for response in chain {
                let use_number = rows.number();
                if let Some(row) = rows.kept.get_mut(&name(owner, &response.id)) {
                    (row.used, row.use_number) = (now, use_number);
                }
            }
        }
        Ok(chain)
    }

    fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.lock().kept.remove(&name(owner, id)).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::conformance;

    #[test]
    fn it_does_what_every_store_does() {
        assert_eq!(conformance::run(|limits| Ok(MemoryResponses::new(limits))).unwrap(), conformance::CASES);
    }
}
