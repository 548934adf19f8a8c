//! Stage 12: the answer's head, and the body that goes with it.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pointsman_config::Deployment;
use pointsman_core::{ErrorCode, Outcome, PublicError};

use crate::body::ResponseBody;
use crate::meter::micros;
use crate::pipeline::attempt::{Opened, PlainAnswer, Rejection};
use crate::pipeline::dispatch::Dispatch;
use crate::settlement::Settlement;
use crate::stream::{StreamDriver, StreamStart};
use crate::{errors, headers};

/// Turns what was opened into a response.
pub(crate) fn deliver(dispatch: Dispatch, opened: Opened) -> Response<ResponseBody> {
    match opened {
        Opened::Plain(answer) => plain(dispatch.into_settlement(), answer),
        Opened::Stream(start) => stream(dispatch, *start),
        Opened::Rejected(rejection) => rejected(dispatch.into_settlement(), *rejection),
    }
}

fn plain(mut settlement: Settlement, answer: PlainAnswer) -> Response<ResponseBody> {
    let now = settlement.now();
    let first_token_us = settlement.meter.elapsed_us(now);
    let length = answer.body.len() as u64;
    if let Some(request) = answer.store {
        settlement.store_bodies(request, answer.body.clone());
    }
    settlement.update(|record| {
        record.response_bytes = length;
        record.first_token_us = Some(first_token_us);
        record.simulated = answer.deployment.provider.simulated();
    });
    settlement.end(Outcome::Success, StatusCode::OK.as_u16(), None);
    let mut response = Response::new(ResponseBody::full(answer.body));
    describe(&mut response, &settlement, &answer.deployment);
    let content_type = answer.headers.get(header::CONTENT_TYPE).cloned();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
    headers::answer(&answer.headers, out);
    if let Some(cost) = settlement.record().and_then(|record| record.cost)
        && let Ok(value) = HeaderValue::try_from(cost.total().to_string())
    {
        out.insert(headers::COST_USD, value);
    }
    out.insert(headers::OVERHEAD_US, HeaderValue::from(settlement.meter.overhead_us(settlement.now())));
    response
}

fn stream(dispatch: Dispatch, start: StreamStart) -> Response<ResponseBody> {
    let mut dispatch = dispatch;
    let now = dispatch.gateway.clock.now();
    let first_token_us = micros(now.saturating_duration_since(dispatch.settlement.meter.started()));
    let simulated = start.deployment.provider.simulated();
    dispatch.settlement.update(|record| {
        record.first_token_us = Some(first_token_us);
        record.simulated = simulated;
        record.status = StatusCode::OK.as_u16();
    });
    let mut response = Response::new(());
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Tells nginx and its kin not to hold the stream back.
    out.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers::answer(&start.headers, out);
    let deployment = start.deployment.clone();
    // The attempt that is under way has no row yet.
    let attempts = dispatch.settlement.record().map_or(0, |record| record.attempts.len()) + 1;
    let id = dispatch.settlement.record().map(|record| record.id);
    let mut source = HeaderMap::new();
    name_source(&mut source, &dispatch.settlement, &deployment, attempts);
    let driver = StreamDriver::new(dispatch, start);
    let mut response = response.map(|()| ResponseBody::stream(driver));
    response.headers_mut().extend(source);
    if let Some(id) = id {
        headers::insert_request_id(response.headers_mut(), id);
    }
    response
}

fn rejected(mut settlement: Settlement, rejection: Rejection) -> Response<ResponseBody> {
    let status = rejection.status;
    settlement.end(Outcome::ClientFault, status.as_u16(), Some(ErrorCode::UpstreamRejected));
    // Passed on as it is where clients can read it; in our own shape where it is HTML or the like.
    let body = if rejection.in_openai_shape() {
        rejection.body
    } else {
        let message = if rejection.error.message.is_empty() {
            format!("the provider refused the request with status {}", status.as_u16())
        } else {
            rejection.error.message.clone()
        };
        errors::render(&PublicError::new(ErrorCode::UpstreamRejected, message), settlement.record())
    };
    settlement.update(|record| record.response_bytes = body.len() as u64);
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::answer(&rejection.headers, response.headers_mut());
    describe(&mut response, &settlement, &rejection.deployment);
    response
}

/// Which request this was, and who answered it.
fn describe(response: &mut Response<ResponseBody>, settlement: &Settlement, deployment: &Deployment) {
    if let Some(record) = settlement.record() {
        name_source(response.headers_mut(), settlement, deployment, record.attempts.len());
        headers::insert_request_id(response.headers_mut(), record.id);
    }
}

pub(crate) fn name_source(
    out: &mut HeaderMap,
    settlement: &Settlement,
    deployment: &Deployment,
    attempts: usize,
) {
    if let Some(live) = settlement.live(deployment) {
        out.insert(headers::MODEL, live.model_header.clone());
        out.insert(headers::PROVIDER, live.provider_header.clone());
    }
    out.insert(headers::ATTEMPTS, HeaderValue::from(attempts));
    if deployment.provider.simulated() {
        out.insert(headers::SIMULATED, HeaderValue::from_static("true"));
    }
}
