//! Failures by address, on a clock of the tests' own.

use super::*;

const POLICY: FailurePolicy = FailurePolicy { max: 4, window: Duration::from_secs(60) };

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limited(seconds: u64, first: bool) -> FailureVerdict {
    FailureVerdict::Limited { retry_after: secs(seconds), first }
}

#[test]
fn a_bucket_is_used_up_and_fills_again() {
    let table = FailureTable::default();
    let failed = |now| table.failed(POLICY, ip("192.0.2.1"), secs(now));
    for _ in 0..4 {
        assert_eq!(failed(100), FailureVerdict::Counted);
    }
    assert_eq!(failed(100), limited(15, true));
    assert_eq!(failed(110), limited(5, false), "what is refused does not prolong it");
    assert_eq!(failed(115), FailureVerdict::Counted);
    assert_eq!(failed(115), limited(15, false));
    assert_eq!(failed(160), FailureVerdict::Counted);
    assert_eq!((failed(160), failed(160)), (FailureVerdict::Counted, FailureVerdict::Counted));
    assert_eq!(failed(160), limited(15, true), "told once a window");
    for _ in 0..4 {
        assert_eq!(failed(1000), FailureVerdict::Counted, "full, and no fuller, after a long time");
    }
    assert_eq!(failed(1000), limited(15, true));
}

#[test]
fn addresses_have_their_own_and_ipv6_networks_share() {
    let table = FailureTable::default();
    let used_up = |address: &str| table.failed(POLICY, ip(address), secs(1)) != FailureVerdict::Counted;
    for _ in 0..4 {
        assert!(!used_up("2001:db8:1:2::1"));
    }
    assert!(used_up("2001:db8:1:2:ffff::9"), "the same /64");
    assert!(!used_up("2001:db8:1:3::1"), "another");
    for _ in 0..4 {
        assert!(!used_up("192.0.2.1"));
    }
    assert!(used_up("::ffff:192.0.2.1"), "the same address, mapped");
    assert!(!used_up("192.0.2.2"));
    assert!(!used_up("::1"));
    assert_eq!(table.len(), 5);
}

#[test]
fn zero_sets_no_limit() {
    let table = FailureTable::default();
    let policy = FailurePolicy { max: 0, ..POLICY };
    for _ in 0..1000 {
        assert_eq!(table.failed(policy, ip("192.0.2.1"), secs(1)), FailureVerdict::Counted);
    }
    assert!(table.is_empty());
}

#[test]
fn the_table_is_bounded_and_forgets() {
    let table = FailureTable::with_capacity(100);
    let failed = |n: u32, now| table.failed(POLICY, IpAddr::from(n.to_be_bytes()), secs(now));
    for n in 0..100 {
        assert_eq!(failed(n, 10), FailureVerdict::Counted);
    }
    // No room: all others share one bucket, and those inside keep theirs.
    for n in 100..104 {
        assert_eq!(failed(n, 10), FailureVerdict::Counted);
    }
    assert_eq!(failed(104, 10), limited(15, true));
    assert_eq!(failed(5, 10), FailureVerdict::Counted);
    assert_eq!(table.len(), 100);
    // One failure is forgotten after a quarter of the window.
    assert_eq!(failed(500, 26), FailureVerdict::Counted);
    assert_eq!(table.len(), 2, "address 5 failed twice");
}

#[test]
fn extreme_policies_hold() {
    let table = FailureTable::default();
    let policy = FailurePolicy { max: u32::MAX, window: Duration::from_nanos(1) };
    assert_eq!(table.failed(policy, ip("::"), secs(u64::MAX / 4)), FailureVerdict::Counted);
    let policy = FailurePolicy { max: 1, window: secs(366 * 24 * 3600) };
    assert_eq!(table.failed(policy, ip("1.1.1.1"), secs(1)), FailureVerdict::Counted);
    assert_eq!(table.failed(policy, ip("1.1.1.1"), secs(1)), limited(366 * 24 * 3600, true));
}
