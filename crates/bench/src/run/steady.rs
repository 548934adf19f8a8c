//! The steady run: a long time at a share of the ceiling. No errors, flat memory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::figures::Spread;
use super::measure::mebibytes;
use super::{Bench, say, usual_shape};
use crate::load::{Load, Mode};
use crate::sample;
use crate::server::{Fleet, Program, Server};

/// Connections while the ceiling is looked for, and in the open loop.
const CONNECTIONS: usize = 64;
/// How long the ceiling is looked for.
const CEILING: Duration = Duration::from_secs(10);
/// Between two looks at memory.
const LOOK: Duration = Duration::from_secs(5);
/// Memory is flat if the median of the last quarter is at most this above that of the second: the first
/// quarter fills caches and queues. Whichever is more, in MiB and as a share.
const GROWTH_MIB: f64 = 2.0;
const GROWTH_SHARE: f64 = 0.05;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary under test.
    pub pointsman: PathBuf,
    /// How long.
    pub duration: Duration,
    /// Percent of the ceiling.
    pub percent: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// Requests a second: the ceiling and the rate of the run.
    pub ceiling: u64,
    /// See `ceiling`.
    pub rate: u64,
    /// Requests answered.
    pub ok: u64,
    /// How long the run took.
    pub elapsed: Duration,
    /// Latency from the moment a request was due, µs.
    pub p50_us: f64,
    /// See `p50_us`.
    pub p99_us: f64,
    /// Resident memory in the second quarter, MiB.
    pub early: Spread,
    /// In the last quarter.
    pub late: Spread,
}

impl Steady {
    /// Whether memory did not grow.
    #[must_use]
    pub fn flat(&self) -> bool {
        let allowed = GROWTH_MIB.max(self.early.median * GROWTH_SHARE);
        self.late.median <= self.early.median + allowed
    }
}

/// Runs it. Records are on with their default retention; the access log is off, since half an hour of it
/// would fill a small disk.
///
/// # Errors
/// Where any request fails or memory grows.
pub async fn run(options: &Options) -> io::Result<Steady> {
    let bench = Bench::start(CEILING).await?;
    let binary = options.pointsman.clone();
    let program =
        Program::Pointsman { binary, records: true, access_log: false, fleet: Fleet::SMALL, webhook: None };
    let server = Server::start(&program, bench.upstream, bench.cores)?;
    let shape = Arc::new(usual_shape());
    let closed = bench.closed(server.address, Some(server.pid()), &shape, CONNECTIONS).await?;
    let ceiling = closed.per_second as u64;
    let rate = ceiling * options.percent / 100;
    say(&format!("ceiling {ceiling}/s; running at {rate}/s for {} s", options.duration.as_secs()))?;
    let start = Instant::now();
    let mut load = Load::start(server.address, &shape, Mode::Open { rate, connections: CONNECTIONS });
    let mut memory = Vec::new();
    while start.elapsed() < options.duration {
        sleep(LOOK.min(options.duration - start.elapsed())).await;
        memory.push(mebibytes(sample::resident(server.pid())?));
    }
    load.stop().await;
    let taken = load.stats.take();
    crate::load::no_errors("steady run", &taken)?;
    let quarter = memory.len() / 4;
    let (Some(early), Some(late)) =
        (Spread::of(&memory[quarter..quarter * 2]), Spread::of(&memory[quarter * 3..]))
    else {
        return Err(io::Error::other("too short to judge memory: run for at least 20 seconds"));
    };
    let steady = Steady {
        ceiling,
        rate,
        ok: taken.ok,
        elapsed: start.elapsed(),
        p50_us: taken.latency_us(50.0),
        p99_us: taken.latency_us(99.0),
        early,
        late,
    };
    server.stop()?;
    if steady.flat() {
        return Ok(steady);
    }
    let (early, late) = (steady.early.median, steady.late.median);
    Err(io::Error::other(format!("memory grew from {early:.1} to {late:.1} MiB")))
}
