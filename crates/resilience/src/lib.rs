//! What keeps requests answered while providers fail: pure state machines, no clock, no sockets.
//!
//! An [`Endpoint`] is the live state of one deployment: breaker, keys, ceilings, speed. [`order`] says which of
//! several to ask first; [`Endpoint::admit`] gives a [`Ticket`] for a call or says why not; what came of the
//! call goes back with the ticket. After a failure [`decide`] says whether to try again, elsewhere or not at
//! all: retries live there and nowhere else.
//!
//! Times are given, as those since any fixed moment: the same for all calls.
//!
//! [`FailureTable`] limits how often an address may be wrong about its key.

mod affinity;
mod balance;
mod breaker;
mod bucket;
mod budget;
mod endpoint;
mod failures;
mod key;
mod latency;
mod moment;
mod policy;
mod settings;
#[cfg(test)]
mod simulation;
mod status;
mod tally;
mod wait_line;

pub use affinity::Affinity;
pub use balance::{Choice, Order, order};
pub use breaker::{BreakerState, BreakerView, Forced};
pub use budget::{HedgeShare, RetryBudget};
pub use endpoint::{Ask, CeilingView, Endpoint, EndpointView, KeyView, Refusal, Ticket};
pub use failures::{FailurePolicy, FailureTable, FailureVerdict};
pub use pointsman_core::{LimitsSeen, SessionTable, Window};
pub use policy::{Attempts, Decision, Failed, RetryPolicy, backoff, decide};
pub use settings::{
    AffinityBy, AffinityPolicy, BreakerPolicy, EndpointPolicy, FailureShare, HedgeAfter, HedgePolicy,
    Priority, ProbePolicy, RetryBudgetPolicy, Strategy,
};
pub use status::EndpointStatus;
pub use wait_line::{Joined, Place, WaitLine};
