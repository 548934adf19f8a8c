//! Authentication: wraps every route, open or not, known or not.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::reply::Refusal;
use crate::state::AdminState;

/// The only paths that need no credential: an orchestrator asks them, and they tell nothing else.
pub(crate) const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// Makes a browser ask for the token, as the password of any user.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="pointsman admin", Bearer"#);

/// Lets a request through that is open or carries the token.
pub(crate) async fn require(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let allowed =
        OPEN.contains(&request.uri().path()) || is_admin(&state, request.method(), request.headers());
    let mut response = if allowed { next.run(request).await } else { refusal(&state) };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refusal(state: &AdminState) -> Response {
    let path = state.token.path().display();
    let mut response = Refusal::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "the admin token is missing or wrong",
        format!("send `Authorization: Bearer <token>`; the token is in {path}"),
    )
    .into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    response
}

/// Changes need a bearer token, which no browser adds by itself; Basic, which it does, only reads.
fn is_admin(state: &AdminState, method: &Method, headers: &HeaderMap) -> bool {
    // Two headers could mean two different callers: then none is believed.
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some(space) = value.as_bytes().iter().position(|&byte| byte == b' ') else { return false };
    let (scheme, given) = value.as_bytes().split_at(space);
    let given = given.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        state.token.matches(given)
    } else if scheme.eq_ignore_ascii_case(b"basic") && method.is_safe() {
        decode_base64(given)
            .and_then(|pair| {
                pair.splitn(2, |&byte| byte == b':').nth(1).map(|password| state.token.matches(password))
            })
            .unwrap_or(false)
    } else {
        false
    }
}

/// RFC 4648, section 4, with or without padding.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(unpadded.len() * 3 / 4);
    let (mut held, mut bits) = (0_u32, 0);
    for &digit in unpadded {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zg", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmFy", "foobar"),
            ("YWRtaW46cGFzczp3b3JkPz8/Pg==", "admin:pass:word???>"),
        ] {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode_base64(b"Zm9v!"), None);
    }
}
