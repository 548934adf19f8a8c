//! The client's side of the opening handshake (RFC 6455, 4.2), and the check of the provider's answer to ours.

use http::{HeaderMap, HeaderValue, Version, header, request};
use pointsman_core::{ErrorCode, PublicError};
use pointsman_wire::websocket::handshake;

/// Where browsers, which cannot set headers here, put the key.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";
/// Further pretended subprotocols that name an account: the caller's own is none of the provider's.
const ACCOUNT_PROTOCOLS: [&str; 2] = ["openai-organization.", "openai-project."];
/// What OpenAI's servers choose.
const REALTIME_PROTOCOL: &str = "realtime";

/// A request that opens a WebSocket.
#[derive(Debug)]
pub(crate) struct Offer {
    /// The answer to its key.
    pub(crate) accept: HeaderValue,
    /// What it would speak.
    pub(crate) protocols: Protocols,
}

/// Subprotocols that a client offers, without keys.
#[derive(Debug, Default)]
pub(crate) struct Protocols(Vec<HeaderValue>);

impl Protocols {
    /// Takes the offer out of `headers`. A key in it becomes `Authorization`, where that is absent.
    ///
    /// # Errors
    /// What is no list of names, and two keys.
    pub(crate) fn take(headers: &mut HeaderMap) -> Result<Self, PublicError> {
        let mut protocols = Vec::new();
        let mut key = None;
        let header::Entry::Occupied(offered) = headers.entry(header::SEC_WEBSOCKET_PROTOCOL) else {
            return Ok(Self::default());
        };
        for value in offered.remove_entry_mult().1 {
            let text = value.to_str().map_err(|_| malformed())?;
            for name in text.split(',').map(str::trim) {
                if name.is_empty() || !name.bytes().all(is_token) {
                    return Err(malformed());
                }
                if let Some(found) = name.strip_prefix(KEY_PROTOCOL) {
                    if key.replace(found.to_owned()).is_some() {
                        return Err(invalid(
                            "a credential was sent more than once in the same field; send one",
                        ));
                    }
                } else if !ACCOUNT_PROTOCOLS.iter().any(|prefix| name.starts_with(prefix)) {
                    protocols.push(HeaderValue::try_from(name).map_err(|_| malformed())?);
                }
            }
        }
        if let Some(key) = key
            && !headers.contains_key(header::AUTHORIZATION)
        {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| malformed())?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(Self(protocols))
    }

    /// The offer to the provider, if there is anything to offer.
    pub(crate) fn offered(&self) -> Option<HeaderValue> {
        let names: Vec<&[u8]> = self.0.iter().map(HeaderValue::as_bytes).collect();
        if names.is_empty() { None } else { HeaderValue::from_bytes(&names.join(&b", "[..])).ok() }
    }

    /// What the client is told: the provider's choice; without one, what browsers insist on.
    pub(crate) fn answer(&self, chosen: Option<&HeaderValue>) -> Option<HeaderValue> {
        chosen.or_else(|| self.0.iter().find(|name| *name == REALTIME_PROTOCOL)).cloned()
    }
}

impl Offer {
    /// Checks the head of a request.
    ///
    /// # Errors
    /// What does not open a WebSocket of version 13 over HTTP/1.1.
    pub(crate) fn read(head: &request::Parts, protocols: Protocols) -> Result<Self, PublicError> {
        let headers = &head.headers;
        let asks =
            says(headers, &header::UPGRADE, "websocket") && says(headers, &header::CONNECTION, "upgrade");
        if head.version != Version::HTTP_11 || !asks {
            let message =
                "this path is a WebSocket; open one over HTTP/1.1, as the SDK's `realtime.connect` does";
            return Err(PublicError::new(ErrorCode::UpgradeRequired, message));
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != handshake::VERSION) {
            let message = "the only version of WebSockets that is understood is 13";
            return Err(PublicError::new(ErrorCode::UpgradeRequired, message));
        }
        if headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
            || headers.contains_key(header::TRANSFER_ENCODING)
        {
            return Err(invalid("a request that opens a WebSocket has no body"));
        }
        let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
        match (keys.next(), keys.next()) {
            (Some(key), None) if handshake::is_key(key.as_bytes()) => {
                let accept = HeaderValue::try_from(handshake::accept(key.as_bytes()));
                Ok(Self { accept: accept.map_err(|_| malformed())?, protocols })
            }
            _ => Err(invalid("`Sec-WebSocket-Key` must be 16 bytes in base64")),
        }
    }
}

