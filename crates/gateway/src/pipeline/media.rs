//! Pictures and documents that a client names by address and a candidate takes only as bytes: fetched,
//! where the route allows it, from public addresses alone.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, StreamExt};
use http::header;
use pointsman_core::{ErrorCode, PublicError};
use pointsman_transport::guard::{FetchUrlError, Fetched, Fetcher, Limits};
use pointsman_wire::neutral::{Need, Resolved};

use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::read::too_many_bytes;

/// Addresses of one request.
const MAX_MEDIA: usize = 16;
/// Longest medium, in bytes.
const MAX_MEDIUM_BYTES: usize = 20 * 1024 * 1024;
/// How long one may take, redirects included.
const MEDIUM_WITHIN: Duration = Duration::from_secs(15);
/// Redirects that are followed.
const MAX_REDIRECTS: u32 = 3;
/// How many are fetched at the same time.
const AT_ONCE: usize = 4;
/// How much of an address an error repeats, in characters.
const MAX_ECHO: usize = 120;

/// Families of types that are fetched.
const FAMILIES: [&str; 3] = ["image/", "audio/", "video/"];
/// Single types that are.
const TYPES: [&str; 4] = ["application/pdf", "text/plain", "text/csv", "text/markdown"];
/// Types that say nothing: then the first bytes must.
const UNSAID: [&str; 3] = ["", "application/octet-stream", "binary/octet-stream"];
/// How files begin.
const BEGINNINGS: [(&[u8], &str); 4] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
];

/// What was fetched for a request.
#[derive(Debug, Default)]
pub(crate) struct Media {
    pub(crate) resolved: Resolved,
    /// Why something was not: nobody is asked a second time.
    failed: Option<PublicError>,
}

/// Fetches what `needs` names; the request keeps it for all its candidates.
///
/// # Errors
/// What could not be fetched, at its field.
pub(crate) async fn fetch(dispatch: &mut Dispatch, needs: Vec<Need>) -> Result<(), PublicError> {
    if let Some(failed) = dispatch.media.as_ref().and_then(|media| media.failed.clone()) {
        return Err(failed);
    }
    let fetched = all(dispatch, &needs).await;
    if let Err(error) = &fetched {
        dispatch.media.get_or_insert_default().failed = Some(error.clone());
    }
    fetched
}

async fn all(dispatch: &mut Dispatch, needs: &[Need]) -> Result<(), PublicError> {
    if let Some(beyond) = needs.get(MAX_MEDIA) {
        let message = format!("more than {MAX_MEDIA} media by address; send the bytes");
        return Err(at(beyond, message));
    }
    let gateway = dispatch.gateway.clone();
    let Some(fetcher) = gateway.fetcher.get() else {
        let message = "this server does not fetch media; send the bytes";
        return Err(PublicError::new(ErrorCode::UnsupportedOperation, message));
    };
    dispatch.settlement.meter.pause(gateway.clock.now());
    let left = dispatch.deadline.left(gateway.clock.now()).min(MEDIUM_WITHIN);
    let limits = Limits { time: left, bytes: MAX_MEDIUM_BYTES, redirects: MAX_REDIRECTS };
    let each: Vec<_> = needs.iter().map(|need| one(fetcher, need, limits)).collect();
    let mut fetching = stream::iter(each).buffer_unordered(AT_ONCE);
    let mut result = Ok(());
    while let Some(fetched) = fetching.next().await {
        result = fetched.and_then(|(need, mime, data)| {
            let lease = dispatch.settlement.lease.as_mut();
            // Counted as the body is: it is held as long.
            if lease.is_some_and(|lease| !lease.grow(data.len())) {
                return Err(too_many_bytes());
            }
            let media = dispatch.media.get_or_insert_default();
            media.resolved.0.insert(need.url.clone(), (mime, data));
            Ok(())
        });
        if result.is_err() {
            break;
        }
    }
    dispatch.settlement.meter.resume(gateway.clock.now());
    result
}

