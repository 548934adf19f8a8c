//! Fallback by cause. Some failures say who can help: a model that takes longer prompts, another account, or,
//! where a provider filters the content, only whom the route names for that.

use std::sync::Arc;

use pointsman_config::{Deployment, Snapshot};
use pointsman_core::Outcome;
use pointsman_routing::ChainId;
use smallvec::SmallVec;

use crate::pipeline::balance::LiveBalance;
use crate::pipeline::dispatch::Dispatch;

/// The chains of a request's route, and what was learned about the request.
#[derive(Clone, Default)]
pub(crate) struct Chains {
    /// The world that knows them; only where the route has some.
    snapshot: Option<Arc<Snapshot>>,
    /// Those that were entered.
    entered: SmallVec<[ChainId; 2]>,
    /// For whom the request was too long.
    too_long_for: SmallVec<[Arc<Deployment>; 1]>,
    /// Candidates from this place on were named for a request that is too long.
    longer_from: Option<usize>,
}

impl Chains {
    /// The chains of a route in this world.
    pub(crate) fn of(snapshot: &Arc<Snapshot>, route: &pointsman_config::RouteOptions) -> Self {
        let snapshot = (!route.fallbacks.is_empty()).then(|| snapshot.clone());
        Self { snapshot, ..Self::default() }
    }

    /// Whether the candidates are those of this chain, which was entered before.
    fn inside(&self, chain: Option<ChainId>) -> bool {
        chain.is_some_and(|chain| self.entered.contains(&chain))
    }
}

impl Dispatch {
    /// Whether the candidate at `position` may be asked after what happened: the same request never goes to the
    /// same model again that it was too long for, nor to one that is known to take no more.
    pub(super) fn may_follow(&self, position: usize) -> bool {
        let candidates = &self.candidates;
        let chains = &candidates.chains;
        let Some(deployment) = candidates.list.get(position) else { return false };
        let named = chains.longer_from.is_some_and(|from| position >= from);
        chains
            .too_long_for
            .iter()
            .all(|small| deployment.key.model != small.key.model && (named || takes_more(deployment, small)))
    }

    /// Whether the route names somebody for what a filter has stopped, who was not asked yet.
    pub(crate) fn has_another_filter(&self) -> bool {
        let chain = self.route.fallbacks.content_filter;
        chain.is_some() && !self.candidates.chains.inside(chain)
    }

    /// Puts the candidates of the route's chain for this cause, if it has one, behind the present one. Answers
    /// whether the cause itself says that those behind may help, although it blames the request.
    pub(super) fn redirect(&mut self, deployment: &Arc<Deployment>, outcome: Outcome) -> bool {
        let fallbacks = self.route.fallbacks;
        match outcome {
            Outcome::ContextTooLong => {
                let chain = fallbacks.context_too_long;
                self.candidates.chains.too_long_for.push(deployment.clone());
                if let Some(chain) = self.enter(chain) {
                    let from = self.candidates.position + 1;
                    self.candidates.chains.longer_from = Some(from);
                    self.candidates.list.truncate(from);
                    self.candidates.list.extend(chain);
                }
                true
            }
            Outcome::ContentFiltered => match self.enter(fallbacks.content_filter) {
                // Nobody else: who filters what is for the route to say.
                Some(chain) => {
                    self.candidates.list.truncate(self.candidates.position + 1);
                    self.candidates.list.extend(chain);
                    true
                }
                None => self.candidates.chains.inside(fallbacks.content_filter),
            },
            Outcome::QuotaExhausted => {
                if let Some(chain) = self.enter(fallbacks.quota) {
                    let at = self.candidates.position + 1;
                    self.candidates.list.insert_many(at, chain);
                }
                false
            }
            _ => false,
        }
    }

    /// The candidates of a chain, except those that are there already. A chain is entered once.
    fn enter(&mut self, chain: Option<ChainId>) -> Option<SmallVec<[Arc<Deployment>; 2]>> {
        let chain = chain?;
        if self.candidates.chains.entered.contains(&chain) {
            return None;
        }
        let snapshot = self.candidates.chains.snapshot.clone()?;
        self.candidates.chains.entered.push(chain);
        let balance = LiveBalance::without_affinity(&self.gateway, &snapshot);
        let mut found = snapshot.chain(chain, &mut self.rng, &balance);
        let known = self.candidates.list.get(..=self.candidates.position).unwrap_or_default();
        found.retain(|found| !known.iter().any(|known| Arc::ptr_eq(known, found)));
        Some(found)
    }
}

/// Whether a model takes longer prompts than another, as far as both are known.
fn takes_more(deployment: &Deployment, than: &Deployment) -> bool {
    match (deployment.context_length, than.context_length) {
        (Some(length), Some(than)) => length > than,
        (Some(_), None) => true,
        (None, _) => false,
    }
}
