//! Model names, routes and plans.
//!
//! A [`Builder`] takes providers, deployments, aliases and route graphs and makes one immutable
//! [`Resolver`]. A request's model name goes through [`Resolver::resolve`] (one hash look-up) and
//! [`Known::plan`] (the draws of `split` nodes and the orders of `balance` nodes, which come from a
//! [`Balance`]), which yields the ordered candidates of a [`Plan`].

mod balance;
mod builder;
mod closest;
mod error;
mod plan;
mod resolver;
mod spec;
mod spelling;
mod suffix;

pub use balance::{Balance, Order};
pub use builder::Builder;
pub use error::{BuildError, BuildErrorKind, ResolveError};
pub use plan::{Candidate, Plan, Reason};
pub use resolver::{DynamicDeployment, Known, Resolved, Resolver};
pub use spec::{
    BalanceBranch, BalanceBranchSpec, BalanceId, BalanceNode, BalanceSpec, Branch, BranchSpec, ChainId,
    DeploymentId, Node, NodeKind, NodeSpec, Place, ProviderId, RouteId,
};
pub use spelling::{KEY_KINDS, Spelling};
pub use suffix::KNOWN_SUFFIXES;
