//! Names to targets: built once for a snapshot, one hash look-up for a request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pointsman_core::{ModelRef, Rng};
use smallvec::{SmallVec, smallvec};

use crate::balance::Balance;
use crate::closest::{Closest, truncate};
use crate::error::ResolveError;
use crate::plan::{Candidate, Plan, Reason, Walk};
use crate::spec::{BalanceId, ChainId, DeploymentId, Node, ProviderId, RouteId};
use crate::spelling::{Meant, Spellings};
use crate::suffix::{self, KNOWN_SUFFIXES};

/// How many close names an error offers.
const CLOSEST: usize = 3;
/// How much of an unknown name an error repeats, in bytes.
const MAX_ECHO: usize = 100;
/// Longest name that is looked for where no list holds it, in bytes: names come from callers, and those of
/// models that are not listed are kept.
const MAX_NAME_BYTES: usize = 512;

/// A hash table with names as keys. The keys come from the configuration, never from callers.
pub(crate) type Names<V> = HashMap<Arc<str>, V, foldhash::fast::RandomState>;

/// Says which environment variable would enable a provider of a model, if there is one.
pub(crate) type Enable = Box<dyn Fn(&str) -> Option<Arc<str>> + Send + Sync>;

/// Every name that a request may use, and the compiled routes.
pub struct Resolver {
    pub(crate) names: Names<Target>,
    pub(crate) providers: Names<ProviderId>,
    pub(crate) open_ended: Vec<bool>,
    pub(crate) deployments: Vec<Listed>,
    pub(crate) routes: Vec<Route>,
    pub(crate) chains: Vec<Node>,
    /// One for each `balance` node.
    pub(crate) turns: Box<[AtomicU64]>,
    pub(crate) aliases: Vec<Arc<str>>,
    pub(crate) ambiguous: Vec<SmallVec<[DeploymentId; 4]>>,
    pub(crate) answers_any_name: Option<ProviderId>,
    pub(crate) closest: Closest,
    pub(crate) spellings: Spellings,
    /// Whether a provider has deployments that are listed.
    pub(crate) has_listed: Vec<bool>,
    pub(crate) enable: Enable,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Deployment(DeploymentId),
    Route(RouteId),
    /// Index into `ambiguous`.
    Ambiguous(u32),
}

/// A deployment as the resolver knows it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) provider: ProviderId,
    pub(crate) key: ModelRef,
    /// `provider/model`.
    pub(crate) full_name: Arc<str>,
}

/// A compiled route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    pub(crate) node: Node,
}

/// What a request's model name leads to.
#[derive(Clone, Copy, Debug)]
pub enum Resolved<'a> {
    /// Something that the snapshot holds.
    Known(Known<'a>),
    /// A model of a provider that takes any name: the caller makes the deployment.
    Dynamic(DynamicDeployment<'a>),
}

/// A name that leads to a route or a deployment of the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    resolver: &'a Resolver,
    name: &'a Arc<str>,
    target: KnownTarget,
}

#[derive(Clone, Copy, Debug)]
enum KnownTarget {
    Deployment(DeploymentId),
    Route(RouteId),
}

/// A model that no list holds, of a provider that takes any name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynamicDeployment<'a> {
    /// Index into the snapshot's providers.
    pub provider: ProviderId,
    /// The upstream model id.
    pub model: &'a str,
}

impl Resolver {
    /// What `name` leads to: `provider/model` where the first segment is a configured provider,
    /// else a route, an alias, or a model name that only one provider has; else one of these in another
    /// spelling.
    ///
    /// # Errors
    /// Where nothing, or more than one model, has this name.
    pub fn resolve<'a>(&'a self, name: &'a str) -> Result<Resolved<'a>, ResolveError> {
        self.look_up(name, true)
    }

    /// The same without other spellings: for names that grant something.
    ///
    /// # Errors
    /// Where nothing, or more than one model, has exactly this name.
    pub fn resolve_exactly<'a>(&'a self, name: &'a str) -> Result<Resolved<'a>, ResolveError> {
        self.look_up(name, false)
    }

