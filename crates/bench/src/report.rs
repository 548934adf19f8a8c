//! `docs/PERFORMANCE.md`: the generated part between two markers; what people wrote around it stays.

mod table;
mod translation;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use self::table::{Judgement, hanging_judgements, hanging_measured, judgements, measured};
pub use self::translation::translation;
use crate::machine;
use crate::run::figures::Results;
use crate::run::rivals::Rivals;
use crate::run::steady::Steady;

const FRAME: &str = "# Performance

What Pointsman costs, measured against a direct call, nginx and *the floor*: a bare hyper proxy
(`crates/bench/src/floor.rs`) that only forwards, with the same allocator, profile and runtime.

- `make bench` measures and rewrites its sections below. `make bench-steady` runs for half an hour.
  `make bench-rivals` puts other gateways beside it.
- The gateway has one core to itself; load generator and mock upstream share another.
- Requests are 1 KB, answers 0.8 KB, and the mock answers at once. Each round starts every server anew.
- Processor time is what the scheduler counts for all threads of the process, the SQLite writer's too.
- A chunk's delay counts from the moment at which the mock sent it, by a stamp inside the chunk.
- A run counts only if the floor is as lean as it should be (processor time at most 1.3 times nginx's), and if
  afterwards requests sent, access log lines, stored records, tokens and cost are the mock's own to the last digit.

";

/// A section that is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// By `make bench`.
    Compare,
    /// By `make bench-steady`.
    Steady,
    /// By `make bench-rivals`.
    Rivals,
    /// By `make bench` as well.
    Hanging,
    /// By `make bench` as well.
    Translation,
}

impl Section {
    const fn markers(self) -> (&'static str, &'static str) {
        match self {
            Self::Compare => ("<!-- compare: begin -->", "<!-- compare: end -->"),
            Self::Steady => ("<!-- steady: begin -->", "<!-- steady: end -->"),
            Self::Rivals => ("<!-- rivals: begin -->", "<!-- rivals: end -->"),
            Self::Hanging => ("<!-- hanging exporter: begin -->", "<!-- hanging exporter: end -->"),
            Self::Translation => ("<!-- translation: begin -->", "<!-- translation: end -->"),
        }
    }
}

/// Replaces the section in the file, which is made if it is not there.
///
/// # Errors
/// Where the file cannot be read or written.
pub fn write(path: &Path, section: Section, text: &str) -> io::Result<()> {
    let old = match fs::read_to_string(path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => FRAME.to_owned(),
        Err(error) => return Err(error),
    };
    fs::write(path, replace(&old, section, text))
}

fn replace(old: &str, section: Section, text: &str) -> String {
    let (begin, end) = section.markers();
    let text = text.trim_end();
    let new = format!("{begin}\n{text}\n{end}");
    let place = old.find(begin).and_then(|start| Some((start, old[start..].find(end)? + start + end.len())));
    match place {
        Some((start, stop)) => format!("{}{new}{}", &old[..start], &old[stop..]),
        None => format!("{}\n\n{new}\n", old.trim_end()),
    }
}

/// The comparison as Markdown.
#[must_use]
pub fn compare(results: &Results, command: &str, date: &str) -> String {
    let mut text = heading("Comparison", command, date);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Medians over {} interleaved rounds, with the extremes in brackets. The machine's load average before the \
         run was {:.2}.\n",
        results.rounds, results.load_before,
    );
    if !results.apart {
        text.push_str(
            "**There is only one core here: gateway and load share it, and latencies mean little.**\n\n",
        );
    }
    if let Some(why) = does_not_count(results) {
        let _ = writeln!(text, "**This run does not count: {why}.**\n");
    }
    push_judgements(&mut text, &judgements(results));
    text.push_str("\n### As measured\n\n");
    text.push_str(&measured(results));
    let sent: u64 = results.checks.iter().map(|check| check.sent).sum();
    let records: u64 = results.checks.iter().filter_map(|check| check.records).sum();
    let tokens: u64 = results.checks.iter().map(|check| check.tokens).sum();
    let _ = write!(
        text,
        "\n### Accounts\n\n\
         {} gateways took {sent} requests: as many access log lines, {records} records where records were on, none \
         lost. {tokens} tokens and their cost to the nano-dollar are the mock's own. The mock itself was never later \
         than {:.1} ms with a chunk.\n",
        results.checks.len(),
        results.mock_latest.as_secs_f64() * 1000.0,
    );
    text
}

/// An exporter that hangs, as Markdown.
#[must_use]
pub fn hanging(results: &Results, command: &str, date: &str) -> String {
    let mut text = heading("An exporter that hangs", command, date);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Two Pointsmans with records and access log, under the same load in turns, {} rounds of two pairs each: one \
         without exporters, one with a webhook whose receiver accepts connections and never answers. The machine's load \
         average before the run was {:.2}.\n",
        results.rounds, results.load_before,
    );
    push_judgements(&mut text, &hanging_judgements(results));
    text.push('\n');
    text.push_str(&hanging_measured(results));
    let sent: u64 = results.checks.iter().map(|check| check.sent).sum();
    let _ = writeln!(
        text,
        "\n{sent} requests, and as many records: none was lost, with the exporter and without."
    );
    text
}

