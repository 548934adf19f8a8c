//! In which order deployments are asked: the strategies.
//!
//! Every strategy orders all that there are, best first: whoever asks goes on to the next where one fails.
//! What cannot be called now comes last, and still comes, so that somebody is tried when nobody is well.

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};
use std::time::Duration;

use pointsman_core::Rng;
use smallvec::SmallVec;

use crate::endpoint::Endpoint;
use crate::settings::Strategy;

/// Positions, best first.
pub type Order = SmallVec<[usize; 8]>;

/// Another zone is asked where its best is cheaper by this factor: the way there costs time and money.
const ZONE_FACTOR: f64 = 2.0;
/// Who is slower than half of all by this factor is not drawn.
const OUTLIER_FACTOR: f64 = 3.0;
/// What is taken for the latency of all where nothing is known of any, in seconds.
const UNKNOWN_LATENCY: f64 = 1.0;

/// One of the deployments to choose among.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Its live state; `None`: it has none yet.
    pub endpoint: Option<&'a Endpoint>,
    /// Its share compared with others'; 0: only where nobody else is left.
    pub weight: u32,
    /// Lower ones first, for [`Strategy::Priority`].
    pub priority: u32,
    /// What it costs, in any unit, for [`Strategy::Cheapest`].
    pub price: u128,
    /// It is where this process is, or nobody said where.
    pub same_zone: bool,
    /// A name that stays the same, for [`Strategy::Rendezvous`].
    pub name: &'a str,
    /// It can be called now: see [`Endpoint::available`].
    pub available: bool,
}

/// All positions of `choices`, in the order in which to ask them. `turn` is the counter of a round robin; `hash`
/// is the caller's, for rendezvous hashing.
#[must_use]
pub fn order(
    strategy: Strategy,
    choices: &[Choice<'_>],
    turn: &AtomicU64,
    hash: u64,
    rng: &mut Rng,
    now: Duration,
) -> Order {
    let table = Table::new(choices, now);
    let mut order: Order = (0..choices.len()).collect();
    match strategy {
        Strategy::PeakEwma => table.peak_ewma(&mut order, rng),
        Strategy::LeastBusy => table.eased(&mut order, rng, |at| table.busy(at)),
        Strategy::LowestLatency => table.eased(&mut order, rng, |at| table.latency(at)),
        Strategy::Weighted => {
            let drawn = |choice: &Choice<'_>| -uniform(rng).ln() / weight(choice);
            let keys: SmallVec<[f64; 8]> = choices.iter().map(drawn).collect();
            order.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
        }
        Strategy::RoundRobin => table.rotate(&mut order, turn, |_| 0),
        Strategy::Priority => table.rotate(&mut order, turn, |choice| choice.priority),
        Strategy::Cheapest => {
            order.sort_by(|a, b| choices[*a].price.cmp(&choices[*b].price).then_with(|| table.costs(*a, *b)));
        }
        Strategy::Rendezvous => {
            let drawn = |choice: &Choice<'_>| {
                // Its own draw for each pair of caller and deployment (weighted rendezvous hashing).
                let mut rng = Rng::new(Rng::new(hash).next_u64() ^ name_hash(choice.name));
                -uniform(&mut rng).ln() / weight(choice)
            };
            let keys: SmallVec<[f64; 8]> = choices.iter().map(drawn).collect();
            order.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
        }
    }
    order.sort_by_key(|at| !choices[*at].available);
    order
}

/// What is known of the choices.
struct Table<'a> {
    choices: &'a [Choice<'a>],
    now: Duration,
    /// In seconds; of whom nothing is known, what the others take on average.
    latencies: SmallVec<[f64; 8]>,
}

