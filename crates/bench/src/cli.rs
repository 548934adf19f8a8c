//! The command line.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pointsman_core::Dialect;

use crate::chaos;
use crate::floor;
use crate::load::{Load, Mode, Shape};
use crate::mock::{self, Behaviour, Fault, Mock};
use crate::prompt::prompt;
use crate::report::{self, Section};
use crate::run::{self, hanging, rivals, steady, translation};

/// Measures Pointsman against the least that a proxy can cost.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Forward everything to one upstream, and nothing else.
    Floor {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// The upstream.
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// A mock upstream that counts; its sums are at GET /bench/totals.
    Mock(MockArgs),
    /// Load on one address for a while; prints what it measured as JSON.
    Load(LoadArgs),
    /// Compare direct calls, floor, nginx and Pointsman; write the report.
    Compare(CompareArgs),
    /// Run for a long time at a share of the ceiling; write the report.
    Steady(SteadyArgs),
    /// Put other gateways beside Pointsman; write the report.
    Rivals(RivalsArgs),
    /// Put failing providers behind Pointsman: the scorecard, then the soak.
    Chaos(ChaosArgs),
    /// Print the long prompt of the comparison, for profiling.
    Prompt {
        /// What the client speaks.
        #[arg(long, default_value = "openai-chat", value_parser = dialect)]
        dialect: Dialect,
        /// Its size.
        #[arg(long, default_value_t = 400_000)]
        bytes: usize,
    },
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// The binary under test; absent: the one beside this program.
    #[arg(long)]
    pointsman: Option<PathBuf>,
    /// Only this case.
    #[arg(long, value_enum, conflicts_with = "without_pointsman")]
    only: Option<Case>,
    /// Compare only floor and nginx.
    #[arg(long, conflicts_with = "pointsman")]
    without_pointsman: bool,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// The report, which is also printed; `-`: only printed.
    #[arg(long, default_value = "docs/PERFORMANCE.md")]
    out: PathBuf,
    /// The command that the report names.
    #[arg(long, default_value = "make bench")]
    command: String,
}

/// A part of the comparison with a section of its own in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// Direct calls, floor, nginx and Pointsman.
    Servers,
    /// Pointsman with an exporter whose receiver never answers, beside one without.
    HangingExporter,
    /// Clients and providers of different dialects, beside those of one.
    Translation,
}

#[derive(Debug, Args)]
struct SteadyArgs {
    /// The binary under test; absent: the one beside this program.
    #[arg(long)]
    pointsman: Option<PathBuf>,
    /// Minutes.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Percent of the ceiling.
    #[arg(long, default_value_t = 60)]
    percent: u64,
    /// The report, which is also printed; `-`: only printed.
    #[arg(long, default_value = "docs/PERFORMANCE.md")]
    out: PathBuf,
    /// The command that the report names.
    #[arg(long, default_value = "make bench-steady")]
    command: String,
}

#[derive(Debug, Args)]
struct RivalsArgs {
    /// The binary under test; absent: the one beside this program.
    #[arg(long)]
    pointsman: Option<PathBuf>,
    /// The `litellm` program.
    #[arg(long)]
    litellm: PathBuf,
    /// Its version, for the report.
    #[arg(long)]
    litellm_version: String,
    /// Portkey's `start-server.js`.
    #[arg(long)]
    portkey: PathBuf,
    /// Its version, for the report.
    #[arg(long)]
    portkey_version: String,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The report, which is also printed; `-`: only printed.
    #[arg(long, default_value = "docs/PERFORMANCE.md")]
    out: PathBuf,
    /// The command that the report names.
    #[arg(long, default_value = "make bench-rivals")]
    command: String,
}

#[derive(Debug, Args)]
struct ChaosArgs {
    /// The binary under test; absent: the one beside this program.
    #[arg(long)]
    pointsman: Option<PathBuf>,
    /// Repeat a run: the seed that it printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Only rows whose names hold this text; `soak` is the soak.
    #[arg(long)]
    only: Option<String>,
    /// Minutes of the soak; 0: none.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Requests a second in the soak.
    #[arg(long, default_value_t = 300)]
    rate: u64,
}

