//! Requests that wait for a free place at a deployment: bounded, by priority, each with its deadline.
//!
//! Not a channel: whoever owns it decides when the first in line may go. What waits is dropped, or shed, by
//! handing it back.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::settings::Priority;

/// A place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Reverse<Priority>, u64);

/// What joining a line led to.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined<T> {
    /// Where the newcomer stands.
    pub place: Place,
    /// Who had to leave for it: the last of a lower priority.
    pub displaced: Option<T>,
}

/// A line. Times are since any fixed moment.
#[derive(Debug)]
pub struct WaitLine<T> {
    capacity: usize,
    joined: u64,
    waiting: BTreeMap<Place, (Duration, T)>,
}

impl<T> WaitLine<T> {
    /// A line for so many.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, joined: 0, waiting: BTreeMap::new() }
    }

    /// Another length, from the next newcomer on. Nobody leaves for it.
    pub const fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Stands `item` behind all of its priority and above. In a full line it takes the place of the last one
    /// of a lower priority.
    ///
    /// # Errors
    /// The line is full of such as are not below it: `item` comes back.
    pub fn push(&mut self, priority: Priority, deadline: Duration, item: T) -> Result<Joined<T>, T> {
        let displaced = if self.waiting.len() < self.capacity {
            None
        } else {
            match self.waiting.last_entry() {
                Some(last) if last.key().0.0 < priority => Some(last.remove().1),
                _ => return Err(item),
            }
        };
        self.joined += 1;
        let place = Place(Reverse(priority), self.joined);
        self.waiting.insert(place, (deadline, item));
        Ok(Joined { place, displaced })
    }

    /// The first in line whose deadline is not over.
    #[must_use]
    pub fn first(&self, now: Duration) -> Option<&T> {
        self.waiting.values().find(|(deadline, _)| *deadline > now).map(|(_, item)| item)
    }

    /// Lets the first in line go whose deadline is not over.
    pub fn pop(&mut self, now: Duration) -> Option<T> {
        let place = *self.waiting.iter().find(|(_, (deadline, _))| *deadline > now)?.0;
        self.remove(place)
    }

    /// Lets go whoever stands there: it left, or its time is over.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        self.waiting.remove(&place).map(|(_, item)| item)
    }

    /// Lets all go whose deadline is over, to be shed.
    pub fn expire(&mut self, now: Duration) -> Vec<T> {
        let over: Vec<Place> = self
            .waiting
            .iter()
            .filter(|(_, (deadline, _))| *deadline <= now)
            .map(|(place, _)| *place)
            .collect();
        over.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// How many wait, those whose time is over included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LATER: Duration = Duration::from_secs(100);

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_came_first_goes_first_and_priority_comes_before() {
        let mut line = WaitLine::new(10);
        for (item, priority) in
            [("a", Priority::Normal), ("b", Priority::Low), ("c", Priority::Normal), ("d", Priority::High)]
        {
            assert_eq!(line.push(priority, LATER, item).unwrap().displaced, None);
        }
        assert_eq!((line.first(secs(0)), line.len()), (Some(&"d"), 4));
        let order: Vec<_> = std::iter::from_fn(|| line.pop(secs(0))).collect();
        assert_eq!(order, ["d", "a", "c", "b"]);
        assert!(line.is_empty() && line.first(secs(0)).is_none());
    }

    #[test]
    fn a_full_line_gives_up_its_last_of_a_lower_priority() {
        let mut line = WaitLine::new(2);
        line.push(Priority::Low, LATER, 1).unwrap();
        line.push(Priority::Low, LATER, 2).unwrap();
        assert_eq!(line.push(Priority::Low, LATER, 3), Err(3), "no better than who waits");
        assert_eq!(line.push(Priority::High, LATER, 4).unwrap().displaced, Some(2));
        assert_eq!(line.push(Priority::Normal, LATER, 5).unwrap().displaced, Some(1));
        assert_eq!(line.push(Priority::Normal, LATER, 6), Err(6));
        assert_eq!(WaitLine::new(0).push(Priority::High, LATER, 7), Err(7));
        line.resize(3);
        assert!(line.push(Priority::Low, LATER, 8).is_ok());
        line.resize(1);
        assert_eq!(line.push(Priority::Normal, LATER, 9).unwrap().displaced, Some(8));
        assert_eq!(line.len(), 3, "nobody else leaves for a shorter line");
    }

    #[test]
    fn whose_time_is_over_does_not_go_but_leaves() {
        let mut line = WaitLine::new(10);
        line.push(Priority::High, secs(5), "late").unwrap();
        let place = line.push(Priority::Normal, secs(9), "left").unwrap().place;
        line.push(Priority::Low, secs(9), "last").unwrap();
        assert_eq!(line.remove(place), Some("left"));
        assert_eq!((line.remove(place), line.first(secs(5))), (None, Some(&"last")));
        assert_eq!(line.pop(secs(5)), Some("last"));
        assert_eq!((line.pop(secs(5)), line.len()), (None, 1));
        assert_eq!((line.expire(secs(4)), line.expire(secs(5))), (vec![], vec!["late"]));
        assert!(line.is_empty());
    }

    proptest! {
        /// Nobody is lost, nobody comes out twice, and the line is never longer than it may be.
        #[test]
        fn all_come_out_once(
            steps in proptest::collection::vec((0_u8..5, 0_u8..3, 0_u64..20), 0..200),
        ) {
            let mut line = WaitLine::new(7);
            let (mut now, mut came, mut out) = (secs(0), 0_u32, Vec::new());
            for (step, priority, time) in steps {
                let priority = [Priority::Low, Priority::Normal, Priority::High][usize::from(priority)];
                match step {
                    0 => now += secs(time),
                    1 => out.extend(line.pop(now)),
                    2 => out.extend(line.expire(now)),
                    _ => {
                        came += 1;
                        match line.push(priority, now + secs(time), came) {
                            Ok(joined) => out.extend(joined.displaced),
                            Err(item) => out.push(item),
                        }
                    }
                }
                prop_assert!(line.len() <= 7);
            }
            out.extend(line.expire(Duration::MAX));
            out.sort_unstable();
            prop_assert_eq!(out, (1..=came).collect::<Vec<_>>());
        }
    }
}
