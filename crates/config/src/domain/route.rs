//! What a route says besides its graph.

use std::sync::Arc;
use std::time::Duration;

use pointsman_resilience::RetryPolicy;

use super::{PathRule, Timeouts};

/// What happens to the upstream call when the client hangs up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is cancelled: nobody waits for the answer.
    #[default]
    Cancel,
    /// It is read to its end, so that usage is reported exactly.
    Finish,
}

/// Limits that a route sets in place of its candidates' own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutOverrides {
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
    /// The limits of a candidate on this route.
    #[must_use]
    pub fn over(&self, base: &Timeouts) -> Timeouts {
        Timeouts {
            connect: base.connect,
            first_byte: self.first_byte.unwrap_or(base.first_byte),
            first_token: self.first_token.unwrap_or(base.first_token),
            between_chunks: self.between_chunks.unwrap_or(base.between_chunks),
            total: self.total.unwrap_or(base.total),
        }
    }
}

/// The options of a route, or of all names that are not routes.
#[derive(Clone, Debug)]
pub struct RouteOptions {
    /// The route; empty for the options of names that are not routes.
    pub name: Arc<str>,
    /// What happens to the upstream call when the client hangs up.
    pub on_disconnect: OnDisconnect,
    /// Whether request and answer bodies are kept in the record.
    pub store_bodies: bool,
    /// Limits.
    pub timeouts: TimeoutOverrides,
    /// How often and how fast to try again.
    pub retry: RetryPolicy,
    /// Paths that no handler serves and that go to the route's providers.
    pub pass_through: Box<[PathRule]>,
    /// Whether a field that the provider's dialect has no place for is an error instead of being left out.
    pub strict: bool,
    /// Whether media that clients name by address are fetched for providers that only take their bytes.
    pub fetch_media: bool,
}

impl Default for RouteOptions {
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            on_disconnect: OnDisconnect::default(),
            store_bodies: false,
            timeouts: TimeoutOverrides::default(),
            retry: RetryPolicy::default(),
            pass_through: Box::default(),
            strict: false,
            fetch_media: false,
        }
    }
}
