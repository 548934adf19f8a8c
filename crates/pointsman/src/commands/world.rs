//! The configuration as commands read it: where the file is, `.env` beside it, the command line on top.
//! `serve` and the other commands go the same way, so that `check` checks what `serve` would run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pointsman_config::{ConfigFile, EngineFound, Environment, Input, Override, Snapshot, prepare};
use pointsman_transport::connect::{ConnectError, Connecting, TcpConnect};
use pointsman_transport::{Connect, Origin, Upstreams, tls};
use tokio::runtime::{self, Runtime};

use super::serve::engines;
use crate::cli::ConfigArgs;
use crate::failure::Failure;

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "pointsman.yaml";
/// Beside the configuration, or in the working directory without one.
const DOTENV: &str = ".env";

/// What a configuration is made from, read from disk.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Path and text; `None` without a configuration, which is fine.
    pub(crate) file: Option<(PathBuf, String)>,
    /// The process's variables and those of `.env`.
    pub(crate) environment: Environment,
    /// From the command line.
    pub(crate) overrides: Vec<Override>,
}

impl Sources {
    /// Reads what `args` name.
    pub(crate) fn read(args: &ConfigArgs) -> Result<Self, Failure> {
        let file = match &args.config {
            Some(path) => Some((path.clone(), read_named(path)?)),
            None => read_default()?,
        };
        let folder = file.as_ref().and_then(|(path, _)| path.parent()).unwrap_or(Path::new(""));
        let environment = Environment::of_process()
            .with_dotenv(&folder.join(DOTENV))
            .map_err(|error| Failure::new(error.to_string()))?;
        let overrides = args.data_dir.as_deref().map(data_dir_override).transpose()?;
        Ok(Self { file, environment, overrides: overrides.into_iter().collect() })
    }

    /// The world that these sources describe, with `engines` found on this machine.
    pub(crate) fn prepare(
        &self,
        engines: &[EngineFound],
        upstreams: &Upstreams,
        previous: Option<&Snapshot>,
    ) -> Result<Snapshot, Failure> {
        let file = self.file.as_ref().map(|(path, text)| ConfigFile { path, text });
        let input = Input { file, environment: &self.environment, overrides: &self.overrides, engines };
        Ok(prepare(&input, upstreams, previous)?)
    }

    /// The world with the engines that now run on this machine, where the configuration looks for them.
    pub(crate) async fn discover(&self, upstreams: &Arc<Upstreams>) -> Result<Snapshot, Failure> {
        let snapshot = self.prepare(&[], upstreams, None)?;
        if !snapshot.settings.discovery.engines {
            return Ok(snapshot);
        }
        let engines = engines::probe_all(upstreams).await;
        if engines.is_empty() { Ok(snapshot) } else { self.prepare(&engines, upstreams, None) }
    }
}

/// For commands that call somebody and then end.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))
}

/// Upstreams that can be called.
pub(crate) fn online() -> Result<Arc<Upstreams>, Failure> {
    let tls = tls::client_config().map_err(|error| Failure::new(format!("cannot set up TLS: {error}")))?;
    Ok(Arc::new(Upstreams::new(Arc::new(TcpConnect::new(tls)))))
}

/// Upstreams for commands that call nobody: quick to make.
pub(crate) fn offline() -> Arc<Upstreams> {
    Arc::new(Upstreams::new(Arc::new(Offline)))
}

/// The folder of records: as given, else as the configuration says.
pub(crate) fn data_dir(args: &ConfigArgs) -> Result<PathBuf, Failure> {
    if let Some(dir) = &args.data_dir {
        return Ok(dir.clone());
    }
    let snapshot = Sources::read(args)?.prepare(&[], &offline(), None).map_err(|failure| {
        // The shell that asks may lack the secrets of the one that serves.
        let hint = "`--data-dir DIR` reads records without a configuration";
        Failure::new(format!("the configuration names the data folder, and is wrong: {}", failure.first()))
            .hint(hint)
    })?;
    Ok(snapshot.settings.data.dir.clone())
}

fn read_named(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        let failure = Failure::new(format!("cannot read {}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::NotFound => {
                failure.hint(format!("`pointsman init {}` writes one to start from", path.display()))
            }
            _ => failure,
        }
    })
}

fn read_default() -> Result<Option<(PathBuf, String)>, Failure> {
    match fs::read_to_string(DEFAULT_FILE) {
        Ok(text) => Ok(Some((PathBuf::from(DEFAULT_FILE), text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("cannot read {DEFAULT_FILE}: {error}"))),
    }
}

/// Absolute, because paths of the configuration are relative to its file.
fn data_dir_override(dir: &Path) -> Result<Override, Failure> {
    let path = std::path::absolute(dir)
        .map_err(|error| Failure::new(format!("--data-dir {}: {error}", dir.display())))?;
    let text = path.to_str().ok_or_else(|| Failure::new("--data-dir must be UTF-8"))?;
    Ok(Override { source: "--data-dir".into(), key: "data.dir".into(), values: vec![text.to_owned()] })
}

/// Connects to nobody.
#[derive(Debug)]
struct Offline;

impl Connect for Offline {
    fn connect<'a>(&'a self, _: &'a Origin) -> Connecting<'a> {
        Box::pin(async { Err(ConnectError::Io(io::ErrorKind::Unsupported.into())) })
    }
}
