//! A provider with two keys, one of which is refused from some moment on.

use std::io;

use super::super::stage::{SECOND_KEY, Stage};
use super::super::{Line, Options};
use super::{ESTIMATE_OFF, Findings, ask, provider, question};
use crate::machine::Cores;

const BEFORE: u64 = 40;
const AFTER: u64 = 100;
/// Attempts that a refused key may still cost.
const REFUSED: usize = 2;

pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    let keys = format!("keys: [{{ env: CHAOS_KEY }}, {{ env: {} }}]", SECOND_KEY.0);
    let stage = Stage::start(&options.pointsman, cores, 2, |urls| {
        let (a, b) = (provider("a", &urls[0], &keys), provider("b", &urls[1], ""));
        format!("providers:\n{a}{b}routes:\n  r: {{ first: [a/m, b/m] }}\n")
    })
    .await?;
    let mut findings = Findings::default();
    for number in 0..BEFORE + AFTER {
        if number == BEFORE {
            stage.injectors[0].refuses_key(SECOND_KEY.1);
        }
        ask(&stage.client, &question(seed + number, number % 2 == 0), &mut findings).await;
    }
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&["a", "b"], ESTIMATE_OFF)?);
    let (a, b) = (&closed.logs[0], &closed.logs[1]);
    let with = |key: &str| a.iter().filter(|attempt| attempt.key == key).count();
    let refused = a.iter().filter(|attempt| attempt.what() == "key_wrong").count();
    findings.check(Findings::ATTEMPTS, (1..=REFUSED).contains(&refused), || {
        format!("the refused key was used {refused} times")
    });
    findings.check(Findings::ATTEMPTS, b.is_empty(), || format!("{} went to the other provider", b.len()));
    let second = with(SECOND_KEY.1) - refused;
    findings.check(Findings::ATTEMPTS, second > 0, || "the second key had no turn before".to_owned());
    let figures = format!(
        "{second} with the key before, {refused} refused, {} with the other",
        a.len() - second - refused
    );
    Ok(findings.line("a key is refused", figures))
}
