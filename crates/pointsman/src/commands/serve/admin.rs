//! The control plane's listener, and what it is shown of the rest.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use pointsman_admin::{
    AdminState, AdminToken, Checked, ConfigWorld, Endpoints, LiveTail, ProviderStatus, Readiness, SetUp,
    Status,
};
use pointsman_config::domain::ProviderSource;
use pointsman_config::{ConfigErrors, ProviderKind, Settings, Snapshot};
use pointsman_core::Clock;
use pointsman_core::store::RecordReader;
use pointsman_gateway::Gateway;
use pointsman_resilience::{EndpointStatus, Forced};
use pointsman_store::{SqliteAudit, SqliteReader};
use pointsman_telemetry::Metrics;
use pointsman_transport::{Drain, Edge, Http2, ServeOptions, serve_edge};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::world::World;
use crate::commands::records::DATABASE;
use crate::failure::Failure;

/// Scrapers and operators, not traffic.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// The audit trail's file in the data folder.
const AUDIT: &str = "audit.db";
/// How long answers of the control plane may still take once everything else has ended.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What the control plane looks at.
pub(super) struct Watched<'a> {
    pub(super) settings: &'a Settings,
    pub(super) world: &'a Arc<World>,
    pub(super) gateway: &'a Arc<Gateway>,
    pub(super) metrics: &'a Arc<Metrics>,
    /// The data plane's.
    pub(super) drain: &'a Drain,
    /// Fed by the recorder.
    pub(super) tail: &'a LiveTail,
    pub(super) clock: Clock,
}

/// The running configuration, as the control plane sees and changes it.
struct Live(Arc<World>);

impl ConfigWorld for Live {
    fn file(&self) -> PathBuf {
        self.0.file()
    }

    fn check(&self, text: &str) -> Result<Checked, ConfigErrors> {
        self.0.check(text)
    }

    fn load(&self, why: &str) -> Result<u64, String> {
        self.0.apply(why).map_err(|failure| failure.to_string())
    }

    fn generation(&self) -> u64 {
        self.0.current().load().generation
    }
}

/// The deployments of the data plane.
struct Fleet(Weak<Gateway>);

impl Endpoints for Fleet {
    fn list(&self) -> Vec<EndpointStatus> {
        self.0.upgrade().map(|gateway| gateway.endpoints()).unwrap_or_default()
    }

    fn force(&self, deployment: &str, forced: Forced) -> Option<EndpointStatus> {
        self.0.upgrade()?.force_breaker(deployment, forced)
    }
}

/// The running control plane. It outlives the data plane, so that a probe sees "draining" and not a
/// refused connection.
pub(super) struct Admin {
    /// The file that holds the credential.
    pub(super) token_file: PathBuf,
    servers: JoinSet<()>,
    drain: Drain,
    tail: LiveTail,
}

impl Admin {
    /// Ends it; a request that runs may take its time within limits.
    pub(super) async fn stop(mut self) {
        self.drain.start();
        self.tail.close();
        let ended = timeout(STOP_LIMIT, async { while self.servers.join_next().await.is_some() {} });
        if ended.await.is_err() {
            self.servers.abort_all();
        }
    }
}

/// Serves the control plane on `listeners`.
pub(super) fn start(listeners: Vec<TcpListener>, watched: &Watched<'_>) -> Result<Admin, Failure> {
    let token = AdminToken::load_or_create(&watched.settings.data.dir)
        .map_err(|error| Failure::new(error.to_string()))?;
    let token_file = token.path().to_path_buf();
    let router = pointsman_admin::router(state(token, watched)?);
    let options = ServeOptions {
        connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        header_timeout: HEADER_TIMEOUT,
        max_head_bytes: MAX_HEAD_BYTES,
        max_headers: MAX_HEADERS,
    };
    let (mut servers, drain) = (JoinSet::new(), Drain::default());
    let edge = Edge { tls: watched.world.encryption().admin().cloned(), http2: Http2::Off };
    for listener in listeners {
        let router = router.clone();
        let service = move |peer| pointsman_admin::service(router.clone(), peer);
        servers.spawn(serve_edge(listener, service, options.clone(), edge.clone(), drain.clone()));
    }
    Ok(Admin { token_file, servers, drain, tail: watched.tail.clone() })
}

fn state(token: AdminToken, watched: &Watched<'_>) -> Result<AdminState, Failure> {
    let (world, metrics, clock) = (watched.world.clone(), watched.metrics.clone(), watched.clock);
    let started = clock.now();
    let status = move || {
        let snapshot = world.current().load();
        let uptime = clock.now().saturating_duration_since(started);
        let mut status = describe(&snapshot, uptime, metrics.in_flight().load(Ordering::Relaxed));
        status.warnings.extend(world.encryption().problem());
        status
    };
    let drain = watched.drain.clone();
    let readiness = move || if drain.started() { Readiness::Draining } else { Readiness::Ready };
    let data = &watched.settings.data;
    let audit = Box::new(SqliteAudit::open(data.dir.join(AUDIT))?);
    let setup = SetUp::new(Arc::new(Live(watched.world.clone())), audit, &data.dir, clock);
    let world = watched.world.clone();
    let state = AdminState::new(token, watched.metrics.clone(), status, readiness)
        .local_only(watched.settings.server.admin.ip().to_canonical().is_loopback())
        .with_setup(setup)
        // Weak: the control plane outlives the data plane, whose end lets go of the recorder.
        .with_endpoints(Fleet(Arc::downgrade(watched.gateway)))
        .with_tail(watched.tail.clone())
        .with_deployments(move || deployments(&world.current().load()));
    if !data.records {
        return Ok(state);
    }
    let database = data.dir.join(DATABASE);
    let open = move || Ok(Box::new(SqliteReader::open(&database)?) as Box<dyn RecordReader>);
    Ok(state.with_records(open))
}

fn deployments(snapshot: &Snapshot) -> Vec<(String, String)> {
    let keys = snapshot.deployments.iter().map(|deployment| &deployment.key);
    keys.map(|key| (key.provider.to_string(), key.model.to_string())).collect()
}

fn describe(snapshot: &Snapshot, uptime: Duration, in_flight: i64) -> Status {
    let providers = snapshot.providers.iter().map(|provider| ProviderStatus {
        name: provider.name.to_string(),
        kind: match provider.kind {
            ProviderKind::Api(protocol) => protocol.as_str(),
            ProviderKind::Simulated => "simulated",
        },
        source: match &provider.source {
            ProviderSource::Config => "configuration".into(),
            ProviderSource::Environment(variable) => variable.to_string(),
            ProviderSource::Engine => "found engine".into(),
            ProviderSource::BuiltIn => "built in".into(),
        },
        models: snapshot
            .deployments
            .iter()
            .filter(|deployment| deployment.key.provider == provider.name)
            .count(),
    });
    Status {
        version: env!("CARGO_PKG_VERSION"),
        config_generation: snapshot.generation,
        uptime_seconds: uptime.as_secs(),
        requests_in_flight: in_flight,
        providers: providers.collect(),
        routes: snapshot.resolver.routes().map(ToString::to_string).collect(),
        warnings: snapshot.warnings.clone(),
    }
}