fn push_judgements(text: &mut String, judgements: &[Judgement]) {
    text.push_str("| figure | target | measured | |\n|---|---|---|---|\n");
    for Judgement { what, target, found, holds, .. } in judgements {
        let verdict = if *holds { "holds" } else { "**missed**" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {what} | {target} | {found} | {verdict} |");
    }
}

/// The steady run as Markdown.
#[must_use]
pub fn steady(steady: &Steady, command: &str, date: &str) -> String {
    let mut text = heading("Steady run", command, date);
    let _ = writeln!(
        text,
        "{:.0} s at {} requests a second, {} % of the ceiling of {}: {} requests, 0 errors. Latency from the moment a \
         request was due: p50 {:.0} µs, p99 {:.0} µs. Resident memory {:.1} MiB in the second quarter, {:.1} MiB in \
         the last ({:.1} to {:.1}).",
        steady.elapsed.as_secs_f64(),
        steady.rate,
        steady.rate * 100 / steady.ceiling.max(1),
        steady.ceiling,
        steady.ok,
        steady.p50_us,
        steady.p99_us,
        steady.early.median,
        steady.late.median,
        steady.late.min,
        steady.late.max,
    );
    text
}

/// Other gateways as Markdown.
#[must_use]
pub fn rivals(rivals: &Rivals, command: &str, date: &str) -> String {
    let mut text = heading("Rivals", command, date);
    let _ = writeln!(
        text,
        "Indicative: one short round; the machine's load average before it was {:.2}. Every server has one core and \
         one process. Pointsman and LiteLLM check a key, Portkey passes it on. The rivals store nothing.\n\n\
         | | requests a second, 16 connections | processor time each, µs | latency, 1 connection, p50, µs | p99, µs \
         | resident after, MiB |\n|---|---|---|---|---|---|",
        rivals.load_before,
    );
    let shown = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1}"));
    for row in &rivals.rows {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {:.0} | {:.0} | {} |",
            row.name,
            row.per_second,
            shown(row.cpu_us),
            row.p50_us,
            row.p99_us,
            shown(row.resident),
        );
    }
    text
}

/// Why the run proves nothing, if so. Differing accounts end a run before there is a report.
fn does_not_count(results: &Results) -> Option<&'static str> {
    if results.nginx.is_none() {
        return Some("nginx is not installed, so nothing shows that the floor is as lean as it should be");
    }
    let lean = judgements(results).iter().filter(|judgement| judgement.floor_check).all(|check| check.holds);
    (!lean).then_some("the floor costs more than 1.3 times nginx")
}

fn heading(title: &str, command: &str, date: &str) -> String {
    let facts: Vec<_> = machine::facts().iter().map(|(name, value)| format!("{name} {value}")).collect();
    format!("## {title}\n\n`{command}`, {date}; {}.\n\n", facts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::rivals::Row;

    #[test]
    fn rivals_are_a_table_with_a_row_each() {
        let row = Row {
            name: "direct".into(),
            per_second: 1234.5,
            cpu_us: None,
            p50_us: 20.4,
            p99_us: 99.6,
            resident: Some(12.34),
        };
        let text = rivals(&Rivals { rows: vec![row], load_before: 0.5 }, "make x", "2026-01-02");
        assert!(text.starts_with("## Rivals\n\n`make x`, 2026-01-02; "), "{text}");
        assert!(text.contains("before it was 0.50"), "{text}");
        assert!(text.ends_with("\n| direct | 1234 | – | 20 | 100 | 12.3 |\n"), "{text}");
    }

    #[test]
    fn an_exporter_that_hangs_is_judged_against_none() {
        use crate::run::figures::{Figure, Target};
        let mut results = Results::new(None, true, 1);
        for (figure, values) in [
            (Figure::Cpu16, [20.0, 20.0]),
            (Figure::CpuHanging, [20.2, 20.6]),
            (Figure::LatencyP50, [100.0, 100.0]),
            (Figure::HangingP50, [104.0, 110.0]),
        ] {
            values.into_iter().for_each(|value| results.add(Target::Full, figure, value));
        }
        let text = hanging(&results, "make x", "2026-01-02");
        assert!(
            text.contains(
                "| processor time per request, 16 connections | ≤ 1.05 × without | 1.02 (1.01–1.03) | holds |"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "| latency, 1 connection, p50 | ≤ 1.05 × without | 1.07 (1.04–1.10) | **missed** |"
            ),
            "{text}"
        );
        assert!(text.contains("| the same, p99 | – | – |"), "{text}");
    }

    #[test]
    fn replaces_only_its_own_section() {
        let first = replace("# T\n", Section::Compare, "a");
        let both = replace(&first, Section::Steady, "b\n");
        let again = replace(&format!("{both}\nby hand\n"), Section::Compare, "c");
        assert_eq!(
            again,
            "# T\n\n<!-- compare: begin -->\nc\n<!-- compare: end -->\n\n\
             <!-- steady: begin -->\nb\n<!-- steady: end -->\n\nby hand\n"
        );
    }
}
