//! Collects names and graphs, then compiles them. All errors are reported together.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pointsman_core::ModelRef;
use smallvec::SmallVec;

#[cfg(test)]
mod balance_tests;
mod compile;
#[cfg(test)]
mod tests;

use crate::closest::Closest;
use crate::error::{BuildError, BuildErrorKind};
use crate::resolver::{Enable, Listed, Names, Resolver, Target};
use crate::spec::{ChainId, DeploymentId, Node, NodeSpec, Place, ProviderId, RouteId};
use crate::spelling::{Spelling, Spellings};

/// Collects what a [`Resolver`] is made of. Providers come first, then deployments; routes and
/// aliases may name each other in any order.
pub struct Builder {
    providers: Names<ProviderId>,
    provider_names: Vec<Arc<str>>,
    open_ended: Vec<bool>,
    deployments: Vec<Listed>,
    /// `provider/model` of every deployment.
    full_names: Names<DeploymentId>,
    routes: Vec<(Arc<str>, NodeSpec)>,
    chains: Vec<(Arc<str>, NodeSpec)>,
    aliases: Vec<Alias>,
    /// Names of routes and aliases.
    taken: Names<Named>,
    errors: Vec<BuildError>,
    answers_any_name: Option<ProviderId>,
    spelling: Option<Spelling>,
    enable: Enable,
}

/// A name that the configuration gave to a route or an alias.
#[derive(Clone, Copy)]
enum Named {
    Route(RouteId),
    Alias(usize),
}

struct Alias {
    name: Arc<str>,
    target: String,
    place: Place,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            providers: Names::default(),
            provider_names: Vec::new(),
            open_ended: Vec::new(),
            deployments: Vec::new(),
            full_names: Names::default(),
            routes: Vec::new(),
            chains: Vec::new(),
            aliases: Vec::new(),
            taken: Names::default(),
            errors: Vec::new(),
            answers_any_name: None,
            spelling: None,
            enable: Box::new(|_| None),
        }
    }
}

