//! Stand-ins for core's traits: a sink that keeps what it is given, a key directory in memory.

use std::collections::HashMap;
use std::sync::Arc;

use pointsman_core::principal::KeyHash;
use pointsman_core::store::{RecordSink, StoreError};
use pointsman_core::{KeyDirectory, Principal, RequestRecord};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

/// Keeps every record. Clones share them: give one to the recorder, keep the other.
#[derive(Clone, Debug)]
pub struct CollectingSink {
    records: watch::Sender<Vec<RequestRecord>>,
    broken: watch::Sender<bool>,
}

impl Default for CollectingSink {
    fn default() -> Self {
        Self { records: watch::Sender::new(Vec::new()), broken: watch::Sender::new(false) }
    }
}

impl CollectingSink {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every write fails (or works again).
    pub fn set_broken(&self, broken: bool) {
        self.broken.send_replace(broken);
    }

    /// Everything so far, in the order in which requests ended.
    #[must_use]
    pub fn records(&self) -> Vec<RequestRecord> {
        self.records.borrow().clone()
    }

    /// Waits until there are at least `count` records. Bound it with a timeout where it may not come.
    pub async fn wait_for(&self, count: usize) -> Vec<RequestRecord> {
        let mut seen = self.records.subscribe();
        // The sender lives in `self`, so the wait cannot end with an error.
        match seen.wait_for(|records| records.len() >= count).await {
            Ok(records) => records.clone(),
            Err(_) => self.records(),
        }
    }
}

impl RecordSink for CollectingSink {
    fn name(&self) -> &'static str {
        "collecting"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        if *self.broken.borrow() {
            let source = std::io::Error::other("broken by the test").into();
            return Err(StoreError { context: "keep records".into(), source });
        }
        self.records.send_modify(|records| records.extend(batch.iter().map(|record| (**record).clone())));
        Ok(())
    }
}

/// Keys in a map.
#[derive(Clone, Debug, Default)]
pub struct FakeKeys {
    principals: HashMap<KeyHash, Arc<Principal>>,
}

impl FakeKeys {
    /// No keys: only local callers.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds the key `secret`, whose public id is `id`, allowed to name `models` (`None`: all).
    #[must_use]
    pub fn with(self, secret: &str, id: &str, models: Option<&[&str]>) -> Self {
        let models = models.map(|names| Arc::new(names.iter().map(|&name| name.into()).collect()));
        self.with_principal(secret, Principal { key: Some(id.into()), models, ..Principal::default() })
    }

    /// Adds the key `secret` of `principal`.
    #[must_use]
    pub fn with_principal(mut self, secret: &str, principal: Principal) -> Self {
        self.principals.insert(Sha256::digest(secret.as_bytes()).into(), Arc::new(principal));
        self
    }
}

impl KeyDirectory for FakeKeys {
    fn find(&self, hash: &KeyHash) -> Option<Arc<Principal>> {
        self.principals.get(hash).cloned()
    }

    fn is_empty(&self) -> bool {
        self.principals.is_empty()
    }
}

#[cfg(test)]
mod tests;
