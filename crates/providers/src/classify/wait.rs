//! How long a provider asks to be left alone: headers, and words of a message.

use std::time::{Duration, UNIX_EPOCH};

use pointsman_core::{Window, calendar};

use super::limits_seen;

/// Waits longer than this are not believed: some providers send Unix times as seconds to wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// Numbers of this size are Unix times: 2001 in seconds, 2001 in milliseconds.
const UNIX_SECONDS: f64 = 1e9;
const UNIX_MILLIS: f64 = 1e12;

/// What stands before a wait in a message: OpenAI and Groq, Google, Azure.
const BEFORE_WAIT: &[&str] = &["try again in ", "retry in ", "retry after ", "available in "];

/// What the headers of a refusal say of waiting: the vendors' own in milliseconds, `Retry-After`, else the
/// reset of limits of which nothing is left. `get` looks a header up by its name in lower case; `now_unix` is
/// the time since the Unix epoch, for dates.
#[must_use]
pub fn retry_after<'h>(get: &dyn Fn(&str) -> Option<&'h str>, now_unix: Duration) -> Option<Duration> {
    let millis = |name| get(name).and_then(|value| believable(1e-3 * value.trim().parse::<f64>().ok()?));
    millis("retry-after-ms")
        .or_else(|| millis("x-ms-retry-after-ms"))
        .or_else(|| parse_retry_after(get("retry-after")?, now_unix))
        .or_else(|| {
            let seen = limits_seen(get, now_unix);
            let used_up = |window: &Window| window.remaining == Some(0);
            let windows = [seen.requests, seen.tokens].into_iter().flatten();
            windows.filter(used_up).filter_map(|window| window.reset).max()
        })
}

/// Reads `Retry-After`: seconds (some providers send fractions) or an HTTP date, RFC 9110 §10.2.3.
/// A date in the past is zero; what cannot be read, or is above a week, is `None`.
#[must_use]
pub fn parse_retry_after(value: &str, now_unix: Duration) -> Option<Duration> {
    let value = value.trim();
    if value.starts_with(|c: char| c.is_ascii_digit()) {
        return believable(plain_number(value)?);
    }
    http_date(value, now_unix)
}

/// Reads when a limit is whole again: a span (`6m0s`, `12ms`), seconds from now, a Unix time in seconds or
/// milliseconds, or a date (RFC 3339, HTTP). A time in the past is zero.
pub(super) fn reset(value: &str, now_unix: Duration) -> Option<Duration> {
    let value = value.trim();
    if let Some(number) = plain_number(value) {
        let at = |unix: f64| believable((unix - now_unix.as_secs_f64()).max(0.0));
        return match number {
            _ if number >= UNIX_MILLIS => at(number / 1e3),
            _ if number >= UNIX_SECONDS => at(number),
            _ => believable(number),
        };
    }
    match span(value) {
        Some((wait, "")) => Some(wait).filter(|wait| *wait <= LONGEST_RETRY_AFTER),
        _ => rfc3339(value, now_unix).or_else(|| http_date(value, now_unix)),
    }
}

/// The wait that a message names, in lower case: `please try again in 1m30.5s`, `retry after 26 seconds`.
pub(super) fn in_message(message: &str) -> Option<Duration> {
    let wait = BEFORE_WAIT.iter().find_map(|before| {
        let (_, after) = message.split_once(before)?;
        span(after)
    });
    wait.map(|(wait, _)| wait).filter(|wait| *wait <= LONGEST_RETRY_AFTER)
}

fn believable(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|wait| *wait <= LONGEST_RETRY_AFTER)
}

/// A number without sign or exponent.
fn plain_number(value: &str) -> Option<f64> {
    value.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| value.parse().ok())?
}

/// A span as Go writes it (`1h2m3.5s`) or in words (`26 seconds`) at the beginning of `text`, and what follows.
fn span(text: &str) -> Option<(Duration, &str)> {
    let (mut total, mut rest, mut found) = (0.0, text, false);
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0) {
        let Ok(number) = rest[..end].parse::<f64>() else { break };
        let after = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
        let word = after.find(|c: char| !c.is_alphabetic()).map_or(after, |end| &after[..end]);
        let unit = match word {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        total += number * unit;
        rest = &after[word.len()..];
        found = true;
    }
    let total = found.then(|| Duration::try_from_secs_f64(total).ok())??;
    Some((total, rest))
}

fn http_date(value: &str, now_unix: Duration) -> Option<Duration> {
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(now_unix)).filter(|wait| *wait <= LONGEST_RETRY_AFTER)
}

/// `2025-08-21T12:40:59Z`, with or without a fraction, at any offset (RFC 3339, section 5.6).
fn rfc3339(value: &str, now_unix: Duration) -> Option<Duration> {
    let (date, time) = value.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (time.next()?.parse::<i64>().ok()?, time.next()?.parse::<i64>().ok()?);
    let second = plain_number(time.next()?)?;
    let sound = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sound || !(0..24).contains(&hour) || !(0..60).contains(&minute) || second >= 61.0 {
        return None;
    }
    let minutes = (calendar::days(year, month, day) * 24 + hour) * 60 + minute - offset(zone)?;
    believable((minutes as f64 * 60.0 + second - now_unix.as_secs_f64()).max(0.0))
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests;
