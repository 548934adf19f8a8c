//! Paths in the one form that patterns are compared with and that is sent on.

use pointsman_config::domain::is_plain_segment;

/// The same path without escapes. `None`: it has, or could be given, another reading.
///
/// Escapes of plain characters are undone (RFC 3986, 6.2.2.2), once. Whatever then is not plain is
/// refused: other escapes (so that nothing is left to be decoded again), dots alone, empty segments,
/// semicolons, backslashes.
pub(super) fn normalise(path: &str) -> Option<String> {
    let mut plain = String::with_capacity(path.len());
    for segment in path.strip_prefix('/')?.split('/') {
        let start = plain.len() + 1;
        plain.push('/');
        let mut rest = segment.bytes();
        while let Some(byte) = rest.next() {
            let byte = if byte == b'%' { escaped(&mut rest)? } else { byte };
            plain.push(char::from(byte));
        }
        if !is_plain_segment(plain.get(start..)?) {
            return None;
        }
    }
    Some(plain)
}

fn escaped(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let mut digit = || char::from(rest.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high << 4 | low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_plain_characters_are_undone() {
        for (path, plain) in [
            ("/v1/a", "/v1/a"),
            ("/v1/ft%3Agpt-4o%3a%3Ax", "/v1/ft:gpt-4o::x"),
            ("/v1/%66iles/a", "/v1/files/a"),
            ("/v1/a%2Eb", "/v1/a.b"),
            ("/v1/~a_b-c.d@e+f=g,h", "/v1/~a_b-c.d@e+f=g,h"),
        ] {
            assert_eq!(normalise(path).as_deref(), Some(plain), "{path}");
        }
    }

    #[test]
    fn whatever_could_be_read_otherwise_is_refused() {
        for path in [
            "",
            "*",
            "v1/a",
            "/",
            "//",
            "/v1/",
            "/v1//a",
            "/v1/a/",
            "/v1/./a",
            "/v1/../a",
            "/v1/a/..",
            "/v1/...",
            "/v1/%2e%2E/a",
            "/v1/.%2e/a",
            "/v1/a%2Fb",
            "/v1/a%2fb",
            "/v1/a%5Cb",
            "/v1/a\\b",
            "/v1/a%252Fb",
            "/v1/%252e%252e/a",
            "/v1/a%00",
            "/v1/a%0d%0ab",
            "/v1/a;b",
            "/v1/..;/a",
            "/v1/a%3Bb",
            "/v1/a%3Fb",
            "/v1/a%23b",
            "/v1/a%",
            "/v1/a%2",
            "/v1/a%zz",
            "/v1/a%+1",
            "/v1/%C0%AEa",
            "/v1/%C0%AF",
            "/v1/%EF%BC%8F",
            "/v1/\u{ff0f}",
            "/v1/a%20b",
            "/v1/a|b",
            "/v1/a*",
            "/v1/%2A",
        ] {
            assert_eq!(normalise(path), None, "{path}");
        }
    }
}
