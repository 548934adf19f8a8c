//! The request record: the one row from which logs, cost, metrics and learning are fed.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::error::ErrorCode;
use crate::ids::RequestId;
use crate::model::Operation;
use crate::money::Cost;
use crate::outcome::Outcome;
use crate::principal::Principal;
use crate::usage::Usage;

/// W3C trace context, as received or drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes; never zero.
    pub trace_id: u128,
    /// The caller's span, where it sent one.
    pub parent_id: Option<u64>,
    /// The sampled bit and its kin.
    pub flags: u8,
}

/// One upstream call.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The provider's configured name.
    pub provider: Arc<str>,
    /// The upstream model id.
    pub model: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// The upstream's HTTP status, if a head arrived.
    pub status: Option<u16>,
    /// Start, in microseconds after the request's start.
    pub started_us: u64,
    /// From the start of the attempt to the response head.
    pub first_byte_us: Option<u64>,
    /// From the start of the attempt to its end.
    pub duration_us: u64,
    /// Tokens of this attempt.
    pub usage: Usage,
    /// `None`: no price is known.
    pub cost: Option<Cost>,
    /// A short internal reason, for the log: never shown to callers.
    pub detail: Option<Box<str>>,
    /// Where it goes on with the answer of an attempt that broke off.
    pub joint: Option<Joint>,
}

/// Where an attempt goes on with an answer that others began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joint {
    /// Characters of text that the client had.
    pub at_chars: u64,
    /// Characters of this attempt's text that said again what the client had, and were left out.
    pub dropped_chars: u64,
    /// How it was asked for.
    pub how: Joined,
}

/// How the rest of an answer was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The model went on by itself from the text, as the beginning of its own answer.
    Prefill,
    /// The model was told to go on.
    Instructed,
    /// The model answered from the beginning: no text had been shown.
    Anew,
}

impl Joined {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Prefill, Self::Instructed, Self::Anew];

    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Instructed => "instructed",
            Self::Anew => "anew",
        }
    }
}

/// Request and answer bodies, kept only where a route asks for it.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// As the client sent it.
    pub request: Bytes,
    /// As the client received it.
    pub response: Bytes,
}

/// One client request, complete.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// Also the time-ordered key of the row.
    pub id: RequestId,
    /// Microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// Who called: organisation, project, team, user, key.
    pub principal: Arc<Principal>,
    /// The caller's agent, from `x-pointsman-agent`.
    pub agent: Option<Box<str>>,
    /// The caller's session, from `x-pointsman-session`.
    pub session: Option<Box<str>>,
    /// Trace and parent.
    pub trace: TraceContext,
    /// From `x-pointsman-tags`: `key=value` pairs, comma separated, as sent.
    pub tags: Option<Box<str>>,
    /// What was asked for.
    pub operation: Operation,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The model as the client named it.
    pub requested_model: Arc<str>,
    /// The route that it resolved to, if any.
    pub route: Option<Arc<str>>,
    /// Every upstream call, in order.
    pub attempts: SmallVec<[AttemptRecord; 1]>,
    /// Tokens of the answer that the client was given.
    pub usage: Usage,
    /// The sum over all attempts; `None` where any billable part has no known price.
    pub cost: Option<Cost>,
    /// The version of the price list.
    pub price_version: u32,
    /// The generation of the configuration that decided.
    pub config_generation: u64,
    /// The HTTP status that the client saw; 0 if it left before one was sent.
    pub status: u16,
    /// How the request ended.
    pub outcome: Outcome,
    /// The error that the client was told.
    pub error: Option<ErrorCode>,
    /// From accepting the request to the end of the answer.
    pub duration_us: u64,
    /// From accepting the request to the first token (streams) or the answer (plain).
    pub first_token_us: Option<u64>,
    /// Wall time inside Pointsman not spent waiting for client or upstream.
    pub overhead_us: u64,
    /// Bytes of the request body.
    pub request_bytes: u64,
    /// Bytes of the answer body.
    pub response_bytes: u64,
    /// The answer came from the built-in simulated provider.
    pub simulated: bool,
    /// What had no place in another dialect, comma separated: fields of the request in the client's words,
    /// then (`answer.` in front) fields of the provider's answer. `None`: everything was carried.
    pub dropped: Option<Box<str>>,
    /// Only where the route stores bodies.
    pub bodies: Option<Box<Bodies>>,
}

impl RequestRecord {
    /// The attempt whose answer the client got, or the last one.
    #[must_use]
    pub fn last_attempt(&self) -> Option<&AttemptRecord> {
        // Of two at one time, the later one may have been given up for the other.
        let kept = self.attempts.iter().rev().find(|attempt| attempt.outcome != Outcome::Cancelled);
        kept.or(self.attempts.last())
    }
}
