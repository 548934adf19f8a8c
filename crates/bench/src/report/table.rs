//! The targets, what was found, and whether it holds.

use std::fmt::Write as _;

use crate::run::figures::Figure::{self, *};
use crate::run::figures::Target::{self, *};
use crate::run::figures::{Results, Spread};

/// One line of the table of targets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judgement {
    /// The figure.
    pub(super) what: String,
    /// The target.
    pub(super) target: String,
    /// Median and extremes.
    pub(super) found: String,
    /// The median is within the target.
    pub(super) holds: bool,
    /// It is about the floor, and so about whether the run counts.
    pub(super) floor_check: bool,
}

/// How a figure is derived.
#[derive(Clone, Copy)]
enum Rule {
    /// The figure itself.
    Of(Target, Figure),
    /// A ratio of two, by round.
    Ratio((Target, Figure), (Target, Figure)),
    /// A difference, by round.
    Added((Target, Figure), (Target, Figure)),
}

/// Each target of the table: words, rule, limit, unit.
const TARGETS: [(&str, Rule, f64, &str); 17] = [
    (
        "floor's processor time against nginx, 16 connections",
        Rule::Ratio((Floor, Cpu16), (Nginx, Cpu16)),
        1.3,
        "×",
    ),
    ("the same, 128 connections", Rule::Ratio((Floor, Cpu128), (Nginx, Cpu128)), 1.3, "×"),
    (
        "processor time per request, 16 connections",
        Rule::Ratio((Plain, Cpu16), (Floor, Cpu16)),
        1.4,
        "× floor",
    ),
    ("the same, 128 connections", Rule::Ratio((Plain, Cpu128), (Floor, Cpu128)), 1.4, "× floor"),
    ("with SQLite records, 16 connections", Rule::Ratio((Full, Cpu16), (Floor, Cpu16)), 1.8, "× floor"),
    ("the same, 128 connections", Rule::Ratio((Full, Cpu128), (Floor, Cpu128)), 1.8, "× floor"),
    (
        "added latency, 1 connection, p50",
        Rule::Added((Full, LatencyP50), (Floor, LatencyP50)),
        40.0,
        "µs over floor",
    ),
    ("the same, p99", Rule::Added((Full, LatencyP99), (Floor, LatencyP99)), 200.0, "µs over floor"),
    ("resident, idle 10 s after 1,000 mixed requests", Rule::Of(Full, Idle), 16.0, "MiB"),
    ("resident, 256 connections × 150 KB", Rule::Of(Full, Loaded), 110.0, "MiB"),
    ("resident, 10 s after they closed", Rule::Of(Full, After), 40.0, "MiB"),
    ("1,000 streams × 64 chunks, latest chunk", Rule::Of(Full, DelayMax1000), 200.0, "ms"),
    (
        "processor time per chunk, 1,000 streams",
        Rule::Ratio((Full, CpuChunk1000), (Floor, CpuChunk1000)),
        1.5,
        "× floor",
    ),
    ("the same, 50 streams", Rule::Ratio((Full, CpuChunk50), (Floor, CpuChunk50)), 1.5, "× floor"),
    (
        "a chunk's way, 50 streams, p50",
        Rule::Added((Full, DelayP50), (Floor, DelayP50)),
        30.0,
        "µs over floor",
    ),
    (
        "5,000 models, 20,000 keys, 500 routes: processor time",
        Rule::Ratio((Full, CpuLarge), (Full, CpuSmall)),
        1.1,
        "× ten models",
    ),
    ("reload of that configuration", Rule::Of(Full, Reload), 300.0, "ms"),
];

/// The targets of an exporter that hangs, against none.
const HANGING: [(&str, Rule, f64, &str); 2] = [
    (
        "processor time per request, 16 connections",
        Rule::Ratio((Full, CpuHanging), (Full, Cpu16)),
        1.05,
        "× without",
    ),
    ("latency, 1 connection, p50", Rule::Ratio((Full, HangingP50), (Full, LatencyP50)), 1.05, "× without"),
];

/// All targets of the comparison for which there are figures.
#[must_use]
pub(super) fn judgements(results: &Results) -> Vec<Judgement> {
    judged(&TARGETS, results)
}

/// The same for an exporter that hangs.
#[must_use]
pub(super) fn hanging_judgements(results: &Results) -> Vec<Judgement> {
    judged(&HANGING, results)
}

