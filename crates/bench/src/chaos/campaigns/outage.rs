//! A partial outage: how many attempts the provider sees for each request, with an SDK's own retries on top.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::Rng;
use pointsman_testkit::faults::Question;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::client::Client;
use super::super::stage::Stage;
use super::super::{Line, Options};
use super::{ESTIMATE_OFF, Findings, fault, provider, question};
use crate::machine::Cores;

const REQUESTS: u64 = 2_000;
/// Clients at one time.
const CLIENTS: u64 = 16;
/// Of ten attempts, how many fail.
const FAILING: u64 = 3;
/// Attempts for each hundred requests.
const AMPLIFIED: u64 = 120;
/// Tries of the official SDKs.
const TRIES: u32 = 3;
/// Their first pause, shortened: they begin with half a second.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    let stage = Stage::start(&options.pointsman, cores, 1, |urls| {
        // A breaker would end the outage by itself.
        let a = provider("a", &urls[0], "breaker: off");
        format!("providers:\n{a}routes:\n  r: {{ first: [a/m], retry: {{ base: 20ms }} }}\n")
    })
    .await?;
    let failing = fault("server_error")?;
    stage.injectors[0].takes(Duration::from_millis(5), Duration::ZERO).otherwise(move |_, number| {
        let drawn = Rng::new(seed ^ number as u64).below(10);
        Some(failing).filter(|_| drawn < FAILING)
    });
    let mut clients = JoinSet::new();
    for lane in 0..CLIENTS {
        let client = Arc::clone(&stage.client);
        clients.spawn(async move {
            let mut served = 0;
            for number in (lane..REQUESTS).step_by(CLIENTS as usize) {
                served += u64::from(as_an_sdk(&client, &question(seed + number, false)).await);
            }
            served
        });
    }
    let served: u64 = clients.join_all().await.into_iter().sum();
    let mut closed = stage.close().await?;
    let mut findings = Findings::default();
    findings.bill(closed.bill(&["a"], ESTIMATE_OFF)?);
    let attempts = closed.logs[0].len() as u64;
    findings.check(Findings::ATTEMPTS, attempts * 100 <= REQUESTS * AMPLIFIED, || {
        format!("{attempts} attempts for {REQUESTS} requests")
    });
    // What is not tried again fails as often as the provider does.
    findings.check(Findings::BYTES, served * 10 >= REQUESTS * (10 - FAILING), || format!("{served} served"));
    let figures = format!(
        "{FAILING} of 10 attempts fail: {:.3} attempts a request, {:.1} % served",
        attempts as f64 / REQUESTS as f64,
        served as f64 * 100.0 / REQUESTS as f64,
    );
    Ok(findings.line("outage under an SDK's own retries", figures))
}

/// What an official SDK does: two more tries after some statuses, unless it is told not to.
async fn as_an_sdk(client: &Client, question: &Question) -> bool {
    for round in 0..TRIES {
        let Ok(answer) = client.ask(question).await else { return false };
        if answer.status == 200 {
            return answer.said.is_whole() && answer.said.text == question.expected();
        }
        if answer.give_up || !matches!(answer.status, 408 | 409 | 429 | 500..) {
            return false;
        }
        let told = answer.retry_after.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 1.0)));
        sleep(told.unwrap_or(PAUSE * (1 << round))).await;
    }
    false
}
