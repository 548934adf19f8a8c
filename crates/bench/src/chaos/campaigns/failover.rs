//! How soon the next candidate is asked after a fast failure: from the moment at which the first provider has
//! failed to the moment at which the second has the request, by the providers' own clock.

use std::io;
use std::time::Duration;

use super::super::stage::Stage;
use super::super::{Line, Options};
use super::{ESTIMATE_OFF, Findings, ask, fault, provider, question};
use crate::machine::Cores;

/// Fast failures.
const FAULTS: [&str; 5] =
    ["server_error", "overloaded_503", "bad_gateway_page", "reset_before_head", "close_before_head"];
/// Requests for each of them.
const EACH: u64 = 60;
/// Requests before anything counts: first connections are slower.
const WARM_UP: u64 = 20;
/// What a failover may add.
const BOUND: Duration = Duration::from_millis(5);

pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    let stage = Stage::start(&options.pointsman, cores, 2, |urls| {
        // Breakers would spare us what is to be measured.
        let a = provider("a", &urls[0], "breaker: off");
        let b = provider("b", &urls[1], "breaker: off");
        format!("providers:\n{a}{b}routes:\n  r: {{ first: [a/m, b/m] }}\n")
    })
    .await?;
    let mut findings = Findings::default();
    let mut seeds = seed..;
    for name in FAULTS {
        stage.injectors[0].recover().always(fault(name)?);
        for number in 0..EACH {
            let seed = seeds.next().unwrap_or_default();
            ask(&stage.client, &question(seed, number % 2 == 0), &mut findings).await;
        }
    }
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&["a", "b"], ESTIMATE_OFF)?);
    let [failed, answered] = &closed.logs[..] else { return Err(io::Error::other("two providers")) };
    let mut gaps = Vec::new();
    for second in answered {
        let first = failed.iter().filter(|attempt| attempt.seed == second.seed);
        let ended = first.clone().filter_map(|attempt| attempt.ended).map(|(_, at)| at).max();
        findings.check(Findings::ATTEMPTS, (1..=2).contains(&first.count()), || {
            format!("seed {}: the first provider was not asked once", second.seed)
        });
        if let Some(ended) = ended.filter(|_| second.seed >= seed + WARM_UP) {
            gaps.push(second.at.saturating_duration_since(ended));
        }
    }
    let expected = FAULTS.len() as u64 * EACH;
    findings.check(Findings::ATTEMPTS, answered.len() as u64 == expected, || {
        format!("the second provider was asked {} times, not {expected}", answered.len())
    });
    gaps.sort();
    let at = |percent: usize| gaps.get((gaps.len() * percent / 100).min(gaps.len().max(1) - 1));
    let ms = |gap: Option<&Duration>| gap.map_or(f64::NAN, |gap| gap.as_secs_f64() * 1e3);
    findings.check(Findings::TIME, at(99).is_some_and(|gap| *gap <= BOUND), || {
        format!("99 of 100 failovers take up to {:.2} ms", ms(at(99)))
    });
    let (p50, p99, max) = (ms(at(50)), ms(at(99)), ms(gaps.last()));
    let figures = format!("{} failovers: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms", gaps.len());
    Ok(findings.line("failover after a fast failure", figures))
}
