//! What the mock keeps of every exchange.

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::openai::Tokens;

/// One request as it came, and how its answer went.
#[derive(Clone, Debug)]
pub struct Received {
    /// Position in the log, from 0.
    pub number: usize,
    /// As on the request line.
    pub method: String,
    /// As on the request line, with the query.
    pub target: String,
    /// Names and values in order, spelt as they came.
    pub headers: Vec<(String, String)>,
    /// The body after removing the chunked framing, to the byte.
    pub body: Bytes,
    /// What the strict checks found wrong.
    pub violations: Vec<String>,
    /// When the last byte of the request had arrived.
    pub at: Instant,
    /// Parts of the answer's body that were written.
    pub parts_sent: usize,
    /// Tokens that the answer reports; they count as emitted once it was sent completely.
    pub tokens: Tokens,
    /// How and when the exchange ended; `None` while it runs.
    pub ended: Option<(Ending, Instant)>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole answer was written.
    Complete,
    /// The script broke it off.
    Cut,
    /// The client went away first.
    ClientGone,
}

impl Received {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name, compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_all(name).first().copied()
    }

    /// All headers of this name, compared without case.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let matching = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `model` of the body.
    #[must_use]
    pub fn model(&self) -> String {
        self.json()["model"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether the whole answer was written.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ending() == Some(Ending::Complete)
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ended.map(|(ending, _)| ending)
    }
}
