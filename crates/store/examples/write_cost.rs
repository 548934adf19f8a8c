//! What it costs to keep one request record: CPU of the writing thread, the file's growth, memory.
//!
//! `cargo run --release -p pointsman-store --example write_cost [rows]`

use std::time::Instant;

use pointsman_core::store::{CostBy, RecordReader, RecordSink};
use pointsman_core::{RequestId, RequestRecord};
use pointsman_store::conformance::{START_MS, record};
use pointsman_store::{Retention, SqliteReader, SqliteSink, StoreOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(500_000), |text| text.parse())?;
    report(&format!("{rows} rows of one attempt; resident {} KiB before", resident_kib()?));
    for (name, max_rows, size) in [
        ("keep all", None, 1_000),
        ("keep all", None, 50),
        ("keep 50,000", Some(50_000), 1_000),
        ("keep 50,000", Some(50_000), 50),
    ] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("records.db");
        let retention = Retention { max_rows, ..Retention::UNLIMITED };
        let mut sink = SqliteSink::open(&path, StoreOptions { retention, ..StoreOptions::default() })?;
        let (mut cpu_us, started) = (0.0, Instant::now());
        for start in (1..=rows).step_by(size) {
            let batch: Box<[Box<RequestRecord>]> =
                (start..start + size as u64).map(|n| Box::new(at_millisecond(n))).collect();
            let before = thread_cpu_us()?;
            sink.write(&batch)?;
            cpu_us += thread_cpu_us()? - before;
        }
        let wall_us = started.elapsed().as_secs_f64() * 1e6 / rows as f64;
        report(&format!(
            "{name}, batches of {size}: {:.2} us CPU a row ({wall_us:.2} us wall with making the rows), \
             file {} KiB, resident {} KiB",
            cpu_us / rows as f64,
            path.metadata()?.len() >> 10,
            resident_kib()?
        ));
        let mut reader = SqliteReader::open(&path)?;
        for (name, by) in [("total", CostBy::Total), ("by model", CostBy::Model), ("by day", CostBy::Day)] {
            let asked = Instant::now();
            let rows = reader.cost(by, None, None)?;
            let requests: u64 = rows.iter().map(|row| row.requests).sum();
            report(&format!("  cost {name} of {requests}: {} ms", asked.elapsed().as_millis()));
        }
    }
    Ok(())
}

/// A thousand requests a second.
fn at_millisecond(n: u64) -> RequestRecord {
    RequestRecord { id: RequestId::first_at(START_MS + n), ..record(n) }
}

/// The scheduler's own account of this thread, in microseconds (Linux, `proc(5)`: schedstat).
fn thread_cpu_us() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e3)
}

fn resident_kib() -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn report(line: &str) {
    println!("{line}");
}
