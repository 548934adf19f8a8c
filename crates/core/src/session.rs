//! Which deployment a session is served by: the table that balancing reads and writes.

use std::time::Duration;

/// Sessions and the deployments that they are kept on, bounded and forgetful: whoever asks must be able to go
/// on without an answer. Keys and deployments are hashes. Times are since any fixed moment.
pub trait SessionTable: Send + Sync {
    /// The deployment of a session, unless it has expired at `now`.
    fn get(&self, key: u64, now: Duration) -> Option<u64>;

    /// Keeps a session on a deployment for `ttl` from `now`.
    fn put(&self, key: u64, deployment: u64, ttl: Duration, now: Duration);

    /// Lets go of a session.
    fn forget(&self, key: u64);
}
