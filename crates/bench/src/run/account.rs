//! A figure counts only if nothing was lost on the way to it: what the load sent, what the mock
//! answered, and what the gateway wrote down must be the same.

use std::io;

use pointsman_core::store::{CostBy, CostRow, RecordReader};
use pointsman_store::SqliteReader;

use crate::mock::totals::Sums;
use crate::server::Remains;

/// One gateway's account, and the mock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Requests that the load sent; each was answered with 200.
    pub sent: u64,
    /// Lines of the access log.
    pub lines: u64,
    /// Stored records; `None` where records were off.
    pub records: Option<u64>,
    /// Tokens by the mock, all kinds.
    pub tokens: u64,
}

/// What the mock sent between two moments.
#[must_use]
pub fn difference(after: Sums, before: Sums) -> Sums {
    Sums {
        requests: after.requests - before.requests,
        answered: after.answered - before.answered,
        faults: after.faults - before.faults,
        cancelled: after.cancelled - before.cancelled,
        chunks: after.chunks - before.chunks,
        input: after.input - before.input,
        output: after.output - before.output,
        cost: pointsman_core::Money(after.cost.nanos() - before.cost.nanos()),
    }
}

/// Both together.
#[must_use]
pub fn sum(a: Sums, b: Sums) -> Sums {
    Sums {
        requests: a.requests + b.requests,
        answered: a.answered + b.answered,
        faults: a.faults + b.faults,
        cancelled: a.cancelled + b.cancelled,
        chunks: a.chunks + b.chunks,
        input: a.input + b.input,
        output: a.output + b.output,
        cost: a.cost + b.cost,
    }
}

/// Compares; the gateway has ended, so that everything is on disk.
///
/// # Errors
/// Where anything differs: the text says what.
pub fn check(remains: &Remains, sent: u64, mock: &Sums, stored: bool) -> io::Result<Check> {
    let lines = remains.access_log_lines()?;
    let mut wrong = Vec::new();
    let mut equal = |what: &str, found: i64, expected: i64| {
        if found != expected {
            wrong.push(format!("{what}: {found} instead of {expected}"));
        }
    };
    equal("answers by the mock", mock.answered as i64, sent as i64);
    equal("access log lines", lines as i64, sent as i64);
    let row = if stored { Some(total(remains)?) } else { None };
    if let Some(row) = &row {
        equal("stored records", row.requests as i64, sent as i64);
        equal("input tokens", row.input_tokens as i64, mock.input as i64);
        equal("output tokens", row.output_tokens as i64, mock.output as i64);
        equal("unpriced records", row.unpriced as i64, 0);
        equal("cost in nano-dollars", row.cost.nanos(), mock.cost.nanos());
    }
    if !wrong.is_empty() {
        return Err(io::Error::other(format!("the accounts differ: {}", wrong.join("; "))));
    }
    let records = row.map(|row| row.requests);
    Ok(Check { sent, lines, records, tokens: mock.input + mock.output })
}

fn total(remains: &Remains) -> io::Result<CostRow> {
    let path = remains.database()?.ok_or_else(|| io::Error::other("no record file"))?;
    let mut reader = SqliteReader::open(path).map_err(io::Error::other)?;
    let mut rows = reader.cost(CostBy::Total, None, None).map_err(io::Error::other)?;
    rows.pop().ok_or_else(|| io::Error::other("the record file has no sum"))
}
