//! Who calls, and on whose account.

use std::collections::HashSet;
use std::sync::Arc;

/// The caller, as found from a key. Shared by all its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// The key's public id. `None` where no keys are configured: the local user.
    pub key: Option<Arc<str>>,
    /// The organisation that pays.
    pub organisation: Option<Arc<str>>,
    /// The project.
    pub project: Option<Arc<str>>,
    /// The team.
    pub team: Option<Arc<str>>,
    /// The user that the key belongs to.
    pub user: Option<Arc<str>>,
    /// The models, routes and aliases that may be named; `None` allows all.
    pub models: Option<Arc<HashSet<Arc<str>>>>,
}

impl Principal {
    /// Whether this caller may name `model` (compared as the client wrote it and as it resolved).
    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|allowed| allowed.contains(model))
    }
}

/// SHA-256 of a client key: all that is ever stored of it.
pub type KeyHash = [u8; 32];

/// Finds principals by the hash of their key.
pub trait KeyDirectory: Send + Sync {
    /// The principal of this key. Takes the same time for every wrong key.
    fn find(&self, hash: &KeyHash) -> Option<Arc<Principal>>;

    /// Whether there is no key at all, so that only local callers are served.
    fn is_empty(&self) -> bool;
}
