//! Who asks: `Host` and `Origin` on a server without keys, credentials on one with them.

use super::{BODY, Case, Expect, KEY, Step, forwarded, with_length};

const FORBIDDEN: Expect = Expect::Error(403, "forbidden_origin", None);
const INVALID: Expect = Expect::Error(400, "invalid_request", None);
const KEYLESS: Expect = Expect::Error(401, "invalid_api_key", None);

pub(super) fn cases() -> Vec<Case> {
    [hosts(), origins(), credentials()].concat()
}

/// A chat request with these fields in place of `Host`.
fn at(name: &'static str, fields: &str, expect: Expect) -> Case {
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\n{fields}content-length: {}\r\n\r\n", BODY.len());
    Case::new(name, head + BODY, expect)
}

fn hosts() -> Vec<Case> {
    let host = |name, host: &str, expect| at(name, &format!("host: {host}\r\n"), expect);
    vec![
        host("localhost", "localhost:4180", forwarded()),
        host("localhost in capitals", "LOCALHOST", forwarded()),
        host("IPv6 loopback", "[::1]:4180", forwarded()),
        host("another port", "127.0.0.1:1", forwarded()),
        host("another loopback address", "127.1.2.3", forwarded()),
        host("a foreign name", "evil.example", FORBIDDEN),
        host("a rebinding name", "127.0.0.1.nip.io:4180", FORBIDDEN),
        host("a name that begins as loopback", "localhost.evil.example", FORBIDDEN),
        host("a name that ends as loopback", "evil-localhost", FORBIDDEN),
        host("userinfo before loopback", "evil@127.0.0.1:4180", FORBIDDEN),
        host("loopback as userinfo", "127.0.0.1:4180@evil.example", FORBIDDEN),
        host("an address of the network", "192.168.0.7:4180", FORBIDDEN),
        host("all addresses", "0.0.0.0:4180", FORBIDDEN),
        host("an IPv6 zone", "[fe80::1%25eth0]:4180", FORBIDDEN),
        host("loopback with an IPv6 zone", "[::1%25lo]:4180", FORBIDDEN),
        host("loopback as a number", "2130706433", FORBIDDEN),
        host("loopback in hexadecimal", "0x7f.0.0.1", FORBIDDEN),
        host("loopback in short", "127.1", FORBIDDEN),
        host("a dot behind the name", "localhost.", FORBIDDEN),
        host("an empty host", "", FORBIDDEN),
        host("a port only", ":4180", FORBIDDEN),
        host("a port that is no number", "127.0.0.1:http", FORBIDDEN),
        host("two hosts in one field", "127.0.0.1, evil.example", FORBIDDEN),
        host("a URL", "http://127.0.0.1:4180", FORBIDDEN),
        host("a host beyond ASCII", "l\u{f6}calhost", FORBIDDEN),
        at("no host", "", INVALID),
        at("two hosts", "host: 127.0.0.1:4180\r\nhost: evil.example\r\n", INVALID),
        at("the same host twice", "host: 127.0.0.1:4180\r\nhost: 127.0.0.1:4180\r\n", INVALID),
        at("no host, with a key asked for", "", INVALID).keyed(),
    ]
}

fn origins() -> Vec<Case> {
    let origin = |name, origin: &str, expect| {
        Case::new(name, with_length(&format!("origin: {origin}\r\n"), BODY.as_bytes()), expect)
    };
    vec![
        origin("an origin of this machine", "http://localhost:3000", forwarded()),
        origin("an origin of this machine in IPv6", "https://[::1]:8443", forwarded()),
        origin("a foreign origin", "https://evil.example", FORBIDDEN),
        origin("an origin that is null", "null", FORBIDDEN),
        origin("an empty origin", "", FORBIDDEN),
        origin("an origin with a rebinding name", "http://127.0.0.1.evil.example", FORBIDDEN),
        origin("an origin with userinfo", "http://127.0.0.1@evil.example", FORBIDDEN),
        origin("an origin of another scheme", "file://localhost", FORBIDDEN),
        origin("an extension of a browser", "chrome-extension://abcdef", FORBIDDEN),
        origin("two origins in one field", "http://localhost, https://evil.example", FORBIDDEN),
        origin("two origins", "http://localhost\r\norigin: https://evil.example", FORBIDDEN),
    ]
}

fn credentials() -> Vec<Case> {
    let with =
        |name, fields: &str, expect| Case::new(name, with_length(fields, BODY.as_bytes()), expect).keyed();
    let bearer = |name, key: &str, expect| with(name, &format!("authorization: Bearer {key}\r\n"), expect);
    let refused_early = |name, fields: &str| Case {
        steps: vec![Step::Send(super::head(fields).into())],
        ..with(name, "", KEYLESS)
    };
    vec![
        bearer("the right key", KEY, forwarded()),
        bearer(
            "a foreign host with the right key",
            &format!("{KEY}\r\norigin: https://evil.example"),
            forwarded(),
        ),
        bearer("an empty bearer", "", KEYLESS),
        bearer("a wrong key", "pm-wrong", KEYLESS),
        bearer("a key that begins right", &KEY[..KEY.len() - 1], KEYLESS),
        bearer("a key that goes on", &format!("{KEY}x"), KEYLESS),
        bearer("the right key in capitals", &KEY.to_uppercase(), KEYLESS),
        bearer("the right key and a comma", &format!("{KEY}, Bearer x"), KEYLESS),
        bearer("a key beyond ASCII", "sch\u{fc}ssel", KEYLESS),
        bearer("a key of 16 KB", &"k".repeat(16 << 10), KEYLESS),
        Case {
            steps: vec![Step::Send(
                super::head(&format!("authorization: Bearer {}\r\n", "k".repeat(65_536))).into(),
            )],
            ..bearer("a key of 64 KB", "", Expect::Bare(431))
        },
        with("no credential", "", KEYLESS),
        with("a scheme only", "authorization: Bearer\r\n", KEYLESS),
        with("a key without a scheme", &format!("authorization: {KEY}\r\n"), KEYLESS),
        with("another scheme", &format!("authorization: Basic {KEY}\r\n"), KEYLESS),
        with("the right key as a cookie", &format!("cookie: authorization=Bearer {KEY}\r\n"), KEYLESS),
        with(
            "two credentials",
            &format!("authorization: Bearer x\r\nauthorization: Bearer {KEY}\r\n"),
            INVALID,
        ),
        with(
            "two credentials, the right one first",
            &format!("authorization: Bearer {KEY}\r\nauthorization: Bearer x\r\n"),
            INVALID,
        ),
        with("two key fields", &format!("x-api-key: {KEY}\r\nx-api-key: x\r\n"), INVALID),
        with(
            "a wrong bearer and the right key field",
            &format!("authorization: Bearer x\r\nx-api-key: {KEY}\r\n"),
            KEYLESS,
        ),
        with("the right key in another field", &format!("x-api-key: {KEY}\r\n"), forwarded()),
        refused_early("a gigabyte without a key", "content-length: 1073741824\r\n"),
        refused_early("chunks without a key", "transfer-encoding: chunked\r\n"),
        refused_early("leave asked for without a key", "expect: 100-continue\r\ncontent-length: 10\r\n"),
    ]
}
