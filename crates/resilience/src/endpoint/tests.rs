//! Calls through an endpoint: who is let through, and what they teach it.

use pointsman_core::{LimitsSeen, Outcome, Window};
use proptest::prelude::*;

use super::*;
use crate::breaker::BreakerState;
use crate::settings::BreakerPolicy;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

struct World {
    endpoint: Arc<Endpoint>,
    policy: Arc<EndpointPolicy>,
}

impl World {
    fn new(keys: usize, policy: EndpointPolicy) -> Self {
        Self { endpoint: Arc::new(Endpoint::new(keys)), policy: Arc::new(policy) }
    }

    fn ask(&self, ask: Ask, now: Duration) -> Result<Ticket, Refusal> {
        self.endpoint.admit(&self.policy, ask, now)
    }

    fn admit(&self, now: Duration) -> Result<Ticket, Refusal> {
        self.ask(Ask::default(), now)
    }

    fn forced(&self, now: Duration) -> Result<Ticket, Refusal> {
        self.ask(Ask { forced: true, ..Ask::default() }, now)
    }

    /// A call that ends so, at once.
    fn call(&self, outcome: Outcome, now: Duration) {
        self.admit(now).unwrap().end(outcome, 0, 0, now);
    }

    fn available(&self, now: Duration) -> bool {
        self.endpoint.available(&self.policy, now)
    }

    fn view(&self, now: Duration) -> EndpointView {
        self.endpoint.view(&self.policy, now)
    }
}

fn plain(keys: usize) -> World {
    World::new(keys, EndpointPolicy::default())
}

const LIMITED: Outcome = Outcome::RateLimited { retry_after: None };

#[test]
fn five_failures_open_it_and_one_success_closes_it() {
    let world = plain(1);
    for second in [0, 10, 20, 30, 59] {
        assert!(world.available(secs(second)));
        world.call(Outcome::UpstreamFault, secs(second));
    }
    for second in [59, 200, 358] {
        assert!(!world.available(secs(second)));
        assert_eq!(world.admit(secs(second)).unwrap_err(), Refusal::Open { until: secs(359) });
    }
    assert!(world.available(secs(360)));
    let probe = world.admit(secs(360)).unwrap();
    assert!(probe.probe && !world.available(secs(360)));
    assert!((0..10).all(|_| world.admit(secs(360)).is_err()), "one at a time");
    drop(probe);
    let probe = world.admit(secs(360)).unwrap();
    assert!(probe.probe, "a probe that was cancelled is given back");
    probe.end(Outcome::Success, 0, 0, secs(361));
    let tickets: Vec<_> = (0..10).map(|_| world.admit(secs(361)).unwrap()).collect();
    assert!(tickets.iter().all(|ticket| !ticket.probe));
    assert_eq!(world.view(secs(361)).breaker.state, BreakerState::Closed);
}

#[test]
fn what_clients_do_wrong_never_counts() {
    let world = plain(2);
    for n in 0..100 {
        for outcome in [
            Outcome::ClientFault,
            Outcome::ContextTooLong,
            Outcome::ContentFiltered,
            Outcome::ModelNotFound,
            Outcome::Cancelled,
        ] {
            world.call(outcome, ms(n));
        }
    }
    let view = world.view(secs(1));
    assert_eq!(
        (view.breaker.failures, view.breaker.state, view.first_token),
        (0, BreakerState::Closed, None)
    );
}

#[test]
fn a_bad_key_is_benched_and_the_others_go_on() {
    let world = plain(3);
    let key = |draw| world.ask(Ask { draw, ..Ask::default() }, secs(1)).map(|ticket| ticket.key);
    assert_eq!([key(0), key(1), key(5)], [Ok(0), Ok(1), Ok(2)]);
    for (draw, outcome) in [(1, Outcome::Unauthorized), (2, Outcome::QuotaExhausted)] {
        let ticket = world.ask(Ask { draw, ..Ask::default() }, secs(1)).unwrap();
        ticket.end(outcome, 0, 0, secs(1));
    }
    assert_eq!([key(0), key(1), key(2)], [Ok(0), Ok(0), Ok(0)]);
    assert_eq!(world.view(secs(1)).breaker.failures, 0, "the deployment is well");
    // One call asks for the key that is benched.
    let pinned = Ask { key: Some(1), ..Ask::default() };
    assert_eq!(world.ask(pinned, secs(1)).unwrap_err(), Refusal::KeysBenched { until: Some(secs(301)) });
    let forced = world.ask(Ask { forced: true, ..pinned }, secs(2)).unwrap();
    assert_eq!(forced.key, 1);
    forced.end(Outcome::Success, 0, 0, secs(3));
    assert!(world.ask(pinned, secs(3)).is_ok(), "it works again");
    // The other one is tried by one call when its time has come.
    let draw = Ask { draw: 2, ..Ask::default() };
    let probe = world.ask(draw, secs(302)).unwrap();
    assert_eq!((probe.key, probe.probe), (2, true));
    assert_ne!(world.ask(draw, secs(302)).unwrap().key, 2);
    probe.end(Outcome::Unauthorized, 0, 0, secs(302));
    assert_ne!(world.ask(draw, secs(303)).unwrap().key, 2);
}

