//! `/livez` and `/readyz`: a word each, for load balancers.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::Gateway;
use crate::body::ResponseBody;

/// The process runs.
pub(crate) fn live() -> Response<ResponseBody> {
    text(StatusCode::OK, "ok\n")
}

/// New requests are welcome.
pub(crate) fn ready(gateway: &Gateway) -> Response<ResponseBody> {
    if gateway.drain.started() {
        text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        text(StatusCode::OK, "ok\n")
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