impl<'a> Table<'a> {
    fn new(choices: &'a [Choice<'a>], now: Duration) -> Self {
        let known: SmallVec<[Option<f64>; 8]> =
            choices.iter().map(|choice| choice.endpoint?.latency(now)).collect();
        let (sum, count) =
            known.iter().flatten().fold((0.0, 0_u32), |(sum, count), latency| (sum + latency, count + 1));
        let mean = if count == 0 { UNKNOWN_LATENCY } else { sum / f64::from(count) };
        let latencies = known.iter().map(|latency| latency.unwrap_or(mean)).collect();
        Self { choices, now, latencies }
    }

    fn latency(&self, at: usize) -> f64 {
        self.latencies[at]
    }

    fn busy(&self, at: usize) -> f64 {
        let in_flight = self.choices[at].endpoint.map_or(0, Endpoint::in_flight);
        (f64::from(in_flight) + 1.0) / weight(&self.choices[at])
    }

    /// The wait that one more call adds, for its part of the load.
    fn cost(&self, at: usize) -> f64 {
        self.latency(at) * self.busy(at)
    }

    fn costs(&self, a: usize, b: usize) -> Ordering {
        self.cost(a).total_cmp(&self.cost(b))
    }

    /// Power of two choices: the better of two drawn ones comes first. One drawn at random follows load
    /// information that is a little old everywhere, where the best of all would draw everybody at once
    /// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996).
    fn peak_ewma(&self, order: &mut Order, rng: &mut Rng) {
        let warm = self.without_outliers(&self.warm(rng));
        let (near, far): (Order, Order) = warm.iter().copied().partition(|at| self.choices[*at].same_zone);
        let (near, far) = (self.better_of_two(&near, rng), self.better_of_two(&far, rng));
        let first = match (near, far) {
            (Some(near), Some(far)) if self.cost(far) * ZONE_FACTOR < self.cost(near) => Some(far),
            (near, far) => near.or(far),
        };
        let distance = |at: usize| if self.choices[at].same_zone { 1.0 } else { ZONE_FACTOR };
        let cost = |at: usize| self.cost(at) * distance(at);
        order.sort_by(|a, b| {
            let drawn = (Some(*b) == first).cmp(&(Some(*a) == first));
            drawn.then_with(|| cost(*a).total_cmp(&cost(*b)))
        });
    }

    fn better_of_two(&self, among: &[usize], rng: &mut Rng) -> Option<usize> {
        if among.len() < 2 {
            return among.first().copied();
        }
        let a = rng.below(among.len() as u64) as usize;
        let b = rng.below(among.len() as u64 - 1) as usize;
        let b = if b >= a { b + 1 } else { b };
        let (a, b) = (among[a], among[b]);
        Some(if self.costs(a, b).is_le() { a } else { b })
    }

    /// Orders by `key`, lowest first, equal ones at random; what is cold keeps behind most of the time.
    fn eased(&self, order: &mut Order, rng: &mut Rng, key: impl Fn(usize) -> f64) {
        let warm = self.warm(rng);
        let drawn: SmallVec<[u64; 8]> = order.iter().map(|_| rng.next_u64()).collect();
        order.sort_by(|a, b| {
            let warmer = warm.contains(b).cmp(&warm.contains(a));
            warmer.then_with(|| key(*a).total_cmp(&key(*b))).then_with(|| drawn[*a].cmp(&drawn[*b]))
        });
    }

    /// Those that take part in a draw: the available ones, one that is colder than others as often as its share
    /// says. All of them where none does.
    fn warm(&self, rng: &mut Rng) -> Order {
        let available: Order = (0..self.choices.len()).filter(|at| self.choices[*at].available).collect();
        let warmth = |at: usize| self.choices[at].endpoint.map_or(1.0, |endpoint| endpoint.warmth(self.now));
        // After a start all are cold, and nobody has to be spared for others.
        let warmest = available.iter().map(|at| warmth(*at)).fold(0.0, f64::max);
        let mut takes_part = |at: &usize| {
            let share = warmth(*at) / warmest;
            share >= 1.0 || uniform(rng) <= share
        };
        let warm: Order = available.iter().copied().filter(|at| takes_part(at)).collect();
        if warm.is_empty() { available } else { warm }
    }

    /// Those of `among` that are not much slower than half of them. Two slow ones would else be drawn against
    /// each other, and one of them win.
    fn without_outliers(&self, among: &Order) -> Order {
        let mut latencies: SmallVec<[f64; 8]> = among.iter().map(|at| self.latency(*at)).collect();
        latencies.sort_by(f64::total_cmp);
        let usual = latencies.get(latencies.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        among.iter().copied().filter(|at| self.latency(*at) <= usual * OUTLIER_FACTOR).collect()
    }

    /// By `tier`, and within one in turn, among those that can be called.
    fn rotate(&self, order: &mut Order, turn: &AtomicU64, tier: impl Fn(&Choice<'_>) -> u32) {
        let choices = self.choices;
        order.sort_by_key(|at| (!choices[*at].available, tier(&choices[*at])));
        let turn = turn.fetch_add(1, atomic::Ordering::Relaxed);
        let same = |a: &usize, b: &usize| {
            choices[*a].available == choices[*b].available && tier(&choices[*a]) == tier(&choices[*b])
        };
        for peers in order.chunk_by_mut(same) {
            peers.rotate_left((turn % peers.len() as u64) as usize);
        }
    }
}

/// A weight to divide by. Zero is not nothing, but less than any other.
fn weight(choice: &Choice<'_>) -> f64 {
    if choice.weight == 0 { 1e-9 } else { f64::from(choice.weight) }
}

/// Uniform in (0, 1].
fn uniform(rng: &mut Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// FNV-1a: the same in every process.
fn name_hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
