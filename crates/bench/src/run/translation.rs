//! What conversion between dialects costs: one Pointsman takes requests in several dialects for providers of
//! others, in turns with requests that need no conversion.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::Dialect;

use super::account::{self, Check};
use super::{Bench, say, usual_shape};
use crate::convert::Conversion;
use crate::load::Shape;
use crate::machine;
use crate::prompt::prompt;
use crate::server::{Fleet, PRICED_MODEL, Program, Server};

/// Connections of the closed loop.
const CONNECTIONS: usize = 16;
/// Streams at one time.
const STREAMS: usize = 200;
/// The long prompt.
const PROMPT_BYTES: usize = 400 * 1000;

/// A client's dialect and a provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// For people.
    pub name: &'static str,
    /// What the client speaks.
    pub client: Dialect,
    /// What the provider speaks.
    pub upstream: Dialect,
}

/// Nothing to convert: what the others are held against.
pub const SAME: Pair =
    Pair { name: "OpenAI chat → OpenAI chat", client: Dialect::OpenAiChat, upstream: Dialect::OpenAiChat };

/// What is converted.
pub const PAIRS: [Pair; 4] = [
    Pair { name: "OpenAI chat → Anthropic", client: Dialect::OpenAiChat, upstream: Dialect::Anthropic },
    Pair { name: "Anthropic → OpenAI chat", client: Dialect::Anthropic, upstream: Dialect::OpenAiChat },
    Pair { name: "OpenAI chat → Gemini", client: Dialect::OpenAiChat, upstream: Dialect::Gemini },
    Pair {
        name: "OpenAI responses → OpenAI chat",
        client: Dialect::OpenAiResponses,
        upstream: Dialect::OpenAiChat,
    },
];

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary under test.
    pub pointsman: PathBuf,
    /// `pointsman-bench-convert`.
    pub convert: PathBuf,
    /// Rounds; each goes through all pairs twice, there and back.
    pub rounds: u32,
    /// How long each figure is measured.
    pub measure: Duration,
}

/// One pass over one pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pass {
    /// Processor time per request, µs.
    pub request_us: f64,
    /// Processor time per chunk of a stream, µs.
    pub chunk_us: f64,
    /// A chunk's way, µs: median.
    pub way_p50_us: f64,
    /// See `way_p50_us`.
    pub way_p99_us: f64,
}

/// What was found of one pair.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub pair: Pair,
    /// In the order of measuring: the n-th of each pair belong together.
    pub passes: Vec<Pass>,
    /// The long prompt, once a round; empty where nothing is converted.
    pub conversions: Vec<Conversion>,
}

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Translation {
    /// Without conversion.
    pub same: Found,
    /// With.
    pub pairs: Vec<Found>,
    /// Comparisons of sums, one for each round.
    pub checks: Vec<Check>,
    /// Rounds.
    pub rounds: u32,
    /// The machine's load average before the run.
    pub load_before: f64,
}

impl Pair {
    /// Its requests: 1 KB, in the form of a conversation.
    fn shape(self) -> Shape {
        let path = match self.client {
            Dialect::Anthropic => "/v1/messages",
            Dialect::OpenAiResponses => "/v1/responses",
            _ => "/v1/chat/completions",
        };
        let provider = match self.upstream {
            Dialect::OpenAiChat => "bench0",
            other => other.as_str(),
        };
        let models = vec![format!("{provider}/{PRICED_MODEL}")];
        Shape { path: path.to_owned(), models, conversation: true, ..usual_shape() }
    }
}

impl Found {
    const fn of(pair: Pair) -> Self {
        Self { pair, passes: Vec::new(), conversions: Vec::new() }
    }
}

/// Measures all pairs.
///
/// # Errors
/// Where the server cannot be started, a request fails, the sums differ or a prompt cannot be converted.
pub async fn run(options: &Options) -> io::Result<Translation> {
    let load_before = machine::load_average();
    let bench = Bench::start(options.measure).await?;
    let mut found = Translation {
        same: Found::of(SAME),
        pairs: PAIRS.map(Found::of).to_vec(),
        checks: Vec::new(),
        rounds: options.rounds,
        load_before,
    };
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}: translation", options.rounds))?;
        bench.translation(&mut found, &options.pointsman).await?;
        for pair in &mut found.pairs {
            let Pair { client, upstream, .. } = pair.pair;
            machine::pin(bench.cores.gateway)?;
            let conversion = long_prompt(&options.convert, client, upstream);
            machine::pin(bench.cores.load)?;
            pair.conversions.push(conversion?);
        }
    }
    Ok(found)
}

fn long_prompt(program: &Path, client: Dialect, upstream: Dialect) -> io::Result<Conversion> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), prompt(client, PROMPT_BYTES))?;
    Conversion::by(program, client, upstream, file.path())
}

impl Bench {
    /// All pairs on one server, there and back, so that what drifts touches all of them alike.
    async fn translation(&self, found: &mut Translation, binary: &Path) -> io::Result<()> {
        let program = Program::Pointsman {
            binary: binary.to_path_buf(),
            records: true,
            access_log: true,
            fleet: Fleet::DIALECTS,
            webhook: None,
        };
        let server = Server::start(&program, self.upstream, self.cores)?;
        let before = self.mock.totals.sums();
        let mut sent = 0;
        let mut all: Vec<&mut Found> = std::iter::once(&mut found.same).chain(&mut found.pairs).collect();
        for _ in 0..2 {
            for one in &mut all {
                let (pass, requests) = self.pass(&server, one.pair.shape()).await?;
                one.passes.push(pass);
                sent += requests;
            }
            all.reverse();
        }
        let emitted = account::difference(self.mock.totals.sums(), before);
        found.checks.push(account::check(&server.stop()?, sent, &emitted, true)?);
        Ok(())
    }

    /// One pass, and how many requests it took.
    async fn pass(&self, server: &Server, shape: Shape) -> io::Result<(Pass, u64)> {
        let (address, pid) = (server.address, Some(server.pid()));
        let closed = self.closed(address, pid, &Arc::new(shape.clone()), CONNECTIONS).await?;
        let streamed = self.streams(address, pid, &shape, STREAMS).await?;
        let pass = Pass {
            request_us: closed.cpu_us.unwrap_or_default(),
            chunk_us: streamed.cpu_us.unwrap_or_default(),
            way_p50_us: streamed.taken.chunk_delay_us(50.0),
            way_p99_us: streamed.taken.chunk_delay_us(99.0),
        };
        Ok((pass, closed.sent + streamed.sent))
    }
}