async fn one<'n>(
    fetcher: &Fetcher,
    need: &'n Need,
    limits: Limits,
) -> Result<(&'n Need, String, String), PublicError> {
    let fetched = fetcher.get(&need.url, limits).await.map_err(|error| {
        tracing::debug!(field = %need.path, %error, "a medium was not fetched");
        at(need, format!("`{}` could not be fetched: {}", shown(&need.url), public(&error)))
    })?;
    if !fetched.status.is_success() {
        let status = fetched.status.as_u16();
        return Err(at(need, format!("`{}` answers with status {status}", shown(&need.url))));
    }
    match kind(&fetched) {
        Some(kind) => Ok((need, kind, STANDARD.encode(&fetched.body))),
        None => {
            let message = format!("`{}` is no picture, document, sound or film", shown(&need.url));
            Err(at(need, message))
        }
    }
}

/// The type of what came; `None` where it is none of those that are fetched.
fn kind(fetched: &Fetched) -> Option<String> {
    let said = fetched.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = is_fetched(&said);
    if !known && !UNSAID.contains(&said.as_str()) {
        return None;
    }
    // The bytes know better than the server: vendors refuse a picture under another's name.
    type_of(&fetched.body).map(str::to_owned).or(known.then_some(said))
}

fn is_fetched(said: &str) -> bool {
    FAMILIES.iter().any(|family| said.starts_with(family)) || TYPES.contains(&said)
}

/// By how it begins.
fn type_of(body: &[u8]) -> Option<&'static str> {
    if body.starts_with(b"RIFF") && body.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    BEGINNINGS.iter().find(|(beginning, _)| body.starts_with(beginning)).map(|(_, kind)| *kind)
}

/// What a client may know: not where a name leads inside this network.
fn public(error: &FetchUrlError) -> String {
    match error {
        FetchUrlError::Connect(_) => "it is not public, or cannot be reached".to_owned(),
        FetchUrlError::Exchange(_) => "the connection broke".to_owned(),
        FetchUrlError::Body(_) => format!("it broke off, or is longer than {MAX_MEDIUM_BYTES} bytes"),
        FetchUrlError::Url(_)
        | FetchUrlError::Redirect
        | FetchUrlError::Downgrade
        | FetchUrlError::Redirects(_)
        | FetchUrlError::Timeout(_) => error.to_string(),
    }
}

fn shown(url: &str) -> String {
    url.chars().take(MAX_ECHO).collect()
}

fn at(need: &Need, message: String) -> PublicError {
    PublicError::new(ErrorCode::InvalidRequest, message).at(need.path.to_string())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn typed(content_type: &str, body: &'static [u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        let url = http::Uri::from_static("http://a.example/");
        kind(&Fetched { url, status: StatusCode::OK, headers, body: body.into() })
    }

    #[test]
    fn only_media_are_taken_and_a_silent_type_is_read_from_the_bytes() {
        assert_eq!(typed("Image/PNG; x=1", b"").as_deref(), Some("image/png"));
        assert_eq!(typed("application/pdf", b"").as_deref(), Some("application/pdf"));
        assert_eq!(typed("", b"\xff\xd8\xff\xe0").as_deref(), Some("image/jpeg"));
        assert_eq!(typed("", b"RIFF\x00\x00\x00\x00WEBPVP8 ").as_deref(), Some("image/webp"));
        assert_eq!(typed("", b"RIFF\x00\x00\x00\x00WAVEfmt "), None);
        assert_eq!(typed("binary/octet-stream", b"%PDF-1.7").as_deref(), Some("application/pdf"));
        for (said, body) in
            [("text/html", &b"\x89PNG\r\n\x1a\n"[..]), ("application/json", b"{}"), ("", b"<html>")]
        {
            assert_eq!(typed(said, body), None, "{said}");
        }
    }
}
