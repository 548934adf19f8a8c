//! More than a provider takes: ceilings that it tells, requests that wait or are shed, and the same question of
//! many at one time.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use pointsman_testkit::faults::most_at_once;
use tokio::time::sleep;

use super::super::stage::Stage;
use super::super::{Line, Options};
use super::{ESTIMATE_OFF, Findings, ask, provider, question};
use crate::machine::Cores;

/// Traffic moves before a provider says 429.
pub(super) async fn ceiling(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    const REQUESTS: u64 = 120;
    const LIMIT: u32 = 20;
    let stage = Stage::start(&options.pointsman, cores, 2, |urls| {
        let (a, b) = (provider("a", &urls[0], ""), provider("b", &urls[1], ""));
        format!("providers:\n{a}{b}routes:\n  r: {{ balance: [a/m, b/m] }}\n")
    })
    .await?;
    stage.injectors[0].ceiling(LIMIT, Duration::from_secs(60));
    let mut findings = Findings::default();
    for number in 0..REQUESTS {
        ask(&stage.client, &question(seed + number, false), &mut findings).await;
        sleep(Duration::from_millis(5)).await;
    }
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&["a", "b"], ESTIMATE_OFF)?);
    let (a, b) = (&closed.logs[0], &closed.logs[1]);
    let refused = a.iter().filter(|attempt| !attempt.is_good()).count();
    findings.check(Findings::ATTEMPTS, refused == 0, || format!("{refused} ran into the ceiling"));
    let used = a.len() as u64;
    findings.check(Findings::ATTEMPTS, used * 2 >= u64::from(LIMIT), || {
        format!("only {used} of {LIMIT} were used")
    });
    let figures = format!("{used} of {LIMIT} used, {} elsewhere, {refused} times 429", b.len());
    Ok(findings.line("crowd: a ceiling is told", figures))
}

/// Two at a time, three wait, the others are shed at once.
pub(super) async fn queue(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    const REQUESTS: u64 = 12;
    let work = Duration::from_millis(300);
    let stage = Stage::start(&options.pointsman, cores, 1, |urls| {
        let a = provider("a", &urls[0], "limits: { concurrency: 2, queue: 3, queue_wait: 5s }");
        format!("providers:\n{a}routes:\n  r: {{ first: [a/m] }}\n")
    })
    .await?;
    stage.injectors[0].takes(work, Duration::ZERO);
    let questions: Vec<_> = (0..REQUESTS).map(|number| question(seed + number, false)).collect();
    let answers = join_all(questions.iter().map(|question| stage.client.ask(question))).await;
    let mut findings = Findings::default();
    let (mut served, mut shed, mut slowest) = (0, 0, Duration::ZERO);
    for (question, answer) in questions.iter().zip(answers) {
        let answer = answer?;
        if answer.status == 200 {
            served += 1;
            let right = answer.said.is_whole() && answer.said.text == question.expected();
            findings.check(Findings::BYTES, right, || format!("{:?}", answer.said));
            continue;
        }
        shed += 1;
        slowest = slowest.max(answer.elapsed);
        let told = matches!(answer.status, 429 | 503) && answer.retry_after.is_some();
        findings.check(Findings::BYTES, told, || format!("shed with {}: {:?}", answer.status, answer.said));
    }
    findings.check(Findings::ATTEMPTS, (served, shed) == (5, 7), || format!("{served} served, {shed} shed"));
    findings.check(Findings::TIME, slowest < work / 2, || format!("shed only after {slowest:?}"));
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&["a"], ESTIMATE_OFF)?);
    let most = most_at_once(&closed.logs[0]);
    findings.check(Findings::ATTEMPTS, most == 2, || format!("{most} at once"));
    let figures =
        format!("{most} at once, {served} served, {shed} shed within {:.1} ms", slowest.as_secs_f64() * 1e3);
    Ok(findings.line("crowd: concurrency and queue", figures))
}

/// The same question of many at one time is asked once.
pub(super) async fn coalesce(options: &Options, cores: Cores, seed: u64) -> io::Result<Line> {
    const REQUESTS: usize = 20;
    let stage = Stage::start(&options.pointsman, cores, 1, |urls| {
        let a = provider("a", &urls[0], "");
        format!("providers:\n{a}routes:\n  r: {{ first: [a/m], coalesce: true }}\n")
    })
    .await?;
    stage.injectors[0].takes(Duration::from_millis(300), Duration::from_millis(2));
    let mut findings = Findings::default();
    let question = question(seed, false);
    for answer in join_all((0..REQUESTS).map(|_| stage.client.ask(&question))).await {
        let answer = answer?;
        let right = answer.status == 200 && answer.said.is_whole() && answer.said.text == question.expected();
        findings.check(Findings::BYTES, right, || format!("{}: {:?}", answer.status, answer.said));
    }
    let asked = stage.injectors[0].attempts().len();
    findings.check(Findings::ATTEMPTS, asked == 1, || format!("asked {asked} times"));
    let mut closed = stage.close().await?;
    findings.bill(closed.bill(&["a"], ESTIMATE_OFF)?);
    let figures = format!("{REQUESTS} at one time, asked {asked} times");
    Ok(findings.line("crowd: the same question", figures))
}
