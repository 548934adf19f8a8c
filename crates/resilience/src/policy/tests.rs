//! The table of `decide`, and bounds for every policy.

use proptest::prelude::*;

use super::*;
use pointsman_core::Rng;

const ALL: [Outcome; 21] = [
    Outcome::Success,
    Outcome::ClientFault,
    Outcome::ContextTooLong,
    Outcome::ContentFiltered,
    Outcome::ModelNotFound,
    Outcome::Unauthorized,
    Outcome::QuotaExhausted,
    Outcome::RateLimited { retry_after: None },
    Outcome::RateLimited { retry_after: Some(Duration::from_secs(1)) },
    Outcome::Overloaded { retry_after: None },
    Outcome::UpstreamFault,
    Outcome::Refused,
    Outcome::UnknownHost,
    Outcome::TlsFailed,
    Outcome::Unreachable,
    Outcome::Reset,
    Outcome::Malformed,
    Outcome::Timeout(Phase::Connect),
    Outcome::Timeout(Phase::FirstByte),
    Outcome::Timeout(Phase::Total),
    Outcome::Cancelled,
];
const LEFT: Duration = Duration::from_secs(60);
const FIRST: Attempts = Attempts { on_candidate: 1, total: 1, candidates_left: 0 };

const GENEROUS: RetryBudgetPolicy = RetryBudgetPolicy { percent: 100, minimum_per_second: 1_000 };

fn ask(outcome: Outcome, attempts: Attempts, left: Duration) -> Decision {
    judge(&Failed { outcome, attempts, left, may_repeat: true })
}

fn judge(failed: &Failed) -> Decision {
    let budget = RetryBudget::default();
    decide(&RetryPolicy::default(), failed, (&budget, &GENEROUS), Duration::ZERO, &mut Rng::new(1))
}

#[test]
fn with_another_candidate_it_is_asked_at_once() {
    for outcome in ALL {
        let decision = ask(outcome, Attempts { candidates_left: 1, ..FIRST }, LEFT);
        let ends = matches!(
            outcome,
            Outcome::Success | Outcome::ClientFault | Outcome::Cancelled | Outcome::Timeout(Phase::Total)
        );
        assert_eq!(decision, if ends { Decision::GiveUp } else { Decision::Fallback }, "{outcome:?}");
    }
}

#[test]
fn the_last_candidate_is_tried_once_more_where_that_can_help() {
    for outcome in ALL {
        let decision = ask(outcome, FIRST, LEFT);
        let retries = outcome.retryable() && outcome != Outcome::Timeout(Phase::Total);
        assert_eq!(matches!(decision, Decision::RetryAfter(_)), retries, "{outcome:?}: {decision:?}");
        let again = ask(outcome, Attempts { on_candidate: 2, total: 2, ..FIRST }, LEFT);
        assert_eq!(again, Decision::GiveUp, "{outcome:?}");
    }
}

#[test]
fn a_retry_after_is_kept_to_or_ends_the_request() {
    let limited = |seconds| Outcome::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
    let Decision::RetryAfter(wait) = ask(limited(10), FIRST, LEFT) else { panic!("it fits") };
    assert!((10_000..=10_250).contains(&wait.as_millis()), "{wait:?}");
    assert_eq!(ask(limited(60), FIRST, LEFT), Decision::GiveUp, "it does not fit");
    let other = Attempts { candidates_left: 1, ..FIRST };
    assert_eq!(ask(limited(60), other, LEFT), Decision::Fallback, "no reason to wait");
}

#[test]
fn the_end_of_time_and_of_attempts_ends_the_request() {
    let other = Attempts { candidates_left: 3, ..FIRST };
    assert_eq!(ask(Outcome::Reset, other, Duration::ZERO), Decision::GiveUp);
    assert_eq!(ask(Outcome::Reset, Attempts { total: 6, ..other }, LEFT), Decision::GiveUp);
    assert_eq!(ask(Outcome::Reset, Attempts { total: 5, ..other }, LEFT), Decision::Fallback);
}

#[test]
fn what_must_not_be_done_twice_is_done_again_only_if_nothing_left() {
    for candidates_left in [0, 2] {
        let attempts = Attempts { candidates_left, ..FIRST };
        for outcome in ALL {
            let repeats = judge(&Failed { outcome, attempts, left: LEFT, may_repeat: false });
            let expected =
                if outcome.nothing_sent() { ask(outcome, attempts, LEFT) } else { Decision::GiveUp };
            assert_eq!(repeats, expected, "{outcome:?}");
        }
    }
}

