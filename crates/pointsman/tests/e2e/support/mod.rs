//! What the end-to-end tests stand on: the parts, an engine, the gateway, a client, the record file.

pub(crate) mod engine;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod media;
pub(crate) mod parts;
pub(crate) mod records;

use std::time::Duration;

/// How long anything may take that has no limit of its own: long enough for a busy two-core machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at that cannot be waited for.
pub(crate) const POLL: Duration = Duration::from_millis(10);
