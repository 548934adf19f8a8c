//! Which deployment a session is kept on: a bounded, expiring table in this process's memory.
//!
//! Sessions are spread over small sets by their key; a full set lets go of the entry that expires first. So
//! memory is bounded, a look is a lock of one small set, and nothing has to be swept.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pointsman_core::{Rng, SessionTable};

/// Entries of one set.
const WAYS: usize = 8;

/// Sessions and their deployments. Sets are allocated as they are used.
#[derive(Debug)]
pub struct Affinity {
    sets: Box<[Mutex<Vec<Entry>>]>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    deployment: u64,
    expires: Duration,
}

impl Affinity {
    /// A table for about so many sessions, eight at least.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).max(1);
        Self { sets: std::iter::repeat_with(Mutex::default).take(sets).collect() }
    }

    /// Sessions that are held, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.iter().map(|set| set.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn set(&self, key: u64) -> MutexGuard<'_, Vec<Entry>> {
        // Keys may be hashes of a kind whose low bits are alike.
        let at = Rng::new(key).below(self.sets.len() as u64);
        self.sets[at as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionTable for Affinity {
    fn get(&self, key: u64, now: Duration) -> Option<u64> {
        let set = self.set(key);
        let entry = set.iter().find(|entry| entry.key == key)?;
        (entry.expires > now).then_some(entry.deployment)
    }

    fn put(&self, key: u64, deployment: u64, ttl: Duration, now: Duration) {
        let entry = Entry { key, deployment, expires: now.saturating_add(ttl) };
        let mut set = self.set(key);
        let present = set.iter().position(|entry| entry.key == key);
        let place = present.or_else(|| {
            let oldest = (0..set.len()).min_by_key(|at| set[*at].expires)?;
            (set.len() >= WAYS || set[oldest].expires <= now).then_some(oldest)
        });
        match place {
            Some(at) => set[at] = entry,
            None => set.push(entry),
        }
    }

    fn forget(&self, key: u64) {
        self.set(key).retain(|entry| entry.key != key);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_session_stays_until_it_expires_moves_or_is_let_go() {
        let table = Affinity::new(100);
        assert_eq!(table.get(1, secs(0)), None);
        table.put(1, 7, TTL, secs(0));
        table.put(2, 8, TTL, secs(0));
        assert_eq!((table.get(1, secs(59)), table.get(1, secs(60))), (Some(7), None));
        table.put(1, 9, TTL, secs(59));
        assert_eq!((table.get(1, secs(118)), table.get(2, secs(118))), (Some(9), None));
        table.forget(1);
        assert_eq!(table.get(1, secs(60)), None);
        table.put(3, 1, Duration::MAX, secs(5));
        assert_eq!(table.get(3, Duration::from_secs(u64::MAX / 2)), Some(1));
    }

    #[test]
    fn it_is_bounded_and_lets_go_of_the_oldest() {
        let table = Affinity::new(64);
        for key in 0..10_000 {
            table.put(key, key, TTL, Duration::from_millis(key));
        }
        assert!(!table.is_empty() && table.len() <= 64, "{}", table.len());
        let now = secs(10);
        assert_eq!(table.get(9_999, now), Some(9_999));
        let held: Vec<_> = (0..10_000).filter(|key| table.get(*key, now).is_some()).collect();
        assert!(held.iter().all(|key| *key > 9_000), "{held:?}");
        // A whole table of expired ones makes room without growing.
        table.put(1, 1, TTL, secs(1_000));
        assert!(table.len() <= 64);
        assert_eq!(Affinity::new(0).sets.len(), 1);
    }

    proptest! {
        /// Against a map that forgets nothing: what the table knows is what was put last, and has not expired.
        #[test]
        fn it_never_tells_what_is_not_so(
            steps in proptest::collection::vec((0_u64..40, 0_u64..5, 0_u64..30, 0_u8..4), 1..300),
        ) {
            let table = Affinity::new(24);
            let mut model: HashMap<u64, (u64, Duration)> = HashMap::new();
            let mut now = secs(0);
            for (key, deployment, pause, step) in steps {
                now += secs(pause);
                match step {
                    0 => {
                        table.forget(key);
                        model.remove(&key);
                    }
                    1 => {
                        if let Some(told) = table.get(key, now) {
                            let (put, expires) = model[&key];
                            prop_assert!(put == told && now < expires);
                        }
                    }
                    _ => {
                        table.put(key, deployment, TTL, now);
                        model.insert(key, (deployment, now + TTL));
                        prop_assert_eq!(table.get(key, now), Some(deployment));
                    }
                }
                prop_assert!(table.len() <= 24);
            }
        }
    }
}
