//! `pointsman cost`: what requests cost, added up.

use pointsman_core::Money;
use pointsman_core::store::{CostBy, CostRow, RecordReader as _};
use serde_json::{Value, json};

use super::records::{self, ESTIMATE, UNKNOWN};
use crate::cli::{By, Cost};
use crate::failure::Failure;
use crate::output::{self, Align, Table};

/// Shows the sums, and below groups their total.
pub(crate) fn run(args: &Cost) -> Result<(), Failure> {
    let by = match args.by {
        None => CostBy::Total,
        Some(By::Model) => CostBy::Model,
        Some(By::Key) => CostBy::Key,
        Some(By::Day) => CostBy::Day,
        Some(By::Project) => CostBy::Project,
        Some(By::Team) => CostBy::Team,
    };
    let since = records::since(args.since.as_deref())?;
    let mut reader = records::open(&args.config)?;
    let rows = reader.cost(by, since, None)?;
    if args.json {
        let rows: Vec<Value> = rows.iter().map(document).collect();
        return output::print(&format!("{:#}\n", Value::from(rows)));
    }
    if rows.is_empty() {
        return output::print("no requests\n");
    }
    // Asked for, not added up: a request whose attempts went to two models is one request.
    let total = if by == CostBy::Total { Vec::new() } else { reader.cost(CostBy::Total, since, None)? };
    output::print(&table(by, rows.iter().chain(&total)).to_string())
}

fn table<'a>(by: CostBy, rows: impl IntoIterator<Item = &'a CostRow>) -> Table {
    let group = match by {
        CostBy::Total => "",
        CostBy::Model => "MODEL",
        CostBy::Key => "KEY",
        CostBy::Day => "DAY (UTC)",
        CostBy::Project => "PROJECT",
        CostBy::Team => "TEAM",
    };
    let mut table = Table::new([
        (group, Align::Left),
        ("REQUESTS", Align::Right),
        ("IN", Align::Right),
        ("OUT", Align::Right),
        ("COST USD", Align::Right),
        ("UNPRICED", Align::Right),
    ]);
    for row in rows {
        table.row([
            row.group.clone(),
            row.requests.to_string(),
            format!("{}{}", mark(row), row.input_tokens),
            format!("{}{}", mark(row), row.output_tokens),
            cost(row),
            row.unpriced.to_string(),
        ]);
    }
    table
}

/// What is known, and that something is not.
fn cost(row: &CostRow) -> String {
    let mark = mark(row);
    match (row.unpriced, row.cost) {
        (0, cost) => format!("{mark}{cost}"),
        (_, Money::ZERO) => UNKNOWN.into(),
        (_, cost) => format!("{mark}{cost} + {UNKNOWN}"),
    }
}

/// Told where a part of the sum was not reported by providers.
const fn mark(row: &CostRow) -> &'static str {
    if row.estimated == 0 { "" } else { ESTIMATE }
}

fn document(row: &CostRow) -> Value {
    let known = row.unpriced == 0 || row.cost != Money::ZERO;
    json!({
        "group": row.group,
        "requests": row.requests,
        "unpriced_requests": row.unpriced,
        "estimated_requests": row.estimated,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": known.then(|| records::dollars(row.cost)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_price_is_unknown_and_never_zero() {
        let row = |group: &str, unpriced, nanos| CostRow {
            estimated: u64::from(group == "local/z"),
            group: group.into(),
            requests: 2,
            unpriced,
            input_tokens: 10,
            output_tokens: 5,
            cost: Money(nanos),
        };
        let rows = [row("a/x", 0, 4_200), row("b/y", 2, 0), row("local/z", 0, 0), row("total", 2, 4_200)];
        let text = table(CostBy::Model, &rows).to_string();
        assert_eq!(
            text,
            "MODEL    REQUESTS   IN  OUT               COST USD  UNPRICED\n\
             a/x             2   10    5            0.000004200         0\n\
             b/y             2   10    5                unknown         2\n\
             local/z         2  ~10   ~5           ~0.000000000         0\n\
             total           2   10    5  0.000004200 + unknown         2\n"
        );
        assert!(document(&rows[1])["cost_usd"].is_null());
        assert_eq!(document(&rows[2])["estimated_requests"], 1);
        assert_eq!(document(&rows[3])["cost_usd"].to_string(), "0.000004200");
    }
}
