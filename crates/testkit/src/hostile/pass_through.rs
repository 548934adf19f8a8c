//! Tricks with paths where a route lets `/v1/things/**` and `/v1/*` through: what goes on is what was
//! allowed, and what is served or not allowed stays where it is.

use super::{BODY, Case, Expect, HOST, Step, with_length};

const UNKNOWN: Expect = Expect::Error(404, "unknown_path", None);

/// The route of [`super::config`] that lets paths through.
pub(super) const ROUTES: &str = "routes:\n  wide:\n    model: alpha/m\n    pass_through:\n      \
     - { methods: [GET, POST], path: '/v1/things/**' }\n      - { methods: POST, path: '/v1/*' }\n";

pub(super) fn cases() -> Vec<Case> {
    let post = |name, target: &str, expect| {
        let input = String::from_utf8_lossy(&with_length("connection: close\r\n", BODY.as_bytes()))
            .replace("/v1/chat/completions", target);
        Case::new(name, input, expect)
    };
    let whole = || Expect::Forwarded(BODY.into());
    let mut cases = vec![
        post("a path that is let through", "/v1/things/a", whole()),
        post("the same with a query full of paths", "/v1/things/a?next=/../../v1/files&x=%2F%00", whole()),
        post("the same with an escaped colon", "/v1/things/ft%3Aa", whole()),
        post("the same with an escaped letter", "/v1/th%69ngs/a", whole()),
        post("one segment", "/v1/anything", whole()),
        post("the folder itself", "/v1/things/", UNKNOWN),
        post("two segments where one is allowed", "/v1/any/thing", UNKNOWN),
        post("another version", "/v2/things/a", UNKNOWN),
        post("dots out of a path that is let through", "/v1/things/../files", UNKNOWN),
        post("escaped dots out of it", "/v1/things/%2e%2e/files", UNKNOWN),
        post("half-escaped dots", "/v1/things/.%2E/files", UNKNOWN),
        post("dots and an escaped slash", "/v1/things/..%2ffiles", UNKNOWN),
        post("an escaped slash in one segment", "/v1/things%2Fa", UNKNOWN),
        post("double-encoded dots", "/v1/things/%252e%252e/files", UNKNOWN),
        post("a double-encoded slash", "/v1/things/..%252Ffiles", UNKNOWN),
        post("dots with a semicolon", "/v1/things/..;/files", UNKNOWN),
        post("dots with an escaped semicolon", "/v1/things/..%3b/files", UNKNOWN),
        post("more dots", "/v1/things/.../files", UNKNOWN),
        post("a dot", "/v1/things/./a", UNKNOWN),
        post("an empty segment", "/v1/things//a", UNKNOWN),
        post("a slash at the end of it", "/v1/things/a/", UNKNOWN),
        post("backslashes", "/v1/things/..\\files", UNKNOWN),
        post("escaped backslashes", "/v1/things/..%5Cfiles", UNKNOWN),
        post("an escaped NUL in it", "/v1/things/a%00b", UNKNOWN),
        post("an escaped line end", "/v1/things/a%0d%0aHost:%20x", UNKNOWN),
        post("an escaped question mark", "/v1/things/a%3Fb", UNKNOWN),
        post("overlong dots", "/v1/things/%c0%ae%c0%ae/files", UNKNOWN),
        post("an overlong slash out of it", "/v1/things/..%c0%affiles", UNKNOWN),
        post("a full-width slash", "/v1/things/..%ef%bc%8ffiles", UNKNOWN),
        post("an escape without digits", "/v1/things/%zz", UNKNOWN),
        post("half an escape", "/v1/things/a%2", UNKNOWN),
        post("a star of one's own", "/v1/things/*", UNKNOWN),
        post("a served path with an escaped letter", "/v1/%66iles", UNKNOWN),
        post("a served path in other letters", "/v1/Files", UNKNOWN),
        post("both", "/v1/%46ILES", UNKNOWN),
        post("a served path as one segment", "/v1/chat%2fcompletions", UNKNOWN),
    ];
    let line =
        |name, line: &str| Case::new(name, format!("{line} HTTP/1.1\r\nhost: {HOST}\r\n\r\n"), UNKNOWN);
    cases.extend([
        line("a method that is not let through", "DELETE /v1/things/a"),
        line("OPTIONS of it", "OPTIONS /v1/things/a"),
        line("TRACE of it", "TRACE /v1/things/a"),
        line("a method that is let through elsewhere", "GET /v1/anything"),
    ]);
    let half = format!("POST /v1/things/a HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 9\r\n\r\nhalf");
    let keyless = format!("POST /v1/things/a HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 0\r\n\r\n");
    cases.push(Case::new("a key is asked for", keyless, Expect::Error(401, "invalid_api_key", None)).keyed());
    cases.push(
        Case::new("half a body", half, Expect::Error(400, "body_unreadable", None)).then(Step::EndWrite),
    );
    cases
}
