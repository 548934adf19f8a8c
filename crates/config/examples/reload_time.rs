//! Measures how long a large configuration takes from text to snapshot, and what it holds in memory:
//! `cargo run --release -p pointsman-config --example reload_time`.
#![expect(clippy::print_stdout, reason = "a measurement prints its result")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_config::{ConfigFile, Environment, Input, Snapshot, prepare};
use pointsman_transport::connect::{Connect, Connecting, Origin};
use pointsman_transport::{ConnectError, Upstreams};

const PROVIDERS: usize = 50;
const MODELS: usize = 5_000;
const KEYS: usize = 20_000;
const ROUTES: usize = 500;
const RUNS: usize = 15;

/// Never connects: composing a snapshot does not.
struct Nowhere;

impl Connect for Nowhere {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move { Err(ConnectError::Unknown(Arc::clone(&origin.host))) })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = text()?;
    let environment: Environment = [("KEY", "sk-0123456789")].into_iter().collect();
    let file = ConfigFile { path: Path::new("large.yaml"), text: &text };
    let input = Input { file: Some(file), environment: &environment, overrides: &[], engines: &[] };
    let upstreams = Upstreams::new(Arc::new(Nowhere));
    let before = resident();
    let first = prepare(&input, &upstreams, None)?;
    println!("{} KiB of YAML, {} deployments", text.len() / 1024, first.deployments.len());
    println!("resident: {before} KiB before, {} KiB with the snapshot", resident());

    let load = median(|| prepare(&input, &upstreams, None))?;
    let reload = median(|| prepare(&input, &upstreams, Some(&first)))?;
    println!("load {load:?}, reload {reload:?} (medians of {RUNS})");
    println!("resident after all: {} KiB", resident());
    Ok(())
}

fn median<E>(mut run: impl FnMut() -> Result<Snapshot, E>) -> Result<Duration, E> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        let snapshot = run()?;
        times.push(start.elapsed());
        drop(snapshot);
    }
    times.sort_unstable();
    Ok(times.get(RUNS / 2).copied().unwrap_or_default())
}

fn text() -> Result<String, std::fmt::Error> {
    let mut text = String::from("providers:\n");
    for provider in 0..PROVIDERS {
        writeln!(
            text,
            "  p{provider}:\n    base_url: http://10.0.0.{provider}:8000/v1\n    keys: {{ env: KEY }}"
        )?;
        writeln!(text, "    models:")?;
        for model in (provider..MODELS).step_by(PROVIDERS) {
            writeln!(text, "      - vendor/model-{model:04}-instruct")?;
        }
    }
    writeln!(text, "routes:")?;
    let name = |model: usize| format!("p{}/vendor/model-{:04}-instruct", model % PROVIDERS, model % MODELS);
    for route in 0..ROUTES {
        let (a, b, c) = (name(route), name(route * 7 + 1), name(route * 13 + 2));
        writeln!(text, "  route-{route}:\n    first:\n      - {a}\n      - split:")?;
        writeln!(text, "          - {{ weight: 3, to: {b} }}\n          - {{ weight: 1, to: {c} }}")?;
    }
    writeln!(text, "keys:")?;
    for key in 0..KEYS {
        writeln!(text, "  - id: key-{key:05}\n    sha256: {:064x}\n    team: team-{}", key + 1, key % 100)?;
        writeln!(text, "    user: user-{key}\n    models: [route-{}, {}]", key % 50, name(key % 50))?;
    }
    Ok(text)
}

/// KiB, from the kernel; 0 where it does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