#[test]
fn an_only_key_that_is_refused_counts_for_the_deployment_too() {
    let world =
        World::new(0, EndpointPolicy { key_breaker: BreakerPolicy::OFF, ..EndpointPolicy::default() });
    for second in 0..5 {
        world.call(Outcome::Unauthorized, secs(second));
    }
    assert_eq!(world.admit(secs(5)).unwrap_err(), Refusal::Open { until: secs(304) });
    let world = plain(1);
    world.call(Outcome::QuotaExhausted, secs(1));
    assert_eq!(world.admit(secs(2)).unwrap_err(), Refusal::KeysBenched { until: Some(secs(301)) });
    assert!(world.forced(secs(2)).is_ok() && !world.available(secs(2)));
}

#[test]
fn a_provider_is_left_alone_as_long_as_it_asks() {
    let world = plain(2);
    let limited = Outcome::RateLimited { retry_after: Some(secs(30)) };
    let key = |draw, now| world.ask(Ask { draw, ..Ask::default() }, now).map(|ticket| ticket.key);
    world.ask(Ask { draw: 1, ..Ask::default() }, secs(10)).unwrap().end(limited, 0, 0, secs(10));
    assert_eq!((key(1, secs(39)), key(1, secs(40))), (Ok(0), Ok(1)));
    world.ask(Ask::default(), secs(12)).unwrap().end(limited, 0, 0, secs(12));
    assert_eq!(key(0, secs(20)), Err(Refusal::Ceiling { until: secs(40), declared: false }));
    assert!(!world.available(secs(20)) && world.available(secs(41)));
    let held: Vec<_> = world.view(secs(20)).keys.iter().map(|key| key.held_until).collect();
    assert_eq!(held, [Some(secs(42)), Some(secs(40))]);
    assert!(world.forced(secs(20)).is_ok(), "it will say no by itself");
    // Overload concerns all keys.
    let overloaded = Outcome::Overloaded { retry_after: Some(secs(5)) };
    world.ask(Ask::default(), secs(50)).unwrap().end(overloaded, 0, 0, secs(50));
    for draw in 0..2 {
        assert_eq!(key(draw, secs(54)), Err(Refusal::Ceiling { until: secs(55), declared: false }));
        assert_eq!(key(draw, secs(55)), Ok(draw as usize));
    }
}

#[test]
fn without_a_wait_it_is_left_alone_longer_each_time() {
    let world = World::new(1, EndpointPolicy { breaker: BreakerPolicy::OFF, ..EndpointPolicy::default() });
    let mut now = secs(100);
    for wait in [1, 2, 4, 8, 16, 16] {
        world.call(LIMITED, now);
        assert!(!world.available(now + secs(wait) - ms(1)));
        now += secs(wait);
        assert!(world.available(now), "{wait}");
    }
    world.call(Outcome::Success, now);
    world.call(LIMITED, now);
    assert!(world.available(now + secs(1)), "a success ends it");
}

