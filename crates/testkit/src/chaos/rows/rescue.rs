//! Answers that are cut in the middle: every way to go on, twice in a row, across dialects, and what a route
//! may choose instead.

use std::time::Duration;

use pointsman_core::Dialect;

use super::{DIALECTS, TOKENS, short};
use crate::chaos::row::{Client, Expect, Provider, Row};
use crate::faults::{Continuing, Fault, Kind, Question};

/// A provider that is known to go on from a begun answer.
const PREFILL: &str = "prefill: message";

/// The rows.
#[must_use]
pub fn rescue(seed: u64) -> Vec<Row> {
    let Some(reset) = Fault::named("reset_in_text") else { return Vec::new() };
    let mut rows = Vec::new();
    for dialect in DIALECTS {
        let row = |name: &str| base(&format!("{name} {}", short(dialect)), dialect, reset, seed);
        for way in Continuing::ALL {
            let mut row = row(&format!("continued, {}", way.name()));
            row.providers[1].way = way;
            rows.push(row);
        }
        rows.extend(split(&row, seed));
        rows.extend(limits(&row));
        rows.extend(twice(&row, dialect, reset));
        rows.extend(choices(&row));
        rows.extend(tools(&row, dialect));
        if dialect != Dialect::OpenAiResponses {
            rows.extend(prefill(&row));
        }
    }
    rows.extend(across(reset, seed));
    rows
}

/// The first provider breaks off in mid-text, the second goes on.
fn base(name: &str, dialect: Dialect, fault: &'static Fault, seed: u64) -> Row {
    Row {
        name: name.to_owned(),
        question: Question::new(dialect, "", true, seed, TOKENS),
        providers: vec![Provider::failing(dialect, fault), Provider::well(dialect)],
        apart: 0,
        options: "",
        expect: Expect {
            client: Client::Whole,
            attempts: vec![vec![fault.name], vec!["continued"]],
            own: Duration::ZERO,
        },
    }
}

/// Characters in halves, cut between them; three texts, so that some have one to cut.
fn split(row: &impl Fn(&str) -> Row, seed: u64) -> Vec<Row> {
    let split = |number: u64| {
        let mut row = row(&format!("split character {number}"));
        row.question.seed = seed.wrapping_mul(31).wrapping_add(number);
        row.question.tokens = 60;
        for provider in &mut row.providers {
            provider.splits = true;
        }
        row
    };
    (1..=3).map(split).collect()
}

/// The client's limit and stop hold over the joint.
fn limits(row: &impl Fn(&str) -> Row) -> Vec<Row> {
    let mut limited = row("max_tokens over the joint");
    // The cut comes before the last token at the latest.
    limited.question.max_tokens = Some(TOKENS - 3);
    let mut stopped = row("stop over the joint");
    stopped.question.tokens = 60;
    stopped.question.stop = Some("#59".to_owned());
    if stopped.question.dialect == Dialect::OpenAiResponses {
        // This dialect has no stops.
        return vec![limited];
    }
    vec![limited, stopped]
}

/// Two providers break off, the third ends it; and one that is alone has nobody to go on.
fn twice(row: &impl Fn(&str) -> Row, dialect: Dialect, reset: &'static Fault) -> Vec<Row> {
    let mut two = row("cut twice");
    two.providers =
        vec![Provider::failing(dialect, reset), Provider::failing(dialect, reset), Provider::well(dialect)];
    two.expect.attempts = vec![vec![reset.name], vec![reset.name], vec!["continued"]];
    let mut all = row("cut by everybody");
    for provider in &mut all.providers {
        provider.script.clear();
        provider.always = Some(reset);
    }
    all.expect.client = Client::Interrupted;
    all.expect.attempts = vec![vec![reset.name, "reset_in_text?"], vec![reset.name, "reset_in_text?"]];
    vec![two, all]
}

/// What a route may choose in place of `continue`.
fn choices(row: &impl Fn(&str) -> Row) -> Vec<Row> {
    let told = |name: &str, options: &'static str| {
        let mut row = row(name);
        row.options = options;
        row.expect.client = Client::Interrupted;
        row.expect.attempts[1].clear();
        row
    };
    vec![
        told("on_interrupt: error", "on_interrupt: error"),
        told("on_interrupt: restart, text shown", "on_interrupt: restart"),
    ]
}

/// A call whose arguments are cut is held until it is whole, or was shown and cannot be taken back.
fn tools(row: &impl Fn(&str) -> Row, dialect: Dialect) -> Vec<Row> {
    let call = |name: &str, options: &'static str| {
        let mut row = row(name);
        row.question = row.question.of(Kind::Tool);
        row.options = options;
        row
    };
    let mut held = call("call cut, held", "");
    held.expect.attempts[1] = vec!["ok"];
    let mut live = call("call cut, live", "tool_deltas: live");
    live.expect.client = Client::Interrupted;
    live.expect.attempts[1].clear();
    let mut uncut = call("call whole", "");
    uncut.providers[0] = Provider::well(dialect);
    uncut.expect.attempts = vec![vec!["ok"], vec![]];
    vec![held, live, uncut]
}

/// Providers that are known to go on from the model's own turn, and one that refuses it after all.
fn prefill(row: &impl Fn(&str) -> Row) -> Vec<Row> {
    let mut rows = Vec::new();
    for way in Continuing::ALL {
        let mut row = row(&format!("prefilled, {}", way.name()));
        row.providers[1] = row.providers[1].clone().going_on(way).with(PREFILL);
        rows.push(row);
    }
    let mut structured = row("structured output, prefilled");
    structured.question = structured.question.of(Kind::Json);
    structured.providers[1].options = PREFILL;
    let mut refused = row("prefill refused");
    refused.providers[1] = Provider { refuses_prefill: true, ..refused.providers[1].clone().with(PREFILL) };
    refused.providers.push(Provider::well(refused.question.dialect));
    refused.expect.attempts =
        vec![vec!["reset_in_text"], vec!["refused by the strict checks", "continued?"], vec!["continued?"]];
    rows.extend([structured, refused]);
    rows
}

/// Client and both providers speak different dialects.
fn across(reset: &'static Fault, seed: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, client) in (0..).zip(DIALECTS) {
        for first in DIALECTS {
            for second in DIALECTS {
                if client == first && first == second {
                    continue;
                }
                let name = format!("{} from {} and {}", short(client), short(first), short(second));
                let mut row = base(&name, client, reset, seed.wrapping_add(100 + number));
                row.providers = vec![Provider::failing(first, reset), Provider::well(second)];
                rows.push(row);
            }
        }
    }
    rows
}
