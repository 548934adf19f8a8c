//! The current world and how the next one comes about: a changed file, SIGHUP, an engine that came or
//! went. Prepared first, then swapped; a bad one leaves the old in place and says why.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use pointsman_admin::Checked;
use pointsman_config::{
    ConfigError, ConfigErrors, ConfigFile, EngineFound, Environment, Input, Override, Snapshot, effective,
    prepare,
};
use pointsman_telemetry::Metrics;
use pointsman_transport::Upstreams;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::encryption::Encryption;
use super::{engines, signals};
use crate::cli;
use crate::commands::world::{DEFAULT_FILE, Sources};
use crate::failure::Failure;

/// How often engines are looked for.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// What is served now, and what it is made from.
pub(super) struct World {
    args: cli::Serve,
    /// Whether there was a configuration file at the start.
    has_file: bool,
    upstreams: Arc<Upstreams>,
    metrics: Arc<Metrics>,
    current: Arc<ArcSwap<Snapshot>>,
    /// What the listeners encrypt with.
    encryption: Encryption,
    engines: Mutex<Vec<EngineFound>>,
    /// What the control plane wrote and loaded, until the file's own event has come.
    applied: Mutex<Option<Applied>>,
    /// Held while the next world is made: worlds follow each other in order.
    turn: Mutex<()>,
}

impl World {
    /// The first world: without engines, for nobody has looked yet.
    pub(super) fn open(
        args: &cli::Serve,
        upstreams: Arc<Upstreams>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Failure> {
        let sources = sources(args)?;
        let snapshot = sources.prepare(&[], &upstreams, None)?;
        metrics.config_loaded(snapshot.generation);
        let encryption = Encryption::new(&snapshot, metrics.clone())?;
        let current = Arc::new(ArcSwap::from_pointee(snapshot));
        Ok(Arc::new(Self {
            args: args.clone(),
            has_file: sources.file.is_some(),
            upstreams,
            metrics,
            current,
            encryption,
            engines: Mutex::default(),
            applied: Mutex::default(),
            turn: Mutex::default(),
        }))
    }

    /// Logs what is odd in the first world, once there is a log.
    pub(super) fn warn(&self) {
        warn(&self.current.load());
    }

    /// The place that requests load from.
    pub(super) fn current(&self) -> &Arc<ArcSwap<Snapshot>> {
        &self.current
    }

    /// What the listeners encrypt with.
    pub(super) const fn encryption(&self) -> &Encryption {
        &self.encryption
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

    /// The configuration file, or where it would be.
    pub(super) fn file(&self) -> PathBuf {
        self.args.config.config.clone().unwrap_or_else(|| DEFAULT_FILE.into())
    }

    /// What `text` comes to as the configuration file, now; nothing changes.
    pub(super) fn check(&self, text: &str) -> Result<Checked, ConfigErrors> {
        let path = self.file();
        let sources = sources(&self.args).map_err(|error| ConfigError {
            location: None,
            message: error.first().to_owned(),
            hint: None,
        })?;
        let input = Input {
            file: Some(ConfigFile { path: &path, text }),
            environment: &sources.environment,
            overrides: &sources.overrides,
            engines: &self.engines(),
        };
        let snapshot = prepare(&input, &self.upstreams, Some(&self.current.load()))?;
        Ok(Checked { effective: effective(&input)?, warnings: snapshot.warnings })
    }

    fn engines(&self) -> Vec<EngineFound> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the next world; a bad one leaves the old in place and says why in the log.
    pub(super) fn reload(&self, why: &str) {
        // Told already.
        let _ = self.try_reload(why);
    }

    /// The file has changed: a new world, unless it is the one that the control plane has just loaded.
    fn reload_file(&self) {
        let applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner).take();
        if applied.is_some_and(|applied| sources(&self.args).is_ok_and(|now| applied == Applied::of(&now))) {
            return;
        }
        self.reload("the file changed");
    }

    /// As [`Self::reload`], for a file that the control plane has just written; answers the generation.
    pub(super) fn apply(&self, why: &str) -> Result<u64, Failure> {
        let read = sources(&self.args).ok();
        let generation = self.try_reload(why)?;
        *self.applied.lock().unwrap_or_else(PoisonError::into_inner) = read.as_ref().map(Applied::of);
        Ok(generation)
    }

    fn try_reload(&self, why: &str) -> Result<u64, Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let engines = self.engines();
        let previous = self.current.load_full();
        let started = std::time::Instant::now();
        let next = sources(&self.args).and_then(|sources| {
            if self.has_file && sources.file.is_none() {
                // Without it there would be no keys, and so on: a file in the middle of being replaced.
                return Err(Failure::new("the configuration file is gone")
                    .hint("put it back, or restart without one"));
            }
            sources.prepare(&engines, &self.upstreams, Some(&previous))
        });
        match next {
            Ok(next) => {
                let generation = next.generation;
                warn(&next);
                self.encryption.follow(&next, &previous);
                self.current.store(Arc::new(next));
                self.metrics.config_loaded(generation);
                let took_ms = started.elapsed().as_millis();
                tracing::info!(generation, why, took_ms, "configuration loaded");
                Ok(generation)
            }
            Err(failure) => {
                self.metrics.config_failed();
                let generation = previous.generation;
                tracing::error!(
                    generation,
                    why,
                    "the configuration was refused, the old one stays:\n{failure}"
                );
                Err(failure)
            }
        }
    }

