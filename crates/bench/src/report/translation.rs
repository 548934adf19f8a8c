//! The section on conversion between dialects.

use std::fmt::Write as _;

use super::table::{Judgement, show};
use super::{heading, push_judgements};
use crate::run::figures::Spread;
use crate::run::translation::{Found, Pass, Translation};

/// The targets.
const MAX_REQUEST: f64 = 1.6;
const MAX_CHUNK_US: f64 = 4.0;
const MAX_CONVERSION_MS: f64 = 3.0;
const MAX_TIMES: f64 = 4.0;

/// The section as Markdown.
#[must_use]
pub fn translation(found: &Translation, command: &str, date: &str) -> String {
    let mut text = heading("Translation", command, date);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "One Pointsman with records and access log takes requests of 1 KB (instructions, three turns, options) in one \
         dialect for a provider of another, in turns with OpenAI chat on both sides, which needs no conversion: {} \
         rounds, there and back, each ratio and difference within one pass. Streams are 200 at a time with 64 chunks at \
         20 ms. Prompts of 400 KB (24 tools, many turns, texts with escapes) are converted in one process, with a \
         counting allocator: from the bytes of one body to those of the other, both bodies counted. The machine's load \
         average before the run was {:.2}.\n",
        found.rounds, found.load_before,
    );
    push_judgements(&mut text, &judgements(found));
    text.push_str("\n### As measured\n\n");
    text.push_str(&measured(found));
    let sent: u64 = found.checks.iter().map(|check| check.sent).sum();
    let records: u64 = found.checks.iter().filter_map(|check| check.records).sum();
    let tokens: u64 = found.checks.iter().map(|check| check.tokens).sum();
    let _ = writeln!(
        text,
        "\n{sent} requests, {records} records; {tokens} tokens and their cost to the nano-dollar are the mock's own, \
         whatever the dialect."
    );
    text
}

fn judgements(found: &Translation) -> Vec<Judgement> {
    found.pairs.iter().flat_map(|pair| pair_judgements(&found.same, pair)).collect()
}

fn pair_judgements(same: &Found, found: &Found) -> Vec<Judgement> {
    let name = found.pair.name;
    let passes = |combine: fn(&Pass, &Pass) -> f64| {
        let values = found.passes.iter().zip(&same.passes).map(|(with, without)| combine(with, without));
        Spread::of(&values.collect::<Vec<_>>())
    };
    let request = passes(|with, without| with.request_us / without.request_us);
    let chunk = passes(|with, without| with.chunk_us - without.chunk_us);
    let times: Vec<_> = found.conversions.iter().map(|conversion| conversion.times()).collect();
    let ms: Vec<_> = found.conversions.iter().map(|conversion| conversion.ms).collect();
    let rows = [
        (format!("{name}: processor time per request"), request, MAX_REQUEST, "× without conversion"),
        ("the same, per streamed chunk".to_owned(), chunk, MAX_CHUNK_US, "µs over without"),
        ("a prompt of 400 KB".to_owned(), Spread::of(&ms), MAX_CONVERSION_MS, "ms"),
        ("its memory".to_owned(), Spread::of(&times), MAX_TIMES, "× its size"),
    ];
    let judged = rows.into_iter().filter_map(|(what, spread, limit, unit)| {
        let spread = spread?;
        Some(Judgement {
            what,
            target: format!("≤ {limit} {unit}"),
            found: show(spread, 2),
            holds: spread.median <= limit,
            floor_check: false,
        })
    });
    judged.collect()
}

fn measured(found: &Translation) -> String {
    let mut text =
        "| | processor time per request, µs | per streamed chunk, µs | a chunk's way, p50, µs | p99, µs |\n\
                    |---|---|---|---|---|\n"
            .to_owned();
    for one in std::iter::once(&found.same).chain(&found.pairs) {
        let column = |value: fn(&Pass) -> f64, digits| {
            let spread = Spread::of(&one.passes.iter().map(value).collect::<Vec<_>>());
            spread.map_or("–".to_owned(), |spread| show(spread, digits))
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            one.pair.name,
            column(|pass| pass.request_us, 2),
            column(|pass| pass.chunk_us, 2),
            column(|pass| pass.way_p50_us, 1),
            column(|pass| pass.way_p99_us, 1),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::Conversion;
    use crate::run::translation::{PAIRS, SAME};

    #[test]
    fn each_pass_is_held_against_the_one_beside_it() {
        let pass = |request_us, chunk_us| Pass { request_us, chunk_us, way_p50_us: 1.0, way_p99_us: 2.0 };
        let conversion =
            Conversion { prompt_bytes: 400_000, body_bytes: 390_000, peak_bytes: 1_000_000, ms: 3.5 };
        let with = Found {
            pair: PAIRS[0],
            passes: vec![pass(15.0, 14.0), pass(40.0, 26.0)],
            conversions: vec![conversion],
        };
        let same =
            Found { pair: SAME, passes: vec![pass(10.0, 10.0), pass(20.0, 20.0)], conversions: Vec::new() };
        let found = Translation { same, pairs: vec![with], checks: Vec::new(), rounds: 1, load_before: 0.25 };
        let text = translation(&found, "make x", "2026-01-02");
        for line in [
            "| OpenAI chat → Anthropic: processor time per request | ≤ 1.6 × without conversion | 1.75 (1.50–2.00) | **missed** |",
            "| the same, per streamed chunk | ≤ 4 µs over without | 5.00 (4.00–6.00) | **missed** |",
            "| a prompt of 400 KB | ≤ 3 ms | 3.50 (3.50–3.50) | **missed** |",
            "| its memory | ≤ 4 × its size | 2.50 (2.50–2.50) | holds |",
            "| OpenAI chat → OpenAI chat | 15.00 (10.00–20.00) | 15.00 (10.00–20.00) | 1.0 (1.0–1.0) | 2.0 (2.0–2.0) |",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
