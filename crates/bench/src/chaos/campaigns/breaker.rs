//! A breaker with shortened times over sockets: when it opens, that nothing goes through while it is open, and
//! one probe at a time afterwards. The default times are tested on paused time.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::super::stage::Stage;
use super::super::{Line, Options};
use super::{ESTIMATE_OFF, Findings, ask, fault, provider, question};
use crate::machine::Cores;

/// As configured.
const BREAKER: &str = "breaker: { failures: 5, window: 10s, open_for: 800ms }";
const OPEN_FOR: Duration = Duration::from_millis(800);
/// Requests that arrive together when the probe is due.
const TOGETHER: u64 = 30;
const ROUNDS: u64 = 3;

pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    let stage = Stage::start(&options.pointsman, cores, 2, |urls| {
        let (a, b) = (provider("a", &urls[0], BREAKER), provider("b", &urls[1], ""));
        format!("providers:\n{a}{b}routes:\n  r: {{ first: [a/m, b/m] }}\n")
    })
    .await?;
    let (a, mut findings) = (&stage.injectors[0], Findings::default());
    a.always(fault("server_error")?);
    let mut seeds = seed..;
    let mut next = || question(seeds.next().unwrap_or_default(), false);
    for _ in 0..20 {
        ask(&stage.client, &next(), &mut findings).await;
    }
    let tripped = a.attempts().len();
    findings.check(Findings::ATTEMPTS, tripped == 5, || format!("{tripped} attempts before it opened"));
    let mut probes = Vec::new();
    for round in 0..ROUNDS {
        if round + 1 == ROUNDS {
            // The last one succeeds, and takes long enough for everybody to arrive meanwhile.
            a.recover().takes(Duration::from_millis(200), Duration::ZERO);
        }
        sleep(OPEN_FOR + Duration::from_millis(50)).await;
        let before = a.attempts().len();
        let questions: Vec<_> = (0..TOGETHER).map(|_| next()).collect();
        let all = questions.iter().map(|question| async {
            let mut own = Findings::default();
            ask(&stage.client, question, &mut own).await;
            own
        });
        for own in join_all(all).await {
            for (what, why) in own.0.into_iter().enumerate() {
                findings.check(what, why.is_none(), || why.unwrap_or_default());
            }
        }
        probes.push(a.attempts().len() - before);
    }
    findings.check(Findings::ATTEMPTS, probes.iter().all(|count| *count == 1), || {
        format!("probes in each round: {probes:?}")
    });
    a.takes(Duration::ZERO, Duration::ZERO);
    let before = a.attempts().len();
    for _ in 0..10 {
        ask(&stage.client, &next(), &mut findings).await;
    }
    let after = a.attempts().len() - before;
    findings.check(Findings::ATTEMPTS, after == 10, || format!("{after} of 10 after the probe's success"));
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&["a", "b"], ESTIMATE_OFF)?);
    let figures = format!("opened after {tripped}, probes of {TOGETHER} at once: {probes:?}");
    Ok(findings.line("breaker opens, probes, closes", figures))
}
