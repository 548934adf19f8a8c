//! What a provider says of its own rate limits: read from its answers, used before it has to refuse.

use std::time::Duration;

/// One limit, as an answer's headers told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// What is there when nothing was used.
    pub limit: Option<u64>,
    /// What is there now.
    pub remaining: Option<u64>,
    /// How long until `remaining` is `limit` again. Vendors of language models replenish all the time, so half
    /// of what is missing is there after half of it.
    pub reset: Option<Duration>,
}

/// All that an answer said of limits. The default says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsSeen {
    /// Of calls.
    pub requests: Option<Window>,
    /// Of tokens, in and out.
    pub tokens: Option<Window>,
    /// How long to stay away: of a refusal.
    pub retry_after: Option<Duration>,
}

impl LimitsSeen {
    /// Whether nothing was said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.retry_after.is_none()
    }
}