#[test]
fn declared_ceilings_hold_for_each_key_whatever_happens() {
    let policy = EndpointPolicy {
        requests_per_minute: Some(60),
        tokens_per_minute: Some(1_000),
        ..EndpointPolicy::default()
    };
    let world = World::new(2, policy);
    let ask = |tokens, draw| world.ask(Ask { tokens, draw, ..Ask::default() }, secs(100));
    let (a, b) = (ask(800, 0).unwrap(), ask(300, 0).unwrap());
    assert_eq!((a.key, b.key), (0, 1), "the second does not fit there");
    let refused = Refusal::Ceiling { until: secs(136), declared: true };
    assert_eq!(ask(800, 0).unwrap_err(), Refusal::Ceiling { until: secs(106), declared: true });
    assert_eq!(
        world.ask(Ask { tokens: 800, key: Some(0), ..Ask::default() }, secs(100)).unwrap_err(),
        refused
    );
    let forced = Ask { tokens: 800, key: Some(0), forced: true, ..Ask::default() };
    assert_eq!(world.ask(forced, secs(100)).unwrap_err(), refused);
    // What was not used is there again; what was used beyond the estimate is not.
    a.end(Outcome::Success, 100, 50, secs(100));
    b.end(Outcome::Success, 600, 50, secs(100));
    let left = |key: usize| {
        let view = &world.view(secs(100)).keys[key];
        (view.tokens.map(|ceiling| ceiling.left), view.requests.map(|ceiling| ceiling.left))
    };
    assert_eq!((left(0), left(1)), ((Some(900), Some(59)), (Some(400), Some(59))));
    ask(500, 0).unwrap().unused(secs(100));
    assert_eq!(left(0), (Some(900), Some(59)));
    for _ in 0..59 {
        drop(ask(1, 0).unwrap());
    }
    assert_eq!(left(0).1, Some(0), "what was cancelled may have been counted");
    assert_eq!(ask(1, 0).unwrap().key, 1);
    assert_eq!(world.endpoint.in_flight(), 0);
}

#[test]
fn traffic_moves_before_the_provider_has_to_refuse() {
    let world = plain(1);
    let window = |limit, remaining, reset| {
        Some(Window { limit: Some(limit), remaining: Some(remaining), reset: Some(reset) })
    };
    let ticket = world.admit(secs(10)).unwrap();
    let others: Vec<_> = (0..3).map(|_| world.admit(secs(10)).unwrap()).collect();
    ticket.limits_seen(&LimitsSeen { requests: window(60, 5, secs(55)), ..LimitsSeen::default() }, secs(11));
    // Five are left, of which three are on their way.
    let view = world.view(secs(11)).keys[0].requests.unwrap();
    assert_eq!((view.limit, view.left, view.learned), (60, 2, true));
    for _ in 0..2 {
        drop(world.admit(secs(11)).unwrap());
    }
    assert_eq!(world.admit(secs(11)).unwrap_err(), Refusal::Ceiling { until: secs(12), declared: false });
    assert!(!world.available(secs(11)) && world.available(secs(12)));
    assert!(world.forced(secs(11)).is_ok());
    drop(others);
    // Tokens, likewise.
    let world = plain(1);
    let ticket = world.ask(Ask { tokens: 100, ..Ask::default() }, secs(10)).unwrap();
    let tokens = LimitsSeen { tokens: window(6_000, 900, secs(51)), ..LimitsSeen::default() };
    ticket.limits_seen(&tokens, secs(10));
    ticket.end(Outcome::Success, 400, 100, secs(10));
    let ask = |tokens| world.ask(Ask { tokens, ..Ask::default() }, secs(10));
    assert_eq!(ask(700).unwrap_err(), Refusal::Ceiling { until: secs(11), declared: false });
    assert!(ask(600).is_ok());
}

#[test]
fn no_more_calls_at_one_time_than_allowed() {
    let policy = EndpointPolicy { max_concurrency: Some(2), ..EndpointPolicy::default() };
    let world = World::new(1, policy);
    let a = world.admit(secs(1)).unwrap();
    let b = world.admit(secs(1)).unwrap();
    assert_eq!(world.admit(secs(1)).unwrap_err(), Refusal::Busy);
    assert_eq!(world.forced(secs(1)).unwrap_err(), Refusal::Busy);
    assert!(!world.available(secs(1)));
    drop(a);
    assert!(world.admit(secs(1)).is_ok());
    b.end(Outcome::Success, 0, 0, secs(2));
    assert_eq!(world.endpoint.in_flight(), 0);
}

#[test]
fn a_refusal_leaves_nothing_behind() {
    let breaker = BreakerPolicy { failures: 1, open_for: secs(30), ..BreakerPolicy::default() };
    let world =
        World::new(1, EndpointPolicy { breaker, requests_per_minute: Some(1), ..EndpointPolicy::default() });
    world.call(Outcome::Reset, secs(1));
    // Its time has come, but the ceiling holds: the probe is not lost.
    let refused = Refusal::Ceiling { until: secs(61), declared: true };
    assert_eq!(world.admit(secs(31)).unwrap_err(), refused);
    assert_eq!(world.forced(secs(31)).unwrap_err(), refused);
    assert_eq!(world.endpoint.in_flight(), 0);
    assert!(world.admit(secs(61)).unwrap().probe);
}

