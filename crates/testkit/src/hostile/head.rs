//! Request lines and fields: methods, paths, names, floods, other protocols.

use bytes::Bytes;

use super::{BODY, Case, Expect, HOST, Step, forwarded, head, with_length};

const BAD: Expect = Expect::Bare(400);
const TOO_LARGE: Expect = Expect::Bare(431);
const UNKNOWN: Expect = Expect::Error(404, "unknown_path", None);
const METHOD: Expect = Expect::Error(405, "method_not_allowed", None);

pub(super) fn cases() -> Vec<Case> {
    [paths(), methods(), fields(), floods(), protocols()].concat()
}

/// A GET for this target.
fn get(name: &'static str, target: &str, expect: Expect) -> Case {
    line(name, &format!("GET {target} HTTP/1.1"), expect)
}

/// A request without a body, with this as its first line.
fn line(name: &'static str, line: &str, expect: Expect) -> Case {
    Case::new(name, format!("{line}\r\nhost: {HOST}\r\n\r\n"), expect)
}

/// A chat request with these further fields.
fn field(name: &'static str, fields: &str, expect: Expect) -> Case {
    Case::new(name, with_length(fields, BODY.as_bytes()), expect)
}

fn paths() -> Vec<Case> {
    let target = |name, target: &str, expect| {
        let input = String::from_utf8_lossy(&with_length("", BODY.as_bytes()))
            .replace("/v1/chat/completions", target);
        Case::new(name, input, expect)
    };
    vec![
        target("dots in the path", "/v1/../v1/chat/completions", UNKNOWN),
        target("a dot in the path", "/v1/./chat/completions", UNKNOWN),
        target("escaped dots", "/v1/%2e%2e/v1/chat/completions", UNKNOWN),
        target("an escaped slash", "/v1%2fchat/completions", UNKNOWN),
        target("an escaped letter", "/v1/ch%61t/completions", UNKNOWN),
        target("double slashes", "//v1//chat//completions", UNKNOWN),
        target("a slash at the end", "/v1/chat/completions/", UNKNOWN),
        target("an escaped NUL in the path", "/v1/chat/completions%00", UNKNOWN),
        target("a semicolon", "/v1/chat/completions;x=y", UNKNOWN),
        target("a backslash", "/v1\\chat\\completions", UNKNOWN),
        target("other letters", "/V1/Chat/Completions", UNKNOWN),
        target("a query", "/v1/chat/completions?model=other&stream=true", forwarded()),
        target("a fragment", "/v1/chat/completions#x", forwarded()),
        target("a whole URL", "http://127.0.0.1:4180/v1/chat/completions", forwarded()),
        target(
            "a whole URL of another server",
            "http://evil.example/v1/chat/completions",
            Expect::Error(403, "forbidden_origin", None),
        ),
        target("a NUL in the path", "/v1/chat\0/completions", BAD),
        target("a blank in the path", "/v1/chat /completions", BAD),
        target("no slash at the beginning", "v1/chat/completions", BAD),
        target("UTF-8 in the path", "/v1/chat/complétions", UNKNOWN),
        get("a file of the machine", "/../../../etc/passwd", UNKNOWN),
        get(
            "a model beyond the list",
            "/v1/models/..%2f..%2fetc%2fpasswd",
            Expect::Error(404, "model_not_found", Some("model")),
        ),
        get(
            "a model with bad escapes",
            "/v1/models/%ff%fe%zz",
            Expect::Error(404, "model_not_found", Some("model")),
        ),
        get("a path of 8,000 bytes", &format!("/{}", "a".repeat(8_000)), UNKNOWN),
        get("a path of 70,000 bytes", &format!("/{}", "a".repeat(70_000)), TOO_LARGE),
        get("an authority", "127.0.0.1:4180", UNKNOWN),
        get("a star", "*", UNKNOWN),
        get("the control plane's path", "/admin/v1/status", UNKNOWN),
        get("the metrics' path", "/metrics", UNKNOWN),
    ]
}

fn methods() -> Vec<Case> {
    let chat = "/v1/chat/completions HTTP/1.1";
    vec![
        line("GET for chat", &format!("GET {chat}"), METHOD),
        line("PUT", &format!("PUT {chat}"), METHOD),
        line("DELETE of the list", "DELETE /v1/models HTTP/1.1", METHOD),
        line("OPTIONS, as a browser asks first", &format!("OPTIONS {chat}"), METHOD),
        line("OPTIONS for all", "OPTIONS * HTTP/1.1", UNKNOWN),
        line("TRACE", &format!("TRACE {chat}"), METHOD),
        line("TRACK", &format!("TRACK {chat}"), METHOD),
        line("a method of one's own", &format!("BREW {chat}"), METHOD),
        line("a method in small letters", &format!("post {chat}"), METHOD),
        line("a method of 1,000 letters", &format!("{} {chat}", "A".repeat(1000)), METHOD),
        line("a method that is no token", &format!("PO(ST {chat}"), BAD),
        line("CONNECT", "CONNECT internal.example:443 HTTP/1.1", UNKNOWN),
        line("HEAD of the list", "HEAD /v1/models HTTP/1.1", Expect::Served),
    ]
}

