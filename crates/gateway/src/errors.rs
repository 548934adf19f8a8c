//! The one place that maps errors to HTTP: status, headers, and the body in the client's dialect.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use pointsman_core::{Dialect, ErrorCode, PublicError, RequestRecord};
use pointsman_wire::convert::codec;
use pointsman_wire::openai::error::TriedCandidate;

use crate::body::ResponseBody;
use crate::headers;

/// The HTTP status of each error.
pub(crate) const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest
        | ErrorCode::DuplicateKey
        | ErrorCode::BodyUnreadable
        | ErrorCode::PreviousResponseNotFound => StatusCode::BAD_REQUEST,
        ErrorCode::ModelAmbiguous | ErrorCode::UnsupportedOperation => StatusCode::BAD_REQUEST,
        // A refusal keeps the provider's status where it has one; inside a 200 it has none.
        ErrorCode::UpstreamRejected | ErrorCode::ContextTooLong | ErrorCode::ContentFiltered => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::InvalidApiKey => StatusCode::UNAUTHORIZED,
        ErrorCode::ModelNotAllowed | ErrorCode::ForbiddenOrigin => StatusCode::FORBIDDEN,
        ErrorCode::ModelNotFound | ErrorCode::ObjectNotFound | ErrorCode::UnknownPath => {
            StatusCode::NOT_FOUND
        }
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
        ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::TooManyAuthFailures | ErrorCode::TooManyBytesInFlight | ErrorCode::UpstreamRateLimited => {
            StatusCode::TOO_MANY_REQUESTS
        }
        ErrorCode::Overloaded | ErrorCode::ShuttingDown | ErrorCode::UpstreamOverloaded => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::UpstreamUnauthorized
        | ErrorCode::UpstreamUnavailable
        | ErrorCode::UpstreamMalformed
        | ErrorCode::StreamInterrupted => StatusCode::BAD_GATEWAY,
    }
}

/// A whole error response in OpenAI's shape.
pub(crate) fn response(error: &PublicError, record: Option<&RequestRecord>) -> Response<ResponseBody> {
    response_in(Dialect::OpenAiChat, error, record)
}

/// A whole error response as a client that speaks `dialect` reads it.
pub(crate) fn response_in(
    dialect: Dialect,
    error: &PublicError,
    record: Option<&RequestRecord>,
) -> Response<ResponseBody> {
    let mut response = json(status(error.code), render_in(dialect, error, record));
    if let Some(after) = error.retry_after {
        // Whole seconds, rounded up: a client that comes back a moment early is refused again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.code == ErrorCode::InvalidApiKey {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if error.code == ErrorCode::UpgradeRequired {
        let out = response.headers_mut();
        out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        out.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        out.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    if error.code == ErrorCode::TooManyAuthFailures {
        // Each further guess costs a connection.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if error.code == ErrorCode::UpstreamUnauthorized {
        // Here only the operator can help.
        forbid_retry(&mut response);
    }
    if let Some(record) = record {
        headers::insert_request_id(response.headers_mut(), record.id);
        response.headers_mut().insert(headers::ATTEMPTS, HeaderValue::from(record.attempts.len()));
    }
    response
}

/// Keeps clients from trying again by themselves: OpenAI's and Anthropic's do so on 5xx unless told otherwise.
pub(crate) fn forbid_retry(response: &mut Response<ResponseBody>) {
    response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
}

/// The body of an error in OpenAI's shape, with every attempt so far.
pub(crate) fn render(error: &PublicError, record: Option<&RequestRecord>) -> Bytes {
    render_in(Dialect::OpenAiChat, error, record)
}

/// The body of an error, with every attempt so far.
pub(crate) fn render_in(dialect: Dialect, error: &PublicError, record: Option<&RequestRecord>) -> Bytes {
    let id = record.map(|record| record.id.to_string()).unwrap_or_default();
    let attempts = record.map(|record| record.attempts.as_slice()).unwrap_or_default();
    let tried: Vec<_> = attempts
        .iter()
        .map(|attempt| TriedCandidate {
            provider: &attempt.provider,
            model: &attempt.model,
            outcome: attempt.outcome.as_str(),
            status: attempt.status,
        })
        .collect();
    match codec(dialect) {
        Some(codec) => codec.render_error(error, &id, &tried),
        None => pointsman_wire::openai::error::render(error, &id, &tried),
    }
}

/// An error that ends a stream whose head has left. `tried` is the call that it came from.
pub(crate) fn stream_event(
    dialect: Dialect,
    error: &PublicError,
    record: Option<&RequestRecord>,
    tried: TriedCandidate<'_>,
) -> Bytes {
    let id = record.map(|record| record.id.to_string()).unwrap_or_default();
    match codec(dialect) {
        Some(codec) => codec.render_stream_error(error, &id, &[tried]),
        None => pointsman_wire::openai::error::render_stream_event(error, &id, &[tried]),
    }
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod limits_page;
