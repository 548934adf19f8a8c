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
    /// The provider refuses our credentials, or the account has no quota left.
    Unauthorized,
    /// 429; `retry_after` as the provider said it.
    RateLimited {
        /// From `Retry-After`, seconds or date.
        retry_after: Option<Duration>,
    },
    /// The provider says that it is overloaded (503, 529).
    Overloaded {
        /// From `Retry-After`, seconds or date.
        retry_after: Option<Duration>,
    },
    /// Any other 5xx, or an error inside the answer.
    UpstreamFault,
    /// No connection: refused, unreachable, unknown name, TLS failure.
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
    pub const WORDS: [&'static str; 11] = [
        "success",
        "client_fault",
        "unauthorized",
        "rate_limited",
        "overloaded",
        "upstream_fault",
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
            "unauthorized" => Self::Unauthorized,
            "rate_limited" => Self::RateLimited { retry_after },
            "overloaded" => Self::Overloaded { retry_after },
            "upstream_fault" => Self::UpstreamFault,
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
            Self::Unauthorized => 2,
            Self::RateLimited { .. } => 3,
            Self::Overloaded { .. } => 4,
            Self::UpstreamFault => 5,
            Self::Unreachable => 6,
            Self::Reset => 7,
            Self::Malformed => 8,
            Self::Timeout(_) => 9,
            Self::Cancelled => 10,
        }
    }

    /// Whether the same deployment may answer if asked again.
    #[must_use]
    pub const fn retryable(self) -> bool {
        !matches!(self, Self::Success | Self::ClientFault | Self::Unauthorized | Self::Cancelled)
    }

    /// Whether another deployment may answer where this one did not.
    #[must_use]
    pub const fn fallback_helps(self) -> bool {
        !matches!(self, Self::Success | Self::ClientFault | Self::Cancelled)
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
}
