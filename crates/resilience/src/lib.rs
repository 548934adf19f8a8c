//! When to try again, and how long to wait first: pure rules, no clock.
//!
//! [`decide`] is asked after every failed attempt. It knows what went wrong, how often it was tried and
//! how much time is left, and answers with a [`Decision`]. Retries live here and nowhere else: no
//! client below retries by itself.
//!
//! What operators set is in `settings.rs`. [`FailureTable`] limits how often an address may be wrong about its key.

mod failures;
mod policy;
mod settings;

pub use failures::{FailurePolicy, FailureTable, FailureVerdict};
pub use policy::{Attempts, Decision, RetryPolicy, backoff, decide};
pub use settings::{
    AffinityBy, AffinityPolicy, BreakerPolicy, EndpointPolicy, FailureShare, HedgeAfter, HedgePolicy,
    Priority, ProbePolicy, RetryBudgetPolicy, Strategy,
};
