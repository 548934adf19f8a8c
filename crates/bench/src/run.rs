//! The comparison behind `docs/PERFORMANCE.md`: every server fresh in every round, rounds interleaved,
//! so that a slow minute of the machine touches all of them.

pub mod account;
pub mod figures;
pub mod hanging;
mod measure;
pub mod rivals;
pub mod steady;
pub mod translation;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use self::figures::{Figure, Results, Target};
use crate::load::{Load, Mode, Shape, no_errors};
use crate::machine::{self, Cores};
use crate::mock::{self, Behaviour, Mock};
use crate::sample;
use crate::server::{Fleet, PRICED_MODEL, Program, Server, nginx_version};

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// After a phase that leaves memory behind; the targets are stated for ten seconds.
const SETTLE: Duration = Duration::from_secs(10);
/// A load average beyond which somebody else is at work.
const BUSY: f64 = 0.7;

/// How to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary under test; without it only floor and nginx are compared.
    pub pointsman: Option<PathBuf>,
    /// Rounds; figures are medians over them.
    pub rounds: u32,
    /// How long each figure is measured.
    pub measure: Duration,
}

/// The parts of a run that stay.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) mock: Arc<Mock>,
    pub(crate) upstream: SocketAddr,
    pub(crate) cores: Cores,
    pub(crate) measure: Duration,
}

impl Bench {
    /// Pins this process to its core and starts the mock in it.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub(crate) async fn start(measure: Duration) -> io::Result<Self> {
        machine::raise_file_limit()?;
        let cores = Cores::choose()?;
        machine::pin(cores.load)?;
        let mock = Mock::new(Behaviour::default(), None);
        let (listener, upstream) = mock::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        // Ends with the runtime, when the run is over.
        tokio::spawn(Arc::clone(&mock).serve(listener));
        Ok(Self { mock, upstream, cores, measure })
    }
}

/// Runs the comparison.
///
/// # Errors
/// Where a server cannot be started, a request fails or the sums differ: then there is no report.
pub async fn compare(options: &Options) -> io::Result<Results> {
    let load_before = machine::load_average();
    if load_before > BUSY {
        say(&format!("warning: the machine is busy (load average {load_before}): figures will be poor"))?;
    }
    let bench = Bench::start(options.measure).await?;
    let mut results = Results::new(nginx_version(), bench.cores.apart(), options.rounds);
    results.load_before = load_before;
    for round in 1..=options.rounds {
        for target in targets(options, results.nginx.is_some()) {
            say(&format!("round {round} of {}: {}", options.rounds, target.name()))?;
            bench.traffic(&mut results, target, options).await?;
        }
        if let Some(binary) = &options.pointsman {
            say(&format!("round {round} of {}: memory", options.rounds))?;
            bench.memory(&mut results, binary).await?;
            say(&format!("round {round} of {}: fleets and reload", options.rounds))?;
            bench.fleets(&mut results, binary).await?;
        }
    }
    results.mock_latest = bench.mock.totals.latest_chunk();
    Ok(results)
}

fn targets(options: &Options, nginx: bool) -> Vec<Target> {
    let all = [Target::Direct, Target::Floor, Target::Nginx, Target::Plain, Target::Full];
    let possible = |target: &Target| match target {
        Target::Direct | Target::Floor => true,
        Target::Nginx => nginx,
        Target::Plain | Target::Full => options.pointsman.is_some(),
    };
    all.into_iter().filter(possible).collect()
}

fn program(target: Target, options: &Options) -> Option<Program> {
    let pointsman = |records| {
        let binary = options.pointsman.clone()?;
        Some(Program::Pointsman { binary, records, access_log: true, fleet: Fleet::SMALL, webhook: None })
    };
    match target {
        Target::Direct => None,
        Target::Floor => Some(Program::Floor),
        Target::Nginx => Some(Program::Nginx),
        Target::Plain => pointsman(false),
        Target::Full => pointsman(true),
    }
}

/// Requests that every target can take, and whose price is known: 1 KB for the priced model.
fn usual_shape() -> Shape {
    Shape { keys: Fleet::SMALL.secrets(), models: vec![format!("bench0/{PRICED_MODEL}")], ..Shape::default() }
}

