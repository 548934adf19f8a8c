//! What held over a soak.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use pointsman_testkit::faults::{Attempt, What, most_at_once};
use tokio::time::Instant;

use super::super::stage::Closed;
use super::super::{Line, Options};
use super::Watched;
use super::flap::{Dead, soaked};
use super::load::{Asked, End};
use crate::run::say;

/// Of each fault, in ten minutes.
const EACH: f64 = 50.0;
/// Open–close cycles of the breaker, in ten minutes.
const CYCLES: f64 = 10.0;
const TEN_MINUTES: f64 = 600.0;
/// What an open breaker may add to the 99th percentile.
const ADDED: Duration = Duration::from_millis(2);
/// After so much of a dead phase the breaker is open.
const OPEN_AFTER: Duration = Duration::from_secs(3);
/// When a tenth of its share must be back, and when all of it; counted over so long.
const SOME_BACK: (Duration, f64) = (Duration::from_secs(5), 0.1);
const ALL_BACK: (Duration, f64) = (Duration::from_secs(30), 0.9);
const COUNTED_OVER: Duration = Duration::from_secs(5);
/// Memory is flat if the median of the last quarter is at most so much above that of the second.
const GROWTH_MIB: f64 = 3.0;
const GROWTH_SHARE: f64 = 0.05;
/// Of a hundred: how far estimated prompt tokens may be off in the sum.
const ESTIMATE_OFF: u64 = 5;
/// Longest time that is told apart, in microseconds.
const MAX_US: u64 = 60_000_000;
/// Losses that are told one by one.
const TOLD: usize = 8;

/// Resident memory in MiB: the medians of the second and the last quarter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    early: f64,
    late: f64,
}

/// All that was seen.
pub(super) struct Seen {
    pub(super) started: Instant,
    pub(super) watched: Watched,
    pub(super) memory: Option<Memory>,
    pub(super) phases: Vec<Dead>,
    pub(super) results: Vec<Asked>,
    /// Connections that were refused, as the gateway counts them.
    pub(super) refused: u64,
    pub(super) closed: Closed,
}

impl Memory {
    pub(super) fn of(samples: &[u64]) -> Option<Self> {
        let quarter = samples.len() / 4;
        let median = |part: &[u64]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part.get(part.len() / 2).map(|bytes| *bytes as f64 / f64::from(1 << 20))
        };
        let (early, late) = (median(&samples[quarter..quarter * 2])?, median(&samples[quarter * 3..])?);
        Some(Self { early, late })
    }
}

/// The lines of the soak.
pub(super) fn judge(mut seen: Seen, options: &Options) -> io::Result<Vec<Line>> {
    let lost = tell_losses(&seen)?;
    let share = options.soak.as_secs_f64() / TEN_MINUTES;
    let bill = seen.closed.bill(&["a", "b"], ESTIMATE_OFF)?;
    let mut lines = vec![
        answers(&seen, lost, options),
        line("every fault, often enough", [None, faults(&seen, share), None, None], String::new()),
        cycles(&seen, share),
        line(
            "sum of attempts = what the providers emitted",
            [None, None, bill.as_ref().err().cloned(), None],
            bill.unwrap_or_default(),
        ),
        memory(&seen),
    ];
    let (sick, phases) = (std::mem::take(&mut seen.closed.logs[0]), seen.phases.clone());
    let well = std::mem::take(&mut seen.closed.logs[1]);
    for (number, dead) in phases.iter().enumerate() {
        let name = |what: &str| format!("{what}, phase {}", number + 1);
        lines.push(added(&name("latency while open"), &seen, &sick, dead)?);
        lines.push(probes(&name("one probe at a time"), &sick, dead));
        lines.push(back(&name("traffic comes back"), &sick, &well, dead));
    }
    Ok(lines)
}

fn line(name: &str, verdict: [Option<String>; 4], figures: String) -> Line {
    Line { name: name.to_owned(), verdict, figures }
}

/// Prints losses with what the providers know of them; how many there are, cut ones last.
fn tell_losses(seen: &Seen) -> io::Result<(usize, usize)> {
    let (mut lost, mut cut) = (0, 0);
    for asked in &seen.results {
        let (kind, why) = match &asked.end {
            End::Right => continue,
            End::Truncated(why) => ("truncated", why),
            End::Lost(why) => ("lost", why),
        };
        if kind == "lost" {
            lost += 1;
        } else {
            cut += 1;
        }
        if lost + cut > TOLD {
            continue;
        }
        let at = asked.started.saturating_duration_since(seen.started).as_secs_f64();
        say(&format!("{kind} at {at:.2} s, seed {}: {why}", asked.seed))?;
        for (name, log) in ["a", "b"].iter().zip(&seen.closed.logs) {
            for attempt in log.iter().filter(|attempt| attempt.seed == asked.seed) {
                let (at, what) = (attempt.at.saturating_duration_since(asked.started), attempt.what());
                let (took, refused) = (attempt.took(), &attempt.refused);
                say(&format!("  {name} after {at:.1?}: {what}, took {took:.1?}, {refused:?}"))?;
            }
        }
    }
    Ok((lost, cut))
}

fn answers(seen: &Seen, (lost, cut): (usize, usize), options: &Options) -> Line {
    let all = seen.results.len();
    let wrong = (lost + cut > 0).then(|| format!("{lost} lost, {cut} truncated of {all}"));
    let per_second = all as f64 / options.soak.as_secs_f64();
    let slow = per_second < options.rate as f64 * 0.95;
    let slow = slow.then(|| format!("only {per_second:.0} requests a second"));
    let longest = seen.results.iter().map(|asked| asked.elapsed).max().unwrap_or_default();
    let figures = format!(
        "{all} answers, {per_second:.0}/s, {lost} lost, {cut} truncated, the longest took {:.2} s",
        longest.as_secs_f64()
    );
    line("every answer, byte for byte", [wrong, None, None, slow], figures)
}

