//! Warnings about models that the file names and that their providers have announced to turn off.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointsman_providers::{catalogue, vendor};
use pointsman_routing::{NodeKind, NodeSpec, Resolved, Resolver};

use crate::compose::parts::Prepared;
use crate::domain::{Deployment, Provider};

/// Names that the file uses, each with where: `route `fast``.
#[derive(Debug, Default)]
pub(super) struct Used(Vec<(String, String)>);

impl Used {
    /// All names in a route's graph, as they are written. Classes are no names: they leave out what is gone.
    pub(super) fn route(&mut self, route: &str, node: &NodeSpec) {
        match &node.kind {
            NodeKind::Name(name) | NodeKind::Model(name) => self.name(format!("route `{route}`"), name),
            NodeKind::Route(_) => {}
            NodeKind::First(nodes) => nodes.iter().for_each(|node| self.route(route, node)),
            NodeKind::Split(branches) => branches.iter().for_each(|branch| self.route(route, &branch.to)),
            NodeKind::Balance(balance) => {
                balance.branches.iter().for_each(|branch| self.route(route, &branch.to));
            }
        }
    }

    /// What an alias stands for.
    pub(super) fn alias(&mut self, alias: &str, target: &str) {
        self.name(format!("alias `{alias}`"), target);
    }

    /// What providers are said to have.
    pub(super) fn listed(&mut self, providers: &[Prepared]) {
        for Prepared { name, models, .. } in providers {
            for model in models {
                self.name("listed".to_owned(), &format!("{name}/{model}"));
            }
        }
    }

    fn name(&mut self, place: String, name: &str) {
        self.0.push((place, name.to_owned()));
    }

    /// A warning for each deprecated model, with all places that name it.
    pub(super) fn warnings(
        &self,
        resolver: &Resolver,
        providers: &[Arc<Provider>],
        deployments: &[Arc<Deployment>],
    ) -> Vec<String> {
        let mut found: BTreeMap<String, (&'static str, Vec<&str>)> = BTreeMap::new();
        for (place, name) in &self.0 {
            let (provider, model) = match resolver.resolve(name) {
                Ok(Resolved::Known(known)) => {
                    let id = known.deployment().map(pointsman_routing::DeploymentId::index);
                    let Some(deployment) = id.and_then(|id| deployments.get(id)) else { continue };
                    (&deployment.provider, &*deployment.key.model)
                }
                Ok(Resolved::Dynamic(dynamic)) => match providers.get(dynamic.provider.index()) {
                    Some(provider) => (provider, dynamic.model),
                    None => continue,
                },
                Err(_) => continue,
            };
            if let Some(date) = deprecated(provider, model) {
                let places =
                    &mut found.entry(format!("{}/{model}", provider.name)).or_insert((date, Vec::new())).1;
                if !places.contains(&place.as_str()) {
                    places.push(place);
                }
            }
        }
        let told = found.into_iter().map(|(name, (date, places))| {
            format!("`{name}` ({}) is deprecated: off at its provider as of {date}", places.join(", "))
        });
        told.collect()
    }
}

/// When a provider turns a model off, as `YYYY-MM-DD`.
fn deprecated(provider: &Provider, model: &str) -> Option<&'static str> {
    let vendor = provider.vendor.and_then(vendor)?;
    catalogue().find_for(vendor, model)?.deprecated
}
