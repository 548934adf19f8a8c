//! The query of a session: the model here becomes the deployment's own, all else stays as it is.

use std::fmt::Write;

use http::Uri;
use http::uri::PathAndQuery;
use pointsman_config::Provider;
use pointsman_core::{ErrorCode, Operation, PublicError};

/// The vendor whose transcription sessions must not name a model in the query.
const OPENAI: &str = "openai";
/// Credentials belong into headers: addresses end up in logs.
const CREDENTIALS: [&str; 5] = ["api-key", "api_key", "key", "token", "access_token"];

/// What the client asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    model: Option<String>,
    transcribes: bool,
    /// All parameters but the model, as they were sent.
    rest: Vec<String>,
}

impl Query {
    /// Reads the part of a target behind `?`.
    ///
    /// # Errors
    /// A second model, also by Azure's name for it; a credential; the id of a call, which may be somebody
    /// else's; and what some servers read as the end of a parameter.
    pub(crate) fn parse(text: &str) -> Result<Self, PublicError> {
        let mut query = Self::default();
        if text.contains(';') {
            let message = "some servers take a semicolon in the query for `&`; write it as %3B";
            return Err(PublicError::new(ErrorCode::InvalidRequest, message));
        }
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            match &*name {
                "model" => {
                    if query.model.replace(decode(value)?).is_some() {
                        return Err(
                            PublicError::new(ErrorCode::DuplicateKey, "`model` occurs twice").at("model")
                        );
                    }
                    continue;
                }
                "intent" => query.transcribes |= decode(value)? == "transcription",
                "deployment" => {
                    let message = "name the model as `model`; `deployment` would be another";
                    return Err(PublicError::new(ErrorCode::InvalidRequest, message).at("deployment"));
                }
                "call_id" => {
                    let message = "sessions of phone calls are not relayed: whose call it is cannot be told";
                    return Err(PublicError::new(ErrorCode::UnsupportedOperation, message).at("call_id"));
                }
                name if CREDENTIALS.contains(&name) => {
                    let message =
                        "a key does not belong into the address; send it as `Authorization: Bearer <key>`";
                    return Err(PublicError::new(ErrorCode::InvalidRequest, message));
                }
                _ => {}
            }
            query.rest.push(pair.to_owned());
        }
        Ok(query)
    }

    /// The model as the client names it.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the session only transcribes.
    pub(crate) const fn transcribes(&self) -> bool {
        self.transcribes
    }

    /// The target at `provider`, with its own name of the model.
    pub(crate) fn target(&self, provider: &Provider, model: &str) -> Result<Uri, http::Error> {
        let mut target = provider.target(Operation::Realtime).path().to_owned();
        let mut separator = '?';
        let mut add = |pair: &str| {
            target.push(separator);
            target.push_str(pair);
            separator = '&';
        };
        // OpenAI refuses a model there: the session itself says later who transcribes.
        if !(self.transcribes && provider.vendor == Some(OPENAI)) {
            add(&format!("model={}", encode(model)));
        }
        self.rest.iter().for_each(|pair| add(pair));
        Ok(Uri::from(PathAndQuery::try_from(target)?))
    }
}

/// Undoes percent-encoding, and `+` for a space.
fn decode(text: &str) -> Result<String, PublicError> {
    let bad = || PublicError::new(ErrorCode::InvalidRequest, "the query is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or_else(bad)?, digit().ok_or_else(bad)?);
                u8::try_from(high * 16 + low).map_err(|_| bad())?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Everything but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_taken_out_and_the_rest_stays() {
        let query = Query::parse("x=a%20b&model=openai%2Fgpt-realtime&intent=chat&y").unwrap();
        assert_eq!((query.model(), query.transcribes()), (Some("openai/gpt-realtime"), false));
        assert_eq!(query.rest, ["x=a%20b", "intent=chat", "y"]);
        assert!(Query::parse("intent=transcription").unwrap().transcribes());
        assert_eq!(Query::parse("").unwrap().model(), None);
        assert_eq!(Query::parse("model=a+b").unwrap().model(), Some("a b"));
    }

    #[test]
    fn what_is_refused() {
        for (text, code) in [
            ("model=a&model=b", ErrorCode::DuplicateKey),
            ("model=a&%6dodel=b", ErrorCode::DuplicateKey),
            ("model=%f", ErrorCode::InvalidRequest),
            ("model=%ff", ErrorCode::InvalidRequest),
            ("model=a&api-key=x", ErrorCode::InvalidRequest),
            ("model=a&call_id=rtc_1", ErrorCode::UnsupportedOperation),
            ("model=a&deployment=b", ErrorCode::InvalidRequest),
            ("model=a&x=1;model=b", ErrorCode::InvalidRequest),
        ] {
            assert_eq!(Query::parse(text).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn names_are_encoded() {
        assert_eq!(encode("org/модель:8b&x=1"), "org%2F%D0%BC%D0%BE%D0%B4%D0%B5%D0%BB%D1%8C%3A8b%26x%3D1");
        assert_eq!(decode(&encode("a b/ü%")).unwrap(), "a b/ü%");
    }
}
