//! Why there is no certificate, and what to do about it.

use std::error::Error as _;

use instant_acme::{Error, Problem};

use super::cache::CacheError;
use super::client::ClientError;
use super::schedule::Failure;

/// Why an attempt to obtain a certificate failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    #[error("{0}")]
    Cache(#[from] CacheError),
    #[error("the directory cannot be reached: {0}")]
    Unreachable(String),
    #[error("the directory says no: {}", explain(.0))]
    Refused(Problem),
    #[error("the authority could not check {domain}: {}", explain(.problem))]
    Unproven { domain: String, problem: Problem },
    #[error("the directory offers no tls-alpn-01 challenge for {0}")]
    NoChallenge(String),
    #[error("the directory did not finish the order in time")]
    Slow,
    #[error("the directory's answer cannot be used: {0}")]
    Answer(String),
    #[error("{0}")]
    Setup(String),
}

impl AcmeError {
    /// What an operator can do.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Cache(_) => {
                "`server.tls.acme.cache` must be a folder that only this process's user can read and write"
            }
            Self::Unreachable(_) => {
                "check `server.tls.acme.directory`, its `ca`, `upstreams.proxy` and the network"
            }
            Self::Refused(problem) => refusal(problem),
            Self::Unproven { .. } => {
                "the domain must lead here, and port 443 to an address of `server.listen`, without anything that ends TLS in between"
            }
            Self::NoChallenge(_) => {
                "choose an authority that supports tls-alpn-01, or write `cert` and `key`"
            }
            Self::Slow | Self::Answer(_) => "the authority may be out of order: see its status page",
            Self::Setup(_) => "this is a fault of the program: please report it",
        }
    }

    pub(super) const fn failure(&self) -> Failure {
        match self {
            Self::Unreachable(_) | Self::Cache(_) => Failure::Unreachable,
            _ => Failure::Refused,
        }
    }

    /// Whether the account that was used is not known to the directory (any more).
    pub(super) fn unknown_account(&self) -> bool {
        matches!(self, Self::Refused(problem) if kind(problem) == "accountDoesNotExist")
    }
}

impl From<Error> for AcmeError {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Refused(problem),
            Error::Timeout(_) => Self::Slow,
            Error::Other(source) => match source.downcast::<ClientError>() {
                Ok(error) => Self::Unreachable(with_causes(&error)),
                Err(other) => Self::Answer(other.to_string()),
            },
            other => Self::Answer(other.to_string()),
        }
    }
}

impl From<rcgen::Error> for AcmeError {
    fn from(error: rcgen::Error) -> Self {
        Self::Setup(error.to_string())
    }
}

/// The cause that hyper keeps behind "connection error".
fn with_causes(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut cause = match error {
        ClientError::Exchange { source, .. } => source.source(),
        _ => None,
    };
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// The name behind `urn:ietf:params:acme:error:` (RFC 8555, 6.7).
fn kind(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default()
}

fn refusal(problem: &Problem) -> &'static str {
    match kind(problem) {
        "rateLimited" => "wait; meanwhile try things out with the authority's staging directory",
        "invalidContact" | "unsupportedContact" => "correct `server.tls.acme.email`",
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            "correct `server.tls.acme.domains`: public names only"
        }
        "caa" => "a CAA record of the domain forbids this authority",
        "userActionRequired" => "the authority's terms have changed: read them at its web site",
        "externalAccountRequired" => "choose an authority that needs no account of its own",
        "accountDoesNotExist" => "a new account is made at the next attempt",
        _ => "the detail above is the authority's own",
    }
}

/// The problem's kind and detail, with those of its parts, on one line that fits a log.
fn explain(problem: &Problem) -> String {
    let detail = cut(problem.detail.as_deref().unwrap_or("no detail"));
    let mut text = format!("{detail} ({})", cut(kind(problem)));
    for part in problem.subproblems.iter().take(MAX_PARTS) {
        text.push_str("; ");
        text.push_str(&cut(&part.to_string()));
    }
    text.replace(|c: char| c.is_control(), " ")
}

/// Longest text of a directory that is repeated, in characters.
const MAX_TEXT: usize = 300;
/// Most parts of a problem that are.
const MAX_PARTS: usize = 3;

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, detail: &str) -> Problem {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        let text = serde_json::json!({ "type": kind, "detail": detail }).to_string();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_the_authority_says_is_passed_on_with_a_way_out() {
        let error = AcmeError::from(Error::Api(problem("rateLimited", "too many\ncertificates")));
        assert_eq!(error.to_string(), "the directory says no: too many certificates (rateLimited)");
        assert!(error.hint().contains("staging"));
        assert_eq!(error.failure(), Failure::Refused);
        let gone = AcmeError::from(Error::Api(problem("accountDoesNotExist", "who?")));
        assert!(gone.unknown_account() && !error.unknown_account());
        let long = AcmeError::from(Error::Api(problem("caa", &"\u{e9}".repeat(100_000)))).to_string();
        assert!(long.chars().count() < 400 && long.ends_with("… (caa)"), "{long}");
        let late = AcmeError::from(Error::Timeout(None));
        assert_eq!(late.to_string(), "the directory did not finish the order in time");
    }
}
