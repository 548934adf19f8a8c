//! The rules at their boundaries, and every sequence of calls against a plain model.

use proptest::prelude::*;

use super::*;

const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 5,
    window: Duration::from_secs(60),
    open_for: Duration::from_secs(300),
    consecutive: None,
    share: None,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn call(breaker: &Breaker, policy: &BreakerPolicy, verdict: Verdict, now: Duration) -> Change {
    let pass = breaker.admit(policy, false, now).unwrap();
    breaker.end(pass, policy, verdict, now)
}

fn failing(at: &[u64]) -> Breaker {
    let breaker = Breaker::default();
    for second in at {
        call(&breaker, &POLICY, Verdict::Bad, secs(*second));
    }
    breaker
}

fn opened(at: u64) -> Breaker {
    let breaker = failing(&[at; 5]);
    assert_eq!(breaker.view(&POLICY, secs(at)).state, BreakerState::Open);
    breaker
}

#[test]
fn five_failures_within_a_minute_open_it() {
    for (at, opens) in [
        (&[0, 1, 2, 3][..], false),
        (&[0, 15, 30, 45, 59], true),
        (&[0, 15, 30, 45, 60], true),
        (&[0, 15, 30, 45, 61], false),
        (&[0, 15, 30, 45, 61, 62], true),
        (&[0, 20, 40, 61, 81, 101, 122], false),
    ] {
        let breaker = failing(at);
        let last = secs(at[at.len() - 1]);
        let view = breaker.view(&POLICY, last);
        assert_eq!(view.state == BreakerState::Open, opens, "{at:?}");
        assert_eq!(view.until, opens.then(|| last + POLICY.open_for));
        assert_eq!(breaker.admit(&POLICY, false, last).is_err(), opens);
    }
}

#[test]
fn successes_in_between_do_not_keep_it_closed() {
    let breaker = Breaker::default();
    for second in 0..5 {
        call(&breaker, &POLICY, Verdict::Good, secs(second));
        call(&breaker, &POLICY, Verdict::Bad, secs(second));
    }
    assert_eq!(breaker.admit(&POLICY, false, secs(5)), Err(secs(304)));
}

#[test]
fn at_its_time_exactly_one_call_goes_through() {
    let breaker = opened(0);
    for second in [0, 1, 150, 299] {
        assert_eq!(breaker.admit(&POLICY, false, secs(second)), Err(secs(300)));
        assert_eq!(breaker.refusal(&POLICY, secs(second)), Some(secs(300)));
    }
    assert_eq!(breaker.view(&POLICY, secs(301)).state, BreakerState::HalfOpen);
    assert_eq!(breaker.refusal(&POLICY, secs(301)), None);
    let probe = breaker.admit(&POLICY, false, secs(301)).unwrap();
    assert!(probe.probe);
    for _ in 0..10 {
        assert_eq!(breaker.admit(&POLICY, false, secs(301)), Err(secs(302)));
    }
    assert_eq!(breaker.end(probe, &POLICY, Verdict::Good, secs(303)), Change::Closed);
    assert_eq!(breaker.view(&POLICY, secs(303)), BreakerView { since: secs(303), ..BreakerView::default() });
    assert!(!breaker.admit(&POLICY, false, secs(303)).unwrap().probe);
    // It has forgotten the failures of before.
    for second in 304..308 {
        assert_eq!(call(&breaker, &POLICY, Verdict::Bad, secs(second)), Change::None);
    }
    assert_eq!(call(&breaker, &POLICY, Verdict::Bad, secs(308)), Change::Opened);
}

#[test]
fn a_probe_that_fails_opens_it_for_as_long_again() {
    let breaker = opened(0);
    assert_eq!(call(&breaker, &POLICY, Verdict::Bad, secs(310)), Change::Opened);
    assert_eq!(breaker.admit(&POLICY, false, secs(609)), Err(secs(610)));
    assert!(breaker.admit(&POLICY, false, secs(610)).unwrap().probe);
}

#[test]
fn a_probe_that_says_nothing_is_given_back() {
    let breaker = opened(0);
    for _ in 0..3 {
        let probe = breaker.admit(&POLICY, false, secs(400)).unwrap();
        assert!(probe.probe && breaker.admit(&POLICY, false, secs(400)).is_err());
        breaker.give_back(probe);
    }
    let probe = breaker.admit(&POLICY, false, secs(400)).unwrap();
    assert_eq!(breaker.end(probe, &POLICY, Verdict::Neutral, secs(401)), Change::None);
    assert!(breaker.admit(&POLICY, false, secs(401)).unwrap().probe);
}

