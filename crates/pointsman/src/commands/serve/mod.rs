//! `pointsman serve`: wires everything together, runs it, and takes it down in good order.

mod admin;
mod banner;
mod deprecated;
mod encryption;
pub(super) mod engines;
mod exporters;
mod listen;
mod notify;
mod signals;
mod world;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pointsman_admin::LiveTail;
use pointsman_config::{AccessLog as AccessLogTarget, LogFormat, Settings, discover_env};
use pointsman_core::Clock;
use pointsman_core::store::RecordSink;
use pointsman_gateway::{Gateway, Recorder, RecorderThread, SimulatedConnect};
use pointsman_providers::vendors;
use pointsman_store::{Retention, SqliteObjects, SqliteResponses, SqliteSink, StoreOptions};
use pointsman_telemetry::{AccessLog, Metrics, init_logging};
use pointsman_transport::connect::TcpConnect;
use pointsman_transport::guard::{Fetcher, SystemNetwork};
use pointsman_transport::{Drain, Edge, ServeOptions, Upstreams, serve_edge, tls};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::admin::Watched;
use self::banner::Banner;
use self::deprecated::Deprecated;
use self::signals::Signals;
use self::world::World;
use crate::cli;
use crate::commands::records::DATABASE;
use crate::failure::Failure;
use crate::output;

/// Largest request head, in bytes. Also the read buffer of a connection, so it bounds memory.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Most header fields of a request.
const MAX_HEADERS: usize = 100;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// The file of who owns which file and batch, in the data folder.
const OBJECTS: &str = "objects.db";
/// The file of kept answers, in the data folder.
const RESPONSES: &str = "responses.db";
/// How often the system's wall time is compared with ours.
const CLOCK_EVERY: Duration = Duration::from_secs(10);
/// Held as long as the process runs.
const LOCK: &str = "pointsman.lock";

/// Runs the server until it is told to end.
pub(crate) fn run(args: &cli::Serve) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    runtime.block_on(Box::pin(serve_until_told(args)))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve_until_told(args: &cli::Serve) -> Result<(), Failure> {
    let clock = Clock::system();
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let trusting =
        tls::client_config().map_err(|error| Failure::new(format!("cannot set up TLS: {error}")))?;
    let world = World::open(args, upstreams(TcpConnect::new(trusting), clock), metrics.clone())?;
    let settings = world.current().load().settings.clone();
    start_logging(&settings)?;
    world.warn();

    let mut signals =
        Signals::catch().map_err(|error| Failure::new(format!("cannot catch signals: {error}")))?;
    let listeners = listen::open(&settings.server.listen, "--listen")?;
    let admin_listener = listen::open(&[settings.server.admin], "--admin")?;
    let bound = addresses(&listeners)?;
    let admin_bound = addresses(&admin_listener)?;
    let data_dir = &settings.data.dir;
    std::fs::create_dir_all(data_dir).map_err(|error| {
        Failure::new(format!("cannot create {}: {error}", data_dir.display()))
            .hint("choose another folder with `--data-dir`")
    })?;
    let _lock = lock(data_dir)?;
    let tail = LiveTail::default();
    let exporting = exporters::start(&settings, &metrics, clock)?;
    let (export_sink, exporting) = exporting.unzip();
    let deprecated = Deprecated::new(world.current().clone());
    let mut sinks: Vec<Box<dyn RecordSink>> = vec![Box::new(tail.clone()), Box::new(deprecated)];
    sinks.extend(export_sink.map(|sink| Box::new(sink) as Box<dyn RecordSink>));
    let (recorder, recording) = start_recorder(&settings, &metrics, sinks)?;

    let drain = Drain::default();
    let gateway = Gateway::new(world.current().clone(), clock, recorder, metrics.clone(), drain.clone());
    gateway.keep_objects(Arc::new(SqliteObjects::open(data_dir.join(OBJECTS))?));
    let responses = SqliteResponses::open(data_dir.join(RESPONSES), settings.data.responses)?;
    gateway.keep_responses(Arc::new(responses), settings.data.keep_responses);
    gateway.fetch_media(fetcher(&settings)?);
    let mut servers = JoinSet::new();
    let options = ServeOptions {
        connections: Arc::new(Semaphore::new(settings.server.max_connections)),
        header_timeout: settings.server.header_timeout,
        max_head_bytes: MAX_HEAD_BYTES,
        max_headers: MAX_HEADERS,
    };
    let edge = Edge { tls: world.encryption().data().cloned(), http2: settings.server.http2 };
    for listener in listeners {
        let gateway = gateway.clone();
        let service = move |peer| gateway.service(peer);
        servers.spawn(serve_edge(listener, service, options.clone(), edge.clone(), drain.clone()));
    }
    if let Some(acme) = world.encryption().acme() {
        servers.spawn(acme.clone().run(drain.clone()));
    }
    servers.spawn(keep_time(clock, drain.clone()));
    servers.spawn(gateway.clone().probe());
    let watched = Watched {
        settings: &settings,
        world: &world,
        gateway: &gateway,
        metrics: &metrics,
        drain: &drain,
        tail: &tail,
        clock,
    };
    let admin = admin::start(admin_listener, &watched)?;

    // The listeners are open; looking for engines delays only the banner, and not for long.
    world.look_for_engines().await;
    let watching = tokio::spawn(world.clone().watch());
    announce(args, &world, &bound, &admin_bound, &admin.token_file)?;
    notify::ready();

    let signal = signals.end().await;
    let limit = settings.server.drain_timeout;
    tracing::info!(signal, limit_s = limit.as_secs(), "draining: no new connections, requests may finish");
    notify::stopping();
    watching.abort();
    drain.start();
    let finished = timeout(limit, async {
        while servers.join_next().await.is_some() {}
        gateway.finish().await;
    });
    tokio::select! {
        done = finished => if done.is_err() {
            tracing::warn!("requests were still running when the time to drain was over");
            servers.abort_all();
            while servers.join_next().await.is_some() {}
        },
        signal = signals.end() => tracing::warn!(signal, "told to end a second time: not waiting for requests"),
    }
    admin.stop().await;
    drop(gateway);
    world.hang_up().await;
    // Everything that was settled is written before the process ends.
    let written = move || {
        // The recorder's end drops the exporters' sink, and that tells them to finish.
        recording.join();
        if let Some(exporting) = exporting {
            exporting.join();
        }
    };
    tokio::task::spawn_blocking(written).await.map_err(|error| Failure::new(error.to_string()))
}

