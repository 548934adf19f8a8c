//! Who orders the branches of `balance` nodes: somebody who knows how the deployments are doing.

use pointsman_core::Rng;
use smallvec::SmallVec;

use crate::spec::{BalanceNode, DeploymentId};

/// Positions of branches, best first.
pub type Order = SmallVec<[usize; 8]>;

/// Knows how deployments are doing.
pub trait Balance {
    /// The order of the node's branches, best first. `leaves` holds for each branch the deployment that it asks
    /// first, by which it is judged. Branches that are left out follow in the order of writing.
    fn order(&self, node: &BalanceNode, leaves: &[DeploymentId], rng: &mut Rng) -> Order;
}

/// Knows nothing: the order of writing.
impl Balance for () {
    fn order(&self, _: &BalanceNode, leaves: &[DeploymentId], _: &mut Rng) -> Order {
        (0..leaves.len()).collect()
    }
}
