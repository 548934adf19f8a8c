//! Counting a prompt's tokens: asked of the candidate where its dialect has a call for that, else
//! estimated, and marked as such.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use pointsman_config::Deployment;
use pointsman_core::{Operation, Outcome, Phase, PublicError, Usage};
use pointsman_transport::{RequestBody, collect};
use pointsman_wire::convert::{counts_tokens, read_count, render_count};
use tokio::time::timeout_at;

use crate::body::ResponseBody;
use crate::pipeline::attempt::{self, Failure, Opened};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::{Rejection, refusal};
use crate::pipeline::translate::{self, Speech};
use crate::pipeline::{deliver, refuse_in};
use crate::{errors, headers};

/// Longest count that is read, in bytes.
const MAX_COUNT_BYTES: usize = 64 * 1024;

/// What counting came to.
enum Counted {
    /// The provider's own answer, as the client reads it.
    Asked(HeaderMap, Bytes),
    /// Nobody counted.
    Estimated(Bytes),
    /// The provider says that the request is wrong.
    Rejected(Box<Rejection>),
}

/// Answers a request to count tokens.
pub(crate) async fn run(mut dispatch: Box<Dispatch>) -> Response<ResponseBody> {
    match open(&mut dispatch).await {
        Ok((deployment, counted)) => answer(dispatch, &deployment, counted),
        Err(error) => refuse_in(dispatch.asked.dialect, dispatch.into_settlement(), &error),
    }
}

/// Asks one candidate after the other, until one has counted or nobody can.
async fn open(dispatch: &mut Dispatch) -> Result<(Arc<Deployment>, Counted), PublicError> {
    loop {
        let deployment = dispatch.candidate().await?;
        let counted = match asks(dispatch, &deployment) {
            true => ask(dispatch, &deployment).await,
            false => {
                dispatch.give_back_pass();
                estimate(dispatch)
            }
        };
        let failure = match counted {
            Ok(counted) => return Ok((deployment, counted)),
            Err(failure) => failure,
        };
        if failure.unsaid.is_some() {
            dispatch.pass_over(deployment, failure)?;
        } else if let Some(rejection) = dispatch.go_on(deployment.clone(), failure)? {
            // A server that is no vendor's need not have this call of the dialect.
            let lacks = matches!(rejection.status.as_u16(), 404 | 405 | 501);
            let counted = match lacks && deployment.provider.vendor.is_none() {
                true => estimate(dispatch).unwrap_or(Counted::Rejected(rejection)),
                false => Counted::Rejected(rejection),
            };
            return Ok((deployment, counted));
        }
    }
}

/// Whether this candidate has a call that counts.
fn asks(dispatch: &mut Dispatch, deployment: &Deployment) -> bool {
    dispatch.speech = Speech::with(dispatch, deployment);
    let provider = &deployment.provider;
    let upstream = dispatch.speech.upstream;
    // A name that has no place in a path is told of by the call itself.
    let path = || provider.call_target(upstream, Operation::TokenCount, "any", false);
    counts_tokens(upstream) && !provider.simulated() && path().is_some()
}

async fn ask(dispatch: &mut Dispatch, deployment: &Arc<Deployment>) -> Result<Counted, Failure> {
    let speech = dispatch.speech;
    let request = match speech.rewritten {
        true => translate::encode(dispatch, deployment).await?,
        false => attempt::encode(dispatch, deployment, None, false)?,
    };
    let started = dispatch.gateway.clock.now();
    dispatch.begin_attempt(deployment, request.body().exact_len().unwrap_or_default(), started);
    let result = exchange(dispatch, deployment, request).await;
    let now = dispatch.gateway.clock.now();
    dispatch.settlement.meter.resume(now);
    let (outcome, detail) = match &result {
        Ok(_) => (Outcome::Success, None),
        Err(failure) => {
            (failure.outcome, Some(failure.detail.clone().unwrap_or_else(|| failure.public.as_ref().into())))
        }
    };
    dispatch.settlement.end_attempt(outcome, Usage::default(), detail, now);
    result
}

async fn exchange(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    request: http::Request<RequestBody>,
) -> Result<Counted, Failure> {
    let limit = dispatch.deadline.instant();
    let connect = dispatch.timeouts(deployment).connect;
    dispatch.settlement.meter.pause(dispatch.gateway.clock.now());
    let response = match timeout_at(limit, deployment.provider.upstream.send_within(request, connect)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(attempt::send_failure(&error)),
        Err(_) => return Err(attempt::timed_out(Phase::Total)),
    };
    let Speech { client, upstream, .. } = dispatch.speech;
    let answered = dispatch.gateway.clock.now();
    dispatch.settlement.attempt_answered(response.status(), response.headers(), answered);
    if !response.status().is_success() {
        return Err(refusal(dispatch, deployment, response, upstream).await);
    }
    let (head, body) = response.into_parts();
    let body = match timeout_at(limit, collect(body, MAX_COUNT_BYTES)).await {
        Ok(Ok(body)) => attempt::decode(&head.headers, body, MAX_COUNT_BYTES)?,
        Ok(Err(error)) => return Err(attempt::broken(false, "the answer broke off").because(error)),
        Err(_) => return Err(attempt::timed_out(Phase::Total)),
    };
    let tokens = read_count(upstream, &body).map_err(|error| {
        Failure::new(Outcome::Malformed, "the answer could not be understood").because(error)
    })?;
    let body = if client == upstream { body } else { render_count(client, tokens).into() };
    Ok(Counted::Asked(head.headers, body))
}

fn estimate(dispatch: &Dispatch) -> Result<Counted, Failure> {
    let dialect = dispatch.asked.dialect;
    let document = translate::read(dispatch)?;
    let tokens = translate::decode(dispatch, &document)?.estimated_tokens();
    Ok(Counted::Estimated(render_count(dialect, tokens).into()))
}

fn answer(dispatch: Box<Dispatch>, deployment: &Arc<Deployment>, counted: Counted) -> Response<ResponseBody> {
    let (from, body, estimated) = match counted {
        Counted::Asked(headers, body) => (headers, body, false),
        Counted::Estimated(body) => (HeaderMap::new(), body, true),
        Counted::Rejected(rejection) => return deliver::deliver(dispatch, Opened::Rejected(rejection)),
    };
    let mut settlement = dispatch.into_settlement();
    settlement.update(|record| {
        record.response_bytes = body.len() as u64;
        record.simulated = deployment.provider.simulated();
    });
    settlement.end(Outcome::Success, StatusCode::OK.as_u16(), None);
    let mut response = errors::json(StatusCode::OK, body);
    let out = response.headers_mut();
    headers::answer(&from, out);
    if estimated {
        out.insert(headers::ESTIMATED, HeaderValue::from_static("true"));
    }
    if let Some(record) = settlement.record() {
        deliver::name_source(out, &settlement, deployment, record.attempts.len());
        headers::insert_request_id(out, record.id);
    }
    response
}
