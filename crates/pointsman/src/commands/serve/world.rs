//! The current world and how the next one comes about: a changed file, SIGHUP, an engine that came or
//! went. Prepared first, then swapped; a bad one leaves the old in place and says why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use pointsman_config::{EngineFound, Override, Snapshot};
use pointsman_telemetry::Metrics;
use pointsman_transport::Upstreams;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{engines, signals};
use crate::cli;
use crate::commands::world::Sources;
use crate::failure::Failure;

/// How often engines are looked for.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// What is served now, and what it is made from.
pub(super) struct World {
    args: cli::Serve,
    upstreams: Arc<Upstreams>,
    metrics: Arc<Metrics>,
    current: Arc<ArcSwap<Snapshot>>,
    engines: Mutex<Vec<EngineFound>>,
}

impl World {
    /// The first world: without engines, for nobody has looked yet.
    pub(super) fn open(
        args: &cli::Serve,
        upstreams: Arc<Upstreams>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Failure> {
        let snapshot = sources(args)?.prepare(&[], &upstreams, None)?;
        metrics.config_loaded(snapshot.generation);
        warn(&snapshot);
        let current = Arc::new(ArcSwap::from_pointee(snapshot));
        Ok(Arc::new(Self { args: args.clone(), upstreams, metrics, current, engines: Mutex::default() }))
    }

    /// The place that requests load from.
    pub(super) fn current(&self) -> &Arc<ArcSwap<Snapshot>> {
        &self.current
    }

    /// Looks for engines once; where they differ from those known, the world changes.
    pub(super) async fn look_for_engines(&self) {
        if !self.current.load().settings.discovery.engines {
            return;
        }
        let found = engines::probe_all(&self.upstreams).await;
        let changed = {
            let mut known = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = *known != found;
            *known = found;
            changed
        };
        if changed {
            self.reload("engines on this machine changed");
        }
    }

    /// Makes the next world. Called from one task only, so worlds follow each other in order.
    pub(super) fn reload(&self, why: &str) {
        let engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let previous = self.current.load_full();
        let started = std::time::Instant::now();
        let next = sources(&self.args)
            .and_then(|sources| sources.prepare(&engines, &self.upstreams, Some(&previous)));
        match next {
            Ok(next) => {
                let generation = next.generation;
                warn(&next);
                self.current.store(Arc::new(next));
                self.metrics.config_loaded(generation);
                let took_ms = started.elapsed().as_millis();
                tracing::info!(generation, why, took_ms, "configuration loaded");
            }
            Err(failure) => {
                self.metrics.config_failed();
                let generation = previous.generation;
                tracing::error!(
                    generation,
                    why,
                    "the configuration was refused, the old one stays:\n{failure}"
                );
            }
        }
    }

    /// Watches file, signal and engines until it is dropped.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut hangup = match signals::hangup() {
            Ok(signal) => signal,
            Err(error) => {
                tracing::error!(%error, "cannot watch for SIGHUP; restart to reload");
                return;
            }
        };
        let file = sources(&self.args).ok().and_then(|sources| sources.file).map(|(path, _)| path);
        let mut changes = file.as_deref().and_then(|file| {
            pointsman_config::watch(file)
                .inspect_err(
                    |error| tracing::warn!(%error, "cannot watch the configuration; SIGHUP reloads it"),
                )
                .ok()
        });
        let mut probe = interval_at(Instant::now() + PROBE_INTERVAL, PROBE_INTERVAL);
        probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = hangup.recv() => self.reload("SIGHUP"),
                () = next(&mut changes) => self.reload("the file changed"),
                _ = probe.tick() => {
                    self.look_for_engines().await;
                    self.upstreams.sweep();
                }
            }
        }
    }
}

/// Everything that the configuration is made from, read anew.
pub(super) fn sources(args: &cli::Serve) -> Result<Sources, Failure> {
    let mut sources = Sources::read(&args.config)?;
    if !args.listen.is_empty() {
        let values = args.listen.iter().map(ToString::to_string).collect();
        sources.overrides.push(Override { source: "--listen".into(), key: "server.listen".into(), values });
    }
    if let Some(admin) = args.admin {
        let values = vec![admin.to_string()];
        sources.overrides.push(Override { source: "--admin".into(), key: "server.admin".into(), values });
    }
    Ok(sources)
}

async fn next(changes: &mut Option<pointsman_config::Watch>) {
    match changes {
        Some(changes) => changes.changed().await,
        None => std::future::pending().await,
    }
}

fn warn(snapshot: &Snapshot) {
    for warning in &snapshot.warnings {
        tracing::warn!("{warning}");
    }
}