#[derive(Debug, Args)]
struct MockArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Wait before each answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Size of a plain answer.
    #[arg(long, default_value_t = 800)]
    answer_bytes: usize,
    /// Content chunks of a stream.
    #[arg(long, default_value_t = 64)]
    chunks: u32,
    /// Time between two chunks, in milliseconds.
    #[arg(long, default_value_t = 20)]
    interval_ms: u64,
    /// So many of 1,000 requests fail.
    #[arg(long, default_value_t = 0)]
    fault_per_mille: u64,
    /// How they fail.
    #[arg(long, value_enum, default_value = "status500")]
    fault: Fault,
    /// A line for every whole answer: its end (Unix, µs), the trace id received or -, the answer's id.
    #[arg(long)]
    log: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// The server.
    #[arg(long)]
    target: SocketAddr,
    /// The path; it decides about the dialect.
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Requests a second; absent: each connection sends as fast as it is answered.
    #[arg(long)]
    rate: Option<u64>,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 1)]
    warm_up: u64,
    /// Seconds to measure.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Size of the request body.
    #[arg(long, default_value_t = 1024)]
    body_bytes: usize,
    /// Model names, drawn uniformly.
    #[arg(long, value_delimiter = ',', default_value = "bench")]
    models: Vec<String>,
    /// Client keys, drawn uniformly.
    #[arg(long, value_delimiter = ',')]
    keys: Vec<String>,
    /// Send instructions, earlier turns and options with each chat.
    #[arg(long)]
    conversation: bool,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// Send a random trace id with each request.
    #[arg(long)]
    trace: bool,
    /// A further header, `name: value`; may be repeated.
    #[arg(long = "header")]
    headers: Vec<String>,
}

/// Runs the command; an error is told on stderr.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> io::Result<()> {
    match command {
        // As many threads as the process may use: one, when it is pinned to a core.
        Command::Floor { listen, upstream } => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(floor::serve(listen, upstream)),
        Command::Mock(args) => single()?.block_on(run_mock(args)),
        Command::Load(args) => single()?.block_on(run_load(args)),
        Command::Compare(args) => single()?.block_on(run_compare(args)),
        Command::Steady(args) => single()?.block_on(run_steady(args)),
        Command::Rivals(args) => single()?.block_on(run_rivals(args)),
        Command::Chaos(args) => single()?.block_on(run_chaos(args)),
        Command::Prompt { dialect, bytes } => io::stdout().write_all(&prompt(dialect, bytes)),
    }
}

fn dialect(word: &str) -> Result<Dialect, String> {
    Dialect::from_word(word).ok_or_else(|| "no dialect has this name".to_owned())
}

async fn run_compare(args: CompareArgs) -> io::Result<()> {
    let measure = Duration::from_secs(args.seconds);
    let pointsman = if args.without_pointsman { None } else { Some(under_test(args.pointsman)?) };
    let rounds = args.rounds;
    let wanted = |case| args.only.is_none_or(|only| only == case);
    if wanted(Case::Servers) {
        let results = run::compare(&run::Options { pointsman: pointsman.clone(), rounds, measure }).await?;
        publish(&args.out, Section::Compare, &report::compare(&results, &args.command, &today()?))?;
    }
    if let Some(pointsman) = pointsman.clone().filter(|_| wanted(Case::HangingExporter)) {
        let results = hanging::run(&hanging::Options { pointsman, rounds, measure }).await?;
        let command = format!("{} ARGS=\"--only hanging-exporter\"", args.command);
        publish(&args.out, Section::Hanging, &report::hanging(&results, &command, &today()?))?;
    }
    if let Some(pointsman) = pointsman.filter(|_| wanted(Case::Translation)) {
        let convert = std::env::current_exe()?.with_file_name("pointsman-bench-convert");
        let found = translation::run(&translation::Options { pointsman, convert, rounds, measure }).await?;
        let command = format!("{} ARGS=\"--only translation\"", args.command);
        publish(&args.out, Section::Translation, &report::translation(&found, &command, &today()?))?;
    }
    Ok(())
}