/// Whether the provider's 101 answers our `key`, and what it chose of the offer.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_answer(
    headers: &HeaderMap,
    key: &str,
    protocols: &Protocols,
) -> Result<Option<HeaderValue>, &'static str> {
    if !says(headers, &header::UPGRADE, "websocket") || !says(headers, &header::CONNECTION, "upgrade") {
        return Err("the answer switches to another protocol");
    }
    let expected = handshake::accept(key.as_bytes());
    if headers.get(header::SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| *accept != *expected) {
        return Err("`Sec-WebSocket-Accept` does not fit the key");
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("an extension was chosen that was not offered");
    }
    match headers.get(header::SEC_WEBSOCKET_PROTOCOL) {
        None => Ok(None),
        Some(chosen) if protocols.0.contains(chosen) => Ok(Some(chosen.clone())),
        Some(_) => Err("a subprotocol was chosen that was not offered"),
    }
}

/// Whether a field that is a list holds `word`, whatever its case.
fn says(headers: &HeaderMap, name: &header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// RFC 9110, 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

fn malformed() -> PublicError {
    invalid("`Sec-WebSocket-Protocol` is no list of names")
}

fn invalid(message: &'static str) -> PublicError {
    PublicError::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(fields: &[(&'static str, &str)]) -> (Result<Protocols, PublicError>, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        (Protocols::take(&mut headers), headers)
    }

    #[test]
    fn the_key_of_a_browser_becomes_the_credential_and_goes_no_further() {
        let (protocols, headers) = offered(&[
            ("sec-websocket-protocol", "realtime, openai-insecure-api-key.pm-1"),
            ("sec-websocket-protocol", "openai-project.p, openai-beta.realtime-v1"),
        ]);
        let protocols = protocols.unwrap();
        assert_eq!(headers["authorization"], "Bearer pm-1");
        assert!(!headers.contains_key("sec-websocket-protocol"));
        assert_eq!(protocols.offered().unwrap(), "realtime, openai-beta.realtime-v1");
        assert_eq!(protocols.answer(None).unwrap(), "realtime");
        let chosen = HeaderValue::from_static("openai-beta.realtime-v1");
        assert_eq!(protocols.answer(Some(&chosen)).unwrap(), chosen);
    }

    #[test]
    fn a_header_wins_over_it() {
        let (protocols, headers) = offered(&[
            ("authorization", "Bearer pm-2"),
            ("sec-websocket-protocol", "openai-insecure-api-key.pm-1"),
        ]);
        assert_eq!(headers["authorization"], "Bearer pm-2");
        let protocols = protocols.unwrap();
        assert_eq!((protocols.offered(), protocols.answer(None)), (None, None));
    }

    #[test]
    fn what_is_no_offer() {
        for bad in ["", "a,,b", "a b", "a/b", "openai-insecure-api-key.a, openai-insecure-api-key.b"] {
            assert!(offered(&[("sec-websocket-protocol", bad)]).0.is_err(), "{bad:?}");
        }
        assert!(offered(&[]).0.unwrap().offered().is_none());
    }

    fn answered(change: impl FnOnce(&mut HeaderMap)) -> Result<Option<HeaderValue>, &'static str> {
        let key = handshake::key([7; 16]);
        let mut headers = HeaderMap::new();
        headers.insert("upgrade", HeaderValue::from_static("WebSocket"));
        headers.insert("connection", HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert("sec-websocket-accept", handshake::accept(key.as_bytes()).parse().unwrap());
        change(&mut headers);
        check_answer(&headers, &key, &Protocols(vec![HeaderValue::from_static("realtime")]))
    }

    #[test]
    fn the_provider_must_mean_us() {
        assert_eq!(answered(|_| {}), Ok(None));
        let set = |name: &'static str, value: &'static str| {
            answered(move |headers| drop(headers.insert(name, HeaderValue::from_static(value))))
        };
        assert_eq!(set("sec-websocket-protocol", "realtime").unwrap().unwrap(), "realtime");
        for (name, value) in [
            ("upgrade", "h2c"),
            ("connection", "close"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("sec-websocket-protocol", "other"),
        ] {
            assert!(set(name, value).is_err(), "{name}: {value}");
        }
    }
}
