//! What an upstream's error means, as data that retry, fallback and accounting read.
//!
//! The vendors' words are in `words.rs`; how long to stay away, and how much is left of rate limits, is read
//! by `wait.rs` and `limits.rs`.

mod fields;
mod limits;
mod wait;
mod words;

use std::time::Duration;

use pointsman_core::{Outcome, Phase};

pub use fields::refused_field;
pub use limits::{limits_seen, tells_limit};
pub use wait::{parse_retry_after, retry_after};
use words::{BY_PHRASE, BY_STATUS, BY_WORD};

/// OpenAI and Azure; Anthropic and those that speak its dialect; Google.
const SEAL_PHRASES: [&[&str]; 5] = [
    &["encrypted content", "could not be"],
    &["signature", "thinking", "invalid"],
    &["thinking", "blocks", "cannot be modified"],
    &["thinking", "bound to a different"],
    &["thought signature", "not valid"],
];

/// What the body of an error says, as far as it could be read. The default says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorInfo<'a> {
    /// `error.type`
    pub type_: Option<&'a str>,
    /// `error.code`
    pub code: Option<&'a str>,
    /// `error.message`
    pub message: Option<&'a str>,
    /// A word that says more than the code: Google's reason or quota, Azure's inner code.
    pub reason: Option<&'a str>,
    /// The wait that the body names in a field of its own.
    pub retry_after: Option<Duration>,
}

/// What a row of the tables gives; waiting times are filled in afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    ClientFault,
    ContextTooLong,
    ContentFiltered,
    ModelNotFound,
    Unauthorized,
    QuotaExhausted,
    RateLimited,
    Overloaded,
    UpstreamFault,
    Timeout,
}

/// What an answer with this status means. `wait` is what its headers say of waiting ([`retry_after`]); it
/// comes before what the body says of it. 2xx is a success unless the caller found an error inside; a redirect
/// is a fault of the upstream, as is a status that does not exist.
///
/// The body's words are asked first, by `code`, `type` and `reason`, then those of its message, which are many
/// vendors' only hint; the status is what is left.
#[must_use]
pub fn classify(status: u16, wait: Option<Duration>, error: &ErrorInfo<'_>) -> Outcome {
    if (200..300).contains(&status) {
        return Outcome::Success;
    }
    let by_status =
        || BY_STATUS.iter().find(|(first, last, _)| (*first..=*last).contains(&status)).map(|row| row.2);
    let message = error.message.unwrap_or_default().to_ascii_lowercase();
    let class = by_word(error).or_else(|| by_phrase(status, &message)).or_else(by_status);
    let retry_after = || wait.or(error.retry_after).or_else(|| wait::in_message(&message));
    match class.unwrap_or(Class::UpstreamFault) {
        Class::ClientFault => Outcome::ClientFault,
        Class::ContextTooLong => Outcome::ContextTooLong,
        Class::ContentFiltered => Outcome::ContentFiltered,
        Class::ModelNotFound => Outcome::ModelNotFound,
        Class::Unauthorized => Outcome::Unauthorized,
        Class::QuotaExhausted => Outcome::QuotaExhausted,
        Class::RateLimited => Outcome::RateLimited { retry_after: retry_after() },
        Class::Overloaded => Outcome::Overloaded { retry_after: retry_after() },
        Class::UpstreamFault => Outcome::UpstreamFault,
        Class::Timeout => Outcome::Timeout(Phase::FirstByte),
    }
}

/// Whether a provider refuses a request because it cannot verify somebody's proof or cipher of thoughts in it, or
/// because thoughts are not where it wrote them. Without them it takes the same request.
#[must_use]
pub fn blames_seal(error: &ErrorInfo<'_>) -> bool {
    let message = error.message.unwrap_or_default().to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().all(|part| message.contains(part));
    error.code.is_some_and(|code| code.eq_ignore_ascii_case("invalid_encrypted_content"))
        || SEAL_PHRASES.iter().any(|parts| says(parts))
}

/// What an error inside a successful answer or stream means: its words, else a fault of the upstream.
#[must_use]
pub fn classify_body_error(error: &ErrorInfo<'_>) -> Outcome {
    let status = error.code.and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
    classify(status.unwrap_or(500), None, error)
}

fn by_word(error: &ErrorInfo<'_>) -> Option<Class> {
    let said = [error.reason, error.code, error.type_];
    let is = |word: &str| said.into_iter().flatten().any(|said| said.eq_ignore_ascii_case(word));
    if let Some((_, class)) = BY_WORD.iter().find(|(word, _)| is(word)) {
        return Some(*class);
    }
    // Google's names of quotas: what was used up for today does not come back in a minute.
    error.reason.filter(|quota| quota.contains("PerDay")).map(|_| Class::QuotaExhausted)
}

/// `message` is in lower case.
fn by_phrase(status: u16, message: &str) -> Option<Class> {
    let row = BY_PHRASE
        .iter()
        .find(|row| row.statuses.contains(&status) && row.parts.iter().all(|part| message.contains(part)));
    row.map(|row| row.class)
}

#[cfg(test)]
mod tests;
