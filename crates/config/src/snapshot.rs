//! One immutable world: everything that a request needs to know, loaded once and kept by it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use pointsman_core::{KeyDirectory, ModelRef, Rng};
use pointsman_routing::{
    Balance, ChainId, DeploymentId, DynamicDeployment, ProviderId, Resolved, Resolver, RouteId,
};
use pointsman_transport::egress::Egresses;
use pointsman_transport::tls::server::ServerIdentity;
use smallvec::SmallVec;

use crate::compose::Pricing;
use crate::domain::{Deployment, KeyRules, Provider, RouteOptions, Settings};

/// Deployments of models that no list holds, kept for their next use. Beyond, they are made for each
/// request anew: names come from callers.
pub(crate) const MAX_DYNAMIC: usize = 1_024;

/// One immutable world of configuration. Its parts are shared between generations.
pub struct Snapshot {
    /// Counts up by one with every swap.
    pub generation: u64,
    /// Settings of the process. Addresses and data paths take effect at the next start only.
    pub settings: Arc<Settings>,
    /// Names to candidates.
    pub resolver: Resolver,
    /// By [`ProviderId`].
    pub providers: Vec<Arc<Provider>>,
    /// By [`DeploymentId`].
    pub deployments: Vec<Arc<Deployment>>,
    /// By [`RouteId`].
    pub routes: Vec<Arc<RouteOptions>>,
    /// Options of names that are not routes.
    pub no_route: Arc<RouteOptions>,
    /// What encrypts the data plane's connections, where it comes from files.
    pub tls: Option<ServerIdentity>,
    /// What encrypts the control plane's connections.
    pub admin_tls: Option<ServerIdentity>,
    /// Files that it was made from, besides the configuration and secrets: when they change, the next
    /// world is due.
    pub files: Vec<PathBuf>,
    /// Connections that do not go the usual way; kept across reloads.
    pub egresses: Arc<Egresses>,
    /// Client keys.
    pub keys: Arc<dyn KeyDirectory>,
    /// What keys may call besides what is served.
    pub key_rules: KeyRules,
    /// The version of the price list.
    pub price_version: u32,
    /// What is odd but no error, ready to be logged.
    pub warnings: Vec<String>,
    pub(crate) pricing: Pricing,
    pub(crate) dynamic: Mutex<HashMap<ModelRef, Arc<Deployment>>>,
}

impl Snapshot {
    /// The deployment with this id, which the resolver of this same snapshot gave.
    #[must_use]
    pub fn deployment(&self, id: DeploymentId) -> Option<&Arc<Deployment>> {
        self.deployments.get(id.index())
    }

    /// The provider with this id.
    #[must_use]
    pub fn provider(&self, id: ProviderId) -> Option<&Arc<Provider>> {
        self.providers.get(id.index())
    }

    /// The provider of this name.
    #[must_use]
    pub fn provider_named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| &*provider.name == name)
    }

    /// The options of a plan's route.
    #[must_use]
    pub fn route(&self, id: Option<RouteId>) -> &Arc<RouteOptions> {
        id.and_then(|id| self.routes.get(id.index())).unwrap_or(&self.no_route)
    }

    /// Whether any path that is not served is let through for anybody.
    #[must_use]
    pub fn passes_through(&self) -> bool {
        !self.key_rules.is_empty() || self.routes.iter().any(|route| !route.pass_through.is_empty())
    }

    /// A provider's deployment where no model was named: `stand_in` takes the name's place in records.
    #[must_use]
    pub fn any_model(&self, provider: &str, stand_in: &str) -> Option<Arc<Deployment>> {
        let position = self.providers.iter().position(|known| &*known.name == provider)?;
        let provider = ProviderId(u32::try_from(position).ok()?);
        self.dynamic(DynamicDeployment { provider, model: stand_in })
    }

    /// A provider's deployment of this model: the configured one, or one that is made now.
    #[must_use]
    pub fn deployment_of(&self, provider: &str, model: &str) -> Option<Arc<Deployment>> {
        match self.resolver.resolve(&format!("{provider}/{model}")).ok()? {
            Resolved::Known(known) => self.deployment(known.deployment()?).cloned(),
            Resolved::Dynamic(dynamic) => self.dynamic(dynamic),
        }
    }

    /// The deployment with exactly this key, if it is there.
    pub(crate) fn deployment_at(&self, key: &ModelRef) -> Option<Arc<Deployment>> {
        match self.resolver.resolve_exactly(&key.to_string()).ok()? {
            Resolved::Known(known) => {
                self.deployment(known.deployment()?).filter(|found| found.key == *key).cloned()
            }
            Resolved::Dynamic(_) => {
                self.dynamic.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
            }
        }
    }

    /// The deployments of a chain, ordered as those of a route are.
    #[must_use]
    pub fn chain(&self, id: ChainId, rng: &mut Rng, balance: &dyn Balance) -> SmallVec<[Arc<Deployment>; 2]> {
        let candidates = self.resolver.chain(id, rng, balance);
        candidates.iter().filter_map(|candidate| self.deployment(candidate.deployment).cloned()).collect()
    }

    /// Every deployment: those of the resolver, and those of models that no list holds as far as they are kept.
    #[must_use]
    pub fn all_deployments(&self) -> Vec<Arc<Deployment>> {
        let dynamic = self.dynamic.lock().unwrap_or_else(PoisonError::into_inner);
        self.deployments.iter().chain(dynamic.values()).cloned().collect()
    }

    /// The deployment of a model that no list holds. The first thousand are kept.
    #[must_use]
    pub fn dynamic(&self, wanted: DynamicDeployment<'_>) -> Option<Arc<Deployment>> {
        let provider = self.provider(wanted.provider)?;
        let key = ModelRef { provider: Arc::clone(&provider.name), model: wanted.model.into() };
        let mut dynamic = self.dynamic.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = dynamic.get(&key) {
            return Some(Arc::clone(known));
        }
        let mut deployment = self.pricing.deployment(key.clone(), provider, &mut BytesMut::new());
        deployment.listed = deployment.mode.is_some();
        if dynamic.len() >= MAX_DYNAMIC {
            deployment.health = Arc::clone(&provider.others);
            return Some(Arc::new(deployment));
        }
        let deployment = Arc::new(deployment);
        dynamic.insert(key, Arc::clone(&deployment));
        Some(deployment)
    }

    /// Whether only the simulated provider is there.
    #[must_use]
    pub fn simulated_only(&self) -> bool {
        self.providers.iter().all(|provider| provider.simulated())
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("providers", &self.providers)
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}