    fn look_up<'a>(&'a self, name: &'a str, respell: bool) -> Result<Resolved<'a>, ResolveError> {
        let (name, _) = suffix::split(name, KNOWN_SUFFIXES);
        if let Some((key, target)) = self.names.get_key_value(name) {
            return self.known(key, *target).map(Resolved::Known);
        }
        if name.len() > MAX_NAME_BYTES {
            let name = truncate(name, MAX_ECHO).into();
            return Err(ResolveError::Unknown { name, closest: Vec::new(), enable: None });
        }
        if let Some((first, model)) = name.split_once('/')
            && let Some(&provider) = self.providers.get(first)
        {
            if respell
                && self.has_listed.get(provider.index()) == Some(&true)
                && let [id] = *self.spellings.within(&self.deployments, provider, model)
                && let Some(known) = self.respelt(id)
            {
                return Ok(Resolved::Known(known));
            }
            return match self.is_open_ended(provider) && !model.is_empty() {
                true => Ok(Resolved::Dynamic(DynamicDeployment { provider, model })),
                false => Err(self.unknown(name)),
            };
        }
        if respell && let Some(meant) = self.meant(name) {
            return meant.map(Resolved::Known);
        }
        match self.answers_any_name {
            Some(provider) if !name.is_empty() => {
                Ok(Resolved::Dynamic(DynamicDeployment { provider, model: name }))
            }
            _ => Err(self.unknown(name)),
        }
    }