#[test]
fn calls_of_an_earlier_period_say_nothing() {
    let breaker = Breaker::default();
    let early: Vec<_> = (0..7).map(|_| breaker.admit(&POLICY, false, secs(0)).unwrap()).collect();
    for _ in 0..5 {
        call(&breaker, &POLICY, Verdict::Bad, secs(1));
    }
    // They began when all was well, and end while it is open, half open and closed again.
    assert_eq!(breaker.end(early[0], &POLICY, Verdict::Good, secs(2)), Change::None);
    assert_eq!(breaker.end(early[1], &POLICY, Verdict::Bad, secs(2)), Change::None);
    assert_eq!(breaker.admit(&POLICY, false, secs(300)), Err(secs(301)), "neither closed nor longer open");
    let probe = breaker.admit(&POLICY, false, secs(301)).unwrap();
    assert_eq!(breaker.end(early[2], &POLICY, Verdict::Good, secs(301)), Change::None);
    breaker.give_back(early[3]);
    assert!(breaker.admit(&POLICY, false, secs(301)).is_err(), "the probe is still under way");
    assert_eq!(breaker.end(probe, &POLICY, Verdict::Good, secs(302)), Change::Closed);
    for pass in &early[4..] {
        assert_eq!(breaker.end(*pass, &POLICY, Verdict::Bad, secs(303)), Change::None);
    }
    assert_eq!(breaker.view(&POLICY, secs(303)).failures, 0);
}

#[test]
fn what_must_be_tried_is_tried_and_may_close_it() {
    let breaker = opened(0);
    let forced = breaker.admit(&POLICY, true, secs(10)).unwrap();
    assert!(!forced.probe);
    assert_eq!(breaker.end(forced, &POLICY, Verdict::Bad, secs(11)), Change::None);
    assert_eq!(breaker.admit(&POLICY, false, secs(12)), Err(secs(300)), "no longer open for that");
    let forced = breaker.admit(&POLICY, true, secs(12)).unwrap();
    assert_eq!(breaker.end(forced, &POLICY, Verdict::Good, secs(13)), Change::Closed);
    assert!(breaker.admit(&POLICY, false, secs(13)).is_ok());
}

#[test]
fn failures_in_a_row_open_it_however_far_apart() {
    let policy = BreakerPolicy { consecutive: Some(3), ..BreakerPolicy::OFF };
    let breaker = Breaker::default();
    for (hour, verdict) in [(0, Verdict::Bad), (1, Verdict::Bad), (2, Verdict::Good), (3, Verdict::Bad)] {
        assert_eq!(call(&breaker, &policy, verdict, secs(hour * 3_600)), Change::None);
    }
    call(&breaker, &policy, Verdict::Neutral, secs(4 * 3_600));
    assert_eq!(call(&breaker, &policy, Verdict::Bad, secs(5 * 3_600)), Change::None);
    assert_eq!(call(&breaker, &policy, Verdict::Bad, secs(6 * 3_600)), Change::Opened);
}

#[test]
fn a_share_opens_it_once_there_are_enough_calls() {
    let share = Some(FailureShare { percent: 50, minimum: 10 });
    let policy = BreakerPolicy { share, ..BreakerPolicy::OFF };
    let breaker = Breaker::default();
    for n in 0..9 {
        assert_eq!(call(&breaker, &policy, Verdict::Bad, secs(n)), Change::None, "nine of nine");
    }
    assert_eq!(call(&breaker, &policy, Verdict::Bad, secs(9)), Change::Opened);
    let breaker = Breaker::default();
    for n in 0..100 {
        let verdict = if n % 3 == 0 { Verdict::Bad } else { Verdict::Good };
        assert_eq!(call(&breaker, &policy, verdict, secs(n)), Change::None, "a third");
    }
    // Successes of a minute ago do not count any more.
    let opens = (0..).position(|n| call(&breaker, &policy, Verdict::Bad, secs(200 + n)) == Change::Opened);
    assert_eq!(opens, Some(9));
}

