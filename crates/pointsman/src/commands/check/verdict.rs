//! What an answer to a test request says about a key.

use http::StatusCode;
use pointsman_wire::openai::error::{self, UpstreamError};

/// Codes and types that speak of money, whatever the status (OpenAI: 429, Anthropic: 400, DeepSeek: 402).
const QUOTA_WORDS: [&str; 5] = [
    "insufficient_quota",
    "insufficient_balance",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
];
/// The same in messages, where code and type do not say it (Google, xAI, Anthropic). In lower case.
const QUOTA_PHRASES: [&str; 5] =
    ["current quota", "credit balance", "any credits", "insufficient balance", "insufficient credits"];
/// A key that is wrong although the status is 400 (Google, xAI).
const KEY_PHRASES: [&str; 4] =
    ["api key not valid", "incorrect api key", "invalid api key", "api key expired"];
/// Longer reasons are cut.
const MAX_REASON_CHARS: usize = 200;

/// How a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It works.
    Ok,
    /// The vendor does not take it.
    Rejected,
    /// The vendor takes it, but its account cannot pay.
    NoQuota,
    /// The vendor takes it, but not so many requests.
    RateLimited,
    /// No answer.
    Unreachable,
    /// Anything else.
    Failed,
}

impl Verdict {
    /// As it is shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::NoQuota => "no quota",
            Self::RateLimited => "rate limited",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }

    /// What `status` and the body of an answer mean.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> (Self, String) {
        if status.is_success() {
            return (Self::Ok, String::new());
        }
        let error = error::parse(body);
        let verdict = Self::of_error(status, &error);
        (verdict, reason(verdict, status, &error))
    }

    fn of_error(status: StatusCode, error: &UpstreamError) -> Self {
        let message = error.message.to_lowercase();
        let word = |words: &[&str]| {
            let said = [&error.code, &error.type_];
            said.into_iter().flatten().any(|said| words.contains(&said.to_lowercase().as_str()))
        };
        let phrase = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
        match status.as_u16() {
            402 => Self::NoQuota,
            400..500 if word(&QUOTA_WORDS) || phrase(&QUOTA_PHRASES) => Self::NoQuota,
            401 | 403 => Self::Rejected,
            400 if phrase(&KEY_PHRASES) => Self::Rejected,
            429 => Self::RateLimited,
            _ => Self::Failed,
        }
    }
}

/// Vendors repeat the key, or parts of it, when they reject it: then only the code is shown.
fn reason(verdict: Verdict, status: StatusCode, error: &UpstreamError) -> String {
    let code = error.code.as_ref().or(error.type_.as_ref()).filter(|code| is_word(code));
    match (verdict, code) {
        (Verdict::Rejected, Some(code)) => format!("{} {code}", status.as_u16()),
        (Verdict::Rejected, None) => status.to_string(),
        _ => format!("{}: {}", status.as_u16(), cut(&error.message)),
    }
}

/// A code and not a sentence, which might hold a key.
fn is_word(code: &str) -> bool {
    code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> (Verdict, String) {
        Verdict::of(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    /// Bodies as the vendors send them.
    #[test]
    fn vendors_words_for_wrong_keys_and_empty_accounts() {
        let cases = [
            (200, "{}", Verdict::Ok),
            (
                401,
                r#"{"error":{"message":"Incorrect API key provided: sk-ab*yz.","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                Verdict::Rejected,
            ),
            (
                401,
                r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
                Verdict::Rejected,
            ),
            (403, "<html><title>Forbidden</title></html>", Verdict::Rejected),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
                Verdict::Rejected,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                Verdict::NoQuota,
            ),
            (
                429,
                r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan","status":"RESOURCE_EXHAUSTED"}}]"#,
                Verdict::NoQuota,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
                Verdict::NoQuota,
            ),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
                Verdict::NoQuota,
            ),
            (
                403,
                r#"{"code":"The caller does not have permission","error":"Your newly created team doesn't have any credits yet."}"#,
                Verdict::NoQuota,
            ),
            (
                429,
                r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#,
                Verdict::RateLimited,
            ),
            (
                404,
                r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#,
                Verdict::Failed,
            ),
            (503, "busy", Verdict::Failed),
        ];
        for (status, body, expected) in cases {
            assert_eq!(verdict(status, body).0, expected, "{status} {body}");
        }
    }

    #[test]
    fn a_rejection_never_repeats_the_vendors_message() {
        let body =
            r#"{"error":{"message":"Incorrect API key provided: sk-secret","code":"invalid_api_key"}}"#;
        assert_eq!(verdict(401, body).1, "401 invalid_api_key");
        assert_eq!(
            verdict(401, r#"{"error":{"message":"sk-secret","code":"sk-secret-1"}}"#).1,
            "401 Unauthorized"
        );
        assert_eq!(verdict(503, "busy").1, "503: busy");
    }
}
