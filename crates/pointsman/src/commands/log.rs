//! `pointsman log`: recorded requests, newest first.

use pointsman_core::UsageSource;
use pointsman_core::store::{RecordFilter, RecordReader as _, RecordSummary};
use serde_json::{Value, json};

use super::records::{self, ESTIMATE, UNKNOWN};
use crate::cli::Log;
use crate::failure::Failure;
use crate::output::{self, Align, Table};

/// Shows what the filter leaves.
pub(crate) fn run(args: &Log) -> Result<(), Failure> {
    let filter = RecordFilter {
        since: records::since(args.since.as_deref())?,
        model: args.model.clone(),
        key: args.key.clone(),
        failed: args.failed,
        limit: args.limit,
        ..RecordFilter::default()
    };
    let found = records::open(&args.config)?.list(&filter)?;
    output::print(&match (args.json, found.is_empty()) {
        (true, _) => found.iter().map(|record| format!("{}\n", document(record))).collect(),
        (false, true) => "no such requests\n".into(),
        (false, false) => table(&found).to_string(),
    })
}

fn table(found: &[RecordSummary]) -> Table {
    let mut table = Table::new([
        ("TIME (UTC)", Align::Left),
        ("REQUEST", Align::Left),
        ("MODEL", Align::Left),
        ("UPSTREAM", Align::Left),
        ("KEY", Align::Left),
        ("STATUS", Align::Right),
        ("OUTCOME", Align::Left),
        ("TRIES", Align::Right),
        ("IN", Align::Right),
        ("OUT", Align::Right),
        ("COST USD", Align::Right),
        ("FIRST TOKEN", Align::Right),
        ("TOTAL", Align::Right),
    ]);
    for record in found {
        table.row([
            records::time(record.started_unix_us, 0).replace('T', " ").replace('Z', ""),
            record.id.to_string(),
            Some(&record.requested_model).filter(|name| !name.is_empty()).cloned().unwrap_or_else(nothing),
            upstream(record),
            record.key.clone().unwrap_or_else(nothing),
            status(record),
            record.outcome.clone(),
            record.attempts.to_string(),
            tokens(record, record.input_tokens),
            tokens(record, record.output_tokens),
            cost(record),
            record.first_token_us.map_or_else(nothing, milliseconds),
            milliseconds(record.duration_us),
        ]);
    }
    table
}

/// The line's names are those of the access log.
fn document(record: &RecordSummary) -> Value {
    json!({
        "ts": records::time(record.started_unix_us, 6),
        "request_id": record.id.to_string(),
        "requested_model": record.requested_model,
        "provider": record.provider,
        "model": record.model,
        "key": record.key,
        "status": record.status,
        "outcome": record.outcome,
        "attempts": record.attempts,
        "input_tokens": record.input_tokens,
        "output_tokens": record.output_tokens,
        "usage_source": record.usage_source,
        "cost_usd": record.cost.map(records::dollars),
        "cost_estimated": record.estimated,
        "duration_us": record.duration_us,
        "first_token_us": record.first_token_us,
        "overhead_us": record.overhead_us,
        "simulated": record.simulated,
    })
}

fn upstream(record: &RecordSummary) -> String {
    match (&record.provider, &record.model) {
        (Some(provider), Some(model)) => format!("{provider}/{model}"),
        _ => nothing(),
    }
}

/// A client that left before an answer began saw no status.
fn status(record: &RecordSummary) -> String {
    if record.status == 0 { nothing() } else { record.status.to_string() }
}

/// Marked where the provider did not report them, but somebody counted or estimated.
fn tokens(record: &RecordSummary, count: u64) -> String {
    let estimate = UsageSource::ALL.into_iter().filter(|source| source.is_estimate());
    let mark =
        if estimate.map(UsageSource::as_str).any(|word| word == record.usage_source) { ESTIMATE } else { "" };
    format!("{mark}{count}")
}

/// A request that no upstream saw has no cost at all; one whose price is not known has an unknown cost.
fn cost(record: &RecordSummary) -> String {
    match record.cost {
        _ if record.attempts == 0 => nothing(),
        Some(cost) if record.estimated => format!("{ESTIMATE}{cost}"),
        Some(cost) => cost.to_string(),
        None => UNKNOWN.into(),
    }
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us / 100 % 10)
}

fn nothing() -> String {
    "-".into()
}

#[cfg(test)]
mod tests {
    use pointsman_core::{Money, RequestId};

    use super::*;

    fn summary() -> RecordSummary {
        RecordSummary {
            id: RequestId::first_at(1_795_337_748_123),
            started_unix_us: 1_795_337_748_123_456,
            route: None,
            requested_model: "smart".into(),
            provider: Some("openai".into()),
            model: Some("gpt-4o-mini".into()),
            key: None,
            status: 200,
            outcome: "success".into(),
            attempts: 1,
            input_tokens: 12,
            output_tokens: 3,
            usage_source: "reported".into(),
            cost: Some(Money(4_200)),
            estimated: false,
            duration_us: 1_234_567,
            first_token_us: None,
            overhead_us: 40,
            simulated: false,
        }
    }

    #[test]
    fn a_row_shows_what_is_known_and_never_zero_for_what_is_not() {
        let unpriced = RecordSummary { cost: None, ..summary() };
        let refused = RecordSummary {
            requested_model: String::new(),
            cost: Some(Money::ZERO),
            attempts: 0,
            provider: None,
            model: None,
            status: 0,
            ..summary()
        };
        let text = table(&[summary(), unpriced, refused]).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("2026-11-22 08:55:48  req_"), "{text}");
        assert!(lines[1].contains("openai/gpt-4o-mini") && lines[1].contains(" 0.000004200 "), "{text}");
        assert!(lines[1].ends_with("  1234.5 ms"), "{text}");
        assert!(lines[2].contains(" unknown ") && !lines[2].contains("0.0000"), "{text}");
        assert!(!lines[3].contains("unknown") && !lines[3].contains("0.0000"), "{text}");
    }

    #[test]
    fn estimates_are_marked() {
        let counted = RecordSummary { usage_source: "counted".into(), estimated: true, ..summary() };
        let rescued = RecordSummary { estimated: true, ..summary() };
        let text = table(&[counted.clone(), rescued, summary()]).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains(" ~12   ~3  ~0.000004200 "), "{text}");
        assert!(lines[2].contains("  12    3  ~0.000004200 "), "{text}");
        assert!(!lines[3].contains('~'), "{text}");
        let counted = document(&counted);
        assert_eq!(
            (counted["usage_source"].as_str(), &counted["cost_estimated"]),
            (Some("counted"), &true.into())
        );
        assert_eq!(document(&summary())["cost_estimated"], false);
    }

    #[test]
    fn json_has_exact_cost_or_null() {
        assert_eq!(document(&summary())["cost_usd"].to_string(), "0.000004200");
        let unpriced = document(&RecordSummary { cost: None, ..summary() });
        assert!(unpriced["cost_usd"].is_null());
        assert_eq!(unpriced["ts"], "2026-11-22T08:55:48.123456Z");
    }
}
