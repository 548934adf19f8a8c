//! What the headers of an answer say of the vendor's rate limits.

use std::time::Duration;

use pointsman_core::{LimitsSeen, Window};

use super::wait;

/// The headers of one limit: all of it, what is left, and when it is whole again.
struct Names {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

const fn names(limit: &'static str, remaining: &'static str, reset: &'static str) -> Names {
    Names { limit, remaining, reset }
}

/// Limits of calls. The first row of which `remaining` is there counts.
const REQUESTS: &[Names] = &[
    // OpenAI, Azure, Groq, xAI, Fireworks.
    names("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    // Anthropic.
    names(
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    // Mistral, Cerebras.
    names("x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute", "x-ratelimit-reset-req-minute"),
    names(
        "x-ratelimit-limit-requests-day",
        "x-ratelimit-remaining-requests-day",
        "x-ratelimit-reset-requests-day",
    ),
    // OpenRouter, Together, GitHub; the draft of the IETF.
    names("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    names("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
];

/// Limits of tokens.
const TOKENS: &[Names] = &[
    names("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    // Anthropic: of input and output, the tightest.
    names(
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    names(
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    // Mistral, Cerebras.
    names(
        "x-ratelimit-limit-tokens-minute",
        "x-ratelimit-remaining-tokens-minute",
        "x-ratelimit-reset-tokens-minute",
    ),
    names("ratelimitbysize-limit", "ratelimitbysize-remaining", "ratelimitbysize-reset"),
    // Together.
    names("x-tokenlimit-limit", "x-tokenlimit-remaining", "x-tokenlimit-reset"),
];

/// How the names of all of them begin.
const PREFIXES: [&str; 4] = ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit", "x-tokenlimit-"];

/// Whether a header of this name, in lower case, may say something of limits. Most answers have none, and twelve
/// look-ups in vain cost more than a look at each of their few names.
#[must_use]
pub fn tells_limit(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What an answer's headers say of limits; `retry_after` stays empty, it is a refusal's ([`super::retry_after`]).
/// `get` looks a header up by its name in lower case; `now_unix` is the time since the Unix epoch.
#[must_use]
pub fn limits_seen<'h>(get: &dyn Fn(&str) -> Option<&'h str>, now_unix: Duration) -> LimitsSeen {
    LimitsSeen {
        requests: window(REQUESTS, get, now_unix),
        tokens: window(TOKENS, get, now_unix),
        retry_after: None,
    }
}

fn window<'h>(rows: &[Names], get: &dyn Fn(&str) -> Option<&'h str>, now_unix: Duration) -> Option<Window> {
    rows.iter().find_map(|names| {
        // A negative number is Azure's way to say that more was used than there is.
        let remaining = get(names.remaining)?.trim();
        let remaining = if remaining.starts_with('-') { 0 } else { count(remaining)? };
        Some(Window {
            limit: get(names.limit).and_then(count),
            remaining: Some(remaining),
            reset: get(names.reset).and_then(|value| wait::reset(value, now_unix)),
        })
    })
}

/// A whole number; of a fraction what stands before the point.
fn count(value: &str) -> Option<u64> {
    value.trim().split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn seen(headers: &[(&str, &'static str)]) -> LimitsSeen {
        limits_seen(&|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), NOW)
    }

    fn all(limit: u64, remaining: u64, reset_ms: u64) -> Option<Window> {
        let reset = Some(Duration::from_millis(reset_ms));
        Some(Window { limit: Some(limit), remaining: Some(remaining), reset })
    }

    #[test]
    fn every_name_is_known_by_its_beginning() {
        for names in REQUESTS.iter().chain(TOKENS) {
            assert!(
                [names.limit, names.remaining, names.reset].into_iter().all(tells_limit),
                "{}",
                names.limit
            );
        }
        assert!(
            !["content-type", "x-request-id", "retry-after", "anthropic-version"]
                .into_iter()
                .any(tells_limit)
        );
    }

    #[test]
    fn every_vendors_headers_are_read() {
        let openai = [
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-limit-tokens", "160000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-remaining-tokens", "159976"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "9ms"),
        ];
        let expected = LimitsSeen {
            requests: all(5_000, 4_999, 12),
            tokens: all(160_000, 159_976, 9),
            retry_after: None,
        };
        assert_eq!(seen(&openai), expected);
        let anthropic = [
            ("anthropic-ratelimit-input-tokens-limit", "80000"),
            ("anthropic-ratelimit-input-tokens-remaining", "70000"),
            ("anthropic-ratelimit-input-tokens-reset", "2023-11-14T22:13:27Z"),
            ("anthropic-ratelimit-tokens-limit", "96000"),
            ("anthropic-ratelimit-tokens-remaining", "86000"),
            ("anthropic-ratelimit-tokens-reset", "2023-11-14T22:13:26Z"),
            ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-remaining", "999"),
            ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:21Z"),
        ];
        let expected = LimitsSeen {
            requests: all(1_000, 999, 1_000),
            tokens: all(96_000, 86_000, 6_000),
            retry_after: None,
        };
        assert_eq!(seen(&anthropic), expected);
        let cerebras = [
            ("x-ratelimit-limit-requests-day", "14400"),
            ("x-ratelimit-limit-tokens-minute", "60000"),
            ("x-ratelimit-remaining-requests-day", "14399"),
            ("x-ratelimit-remaining-tokens-minute", "59000"),
            ("x-ratelimit-reset-requests-day", "33011.5"),
            ("x-ratelimit-reset-tokens-minute", "11.25"),
        ];
        let expected = LimitsSeen {
            requests: all(14_400, 14_399, 33_011_500),
            tokens: all(60_000, 59_000, 11_250),
            retry_after: None,
        };
        assert_eq!(seen(&cerebras), expected);
        let open_router = [
            ("x-ratelimit-limit", "50"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000060000"),
        ];
        assert_eq!(seen(&open_router).requests, all(50, 0, 60_000));
    }

    #[test]
    fn parts_may_be_missing_and_nonsense_is_nothing() {
        let azure = [("x-ratelimit-remaining-requests", "9"), ("x-ratelimit-remaining-tokens", "-20")];
        let left = |remaining| Some(Window { limit: None, remaining: Some(remaining), reset: None });
        assert_eq!(seen(&azure), LimitsSeen { requests: left(9), tokens: left(0), retry_after: None });
        assert!(seen(&[]).is_empty());
        let odd = [("x-ratelimit-remaining-requests", "many"), ("x-ratelimit-limit-tokens", "7")];
        assert!(seen(&odd).is_empty());
        let odd = [("x-ratelimit-remaining-requests", "3"), ("x-ratelimit-reset-requests", "later")];
        assert_eq!(seen(&odd).requests, left(3));
    }
}