    /// Ends the connections to upstreams, when nothing runs on them any more.
    pub(super) async fn hang_up(&self) {
        self.upstreams.close().await;
        let egresses = self.current.load().egresses.clone();
        egresses.close().await;
    }

    /// Watches files, signal and engines until it is dropped.
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
        let mut others = Others::default();
        let mut probe = interval_at(Instant::now() + PROBE_INTERVAL, PROBE_INTERVAL);
        probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            others.follow(&self.current.load().files);
            tokio::select! {
                _ = hangup.recv() => self.reload("SIGHUP"),
                () = next(&mut changes) => self.reload_file(),
                () = next(&mut others.watch) => self.reload("a certificate changed"),
                _ = probe.tick() => {
                    self.look_for_engines().await;
                    self.upstreams.sweep();
                    self.current.load().egresses.sweep();
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

/// A configuration, by its content.
#[derive(PartialEq, Eq)]
struct Applied {
    text: Option<[u8; 32]>,
    environment: Environment,
}

impl Applied {
    fn of(sources: &Sources) -> Self {
        let text = sources.file.as_ref().map(|(_, text)| Sha256::digest(text).into());
        Self { text, environment: sources.environment.clone() }
    }
}

/// Files that the configuration names. They may be others after a reload.
#[derive(Default)]
struct Others {
    files: Vec<PathBuf>,
    watch: Option<pointsman_config::Watch>,
}

impl Others {
    fn follow(&mut self, files: &[PathBuf]) {
        if self.files == files {
            return;
        }
        self.files = files.to_vec();
        self.watch = pointsman_config::watch_files(files.iter().map(PathBuf::as_path))
            .inspect_err(|error| tracing::warn!(%error, "cannot watch certificates; SIGHUP reloads them"))
            .ok();
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::commands::world::offline;

    #[test]
    fn what_the_control_plane_loaded_is_not_loaded_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pointsman.yaml");
        let write = |level: &str| {
            let text = format!("discovery: {{ env: false, engines: false }}\nlog: {{ level: {level} }}\n");
            fs::write(&file, text).unwrap();
        };
        write("info");
        let config = cli::ConfigArgs { config: Some(file.clone()), data_dir: None };
        let args = cli::Serve { config, listen: Vec::new(), admin: None };
        let world = World::open(&args, offline(), Arc::new(Metrics::new("1"))).unwrap();
        let generation = || world.current().load().generation;
        write("debug");
        assert_eq!(world.apply("applied").unwrap(), 2);
        world.reload_file();
        assert_eq!(generation(), 2, "the event of what was applied");
        world.reload_file();
        assert_eq!(generation(), 3, "a file that was touched, so that secrets are read again");
        write("warn");
        world.apply("applied").unwrap();
        write("info");
        world.reload_file();
        assert_eq!(generation(), 5, "an edit by hand before the event");
        write("debug");
        world.apply("applied").unwrap();
        fs::write(dir.path().join(".env"), "A_VARIABLE_OF_THIS_TEST=1\n").unwrap();
        world.reload_file();
        assert_eq!(generation(), 7, "another environment");
    }
}