#[test]
fn a_breaker_that_is_off_never_opens_and_lets_go_of_an_open_one() {
    let breaker = Breaker::default();
    for n in 0..5_000 {
        assert_eq!(call(&breaker, &BreakerPolicy::OFF, Verdict::Bad, secs(n / 100)), Change::None);
    }
    assert_eq!(breaker.view(&BreakerPolicy::OFF, secs(50)).failures as usize, MAX_FAILURES);
    let breaker = opened(0);
    assert!(breaker.admit(&BreakerPolicy::OFF, false, secs(1)).is_ok());
    assert_eq!(breaker.view(&BreakerPolicy::OFF, secs(1)).state, BreakerState::Closed);
}

#[test]
fn an_operator_has_the_last_word() {
    let breaker = Breaker::default();
    breaker.force(Forced::Open, secs(10));
    assert_eq!(breaker.admit(&POLICY, false, secs(20)), Err(secs(80)));
    assert_eq!(breaker.admit(&POLICY, true, secs(20)), Err(secs(80)), "also where nobody else is left");
    let view = breaker.view(&POLICY, secs(20));
    assert_eq!((view.state, view.forced, view.until), (BreakerState::Open, Forced::Open, None));
    breaker.force(Forced::Closed, secs(30));
    for _ in 0..20 {
        call(&breaker, &POLICY, Verdict::Bad, secs(31));
    }
    assert_eq!(breaker.view(&POLICY, secs(31)).state, BreakerState::Closed);
    breaker.force(Forced::None, secs(40));
    assert_eq!(breaker.view(&POLICY, secs(40)), BreakerView { since: secs(40), ..BreakerView::default() });
    let breaker = opened(0);
    breaker.force(Forced::None, secs(50));
    assert!(!breaker.admit(&POLICY, false, secs(50)).unwrap().probe, "reset by hand");
}

#[test]
fn one_probe_at_a_time_also_between_threads() {
    let breaker = opened(0);
    let probes: usize = std::thread::scope(|scope| {
        let ask = || (0..1_000).filter(|_| breaker.admit(&POLICY, false, secs(301)).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(probes, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Pause(u64),
    Ask { forced: bool },
    End { nth: usize, verdict: Verdict },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop_oneof![3 => Just(Verdict::Bad), 2 => Just(Verdict::Good), 1 => Just(Verdict::Neutral)];
    let step = prop_oneof![
        2 => (0_u64..20).prop_map(Step::Pause),
        1 => (100_u64..400).prop_map(Step::Pause),
        6 => proptest::bool::weighted(0.1).prop_map(|forced| Step::Ask { forced }),
        5 => (any::<usize>(), verdict).prop_map(|(nth, verdict)| Step::End { nth, verdict }),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens: never more than one probe, never a call before its time, and it opens if and only if
    /// five failures of one period lie within a minute.
    #[test]
    fn every_history_keeps_the_rules(steps in steps()) {
        let breaker = Breaker::default();
        let mut now = secs(1);
        let mut open_calls: Vec<Pass> = Vec::new();
        let mut failures: Vec<(u32, Duration)> = Vec::new();
        let mut open_until = None;
        for step in steps {
            match step {
                Step::Pause(seconds) => now += secs(seconds),
                Step::Ask { forced } => match breaker.admit(&POLICY, forced, now) {
                    Ok(pass) => {
                        if let Some(until) = open_until {
                            prop_assert!(forced || (now >= until && pass.probe));
                        }
                        open_calls.push(pass);
                        let present = |pass: &&Pass| pass.probe && breaker.is_present(**pass);
                        prop_assert!(open_calls.iter().filter(present).count() <= 1);
                    }
                    Err(until) => prop_assert!(!forced && open_until.is_some() && until > now),
                },
                Step::End { nth, verdict } => {
                    if open_calls.is_empty() {
                        continue;
                    }
                    let pass = open_calls.swap_remove(nth % open_calls.len());
                    let closed = open_until.is_none() && breaker.is_present(pass);
                    if verdict == Verdict::Bad && closed {
                        failures.push((pass.period, now));
                    }
                    let young = |at: &&(u32, Duration)| at.0 == pass.period && now - at.1 <= POLICY.window;
                    let opens = verdict == Verdict::Bad && closed && failures.iter().filter(young).count() >= 5;
                    match breaker.end(pass, &POLICY, verdict, now) {
                        Change::Opened => {
                            prop_assert!(opens || pass.probe);
                            open_until = Some(now + POLICY.open_for);
                        }
                        Change::Closed => {
                            prop_assert!(verdict == Verdict::Good && open_until.is_some());
                            open_until = None;
                        }
                        Change::None => prop_assert!(!opens),
                    }
                }
            }
        }
    }
}
