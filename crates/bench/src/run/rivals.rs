//! Other gateways under the same load on the same mock, beside Pointsman and the floor. One short round:
//! enough to tell orders of magnitude, not percents.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::measure::mebibytes;
use super::{Bench, say, usual_shape};
use crate::load::Shape;
use crate::machine;
use crate::sample;
use crate::server::{Fleet, Program, RIVAL_KEY, RIVAL_MODEL, Server};

/// Connections of the closed loop.
const CONNECTIONS: usize = 16;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary under test.
    pub pointsman: PathBuf,
    /// The `litellm` program, and its version.
    pub litellm: (PathBuf, String),
    /// Portkey's `start-server.js`, and its version.
    pub portkey: (PathBuf, String),
    /// How long each figure is measured.
    pub measure: Duration,
}

/// What one of them cost.
#[derive(Clone, Debug)]
pub struct Row {
    /// For people.
    pub name: String,
    /// Requests a second at 16 connections.
    pub per_second: f64,
    /// Processor time for each of them, µs; `None` for the direct call.
    pub cpu_us: Option<f64>,
    /// Latency at one connection, µs.
    pub p50_us: f64,
    /// See `p50_us`.
    pub p99_us: f64,
    /// Resident memory after the load, MiB.
    pub resident: Option<f64>,
}

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Rivals {
    /// In the order of the report.
    pub rows: Vec<Row>,
    /// The machine's load average before the run.
    pub load_before: f64,
}

/// Runs them, one after the other.
///
/// # Errors
/// Where one cannot be started or any request fails.
pub async fn run(options: &Options) -> io::Result<Rivals> {
    let load_before = machine::load_average();
    let bench = Bench::start(options.measure).await?;
    let rival = |headers| Shape {
        keys: vec![RIVAL_KEY.into()],
        models: vec![RIVAL_MODEL.into()],
        headers,
        ..Shape::default()
    };
    // Portkey takes the upstream from each request.
    let headers = vec![
        "x-portkey-provider: openai".into(),
        format!("x-portkey-custom-host: http://{}/v1", bench.upstream),
    ];
    let pointsman = Program::Pointsman {
        binary: options.pointsman.clone(),
        records: true,
        access_log: true,
        fleet: Fleet::SMALL,
        webhook: None,
    };
    let (litellm, portkey) = (&options.litellm, &options.portkey);
    let all = [
        ("direct".to_owned(), None, usual_shape()),
        ("floor".to_owned(), Some(Program::Floor), usual_shape()),
        ("Pointsman, with records and access log".to_owned(), Some(pointsman), usual_shape()),
        (
            format!("Portkey gateway {}", portkey.1),
            Some(Program::Portkey { script: portkey.0.clone() }),
            rival(headers),
        ),
        (
            format!("LiteLLM proxy {}", litellm.1),
            Some(Program::LiteLlm { binary: litellm.0.clone() }),
            rival(Vec::new()),
        ),
    ];
    let mut rows = Vec::new();
    for (name, program, shape) in all {
        say(&name)?;
        rows.push(bench.rival(name, program.as_ref(), Arc::new(shape)).await?);
    }
    Ok(Rivals { rows, load_before })
}

impl Bench {
    async fn rival(&self, name: String, program: Option<&Program>, shape: Arc<Shape>) -> io::Result<Row> {
        let server = program.map(|program| Server::start(program, self.upstream, self.cores)).transpose()?;
        let address = server.as_ref().map_or(self.upstream, |server| server.address);
        let pid = server.as_ref().map(Server::pid);
        let closed = self.closed(address, pid, &shape, CONNECTIONS).await?;
        let alone = self.closed(address, pid, &shape, 1).await?;
        Ok(Row {
            name,
            per_second: closed.per_second,
            cpu_us: closed.cpu_us,
            p50_us: alone.taken.latency_us(50.0),
            p99_us: alone.taken.latency_us(99.0),
            resident: pid.map(|pid| sample::resident(pid).map(mebibytes)).transpose()?,
        })
    }
}