#[test]
fn retries_are_paid_from_the_budget_and_fallbacks_are_not() {
    let policy = RetryBudgetPolicy { percent: 10, minimum_per_second: 0 };
    let (budget, now) = (RetryBudget::default(), Duration::from_secs(5));
    (0..30).for_each(|_| budget.deposit(now));
    let decide = |candidates_left| {
        let attempts = Attempts { candidates_left, ..FIRST };
        let failed = Failed { outcome: Outcome::Reset, attempts, left: LEFT, may_repeat: true };
        decide(&RetryPolicy::default(), &failed, (&budget, &policy), now, &mut Rng::new(2))
    };
    let decisions: Vec<_> = (0..5).map(|_| matches!(decide(0), Decision::RetryAfter(_))).collect();
    assert_eq!(decisions, [true, true, true, false, false]);
    assert_eq!(decide(1), Decision::Fallback);
}

#[test]
fn pauses_double_up_to_the_cap_and_are_spread_over_the_whole_range() {
    let policy = RetryPolicy::default();
    for (attempt, most_ms) in
        [(1, 250), (2, 500), (3, 1_000), (4, 2_000), (5, 4_000), (6, 4_000), (u32::MAX, 4_000)]
    {
        let most = Duration::from_millis(most_ms);
        let mut rng = Rng::new(u64::from(attempt));
        let drawn: Vec<_> = (0..2_000).map(|_| backoff(&policy, attempt, None, &mut rng)).collect();
        assert!(drawn.iter().all(|wait| *wait <= most), "{attempt}");
        // Uniform over [0, most]: each quarter holds 500 ± 100 (more than five standard deviations).
        for quarter in 0..4 {
            let range = most * quarter / 4..most * (quarter + 1) / 4;
            let count = drawn.iter().filter(|wait| range.contains(wait)).count();
            assert!((400..=600).contains(&count), "attempt {attempt}, quarter {quarter}: {count}");
        }
    }
}

#[test]
fn equal_seeds_decide_equally() {
    let draw = || ask(Outcome::Overloaded { retry_after: None }, FIRST, LEFT);
    assert_eq!(draw(), draw());
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0_u64..10_000_000).prop_map(Duration::from_micros),
        any::<u64>().prop_map(Duration::from_secs),
        Just(Duration::MAX),
    ]
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    (1_u32..6, 1_u32..12, any_duration(), any_duration()).prop_map(|(per, total, base, cap)| RetryPolicy {
        max_attempts_per_candidate: per,
        max_attempts_total: total,
        base,
        cap,
    })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        proptest::sample::select(ALL.to_vec()),
        any_duration().prop_map(|wait| Outcome::RateLimited { retry_after: Some(wait) }),
    ]
}

proptest! {
    #[test]
    fn pauses_keep_their_bounds(
        policy in any_policy(),
        attempt in any::<u32>(),
        after in proptest::option::of(any_duration()),
        seed in any::<u64>(),
    ) {
        let wait = backoff(&policy, attempt, after, &mut Rng::new(seed));
        match after {
            // A microsecond is the grain, and u64::MAX of them the longest jitter.
            Some(after) => {
                prop_assert!(wait >= after);
                prop_assert!(wait <= after.saturating_add(policy.base));
            }
            None => prop_assert!(wait <= policy.cap),
        }
    }

    #[test]
    fn a_request_always_ends_within_its_attempts_and_its_time(
        policy in any_policy(),
        outcomes in proptest::collection::vec(any_outcome(), 64),
        mut left in any_duration(),
        mut candidates_left in 0_usize..5,
        seed in any::<u64>(),
    ) {
        let (mut rng, budget) = (Rng::new(seed), RetryBudget::default());
        let (mut on_candidate, mut total) = (1, 1);
        for outcome in outcomes {
            let attempts = Attempts { on_candidate, total, candidates_left };
            let failed = Failed { outcome, attempts, left, may_repeat: true };
            match decide(&policy, &failed, (&budget, &GENEROUS), Duration::ZERO, &mut rng) {
                Decision::GiveUp => return Ok(()),
                Decision::Fallback => {
                    prop_assert!(candidates_left > 0 && outcome != Outcome::ClientFault);
                    candidates_left -= 1;
                    on_candidate = 1;
                }
                Decision::RetryAfter(wait) => {
                    prop_assert!(wait < left && outcome.retryable());
                    prop_assert!(outcome.retry_after().is_none_or(|after| wait >= after));
                    left -= wait;
                    on_candidate += 1;
                }
            }
            total += 1;
            prop_assert!(on_candidate <= policy.max_attempts_per_candidate);
            prop_assert!(total <= policy.max_attempts_total);
        }
        // 64 failures are more than any policy of this test allows.
        prop_assert!(false, "did not end");
    }
}