#[test]
fn speed_is_learned_from_what_succeeded() {
    let world = plain(1);
    assert!(world.endpoint.cost(secs(1)) < 1e-9);
    let mut stream = world.admit(secs(10)).unwrap();
    stream.first_token(secs(10) + ms(400));
    stream.first_token(secs(11));
    stream.end(Outcome::Success, 0, 101, secs(10) + ms(2_400));
    let view = world.view(secs(10) + ms(2_400));
    assert_eq!(view.time_per_token, Some(ms(20)));
    let near = |time: Option<Duration>, expected: Duration| {
        let off = time.unwrap().abs_diff(expected);
        assert!(off < ms(15), "{time:?}, not {expected:?}");
    };
    near(view.first_token, ms(400));
    // A typical answer takes 0.4 s and a hundred tokens of 20 ms; the next call is the first.
    assert!((view.cost - 2.4).abs() < 0.05, "{}", view.cost);
    let busy = world.admit(secs(12) + ms(400)).unwrap();
    assert!((world.endpoint.cost(secs(12) + ms(400)) - 4.8).abs() < 0.2);
    // Of a whole answer, what its tokens did not take is the wait for the first.
    busy.end(Outcome::Success, 0, 50, secs(14));
    near(world.view(secs(14)).first_token, ms(626));
    assert_eq!(world.endpoint.first_token_percentile(50), None, "whole answers have no first token");
}

#[test]
fn a_slow_reader_does_not_make_a_provider_slow() {
    let world = plain(1);
    let stream = |at: u64, took: u64| {
        let mut stream = world.admit(secs(at)).unwrap();
        stream.first_token(secs(at) + ms(100));
        stream.end(Outcome::Success, 0, 101, secs(at) + ms(100 + took));
    };
    stream(10, 1_000);
    stream(12, 600_000);
    let each = world.view(secs(612)).time_per_token.unwrap();
    assert!(each <= ms(20), "{each:?}");
}

#[test]
fn what_was_given_up_has_taken_so_long_at_least() {
    let world = plain(1);
    world.admit(secs(1)).unwrap().end(Outcome::Cancelled, 0, 0, secs(9));
    assert_eq!(world.view(secs(9)).first_token, None, "nothing to hold it against");
    world.admit(secs(10)).unwrap().end(Outcome::Success, 0, 0, secs(11));
    world.admit(secs(11)).unwrap().end(Outcome::Cancelled, 0, 0, secs(11) + ms(500));
    assert!(world.view(secs(12)).first_token.unwrap() <= secs(1));
    world.admit(secs(12)).unwrap().end(Outcome::Cancelled, 0, 0, secs(16));
    assert!(world.view(secs(16)).first_token.unwrap() > ms(3_900));
    let mut seen = world.admit(secs(20)).unwrap();
    seen.first_token(secs(21));
    seen.end(Outcome::Cancelled, 0, 0, secs(90));
    assert!(world.view(secs(90)).first_token.unwrap() < secs(4), "its first token came in time");
}

#[test]
fn failures_count_as_time() {
    let world = World::new(1, EndpointPolicy { breaker: BreakerPolicy::OFF, ..EndpointPolicy::default() });
    let mut stream = world.admit(secs(10)).unwrap();
    stream.first_token(secs(10) + ms(200));
    stream.end(Outcome::Success, 0, 0, secs(11));
    let before = world.endpoint.cost(secs(11));
    world.call(Outcome::Refused, secs(11));
    let after = world.endpoint.cost(secs(11));
    assert!(after > before * 4.5 && after < 2.0, "{before} {after}");
    for _ in 0..20 {
        world.call(Outcome::Refused, secs(11));
    }
    assert!(world.endpoint.cost(secs(11)) <= 60.0, "there is an end to it");
}

