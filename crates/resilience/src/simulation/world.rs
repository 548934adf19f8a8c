//! The clock, the callers and the balancer: events in the order of their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pointsman_core::{Outcome, Rng};

use super::server::{Draw, Reply, Server};
use crate::balance::{Choice, order};
use crate::endpoint::{Ask, Endpoint, Ticket};
use crate::settings::{EndpointPolicy, Strategy};

/// Who chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Balancer {
    /// In turn, whatever happens.
    RoundRobin,
    /// In turn, among those whose breakers and ceilings let calls through.
    GuardedRoundRobin,
    PeakEwma,
}

/// Servers, and what is asked of them.
#[derive(Clone, Copy)]
pub(super) struct Topology {
    pub(super) name: &'static str,
    pub(super) servers: fn() -> Vec<Server>,
    pub(super) per_second: f64,
    pub(super) seconds: f64,
}

pub(super) struct Setup {
    pub(super) topology: Topology,
    pub(super) balancer: Balancer,
    pub(super) seed: u64,
}

/// What callers saw. A request is one call: nothing is tried again, so that what is chosen is what counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Until the end of the answer, in seconds, of requests that were answered.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// A share of all requests.
    pub(super) errors: f64,
    pub(super) requests: usize,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    FirstToken(usize),
    Ends(usize),
}

struct Call {
    server: usize,
    began: Duration,
    tokens: u64,
    reply: Reply,
    ticket: Option<Ticket>,
}

struct World {
    topology: Topology,
    balancer: Balancer,
    servers: Vec<Server>,
    endpoints: Vec<Arc<Endpoint>>,
    policy: Arc<EndpointPolicy>,
    turn: AtomicU64,
    /// Of arrivals, and of draws of requests: the same for all balancers.
    arrivals: Rng,
    draws: Rng,
    choosing: Rng,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    scheduled: u64,
    calls: Vec<Option<Call>>,
    times: Vec<f64>,
    errors: usize,
}

pub(super) fn run(setup: &Setup) -> Figures {
    let servers = (setup.topology.servers)();
    let mut world = World {
        topology: setup.topology,
        balancer: setup.balancer,
        endpoints: servers.iter().map(|_| Arc::new(Endpoint::new(1))).collect(),
        servers,
        policy: Arc::default(),
        turn: AtomicU64::new(0),
        arrivals: Rng::new(setup.seed),
        draws: Rng::new(!setup.seed),
        choosing: Rng::new(setup.seed ^ 0x5eed),
        events: BinaryHeap::new(),
        scheduled: 0,
        calls: Vec::new(),
        times: Vec::new(),
        errors: 0,
    };
    world.schedule(Duration::from_secs(1), Event::Arrives);
    while let Some(Reverse((now, _, event))) = world.events.pop() {
        world.happens(event, now);
    }
    world.figures()
}

impl World {
    fn schedule(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    fn happens(&mut self, event: Event, now: Duration) {
        match event {
            Event::Arrives => {
                // Exponential pauses: callers know nothing of each other.
                let pause = -uniform(&mut self.arrivals).ln() / self.topology.per_second;
                let next = now + Duration::from_secs_f64(pause);
                if next.as_secs_f64() < self.topology.seconds {
                    self.schedule(next, Event::Arrives);
                }
                self.arrives(now);
            }
            Event::FirstToken(at) => {
                if let Some(call) = &mut self.calls[at]
                    && let Some(ticket) = &mut call.ticket
                {
                    ticket.limits_seen(&call.reply.limits, now);
                    ticket.first_token(now);
                }
            }
            Event::Ends(at) => self.ends(at, now),
        }
    }

    fn arrives(&mut self, now: Duration) {
        let draw = Draw {
            factor: 0.6 - 0.4 * uniform(&mut self.draws).ln(),
            tokens: 50 + self.draws.below(100),
            luck: uniform(&mut self.draws),
        };
        let (server, ticket) = self.choose(now);
        let reply = self.servers[server].call(draw, now.as_secs_f64(), self.topology.seconds);
        self.servers[server].in_flight += 1;
        let at = self.calls.len();
        self.calls.push(Some(Call { server, began: now, tokens: draw.tokens, reply, ticket }));
        if reply.outcome == Outcome::Success {
            self.schedule(now + reply.first, Event::FirstToken(at));
        }
        self.schedule(now + reply.whole, Event::Ends(at));
    }

    fn choose(&mut self, now: Duration) -> (usize, Option<Ticket>) {
        let guarded = self.balancer != Balancer::RoundRobin;
        let (endpoints, policy) = (&self.endpoints, &self.policy);
        let choices: Vec<Choice<'_>> = self
            .servers
            .iter()
            .zip(endpoints)
            .map(|(server, endpoint)| Choice {
                endpoint: Some(endpoint),
                weight: 1,
                priority: 0,
                price: 0,
                same_zone: server.near,
                name: "",
                available: !guarded || endpoint.available(policy, now),
            })
            .collect();
        let strategy = match self.balancer {
            Balancer::PeakEwma => Strategy::PeakEwma,
            Balancer::RoundRobin | Balancer::GuardedRoundRobin => Strategy::RoundRobin,
        };
        let order = order(strategy, &choices, &self.turn, 0, &mut self.choosing, now);
        if !guarded {
            return (order[0], None);
        }
        let admit = |at: usize, forced| {
            endpoints[at].admit(policy, Ask { tokens: 100, draw: 0, forced, key: None }, now).ok()
        };
        let admitted = order.iter().find_map(|at| Some((*at, admit(*at, false)?)));
        let (at, ticket) = admitted.or_else(|| Some((order[0], admit(order[0], true)?))).unwrap();
        (at, Some(ticket))
    }

    fn ends(&mut self, at: usize, now: Duration) {
        let Some(call) = self.calls[at].take() else { return };
        self.servers[call.server].in_flight -= 1;
        let outcome = call.reply.outcome;
        if let Some(ticket) = call.ticket {
            if outcome != Outcome::Success {
                ticket.limits_seen(&call.reply.limits, now);
            }
            ticket.end(outcome, 0, call.tokens, now);
        }
        match outcome {
            Outcome::Success => self.times.push((now - call.began).as_secs_f64()),
            _ => self.errors += 1,
        }
    }

    fn figures(mut self) -> Figures {
        self.times.sort_by(f64::total_cmp);
        let rank = |percent: usize| self.times[(self.times.len() * percent).div_ceil(100).max(1) - 1];
        let requests = self.times.len() + self.errors;
        Figures { p50: rank(50), p99: rank(99), errors: self.errors as f64 / requests as f64, requests }
    }
}

/// Uniform in (0, 1].
fn uniform(rng: &mut Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}
