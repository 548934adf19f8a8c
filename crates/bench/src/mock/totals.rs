//! What the mock sent, to be compared with what a gateway recorded.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use pointsman_core::{Cost, Money, Price};
use serde_json::json;

/// Prompt tokens that every answer reports.
pub const INPUT_TOKENS: u64 = 200;
/// The price that a gateway under test must be given: $0.15 per million prompt tokens.
pub const INPUT_PRICE: Price = Price(150_000_000);
/// $0.60 per million completion tokens.
pub const OUTPUT_PRICE: Price = Price(600_000_000);

/// Running sums.
#[derive(Debug, Default)]
pub struct Totals {
    requests: AtomicU64,
    answered: AtomicU64,
    faults: AtomicU64,
    cancelled: AtomicU64,
    chunks: AtomicU64,
    input: AtomicU64,
    output: AtomicU64,
    cost: AtomicI64,
    latest: AtomicU64,
}

/// The sums at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests received.
    pub requests: u64,
    /// Answers sent whole.
    pub answered: u64,
    /// Scripted faults.
    pub faults: u64,
    /// Streams that the other side broke off.
    pub cancelled: u64,
    /// Content chunks of streams.
    pub chunks: u64,
    /// Prompt tokens of whole answers.
    pub input: u64,
    /// Completion tokens of whole answers.
    pub output: u64,
    /// What whole answers cost, each rounded as Pointsman does.
    pub cost: Money,
}

impl Totals {
    /// Now.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums {
            requests: self.requests.load(Relaxed),
            answered: self.answered.load(Relaxed),
            faults: self.faults.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            chunks: self.chunks.load(Relaxed),
            input: self.input.load(Relaxed),
            output: self.output.load(Relaxed),
            cost: Money(self.cost.load(Relaxed)),
        }
    }

    /// How late the mock itself ever was with a chunk: the limit of what a measurement can show.
    #[must_use]
    pub fn latest_chunk(&self) -> Duration {
        Duration::from_micros(self.latest.load(Relaxed))
    }

    /// The sums as the control path serves them.
    #[must_use]
    pub fn to_json(&self) -> String {
        let sums = self.sums();
        json!({
            "requests": sums.requests, "answered": sums.answered, "faults": sums.faults,
            "cancelled": sums.cancelled, "chunks": sums.chunks, "input_tokens": sums.input,
            "output_tokens": sums.output, "cost_nanos": sums.cost.nanos(),
            "latest_chunk_us": self.latest.load(Relaxed),
        })
        .to_string()
    }

    pub(super) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Relaxed)
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    pub(super) fn cancelled(&self) {
        self.cancelled.fetch_add(1, Relaxed);
    }

    pub(super) fn chunk(&self, late: Duration) {
        self.chunks.fetch_add(1, Relaxed);
        self.latest.fetch_max(late.as_micros() as u64, Relaxed);
    }

    pub(super) fn answered(&self, input: u64, output: u64) {
        self.answered.fetch_add(1, Relaxed);
        self.input.fetch_add(input, Relaxed);
        self.output.fetch_add(output, Relaxed);
        let cost = Cost::from_femto([INPUT_PRICE.times(input), 0, 0, OUTPUT_PRICE.times(output), 0, 0]);
        self.cost.fetch_add(cost.total().nanos(), Relaxed);
    }
}