impl Bench {
    /// Processor time, latency and streams of one target.
    async fn traffic(&self, results: &mut Results, target: Target, options: &Options) -> io::Result<()> {
        let program = program(target, options);
        let server = program.map(|program| Server::start(&program, self.upstream, self.cores)).transpose()?;
        let address = server.as_ref().map_or(self.upstream, |server| server.address);
        let pid = server.as_ref().map(Server::pid);
        let before = self.mock.totals.sums();
        let mut sent = 0;
        let plain = Arc::new(usual_shape());
        for (connections, cpu, rate) in
            [(16, Figure::Cpu16, Figure::Rate16), (128, Figure::Cpu128, Figure::Rate128)]
        {
            let closed = self.closed(address, pid, &plain, connections).await?;
            sent += closed.sent;
            results.add(target, rate, closed.per_second);
            if let Some(each) = closed.cpu_us {
                results.add(target, cpu, each);
            }
        }
        let alone = self.closed(address, pid, &plain, 1).await?;
        sent += alone.sent;
        results.add(target, Figure::LatencyP50, alone.taken.latency_us(50.0));
        results.add(target, Figure::LatencyP99, alone.taken.latency_us(99.0));
        for (streams, cpu) in [(1000, Figure::CpuChunk1000), (50, Figure::CpuChunk50)] {
            let streamed = self.streams(address, pid, &plain, streams).await?;
            sent += streamed.sent;
            if let Some(each) = streamed.cpu_us {
                results.add(target, cpu, each);
            }
            if streams == 1000 {
                results.add(target, Figure::DelayMax1000, streamed.taken.chunk_delay_us(100.0) / 1000.0);
            } else {
                results.add(target, Figure::DelayP50, streamed.taken.chunk_delay_us(50.0));
                results.add(target, Figure::DelayP99, streamed.taken.chunk_delay_us(99.0));
            }
        }
        let emitted = account::difference(self.mock.totals.sums(), before);
        if let (Some(server), Target::Plain | Target::Full) = (server, target) {
            let stored = target == Target::Full;
            results.checks.push(account::check(&server.stop()?, sent, &emitted, stored)?);
        }
        Ok(())
    }

    /// Resident memory: idle, with 256 × 150 KB in flight, and afterwards.
    async fn memory(&self, results: &mut Results, binary: &Path) -> io::Result<()> {
        let program = Program::Pointsman {
            binary: binary.to_path_buf(),
            records: true,
            access_log: true,
            fleet: Fleet::SMALL,
            webhook: None,
        };
        let server = Server::start(&program, self.upstream, self.cores)?;
        let before = self.mock.totals.sums();
        let mut sent = self.mixed(server.address).await?;
        sleep(SETTLE).await;
        results.add(Target::Full, Figure::Idle, measure::mebibytes(sample::resident(server.pid())?));
        let (large, peak) = self.large_bodies(&server).await?;
        sent += large;
        results.add(Target::Full, Figure::Loaded, measure::mebibytes(peak));
        sleep(SETTLE).await;
        results.add(Target::Full, Figure::After, measure::mebibytes(sample::resident(server.pid())?));
        let emitted = account::difference(self.mock.totals.sums(), before);
        results.checks.push(account::check(&server.stop()?, sent, &emitted, true)?);
        Ok(())
    }

    /// Few models, keys and routes against many; and how fast many are loaded anew.
    async fn fleets(&self, results: &mut Results, binary: &Path) -> io::Result<()> {
        for (fleet, figure) in [(Fleet::SMALL, Figure::CpuSmall), (Fleet::LARGE, Figure::CpuLarge)] {
            let program = Program::Pointsman {
                binary: binary.to_path_buf(),
                records: true,
                access_log: true,
                fleet,
                webhook: None,
            };
            let server = Server::start(&program, self.upstream, self.cores)?;
            let shape = Arc::new(Shape { keys: fleet.secrets(), models: fleet.names(), ..Shape::default() });
            let closed = self.closed(server.address, Some(server.pid()), &shape, 16).await?;
            if let Some(each) = closed.cpu_us {
                results.add(Target::Full, figure, each);
            }
            if fleet == Fleet::LARGE {
                let taken = self.reload(&server, fleet).await?;
                results.add(Target::Full, Figure::Reload, taken.as_secs_f64() * 1000.0);
            }
        }
        Ok(())
    }

    /// 1,000 requests of all kinds: plain, streamed, embeddings, text completions. Returns how many.
    async fn mixed(&self, address: SocketAddr) -> io::Result<u64> {
        self.mock.behave(Behaviour { chunks: 8, interval: Duration::from_millis(1), ..Behaviour::default() });
        let usual = usual_shape();
        let shapes = [
            usual.clone(),
            Shape { stream: true, ..usual.clone() },
            Shape { path: "/v1/embeddings".into(), ..usual.clone() },
            Shape { path: "/v1/completions".into(), ..usual },
        ];
        let mut sent = 0;
        for shape in shapes {
            let mode = Mode::Streams { connections: 10, spread: Duration::from_millis(50), rounds: 25 };
            let mut load = Load::start(address, &Arc::new(shape), mode);
            load.ended().await;
            let taken = load.stats.take();
            no_errors("mixed requests", &taken)?;
            sent += taken.ok;
        }
        self.mock.behave(Behaviour::default());
        Ok(sent)
    }
}

/// Progress, on stderr: stdout and the report are for results.
pub(crate) fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
