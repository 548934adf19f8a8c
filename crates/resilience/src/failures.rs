//! Wrong keys by the address they come from: a token bucket for each address, in a bounded table.
//!
//! Only failures come here. A caller with a right key never meets the table, so that one guesser behind a
//! shared address (NAT, a reverse proxy) shuts nobody else out, and the request path pays nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Addresses that are remembered at one time: at most about a mebibyte.
const MAX_ADDRESSES: usize = 16 * 1024;
/// A full table is searched for what can be forgotten no more often than this.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The part of an IPv6 address that a network hands to one customer (RFC 6177).
const IPV6_PREFIX: u128 = !(u64::MAX as u128);

/// How many failures an address may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePolicy {
    /// Failures that are answered as such within `window`; 0 sets no limit.
    pub max: u32,
    /// The time in which a used-up bucket is full again.
    pub window: Duration,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureVerdict {
    /// It is one of those allowed.
    Counted,
    /// There were too many.
    Limited {
        /// When the next one is answered again.
        retry_after: Duration,
        /// Whether this is worth a line in the log: true once a window for each address.
        first: bool,
    },
}

/// The failures of all addresses.
#[derive(Debug)]
pub struct FailureTable {
    state: Mutex<State>,
    max_addresses: usize,
}

#[derive(Debug, Default)]
struct State {
    buckets: HashMap<u128, Bucket>,
    /// Shared by all addresses that find no room in the table.
    overflow: Bucket,
    next_sweep: Duration,
}

/// A token bucket as one instant: the time at which it is full again (GCRA, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Duration,
    told_until: Duration,
}

impl Default for FailureTable {
    fn default() -> Self {
        Self::with_capacity(MAX_ADDRESSES)
    }
}

impl FailureTable {
    /// A table for so many addresses; further ones share a bucket.
    #[must_use]
    pub fn with_capacity(max_addresses: usize) -> Self {
        Self { state: Mutex::default(), max_addresses }
    }

    /// Counts a failure of `address` at `now`, the time since any fixed moment.
    pub fn failed(&self, policy: FailurePolicy, address: IpAddr, now: Duration) -> FailureVerdict {
        if policy.max == 0 {
            return FailureVerdict::Counted;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bucket(network(address), self.max_addresses, now).take(policy, now)
    }

    /// Addresses that are remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).buckets.len()
    }

    /// Whether no address is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn bucket(&mut self, network: u128, max: usize, now: Duration) -> &mut Bucket {
        if self.buckets.len() >= max && !self.buckets.contains_key(&network) {
            if now >= self.next_sweep {
                self.buckets.retain(|_, bucket| bucket.full_at > now);
                self.buckets.shrink_to(max / 4);
                self.next_sweep = now + SWEEP_EVERY;
            }
            if self.buckets.len() >= max {
                return &mut self.overflow;
            }
        }
        self.buckets.entry(network).or_default()
    }
}

impl Bucket {
    fn take(&mut self, policy: FailurePolicy, now: Duration) -> FailureVerdict {
        let each = policy.window / policy.max;
        let full_at = self.full_at.max(now) + each;
        let over = full_at.saturating_sub(now + each * policy.max);
        if over.is_zero() {
            self.full_at = full_at;
            return FailureVerdict::Counted;
        }
        let first = self.told_until <= now;
        if first {
            self.told_until = now + policy.window;
        }
        FailureVerdict::Limited { retry_after: over, first }
    }
}

/// One IPv4 address, or one /64 of IPv6.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & IPV6_PREFIX,
    }
}

#[cfg(test)]
mod tests;
