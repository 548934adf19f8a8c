//! Every strategy: a permutation, best first, sick last, and the shares that it promises.

use std::sync::Arc;

use pointsman_core::{Outcome, Rng};
use proptest::prelude::*;

use super::*;
use crate::endpoint::{Ask, Ticket};
use crate::settings::{EndpointPolicy, Strategy};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy() -> Arc<EndpointPolicy> {
    Arc::new(EndpointPolicy { ease_in: Duration::ZERO, ..EndpointPolicy::default() })
}

fn ticket(endpoint: &Arc<Endpoint>, now: Duration) -> Ticket {
    endpoint.admit(&policy(), Ask::default(), now).unwrap()
}

/// An endpoint whose first token took so long, with so many calls under way.
fn endpoint(millis: u64, in_flight: usize) -> (Arc<Endpoint>, Vec<Ticket>) {
    let endpoint = Arc::new(Endpoint::new(1));
    let mut first = ticket(&endpoint, secs(10));
    first.first_token(secs(10) + Duration::from_millis(millis));
    first.end(Outcome::Success, 0, 0, secs(10) + Duration::from_millis(millis));
    let busy = (0..in_flight).map(|_| ticket(&endpoint, secs(20))).collect();
    (endpoint, busy)
}

fn choice<'a>(name: &'a str, endpoint: Option<&'a Endpoint>) -> Choice<'a> {
    Choice { endpoint, weight: 1, priority: 0, price: 0, same_zone: true, name, available: true }
}

fn choices(count: usize) -> Vec<Choice<'static>> {
    NAMES[..count].iter().map(|name| choice(name, None)).collect()
}

