//! What it costs to count one request and to write its line in the access log.
//!
//! `cargo run --release -p pointsman-telemetry --example record_cost`

use std::hint::black_box;
use std::sync::Arc;

use pointsman_core::record::TraceContext;
use pointsman_core::store::RecordSink;
use pointsman_core::{
    AttemptRecord, Cost, Money, Operation, Outcome, Principal, RequestId, RequestRecord, Usage, UsageSource,
};
use pointsman_telemetry::{AccessLog, Metrics};

const ROUNDS: u64 = 2_000;
const BATCH: u64 = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = Metrics::new("0");
    let handle = metrics.deployment("openai", "gpt-4o-mini");
    let batch: Box<[Box<RequestRecord>]> = (0..BATCH).map(|n| Box::new(record(n))).collect();

    let ns = time(|| {
        for record in &batch {
            metrics.observe([&*handle], black_box(record));
        }
        Ok(())
    })?;
    report(&format!("metrics: {ns:.0} ns a request"));

    let mut log = AccessLog::writer(std::io::sink());
    let ns = time(|| Ok(log.write(black_box(&batch))?))?;
    report(&format!("access log, formatting: {ns:.0} ns a line"));

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("access.log");
    let mut log = AccessLog::file(&path)?;
    let ns = time(|| Ok(log.write(black_box(&batch))?))?;
    let bytes = path.metadata()?.len() / (ROUNDS * BATCH);
    report(&format!("access log, to a file: {ns:.0} ns a line of {bytes} bytes"));
    Ok(())
}

/// Nanoseconds of CPU a record.
fn time(
    mut round: impl FnMut() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let start = thread_cpu_ns()?;
    for _ in 0..ROUNDS {
        round()?;
    }
    Ok((thread_cpu_ns()? - start) / (ROUNDS * BATCH) as f64)
}

/// The scheduler's own account of this thread, in nanoseconds (Linux, `proc(5)`: schedstat).
fn thread_cpu_ns() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

fn record(n: u64) -> RequestRecord {
    let usage = Usage {
        input: 1_200,
        cached_input: 200,
        output: 50,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    let cost = Cost { input: Money(120_000), output: Money(30_001), ..Cost::default() };
    let attempt = AttemptRecord {
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        outcome: Outcome::Success,
        status: Some(200),
        started_us: 20,
        first_byte_us: Some(1_200),
        duration_us: 1_450,
        usage,
        cost: Some(cost),
        detail: None,
        joint: None,
    };
    RequestRecord {
        id: RequestId::first_at(1_795_337_748_123 + n),
        started_unix_us: 1_795_337_748_123_456 + n as i64 * 1_000,
        principal: Arc::new(Principal { key: Some("key-1".into()), ..Principal::default() }),
        agent: None,
        session: None,
        trace: TraceContext { trace_id: u128::MAX / 7, parent_id: None, flags: 1 },
        tags: None,
        operation: Operation::Chat,
        streamed: false,
        requested_model: "openai/gpt-4o-mini".into(),
        route: None,
        attempts: [attempt].into_iter().collect(),
        usage,
        cost: Some(cost),
        price_version: 3,
        config_generation: 12,
        status: 200,
        outcome: Outcome::Success,
        error: None,
        duration_us: 1_500,
        first_token_us: Some(1_400),
        overhead_us: 40,
        request_bytes: 1_024,
        response_bytes: 800,
        simulated: false,
        dropped: None,
        bodies: None,
    }
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn report(line: &str) {
    println!("{line}");
}
