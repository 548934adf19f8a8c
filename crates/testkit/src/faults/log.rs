//! The provider's own log: every attempt, what befell it, and the tokens that it emitted.

use std::time::Duration;

use pointsman_core::Dialect;
use tokio::time::Instant;

use super::table::Fault;
use crate::mock::Ending;
use crate::openai::Tokens;

/// One request, as the provider saw it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Position in the log, from 0.
    pub number: usize,
    /// When all of the request was here.
    pub at: Instant,
    /// What it is written in; `None`: it could not be read.
    pub dialect: Option<Dialect>,
    /// A stream was wanted.
    pub streamed: bool,
    /// See [`super::Ask::seed`].
    pub seed: u64,
    /// The key that it came with; empty for none.
    pub key: String,
    /// What befell it.
    pub fault: Option<&'static Fault>,
    /// It was to go on from so many bytes.
    pub continues: Option<usize>,
    /// The same, with the model's turn last.
    pub prefill: bool,
    /// Attempts that were under way when it arrived, itself included.
    pub beside: usize,
    /// Why a picky server refused it.
    pub refused: Option<String>,
    /// Tokens that the provider bills: of the prompt, where it began to work; of the answer, as many as were
    /// sent.
    pub tokens: Tokens,
    /// How and when it ended; `None` while it runs.
    pub ended: Option<(Ending, Instant)>,
    /// Parts that were sent, and the tokens in each.
    pub(super) parts_sent: usize,
    pub(super) weights: Vec<u32>,
}

impl Attempt {
    /// The name of what befell it, `ok`, or `refused`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match (&self.refused, self.fault) {
            (Some(_), _) => "refused by the strict checks",
            (None, Some(fault)) => fault.name,
            (None, None) if self.continues.is_some() => "continued",
            (None, None) => "ok",
        }
    }

    /// How long it ran, if it is over.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.ended.map(|(_, at)| at.saturating_duration_since(self.at))
    }

    /// Whether the whole answer was sent, and it was a good one.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let whole = matches!(self.ended, Some((Ending::Complete, _)));
        whole && self.fault.is_none() && self.refused.is_none()
    }

    pub(super) fn sent_part(&mut self) {
        let weight = self.weights.get(self.parts_sent).copied().unwrap_or(0);
        self.parts_sent += 1;
        self.tokens.output += u64::from(weight);
    }
}

/// What attempts came to.
#[must_use]
pub fn emitted(attempts: &[Attempt]) -> Tokens {
    let mut sum = Tokens::default();
    for attempt in attempts {
        sum.input += attempt.tokens.input;
        sum.output += attempt.tokens.output;
    }
    sum
}

/// The most attempts that were under way at one time, each seen at its arrival.
#[must_use]
pub fn most_at_once(attempts: &[Attempt]) -> usize {
    attempts.iter().map(|attempt| attempt.beside).max().unwrap_or(0)
}
