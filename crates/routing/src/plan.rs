//! From a resolved name to ordered candidates: the walk through the graph, with its draws.

use std::fmt;
use std::sync::Arc;

use pointsman_core::Rng;
use pointsman_resilience::Strategy;
use smallvec::SmallVec;

use crate::balance::Balance;
use crate::resolver::Resolver;
use crate::spec::{BalanceNode, Branch, DeploymentId, Node, RouteId};

/// Ordered candidates, with the reason for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The name as the client wrote it.
    pub name: Arc<str>,
    /// The route that it led to, if any.
    pub route: Option<Arc<str>>,
    /// The same as an index, for the route's options.
    pub route_id: Option<RouteId>,
    /// At least one; no deployment twice.
    pub candidates: SmallVec<[Candidate; 2]>,
}

/// A deployment to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What to call.
    pub deployment: DeploymentId,
    /// Why it stands where it stands.
    pub reason: Reason,
}

/// Why a candidate stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client named this very deployment.
    Named,
    /// First in its route.
    First,
    /// Drawn by weight.
    Drawn {
        /// Its share.
        weight: u32,
        /// The sum of all shares.
        of: u64,
    },
    /// The best by this measure.
    Balanced(Strategy),
    /// Follows where the ones before fail.
    Fallback,
}

impl Reason {
    /// The word used in records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::First => "first",
            Self::Drawn { .. } => "drawn",
            Self::Balanced(_) => "balanced",
            Self::Fallback => "fallback",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drawn { weight, of } => write!(f, "drawn ({weight} of {of})"),
            Self::Balanced(strategy) => write!(f, "balanced ({})", strategy.as_str()),
            other => f.write_str(other.as_str()),
        }
    }
}

/// Collects the candidates below a node.
pub(crate) struct Walk<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) rng: &'a mut Rng,
    pub(crate) balance: &'a dyn Balance,
    pub(crate) candidates: SmallVec<[Candidate; 2]>,
}

impl Walk<'_> {
    /// Depth and number of leaves are bounded when the graph is built.
    pub(crate) fn visit(&mut self, node: &Node, reason: Reason) {
        match node {
            Node::Model(deployment) => self.push(*deployment, reason),
            Node::Route(route) => {
                if let Some(node) = self.resolver.route_node(*route) {
                    self.visit(node, reason);
                }
            }
            Node::First(nodes) => {
                for (position, node) in nodes.iter().enumerate() {
                    self.visit(node, if position == 0 { reason } else { Reason::Fallback });
                }
            }
            Node::Split { branches, total } => self.split(branches, *total, reason),
            Node::Balance(node) => self.balance(node, reason),
        }
    }

    fn split(&mut self, branches: &[Branch], total: u64, reason: Reason) {
        let mut left = self.rng.below(total);
        let drawn = branches.iter().position(|branch| {
            let weight = u64::from(branch.weight);
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        });
        let drawn = drawn.unwrap_or(0);
        if let Some(branch) = branches.get(drawn) {
            let reason = match reason {
                Reason::Fallback => Reason::Fallback,
                _ => Reason::Drawn { weight: branch.weight, of: total },
            };
            self.visit(&branch.to, reason);
        }
        for (position, branch) in branches.iter().enumerate() {
            if position != drawn {
                self.visit(&branch.to, Reason::Fallback);
            }
        }
    }

    fn balance(&mut self, node: &BalanceNode, reason: Reason) {
        let leaves = node.branches.iter().map(|branch| self.resolver.first_leaf(&branch.to));
        // No list of a compiled graph is empty, so that every branch has a leaf.
        let Some(leaves) = leaves.collect::<Option<SmallVec<[DeploymentId; 8]>>>() else { return };
        let order = self.balance.order(node, &leaves, self.rng);
        let mut reason = match reason {
            Reason::Fallback => Reason::Fallback,
            _ => Reason::Balanced(node.strategy),
        };
        let left_out = (0..node.branches.len()).filter(|position| !order.contains(position));
        for branch in order.iter().copied().chain(left_out).filter_map(|position| node.branches.get(position))
        {
            self.visit(&branch.to, reason);
            reason = Reason::Fallback;
        }
    }

    /// A deployment that is reached twice keeps its first place: asking it again is a retry, and
    /// retries have their own rules.
    fn push(&mut self, deployment: DeploymentId, reason: Reason) {
        if !self.candidates.iter().any(|candidate| candidate.deployment == deployment) {
            self.candidates.push(Candidate { deployment, reason });
        }
    }
}