/// Follows the system's wall time, which is set after the start where a machine has no clock of its own, and which
/// goes on while one sleeps.
async fn keep_time(clock: Clock, drain: Drain) {
    let mut every = tokio::time::interval(CLOCK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.wait() => return,
            _ = every.tick() => if let Some(by_us) = clock.resync() {
                tracing::warn!(by_ms = by_us / 1_000, "the system's time was set: records and certificates go by it from now on");
            }
        }
    }
}

/// What gets the media that clients name by address, the way that `upstreams` say as of now.
fn fetcher(settings: &Settings) -> Result<Fetcher, Failure> {
    let tls = tls::client_config_trusting(&settings.egress.trust)
        .map_err(|error| Failure::new(format!("cannot set up TLS: {error}")))?;
    Ok(Fetcher::new(tls, Arc::new(SystemNetwork)).with_proxies(settings.egress.proxies.clone()))
}

/// Two servers on one folder would lose each other's records. The lock goes with the process.
fn lock(data_dir: &Path) -> Result<File, Failure> {
    let path = data_dir.join(LOCK);
    let cannot =
        |reason: &dyn std::fmt::Display| Failure::new(format!("cannot lock {}: {reason}", path.display()));
    let file = File::create(&path).map_err(|error| cannot(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(cannot(&"another server uses this data folder")
            .hint("stop it, or give this one a folder of its own with `--data-dir`")),
        Err(TryLockError::Error(error)) => Err(cannot(&error)),
    }
}

fn start_logging(settings: &Settings) -> Result<(), Failure> {
    let format = match settings.log.format {
        LogFormat::Text => pointsman_telemetry::LogFormat::Text,
        LogFormat::Json => pointsman_telemetry::LogFormat::Json,
    };
    init_logging(&settings.log.level, format).map_err(|error| Failure::new(error.to_string()))
}

fn start_recorder(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    others: Vec<Box<dyn RecordSink>>,
) -> Result<(Recorder, RecorderThread), Failure> {
    let mut sinks: Vec<Box<dyn RecordSink>> = Vec::new();
    if settings.data.records {
        let retention = Retention {
            max_age: Some(Duration::from_secs(u64::from(settings.data.retention_days) * SECONDS_PER_DAY)),
            max_rows: Some(settings.data.max_rows),
            ..Retention::default()
        };
        let options = StoreOptions { retention, ..StoreOptions::default() };
        sinks.push(Box::new(SqliteSink::open(settings.data.dir.join(DATABASE), options)?));
    }
    match &settings.log.access {
        AccessLogTarget::Off => {}
        AccessLogTarget::Stdout => sinks.push(Box::new(AccessLog::stdout())),
        AccessLogTarget::File(path) => sinks.push(Box::new(AccessLog::file(path)?)),
    }
    sinks.extend(others);
    Recorder::start(sinks, metrics.clone()).map_err(|error| Failure::new(format!("cannot start: {error}")))
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, Failure> {
    let addresses: Result<_, _> = listeners.iter().map(TcpListener::local_addr).collect();
    addresses.map_err(|error| Failure::new(format!("cannot listen: {error}")))
}

fn announce(
    args: &cli::Serve,
    world: &World,
    bound: &[SocketAddr],
    admin: &[SocketAddr],
    token_file: &Path,
) -> Result<(), Failure> {
    let snapshot = world.current().load();
    let sources = world::sources(args)?;
    let found = discover_env(|name| sources.environment.get(name), vendors());
    let unusable: Vec<_> = found
        .iter()
        .filter(|found| !found.usable() && snapshot.settings.discovery.env)
        .map(|found| (found.vendor.name, found.variable))
        .collect();
    let database = snapshot.settings.data.records.then(|| snapshot.settings.data.dir.join(DATABASE));
    let banner = Banner {
        listening: bound,
        snapshot: &snapshot,
        unusable: &unusable,
        config: sources.file.as_ref().map(|(path, _)| path.as_path()),
        database: database.as_deref(),
        admin: admin.first().copied().unwrap_or(snapshot.settings.server.admin),
        token_file,
    };
    output::print(&banner.to_string())
}

/// The registry of upstream connections: TCP and TLS, and the simulated provider in memory.
fn upstreams(connect: TcpConnect, clock: Clock) -> Arc<Upstreams> {
    Arc::new(Upstreams::new(Arc::new(SimulatedConnect::new(connect, clock))))
}
