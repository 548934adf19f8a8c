//! One request on a stream, up to the head of its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri, Version};
use http_body::Body;

use super::answer::Answer;
use super::session::Claimed;
use super::upload::Upload;
use super::{broken, unprocessed};
use crate::body::RequestBody;
use crate::h1::ExchangeError;
use crate::h1::conn::MAX_INTERIM;
use crate::h1::head::{Length, MAX_HEADERS};

/// Whom requests are for, in the words of HTTP/2.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
}

/// A request without an answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: ExchangeError,
    /// It is certain that the upstream has not begun with it.
    pub(crate) unprocessed: bool,
}

impl From<::h2::Error> for Unanswered {
    fn from(error: ::h2::Error) -> Self {
        Self { unprocessed: unprocessed(&error), error: broken(error) }
    }
}

impl From<ExchangeError> for Unanswered {
    fn from(error: ExchangeError) -> Self {
        Self { error, unprocessed: false }
    }
}

/// Sends `request` (origin-form target, `Host` set) and reads the head of its answer. Dropping the future
/// resets the stream.
pub(crate) async fn exchange(
    claimed: Claimed,
    request: Request<RequestBody>,
    target: &Target,
) -> Result<Response<Answer>, Unanswered> {
    let Claimed { mut send, mut claim } = claimed;
    let (head, body) = translate(request, target)?;
    let no_body = body.is_end_stream();
    let sending = send.send_request(head, no_body);
    // An error here comes before the first byte: the connection ended since it was chosen.
    let (mut answering, stream) =
        sending.map_err(|error| Unanswered { error: broken(error), unprocessed: true })?;
    // The connection may end while this request is all that is left of it.
    drop(send);
    let mut upload = (!no_body).then(|| Box::new(Upload::new(stream, body)));
    let mut interim = 0;
    let response = poll_fn(|cx| {
        if let Some(sending) = &mut upload
            && let Poll::Ready(sent) = sending.poll(cx)
        {
            upload = None;
            sent.map_err(ExchangeError::RequestBody)?;
        }
        while let Poll::Ready(Some(Ok(_))) = answering.poll_informational(cx) {
            interim += 1;
            if interim > MAX_INTERIM {
                return Poll::Ready(Err(ExchangeError::Malformed("too many interim answers").into()));
            }
        }
        Pin::new(&mut answering).poll(cx).map_err(Unanswered::from)
    })
    .await;
    claim.heard();
    let response = response?;
    if response.headers().len() > MAX_HEADERS {
        return Err(ExchangeError::Malformed("the head has too many fields").into());
    }
    let left = length(&response);
    Ok(response.map(|stream| Answer::new(stream, upload, left, claim)))
}

/// The head in the words of HTTP/2 (RFC 9113, 8.2.2 and 8.3.1), and the body.
fn translate(
    request: Request<RequestBody>,
    target: &Target,
) -> Result<(Request<()>, RequestBody), ExchangeError> {
    let (mut head, body) = request.into_parts();
    let length = Length::of(&head.method, &body);
    let headers = &mut head.headers;
    let authority = match headers.remove(HOST) {
        Some(host) if host.as_bytes() != target.authority.as_str().as_bytes() => {
            Authority::try_from(host.as_bytes())
                .map_err(|_| ExchangeError::Malformed("the Host of a request"))?
        }
        _ => target.authority.clone(),
    };
    strip(headers);
    if let Length::Known(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(target.scheme.clone());
    parts.authority = Some(authority);
    let path = head.uri.path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(parts).map_err(|_| ExchangeError::Malformed("the target of a request"))?;
    head.version = Version::HTTP_2;
    Ok((Request::from_parts(head, ()), body))
}

/// Without fields that belong to a connection of HTTP/1.1.
fn strip(headers: &mut HeaderMap) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, KEEP_ALIVE, PROXY_CONNECTION, TE, CONTENT_LENGTH] {
        headers.remove(name);
    }
}

/// What the head says of the body's length; the library holds the body to it.
fn length<B>(response: &Response<B>) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