fn judged(targets: &[(&str, Rule, f64, &str)], results: &Results) -> Vec<Judgement> {
    targets.iter().filter_map(|&(what, rule, limit, unit)| judge(results, what, rule, limit, unit)).collect()
}

/// Its figures: a row for each, without and with the exporter.
#[must_use]
pub(super) fn hanging_measured(results: &Results) -> String {
    let rows = [
        ("processor time per request, 16 connections, µs", Cpu16, CpuHanging),
        ("latency, 1 connection, p50, µs", LatencyP50, HangingP50),
        ("the same, p99", LatencyP99, HangingP99),
    ];
    let mut text = "| | no exporter | one that hangs |\n|---|---|---|\n".to_owned();
    for (name, without, with) in rows {
        let found = |figure| {
            let spread = results.spread(Full, figure);
            spread.map_or("–".to_owned(), |spread| show(spread, digits(figure)))
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {} | {} |", found(without), found(with));
    }
    text
}

fn judge(results: &Results, what: &str, rule: Rule, limit: f64, unit: &str) -> Option<Judgement> {
    let spread = match rule {
        Rule::Of(target, figure) => results.spread(target, figure),
        Rule::Ratio(a, b) => results.paired(a, b, |a, b| a / b),
        Rule::Added(a, b) => results.paired(a, b, |a, b| a - b),
    }?;
    let digits = if matches!(rule, Rule::Ratio(..)) { 2 } else { 1 };
    Some(Judgement {
        what: what.to_owned(),
        target: format!("≤ {limit} {unit}"),
        found: show(spread, digits),
        holds: spread.median <= limit,
        floor_check: matches!(rule, Rule::Ratio((Floor, _), (Nginx, _))),
    })
}

/// The figures themselves, a row for each and a column for each target.
#[must_use]
pub(super) fn measured(results: &Results) -> String {
    let targets = [Direct, Floor, Nginx, Plain, Full];
    let rows = [
        (Cpu16, "processor time per request, 16 connections, µs"),
        (Cpu128, "the same, 128 connections"),
        (Rate16, "requests a second, 16 connections"),
        (Rate128, "the same, 128 connections"),
        (LatencyP50, "latency, 1 connection, p50, µs"),
        (LatencyP99, "the same, p99"),
        (CpuChunk1000, "processor time per chunk, 1,000 streams, µs"),
        (CpuChunk50, "the same, 50 streams"),
        (DelayMax1000, "latest chunk of 1,000 streams, ms"),
        (DelayP50, "a chunk's way, 50 streams, p50, µs"),
        (DelayP99, "the same, p99"),
    ];
    let nginx = results.nginx.as_deref().unwrap_or("nginx (not installed)");
    let mut text = format!(
        "| | direct | floor | {nginx} | Pointsman without records | Pointsman |\n|---|---|---|---|---|---|\n"
    );
    for (figure, name) in rows {
        let _ = write!(text, "| {name} |");
        for target in targets {
            let found = results
                .spread(target, figure)
                .map_or("–".to_owned(), |spread| show(spread, digits(figure)));
            let _ = write!(text, " {found} |");
        }
        text.push('\n');
    }
    text
}

const fn digits(figure: Figure) -> usize {
    match figure {
        Cpu16 | Cpu128 | CpuChunk1000 | CpuChunk50 | CpuHanging => 2,
        Rate16 | Rate128 => 0,
        _ => 1,
    }
}

/// Median and extremes, for people.
pub(super) fn show(spread: Spread, digits: usize) -> String {
    let Spread { median, min, max } = spread;
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_judged_by_the_median_of_its_rounds() {
        let mut results = Results::new(None, true, 3);
        for (floor, plain) in [(10.0, 13.0), (10.0, 13.9), (10.0, 19.0)] {
            results.add(Floor, Cpu16, floor);
            results.add(Plain, Cpu16, plain);
        }
        let found = judgements(&results);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].target.as_str(), found[0].holds), ("≤ 1.4 × floor", true));
        assert_eq!(found[0].found, "1.39 (1.30–1.90)");
        results.add(Floor, Cpu16, 10.0);
        results.add(Plain, Cpu16, 30.0);
        assert!(!judgements(&results)[0].holds);
        assert!(measured(&results).contains("| – | 10.00 (10.00–10.00) | – |"));
    }
}
