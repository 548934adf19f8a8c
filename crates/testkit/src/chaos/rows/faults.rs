//! Every fault × {plain, streamed} × dialect: the first provider fails, the second is well.

use std::time::Duration;

use pointsman_core::Dialect;

use super::{DIALECTS, TOKENS, form, short};
use crate::chaos::row::{Client, Expect, LIMIT, Place, Provider, Row};
use crate::faults::{At, Effect, FAULTS, Fault, Pause, Question, What, Words};

/// The rows.
#[must_use]
pub fn faults(seed: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, fault) in (0..).zip(FAULTS) {
        for dialect in DIALECTS {
            for streamed in [false, true].into_iter().filter(|streamed| fault.fits(*streamed)) {
                rows.push(row(fault, dialect, streamed, seed.wrapping_add(number)));
            }
        }
    }
    rows.extend(unreachable(seed));
    rows
}

fn row(fault: &'static Fault, dialect: Dialect, streamed: bool, seed: u64) -> Row {
    let refuses = matches!(fault.what, What::Refuse);
    let mut first = Provider::failing(dialect, fault);
    if refuses {
        first = Provider { place: Place::Nobody, ..Provider::well(dialect) };
    }
    let (client, second) = match fault.effect {
        Effect::Fallback => (Client::Whole, vec!["ok"]),
        Effect::Rescue => (Client::Whole, vec!["continued"]),
        Effect::Harmless => (Client::Whole, vec![]),
        Effect::Told => (told(fault, dialect), vec![]),
    };
    let tried = if refuses { vec![] } else { vec![fault.name] };
    Row {
        name: format!("{} {} {}", fault.name, short(dialect), form(streamed)),
        question: Question::new(dialect, "", streamed, seed, TOKENS),
        providers: vec![first, Provider::well(dialect)],
        apart: 0,
        options: "",
        expect: Expect { client, attempts: vec![tried, second], own: own(fault) },
    }
}

/// The provider's own words, which agents look for.
fn told(fault: &Fault, dialect: Dialect) -> Client {
    let What::Status { status, words, .. } = fault.what else { return Client::Interrupted };
    let anthropic = dialect == Dialect::Anthropic;
    let words = match words {
        Words::ContextTooLong if anthropic => "prompt is too long",
        Words::ContextTooLong => "maximum context length",
        Words::ContentFilter if anthropic => "content filtering policy",
        Words::ContentFilter => "safety system",
        _ => "temperature",
    };
    Client::Told { status, words }
}

/// How long it takes until a fault is noticed.
fn own(fault: &Fault) -> Duration {
    match fault.what {
        _ if fault.hangs() => LIMIT,
        What::Slow { at: At::InText, pause: Pause::Bearable } => Duration::from_millis(400),
        // Nine megabytes are to be read.
        What::HugeEvent => Duration::from_millis(500),
        _ => Duration::ZERO,
    }
}

/// Providers that are not there at all.
fn unreachable(seed: u64) -> Vec<Row> {
    let places = [("unknown_host", Place::Unknown), ("tls_failed", Place::Tls)];
    let row = |(name, place): (&str, Place)| {
        let dialect = Dialect::OpenAiChat;
        Row {
            name: format!("{name} {} stream", short(dialect)),
            question: Question::new(dialect, "", true, seed, TOKENS),
            providers: vec![Provider { place, ..Provider::well(dialect) }, Provider::well(dialect)],
            apart: 0,
            options: "",
            expect: Expect { client: Client::Whole, attempts: vec![vec![], vec!["ok"]], own: Duration::ZERO },
        }
    };
    places.map(row).into()
}
