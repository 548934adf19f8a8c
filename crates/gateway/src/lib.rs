//! The data plane: a request comes in, goes through the stages of [`pipeline`], and the response body
//! that goes out drives whatever is still to happen.
//!
//! [`Gateway`] holds what all requests share; [`Gateway::service`] is what a listener serves.

mod asked;
mod body;
mod budget;
mod control;
mod endpoints;
mod errors;
mod framing;
mod handlers;
mod headers;
mod line;
mod live;
mod meter;
mod origin;
mod pass;
mod passthrough;
mod percent;
pub mod pipeline;
mod probes;
mod query;
mod realtime;
mod recorder;
mod rescue;
mod responses;
mod service;
mod settlement;
mod simulated;
mod stream;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use pointsman_config::Snapshot;
use pointsman_core::objects::ObjectOwners;
use pointsman_core::responses::ResponseStore;
use pointsman_core::{Clock, Principal, RequestIds, SessionTable};
use pointsman_resilience::{Affinity, FailureTable};
use pointsman_telemetry::Metrics;
use pointsman_transport::Drain;
use pointsman_transport::guard::Fetcher;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use endpoints::Timeline;
use pipeline::coalesce::Together;
use responses::Responses;

pub use body::ResponseBody;
pub use passthrough::relay::Interrupted;
pub use recorder::{Recorder, RecorderThread};
pub use service::GatewayService;
pub use simulated::SimulatedConnect;

/// Sessions whose deployment is remembered at one time.
const MAX_SESSIONS: usize = 64 * 1024;

/// What all requests share.
pub struct Gateway {
    /// The current world; a request loads it once and keeps it.
    pub(crate) world: Arc<ArcSwap<Snapshot>>,
    pub(crate) clock: Clock,
    pub(crate) started: Instant,
    /// The same as the state machines count it.
    pub(crate) timeline: Timeline,
    pub(crate) ids: RequestIds,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) drain: Drain,
    /// The caller where no keys are configured.
    pub(crate) local: Arc<Principal>,
    /// Answers that are read to their end after their client left.
    pub(crate) leftovers: TaskTracker,
    /// Which sessions are kept on which deployments.
    pub(crate) affinity: Box<dyn SessionTable>,
    /// Requests that others like them wait for.
    pub(crate) together: Together,
    /// Wrong keys by address.
    pub(crate) failures: FailureTable,
    /// Whose files and batches are whose; without it there are none.
    pub(crate) objects: OnceLock<Arc<dyn ObjectOwners>>,
    /// Answers of the responses API that are kept; without it none are.
    pub(crate) responses: OnceLock<Arc<Responses>>,
    /// What gets media that clients name by address; without it none are.
    pub(crate) fetcher: OnceLock<Fetcher>,
    /// Whether the log has already said that a vendor's key was sent to a server without keys.
    pub(crate) warned_of_vendor_key: AtomicBool,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

impl Gateway {
    /// A gateway on this world. Give its [`Gateway::service`] to a listener.
    #[must_use]
    pub fn new(
        world: Arc<ArcSwap<Snapshot>>,
        clock: Clock,
        recorder: Recorder,
        metrics: Arc<Metrics>,
        drain: Drain,
    ) -> Arc<Self> {
        // Drawn, because processes in containers all have the same id of their own.
        let node = RandomState::new().build_hasher().finish();
        let gateway = Arc::new(Self {
            world,
            clock,
            started: clock.now(),
            timeline: Timeline::new(clock),
            ids: RequestIds::new(node),
            recorder,
            metrics,
            drain,
            local: Arc::default(),
            leftovers: TaskTracker::new(),
            affinity: Box::new(Affinity::new(MAX_SESSIONS)),
            together: Together::default(),
            failures: FailureTable::default(),
            objects: OnceLock::new(),
            responses: OnceLock::new(),
            fetcher: OnceLock::new(),
            warned_of_vendor_key: AtomicBool::new(false),
        });
        gateway.show_endpoints();
        gateway
    }

    /// Serves files and batches, whose owners are kept here. The first call counts.
    pub fn keep_objects(&self, owners: Arc<dyn ObjectOwners>) {
        let _ = self.objects.set(owners);
    }

    /// Keeps answers of the responses API here: who keeps which, and with `contents` those that no provider
    /// does. The first call counts.
    pub fn keep_responses(&self, store: Arc<dyn ResponseStore>, contents: bool) {
        let drops = self.metrics.queue_drops("responses");
        let _ = self.responses.set(Responses::new(store, contents, drops));
    }

    /// Gets media that clients name by address, for routes that allow it, through `fetcher`. The first call
    /// counts.
    pub fn fetch_media(&self, fetcher: Fetcher) {
        let _ = self.fetcher.set(fetcher);
    }

    /// The service for one connection, whose far end is `peer`.
    #[must_use]
    pub fn service(self: &Arc<Self>, peer: SocketAddr) -> GatewayService {
        GatewayService::new(self.clone(), peer.ip())
    }

    /// Waits for answers that go on without their client. Call after the listeners have drained.
    pub async fn finish(&self) {
        self.leftovers.close();
        self.leftovers.wait().await;
    }
}
