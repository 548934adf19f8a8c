//! Waits as vendors send them.

use super::*;

/// 2023-11-14 22:13:20 UTC.
const NOW: Duration = Duration::from_secs(1_700_000_000);

fn secs(seconds: f64) -> Option<Duration> {
    Some(Duration::from_secs_f64(seconds))
}

fn waits(headers: &[(&str, &'static str)]) -> Option<Duration> {
    retry_after(&|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), NOW)
}

#[test]
fn reads_seconds_and_dates() {
    let at = |value| parse_retry_after(value, NOW);
    assert_eq!(at("0"), Some(Duration::ZERO));
    assert_eq!(at(" 30 "), secs(30.0));
    assert_eq!(at("1.5"), secs(1.5));
    assert_eq!(at("Tue, 14 Nov 2023 22:13:50 GMT"), secs(30.0));
    assert_eq!(at("Tue, 14 Nov 2023 22:00:00 GMT"), Some(Duration::ZERO), "in the past");
    for value in ["", ".", "soon", "-1", "1e3", "1.2.3", "99999999999999999999", "1700000060", "5s"] {
        assert_eq!(at(value), None, "{value:?}");
    }
}

#[test]
fn the_finest_header_counts() {
    assert_eq!(waits(&[("retry-after", "2"), ("retry-after-ms", "1250")]), secs(1.25));
    assert_eq!(waits(&[("x-ms-retry-after-ms", "70")]), secs(0.07));
    assert_eq!(waits(&[("retry-after-ms", "soon"), ("retry-after", "7")]), secs(7.0));
    for odd in ["-5", "inf", "NaN", "1e300"] {
        assert_eq!(retry_after(&|name| (name == "retry-after-ms").then_some(odd), NOW), None, "{odd}");
    }
    assert_eq!(waits(&[]), None);
}

#[test]
fn without_retry_after_the_reset_of_what_is_used_up_counts() {
    let openai = [
        ("x-ratelimit-remaining-requests", "12"),
        ("x-ratelimit-reset-requests", "6m0s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "41ms"),
    ];
    assert_eq!(waits(&openai), secs(0.041));
    let anthropic = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2023-11-14T22:14:05Z"),
    ];
    assert_eq!(waits(&anthropic), secs(45.0));
    let open_router = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000060000")];
    assert_eq!(waits(&open_router), secs(60.0));
    assert_eq!(waits(&[("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", "9s")]), None);
}

#[test]
fn resets_are_read_in_every_form() {
    for (text, expected) in [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3_723.0),
        ("1d", 86_400.0),
        ("17", 17.0),
        ("11.382867097854614", 11.382_867_097),
        ("1700000030", 30.0),
        ("1700000030500", 30.5),
        ("1600000000", 0.0),
        ("2023-11-14T22:13:50Z", 30.0),
        ("2023-11-14t22:13:50.25z", 30.25),
        ("2023-11-15T00:13:50+02:00", 30.0),
        ("2023-11-14T17:43:50-04:30", 30.0),
        ("2023-11-14T22:00:00Z", 0.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
    ] {
        let read = reset(text, NOW).unwrap_or_else(|| panic!("{text}"));
        assert!((read.as_secs_f64() - expected).abs() < 1e-6, "{text}: {read:?}");
    }
    for odd in [
        "",
        "soon",
        "-1s",
        "6m0",
        "s",
        "1x",
        "9999d",
        "2023-11-14",
        "2023-13-14T22:13:50Z",
        "2023-11-14T25:13:50Z",
        "2023-11-14T22:13:50",
        "2023-11-14T22:13:50+2",
        "T:Z",
        "é",
        "1.2.3s",
        "9223372036854775807-1-1T0:0:0Z",
        "2023-11-14T22:13:50+99999999999999999999:00",
    ] {
        assert_eq!(reset(odd, NOW), None, "{odd:?}");
    }
}

#[test]
fn messages_name_waits() {
    for (text, expected) in [
        ("rate limit reached for gpt-4o. please try again in 20s. visit", 20.0),
        ("please try again in 6ms.", 0.006),
        ("limit 6000, used 6000. please try again in 7m12.5s. need more tokens?", 432.5),
        ("please retry in 32.424242s.", 32.424_242),
        ("please retry after 26 seconds. please go to", 26.0),
        ("try again in 1 minute", 60.0),
    ] {
        let read = in_message(text).unwrap_or_else(|| panic!("{text}"));
        assert!((read.as_secs_f64() - expected).abs() < 1e-6, "{text}: {read:?}");
    }
    for odd in
        ["try again in a moment", "try again in 5", "retry in 400 days", "retry in 1.2.3s", "try again in "]
    {
        assert_eq!(in_message(odd), None, "{odd}");
    }
}
