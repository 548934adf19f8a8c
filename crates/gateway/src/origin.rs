//! Without keys only the user's own programs may call: the guard against web pages that would spend
//! the user's money (cross-site requests and DNS rebinding).

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use pointsman_core::{ErrorCode, PublicError};
use pointsman_transport::loopback::is_loopback_authority;

/// What proxies add: who they speak for is not this machine's user, whatever address they call from.
const FORWARDED_FOR: [HeaderName; 3] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];
/// Set by browsers and out of reach of scripts (W3C Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that does not come from this machine: by its address, by a proxy's word, by a `Host`
/// that is no loopback name, or by an `Origin` elsewhere.
pub(crate) fn check(peer: IpAddr, headers: &HeaderMap, uri: &Uri) -> Result<(), PublicError> {
    if !peer.to_canonical().is_loopback() || FORWARDED_FOR.iter().any(|name| headers.contains_key(name)) {
        return Err(PublicError::new(
            ErrorCode::ForbiddenOrigin,
            "without client keys only this machine's own programs are served; make a key with `pointsman keys new`",
        ));
    }
    if headers.get(FETCH_SITE).is_some_and(|site| site == "cross-site") {
        return Err(PublicError::new(
            ErrorCode::ForbiddenOrigin,
            "without client keys web pages of other origins are refused; make a key with `pointsman keys new`",
        ));
    }
    let host = headers.get(header::HOST).map(|value| value.to_str().unwrap_or_default());
    // A target may be a whole URL: then its host is the one that counts (RFC 9112, 3.2.2), and both are looked at.
    let target = uri.authority().map(http::uri::Authority::as_str);
    let named = host.or(target).unwrap_or_default();
    if !is_loopback_authority(named) || target.is_some_and(|target| !is_loopback_authority(target)) {
        return Err(PublicError::new(
            ErrorCode::ForbiddenOrigin,
            "without client keys only loopback host names are served; call http://127.0.0.1 or http://localhost, \
             or make a key with `pointsman keys new`",
        ));
    }
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(is_loopback_authority)
    };
    if headers.get_all(header::ORIGIN).iter().all(is_ours) {
        return Ok(());
    }
    Err(PublicError::new(
        ErrorCode::ForbiddenOrigin,
        "without client keys web pages of other origins are refused; make a key with `pointsman keys new`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        check([127, 0, 0, 1].into(), &headers, &Uri::from_static("/v1/models")).is_ok()
    }

    #[test]
    fn loopback_names_only() {
        for host in ["127.0.0.1:4180", "localhost", "LOCALHOST:1", "[::1]:4180", "127.9.9.9"] {
            assert!(verdict(host, None), "{host}");
        }
        let foreign =
            ["example.com", "127.0.0.1.nip.io", "10.0.0.1:4180", "localhost.evil.com", "", "a@127.0.0.1"];
        for host in foreign {
            assert!(!verdict(host, None), "{host}");
        }
    }

    #[test]
    fn callers_from_elsewhere_are_refused_whatever_they_say() {
        let verdict = |peer: &str, extra: &[(&'static str, &str)]| {
            let mut headers: HeaderMap = extra
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            headers.insert(header::HOST, "localhost:4180".parse().unwrap());
            check(peer.parse().unwrap(), &headers, &Uri::from_static("/v1/models")).is_ok()
        };
        for near in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert!(verdict(near, &[("sec-fetch-site", "same-origin")]), "{near}");
        }
        for far in ["192.0.2.2", "10.0.0.1", "fe80::1", "::ffff:192.0.2.2"] {
            assert!(!verdict(far, &[]), "{far}");
        }
        for told in [
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert!(!verdict("127.0.0.1", &[told]), "{told:?}");
        }
    }

    #[test]
    fn foreign_origins_are_refused() {
        assert!(verdict("localhost:4180", Some("http://localhost:3000")));
        assert!(verdict("localhost:4180", Some("https://127.0.0.1")));
        for origin in
            ["https://evil.example", "null", "file://", "http://localhost.evil.com", "http://a@localhost"]
        {
            assert!(!verdict("localhost:4180", Some(origin)), "{origin}");
        }
    }
}
