//! The whole path, from text to snapshot.

mod balance;
mod classes;
mod deprecated;
mod dialects;
mod egress;
mod errors;
mod exporters;
mod files;
mod reload;
mod resilience;
mod tls;
mod vendors;
mod world;

use std::path::Path;
use std::sync::Arc;

use pointsman_core::Rng;
use pointsman_routing::Resolved;
use pointsman_transport::connect::{Connect, Connecting, Origin};
use pointsman_transport::{ConnectError, Upstreams};

use crate::{ConfigErrors, ConfigFile, EngineFound, Environment, Input, Override, Snapshot, prepare};

struct Nowhere;

impl Connect for Nowhere {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move { Err(ConnectError::Unknown(Arc::clone(&origin.host))) })
    }
}

/// All that a test varies.
struct World {
    upstreams: Upstreams,
    environment: Environment,
    overrides: Vec<Override>,
    engines: Vec<EngineFound>,
}

impl World {
    fn new(variables: &[(&str, &str)]) -> Self {
        Self {
            upstreams: Upstreams::new(Arc::new(Nowhere)),
            environment: variables.iter().copied().collect(),
            overrides: Vec::new(),
            engines: Vec::new(),
        }
    }

    fn over(mut self, source: &str, key: &str, values: &[&str]) -> Self {
        let values = values.iter().map(ToString::to_string).collect();
        self.overrides.push(Override { source: source.into(), key: key.into(), values });
        self
    }

    fn engine(mut self, name: &str, base_url: &str, models: &[&str]) -> Self {
        let engine = pointsman_providers::engines().iter().find(|engine| engine.name == name).unwrap();
        let models = models.iter().map(ToString::to_string).collect();
        self.engines.push(EngineFound { engine, base_url: base_url.into(), models });
        self
    }

    fn prepare(&self, text: &str, previous: Option<&Snapshot>) -> Result<Snapshot, ConfigErrors> {
        let file = ConfigFile { path: Path::new("pointsman.yaml"), text };
        let input = Input {
            file: Some(file),
            environment: &self.environment,
            overrides: &self.overrides,
            engines: &self.engines,
        };
        prepare(&input, &self.upstreams, previous)
    }

    fn sound(&self, text: &str) -> Snapshot {
        self.prepare(text, None).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn errors(&self, text: &str) -> String {
        self.prepare(text, None).unwrap_err().to_string()
    }
}

/// The full names of the candidates of a name; `dynamic` ones are marked by a `+`.
fn candidates(snapshot: &Snapshot, name: &str) -> Vec<String> {
    match snapshot.resolver.resolve(name) {
        Ok(Resolved::Known(known)) => {
            let plan = known.plan(&mut Rng::new(1), &());
            let ids = plan.candidates.iter().map(|candidate| candidate.deployment);
            ids.map(|id| snapshot.deployment(id).unwrap().name.to_string()).collect()
        }
        Ok(Resolved::Dynamic(dynamic)) => vec![format!("+{}", snapshot.dynamic(dynamic).unwrap().name)],
        Err(error) => vec![format!("error: {error}")],
    }
}
