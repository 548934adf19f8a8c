//! Faulty providers and the real binary in front of them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::Clock;
use pointsman_core::store::{CostBy, RecordReader};
use pointsman_store::SqliteReader;
use pointsman_testkit::chaos::Row;
use pointsman_testkit::faults::{Attempt, FaultServer, Injector, emitted};
use tokio::time::timeout;

use super::client::Client;
use crate::machine::Cores;
use crate::server::{Program, Remains, Server};

/// How long providers may still be at work when all clients have their answers.
const REST: Duration = Duration::from_secs(10);
/// A second key of a provider.
pub(super) const SECOND_KEY: (&str, &str) = ("CHAOS_KEY_2", "sk-chaos-0002");
/// Further ones.
const MORE_KEYS: [(&str, &str); 2] = [("CHAOS_KEY_3", "sk-chaos-0003"), ("CHAOS_KEY_4", "sk-chaos-0004")];

/// Providers that fail as they are told, a gateway and its clients.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) client: Arc<Client>,
    pub(super) injectors: Vec<Injector>,
    pub(super) server: Server,
    _listeners: Vec<FaultServer>,
}

/// What is left of a stage.
pub(super) struct Closed {
    pub(super) logs: Vec<Vec<Attempt>>,
    pub(super) reader: SqliteReader,
    _remains: Remains,
}

/// `count` providers that listen.
pub(super) async fn providers(count: usize) -> io::Result<(Vec<Injector>, Vec<FaultServer>)> {
    let (mut injectors, mut listeners) = (Vec::new(), Vec::new());
    for number in 0..count {
        let injector = Injector::new(&format!("p{number}"), Clock::system());
        listeners.push(injector.serve_tcp().await?);
        injectors.push(injector);
    }
    Ok((injectors, listeners))
}

/// The binary with this configuration.
pub(super) fn gateway(binary: &Path, yaml: String, cores: Cores) -> io::Result<Server> {
    let mut environment = Row::environment().to_vec();
    environment.push(SECOND_KEY);
    environment.extend(MORE_KEYS);
    let program = Program::Configured { binary: binary.to_path_buf(), yaml, environment };
    Server::start(&program, std::net::SocketAddr::from(([127, 0, 0, 1], 1)), cores)
}

impl Stage {
    /// Starts providers, and a gateway whose configuration is made of their base URLs.
    pub(super) async fn start(
        binary: &Path,
        cores: Cores,
        count: usize,
        yaml: impl Fn(&[String]) -> String,
    ) -> io::Result<Self> {
        let (injectors, listeners) = providers(count).await?;
        let urls: Vec<_> = listeners.iter().map(FaultServer::base_url).collect();
        let server = gateway(binary, yaml(&urls), cores)?;
        let client = Arc::new(Client::new(server.address));
        Ok(Self { client, injectors, server, _listeners: listeners })
    }

    /// Ends the gateway: everything is on disk then.
    pub(super) async fn close(self) -> io::Result<Closed> {
        let mut logs = Vec::new();
        for injector in &self.injectors {
            // What hangs for longer is a finding of whoever reads the log.
            let rested = timeout(REST, injector.wait_idle()).await;
            logs.push(rested.unwrap_or_else(|_| injector.attempts()));
        }
        let remains = self.server.stop()?;
        let path = remains.database()?.ok_or_else(|| io::Error::other("no record file"))?;
        let reader = SqliteReader::open(path).map_err(io::Error::other)?;
        Ok(Closed { logs, reader, _remains: remains })
    }
}

impl Closed {
    /// Compares the records' sums with what the providers emitted; `names` are theirs in the configuration.
    /// Prompt tokens of attempts that never told their usage are estimated: `off` of a hundred may be off.
    pub(super) fn bill(&mut self, names: &[&str], off: u64) -> io::Result<Result<String, String>> {
        let rows = self.reader.cost(CostBy::Model, None, None).map_err(io::Error::other)?;
        let (mut wrong, mut figures) = (Vec::new(), Vec::new());
        for (name, log) in names.iter().zip(&self.logs) {
            let of = rows.iter().filter(|row| row.group.split('/').next() == Some(name));
            let (mut input, mut output) = (0, 0);
            for row in of {
                input += row.input_tokens;
                output += row.output_tokens;
            }
            let sent = emitted(log);
            if output != sent.output {
                wrong.push(format!("{name}: {output} output tokens billed, {} sent", sent.output));
            }
            if input.abs_diff(sent.input) * 100 > sent.input * off {
                wrong.push(format!("{name}: {input} input tokens billed, {} emitted", sent.input));
            }
            figures.push(format!("{name} {input}+{output}"));
        }
        Ok(if wrong.is_empty() { Ok(figures.join(", ")) } else { Err(wrong.join("; ")) })
    }
}