#[test]
fn what_comes_back_begins_anew_and_slowly() {
    let world = World::new(1, EndpointPolicy { ease_in: secs(20), ..EndpointPolicy::default() });
    for second in 0..5 {
        world.call(Outcome::Timeout(pointsman_core::Phase::FirstToken), secs(second));
    }
    assert!(world.endpoint.cost(secs(4)) < 1e-9, "its failures do not keep the probe away");
    world.admit(secs(305)).unwrap().end(Outcome::Success, 0, 0, secs(305) + ms(100));
    let at = secs(305) + ms(100);
    assert!(world.endpoint.cost(at) < 0.2, "{}", world.endpoint.cost(at));
    let share = |after| world.endpoint.warmth(at + after);
    assert!(share(secs(0)) > 0.09 && share(secs(5)) > 0.2 && share(secs(5)) < 0.3);
    assert!(share(secs(20)) > 0.99);
    assert!((Endpoint::new(1).warmth(secs(1)) - 1.0).abs() < 1e-9);
}

#[test]
fn percentiles_are_of_first_tokens() {
    let world = plain(1);
    for n in 1..=40 {
        let mut ticket = world.admit(secs(n)).unwrap();
        ticket.first_token(secs(n) + ms(n * 10));
        ticket.end(Outcome::Success, 0, 0, secs(n) + ms(900));
    }
    let percentile = |percent| world.endpoint.first_token_percentile(percent);
    assert_eq!((percentile(50), percentile(95)), (Some(ms(200)), Some(ms(380))));
}

#[test]
fn an_operator_closes_and_opens_it() {
    let world = plain(1);
    world.endpoint.force(Forced::Open, secs(1));
    assert!(matches!(world.admit(secs(2)), Err(Refusal::Open { .. })) && world.forced(secs(2)).is_err());
    world.endpoint.force(Forced::Closed, secs(3));
    for _ in 0..50 {
        world.call(Outcome::UpstreamFault, secs(3));
    }
    assert!(world.admit(secs(4)).is_ok());
    world.endpoint.force(Forced::None, secs(5));
    assert_eq!(world.view(secs(5)).breaker.failures, 0);
}

