//! The answer's head, for relayed operations: what a plain chat answer says of itself, these say too.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use pointsman_core::Outcome;

use crate::body::ResponseBody;
use crate::passthrough::exchange::{Answered, Open, Whole};
use crate::passthrough::relay::RelayDriver;
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::{attempt, deliver};
use crate::settlement::Settlement;
use crate::{errors, headers};

/// What describes a body and goes with it.
const DESCRIBING: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_DISPOSITION, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];

/// What dispatching came to.
pub(crate) enum Opened {
    Answered(Answered),
    /// The provider's own refusal.
    Rejected(attempt::Opened),
    /// JSON of Pointsman's own: nobody had to be asked.
    Own(Bytes),
}

/// Turns what was opened into a response.
pub(crate) fn deliver(dispatch: Box<Dispatch>, opened: Opened) -> Response<ResponseBody> {
    match opened {
        Opened::Answered(Answered::Whole(answer)) => whole(dispatch.into_settlement(), *answer),
        Opened::Answered(Answered::Open(answer)) => open(dispatch, *answer),
        Opened::Rejected(rejection) => deliver::deliver(dispatch, rejection),
        Opened::Own(body) => own(dispatch.into_settlement(), body),
    }
}

fn whole(mut settlement: Settlement, answer: Whole) -> Response<ResponseBody> {
    let first_token_us = settlement.meter.elapsed_us(settlement.now());
    let length = answer.body.len() as u64;
    settlement.update(|record| {
        record.response_bytes = length;
        record.first_token_us = Some(first_token_us);
        record.simulated = answer.deployment.provider.simulated();
    });
    settlement.end(Outcome::Success, answer.status.as_u16(), None);
    let mut response = Response::new(ResponseBody::full(answer.body));
    *response.status_mut() = answer.status;
    let out = response.headers_mut();
    describe(&answer.headers, out);
    let attempts = settlement.record().map_or(0, |record| record.attempts.len());
    deliver::name_source(out, &settlement, &answer.deployment, attempts);
    if let Some(record) = settlement.record() {
        headers::insert_request_id(out, record.id);
        if let Some(value) = record.cost.and_then(|cost| HeaderValue::try_from(cost.total().to_string()).ok())
        {
            out.insert(headers::COST_USD, value);
        }
    }
    out.insert(headers::OVERHEAD_US, HeaderValue::from(settlement.meter.overhead_us(settlement.now())));
    response
}

fn own(mut settlement: Settlement, body: Bytes) -> Response<ResponseBody> {
    let length = body.len() as u64;
    settlement.update(|record| record.response_bytes = length);
    settlement.end(Outcome::Success, StatusCode::OK.as_u16(), None);
    let mut response = errors::json(StatusCode::OK, body);
    if let Some(record) = settlement.record() {
        headers::insert_request_id(response.headers_mut(), record.id);
    }
    response
}

fn open(mut dispatch: Box<Dispatch>, answer: Open) -> Response<ResponseBody> {
    let settlement = &mut dispatch.settlement;
    let first_token_us = settlement.meter.elapsed_us(settlement.now());
    let status = answer.status;
    settlement.update(|record| {
        record.first_token_us = Some(first_token_us);
        record.simulated = answer.deployment.provider.simulated();
        record.status = status.as_u16();
        record.streamed = true;
    });
    let mut out = HeaderMap::new();
    describe(&answer.headers, &mut out);
    // The attempt that is under way has no row yet.
    let attempts = settlement.record().map_or(0, |record| record.attempts.len()) + 1;
    deliver::name_source(&mut out, settlement, &answer.deployment, attempts);
    if let Some(record) = settlement.record() {
        headers::insert_request_id(&mut out, record.id);
    }
    let mut response = Response::new(ResponseBody::relay(RelayDriver::new(dispatch, answer)));
    *response.status_mut() = status;
    *response.headers_mut() = out;
    response
}

fn describe(from: &HeaderMap, to: &mut HeaderMap) {
    for name in DESCRIBING {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
    headers::answer(from, to);
}
