//! Counts over a sliding window, in atomics: no lock, fixed memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Parts of a window. A count may be up to one part too old when it is dropped.
const SLOTS: u64 = 10;

/// Events of the last window. Each slot holds the number of its part of time above, its count below.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    slots: [AtomicU64; SLOTS as usize],
}

impl Tally {
    /// Counts one event at `now`.
    pub(crate) fn add(&self, window: Duration, now: Duration) {
        let part = part(window, now);
        let slot = &self.slots[(part % SLOTS) as usize];
        // What a slot held before its present part is forgotten; an event that comes late is not.
        let count = |held: u64| match (held >> 32).cmp(&part) {
            std::cmp::Ordering::Less => Some((part << 32) | 1),
            _ if held as u32 == u32::MAX => None,
            _ => Some(held + 1),
        };
        // `None` is a full count, which stays full.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    /// Events of the window that ends at `now`.
    pub(crate) fn sum(&self, window: Duration, now: Duration) -> u64 {
        let part = part(window, now);
        let held = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        held.filter(|held| (held >> 32) + SLOTS > part).map(|held| held & u64::from(u32::MAX)).sum()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for slot in &self.slots {
            slot.store(0, Ordering::Relaxed);
        }
    }
}

/// The number of the part of time that `now` lies in. It begins above zero, so that an empty slot is old.
fn part(window: Duration, now: Duration) -> u64 {
    let step = (window.as_nanos() / u128::from(SLOTS)).max(1);
    u64::try_from(now.as_nanos() / step).unwrap_or(u64::MAX).saturating_add(SLOTS) & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn events_fall_out_of_the_window() {
        let tally = Tally::default();
        let sum = |ms| tally.sum(WINDOW, Duration::from_millis(ms));
        assert_eq!(sum(0), 0);
        tally.add(WINDOW, Duration::from_millis(500));
        tally.add(WINDOW, Duration::from_millis(1_500));
        assert_eq!((sum(1_500), sum(9_999), sum(10_000), sum(11_000)), (2, 2, 1, 0));
        tally.add(WINDOW, Duration::from_secs(1_000));
        assert_eq!(sum(1_000_000), 1);
        tally.clear();
        assert_eq!(sum(1_000_000), 0);
    }

    #[test]
    fn no_event_is_lost_between_threads() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|n| tally.add(WINDOW, Duration::from_micros(n * 400))));
            }
        });
        assert_eq!(tally.sum(WINDOW, Duration::from_secs(4)), 40_000);
    }

    proptest! {
        /// Against a list of all events: never fewer than those of nine tenths of the window, never more than
        /// those of the whole.
        #[test]
        fn counts_are_within_a_part(
            mut at in proptest::collection::vec(0_u64..60_000, 0..200),
            rest in 0_u64..20_000,
        ) {
            at.sort_unstable();
            let tally = Tally::default();
            for ms in &at {
                tally.add(WINDOW, Duration::from_millis(*ms));
            }
            let now = at.last().copied().unwrap_or_default() + rest;
            let younger = |than: u64| at.iter().filter(|ms| now - **ms < than).count() as u64;
            let sum = tally.sum(WINDOW, Duration::from_millis(now));
            prop_assert!(younger(9_000) <= sum && sum <= younger(10_000), "{sum}");
        }
    }
}