    /// What has this name in another spelling; `None`: nothing.
    fn meant(&self, name: &str) -> Option<Result<Known<'_>, ResolveError>> {
        let meant = self.spellings.meant(&self.deployments, self.own_names(), name);
        let choices: Vec<Arc<str>> = match &meant {
            Meant::Own(names) => match names.as_slice() {
                [] => return None,
                [name] => {
                    let (key, target) = self.names.get_key_value(name)?;
                    return Some(self.known(key, *target));
                }
                names => names.to_vec(),
            },
            Meant::Deployments(ids) => match **ids {
                [id] => return self.respelt(id).map(Ok),
                ref ids => ids.iter().filter_map(|id| self.full_name(*id).cloned()).collect(),
            },
        };
        Some(Err(ResolveError::Ambiguous { name: truncate(name, MAX_ECHO).into(), choices }))
    }

    /// Names that the configuration gave.
    fn own_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.routes().chain(self.aliases())
    }

    /// Every deployment in the order of [`DeploymentId`]: its provider and its key.
    pub fn deployments(&self) -> impl ExactSizeIterator<Item = (ProviderId, &ModelRef)> {
        self.deployments.iter().map(|listed| (listed.provider, &listed.key))
    }

    /// `provider/model` of a deployment.
    #[must_use]
    pub fn full_name(&self, id: DeploymentId) -> Option<&Arc<str>> {
        self.deployments.get(id.index()).map(|listed| &listed.full_name)
    }

    /// The names of all routes, in the order of [`RouteId`].
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.routes.iter().map(|route| &route.name)
    }

    /// The names of all aliases, in the order of writing.
    pub fn aliases(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.aliases.iter()
    }

    /// Up to `count` known names that are close to `name`, closest first.
    #[must_use]
    pub fn closest(&self, name: &str, count: usize) -> Vec<Arc<str>> {
        self.closest.find(name, count, 0.0)
    }

    /// `error` without the names that `may` refuses: what a caller is told who may not use everything.
    #[must_use]
    pub fn permitted(&self, error: ResolveError, may: impl Fn(&str) -> bool) -> ResolveError {
        let name = match error {
            ResolveError::Unknown { name, .. } => name,
            ResolveError::Ambiguous { name, mut choices } => {
                choices.retain(|choice| may(choice));
                if !choices.is_empty() {
                    return ResolveError::Ambiguous { name, choices };
                }
                name
            }
        };
        let closest = self.closest.find_among(&name, CLOSEST, 0.0, may);
        ResolveError::Unknown { name, closest, enable: None }
    }

    /// The candidates of a chain, ordered as those of a route are.
    #[must_use]
    pub fn chain(&self, id: ChainId, rng: &mut Rng, balance: &dyn Balance) -> SmallVec<[Candidate; 2]> {
        let mut walk = Walk { resolver: self, rng, balance, candidates: SmallVec::new() };
        if let Some(node) = self.chains.get(id.index()) {
            walk.visit(node, Reason::Fallback);
        }
        walk.candidates
    }

    /// Whose turn it is in a `balance` node: counts up with every plan that asks.
    #[must_use]
    pub fn turn(&self, id: BalanceId) -> Option<&AtomicU64> {
        self.turns.get(id.index())
    }

    /// What a node asks first, as far as that is known without drawing: the heaviest branch of `split`, the
    /// first one written of `balance`.
    pub(crate) fn first_leaf<'n>(&'n self, mut node: &'n Node) -> Option<DeploymentId> {
        loop {
            node = match node {
                Node::Model(id) => return Some(*id),
                Node::Route(id) => self.route_node(*id)?,
                Node::First(nodes) => nodes.first()?,
                Node::Split { branches, .. } => &branches.first()?.to,
                Node::Balance(node) => &node.branches.first()?.to,
            };
        }
    }

    pub(crate) fn route_node(&self, id: RouteId) -> Option<&Node> {
        self.routes.get(id.index()).map(|route| &route.node)
    }

    pub(crate) fn unknown(&self, name: &str) -> ResolveError {
        ResolveError::Unknown {
            name: truncate(name, MAX_ECHO).into(),
            closest: self.closest.find(name, CLOSEST, 0.0),
            enable: (self.enable)(name),
        }
    }

    fn is_open_ended(&self, provider: ProviderId) -> bool {
        self.open_ended.get(provider.index()).copied().unwrap_or(false)
    }

    /// A deployment that was named in another spelling, under its own name.
    fn respelt(&self, id: DeploymentId) -> Option<Known<'_>> {
        let name = self.full_name(id)?;
        Some(Known { resolver: self, name, target: KnownTarget::Deployment(id) })
    }

    fn known<'a>(&'a self, name: &'a Arc<str>, target: Target) -> Result<Known<'a>, ResolveError> {
        let target = match target {
            Target::Deployment(id) => KnownTarget::Deployment(id),
            Target::Route(id) => KnownTarget::Route(id),
            Target::Ambiguous(index) => {
                let choices = self.ambiguous.get(index as usize).into_iter().flatten();
                let choices = choices.filter_map(|id| self.full_name(*id).cloned()).collect();
                return Err(ResolveError::Ambiguous { name: name.as_ref().into(), choices });
            }
        };
        Ok(Known { resolver: self, name, target })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("names", &self.names.len())
            .field("deployments", &self.deployments.len())
            .field("routes", &self.routes.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Known<'a> {
    /// The name as the client wrote it, shared.
    #[must_use]
    pub const fn name(&self) -> &'a Arc<str> {
        self.name
    }

    /// The deployment that the name stands for; `None` where it stands for a route.
    #[must_use]
    pub const fn deployment(&self) -> Option<DeploymentId> {
        match self.target {
            KnownTarget::Deployment(id) => Some(id),
            KnownTarget::Route(_) => None,
        }
    }

    /// What permissions are also compared with: the route's name, or `provider/model`.
    #[must_use]
    pub fn canonical_name(&self) -> &'a Arc<str> {
        let found = match self.target {
            KnownTarget::Deployment(id) => self.resolver.full_name(id),
            KnownTarget::Route(id) => self.resolver.routes.get(id.index()).map(|route| &route.name),
        };
        found.unwrap_or(self.name)
    }

    /// The ordered candidates. Draws come from `rng`, so that a request's plan replays exactly, and the orders of
    /// `balance` nodes from `balance`; `&()` keeps them as written. Allocates nothing for a single deployment.
    #[must_use]
    pub fn plan(&self, rng: &mut Rng, balance: &dyn Balance) -> Plan {
        let name = Arc::clone(self.name);
        match self.target {
            KnownTarget::Deployment(deployment) => Plan {
                name,
                route: None,
                route_id: None,
                candidates: smallvec![Candidate { deployment, reason: Reason::Named }],
            },
            KnownTarget::Route(id) => {
                let mut walk = Walk { resolver: self.resolver, rng, balance, candidates: SmallVec::new() };
                let route = self.resolver.routes.get(id.index());
                if let Some(route) = route {
                    walk.visit(&route.node, Reason::First);
                }
                let candidates = walk.candidates;
                Plan {
                    name,
                    route: route.map(|route| Arc::clone(&route.name)),
                    route_id: Some(id),
                    candidates,
                }
            }
        }
    }
}
