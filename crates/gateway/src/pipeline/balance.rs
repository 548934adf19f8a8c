//! Who comes first where a route leaves the choice to what is known of the deployments now.

use std::borrow::Cow;
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{Principal, RequestRecord, Rng, Usage, UsageSource};
use pointsman_resilience::{AffinityBy, AffinityPolicy, Choice, Strategy, order};
use pointsman_routing::{Balance, BalanceNode, DeploymentId, Order};
use pointsman_wire::opening::opening;
use smallvec::SmallVec;

use crate::Gateway;
use crate::live::Live;

/// A seed that is the same in every process, so that all of a group choose alike.
const SEED: u64 = 0x706f_696e_7473_6d61;

/// Whose request it is: by this, requests that belong together are kept together.
pub(crate) struct Belonging<'r> {
    session: Option<&'r str>,
    principal: &'r Principal,
    /// Where it is a conversation.
    body: Option<&'r [u8]>,
}

impl<'r> Belonging<'r> {
    /// Of the request with this record.
    pub(crate) fn of(record: &'r RequestRecord, body: Option<&'r [u8]>) -> Self {
        Self { session: record.session.as_deref(), principal: &record.principal, body }
    }

    /// What requests that belong together have in common; `None`: nothing is known of that.
    fn key(&self, by: AffinityBy, salt: &str) -> Option<u64> {
        let mut hasher = foldhash::quality::FixedState::with_seed(SEED).build_hasher();
        hasher.write(salt.as_bytes());
        hasher.write_u8(0xff);
        // One caller's sessions are not another's.
        hasher.write(self.principal.key.as_deref().unwrap_or_default().as_bytes());
        hasher.write_u8(0xff);
        match by {
            AffinityBy::Session => hasher.write(self.session?.as_bytes()),
            AffinityBy::User => hasher.write(self.user()?.as_bytes()),
            AffinityBy::Prefix => {
                let opening = opening(self.body?).ok().filter(|opening| !opening.parts.is_empty())?;
                for part in opening.parts {
                    hasher.write(part);
                    hasher.write_u8(0xff);
                }
            }
        }
        Some(hasher.finish())
    }

    /// The end user that the request names, else whose key it is.
    fn user(&self) -> Option<Cow<'r, str>> {
        let named = self.body.and_then(|body| opening(body).ok()?.user);
        let own = || self.principal.user.as_deref().or(self.principal.key.as_deref());
        named.or_else(|| own().map(Cow::Borrowed))
    }
}

/// Where a session is to be kept, once somebody has answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sticky {
    key: u64,
    ttl: Duration,
}

impl Sticky {
    /// Keeps the session on the deployment that has answered.
    pub(crate) fn keep(self, gateway: &Gateway, deployment: &Deployment) {
        gateway.affinity.put(self.key, name_hash(deployment), self.ttl, gateway.timeline.now());
    }
}

/// Orders the branches of `balance` nodes by how their deployments are doing.
pub(crate) struct LiveBalance<'a> {
    gateway: &'a Gateway,
    snapshot: &'a Snapshot,
    belonging: Option<Belonging<'a>>,
    sticky: Cell<Option<Sticky>>,
}

impl<'a> LiveBalance<'a> {
    pub(crate) const fn new(gateway: &'a Gateway, snapshot: &'a Snapshot, belonging: Belonging<'a>) -> Self {
        Self { gateway, snapshot, belonging: Some(belonging), sticky: Cell::new(None) }
    }

    /// For whom nothing is kept together.
    pub(crate) const fn without_affinity(gateway: &'a Gateway, snapshot: &'a Snapshot) -> Self {
        Self { gateway, snapshot, belonging: None, sticky: Cell::new(None) }
    }

    /// Where the session is to be kept, if the plan had a node that keeps sessions.
    pub(crate) const fn sticky(&self) -> Option<Sticky> {
        self.sticky.get()
    }

    fn choice<'c>(&'c self, deployment: &'c Deployment, now: Duration) -> Option<Choice<'c>> {
        let live = Live::of(deployment, self.gateway)?;
        let own = self.snapshot.settings.server.zone.as_deref();
        Some(Choice {
            endpoint: Some(&live.site.endpoint),
            weight: 1,
            priority: 0,
            price: 0,
            same_zone: own.is_some() && own == deployment.endpoint.zone.as_deref(),
            name: &deployment.name,
            available: live.site.endpoint.available(&deployment.endpoint, now),
        })
    }

    /// The branch that the session was kept on, in front, while that may be called.
    fn stick(&self, policy: AffinityPolicy, key: u64, choices: &[Choice<'_>], order: &mut Order) {
        self.sticky.set(Some(Sticky { key, ttl: policy.ttl }));
        let Some(kept) = self.gateway.affinity.get(key, self.gateway.timeline.now()) else { return };
        let place = order.iter().position(|&branch| {
            choices.get(branch).is_some_and(|choice| choice.available && hash(choice.name) == kept)
        });
        if let Some(place) = place {
            let branch = order.remove(place);
            order.insert(0, branch);
        }
    }
}

impl Balance for LiveBalance<'_> {
    fn order(&self, node: &BalanceNode, leaves: &[DeploymentId], rng: &mut Rng) -> Order {
        let now = self.gateway.timeline.now();
        let unknown = || (0..leaves.len()).collect();
        let deployments = leaves.iter().map(|leaf| self.snapshot.deployment(*leaf));
        let Some(deployments) = deployments.collect::<Option<SmallVec<[_; 8]>>>() else { return unknown() };
        let choices = deployments.iter().zip(&node.branches).map(|(deployment, branch)| {
            let choice = self.choice(deployment, now)?;
            let price = if node.strategy == Strategy::Cheapest { price(deployment) } else { 0 };
            Some(Choice { weight: branch.weight, priority: branch.priority, price, ..choice })
        });
        let Some(choices) = choices.collect::<Option<SmallVec<[_; 8]>>>() else { return unknown() };
        let Some(turn) = self.snapshot.resolver.turn(node.id) else { return unknown() };
        let belonging = self.belonging.as_ref();
        let key = node.affinity.and_then(|policy| Some((policy, belonging?.key(policy.by, &node.name)?)));
        // Without a name for what belongs together, a caller stays together.
        let own = || belonging.and_then(|of| of.key(AffinityBy::User, &node.name));
        let spread = match (key, node.strategy) {
            (Some((_, key)), _) => key,
            (None, Strategy::Rendezvous) => own().unwrap_or(0),
            (None, _) => 0,
        };
        let mut order = order(node.strategy, &choices, turn, spread, rng, now);
        if let Some((policy, key)) = key {
            self.stick(policy, key, &choices, &mut order);
        }
        order
    }
}

/// What a usual request costs: four times as many tokens in the prompt as in the answer. What nobody knows is dear.
fn price(deployment: &Deployment) -> u128 {
    let usual = Usage { input: 4_000, output: 1_000, source: UsageSource::Estimated, ..Usage::default() };
    let cost = deployment.price.as_ref().map(|price| price.cost(&usual).total().nanos());
    cost.and_then(|nanos| u128::try_from(nanos).ok()).unwrap_or(u128::MAX)
}

fn name_hash(deployment: &Deployment) -> u64 {
    hash(&deployment.name)
}

fn hash(name: &str) -> u64 {
    foldhash::quality::FixedState::with_seed(SEED).hash_one(name)
}
