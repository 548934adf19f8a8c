//! What an upstream's error status means, as data that retry, fallback and accounting read.

use std::time::{Duration, UNIX_EPOCH};

use pointsman_core::{Outcome, Phase};

/// Waits longer than this are not believed: some providers send Unix times as seconds to wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the body of an error says, as far as it could be read. The default says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorInfo<'a> {
    /// `error.type`
    pub type_: Option<&'a str>,
    /// `error.code`
    pub code: Option<&'a str>,
    /// `error.message`
    pub message: Option<&'a str>,
}

/// What a row of the tables gives; waiting times are filled in afterwards.
#[derive(Clone, Copy)]
enum Class {
    ClientFault,
    Unauthorized,
    RateLimited,
    Overloaded,
    UpstreamFault,
    Timeout,
}

/// Words in `type` or `code` that say more than the status does. The first match counts.
const BY_WORD: &[(&str, Class)] = &[
    // OpenAI: 429 for an account without credit, where waiting cannot help. DeepSeek, OpenRouter: 402.
    ("insufficient_quota", Class::Unauthorized),
    ("billing_hard_limit_reached", Class::Unauthorized),
    ("billing_not_active", Class::Unauthorized),
    ("insufficient_balance", Class::Unauthorized),
    ("access_terminated", Class::Unauthorized),
    // Google and xAI answer 400 for a wrong key.
    ("api_key_invalid", Class::Unauthorized),
    ("invalid_api_key", Class::Unauthorized),
    ("authentication_error", Class::Unauthorized),
    ("permission_error", Class::Unauthorized),
    ("overloaded_error", Class::Overloaded),
    ("rate_limit_exceeded", Class::RateLimited),
    ("rate_limit_error", Class::RateLimited),
    // The prompt is too long for the model, whatever the status: a client's fault.
    ("context_length_exceeded", Class::ClientFault),
    ("content_policy_violation", Class::ClientFault),
];

/// Phrases in a 400's message, in lower case, that blame our key or account where `type` and `code` say
/// nothing of it: Google, xAI, Anthropic (`invalid_request_error` for an account without credit).
const ACCOUNT_PHRASES: &[&str] =
    &["api key not valid", "incorrect api key", "invalid api key", "credit balance is too low"];

/// By status: first and last of a range. The first match counts.
const BY_STATUS: &[(u16, u16, Class)] = &[
    (401, 401, Class::Unauthorized),
    (402, 402, Class::Unauthorized),
    (403, 403, Class::Unauthorized),
    (407, 407, Class::UpstreamFault),
    (408, 408, Class::Timeout),
    (409, 409, Class::UpstreamFault),
    (425, 425, Class::UpstreamFault),
    (429, 429, Class::RateLimited),
    (400, 497, Class::ClientFault),
    // 498: Groq, no capacity. 499: a proxy behind the provider's front hung up.
    (498, 499, Class::Overloaded),
    (503, 503, Class::Overloaded),
    (504, 504, Class::Timeout),
    (524, 524, Class::Timeout),
    (529, 529, Class::Overloaded),
    (500, 599, Class::UpstreamFault),
];

/// What an answer with this status means. `retry_after` is the header's value, `now_unix` the time in
/// seconds since the Unix epoch (for dates). 2xx is a success unless the caller found an error inside;
/// a redirect is a fault of the upstream, as is a status that does not exist.
#[must_use]
pub fn classify(status: u16, retry_after: Option<&str>, now_unix: u64, error: &ErrorInfo<'_>) -> Outcome {
    if (200..300).contains(&status) {
        return Outcome::Success;
    }
    let by_status =
        || BY_STATUS.iter().find(|(first, last, _)| (*first..=*last).contains(&status)).map(|row| row.2);
    let retry_after = retry_after.and_then(|value| parse_retry_after(value, now_unix));
    match by_word(status, error).or_else(by_status).unwrap_or(Class::UpstreamFault) {
        Class::ClientFault => Outcome::ClientFault,
        Class::Unauthorized => Outcome::Unauthorized,
        Class::RateLimited => Outcome::RateLimited { retry_after },
        Class::Overloaded => Outcome::Overloaded { retry_after },
        Class::UpstreamFault => Outcome::UpstreamFault,
        Class::Timeout => Outcome::Timeout(Phase::FirstByte),
    }
}

/// What an error inside a successful answer or stream means: its words, else a fault of the upstream.
#[must_use]
pub fn classify_body_error(error: &ErrorInfo<'_>) -> Outcome {
    let status = error.code.and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
    classify(status.unwrap_or(500), None, 0, error)
}

/// Reads `Retry-After`: seconds (some providers send fractions) or an HTTP date, RFC 9110 §10.2.3.
/// A date in the past is zero; what cannot be read, or is above a week, is `None`.
#[must_use]
pub fn parse_retry_after(value: &str, now_unix: u64) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else if value.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        Duration::try_from_secs_f64(value.parse().ok()?).ok()?
    } else {
        let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
        date.saturating_sub(Duration::from_secs(now_unix))
    };
    (wait <= LONGEST_RETRY_AFTER).then_some(wait)
}

fn by_word(status: u16, error: &ErrorInfo<'_>) -> Option<Class> {
    let is = |said: Option<&str>, word: &str| said.is_some_and(|said| said.eq_ignore_ascii_case(word));
    let row = BY_WORD.iter().find(|(word, _)| is(error.type_, word) || is(error.code, word));
    row.map(|row| row.1).or_else(|| {
        let message = error.message.filter(|_| status == 400)?.to_ascii_lowercase();
        ACCOUNT_PHRASES.iter().any(|phrase| message.contains(phrase)).then_some(Class::Unauthorized)
    })
}

#[cfg(test)]
mod tests;
