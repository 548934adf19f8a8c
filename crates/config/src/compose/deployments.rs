//! The deployments of the next world: those from before where nothing changed, else new ones that take over
//! what is known of their health.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bytes::BytesMut;
use pointsman_core::ModelRef;
use pointsman_routing::{Resolved, Resolver};

use crate::compose::Pricing;
use crate::domain::{Deployment, Provider};
use crate::snapshot::{MAX_DYNAMIC, Snapshot};

/// What makes deployments, and what they are taken over from.
#[derive(Clone, Copy)]
pub(super) struct Makers<'a> {
    pub(super) resolver: &'a Resolver,
    pub(super) providers: &'a [Arc<Provider>],
    pub(super) pricing: Pricing,
    pub(super) previous: Option<&'a Snapshot>,
}

impl Makers<'_> {
    /// One for each that the resolver knows.
    pub(super) fn listed(&self) -> Vec<Arc<Deployment>> {
        let length = self.resolver.deployments().map(|(_, key)| key.model.len() + 2).sum();
        let mut names = BytesMut::with_capacity(length);
        let all = self.resolver.deployments().filter_map(|(id, key)| {
            let provider = self.providers.get(id.index())?;
            let before = self.previous.and_then(|previous| previous.deployment_at(key));
            Some(self.next(key, provider, (before.as_ref(), true), &mut names))
        });
        all.collect()
    }

    /// Those of models that no list holds, or holds any more, and that were asked for: they go on being well or
    /// ill as well.
    pub(super) fn dynamic(&self) -> HashMap<ModelRef, Arc<Deployment>> {
        let Some(previous) = self.previous else { return HashMap::new() };
        let dynamic = previous.dynamic.lock().unwrap_or_else(PoisonError::into_inner);
        // A full table holds what callers made up: room for those that are really asked for.
        let asked_for = dynamic.values().filter(|_| dynamic.len() < MAX_DYNAMIC);
        let listed = previous.deployments.iter().filter(|listed| listed.health.is_full());
        let mut names = BytesMut::new();
        let kept = listed.chain(asked_for).filter_map(|before| {
            let key = &before.key;
            let name = key.to_string();
            let Ok(Resolved::Dynamic(dynamic)) = self.resolver.resolve_exactly(&name) else { return None };
            let provider = self.providers.get(dynamic.provider.index())?;
            let same = provider.name == key.provider && dynamic.model == &*key.model;
            same.then(|| (key.clone(), self.next(key, provider, (Some(before), false), &mut names)))
        });
        kept.take(MAX_DYNAMIC).collect()
    }

    /// `named`: by the configuration, the catalogue or an engine.
    fn next(
        &self,
        key: &ModelRef,
        provider: &Arc<Provider>,
        (before, named): (Option<&Arc<Deployment>>, bool),
        names: &mut BytesMut,
    ) -> Arc<Deployment> {
        let same = |before: &&Arc<Deployment>| {
            Arc::ptr_eq(&before.provider, provider) && before.listed == (named || before.mode.is_some())
        };
        if let Some(before) = before.filter(same) {
            return Arc::clone(before);
        }
        let mut deployment = self.pricing.deployment(key.clone(), provider, names);
        deployment.listed = named || deployment.mode.is_some();
        if let Some(before) = before.filter(|before| before.provider.same_account(provider)) {
            deployment.health = Arc::clone(&before.health);
        }
        Arc::new(deployment)
    }
}
