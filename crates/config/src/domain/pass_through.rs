//! Paths that no handler serves, and who may call them all the same.
//!
//! Patterns and paths are made of the same plain segments, so that a path that matches has one reading
//! only: the gateway brings every path into that form before it asks [`PathRule::matches`].

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

/// What every path below the API begins with.
const BASE: &str = "/v1/";
/// What stands for one segment.
const ONE: &str = "*";
/// What stands for one or more segments, at the end.
const REST: &str = "**";

/// Methods, and the paths that they are let through to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    methods: Box<[Method]>,
    pattern: Arc<str>,
}

/// A pattern that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not below the API.
    #[error("a path must begin with /v1/")]
    Base,
    /// A segment that no path can have.
    #[error("a segment is `*`, a last one `**`, or letters, digits and -._~:@+=, but not dots alone")]
    Segment,
}

impl PathRule {
    /// A rule for these methods.
    ///
    /// # Errors
    /// `pattern` matches nothing, or could be read in two ways.
    pub fn new(methods: impl Into<Box<[Method]>>, pattern: &str) -> Result<Self, PatternError> {
        let rest = pattern.strip_prefix(BASE).ok_or(PatternError::Base)?;
        let last = rest.split('/').count() - 1;
        let sound = |(at, segment): (usize, &str)| {
            segment == ONE || (segment == REST && at == last) || is_plain_segment(segment)
        };
        if !rest.split('/').enumerate().all(sound) {
            return Err(PatternError::Segment);
        }
        Ok(Self { methods: methods.into(), pattern: pattern.into() })
    }

    /// As it was written.
    #[must_use]
    pub const fn pattern(&self) -> &Arc<str> {
        &self.pattern
    }

    /// Whether a request with this method may go to `path`, which consists of plain segments.
    #[must_use]
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        if !self.methods.contains(method) {
            return false;
        }
        let (mut wanted, mut given) = (self.pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(REST), Some(segment)) => return !segment.is_empty(),
                (Some(ONE), Some(segment)) if !segment.is_empty() => {}
                (Some(pattern), Some(segment)) if pattern == segment => {}
                _ => return false,
            }
        }
    }
}

/// Whether every server reads this segment as it stands: no escape, no dots alone, nothing that is cut
/// off or folded.
#[must_use]
pub fn is_plain_segment(segment: &str) -> bool {
    segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:@+=,".contains(&byte))
        && segment.bytes().any(|byte| byte != b'.')
}

/// What a key may call, and who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The paths.
    pub rule: PathRule,
}

/// The rules of all keys, by the key's id.
#[derive(Debug, Default)]
pub struct KeyRules(HashMap<Arc<str>, Vec<KeyRule>>);

impl KeyRules {
    /// Adds a rule to a key's.
    pub(crate) fn add(&mut self, key: &str, rule: KeyRule) {
        self.0.entry(key.into()).or_default().push(rule);
    }

    /// Whether no key has a rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules of a key, in the order of writing.
    #[must_use]
    pub fn of(&self, key: Option<&str>) -> &[KeyRule] {
        key.and_then(|key| self.0.get(key)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let rule = PathRule::new([Method::GET], pattern).unwrap();
        assert!(!rule.matches(&Method::POST, path));
        rule.matches(&Method::GET, path)
    }

    #[test]
    fn patterns_match_whole_paths_by_segments() {
        for (pattern, path) in [
            ("/v1/responses", "/v1/responses"),
            ("/v1/responses/*", "/v1/responses/resp_1"),
            ("/v1/*/x", "/v1/a:b@c/x"),
            ("/v1/vector_stores/**", "/v1/vector_stores/vs_1/files/f-1"),
            ("/v1/**", "/v1/a"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/v1/responses", "/v1/responses/"),
            ("/v1/responses", "/v1/responsesx"),
            ("/v1/responses", "/v1/Responses"),
            ("/v1/responses/*", "/v1/responses"),
            ("/v1/responses/*", "/v1/responses/"),
            ("/v1/responses/*", "/v1/responses/a/b"),
            ("/v1/vector_stores/**", "/v1/vector_stores"),
            ("/v1/vector_stores/**", "/v1/vector_stores/"),
            ("/v1/**", "/v1/"),
            ("/v1/**", "/v2/a"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_that_could_mean_two_things_are_refused() {
        for pattern in ["", "*", "/", "/v1", "/v2/a", "v1/a", "/V1/a", "//v1/a", "https://h/v1/a"] {
            assert_eq!(PathRule::new([Method::GET], pattern), Err(PatternError::Base), "{pattern}");
        }
        for pattern in [
            "/v1/",
            "/v1/a/",
            "/v1//a",
            "/v1/../a",
            "/v1/a/..",
            "/v1/./a",
            "/v1/a*",
            "/v1/**/a",
            "/v1/a**",
            "/v1/***",
            "/v1/a%2Fb",
            "/v1/a;b",
            "/v1/a?b",
            "/v1/a#b",
            "/v1/a b",
            "/v1/ä",
            "/v1/a\\b",
            "/v1/.../**",
            "/v1//**",
        ] {
            assert_eq!(PathRule::new([Method::GET], pattern), Err(PatternError::Segment), "{pattern}");
        }
    }
}
