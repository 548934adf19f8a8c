//! Accounts of an attempt that runs beside another one: they end up in the same row, whichever of the two is shown,
//! and also where nobody waits for either.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use pointsman_core::AttemptRecord;

use super::Settlement;

/// Attempts that have ended, with their numbers in the request.
#[derive(Debug, Default)]
pub(super) struct Beside(Mutex<Vec<(u32, AttemptRecord)>>);

impl Beside {
    pub(super) fn push(&self, number: u32, attempt: AttemptRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((number, attempt));
    }
}

impl Settlement {
    /// Accounts for one attempt beside the next one of these. What they come to is kept here, also if they are
    /// only dropped.
    pub(crate) fn fork(&mut self) -> Self {
        let beside: &Arc<Beside> = self.beside.get_or_insert_default();
        let mut record = self.record.clone();
        if let Some(record) = &mut record {
            record.attempts.clear();
        }
        Self {
            gateway: self.gateway.clone(),
            record,
            permit: None,
            open: None,
            meter: self.meter,
            lease: None,
            sticky: self.sticky,
            // The next number is that of the attempt it runs beside.
            begun: self.begun + 1,
            beside: Some(beside.clone()),
            forked: true,
            tried_enough: false,
        }
    }

    /// What ran beside has ended, or is given up.
    pub(crate) fn absorb(&mut self) {
        let Some(beside) = &self.beside else { return };
        let ended = mem::take(&mut *beside.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (number, attempt) in ended {
            self.begun = self.begun.max(number + 1);
            self.enter(number, attempt);
        }
    }

    /// The answer of what ran beside is the one that is shown: its attempt goes on in these accounts.
    pub(crate) fn adopt(&mut self, mut other: Self) {
        self.absorb();
        self.begun = self.begun.max(other.begun);
        self.open = other.open.take();
        if let Some(theirs) = &mut other.record {
            let (usage, dropped) = (theirs.usage, theirs.dropped.take());
            self.update(|record| {
                record.usage = usage;
                record.dropped = dropped;
            });
        }
    }
}