async fn run_steady(args: SteadyArgs) -> io::Result<()> {
    let duration = Duration::from_secs_f64(args.minutes * 60.0);
    let options = steady::Options { pointsman: under_test(args.pointsman)?, duration, percent: args.percent };
    let text = report::steady(&steady::run(&options).await?, &args.command, &today()?);
    publish(&args.out, Section::Steady, &text)
}

async fn run_rivals(args: RivalsArgs) -> io::Result<()> {
    let options = rivals::Options {
        pointsman: under_test(args.pointsman)?,
        litellm: (args.litellm, args.litellm_version),
        portkey: (args.portkey, args.portkey_version),
        measure: Duration::from_secs(args.seconds),
    };
    let text = report::rivals(&rivals::run(&options).await?, &args.command, &today()?);
    publish(&args.out, Section::Rivals, &text)
}

async fn run_chaos(args: ChaosArgs) -> io::Result<()> {
    let options = chaos::Options {
        pointsman: under_test(args.pointsman)?,
        seed: args.seed,
        only: args.only,
        soak: Duration::from_secs_f64(args.minutes * 60.0),
        rate: args.rate,
    };
    chaos::run(&options).await
}

fn publish(out: &Path, section: Section, text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")?;
    if out == Path::new("-") { Ok(()) } else { report::write(out, section, text) }
}

/// The binary to measure, as an absolute path: servers start in folders of their own.
fn under_test(given: Option<PathBuf>) -> io::Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("pointsman"),
    };
    path.canonicalize().map_err(|error| {
        let hint = "hint: cargo build --profile dist -p pointsman";
        io::Error::new(error.kind(), format!("{}: {error}\n{hint}", path.display()))
    })
}

/// The UTC date.
fn today() -> io::Result<String> {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn single() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run_mock(args: MockArgs) -> io::Result<()> {
    let behaviour = Behaviour {
        delay: Duration::from_millis(args.delay_ms),
        answer_bytes: args.answer_bytes,
        chunks: args.chunks,
        interval: Duration::from_millis(args.interval_ms),
        fault_per_mille: args.fault_per_mille,
        fault: args.fault,
    };
    let mock = Mock::new(behaviour, args.log.map(File::create).transpose()?);
    let (listener, address) = mock::bind(args.listen).await?;
    writeln!(io::stdout(), "listening on {address}")?;
    tokio::select! {
        served = Arc::clone(&mock).serve(listener) => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    writeln!(io::stdout(), "{}", mock.totals.to_json())
}

async fn run_load(args: LoadArgs) -> io::Result<()> {
    let shape = Shape {
        path: args.path,
        keys: args.keys,
        models: args.models,
        body_bytes: args.body_bytes,
        stream: args.stream,
        trace: args.trace,
        headers: args.headers,
        conversation: args.conversation,
    };
    let connections = args.connections;
    let mode = args.rate.map_or(Mode::Closed { connections }, |rate| Mode::Open { rate, connections });
    let mut load = Load::start(args.target, &Arc::new(shape), mode);
    tokio::time::sleep(Duration::from_secs(args.warm_up)).await;
    let before = load.stats.take();
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let taken = load.stats.take();
    load.stop().await;
    let after = load.stats.take();
    let sent = [&before, &taken, &after].iter().map(|part| part.ok + part.errors).sum::<u64>();
    let report = serde_json::json!({
        "sent": sent, "ok": taken.ok, "errors": before.errors + taken.errors + after.errors,
        "first_error": before.first_error.or(taken.first_error.clone()).or(after.first_error),
        "per_second": taken.ok as f64 / args.seconds as f64,
        "latency_us": {"p50": taken.latency_us(50.0), "p99": taken.latency_us(99.0),
            "p999": taken.latency_us(99.9), "max": taken.latency_us(100.0)},
        "chunks": taken.chunks, "streams": taken.streams,
        "chunk_delay_us": {"p50": taken.chunk_delay_us(50.0), "p99": taken.chunk_delay_us(99.0),
            "max": taken.chunk_delay_us(100.0)},
    });
    writeln!(io::stdout(), "{report}")
}
