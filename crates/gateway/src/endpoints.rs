//! How deployments and routes are doing. Both kinds of state outlive the configuration that named them: the next
//! world is handed the slots that they are in.

use std::sync::Arc;
use std::time::Duration;

use pointsman_config::{Deployment, RouteOptions};
use pointsman_core::Clock;
use pointsman_resilience::{Ask, Endpoint, EndpointPolicy, HedgeShare, Refusal, RetryBudget};
use tokio::time::Instant;

use crate::line::Line;
use crate::pass::Pass;

/// Time as the state machines count it: since the process began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    clock: Clock,
    start: Instant,
}

impl Timeline {
    /// Begins now.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, start: clock.now() }
    }

    /// Now.
    pub(crate) fn now(&self) -> Duration {
        self.at(self.clock.now())
    }

    /// At this moment.
    pub(crate) fn at(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start)
    }

    /// The moment at which so much time has passed.
    pub(crate) fn instant(&self, since_start: Duration) -> Instant {
        self.start + since_start
    }
}

/// What is known of a deployment's present state, and who waits for it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) line: Line,
    pub(crate) timeline: Timeline,
}

impl Site {
    /// That of this deployment, made at its first use.
    pub(crate) fn of(deployment: &Deployment, timeline: Timeline) -> Arc<Self> {
        let keys = deployment.provider.auth.len();
        let new = || {
            let endpoint = Arc::new(Endpoint::new(keys));
            Arc::new(Self { endpoint, line: Line::default(), timeline })
        };
        // Nobody else fills the slot, so that it never holds anything else.
        deployment.health.get_or_init(new).cloned().unwrap_or_else(new)
    }

    /// That of a deployment that was called before.
    pub(crate) fn known(deployment: &Deployment) -> Option<&Arc<Self>> {
        deployment.health.get()
    }

    /// Leave to call it once. Whoever waits comes first.
    ///
    /// # Errors
    /// Why not now.
    pub(crate) fn enter(
        self: &Arc<Self>,
        policy: &Arc<EndpointPolicy>,
        ask: Ask,
        now: Duration,
    ) -> Result<Pass, Refusal> {
        if !ask.forced && !self.line.is_empty() {
            return Err(Refusal::Busy);
        }
        self.endpoint.admit(policy, ask, now).map(|ticket| Pass::new(ticket, self.clone()))
    }
}

/// What the requests of a route share.
#[derive(Debug, Default)]
pub(crate) struct RouteSite {
    pub(crate) budget: RetryBudget,
    pub(crate) hedges: HedgeShare,
}

impl RouteSite {
    /// That of this route, kept with it after its first request.
    pub(crate) fn of(route: &RouteOptions) -> Option<&Self> {
        route.state.get_or_init(Self::default)
    }
}
