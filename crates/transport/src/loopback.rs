//! Names of this machine: what a request that is meant for it alone must call it by, so that a page whose
//! name was made to lead here (DNS rebinding) is told apart.

use std::net::{IpAddr, Ipv4Addr};

use http::uri::Authority;

/// Whether `authority` (`host` or `host:port`) names this machine: `localhost` or a loopback address.
#[must_use]
pub fn is_loopback_authority(authority: &str) -> bool {
    // How most are called; there is no need to take that apart by all rules of URLs.
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    if is_port(port) && host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()) {
        return true;
    }
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    // Nothing before the host (userinfo), and behind it at most a port.
    let Some(rest) = authority.as_str().strip_prefix(authority.host()) else { return false };
    if !rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_only() {
        for name in ["127.0.0.1:4180", "localhost", "LOCALHOST:1", "[::1]:4180", "127.9.9.9"] {
            assert!(is_loopback_authority(name), "{name}");
        }
        for name in [
            "example.com",
            "127.0.0.1.nip.io",
            "10.0.0.1:4180",
            "localhost.evil.com",
            "",
            "a@127.0.0.1",
            "localhost:x",
            "127.0.0.1:x",
            "127.0.0.1:+80",
            "127.0.0.1:65536",
            "10.0.0.1:80",
        ] {
            assert!(!is_loopback_authority(name), "{name}");
        }
    }
}
