//! What the control plane shows, and where it asks.

use std::fmt;
use std::sync::Arc;

use pointsman_core::store::{RecordReader, StoreError};
use pointsman_telemetry::Metrics;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::endpoints::Endpoints;
use crate::setup::SetUp;
use crate::tail::LiveTail;
use crate::token::AdminToken;

/// Questions to the record store at one time: each may read the whole file.
const READERS: usize = 2;

/// Opens a reader of request records; called on a thread that may block.
pub type OpenReader = dyn Fn() -> Result<Box<dyn RecordReader>, StoreError> + Send + Sync;

/// Everything that the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct AdminState {
    pub(crate) token: Arc<AdminToken>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) status: Arc<dyn Fn() -> Status + Send + Sync>,
    pub(crate) readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    pub(crate) records: Option<Arc<OpenReader>>,
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) tail: LiveTail,
    pub(crate) deployments: Arc<dyn Fn() -> Vec<(String, String)> + Send + Sync>,
    pub(crate) setup: Option<Arc<SetUp>>,
    pub(crate) endpoints: Option<Arc<dyn Endpoints>>,
    pub(crate) document: Arc<Value>,
    pub(crate) local_only: bool,
}

impl AdminState {
    /// A control plane that shows `metrics`, what `status` answers and, under [`Self::with_records`],
    /// request records.
    #[must_use]
    pub fn new(
        token: AdminToken,
        metrics: Arc<Metrics>,
        status: impl Fn() -> Status + Send + Sync + 'static,
        readiness: impl Fn() -> Readiness + Send + Sync + 'static,
    ) -> Self {
        Self {
            token: Arc::new(token),
            metrics,
            status: Arc::new(status),
            readiness: Arc::new(readiness),
            records: None,
            readers: Arc::new(Semaphore::new(READERS)),
            tail: LiveTail::default(),
            deployments: Arc::new(Vec::new),
            setup: None,
            endpoints: None,
            document: Arc::default(),
            local_only: false,
        }
    }

    /// The same, with request records.
    #[must_use]
    pub fn with_records(
        mut self,
        open: impl Fn() -> Result<Box<dyn RecordReader>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        self.records = Some(Arc::new(open));
        self
    }

    /// The same, with a set-up that can be seen and changed.
    #[must_use]
    pub fn with_setup(mut self, setup: SetUp) -> Self {
        self.setup = Some(Arc::new(setup));
        self
    }

    /// The same, with deployments that can be seen at work, and set.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: impl Endpoints + 'static) -> Self {
        self.endpoints = Some(Arc::new(endpoints));
        self
    }

    /// The same, with the requests that `tail` is given by the recorder.
    #[must_use]
    pub fn with_tail(mut self, tail: LiveTail) -> Self {
        self.tail = tail;
        self
    }

    /// The same, with the provider and model of every deployment that the configuration lists.
    #[must_use]
    pub fn with_deployments(
        mut self,
        list: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.deployments = Arc::new(list);
        self
    }

    /// The same for a listener that only this machine can reach: requests must call it by a name of this
    /// machine, which a page that leads here by another (DNS rebinding) cannot.
    #[must_use]
    pub const fn local_only(mut self, local_only: bool) -> Self {
        self.local_only = local_only;
        self
    }
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").field("records", &self.records.is_some()).finish_non_exhaustive()
    }
}

/// Whether new requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// The data plane does not listen yet.
    Starting,
    /// Yes.
    Ready,
    /// The process ends as soon as its requests have.
    Draining,
}

/// What `GET /admin/v1/status` answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// The generation of the configuration in force.
    pub config_generation: u64,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Requests that have not ended.
    pub requests_in_flight: i64,
    /// Every provider, in the order of the configuration.
    pub providers: Vec<ProviderStatus>,
    /// Names of routes.
    pub routes: Vec<String>,
    /// What is odd about the configuration but no error.
    pub warnings: Vec<String>,
}

/// One provider.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProviderStatus {
    /// Its configured name.
    pub name: String,
    /// `openai` or `simulated`.
    pub kind: &'static str,
    /// Where it comes from: the configuration, a variable, a found engine.
    pub source: String,
    /// How many models it lists.
    pub models: usize,
}
