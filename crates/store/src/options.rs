//! What a store is opened with.

use std::time::Duration;

/// Two weeks are what an operator looks back over; a busy server meets the byte limit first.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);

/// About 14 million plain requests.
const DEFAULT_MAX_BYTES: u64 = 4 << 30;

/// Enough for minutes of a locked file at a few hundred requests a second, at about 1 KiB each.
const DEFAULT_BACKLOG: usize = 10_000;

/// Where records end. The oldest go first, in small steps after each batch, so a limit that was
/// lowered is reached gradually.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most so many requests.
    pub max_rows: Option<u64>,
    /// Requests that began longer before the newest one are deleted.
    pub max_age: Option<Duration>,
    /// At most so many bytes of used pages in the database file.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Keeps everything.
    pub const UNLIMITED: Self = Self { max_rows: None, max_age: None, max_bytes: None };
}

impl Default for Retention {
    fn default() -> Self {
        Self { max_rows: None, max_age: Some(DEFAULT_MAX_AGE), max_bytes: Some(DEFAULT_MAX_BYTES) }
    }
}

/// Options of [`crate::SqliteSink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Which records are kept.
    pub retention: Retention,
    /// How long a write waits for another process's lock.
    pub busy_timeout: Duration,
    /// How many records are held in memory while the file cannot be written.
    pub backlog: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            busy_timeout: Duration::from_secs(1),
            backlog: DEFAULT_BACKLOG,
        }
    }
}
