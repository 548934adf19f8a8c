//! What shows over many requests: how fast the next candidate is asked, what an outage is multiplied by, keys,
//! breakers, ceilings, queues, and balancing.

mod balance;
mod breaker;
mod crowd;
mod failover;
mod keys;
mod outage;

use std::io;

use pointsman_core::Dialect;
use pointsman_testkit::chaos::Verdict;
use pointsman_testkit::faults::{Fault, Question};

use super::client::{Answer, Client};
use super::{Line, Options};
use crate::machine::Cores;
use crate::run::say;

/// Tokens of an answer.
const TOKENS: usize = 12;
/// Of a hundred: how far estimated prompt tokens may be off in a sum.
const ESTIMATE_OFF: u64 = 10;

/// What was found wrong, the first of each kind.
#[derive(Debug, Default)]
struct Findings(Verdict);

impl Findings {
    const BYTES: usize = 0;
    const ATTEMPTS: usize = 1;
    const BILL: usize = 2;
    const TIME: usize = 3;

    fn check(&mut self, what: usize, right: bool, why: impl FnOnce() -> String) {
        if !right && self.0[what].is_none() {
            self.0[what] = Some(why());
        }
    }

    fn bill(&mut self, bill: Result<String, String>) {
        if let Err(why) = bill {
            self.check(Self::BILL, false, || why);
        }
    }

    fn line(self, name: &str, figures: String) -> Line {
        Line { name: name.to_owned(), verdict: self.0, figures }
    }
}

/// Runs them, one after the other: each measures alone.
pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    if options.wants("failover") {
        say("failover")?;
        lines.push(failover::run(options, cores, seed).await?);
    }
    if options.wants("keys") {
        say("keys")?;
        lines.push(keys::run(options, cores, seed).await?);
    }
    if options.wants("outage") {
        say("outage")?;
        lines.push(outage::run(options, cores, seed).await?);
    }
    if options.wants("breaker") {
        say("breaker")?;
        lines.push(breaker::run(options, cores, seed).await?);
    }
    if options.wants("crowd") {
        say("crowd")?;
        lines.push(crowd::ceiling(options, cores, seed).await?);
        lines.push(crowd::queue(options, cores, seed).await?);
        lines.push(crowd::coalesce(options, cores, seed).await?);
    }
    if options.wants("balance") {
        say("balance")?;
        lines.push(balance::run(options, cores, seed).await?);
    }
    Ok(lines)
}

/// A question to the route `r`.
fn question(seed: u64, streamed: bool) -> Question {
    Question::new(Dialect::OpenAiChat, "r", streamed, seed, TOKENS)
}

/// A provider `name` with these further lines of YAML.
fn provider(name: &str, url: &str, options: &str) -> String {
    format!(
        "  {name}:\n    base_url: {url}\n    models: [m]\n    include_usage: true\n    \
         timeouts: {{ connect: 2s, first_byte: 2s, first_token: 2s, between_chunks: 2s, total: 30s }}\n{}",
        options.lines().map(|line| format!("    {line}\n")).collect::<String>(),
    )
}

/// Asks, and holds the answer against its text.
async fn ask(client: &Client, question: &Question, findings: &mut Findings) -> Option<Answer> {
    let answer = match client.ask(question).await {
        Ok(answer) => answer,
        Err(error) => {
            findings.check(Findings::BYTES, false, || format!("no answer: {error}"));
            return None;
        }
    };
    let right = answer.status == 200 && answer.said.is_whole() && answer.said.text == question.expected();
    findings.check(Findings::BYTES, right, || {
        format!("seed {}: {} by {:?}: {:?}", question.seed, answer.status, answer.provider, answer.said)
    });
    right.then_some(answer)
}

fn fault(name: &str) -> io::Result<&'static Fault> {
    Fault::named(name).ok_or_else(|| io::Error::other(format!("no fault {name}")))
}