impl Builder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a provider; ids count up from 0. `open_ended`: it takes model ids that are not listed.
    pub fn provider(&mut self, name: &Arc<str>, open_ended: bool) -> ProviderId {
        let id = ProviderId(index(self.provider_names.len()));
        self.providers.insert(Arc::clone(name), id);
        self.provider_names.push(Arc::clone(name));
        self.open_ended.push(open_ended);
        id
    }

    /// Adds a deployment, or returns the one that is already there; ids count up from 0.
    pub fn deployment(&mut self, provider: ProviderId, model: &str) -> DeploymentId {
        let provider_name = self.provider_names.get(provider.index()).cloned().unwrap_or_default();
        let full_name = format!("{provider_name}/{model}");
        if let Some(&id) = self.full_names.get(full_name.as_str()) {
            return id;
        }
        let id = DeploymentId(index(self.deployments.len()));
        let full_name: Arc<str> = full_name.into();
        self.full_names.insert(Arc::clone(&full_name), id);
        let key = ModelRef { provider: provider_name, model: model.into() };
        self.deployments.push(Listed { provider, key, full_name });
        id
    }

    /// Adds a route; ids count up from 0, also for a name that is refused later.
    pub fn route(&mut self, name: &str, place: Place, node: NodeSpec) -> RouteId {
        let id = RouteId(index(self.routes.len()));
        let name: Arc<str> = name.into();
        self.take(&name, place, Named::Route(id));
        self.routes.push((name, node));
        id
    }

    /// Adds candidates besides those of a route, for one cause; ids count up from 0. `name` is no name that
    /// requests know: it tells `balance` nodes apart.
    pub fn chain(&mut self, name: &str, node: NodeSpec) -> ChainId {
        let id = ChainId(index(self.chains.len()));
        self.chains.push((name.into(), node));
        id
    }

    /// Adds another name for a route, an alias or a model.
    pub fn alias(&mut self, name: &str, target: &str, place: Place) {
        let name: Arc<str> = name.into();
        self.take(&name, place, Named::Alias(self.aliases.len()));
        self.aliases.push(Alias { name, target: target.to_owned(), place });
    }

    /// Lets this provider answer every request for a name that nothing else has.
    pub fn answers_any_name(&mut self, provider: ProviderId) {
        self.answers_any_name = Some(provider);
    }

    /// Sets how names in another spelling find their model.
    pub fn spelling(&mut self, spelling: Spelling) {
        self.spelling = Some(spelling);
    }

    /// Sets what tells, for an unknown model, the environment variable that would enable it.
    pub fn enable_hint(&mut self, hint: impl Fn(&str) -> Option<Arc<str>> + Send + Sync + 'static) {
        self.enable = Box::new(hint);
    }

    /// Compiles all of it.
    ///
    /// # Errors
    /// Everything that is wrong with routes and aliases.
    pub fn build(self) -> Result<Resolver, Vec<BuildError>> {
        compile::run(self)
    }

    fn take(&mut self, name: &Arc<str>, place: Place, named: Named) {
        if let Some((first, _)) = name.split_once('/')
            && let Some((provider, _)) = self.providers.get_key_value(first)
        {
            let kind =
                BuildErrorKind::Shadowed { name: name.as_ref().into(), provider: Arc::clone(provider) };
            self.errors.push(BuildError { place, kind });
        }
        if self.taken.contains_key(name) {
            let kind = BuildErrorKind::Duplicate { name: name.as_ref().into() };
            self.errors.push(BuildError { place, kind });
        } else {
            self.taken.insert(Arc::clone(name), named);
        }
    }

    /// Model names without provider. One that starts with a provider's name can only be that
    /// provider's model, so it is not offered for another's.
    fn short_names(&self) -> Names<SmallVec<[DeploymentId; 1]>> {
        let mut short: Names<SmallVec<[DeploymentId; 1]>> = Names::default();
        for (position, listed) in self.deployments.iter().enumerate() {
            let model = &listed.key.model;
            let first = model.split_once('/').map(|(first, _)| first);
            if first.is_none_or(|first| !self.providers.contains_key(first)) {
                short.entry(Arc::clone(model)).or_default().push(DeploymentId(index(position)));
            }
        }
        short
    }

    /// The finished table: full names win over routes and aliases, these over short names.
    fn finish(
        self,
        routes: Vec<crate::resolver::Route>,
        chains: Vec<Node>,
        balances: u32,
        aliases: &[Option<Target>],
    ) -> Resolver {
        let short = self.short_names();
        let mut names = Names::default();
        names.reserve(self.full_names.len() + short.len() + self.taken.len());
        let mut ambiguous = Vec::new();
        for (name, ids) in short {
            let target = match ids.as_slice() {
                [id] => Target::Deployment(*id),
                ids => {
                    ambiguous.push(SmallVec::from_slice(ids));
                    Target::Ambiguous(index(ambiguous.len() - 1))
                }
            };
            names.insert(name, target);
        }
        for (alias, target) in self.aliases.iter().zip(aliases) {
            if let Some(target) = target {
                names.insert(Arc::clone(&alias.name), *target);
            }
        }
        for (position, route) in routes.iter().enumerate() {
            names.insert(Arc::clone(&route.name), Target::Route(RouteId(index(position))));
        }
        for (name, id) in &self.full_names {
            names.insert(Arc::clone(name), Target::Deployment(*id));
        }
        let offered = self.taken.keys().chain(self.full_names.keys()).cloned();
        let mut has_listed = vec![false; self.provider_names.len()];
        for listed in &self.deployments {
            if let Some(has) = has_listed.get_mut(listed.provider.index()) {
                *has = true;
            }
        }
        Resolver {
            closest: Closest::new(offered),
            spellings: Spellings::new(self.spelling),
            has_listed,
            names,
            providers: self.providers,
            open_ended: self.open_ended,
            deployments: self.deployments,
            routes,
            chains,
            turns: (0..balances).map(|_| AtomicU64::new(0)).collect(),
            aliases: self.aliases.into_iter().map(|alias| alias.name).collect(),
            ambiguous,
            answers_any_name: self.answers_any_name,
            enable: self.enable,
        }
    }
}

/// Lists are far below 2³²: a configuration file is bounded to a few MiB.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
