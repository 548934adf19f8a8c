//! Buckets against a minute's arithmetic, and what providers tell.

use proptest::prelude::*;

use super::*;

const fn secs(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

#[test]
fn a_bucket_gives_its_whole_content_and_fills_again() {
    let (bucket, rate) = (Bucket::default(), Rate::per_minute(60));
    for _ in 0..60 {
        assert_eq!(bucket.take(rate, 1, secs(100)), Ok(()));
    }
    assert_eq!(bucket.take(rate, 1, secs(100)), Err(secs(101)));
    assert_eq!(bucket.take(rate, 3, secs(100)), Err(secs(103)));
    assert_eq!(bucket.take(rate, 1, secs(101) - 1), Err(secs(101)), "what is refused costs nothing");
    assert_eq!(bucket.take(rate, 1, secs(101)), Ok(()));
    assert_eq!((bucket.left(rate, secs(101)), bucket.left(rate, secs(131))), (0, 30));
    assert_eq!(bucket.left(rate, secs(1_000)), 60);
}

#[test]
fn what_is_larger_than_the_ceiling_passes_when_nothing_else_does() {
    let (bucket, rate) = (Bucket::default(), Rate::per_minute(1_000));
    assert_eq!(bucket.take(rate, 5_000, secs(10)), Ok(()));
    assert_eq!(bucket.take(rate, 1, secs(10)), Err(secs(250) + 60_000_000));
    assert_eq!(bucket.take(rate, 5_000, secs(309)), Err(secs(310)));
    assert_eq!(bucket.take(rate, 5_000, secs(310)), Ok(()));
}

#[test]
fn estimates_are_put_right() {
    let (bucket, rate) = (Bucket::default(), Rate::per_minute(600));
    bucket.take(rate, 500, secs(5)).unwrap();
    bucket.give(rate, 400);
    assert_eq!(bucket.left(rate, secs(5)), 500);
    bucket.charge(rate, 800, secs(5));
    assert_eq!(bucket.left(rate, secs(5)), 0);
    assert_eq!(bucket.when(rate, 1, secs(5)), secs(35) + 100_000_000);
    bucket.give(rate, u64::MAX);
    assert_eq!(bucket.left(rate, secs(5)), 600, "never more than all");
}

fn window(limit: Option<u64>, remaining: u64, reset_ms: Option<u64>) -> Window {
    Window { limit, remaining: Some(remaining), reset: reset_ms.map(Duration::from_millis) }
}

#[test]
fn a_providers_word_becomes_a_bucket_that_fills_as_its_own() {
    let learned = Learned::default();
    assert_eq!(learned.rate(secs(50)), None);
    // Of 5,000 a minute one is used: it is back after 12 ms.
    learned.learn(&window(Some(5_000), 4_999, Some(12)), 0, secs(50));
    let rate = learned.rate(secs(50)).unwrap();
    assert_eq!(rate, Rate { capacity: 5_000, whole: secs(60) });
    assert_eq!(learned.bucket().left(rate, secs(50)), 4_999);
    // Nothing left: one comes back every 12 ms, and ten were sent since.
    learned.learn(&window(Some(5_000), 0, Some(60_000)), 10, secs(60));
    let rate = learned.rate(secs(60)).unwrap();
    assert_eq!(learned.bucket().when(rate, 1, secs(60)), secs(60) + 11 * 12_000_000);
    assert_eq!(learned.rate(secs(60) + nanos(BELIEVED)), None, "not believed for ever");
}

#[test]
fn where_nothing_is_used_the_known_pace_stays() {
    let learned = Learned::default();
    learned.learn(&window(Some(100), 100, Some(0)), 0, secs(1));
    assert_eq!(learned.rate(secs(1)), Some(Rate::per_minute(100)));
    learned.learn(&window(Some(100), 50, Some(5_000)), 0, secs(2));
    assert_eq!(learned.rate(secs(2)).map(|rate| rate.whole), Some(secs(10)));
    learned.learn(&window(Some(100), 100, None), 0, secs(3));
    assert_eq!(learned.rate(secs(3)).map(|rate| rate.whole), Some(secs(10)));
    learned.learn(&window(Some(100), 40, Some(0)), 0, secs(4));
    let rate = learned.rate(secs(4)).unwrap();
    assert_eq!((rate.whole, learned.bucket().left(rate, secs(4))), (secs(10), 40));
}

#[test]
fn without_a_limit_only_what_is_left_counts_until_the_reset() {
    let learned = Learned::default();
    learned.learn(&window(None, 2, None), 0, secs(100));
    let take = |at| learned.rate(secs(at)).map(|rate| learned.bucket().take(rate, 1, secs(at)));
    assert_eq!((take(100), take(101)), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(take(101), Some(Err(secs(110))));
    assert_eq!(take(110), None, "the reset is over");
}

#[test]
fn nonsense_is_not_learned() {
    let learned = Learned::default();
    for odd in [window(Some(0), 0, Some(5)), window(Some(5), 6, Some(5)), Window::default()] {
        learned.learn(&odd, 0, secs(1));
        assert_eq!(learned.rate(secs(1)), None, "{odd:?}");
    }
    learned.learn(&window(Some(u64::MAX), 0, Some(u64::MAX / 2_000_000)), u64::MAX, u64::MAX / 2);
    learned.learn(&window(None, u64::MAX, Some(1)), u64::MAX, secs(1));
}

proptest! {
    /// Whatever is asked when: no minute beyond the first gives more than the ceiling and what fills in it.
    #[test]
    fn no_span_gives_more_than_its_ceiling(
        limit in 1_u64..500,
        asks in proptest::collection::vec((0_u64..5_000, 1_u64..20), 1..300),
    ) {
        let (bucket, rate) = (Bucket::default(), Rate::per_minute(limit));
        let mut now = secs(1);
        let mut taken = Vec::new();
        for (pause_ms, units) in asks {
            now += pause_ms * 1_000_000;
            let units = units.min(limit);
            let when = bucket.when(rate, units, now);
            match bucket.take(rate, units, now) {
                Ok(()) => {
                    prop_assert!(when <= now);
                    taken.push((now, units));
                }
                Err(later) => {
                    prop_assert!(later > now && later == when && later - now <= secs(60));
                }
            }
        }
        for (from, _) in &taken {
            for (to, _) in taken.iter().filter(|(to, _)| to >= from) {
                let span = taken.iter().filter(|(at, _)| (from..=to).contains(&at));
                let used: u64 = span.map(|(_, units)| units).sum();
                let filled = (to - from) as f64 * limit as f64 / secs(60) as f64;
                prop_assert!(used as f64 <= limit as f64 + filled + 1.0);
            }
        }
    }
}
