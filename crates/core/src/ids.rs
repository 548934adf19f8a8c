//! Request ids: 63-bit, time-ordered integers that are also the primary key of the stored record.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2024-01-01T00:00:00Z in Unix milliseconds: ids count from here, which leaves 69 years.
const EPOCH_MS: u64 = 1_704_067_200_000;
const NODE_BITS: u32 = 8;
const SEQUENCE_BITS: u32 = 14;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PREFIX: &str = "req_";
const DIGITS: usize = 13;

/// One client request: 41 bits of milliseconds, 14 of sequence, 8 of process.
///
/// Shown as `req_` and 13 Crockford base-32 digits, which sort as the numbers do.
///
/// ```
/// use pointsman_core::{RequestId, RequestIds};
/// let ids = RequestIds::new(7);
/// let (first, second) = (ids.next(1_795_000_000_000), ids.next(1_795_000_000_000));
/// assert!(first < second && first.to_string() < second.to_string());
/// assert_eq!(first.to_string().parse::<RequestId>(), Ok(first));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(i64);

impl RequestId {
    /// The id with this integer, as a store returns it.
    #[must_use]
    pub const fn from_i64(raw: i64) -> Self {
        Self(raw & i64::MAX)
    }

    /// The integer form: never negative, ordered by time of creation.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// The smallest id that a request at `unix_ms` can have: the lower bound for scans by time.
    #[must_use]
    pub const fn first_at(unix_ms: u64) -> Self {
        let ms = unix_ms.saturating_sub(EPOCH_MS);
        Self(((ms << (NODE_BITS + SEQUENCE_BITS)) & (i64::MAX as u64)) as i64)
    }

    /// When the id was drawn, in Unix milliseconds.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        ((self.0 as u64) >> (NODE_BITS + SEQUENCE_BITS)) + EPOCH_MS
    }

    /// The span id of this request (`index` 0) or of its upstream calls (from 1), for W3C Trace Context:
    /// never 0, and the same for everyone who asks.
    #[must_use]
    pub const fn span(self, index: u32) -> u64 {
        // Another stream of the generator than the one of the request's draws.
        crate::Rng::new((!(self.0 as u64)).wrapping_add((index as u64) << 63 | (index as u64))).next_u64() | 1
    }

    /// The text form as bytes, without allocating: `req_` and 13 digits.
    #[must_use]
    pub fn to_ascii(self) -> [u8; PREFIX.len() + DIGITS] {
        let mut text = *b"req_0000000000000";
        let mut rest = self.0 as u64;
        for slot in text[PREFIX.len()..].iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        text
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not `req_` and 13 base-32 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id is `req_` and 13 characters of 0-9 and a-z without i, l, o and u")]
pub struct ParseRequestIdError;

impl FromStr for RequestId {
    type Err = ParseRequestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(PREFIX).unwrap_or(text);
        if digits.len() != DIGITS {
            return Err(ParseRequestIdError);
        }
        let mut value: u64 = 0;
        for byte in digits.bytes() {
            let lower = byte.to_ascii_lowercase();
            let digit = ALPHABET.iter().position(|&c| c == lower).ok_or(ParseRequestIdError)?;
            if value >> 59 != 0 {
                return Err(ParseRequestIdError);
            }
            value = (value << 5) | digit as u64;
        }
        i64::try_from(value).map(Self).map_err(|_| ParseRequestIdError)
    }
}

/// Draws ids that never repeat within a process and rarely meet those of another.
#[derive(Debug)]
pub struct RequestIds {
    node: u64,
    /// Milliseconds and sequence of the last id, as one number, so that one atomic orders both.
    last: AtomicU64,
}

impl RequestIds {
    /// A generator for the process numbered `node` (its low 8 bits are used).
    #[must_use]
    pub const fn new(node: u64) -> Self {
        Self { node: node & ((1 << NODE_BITS) - 1), last: AtomicU64::new(0) }
    }

    /// The next id at `unix_ms`. A clock that steps back, or a burst beyond 16,384 ids in one
    /// millisecond, borrows from the following milliseconds: ids still grow.
    pub fn next(&self, unix_ms: u64) -> RequestId {
        let floor = unix_ms.saturating_sub(EPOCH_MS) << SEQUENCE_BITS;
        let mut seen = self.last.load(Ordering::Relaxed);
        loop {
            let drawn = floor.max(seen + 1);
            match self.last.compare_exchange_weak(seen, drawn, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    let raw = (drawn << NODE_BITS) | self.node;
                    return RequestId((raw & (i64::MAX as u64)) as i64);
                }
                Err(now) => seen = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_sorts_like_the_number() {
        let ids = RequestIds::new(7);
        let mut last = RequestId::from_i64(0);
        for step in 0..50_000 {
            let id = ids.next(1_795_000_000_000 + step / 20_000);
            assert!(id > last);
            assert!(id.to_string() > last.to_string());
            assert_eq!(id.to_string().parse(), Ok(id));
            last = id;
        }
        assert_eq!(last.unix_ms() / 10, 179_500_000_000);
    }

    #[test]
    fn spans_of_requests_differ() {
        let ids = RequestIds::new(1);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let id = ids.next(1_795_000_000_000);
            assert!((0..5).all(|index| id.span(index) != 0 && seen.insert(id.span(index))));
        }
    }

    #[test]
    fn bounds_of_a_millisecond_enclose_its_ids() {
        let id = RequestIds::new(255).next(1_795_000_000_000);
        assert!(RequestId::first_at(1_795_000_000_000) <= id);
        assert!(RequestId::first_at(1_795_000_000_001) > id);
    }

    #[test]
    fn refuses_what_is_not_an_id() {
        for text in ["", "req_", "req_ilou000000000", "zzzzzzzzzzzzz", "req_00000000000000"] {
            assert_eq!(text.parse::<RequestId>(), Err(ParseRequestIdError), "{text}");
        }
    }
}
