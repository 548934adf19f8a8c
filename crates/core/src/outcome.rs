//! How an attempt ended: data that retry, fallback, breaker and accounting all read.

use std::time::Duration;

/// Which part of the exchange with the upstream was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Name resolution, TCP and TLS.
    Connect,
    /// The request was sent; no response head yet.
    FirstByte,
    /// The head is here; no token yet.
    FirstToken,
    /// Between two chunks of the answer.
    BetweenChunks,
    /// The request's total deadline.
    Total,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::FirstByte, Self::FirstToken, Self::BetweenChunks, Self::Total];

    /// The word used in errors, records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstByte => "first_byte",
            Self::FirstToken => "first_token",
            Self::BetweenChunks => "between_chunks",
            Self::Total => "total",
        }
    }
}

/// The outcome of an attempt, and of a request as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer.
    Success,
    /// The request itself is wrong: another try cannot help.
    ClientFault,
    /// The request is longer than the model's context: a model with a larger one may take it.
    ContextTooLong,
    /// The provider's rules on content forbid the request or its answer.
    ContentFiltered,
    /// The provider does not have the model, or not for our account.
    ModelNotFound,
    /// The provider refuses our credentials.
    Unauthorized,
    /// The account behind the key has no credit or quota left: waiting does not help.
    QuotaExhausted,
    /// 429; `retry_after` as the provider said it.
    RateLimited {
        /// From `Retry-After` or the vendor's own header or field.
        retry_after: Option<Duration>,
    },
    /// The provider says that it is overloaded (503, 529).
    Overloaded {
        /// From `Retry-After` or the vendor's own header or field.
        retry_after: Option<Duration>,
    },
    /// Any other 5xx, or an error inside the answer.
    UpstreamFault,
    /// Nobody listens at the provider's address.
    Refused,
    /// The provider's host name has no address.
    UnknownHost,
    /// The TLS handshake failed.
    TlsFailed,
    /// No connection for any other reason.
    Unreachable,
    /// The connection broke in the middle.
    Reset,
    /// The answer could not be understood.
    Malformed,
    /// Too slow.
    Timeout(Phase),
    /// The client went away.
    Cancelled,
}

impl Outcome {
    /// All words that [`Outcome::as_str`] can return, for bounded metric labels.
    pub const WORDS: [&'static str; 18] = [
        "success",
        "client_fault",
        "context_too_long",
        "content_filtered",
        "model_not_found",
        "unauthorized",
        "quota_exhausted",
        "rate_limited",
        "overloaded",
        "upstream_fault",
        "refused",
        "unknown_host",
        "tls_failed",
        "unreachable",
        "reset",
        "malformed",
        "timeout",
        "cancelled",
    ];

