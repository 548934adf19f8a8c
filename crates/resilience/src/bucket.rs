//! Ceilings on what may be used in a time, as one instant each: the time at which a bucket is full again (GCRA,
//! ITU-T I.371). Lock-free.

use std::time::Duration;

use pointsman_core::Window;

use crate::moment::{Moment, nanos};

/// What declared ceilings speak of.
const MINUTE: u64 = 60_000_000_000;
/// When a limit is whole again whose answer did not say it.
const UNSAID_RESET: Duration = Duration::from_secs(10);
/// A provider's word on its limits is believed for so long; then a call may find out anew.
const BELIEVED: Duration = Duration::from_secs(3600);

/// A ceiling: so many units are there at most, and none to all of them come back in so many nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) capacity: u64,
    pub(crate) whole: u64,
}

impl Rate {
    /// `limit` in a minute, one at least.
    pub(crate) const fn per_minute(limit: u64) -> Self {
        Self { capacity: if limit == 0 { 1 } else { limit }, whole: MINUTE }
    }

    /// The time in which `units` come back.
    const fn time_of(self, units: u64) -> u64 {
        let capacity = if self.capacity == 0 { 1 } else { self.capacity };
        let time = units as u128 * self.whole as u128 / capacity as u128;
        if time > u64::MAX as u128 { u64::MAX } else { time as u64 }
    }
}

/// What is left under a ceiling that whoever asks knows.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: Moment,
}

impl Bucket {
    /// Takes `units`, or says from when on they will be there. More than the ceiling allows at all is there when
    /// nothing else is used.
    pub(crate) fn take(&self, rate: Rate, units: u64, now: u64) -> Result<(), u64> {
        let mut later = 0;
        let taken = self.full_at.update(|full_at| {
            later = self.wait(rate, units, full_at, now);
            (later <= now).then(|| full_at.max(now).saturating_add(rate.time_of(units)))
        });
        taken.map(|_| ()).ok_or(later)
    }

    /// From when on `units` can be taken; not after `now`: they can be now.
    pub(crate) fn when(&self, rate: Rate, units: u64, now: u64) -> u64 {
        self.wait(rate, units, self.full_at.get(), now)
    }

    /// Takes `units` whether they are there or not.
    pub(crate) fn charge(&self, rate: Rate, units: u64, now: u64) {
        self.full_at.update(|full_at| Some(full_at.max(now).saturating_add(rate.time_of(units))));
    }

    /// Puts `units` back.
    pub(crate) fn give(&self, rate: Rate, units: u64) {
        self.full_at.update(|full_at| Some(full_at.saturating_sub(rate.time_of(units))));
    }

    /// Units that are there.
    pub(crate) fn left(&self, rate: Rate, now: u64) -> u64 {
        let missing = self.full_at.get().saturating_sub(now);
        let used = u128::from(missing) * u128::from(rate.capacity) / u128::from(rate.whole.max(1));
        rate.capacity.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX))
    }

    fn wait(&self, rate: Rate, units: u64, full_at: u64, now: u64) -> u64 {
        let units = units.min(rate.capacity);
        full_at.max(now).saturating_add(rate.time_of(units)).saturating_sub(rate.whole)
    }
}

/// A ceiling that a provider told, and what is left under it.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    capacity: Moment,
    whole: Moment,
    /// Not known any more from then on; zero: never was.
    until: Moment,
    bucket: Bucket,
}

impl Learned {
    /// The ceiling, where one is known at `now`.
    ///
    /// Its parts are read one by one: between two of a provider's words they may be of both, and those are
    /// nearly the same.
    pub(crate) fn rate(&self, now: u64) -> Option<Rate> {
        (self.until.get() > now).then(|| Rate { capacity: self.capacity.get(), whole: self.whole.get() })
    }

    /// What is left under it.
    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// A provider's word at `now`. Of `since` units the provider knew nothing yet when it counted.
    pub(crate) fn learn(&self, window: &Window, since: u64, now: u64) {
        let Some(remaining) = window.remaining else { return };
        let reset = nanos(window.reset.unwrap_or(UNSAID_RESET));
        let (rate, missing, until) = match window.limit {
            Some(limit) if limit == 0 || limit < remaining => return,
            Some(limit) => {
                let used = limit - remaining;
                let known = self.rate(now).filter(|known| known.capacity == limit);
                // Nothing tells how soon it comes back where nothing is used, or it is back at once.
                let whole = match reset {
                    1.. if used > 0 => Rate { capacity: used, whole: reset }.time_of(limit),
                    _ => known.map_or(MINUTE, |known| known.whole),
                };
                let rate = Rate { capacity: limit, whole };
                (rate, rate.time_of(used), now.saturating_add(nanos(BELIEVED)))
            }
            // All that is known is how many more may be: nothing comes back until the reset.
            None => {
                let capacity = remaining.saturating_add(1);
                let rate = Rate { capacity, whole: Rate { capacity: 1, whole: reset }.time_of(capacity) };
                (rate, reset, now.saturating_add(reset.min(nanos(BELIEVED))))
            }
        };
        self.capacity.set(rate.capacity);
        self.whole.set(rate.whole);
        self.bucket.full_at.set(now.saturating_add(missing).saturating_add(rate.time_of(since)));
        self.until.set(until);
    }
}

#[cfg(test)]
mod tests;
