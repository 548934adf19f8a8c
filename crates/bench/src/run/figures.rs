//! Figures by target and round, and what is derived from them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::account::Check;

/// What is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The mock itself.
    Direct,
    /// The bare proxy.
    Floor,
    /// nginx.
    Nginx,
    /// Pointsman with keys, counters, metrics and access log.
    Plain,
    /// The same with records in SQLite.
    Full,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Processor time per request at 16 connections, µs.
    Cpu16,
    /// At 128 connections.
    Cpu128,
    /// Requests a second at 16 connections.
    Rate16,
    /// At 128 connections.
    Rate128,
    /// Latency at one connection, µs.
    LatencyP50,
    /// See `LatencyP50`.
    LatencyP99,
    /// Processor time per streamed chunk with 1,000 streams, µs.
    CpuChunk1000,
    /// With 50 streams.
    CpuChunk50,
    /// Latest chunk of 1,000 streams, ms.
    DelayMax1000,
    /// A chunk's way with 50 streams, µs.
    DelayP50,
    /// See `DelayP50`.
    DelayP99,
    /// Resident memory, MiB: idle, 10 s after 1,000 requests.
    Idle,
    /// With 256 × 150 KB in flight.
    Loaded,
    /// 10 s after these connections closed.
    After,
    /// Processor time per request with the small configuration, µs.
    CpuSmall,
    /// With the large one.
    CpuLarge,
    /// From SIGHUP to the first answer by the new configuration, ms.
    Reload,
    /// Processor time per request at 16 connections, µs, beside an exporter that hangs, and the latency at
    /// one connection, µs.
    CpuHanging,
    /// See `CpuHanging`.
    HangingP50,
    /// See `CpuHanging`.
    HangingP99,
}

/// Median and extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle value; the mean of the two middle ones.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// Everything that a run found.
#[derive(Debug)]
pub struct Results {
    values: BTreeMap<(Target, Figure), Vec<f64>>,
    /// Comparisons of sums, one for each Pointsman that took requests.
    pub checks: Vec<Check>,
    /// nginx's version, if it took part.
    pub nginx: Option<String>,
    /// Gateway and load had a core each.
    pub apart: bool,
    /// Rounds.
    pub rounds: u32,
    /// How late the mock itself was with a chunk at most.
    pub mock_latest: Duration,
    /// The machine's load average before the run.
    pub load_before: f64,
}

impl Target {
    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Nginx => "nginx",
            Self::Plain => "Pointsman",
            Self::Full => "Pointsman with records",
        }
    }
}

impl Spread {
    /// Of at least one value.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let even = sorted.len().is_multiple_of(2);
        let median = if even { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] };
        Some(Self { median, min, max })
    }
}

impl Results {
    /// Nothing yet.
    #[must_use]
    pub const fn new(nginx: Option<String>, apart: bool, rounds: u32) -> Self {
        Self {
            values: BTreeMap::new(),
            checks: Vec::new(),
            nginx,
            apart,
            rounds,
            mock_latest: Duration::ZERO,
            load_before: 0.0,
        }
    }

    /// One round's value.
    pub fn add(&mut self, target: Target, figure: Figure, value: f64) {
        self.values.entry((target, figure)).or_default().push(value);
    }

    /// All rounds' values.
    #[must_use]
    pub fn values(&self, target: Target, figure: Figure) -> &[f64] {
        self.values.get(&(target, figure)).map_or(&[], Vec::as_slice)
    }

    /// Median and extremes.
    #[must_use]
    pub fn spread(&self, target: Target, figure: Figure) -> Option<Spread> {
        Spread::of(self.values(target, figure))
    }

    /// `combine` of two figures within each round, then median and extremes.
    #[must_use]
    pub fn paired(
        &self,
        a: (Target, Figure),
        b: (Target, Figure),
        combine: fn(f64, f64) -> f64,
    ) -> Option<Spread> {
        let pairs = self.values(a.0, a.1).iter().zip(self.values(b.0, b.1));
        Spread::of(&pairs.map(|(a, b)| combine(*a, *b)).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_pairs() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]).map(|spread| spread.median), Some(2.5));
        let mut results = Results::new(None, true, 2);
        for (floor, plain) in [(10.0, 12.0), (20.0, 30.0)] {
            results.add(Target::Floor, Figure::Cpu16, floor);
            results.add(Target::Plain, Figure::Cpu16, plain);
        }
        let ratio =
            results.paired((Target::Plain, Figure::Cpu16), (Target::Floor, Figure::Cpu16), |a, b| a / b);
        assert_eq!(ratio, Some(Spread { median: 1.35, min: 1.2, max: 1.5 }));
    }
}
