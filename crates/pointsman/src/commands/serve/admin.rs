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

use super::world::World;
use crate::commands::records::DATABASE;
use crate::failure::Failure;

/// Scrapers and operators, not traffic.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// What the control plane looks at.
pub(super) struct Watched<'a> {
    pub(super) settings: &'a Settings,
    pub(super) world: &'a Arc<World>,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) drain: &'a Drain,
    pub(super) clock: Clock,
}

/// Serves the control plane on `listeners`; returns the file that holds its credential.
pub(super) fn start(
    servers: &mut JoinSet<()>,
    listeners: Vec<TcpListener>,
    watched: &Watched<'_>,
) -> Result<PathBuf, Failure> {
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
    for listener in listeners {
        let service = service.clone();
        servers.spawn(serve(listener, move |_peer| service.clone(), options.clone(), watched.drain.clone()));
    }
    Ok(token_file)
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