    /// The word used in records, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self.index()]
    }

    /// The outcome that a store kept as its word, the phase of a timeout and the provider's wait.
    #[must_use]
    pub fn from_words(word: &str, phase: Option<&str>, retry_after: Option<Duration>) -> Option<Self> {
        let phase = || Phase::ALL.into_iter().find(|known| phase == Some(known.as_str()));
        Some(match word {
            "success" => Self::Success,
            "client_fault" => Self::ClientFault,
            "context_too_long" => Self::ContextTooLong,
            "content_filtered" => Self::ContentFiltered,
            "model_not_found" => Self::ModelNotFound,
            "unauthorized" => Self::Unauthorized,
            "quota_exhausted" => Self::QuotaExhausted,
            "rate_limited" => Self::RateLimited { retry_after },
            "overloaded" => Self::Overloaded { retry_after },
            "upstream_fault" => Self::UpstreamFault,
            "refused" => Self::Refused,
            "unknown_host" => Self::UnknownHost,
            "tls_failed" => Self::TlsFailed,
            "unreachable" => Self::Unreachable,
            "reset" => Self::Reset,
            "malformed" => Self::Malformed,
            "timeout" => Self::Timeout(phase()?),
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    /// The position in [`Outcome::WORDS`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Success => 0,
            Self::ClientFault => 1,
            Self::ContextTooLong => 2,
            Self::ContentFiltered => 3,
            Self::ModelNotFound => 4,
            Self::Unauthorized => 5,
            Self::QuotaExhausted => 6,
            Self::RateLimited { .. } => 7,
            Self::Overloaded { .. } => 8,
            Self::UpstreamFault => 9,
            Self::Refused => 10,
            Self::UnknownHost => 11,
            Self::TlsFailed => 12,
            Self::Unreachable => 13,
            Self::Reset => 14,
            Self::Malformed => 15,
            Self::Timeout(_) => 16,
            Self::Cancelled => 17,
        }
    }

    /// Whether the same deployment may answer if asked again in a moment, with the same key.
    ///
    /// A provider that was silent is not asked twice: it would be waited for twice.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Overloaded { .. }
            | Self::UpstreamFault
            | Self::Refused
            | Self::UnknownHost
            | Self::TlsFailed
            | Self::Unreachable
            | Self::Reset
            | Self::Malformed
            | Self::Timeout(Phase::Connect) => true,
            Self::Success
            | Self::ClientFault
            | Self::ContextTooLong
            | Self::ContentFiltered
            | Self::ModelNotFound
            | Self::Unauthorized
            | Self::QuotaExhausted
            | Self::Timeout(_)
            | Self::Cancelled => false,
        }
    }

    /// Whether any other deployment may answer where this one did not. Of those that blame the request,
    /// none: what is too long or forbidden here goes to deployments chosen for that cause, or to nobody.
    #[must_use]
    pub const fn fallback_helps(self) -> bool {
        !matches!(self, Self::Success | Self::Cancelled) && !self.blames_request()
    }

    /// Whether the request is at fault, not the provider: the provider's own words go to the caller.
    #[must_use]
    pub const fn blames_request(self) -> bool {
        matches!(self, Self::ClientFault | Self::ContextTooLong | Self::ContentFiltered)
    }

    /// Whether it tells that the deployment is sick. What clients do wrong never does, nor a key that is
    /// refused: see [`Outcome::blames_key`].
    #[must_use]
    pub const fn counts_against_health(self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Overloaded { .. }
            | Self::UpstreamFault
            | Self::Refused
            | Self::UnknownHost
            | Self::TlsFailed
            | Self::Unreachable
            | Self::Reset
            | Self::Malformed
            | Self::Timeout(_) => true,
            Self::Success
            | Self::ClientFault
            | Self::ContextTooLong
            | Self::ContentFiltered
            | Self::ModelNotFound
            | Self::Unauthorized
            | Self::QuotaExhausted
            | Self::Cancelled => false,
        }
    }

    /// Whether the key is at fault, or the account behind it.
    #[must_use]
    pub const fn blames_key(self) -> bool {
        matches!(self, Self::Unauthorized | Self::QuotaExhausted)
    }

    /// Whether it is certain that no byte of the request left: then doing it again cannot do it twice.
    #[must_use]
    pub const fn nothing_sent(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::UnknownHost
                | Self::TlsFailed
                | Self::Unreachable
                | Self::Timeout(Phase::Connect)
        )
    }

    /// How long the provider asked us to wait.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Overloaded { retry_after } => retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Outcome> {
        let named = |word: &&str| *word != "timeout";
        let timeouts = Phase::ALL.into_iter().map(Outcome::Timeout);
        let named = Outcome::WORDS.into_iter().filter(named);
        named.map(|word| Outcome::from_words(word, None, None).unwrap()).chain(timeouts)
    }

    #[test]
    fn every_word_leads_back() {
        let wait = Some(Duration::from_secs(2));
        for word in Outcome::WORDS {
            let outcome = Outcome::from_words(word, Some("first_token"), wait).unwrap();
            assert_eq!(outcome.as_str(), word);
            assert_eq!(outcome.retry_after().is_some(), word == "rate_limited" || word == "overloaded");
        }
        assert_eq!(Outcome::from_words("timeout", None, None), None);
        assert_eq!(Outcome::from_words("odd", None, None), None);
    }

    /// Rows written before connections failed in several ways, and before accounts and context had outcomes
    /// of their own.
    #[test]
    fn the_first_words_are_still_read() {
        for word in ["success", "client_fault", "unauthorized", "upstream_fault", "unreachable", "cancelled"]
        {
            assert_eq!(Outcome::from_words(word, None, None).map(Outcome::as_str), Some(word));
        }
    }

    #[test]
    fn the_rules_do_not_contradict_each_other() {
        for outcome in all() {
            let exclusive = [
                outcome.counts_against_health(),
                outcome.blames_key(),
                outcome.blames_request(),
                matches!(outcome, Outcome::Success | Outcome::Cancelled | Outcome::ModelNotFound),
            ];
            assert_eq!(exclusive.into_iter().filter(|holds| *holds).count(), 1, "{outcome:?}");
            assert!(!outcome.retryable() || outcome.counts_against_health(), "{outcome:?}");
            assert!(!outcome.retryable() || outcome.fallback_helps(), "{outcome:?}");
            assert!(!outcome.nothing_sent() || outcome.retryable(), "{outcome:?}");
            assert!(outcome.retry_after().is_none());
        }
    }

    #[test]
    fn a_silent_provider_is_not_asked_twice() {
        let asked_again: Vec<_> =
            Phase::ALL.into_iter().filter(|phase| Outcome::Timeout(*phase).retryable()).collect();
        assert_eq!(asked_again, [Phase::Connect]);
    }
}
