//! The routing graph: as written ([`NodeSpec`], names and places) and as compiled ([`Node`], ids).

use std::sync::Arc;

use pointsman_resilience::{AffinityPolicy, Strategy};

/// Where something was written: an index that the configuration hands in and gets back in errors.
pub type Place = u32;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into the snapshot's list.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// Index into the snapshot's deployments.
    DeploymentId
}
index! {
    /// Index into the snapshot's providers.
    ProviderId
}
index! {
    /// Index into the snapshot's routes.
    RouteId
}
index! {
    /// Counts the `balance` nodes of a resolver, from 0.
    BalanceId
}
index! {
    /// Counts the chains of a resolver, from 0: candidates besides a route's own, for one cause.
    ChainId
}

/// A node as written, with its place for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Where it was written.
    pub place: Place,
    /// What it is.
    pub kind: NodeKind,
}

/// The grammar of routes. It grows by new variants; there is no second syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A bare string: resolved as a request's model name would be.
    Name(String),
    /// `model:` one deployment: `provider/model`, or a model name that only one provider has.
    Model(String),
    /// `route:` another route.
    Route(String),
    /// `first:` in this order, each the fallback of the one before.
    First(Vec<NodeSpec>),
    /// `split:` one drawn by weight; the others follow as fallbacks, heaviest first.
    Split(Vec<BranchSpec>),
    /// `balance:` the best one by what is known of them now; the others follow as fallbacks, best first.
    Balance(BalanceSpec),
}

/// A branch of `split` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchSpec {
    /// Its share of the sum of all weights; at least 1.
    pub weight: u32,
    /// Where the weight was written.
    pub place: Place,
    /// Where the share goes.
    pub to: NodeSpec,
}

/// `balance` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceSpec {
    /// What "best" means.
    pub strategy: Strategy,
    /// What stays where it was.
    pub affinity: Option<AffinityPolicy>,
    /// What there is to choose from.
    pub branches: Vec<BalanceBranchSpec>,
}

/// A branch of `balance` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceBranchSpec {
    /// How much it can take, compared with the others; at least 1.
    pub weight: u32,
    /// Where the weight was written.
    pub place: Place,
    /// Its tier: lower ones first.
    pub priority: u32,
    /// Where requests go.
    pub to: NodeSpec,
}

/// A compiled node: every name is an id, every list has at least one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// One deployment.
    Model(DeploymentId),
    /// Another route.
    Route(RouteId),
    /// Ordered fallback.
    First(Box<[Self]>),
    /// Weighted draw.
    Split {
        /// Heaviest first; the order of writing among equals.
        branches: Box<[Branch]>,
        /// The sum of the weights.
        total: u64,
    },
    /// The best one now. Boxed: it is larger than the others, and rarer.
    Balance(Box<BalanceNode>),
}

/// A compiled branch of `split`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its share of the total.
    pub weight: u32,
    /// Where the share goes.
    pub to: Node,
}

/// A compiled `balance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceNode {
    /// Its number in the resolver.
    pub id: BalanceId,
    /// Its route's name, with `#2` and so on for further ones of that route. Unlike its number it is the same
    /// after a reload.
    pub name: Arc<str>,
    /// What "best" means.
    pub strategy: Strategy,
    /// What stays where it was.
    pub affinity: Option<AffinityPolicy>,
    /// In the order of writing.
    pub branches: Box<[BalanceBranch]>,
}

/// A compiled branch of `balance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceBranch {
    /// How much it can take, compared with the others.
    pub weight: u32,
    /// Its tier: lower ones first.
    pub priority: u32,
    /// Where requests go.
    pub to: Node,
}
