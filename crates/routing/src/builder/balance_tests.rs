//! `balance` nodes: who orders them, and what becomes of that order; chains.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::Rng;
use pointsman_resilience::{AffinityBy, AffinityPolicy, Strategy};

use super::Builder;
use crate::balance::{Balance, Order};
use crate::error::BuildErrorKind;
use crate::plan::{Plan, Reason};
use crate::resolver::{Resolved, Resolver};
use crate::spec::{
    BalanceBranchSpec, BalanceId, BalanceNode, BalanceSpec, BranchSpec, DeploymentId, NodeKind, NodeSpec,
};

/// An order that was decided beforehand, and what it was asked.
struct Fixed(Order, std::cell::RefCell<Vec<(String, Vec<DeploymentId>)>>);

impl Fixed {
    fn new(order: &[usize]) -> Self {
        Self(Order::from_slice(order), std::cell::RefCell::default())
    }
}

impl Balance for Fixed {
    fn order(&self, node: &BalanceNode, leaves: &[DeploymentId], _: &mut Rng) -> Order {
        self.1.borrow_mut().push((node.name.to_string(), leaves.to_vec()));
        self.0.clone()
    }
}

fn node(kind: NodeKind) -> NodeSpec {
    NodeSpec { place: 0, kind }
}

fn name(text: &str) -> NodeSpec {
    node(NodeKind::Name(text.into()))
}

fn balance(branches: Vec<NodeSpec>) -> NodeSpec {
    let branches = branches.into_iter().map(|to| BalanceBranchSpec { weight: 1, place: 5, priority: 0, to });
    let affinity = Some(AffinityPolicy { by: AffinityBy::User, ttl: Duration::from_secs(60) });
    let spec = BalanceSpec { strategy: Strategy::LeastBusy, affinity, branches: branches.collect() };
    node(NodeKind::Balance(spec))
}

/// p: a, b, c, d, in the order of their ids.
fn builder() -> Builder {
    let mut builder = Builder::new();
    let provider = builder.provider(&Arc::from("p"), false);
    for model in ["a", "b", "c", "d"] {
        builder.deployment(provider, model);
    }
    builder
}

fn plan(resolver: &Resolver, balance: &dyn Balance) -> Plan {
    let Ok(Resolved::Known(known)) = resolver.resolve("r") else { panic!("does not resolve") };
    known.plan(&mut Rng::new(1), balance)
}

fn ids(plan: &Plan) -> Vec<u32> {
    plan.candidates.iter().map(|candidate| candidate.deployment.0).collect()
}

#[test]
fn the_order_decides_and_says_by_what() {
    let mut builder = builder();
    builder.route("r", 0, balance(vec![name("a"), name("b"), name("c")]));
    let resolver = builder.build().unwrap();
    let order = Fixed::new(&[2, 0, 1]);
    let ordered = plan(&resolver, &order);
    assert_eq!(ids(&ordered), [2, 0, 1]);
    let reasons: Vec<_> = ordered.candidates.iter().map(|candidate| candidate.reason).collect();
    assert_eq!(reasons, [Reason::Balanced(Strategy::LeastBusy), Reason::Fallback, Reason::Fallback]);
    assert_eq!(reasons[0].to_string(), "balanced (least_busy)");
    let asked = order.1.into_inner();
    assert_eq!(asked, [("r".to_owned(), vec![DeploymentId(0), DeploymentId(1), DeploymentId(2)])]);
    assert_eq!(ids(&plan(&resolver, &())), [0, 1, 2]);
}

#[test]
fn whatever_the_order_says_no_branch_is_lost_or_doubled() {
    let mut builder = builder();
    builder.route("r", 0, balance(vec![name("a"), name("b"), name("c"), name("d")]));
    let resolver = builder.build().unwrap();
    for (order, expected) in [
        (vec![], [0, 1, 2, 3]),
        (vec![3], [3, 0, 1, 2]),
        (vec![1, 1, 1, 1], [1, 0, 2, 3]),
        (vec![9, 2, usize::MAX], [2, 0, 1, 3]),
        (vec![3, 2, 1, 0], [3, 2, 1, 0]),
    ] {
        let planned = plan(&resolver, &Fixed::new(&order));
        assert_eq!(ids(&planned), expected, "{order:?}");
        assert_eq!(planned.candidates[0].reason, Reason::Balanced(Strategy::LeastBusy), "{order:?}");
    }
}