fn ask(strategy: Strategy, choices: &[Choice<'_>], seed: u64) -> Order {
    order(strategy, choices, &AtomicU64::new(seed), seed, &mut Rng::new(seed), secs(20))
}

/// How often each comes first in so many draws.
fn firsts(strategy: Strategy, choices: &[Choice<'_>], draws: u64) -> Vec<u64> {
    let (turn, mut rng) = (AtomicU64::new(0), Rng::new(7));
    let mut counts = vec![0; choices.len()];
    for draw in 0..draws {
        counts[order(strategy, choices, &turn, draw, &mut rng, secs(20))[0]] += 1;
    }
    counts
}

#[test]
fn shares_follow_weights() {
    let mut choices = choices(3);
    (choices[0].weight, choices[1].weight, choices[2].weight) = (6, 3, 1);
    for strategy in [Strategy::Weighted, Strategy::Rendezvous] {
        let counts = firsts(strategy, &choices, 10_000);
        for (count, expected) in counts.iter().zip([6_000_u64, 3_000, 1_000]) {
            assert!(count.abs_diff(expected) < 250, "{strategy:?}: {counts:?}");
        }
    }
    choices[2].weight = 0;
    assert_eq!(firsts(Strategy::Weighted, &choices, 10_000)[2], 0);
    choices.truncate(1);
    choices[0].weight = 0;
    assert_eq!(firsts(Strategy::Weighted, &choices, 10), [10], "nobody else is left");
}

#[test]
fn turns_are_taken_evenly_among_those_that_can_be_called() {
    let mut choices = choices(4);
    assert_eq!(firsts(Strategy::RoundRobin, &choices, 400), [100; 4]);
    choices[1].available = false;
    assert_eq!(firsts(Strategy::RoundRobin, &choices, 300), [100, 0, 100, 100]);
    assert_eq!(ask(Strategy::RoundRobin, &choices, 1)[..], [2, 3, 0, 1]);
}

#[test]
fn tiers_come_one_after_the_other() {
    let mut choices = choices(4);
    (choices[0].priority, choices[3].priority) = (2, 1);
    assert_eq!(firsts(Strategy::Priority, &choices, 100), [0, 50, 50, 0]);
    assert_eq!(ask(Strategy::Priority, &choices, 0)[..], [1, 2, 3, 0]);
    (choices[1].available, choices[2].available) = (false, false);
    assert_eq!(ask(Strategy::Priority, &choices, 0)[..], [3, 0, 1, 2]);
}

#[test]
fn the_cheapest_comes_first_and_of_equals_the_faster() {
    let (slow, fast) = (endpoint(900, 0).0, endpoint(100, 0).0);
    let mut choices = vec![choice("a", Some(&slow)), choice("b", Some(&fast)), choice("c", None)];
    choices[2].price = 5;
    assert_eq!(ask(Strategy::Cheapest, &choices, 1)[..], [1, 0, 2]);
    choices[0].price = 9;
    assert_eq!(ask(Strategy::Cheapest, &choices, 1)[..], [1, 2, 0]);
}

#[test]
fn load_and_latency_order_by_what_they_say() {
    let (a, _a) = endpoint(100, 9);
    let (b, _b) = endpoint(300, 1);
    let (c, _c) = endpoint(200, 3);
    let choices = [choice("a", Some(&a)), choice("b", Some(&b)), choice("c", Some(&c))];
    assert_eq!(ask(Strategy::LeastBusy, &choices, 1)[..], [1, 2, 0]);
    assert_eq!(ask(Strategy::LowestLatency, &choices, 1)[..], [0, 2, 1]);
    // 0.1 × 10, 0.3 × 2, 0.2 × 4.
    assert_eq!(ask(Strategy::Cheapest, &choices, 1)[..], [1, 2, 0]);
    let mut heavy = choices;
    heavy[0].weight = 10;
    assert_eq!(ask(Strategy::LeastBusy, &heavy, 1)[..], [0, 1, 2], "ten may have ten times as many");
}

#[test]
fn the_worst_is_never_drawn_first_and_the_others_are() {
    let all: Vec<_> = (1..=4).map(|n| endpoint(n * 100, 0).0).collect();
    let choices: Vec<_> = all.iter().zip(NAMES).map(|(e, name)| choice(name, Some(e))).collect();
    let counts = firsts(Strategy::PeakEwma, &choices, 6_000);
    // Of the six pairs the best wins three, the next two, the third one.
    for (count, expected) in counts.iter().zip([3_000_u64, 2_000, 1_000, 0]) {
        assert!(count.abs_diff(expected) < 200, "{counts:?}");
    }
    let order = ask(Strategy::PeakEwma, &choices, 3);
    assert!(order[1..].is_sorted(), "the rest by what they cost: {order:?}");
}

#[test]
fn where_all_are_cold_nobody_is_spared_for_the_slow_one() {
    let cold = |millis| {
        let policy = Arc::new(EndpointPolicy { ease_in: secs(10), ..EndpointPolicy::default() });
        let endpoint = Arc::new(Endpoint::new(1));
        let mut first = endpoint.admit(&policy, Ask::default(), secs(19)).unwrap();
        first.first_token(secs(19) + Duration::from_millis(millis));
        first.end(Outcome::Success, 0, 0, secs(19) + Duration::from_millis(millis));
        endpoint
    };
    let (slow, fast, other) = (cold(900), cold(100), cold(100));
    let choices = [choice("a", Some(&slow)), choice("b", Some(&fast)), choice("c", Some(&other))];
    assert_eq!(firsts(Strategy::PeakEwma, &choices, 1_000)[0], 0);
    // Beside one that is warm, a cold one still gets a tenth.
    let warm = endpoint(300, 0).0;
    let counts = firsts(Strategy::PeakEwma, &[choice("a", Some(&warm)), choice("b", Some(&fast))], 1_000);
    assert!((50..200).contains(&counts[1]), "{counts:?}");
}

#[test]
fn of_whom_nothing_is_known_the_average_is_expected() {
    let (slow, fast) = (endpoint(900, 0).0, endpoint(100, 0).0);
    let choices = [choice("a", Some(&slow)), choice("b", Some(&fast)), choice("c", None)];
    assert_eq!(ask(Strategy::LowestLatency, &choices, 1)[..], [1, 2, 0]);
}

#[test]
fn who_hangs_is_avoided_before_its_calls_end() {
    let (hanging, _calls) = endpoint(100, 3);
    let (other, _others) = endpoint(100, 3);
    let choices = [choice("a", Some(&hanging)), choice("b", Some(&other))];
    // Both have three calls that wait since 20 s; those of the other one go on.
    let mut moving = _others;
    for ticket in &mut moving {
        ticket.first_token(secs(20) + Duration::from_millis(150));
    }
    let mut rng = Rng::new(1);
    let later = order(Strategy::PeakEwma, &choices, &AtomicU64::new(0), 0, &mut rng, secs(25));
    assert_eq!(later[..], [1, 0]);
}

#[test]
fn the_own_zone_comes_first_unless_it_is_much_worse() {
    let (near, far) = (endpoint(300, 0).0, endpoint(200, 0).0);
    let mut choices = [choice("a", Some(&near)), choice("b", Some(&far))];
    choices[1].same_zone = false;
    assert_eq!(firsts(Strategy::PeakEwma, &choices, 100), [100, 0]);
    let (slow, _busy) = endpoint(300, 1);
    choices[0].endpoint = Some(&slow);
    assert_eq!(firsts(Strategy::PeakEwma, &choices, 100), [0, 100], "0.3 × 2 against 0.2 × 2");
    choices[0].available = false;
    assert_eq!(ask(Strategy::PeakEwma, &choices, 1)[..], [1, 0]);
}

#[test]
fn a_caller_stays_where_it_is_and_only_what_left_moves() {
    let all = choices(8);
    let place = |choices: &[Choice<'static>], hash| {
        let order = order(Strategy::Rendezvous, choices, &AtomicU64::new(0), hash, &mut Rng::new(0), secs(1));
        choices[order[0]].name
    };
    let without: Vec<_> = all.iter().copied().filter(|choice| choice.name != "d").collect();
    for hash in 0..2_000 {
        let before = place(&all, hash);
        assert_eq!(before, place(&all, hash));
        let after = place(&without, hash);
        assert!(before == after || before == "d", "{hash}");
    }
}

#[test]
fn a_cold_one_gets_its_part_and_then_its_whole_share() {
    let slow_start = Arc::new(EndpointPolicy { ease_in: secs(10), ..EndpointPolicy::default() });
    let cold = Arc::new(Endpoint::new(1));
    drop(cold.admit(&slow_start, Ask::default(), secs(20)).unwrap());
    let warm = endpoint(100, 0).0;
    let choices = [choice("a", Some(&cold)), choice("b", Some(&warm))];
    for strategy in [Strategy::LeastBusy, Strategy::PeakEwma] {
        let share = |at: Duration| {
            let (mut rng, turn, mut count) = (Rng::new(3), AtomicU64::new(0), 0);
            for _ in 0..4_000 {
                count += u32::from(order(strategy, &choices, &turn, 0, &mut rng, at)[0] == 0);
            }
            f64::from(count) / 4_000.0
        };
        // Half of the time, once it is warm, the draw prefers it: both are alike.
        for (second, expected) in [(20, 0.05), (25, 0.25), (30, 0.5)] {
            let share = share(secs(second));
            assert!((share - expected).abs() < 0.06, "{strategy:?} {second}: {share}");
        }
    }
}

#[test]
fn nothing_to_choose_from_is_no_fault() {
    for strategy in Strategy::ALL {
        assert!(ask(strategy, &[], 1).is_empty());
        assert_eq!(ask(strategy, &choices(1), 1)[..], [0]);
    }
}

proptest! {
    #[test]
    fn every_order_is_a_permutation_with_the_sick_last(
        rows in proptest::collection::vec((0_u32..5, 0_u32..3, any::<bool>(), any::<bool>(), 0_u64..400), 0..12),
        seed in any::<u64>(),
    ) {
        let endpoints: Vec<_> = rows.iter().map(|row| endpoint(row.4, row.0 as usize)).collect();
        let choices: Vec<_> = rows
            .iter()
            .zip(&endpoints)
            .map(|((weight, priority, same_zone, available, _), (endpoint, _))| Choice {
                endpoint: Some(endpoint),
                weight: *weight,
                priority: *priority,
                price: u128::from(*priority),
                same_zone: *same_zone,
                name: "x",
                available: *available,
            })
            .collect();
        for strategy in Strategy::ALL {
            let order = ask(strategy, &choices, seed);
            prop_assert!(order.iter().map(|at| !choices[*at].available).is_sorted());
            prop_assert_eq!(&order, &ask(strategy, &choices, seed), "equal seeds, equal orders");
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.iter().copied().eq(0..choices.len()));
        }
    }
}
