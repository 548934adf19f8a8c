//! Failing providers in front of the real binary, over sockets: the scorecard, row by row, and the soak.
//!
//! Rows and faults are testkit's (`chaos`, `faults`). [`scorecard`] runs the rows of one request each,
//! `campaigns` what takes many, [`soak`] all of it at once for a long time. Each row asserts the same four
//! things: the client's bytes, the providers' logs, the bill, the time.

mod campaigns;
mod client;
mod control;
mod scorecard;
mod soak;
mod stage;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pointsman_testkit::chaos::{ASSERTIONS, SEEDS, Verdict};

use crate::machine::{self, Cores};
use crate::run::say;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary under test.
    pub pointsman: PathBuf,
    /// A further seed; absent: one is drawn and printed.
    pub seed: Option<u64>,
    /// Only rows whose names hold this; `soak` is the soak.
    pub only: Option<String>,
    /// How long the soak is; zero: none.
    pub soak: Duration,
    /// Requests a second in the soak.
    pub rate: u64,
}

/// A line of the scorecard.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was measured, if that is worth telling.
    pub(crate) figures: String,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

/// Runs everything and prints it.
///
/// # Errors
/// Where a process cannot be started, or anything did not hold: it is printed before.
pub async fn run(options: &Options) -> io::Result<()> {
    machine::raise_file_limit()?;
    let cores = Cores::choose()?;
    machine::pin(cores.load)?;
    let own = options.seed.unwrap_or_else(fresh_seed);
    let mut out = io::stdout();
    writeln!(out, "seeds: {}, {}, and {own} (repeat it with --seed {own})\n", SEEDS[0], SEEDS[1])?;
    let mut wrong = 0;
    for seed in [SEEDS[0], SEEDS[1], own] {
        say(&format!("rows of one request, seed {seed}"))?;
        let lines = scorecard::run(options, cores, seed).await?;
        wrong += print(&format!("seed {seed}"), &lines)?;
    }
    say("rows of many requests")?;
    let lines = campaigns::run(options, cores, own).await?;
    wrong += print("many requests", &lines)?;
    if !options.soak.is_zero() && options.wants("soak") {
        say(&format!("soak: {} s at {}/s", options.soak.as_secs(), options.rate))?;
        let lines = soak::run(options, cores, own).await?;
        wrong += print("soak", &lines)?;
    }
    match wrong {
        0 => writeln!(out, "everything holds"),
        _ => Err(io::Error::other(format!("{wrong} assertions do not hold"))),
    }
}

/// Prints lines as a table and their findings below; returns how many assertions do not hold.
fn print(title: &str, lines: &[Line]) -> io::Result<usize> {
    if lines.is_empty() {
        return Ok(0);
    }
    let mut out = io::stdout().lock();
    let wide = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0).max(title.len());
    writeln!(out, "{title:<wide$}  {}", ASSERTIONS.join("  "))?;
    let mut findings = Vec::new();
    for line in lines {
        write!(out, "{:<wide$}", line.name)?;
        for (what, wrong) in ASSERTIONS.iter().zip(&line.verdict) {
            let mark = if wrong.is_some() { "FAIL" } else { "ok" };
            write!(out, "  {mark:<width$}", width = what.len())?;
            findings.extend(wrong.as_ref().map(|wrong| format!("{}: {what}: {wrong}", line.name)));
        }
        writeln!(out, "  {}", line.figures)?;
    }
    let held = lines.iter().filter(|line| line.verdict.iter().all(Option::is_none)).count();
    writeln!(out, "{held} of {} rows hold\n", lines.len())?;
    for finding in &findings {
        writeln!(out, "  {finding}")?;
    }
    Ok(findings.len())
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed.
    (now.as_nanos() % 1_000_000_000) as u64
}