#[test]
fn a_branch_is_judged_by_what_it_asks_first() {
    let mut builder = builder();
    let weights = [(1, "a"), (5, "d")];
    let split = weights.map(|(weight, to)| BranchSpec { weight, place: 0, to: name(to) });
    builder.route("inner", 0, node(NodeKind::First(vec![name("c"), name("a")])));
    let nested = balance(vec![name("b"), name("a")]);
    builder.route("r", 0, balance(vec![name("inner"), node(NodeKind::Split(split.into())), nested]));
    let resolver = builder.build().unwrap();
    let order = Fixed::new(&[1, 0]);
    assert_eq!(plan(&resolver, &order).candidates.len(), 4);
    let asked = order.1.into_inner();
    assert_eq!(asked[0], ("r".to_owned(), vec![DeploymentId(2), DeploymentId(3), DeploymentId(1)]));
    assert_eq!(asked[1], ("r#2".to_owned(), vec![DeploymentId(1), DeploymentId(0)]));
}

#[test]
fn every_node_has_a_turn_of_its_own() {
    let mut builder = builder();
    builder.route("r", 0, balance(vec![name("a"), balance(vec![name("b")])]));
    builder.route("s", 0, balance(vec![name("c")]));
    let resolver = builder.build().unwrap();
    let turn =
        |id| resolver.turn(BalanceId(id)).map(|turn| turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    assert_eq!([turn(0), turn(0), turn(1), turn(2), turn(3)], [Some(0), Some(1), Some(0), Some(0), None]);
}

#[test]
fn an_empty_balance_and_a_weight_of_zero_are_errors() {
    let mut builder = builder();
    builder.route("empty", 1, balance(Vec::new()));
    let mut zero = balance(vec![name("a")]);
    if let NodeKind::Balance(spec) = &mut zero.kind {
        spec.branches[0].weight = 0;
    }
    builder.route("zero", 2, zero);
    builder.route("lost", 3, balance(vec![name("a"), name("nowhere-at-all")]));
    let errors = builder.build().unwrap_err();
    assert_eq!(errors[0].kind, BuildErrorKind::Empty("balance"));
    assert_eq!((errors[1].place, &errors[1].kind), (5, &BuildErrorKind::ZeroWeight));
    assert!(errors[2].kind.to_string().contains("nowhere-at-all"));
    assert_eq!(errors.len(), 3);
}

#[test]
fn loops_are_found_through_balances() {
    let mut builder = builder();
    builder.route("r", 1, balance(vec![name("a"), name("s")]));
    builder.route("s", 2, balance(vec![name("r")]));
    let errors = builder.build().unwrap_err();
    assert_eq!(errors[0].kind.to_string(), "`r` leads back to itself: r → s → r");
}

#[test]
fn a_chain_is_planned_like_a_route_that_nobody_can_name() {
    let mut builder = builder();
    builder.route("r", 0, name("a"));
    let chain = builder.chain("r (quota)", balance(vec![name("r"), name("b"), name("c")]));
    let resolver = builder.build().unwrap();
    let candidates = resolver.chain(chain, &mut Rng::new(1), &Fixed::new(&[2, 1]));
    let found: Vec<_> =
        candidates.iter().map(|candidate| (candidate.deployment.0, candidate.reason)).collect();
    assert_eq!(found, [(2, Reason::Fallback), (1, Reason::Fallback), (0, Reason::Fallback)]);
    assert!(resolver.resolve("r (quota)").is_err());
    assert_eq!(resolver.routes().len(), 1);
    assert!(resolver.chain(crate::spec::ChainId(1), &mut Rng::new(1), &()).is_empty());
}

#[test]
fn errors_of_a_chain_have_their_place() {
    let mut builder = builder();
    builder.chain("x", NodeSpec { place: 9, kind: NodeKind::First(Vec::new()) });
    let errors = builder.build().unwrap_err();
    assert_eq!((errors[0].place, &errors[0].kind), (9, &BuildErrorKind::Empty("first")));
}
