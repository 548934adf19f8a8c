//! The control plane's listener, and what it is shown of the rest.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pointsman_admin::{AdminState, AdminToken, ProviderStatus, Readiness, Status};
use pointsman_config::domain::ProviderSource;
use pointsman_config::{ProviderKind, Settings, Snapshot};
use pointsman_core::Clock;
use pointsman_core::store::RecordReader;
use pointsman_store::SqliteReader;
use pointsman_telemetry::Metrics;
use pointsman_transport::{Drain, ServeOptions, serve};
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
/// How long answers of the control plane may still take once everything else has ended.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What the control plane looks at.
pub(super) struct Watched<'a> {
    pub(super) settings: &'a Settings,
    pub(super) world: &'a Arc<World>,
    pub(super) metrics: &'a Arc<Metrics>,
    /// The data plane's.
    pub(super) drain: &'a Drain,
    pub(super) clock: Clock,
}

/// The running control plane. It outlives the data plane, so that a probe sees "draining" and not a
/// refused connection.
pub(super) struct Admin {
    /// The file that holds the credential.
    pub(super) token_file: PathBuf,
    servers: JoinSet<()>,
    drain: Drain,
}

impl Admin {
    /// Ends it; a request that runs may take its time within limits.
    pub(super) async fn stop(mut self) {
        self.drain.start();
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
    let router = pointsman_admin::router(state(token, watched));
    let service = pointsman_admin::service(router);
    let options = ServeOptions {
        connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        header_timeout: HEADER_TIMEOUT,
        max_head_bytes: MAX_HEAD_BYTES,
        max_headers: MAX_HEADERS,
    };
    let (mut servers, drain) = (JoinSet::new(), Drain::default());
    for listener in listeners {
        let service = service.clone();
        servers.spawn(serve(listener, move |_peer| service.clone(), options.clone(), drain.clone()));
    }
    Ok(Admin { token_file, servers, drain })
}

fn state(token: AdminToken, watched: &Watched<'_>) -> AdminState {
    let (world, metrics, clock) = (watched.world.clone(), watched.metrics.clone(), watched.clock);
    let started = clock.now();
    let status = move || {
        let snapshot = world.current().load();
        let uptime = clock.now().saturating_duration_since(started);
        describe(&snapshot, uptime, metrics.in_flight().load(Ordering::Relaxed))
    };
    let drain = watched.drain.clone();
    let readiness = move || if drain.started() { Readiness::Draining } else { Readiness::Ready };
    let state = AdminState::new(token, watched.metrics.clone(), status, readiness);
    if !watched.settings.data.records {
        return state;
    }
    let database = watched.settings.data.dir.join(DATABASE);
    state.with_records(move || Ok(Box::new(SqliteReader::open(&database)?) as Box<dyn RecordReader>))
}

fn describe(snapshot: &Snapshot, uptime: Duration, in_flight: i64) -> Status {
    let providers = snapshot.providers.iter().map(|provider| ProviderStatus {
        name: provider.name.to_string(),
        kind: match provider.kind {
            ProviderKind::OpenAi => "openai",
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
