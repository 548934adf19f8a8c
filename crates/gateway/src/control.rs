//! Deployments as operators see and set them.

use std::sync::{Arc, Weak};

use pointsman_config::Deployment;
use pointsman_resilience::{BreakerState, EndpointStatus, Forced};
use pointsman_telemetry::EndpointSample;

use crate::Gateway;
use crate::endpoints::Site;
use crate::live::Live;

impl Gateway {
    /// Every deployment that was called since the start and is still configured, by name.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointStatus> {
        let deployments = self.world.load().all_deployments();
        let known = deployments.iter().filter_map(|deployment| {
            let site = Site::known(deployment)?;
            Some(self.status_of(deployment, site))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by(|one, other| one.deployment.cmp(&other.deployment));
        known
    }

    /// An operator's word on a deployment's breaker, given by `provider/model`. `None`: there is no such
    /// deployment.
    #[must_use]
    pub fn force_breaker(&self, name: &str, forced: Forced) -> Option<EndpointStatus> {
        let (provider, model) = name.split_once('/')?;
        let deployment = self.world.load().deployment_of(provider, model)?;
        let live = Live::of(&deployment, self)?;
        live.site.endpoint.force(forced, self.timeline.now());
        live.site.line.freed(&live.site);
        tracing::info!(deployment = name, ?forced, "a breaker was set");
        Some(self.status_of(&deployment, &live.site))
    }

    /// Has the metrics show how the deployments are doing.
    pub(crate) fn show_endpoints(self: &Arc<Self>) {
        // Weak: the gateway holds the metrics.
        let gateway: Weak<Self> = Arc::downgrade(self);
        self.metrics
            .watch_endpoints(move || gateway.upgrade().map(|gateway| gateway.samples()).unwrap_or_default());
    }

    fn samples(&self) -> Vec<EndpointSample> {
        // What callers make up gets no series of its own.
        let deployments = self.world.load().all_deployments();
        let listed = deployments.iter().filter(|deployment| deployment.listed);
        let sample = |deployment: &Arc<Deployment>| {
            let site = Site::known(deployment)?;
            let EndpointStatus { deployment, view, waiting, .. } = self.status_of(deployment, site);
            Some(EndpointSample {
                provider: deployment.provider,
                model: deployment.model,
                breaker: match view.breaker.state {
                    BreakerState::Closed => 0,
                    BreakerState::HalfOpen => 1,
                    BreakerState::Open => 2,
                },
                in_flight: view.in_flight,
                waiting: waiting as u64,
            })
        };
        listed.filter_map(sample).collect()
    }

    fn status_of(&self, deployment: &Deployment, site: &Site) -> EndpointStatus {
        EndpointStatus {
            deployment: deployment.key.clone(),
            view: site.endpoint.view(&deployment.endpoint, self.timeline.now()),
            waiting: site.line.len(),
            started_unix_us: self.clock.unix_us(self.started),
        }
    }
}
