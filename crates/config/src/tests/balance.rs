//! `balance` in routes: branches, by what, and what stays where it was.

use std::time::Duration;

use pointsman_core::Rng;
use pointsman_resilience::{AffinityBy, AffinityPolicy, Strategy};
use pointsman_routing::{Balance, BalanceNode, DeploymentId, Order, Resolved};

use super::{World, candidates};
use crate::Snapshot;

/// Remembers what it was asked and answers with the last branch first.
#[derive(Default)]
struct Asked(std::cell::RefCell<Vec<BalanceNode>>);

impl Balance for Asked {
    fn order(&self, node: &BalanceNode, leaves: &[DeploymentId], _: &mut Rng) -> Order {
        self.0.borrow_mut().push(node.clone());
        (0..leaves.len()).rev().collect()
    }
}

fn asked(snapshot: &Snapshot, route: &str) -> (Vec<String>, Vec<BalanceNode>) {
    let Ok(Resolved::Known(known)) = snapshot.resolver.resolve(route) else { panic!("{route}") };
    let balance = Asked::default();
    let plan = known.plan(&mut Rng::new(1), &balance);
    let ids = plan.candidates.iter().map(|candidate| candidate.deployment);
    let names = ids.map(|id| snapshot.deployment(id).unwrap().name.to_string()).collect();
    (names, balance.0.into_inner())
}

#[test]
fn branches_are_nodes_or_have_weights_and_tiers() {
    let snapshot = World::new(&[]).sound(
        "routes:
  plain: { balance: [sim/a, sim/b] }
  full:
    balance:
      - { to: sim/a, weight: 3 }
      - { to: { first: [sim/b, sim/c] }, priority: 2 }
      - plain
    by: priority
    affinity: session
    affinity_ttl: 1h
    coalesce: true
  nested: { first: [{ balance: [sim/a], by: round_robin, affinity: user }, { balance: [sim/b, sim/c], affinity: off }] }
",
    );
    let (names, nodes) = asked(&snapshot, "plain");
    assert_eq!(names, ["sim/b", "sim/a"]);
    assert_eq!((nodes[0].strategy, nodes[0].affinity, &*nodes[0].name), (Strategy::PeakEwma, None, "plain"));
    assert!(nodes[0].branches.iter().all(|branch| (branch.weight, branch.priority) == (1, 0)));

    let (names, nodes) = asked(&snapshot, "full");
    assert_eq!(names, ["sim/b", "sim/a", "sim/c"]);
    let shares: Vec<_> = nodes[0].branches.iter().map(|branch| (branch.weight, branch.priority)).collect();
    assert_eq!((nodes[0].strategy, shares), (Strategy::Priority, vec![(3, 0), (1, 2), (1, 0)]));
    let hour = Duration::from_secs(3_600);
    assert_eq!(nodes[0].affinity, Some(AffinityPolicy { by: AffinityBy::Session, ttl: hour }));

    let (_, nodes) = asked(&snapshot, "nested");
    let ten_minutes = AffinityPolicy { by: AffinityBy::User, ttl: Duration::from_secs(600) };
    assert_eq!((nodes[0].strategy, nodes[0].affinity), (Strategy::RoundRobin, Some(ten_minutes)));
    assert_eq!((&*nodes[1].name, nodes[1].affinity), ("nested#2", None));
    assert_eq!(candidates(&snapshot, "full"), ["sim/a", "sim/b", "sim/c"], "as written, where nobody knows");
}

#[test]
fn every_strategy_has_its_word() {
    for strategy in Strategy::ALL {
        let text = format!("routes: {{ r: {{ balance: [sim/a], by: {} }} }}", strategy.as_str());
        assert_eq!(asked(&World::new(&[]).sound(&text), "r").1[0].strategy, strategy);
    }
}

#[test]
fn of_a_class_all_models_are_balanced() {
    let world = World::new(&[("TOGETHER_API_KEY", "k")]);
    let snapshot = world.sound(
        "routes: { r: { balance: [{ to: class:flash, weight: 2 }, { to: together/mine }], by: cheapest } }",
    );
    let (_, nodes) = asked(&snapshot, "r");
    let weights: Vec<_> = nodes[0].branches.iter().map(|branch| branch.weight).collect();
    assert!(weights.len() > 2, "{weights:?}");
    assert_eq!((weights.first(), weights.last()), (Some(&2), Some(&1)));
}

#[test]
fn nonsense_is_told_with_its_place_and_a_way_out() {
    let report = World::new(&[]).errors(
        "routes:
  a: { balance: [] }
  b: { balance: [sim/a], by: pick_ewma, affinity_ttl: 5m }
  c: { first: [sim/a], by: weighted }
  d: { balance: [{ model: sim/a, weight: 2 }, { to: sim/a, weight: 0 }] }
  e: { balance: [{ to: sim/a, priority: 1 }] }
  f: { balance: [sim/a], affinity: session, affinity_ttl: 0s }
  g: { balance: [sim/a, e], split: [] }
  h: { balance: { to: sim/a } }
",
    );
    let expected = "\
pointsman.yaml:2:17: `balance` needs at least one element
pointsman.yaml:3:30: `pick_ewma` is none of peak_ewma, weighted, round_robin, least_busy, lowest_latency, cheapest, priority, rendezvous
  hint: did you mean `peak_ewma`?
pointsman.yaml:3:55: `affinity_ttl` without `affinity`
  hint: write `affinity: session`, `prefix` or `user` as well
pointsman.yaml:4:24: `by` belongs to `balance`
  hint: leave it out, or balance between candidates
pointsman.yaml:5:18: the key `to` is missing
  hint: write `{ weight: 2, to: provider/model }`
pointsman.yaml:6:41: `priority` counts with `by: priority` only
  hint: write `by: priority` beside `balance`
pointsman.yaml:7:59: nothing is remembered for 0 seconds
  hint: write `affinity: off`
pointsman.yaml:8:29: `balance` and `split` in one node
  hint: a node is a name, or has exactly one of `model`, `route`, `first`, `split` and `balance`
pointsman.yaml:9:17: expected a list, found a map";
    assert_eq!(report, expected);
}
