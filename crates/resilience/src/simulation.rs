//! Balancing, simulated: the same code as in production, servers that are models, time that is counted.
//!
//! Three topologies are run with ten seeds each. The figures of the worst seed stand in `docs/resilience.md`.

mod server;
mod world;

use std::fmt::Write;

use self::server::{Fault, Server};
use self::world::{Balancer, Figures, Setup, Topology, run};

const SEEDS: u64 = 10;

const ONE_OF_EACH_KIND: Topology = Topology {
    name: "one slow, one throttled, one flapping among 10",
    servers: one_of_each_kind,
    per_second: 15.0,
    seconds: 360.0,
};
const TWO_REGIONS: Topology =
    Topology { name: "two regions", servers: two_regions, per_second: 15.0, seconds: 360.0 };
const ALL_EQUAL: Topology =
    Topology { name: "all equal", servers: all_equal, per_second: 150.0, seconds: 40.0 };

/// Ten servers: one is slow, one refuses what is above its ceiling, one is down half of the time.
fn one_of_each_kind() -> Vec<Server> {
    let mut servers: Vec<_> = (0..10).map(|_| Server::sound(true)).collect();
    servers[2].fault = Fault::Slow(8.0);
    servers[5].fault = Fault::Throttled { per_minute: 40 };
    servers[8].fault = Fault::Flapping { period_secs: 20 };
    servers
}

/// Four servers here and four in another region. In the middle third of the time the own region is in trouble.
fn two_regions() -> Vec<Server> {
    let near = (0..4).map(|_| Server { fault: Fault::Brownout, ..Server::sound(true) });
    let far = (0..4).map(|_| Server { way_secs: 0.15, ..Server::sound(false) });
    near.chain(far).collect()
}

/// Ten busy servers, nine tenths full on average: who sends too much to one of them makes all of its calls wait.
fn all_equal() -> Vec<Server> {
    (0..10).map(|_| Server { slots: 13, ..Server::sound(true) }).collect()
}

/// The seed for which `ratio` is worst, with its figures.
fn worst(runs: &[[Figures; 3]], ratio: impl Fn(&[Figures; 3]) -> f64) -> (usize, f64) {
    let ratios = runs.iter().map(ratio).enumerate();
    ratios.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

fn runs(topology: Topology) -> Vec<[Figures; 3]> {
    let seed = |seed| {
        [Balancer::RoundRobin, Balancer::GuardedRoundRobin, Balancer::PeakEwma]
            .map(|balancer| run(&Setup { topology, balancer, seed }))
    };
    (0..SEEDS).map(seed).collect()
}

/// Prints the worst seeds, and gives their ratios: of the p99, and of the share of errors.
fn compared(topology: Topology) -> (f64, f64) {
    let runs = &runs(topology);
    let p99 = worst(runs, |[plain, _, ours]| ours.p99 / plain.p99);
    // Where round robin has no errors, any of ours is too many.
    let errors = worst(runs, |[plain, _, ours]| match (plain.errors > 0.0, ours.errors > 0.0) {
        (true, _) => ours.errors / plain.errors,
        (false, ours) => f64::from(u8::from(ours)),
    });
    let mut text = format!("{}: worst of {SEEDS} seeds\n", topology.name);
    for (what, (seed, ratio)) in [("p99", p99), ("errors", errors)] {
        let _ = writeln!(text, "  by {what} (seed {seed}, ratio {ratio:.2})");
        for (balancer, figures) in
            ["round robin", "round robin, breakers on", "peak_ewma"].iter().zip(&runs[seed])
        {
            let Figures { p50, p99, errors, requests } = figures;
            let _ = writeln!(
                text,
                "    {balancer:<25} p50 {p50:5.2} s  p99 {p99:6.2} s  errors {:5.2} %  of {requests}",
                errors * 100.0
            );
        }
    }
    println!("{text}");
    (p99.1, errors.1)
}

#[test]
fn sick_servers_among_ten_cost_at_most_half_of_what_they_cost_a_round_robin() {
    let (p99, errors) = compared(ONE_OF_EACH_KIND);
    assert!(p99 <= 0.5 && errors <= 0.5, "p99 {p99}, errors {errors}");
}

#[test]
fn a_region_in_trouble_costs_at_most_half_of_what_it_costs_a_round_robin() {
    let (p99, errors) = compared(TWO_REGIONS);
    assert!(p99 <= 0.5 && errors <= 0.5, "p99 {p99}, errors {errors}");
}

#[test]
fn where_all_are_equal_it_is_no_worse_than_a_round_robin() {
    let (p99, errors) = compared(ALL_EQUAL);
    assert!(p99 <= 1.05 && errors <= 0.0, "p99 {p99}, errors {errors}");
}
