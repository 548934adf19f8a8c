//! Named scenarios: chains for one cause, hedges, and what a client is told when nobody is well.

use std::time::Duration;

use pointsman_core::Dialect;

use super::{DIALECTS, TOKENS, form, short};
use crate::chaos::row::{Client, Expect, LIMIT, Provider, Row};
use crate::faults::{Fault, Question};

/// When the second candidate is asked besides the first in these rows.
const HEDGE: &str = "hedge: { after: 60ms, max_share: 100% }";
const HEDGED_AFTER: Duration = Duration::from_millis(60);

/// The rows.
#[must_use]
pub fn scenarios(seed: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for dialect in DIALECTS {
        for streamed in [false, true] {
            let base = |name: &str, faults: &[&str]| {
                base(name, Question::new(dialect, "", streamed, seed, TOKENS), faults)
            };
            rows.extend(chains(&base));
            rows.extend(nobody(&base, dialect));
            if streamed {
                rows.extend(hedges(&base));
            }
        }
    }
    rows
}

/// Providers whose first attempts fail so (empty: well); each is asked once.
fn base(name: &str, question: Question, faults: &[&str]) -> Row {
    let dialect = question.dialect;
    let provider = |name: &&str| match Fault::named(name) {
        Some(fault) => Provider::failing(dialect, fault),
        None => Provider::well(dialect),
    };
    let attempt = |name: &&'static str| match name.is_empty() {
        true => vec!["ok"],
        false => vec![*name],
    };
    let known = |name: &&str| Fault::named(name).map_or("", |fault| fault.name);
    let names: Vec<&'static str> = faults.iter().map(known).collect();
    Row {
        name: format!("{name} {} {}", short(dialect), form(question.streamed)),
        providers: faults.iter().map(provider).collect(),
        apart: 0,
        options: "",
        expect: Expect {
            client: Client::Whole,
            attempts: names.iter().map(attempt).collect(),
            own: Duration::ZERO,
        },
        question,
    }
}

type Base<'a> = &'a dyn Fn(&str, &[&str]) -> Row;

/// Candidates that are there for one cause.
fn chains(base: Base<'_>) -> Vec<Row> {
    let chains = [
        ("context_too_long", "fallbacks: { context_too_long: ['{b}/long'] }"),
        ("content_filter", "fallbacks: { content_filter: ['{b}/mmmm'] }"),
        ("quota_used_up", "fallbacks: { quota: ['{b}/mmmm'] }"),
    ];
    let chain = |(fault, options): (&str, &'static str)| Row {
        apart: 1,
        options,
        ..base(&format!("chain for {fault}"), &[fault, ""])
    };
    chains.map(chain).into()
}

/// A first token that is late: somebody else is asked besides, and the first answer counts.
fn hedges(base: Base<'_>) -> Vec<Row> {
    let mut late = base("hedged, first late", &["slow_first_token", ""]);
    late.options = HEDGE;
    late.expect.own = HEDGED_AFTER;
    let mut silent = base("hedged, first silent", &["hang_before_head", ""]);
    silent.options = HEDGE;
    silent.expect.own = HEDGED_AFTER;
    let mut both = base("hedged, both late", &["slow_first_token", "slow_first_token", ""]);
    both.options = HEDGE;
    both.expect.own = HEDGED_AFTER + LIMIT;
    let mut early = base("hedged, first in time", &["", ""]);
    early.options = HEDGE;
    early.expect.attempts[1].clear();
    vec![late, silent, both, early]
}

/// Nobody is well: the status says what can be done about it, and every attempt is named.
fn nobody(base: Base<'_>, dialect: Dialect) -> Vec<Row> {
    let always = |mut row: Row, status: u16, words: &'static str| {
        for provider in &mut row.providers {
            provider.always = provider.script.pop().flatten();
        }
        row.expect.client = Client::Told { status, words };
        row
    };
    let mut limited =
        always(base("all rate limited", &["rate_limit_late", "rate_limit_late"]), 429, "2 attempts");
    limited.expect.attempts = vec![vec!["rate_limit_late"], vec!["rate_limit_late"]];
    let mut broken = always(base("all broken", &["server_error", "server_error"]), 502, " attempts: 1. a");
    broken.expect.attempts = vec![vec!["server_error"], vec!["server_error", "server_error?"]];
    broken.expect.own = Duration::from_millis(250);
    let mut silent = always(base("all silent", &["hang_before_head", "hang_before_head"]), 504, "2 attempts");
    silent.expect.attempts = vec![vec!["hang_before_head"], vec!["hang_before_head"]];
    silent.expect.own = 2 * LIMIT;
    if !broken.question.streamed {
        // A whole answer of the last candidate may take as long as the request may.
        return vec![limited, broken];
    }
    let mut long = base("too long for all", &["context_too_long", "context_too_long"]);
    let words = if dialect == Dialect::Anthropic { "prompt is too long" } else { "maximum context length" };
    long.expect.client = Client::Told { status: 400, words };
    long.expect.attempts = vec![vec!["context_too_long"], vec!["context_too_long?"]];
    vec![limited, broken, silent, long]
}