fn fields() -> Vec<Case> {
    let raw = |name, bytes: &[u8], expect| Case::new(name, Bytes::copy_from_slice(bytes), expect);
    vec![
        field("a folded line", "x: a\r\n b\r\n", BAD),
        Case::new(
            "a folded line first",
            format!("POST /v1/chat/completions HTTP/1.1\r\n x: y\r\nhost: {HOST}\r\n\r\n"),
            BAD,
        ),
        field("a NUL in a value", "x: a\0b\r\n", BAD),
        field("a carriage return in a value", "x: a\rb\r\n", BAD),
        field("a carriage return in a name", "x\ry: a\r\n", BAD),
        field("a blank in a name", "x y: a\r\n", BAD),
        field("a blank before the colon", "x : a\r\n", BAD),
        field("no name", ": a\r\n", BAD),
        field("no colon", "xyz\r\n", BAD),
        field("a name that is no token", "x(y): a\r\n", BAD),
        field("a name beyond ASCII", "h\u{f6}st: a\r\n", BAD),
        field("a value beyond ASCII", "x-note: gr\u{fc}n \u{1f600}\r\n", forwarded()),
        field("a tab in a value", "x: a\tb\r\n", forwarded()),
        field("an empty value", "x:\r\n", forwarded()),
        field("labels that are no text", "x-pointsman-tags: \u{fc}\r\nx-pointsman-agent: \r\n", forwarded()),
        field("a trace that is none", "traceparent: 00-zz-zz-zz\r\ntracestate: \u{fc}\r\n", forwarded()),
        field(
            "headers that name another client",
            "x-forwarded-for: 10.0.0.1\r\nforwarded: for=10.0.0.1\r\nx-real-ip: 10.0.0.1\r\n",
            Expect::Error(403, "forbidden_origin", None),
        ),
        field("a content type that is none", "content-type: text/plain, \r\n", forwarded()),
        raw(
            "lines ended by line feeds",
            format!(
                "POST /v1/chat/completions HTTP/1.1\nhost: {HOST}\ncontent-length: {}\n\n{BODY}",
                BODY.len()
            )
            .as_bytes(),
            forwarded(),
        ),
    ]
}

fn floods() -> Vec<Case> {
    let many: String = (0..90).map(|n| format!("x-{n}: 1\r\n")).collect();
    let too_many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let same = "x: 1\r\n".repeat(5_000);
    vec![
        field("90 fields", &many, forwarded()),
        Case::new("200 fields", head(&too_many), TOO_LARGE),
        Case::new("5,000 times one field", head(&same), TOO_LARGE),
        field("a value of 16 KB", &format!("x: {}\r\n", "y".repeat(16 << 10)), forwarded()),
        Case::new("a value of 100 KB", head(&format!("x: {}\r\n", "y".repeat(100_000))), TOO_LARGE),
        field("a name of 8,000 bytes", &format!("{}: y\r\n", "x".repeat(8_000)), forwarded()),
        Case::new("a name of 65,536 bytes", head(&format!("{}: y\r\n", "x".repeat(65_536))), TOO_LARGE),
        Case::new("a head without end", Bytes::from_static(b"POST / HTTP/1.1\r\n"), TOO_LARGE).then(
            Step::Repeat(Bytes::from_static(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"), 100_000),
        ),
        Case::new("a first line without end", Bytes::from_static(b"GET /"), TOO_LARGE)
            .then(Step::Repeat(Bytes::from(vec![b'a'; 65_536]), 100)),
        Case::new("a method without end", vec![b'A'; 70_000], TOO_LARGE),
        Case::new("nothing but line ends", b"\r\n".repeat(100_000), TOO_LARGE),
    ]
}

fn protocols() -> Vec<Case> {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    vec![
        Case::new("HTTP/0.9", "GET /v1/models\r\n", BAD),
        Case::new("HTTP/1.0", format!("GET /v1/models HTTP/1.0\r\nhost: {HOST}\r\n\r\n"), Expect::Served),
        Case::new("HTTP/1.2", format!("GET /v1/models HTTP/1.2\r\nhost: {HOST}\r\n\r\n"), BAD),
        Case::new("HTTP/3.0", "GET /v1/models HTTP/3.0\r\n\r\n", BAD),
        Case::new("a version that is none", "GET /v1/models HTTPS/1.1\r\n\r\n", BAD),
        Case::new("the preface of HTTP/2", &preface[..], BAD).closed(),
        Case::new("a TLS hello", hello, BAD),
        Case::new("SSH", "SSH-2.0-OpenSSH_9.7\r\n", BAD),
        Case::new("SMTP", "EHLO x\r\nMAIL FROM:<x@example>\r\n", BAD),
        Case::new("Redis", "*1\r\n$4\r\nINFO\r\n", BAD),
        Case::new(
            "a PROXY line",
            format!("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n"),
            BAD,
        ),
        Case::new("zeros", vec![0; 4096], BAD),
        Case::new(
            "random bytes",
            (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect::<Vec<_>>(),
            BAD,
        ),
        Case::new("nothing at all", "", BAD).closed().then(Step::EndWrite),
    ]
}