fn faults(seen: &Seen, share: f64) -> Option<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for attempt in &seen.closed.logs[0] {
        *counts.entry(attempt.what()).or_default() += 1;
    }
    let need = (EACH * share).ceil() as u64;
    let count = |name: &str, refuses: bool| {
        if refuses { seen.refused } else { counts.get(name).copied().unwrap_or(0) }
    };
    let few: Vec<_> = soaked()
        .map(|fault| (fault.name, count(fault.name, matches!(fault.what, What::Refuse))))
        .filter(|(_, count)| *count < need)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    (!few.is_empty()).then(|| format!("fewer than {need} of {}", few.join(", ")))
}

fn cycles(seen: &Seen, share: f64) -> Line {
    let Watched { opened, closed, .. } = seen.watched;
    let need = (CYCLES * share).ceil() as u64;
    let wrong =
        (opened.min(closed) < need).then(|| format!("{opened} times open, {closed} times closed again"));
    let figures = format!("opened {opened} times, closed again {closed} times");
    line("the breaker opens and closes", [None, wrong, None, None], figures)
}

fn memory(seen: &Seen) -> Line {
    let Some(Memory { early, late }) = seen.memory else {
        return line("memory is flat", [None, None, None, Some("too short to judge".into())], String::new());
    };
    let bound = early + GROWTH_MIB.max(early * GROWTH_SHARE);
    let wrong = (late > bound).then(|| format!("grew from {early:.1} to {late:.1} MiB"));
    line("memory is flat", [None, None, None, wrong], format!("{early:.1} MiB, later {late:.1} MiB"))
}

/// The 99th percentile to the first byte, with the sick provider's breaker open and without that provider. Probes
/// are made when it no longer is.
fn added(name: &str, seen: &Seen, sick: &[Attempt], dead: &Dead) -> io::Result<Line> {
    let mut times = [(); 2].map(|()| Histogram::<u64>::new_with_max(MAX_US, 3));
    let within = dead.from + OPEN_AFTER..dead.to;
    let probes: HashSet<u64> = sick.iter().map(|attempt| attempt.seed).collect();
    let open = |asked: &&Asked| within.contains(&asked.started) && !probes.contains(&asked.seed);
    for asked in seen.results.iter().filter(open) {
        if let Ok(histogram) = &mut times[usize::from(asked.soaked)] {
            histogram.saturating_record(asked.first_byte.as_micros() as u64);
        }
    }
    let [calm, soaked] = times.map(|histogram| histogram.map_err(io::Error::other));
    let (calm, soaked) = (calm?, soaked?);
    let p99 = |histogram: &Histogram<u64>| histogram.value_at_percentile(99.0) as f64 / 1e3;
    let more = p99(&soaked) - p99(&calm);
    let wrong = (more > ADDED.as_secs_f64() * 1e3).then(|| format!("{more:.2} ms more"));
    let few = (calm.len().min(soaked.len()) < 100).then(|| "too few requests".to_owned());
    let figures = format!(
        "p99 {:.2} ms of {} requests, {:.2} ms of {} without it: {more:+.2} ms",
        p99(&soaked),
        soaked.len(),
        p99(&calm),
        calm.len(),
    );
    Ok(line(name, [few, None, None, wrong], figures))
}

fn probes(name: &str, sick: &[Attempt], dead: &Dead) -> Line {
    let within = dead.from + OPEN_AFTER..dead.to;
    let during: Vec<_> = sick.iter().filter(|attempt| within.contains(&attempt.at)).cloned().collect();
    let most = most_at_once(&during);
    let wrong = (most != 1).then(|| format!("{most} at once"));
    line(name, [None, wrong, None, None], format!("{} probes, {most} at once", during.len()))
}

/// How the sick provider's share grows after the probe that succeeded.
fn back(name: &str, sick: &[Attempt], well: &[Attempt], dead: &Dead) -> Line {
    let good = sick.iter().filter(|attempt| attempt.at >= dead.to && attempt.is_good());
    let Some(probed) = good.filter_map(|attempt| attempt.ended).map(|(_, at)| at).min() else {
        return line(name, [None, Some("no probe succeeded".into()), None, None], String::new());
    };
    let share = |after: Duration| {
        let within = probed + after..probed + after + COUNTED_OVER;
        let count =
            |log: &[Attempt]| log.iter().filter(|attempt| within.contains(&attempt.at)).count() as f64;
        // One of six asks the well one alone; of the others half are the sick one's when it is well.
        let (sick, well) = (count(sick), count(well));
        sick / ((sick + well) * 5.0 / 6.0 / 2.0)
    };
    let (some, all) = (share(SOME_BACK.0), share(ALL_BACK.0));
    let wrong =
        (some < SOME_BACK.1 || all < ALL_BACK.1).then(|| format!("{some:.2} of its share, then {all:.2}"));
    let after = probed.saturating_duration_since(dead.to);
    let figures = format!(
        "probe after {:.2} s; {:.0} % of its share after 5 s, {:.0} % after 30 s",
        after.as_secs_f64(),
        some * 100.0,
        all * 100.0
    );
    line(name, [None, wrong, None, None], figures)
}
