//! The head of a relayed request: ours, except for what the allow-list lets through.

use http::{HeaderValue, Method, Request, Uri, header};
use pointsman_config::Deployment;
use pointsman_transport::RequestBody;

use crate::headers;
use crate::pipeline::dispatch::Dispatch;

/// A request without content type or body; `turn` says which of the provider's keys goes with it.
pub(crate) fn request(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    method: Method,
    target: Uri,
    turn: u64,
) -> Request<RequestBody> {
    let provider = &deployment.provider;
    let mut request = Request::new(RequestBody::default());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    let span = dispatch.settlement.span();
    let out = request.headers_mut();
    out.insert(header::HOST, provider.upstream.host().clone());
    out.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let agent = HeaderValue::from_static(concat!("pointsman/", env!("CARGO_PKG_VERSION")));
    out.insert(header::USER_AGENT, agent);
    for (name, value) in &dispatch.outgoing.headers {
        out.append(name.clone(), value.clone());
    }
    headers::insert_traceparent(out, &dispatch.trace, span);
    // Last, so that nothing a client sends can stand in for them.
    provider.add_headers(out);
    if let Some(value) = provider.authorization(turn) {
        out.insert(provider.auth_header.clone(), value.clone());
    }
    request
}
