//! What a route says besides its graph.

use std::sync::Arc;
use std::time::Duration;

use pointsman_resilience::{HedgePolicy, Priority, RetryBudgetPolicy, RetryPolicy};
use pointsman_routing::ChainId;

use super::{Deployment, PathRule, Slot, Timeouts};

/// What happens to the upstream call when the client hangs up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is cancelled: nobody waits for the answer.
    #[default]
    Cancel,
    /// It is read to its end, so that usage is reported exactly.
    Finish,
}

/// What a stream does whose provider fails after something of it was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnInterrupt {
    /// The next candidate goes on from there.
    #[default]
    Continue,
    /// The next candidate starts again, where nothing was shown that would have to be taken back.
    Restart,
    /// It ends with an error.
    Error,
}

/// When the pieces of a tool call are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ToolDeltas {
    /// When its arguments are complete and valid, where another candidate could begin it anew.
    #[default]
    Hold,
    /// At once.
    Live,
}

/// Candidates besides the route's own, for one cause each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// Where the request is too long for a model. Without: those of the route that take longer ones.
    pub context_too_long: Option<ChainId>,
    /// Where a provider's filter refuses. Without: none, and its reason goes to the caller.
    pub content_filter: Option<ChainId>,
    /// Where an account has nothing left. Without: those of the route.
    pub quota: Option<ChainId>,
}

impl Fallbacks {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.context_too_long.is_none() && self.content_filter.is_none() && self.quota.is_none()
    }
}

/// Limits that are set in place of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutOverrides {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// See [`Timeouts::first_byte`].
    pub first_byte: Option<Duration>,
    /// See [`Timeouts::first_token`].
    pub first_token: Option<Duration>,
    /// See [`Timeouts::between_chunks`].
    pub between_chunks: Option<Duration>,
    /// See [`Timeouts::total`].
    pub total: Option<Duration>,
}

impl TimeoutOverrides {
    /// These, and where there are none, those of `base`.
    #[must_use]
    pub fn or(&self, base: &Self) -> Self {
        Self {
            connect: self.connect.or(base.connect),
            first_byte: self.first_byte.or(base.first_byte),
            first_token: self.first_token.or(base.first_token),
            between_chunks: self.between_chunks.or(base.between_chunks),
            total: self.total.or(base.total),
        }
    }

    /// The limits that hold: these, and where there are none, those of `base`.
    #[must_use]
    pub fn over(&self, base: &Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.unwrap_or(base.connect),
            first_byte: self.first_byte.unwrap_or(base.first_byte),
            first_token: self.first_token.unwrap_or(base.first_token),
            between_chunks: self.between_chunks.unwrap_or(base.between_chunks),
            total: self.total.unwrap_or(base.total),
        }
    }
}

/// Limits that a route sets in place of its candidates' own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// Of most models.
    pub usual: TimeoutOverrides,
    /// Of models that reason; what the route says of all is in here as well.
    pub reasoning: TimeoutOverrides,
}

impl RouteTimeouts {
    /// The limits of a candidate on this route.
    #[must_use]
    pub fn of(&self, deployment: &Deployment) -> Timeouts {
        let class = if deployment.reasons { &self.reasoning } else { &self.usual };
        class.over(&deployment.timeouts)
    }
}

/// The options of a route, or of all names that are not routes. Clones share their state.
#[derive(Clone, Debug)]
pub struct RouteOptions {
    /// The route; empty for the options of names that are not routes.
    pub name: Arc<str>,
    /// What happens to the upstream call when the client hangs up.
    pub on_disconnect: OnDisconnect,
    /// Whether request and answer bodies are kept in the record.
    pub store_bodies: bool,
    /// Limits.
    pub timeouts: RouteTimeouts,
    /// How often and how fast to try again.
    pub retry: RetryPolicy,
    /// How many calls there may be beyond the first ones.
    pub retry_budget: RetryBudgetPolicy,
    /// When a second candidate is asked besides one that is late.
    pub hedge: Option<HedgePolicy>,
    /// Candidates for one cause each.
    pub fallbacks: Fallbacks,
    /// What a stream does whose provider fails.
    pub on_interrupt: OnInterrupt,
    /// When the pieces of a tool call are shown.
    pub tool_deltas: ToolDeltas,
    /// Whether requests that are the same to the byte, and at one time, share one answer.
    pub coalesce: bool,
    /// Who is served first where requests wait.
    pub priority: Priority,
    /// Paths that no handler serves and that go to the route's providers.
    pub pass_through: Box<[PathRule]>,
    /// Whether a field that the provider's dialect has no place for is an error instead of being left out.
    pub strict: bool,
    /// Whether media that clients name by address are fetched for providers that only take their bytes.
    pub fetch_media: bool,
    /// Live state, filled by the gateway; handed on to the next world by the route's name.
    pub state: Arc<Slot>,
}

impl Default for RouteOptions {
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            on_disconnect: OnDisconnect::default(),
            store_bodies: false,
            timeouts: RouteTimeouts::default(),
            retry: RetryPolicy::default(),
            retry_budget: RetryBudgetPolicy::default(),
            hedge: None,
            fallbacks: Fallbacks::default(),
            on_interrupt: OnInterrupt::default(),
            tool_deltas: ToolDeltas::default(),
            coalesce: false,
            priority: Priority::default(),
            pass_through: Box::default(),
            strict: false,
            fetch_media: false,
            state: Arc::default(),
        }
    }
}
