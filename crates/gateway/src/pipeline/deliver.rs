//! Stage 12: the answer's head, and the body that goes with it.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pointsman_config::Deployment;
use pointsman_core::{Dialect, ErrorCode, Outcome, PublicError};
use pointsman_wire::neutral::Losses;

use crate::body::ResponseBody;
use crate::meter::micros;
use crate::pipeline::attempt::{Opened, PlainAnswer};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::Rejection;
use crate::pipeline::translate::streams_lines;
use crate::settlement::Settlement;
use crate::stream::{StreamDriver, StreamStart};
use crate::{errors, headers};

/// The type of an event stream.
const EVENTS: &str = "text/event-stream; charset=utf-8";

/// What an answer's head has from here, and from the HTTP server.
const OWN_HEADERS: usize = 10;

/// Turns what was opened into a response.
pub(crate) fn deliver(dispatch: Box<Dispatch>, opened: Opened) -> Response<ResponseBody> {
    match opened {
        Opened::Plain(answer) => plain(dispatch, answer),
        Opened::Stream(start) => stream(dispatch, *start),
        Opened::Rejected(rejection) => {
            rejected(dispatch.asked.dialect, dispatch.into_settlement(), *rejection)
        }
    }
}

fn plain(dispatch: Box<Dispatch>, answer: PlainAnswer) -> Response<ResponseBody> {
    let dropped = dropped(&dispatch.dropped);
    let mut settlement = dispatch.into_settlement();
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
    // Room for those of most answers, so that the map need not grow.
    response.headers_mut().reserve(OWN_HEADERS);
    describe(&mut response, &settlement, &answer.deployment);
    let content_type = answer.headers.get(header::CONTENT_TYPE).cloned();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
    headers::answer(&answer.headers, out);
    if let Some(dropped) = dropped {
        out.insert(headers::DROPPED, dropped);
    }
    if let Some(cost) = settlement.record().and_then(|record| record.cost)
        && let Ok(value) = HeaderValue::try_from(cost.total().to_string())
    {
        out.insert(headers::COST_USD, value);
    }
    out.insert(headers::OVERHEAD_US, HeaderValue::from(settlement.meter.overhead_us(settlement.now())));
    response
}

fn stream(dispatch: Box<Dispatch>, start: StreamStart) -> Response<ResponseBody> {
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
    let content_type = match dispatch.asked.dialect {
        Dialect::OpenAiChat => EVENTS,
        _ if dispatch.asked.json_array => "application/json",
        dialect if streams_lines(dialect) => "application/x-ndjson",
        _ => EVENTS,
    };
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Tells nginx and its kin not to hold the stream back.
    out.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers::answer(&start.headers, out);
    if let Some(dropped) = dropped(&dispatch.dropped) {
        out.insert(headers::DROPPED, dropped);
    }
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

fn rejected(dialect: Dialect, mut settlement: Settlement, rejection: Rejection) -> Response<ResponseBody> {
    let status = rejection.status;
    let outcome = rejection.outcome;
    let code = refused_as(outcome);
    settlement.end(outcome, status.as_u16(), Some(code));
    // Passed on as it is where the client can read it; in our own shape where it is HTML or the like.
    let body = if rejection.is_in(dialect) {
        rejection.body
    } else {
        let message = if rejection.error.message.is_empty() {
            format!("the provider refused the request with status {}", status.as_u16())
        } else {
            rejection.error.message.clone()
        };
        errors::render_in(dialect, &PublicError::new(code, message), settlement.record())
    };
    settlement.update(|record| record.response_bytes = body.len() as u64);
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::answer(&rejection.headers, response.headers_mut());
    describe(&mut response, &settlement, &rejection.deployment);
    response
}

/// The code of a refusal that goes to the client.
pub(crate) const fn refused_as(outcome: Outcome) -> ErrorCode {
    match outcome {
        Outcome::ContextTooLong => ErrorCode::ContextTooLong,
        Outcome::ContentFiltered => ErrorCode::ContentFiltered,
        _ => ErrorCode::UpstreamRejected,
    }
}

/// What the request to the provider did not carry, for the client.
fn dropped(losses: &Losses) -> Option<HeaderValue> {
    let mut listed = String::new();
    headers::list(&mut listed, losses.iter().map(str::to_owned));
    HeaderValue::try_from(listed).ok().filter(|value| !value.is_empty())
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
