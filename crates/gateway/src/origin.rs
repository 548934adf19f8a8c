//! Without keys only the user's own programs may call: the guard against web pages that would spend
//! the user's money (cross-site requests and DNS rebinding).

use http::{HeaderMap, HeaderValue, Uri, header};
use pointsman_core::{ErrorCode, PublicError};

/// Refuses a request whose `Host` is not a loopback name, or whose `Origin` is not of this machine.
pub(crate) fn check(headers: &HeaderMap, uri: &Uri) -> Result<(), PublicError> {
    let host = headers.get(header::HOST).map(|value| value.to_str().unwrap_or_default());
    // A target may be a whole URL: then its host is the one that counts (RFC 9112, 3.2.2), and both are looked at.
    let target = uri.authority().map(http::uri::Authority::as_str);
    let named = host.or(target).unwrap_or_default();
    if !is_loopback(named) || target.is_some_and(|target| !is_loopback(target)) {
        return Err(PublicError::new(
            ErrorCode::ForbiddenOrigin,
            "without client keys only loopback host names are served; call http://127.0.0.1 or http://localhost, \
             or make a key with `pointsman keys new`",
        ));
    }
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(is_loopback)
    };
    if headers.get_all(header::ORIGIN).iter().all(is_ours) {
        return Ok(());
    }
    Err(PublicError::new(
        ErrorCode::ForbiddenOrigin,
        "without client keys web pages of other origins are refused; make a key with `pointsman keys new`",
    ))
}

/// Whether `authority` (`host` or `host:port`) names this machine.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    // Nothing before the host (userinfo), and behind it at most a port.
    let Some(rest) = authority.as_str().strip_prefix(authority.host()) else { return false };
    if !rest.is_empty() && rest.strip_prefix(':').is_none_or(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
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
        check(&headers, &Uri::from_static("/v1/models")).is_ok()
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