#[test]
fn counts_are_right_between_threads() {
    let policy = EndpointPolicy {
        max_concurrency: Some(3),
        requests_per_minute: Some(20_000),
        ..EndpointPolicy::default()
    };
    let world = World::new(2, policy);
    let most = AtomicU32::new(0);
    let granted: u64 = std::thread::scope(|scope| {
        let work = || {
            let mut granted = 0;
            for n in 0..5_000_u64 {
                let Ok(mut ticket) = world.ask(Ask { draw: n, ..Ask::default() }, secs(10)) else { continue };
                granted += 1;
                most.fetch_max(world.endpoint.in_flight(), Ordering::Relaxed);
                match n % 3 {
                    0 => ticket.end(Outcome::Success, 0, 0, secs(10)),
                    1 => ticket.first_token(secs(10)),
                    _ => {}
                }
            }
            granted
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(world.endpoint.in_flight(), 0);
    assert!(world.endpoint.waiting.mean(nanos(secs(50))) < 1e-9, "nobody waits any more");
    let left: u64 = world.view(secs(10)).keys.iter().map(|key| key.requests.unwrap().left).sum();
    assert_eq!(left, 40_000 - granted);
    // A refused call is seen for a moment.
    assert!(most.load(Ordering::Relaxed) <= 3 + 4);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let words = proptest::sample::select(Outcome::WORDS.to_vec());
    words.prop_map(|word| Outcome::from_words(word, Some("first_byte"), Some(ms(1_500))).unwrap())
}

proptest! {
    /// Whatever calls come to: nothing is left in flight, looks and leave agree, and a forced call is refused
    /// for a declared limit only.
    #[test]
    fn every_history_ends_at_rest(
        steps in proptest::collection::vec((0_u64..90_000, any_outcome(), 0_u64..400, any::<bool>()), 1..150),
        keys in 1_usize..4,
    ) {
        let policy = EndpointPolicy {
            tokens_per_minute: Some(500),
            requests_per_minute: Some(30),
            max_concurrency: Some(4),
            ..EndpointPolicy::default()
        };
        let world = World::new(keys, policy);
        let mut now = secs(1);
        let mut calls: Vec<Ticket> = Vec::new();
        for (pause, outcome, tokens, ends) in steps {
            now += ms(pause % 4_000);
            let available = world.available(now);
            let asked = world.ask(Ask { tokens: 1, draw: tokens, ..Ask::default() }, now);
            prop_assert_eq!(asked.is_ok(), available, "{:?}", asked.err());
            calls.extend(asked.ok());
            match world.ask(Ask { tokens, draw: tokens, forced: true, ..Ask::default() }, now) {
                Ok(ticket) => calls.push(ticket),
                Err(refusal) => {
                    let declared = matches!(refusal, Refusal::Busy | Refusal::Ceiling { declared: true, .. });
                    prop_assert!(declared, "{refusal:?}");
                }
            }
            prop_assert!(world.endpoint.in_flight() as usize == calls.len() && calls.len() <= 4);
            let cost = world.endpoint.cost(now);
            prop_assert!(cost.is_finite() && cost >= 0.0);
            if ends && !calls.is_empty() {
                let mut ticket = calls.swap_remove(tokens as usize % calls.len());
                ticket.first_token(now);
                ticket.end(outcome, tokens, tokens / 2, now);
            } else if calls.len() > 3 {
                calls.clear();
            }
        }
        calls.clear();
        prop_assert_eq!(world.endpoint.in_flight(), 0);
        prop_assert!(world.endpoint.waiting.mean(nanos(now + secs(9))) < 1e-9);
    }
}

#[test]
fn one_large_request_that_was_refused_shuts_nobody_out() {
    let policy = EndpointPolicy { tokens_per_minute: Some(100_000), ..EndpointPolicy::default() };
    let world = World::new(1, policy);
    let large = Ask { tokens: 2_600_000, ..Ask::default() };
    let ticket = world.ask(large, secs(1)).unwrap();
    ticket.end(Outcome::ClientFault, 0, 0, secs(1));
    assert!(world.ask(Ask { tokens: 90_000, ..Ask::default() }, secs(1)).is_ok(), "nothing was used");
    let used =
        World::new(1, EndpointPolicy { tokens_per_minute: Some(100_000), ..EndpointPolicy::default() });
    used.ask(large, secs(1)).unwrap().end(Outcome::Success, 2_600_000, 10, secs(2));
    let next = Ask { tokens: 10_000, ..Ask::default() };
    assert!(used.ask(next, secs(2)).is_err(), "all of a minute's tokens are used");
    assert!(used.ask(next, secs(62)).is_ok(), "and come back in a minute");
}

#[test]
fn an_operator_who_closes_it_lets_calls_through_whatever_was_asked_for() {
    let world = plain(1);
    let day = Some(secs(86_400));
    world.call(Outcome::Overloaded { retry_after: day }, secs(1));
    let limited = plain(1);
    limited.call(Outcome::RateLimited { retry_after: day }, secs(1));
    let refused = plain(2);
    refused.call(Outcome::Unauthorized, secs(1));
    for world in [&world, &limited] {
        assert!(world.admit(secs(2)).is_err());
    }
    for world in [&world, &limited, &refused] {
        world.endpoint.force(Forced::Closed, secs(2));
        assert!(world.admit(secs(2)).is_ok());
        assert!(world.view(secs(2)).keys.iter().all(|key| key.breaker.state == BreakerState::Closed));
    }
}

#[test]
fn a_probe_that_its_caller_gave_up_is_not_followed_by_the_next_at_once() {
    let world = plain(1);
    for second in 0..5 {
        world.call(Outcome::UpstreamFault, secs(second));
    }
    let probe = |at| world.admit(secs(at)).unwrap();
    // It hung for 10 s: for ten times as long nobody else hangs.
    probe(304).end(Outcome::Cancelled, 0, 0, secs(314));
    assert_eq!(world.admit(secs(315)).unwrap_err(), Refusal::Open { until: secs(414) });
    // Never for longer than a failure would keep it away.
    probe(414).end(Outcome::Cancelled, 0, 0, secs(514));
    assert_eq!(world.admit(secs(515)).unwrap_err(), Refusal::Open { until: secs(814) });
    // Who left at once, or after something had come, says nothing.
    probe(814).end(Outcome::Cancelled, 0, 0, secs(814));
    let mut seen = probe(814);
    seen.first_token(secs(815));
    seen.end(Outcome::Cancelled, 0, 0, secs(816));
    assert!(probe(816).probe);
}

#[test]
fn a_single_failure_is_forgotten_sooner_than_what_is_slow() {
    let world = plain(1);
    let mut stream = world.admit(secs(10)).unwrap();
    stream.first_token(secs(10) + ms(20));
    stream.end(Outcome::Success, 0, 0, secs(11));
    world.call(Outcome::Reset, secs(12));
    let cost = |at| world.endpoint.cost(secs(at));
    assert!(cost(12) > 0.49 && cost(42) > 0.15, "{} {}", cost(12), cost(42));
    assert!(cost(112) < 0.02, "{}", cost(112));
}
