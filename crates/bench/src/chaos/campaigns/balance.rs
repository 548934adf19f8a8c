//! Balancing over sockets: three providers, one of them slow, beside the same three in round robin. The larger
//! topologies are simulated with the same code.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use pointsman_core::Dialect;
use pointsman_testkit::faults::Question;
use tokio::task::JoinSet;

use super::super::client::Client;
use super::super::stage::Stage;
use super::super::{Line, Options};
use super::{ESTIMATE_OFF, Findings, TOKENS, provider};
use crate::machine::Cores;

const REQUESTS: u64 = 3_000;
const CLIENTS: u64 = 12;
/// Providers of each route; the last one is slow.
const EACH: usize = 3;
const FAST: Duration = Duration::from_millis(3);
const SLOW: Duration = Duration::from_millis(60);
/// Longest time that is told apart, in microseconds.
const MAX_US: u64 = 60_000_000;
const NAMES: [&str; 2 * EACH] = ["a", "b", "c", "d", "e", "f"];

pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    let stage = Stage::start(&options.pointsman, cores, NAMES.len(), |urls| {
        let providers: String = NAMES.iter().zip(urls).map(|(name, url)| provider(name, url, "")).collect();
        format!(
            "providers:\n{providers}routes:\n  balanced: {{ balance: [a/m, b/m, c/m] }}\n  \
             in-turn: {{ balance: [d/m, e/m, f/m], by: round_robin }}\n"
        )
    })
    .await?;
    for (number, injector) in stage.injectors.iter().enumerate() {
        let slow = number % EACH == EACH - 1;
        injector.takes(if slow { SLOW } else { FAST }, Duration::ZERO);
    }
    let mut findings = Findings::default();
    let mut p99 = Vec::new();
    for route in ["balanced", "in-turn"] {
        let (histogram, lost) = load(&stage.client, route, seed).await?;
        findings.check(Findings::BYTES, lost == 0, || format!("{route}: {lost} answers are not right"));
        p99.push(histogram.value_at_percentile(99.0) as f64 / 1e3);
    }
    findings.check(Findings::TIME, p99[0] * 2.0 <= p99[1], || format!("p99 in ms: {p99:.1?}"));
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&NAMES, ESTIMATE_OFF)?);
    let shares: Vec<_> = closed.logs.iter().map(Vec::len).collect();
    let turns = &shares[EACH..];
    findings.check(Findings::ATTEMPTS, turns.iter().all(|count| count.abs_diff(turns[0]) <= 1), || {
        format!("in turn, but {turns:?}")
    });
    let figures = format!(
        "one of three slow: p99 {:.1} ms, in turn {:.1} ms; its share {:.1} %, in turn {:.1} %",
        p99[0],
        p99[1],
        shares[EACH - 1] as f64 * 100.0 / REQUESTS as f64,
        shares[NAMES.len() - 1] as f64 * 100.0 / REQUESTS as f64,
    );
    Ok(findings.line("balance over sockets", figures))
}

/// Latencies in microseconds, and how many answers were not right.
async fn load(client: &Arc<Client>, route: &'static str, seed: u64) -> io::Result<(Histogram<u64>, u64)> {
    let mut clients = JoinSet::new();
    for lane in 0..CLIENTS {
        let client = Arc::clone(client);
        clients.spawn(async move {
            let (mut times, mut lost) = (Vec::new(), 0);
            for number in (lane..REQUESTS).step_by(CLIENTS as usize) {
                let streamed = number % 2 == 0;
                let question = Question::new(Dialect::OpenAiChat, route, streamed, seed + number, TOKENS);
                match client.ask(&question).await {
                    Ok(answer) if answer.said.is_whole() && answer.said.text == question.expected() => {
                        times.push(answer.elapsed);
                    }
                    _ => lost += 1,
                }
            }
            (times, lost)
        });
    }
    let mut histogram = Histogram::new_with_max(MAX_US, 3).map_err(io::Error::other)?;
    let mut lost = 0;
    for (times, own) in clients.join_all().await {
        times.iter().for_each(|time| histogram.saturating_record(time.as_micros() as u64));
        lost += own;
    }
    Ok((histogram, lost))
}
