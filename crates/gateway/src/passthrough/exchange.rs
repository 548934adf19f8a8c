//! One upstream call of a relayed operation: send, wait for the head, hold the answer or pass it on.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Body;
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{Dialect, Operation, Outcome, Phase, Usage, UsageSource};
use pointsman_providers::PriceList;
use pointsman_providers::classify::classify_body_error;
use pointsman_transport::{RequestBody, UpstreamBody};
use pointsman_wire::openai::answer::observe;
use tokio::time::{Instant, timeout_at};

use crate::pipeline::alive::read_whole;
use crate::pipeline::attempt::{Failure, decode, send_failure, timed_out};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::{blamed, error_info, refusal};

/// Longest JSON answer that is held, in bytes: a dozen large images.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// What becomes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// JSON is read whole, so that a broken one can be asked for again; all else is passed on as it comes.
    JsonHeld,
    /// Everything is passed on as it comes.
    Relayed,
}

/// An answer that can be shown.
pub(crate) enum Answered {
    Whole(Box<Whole>),
    Open(Box<Open>),
}

/// An answer that is here to its last byte.
pub(crate) struct Whole {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
}

/// An answer whose body is still to come. Its attempt ends with it.
pub(crate) struct Open {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: UpstreamBody,
    /// Where the model is only known from the answer: the world that knows its price.
    pub(crate) models: Option<Arc<Snapshot>>,
}

/// The attempt is on the record from here on.
pub(crate) fn begin(dispatch: &mut Dispatch, deployment: &Arc<Deployment>) {
    let now = dispatch.gateway.clock.now();
    dispatch.begin_attempt(deployment, 0, now);
}

/// Sends `request` and waits for something to show, as long as the whole request may take.
pub(crate) async fn send(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    request: Request<RequestBody>,
    answers: Answers,
) -> Result<Answered, Failure> {
    let total = (dispatch.deadline.instant(), Phase::Total);
    send_until(dispatch, deployment, request, answers, total).await
}

/// The same with a limit of its own for the answer's head.
pub(crate) async fn send_until(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    request: Request<RequestBody>,
    answers: Answers,
    (head_by, phase): (Instant, Phase),
) -> Result<Answered, Failure> {
    dispatch.settlement.meter.pause(dispatch.gateway.clock.now());
    let connect = dispatch.timeouts(deployment).connect;
    let sending = deployment.provider.upstream.send_within(request, connect);
    let response = match timeout_at(head_by, sending).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(send_failure(&error)),
        Err(_) => return Err(timed_out(phase)),
    };
    let now = dispatch.gateway.clock.now();
    dispatch.settlement.attempt_answered(response.status(), response.headers(), now);
    if !response.status().is_success() {
        return Err(refusal(dispatch, deployment, response, Dialect::OpenAiChat).await);
    }
    if answers == Answers::JsonHeld && is_json(response.headers()) {
        return whole(dispatch, deployment, response).await.map(|whole| Answered::Whole(Box::new(whole)));
    }
    let (head, body) = response.into_parts();
    let (deployment, status, headers) = (deployment.clone(), head.status, head.headers);
    if body.is_end_stream() {
        let whole = Whole { deployment, status, headers, body: Bytes::new(), usage: None };
        return Ok(Answered::Whole(Box::new(whole)));
    }
    // How long it goes on is the client's affair as well.
    dispatch.settlement.first_token(now);
    Ok(Answered::Open(Box::new(Open { deployment, status, headers, body, models: None })))
}

/// Ends the attempt, except where its answer is still to come.
pub(crate) fn conclude(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    result: Result<Answered, Failure>,
) -> Result<Answered, Failure> {
    let now = dispatch.gateway.clock.now();
    let operation = dispatch.operation;
    let settlement = &mut dispatch.settlement;
    settlement.meter.resume(now);
    match &result {
        Ok(Answered::Open(_)) => {}
        Ok(Answered::Whole(whole)) => {
            let usage = whole.usage.unwrap_or_default();
            if !cost_is_known(deployment, operation, &usage) {
                settlement.cost_unknown();
            }
            settlement.end_attempt(Outcome::Success, usage, None, now);
            settlement.update(|record| record.usage = usage);
        }
        Err(failure) => {
            let detail = failure.detail.clone().unwrap_or_else(|| failure.public.as_ref().into());
            settlement.end_attempt(failure.outcome, Usage::default(), Some(detail), now);
        }
    }
    result
}

/// An answer without usage, or with another than its price is for, costs nobody knows what, unless nothing of this
/// deployment costs anything.
pub(crate) fn cost_is_known(deployment: &Deployment, operation: Operation, usage: &Usage) -> bool {
    // Keeping files and answers is not billed by the call; what a batch costs is billed by the provider later.
    let price = deployment.price.as_deref();
    matches!(operation, Operation::Files | Operation::Responses)
        || (usage.source != UsageSource::Unknown && price.is_none_or(|price| price.tells(usage)))
        || price == Some(&PriceList::FREE)
}

async fn whole(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
) -> Result<Whole, Failure> {
    let (head, body) = response.into_parts();
    let pause = dispatch.has_another().then(|| dispatch.timeouts(deployment).between_chunks);
    let body = read_whole(body, MAX_HELD_BYTES, dispatch.deadline.instant(), pause).await?;
    let mut headers = head.headers;
    let body = decode(&headers, body, MAX_HELD_BYTES)?;
    headers.remove(header::CONTENT_ENCODING);
    let observed = observe(dispatch.operation, &body).map_err(|error| {
        Failure::new(Outcome::Malformed, "the answer could not be understood").because(error)
    })?;
    // An answer that is only read again may tell of an error, and of what making it used.
    if dispatch.operation == Operation::Responses {
        let (deployment, status) = (deployment.clone(), head.status);
        return Ok(Whole { deployment, status, headers, body, usage: None });
    }
    if let Some(error) = &observed.error {
        let outcome = classify_body_error(&error_info(error));
        return Err(blamed(outcome, None, error, deployment));
    }
    let (deployment, status, usage) = (deployment.clone(), head.status, observed.usage);
    Ok(Whole { deployment, status, headers, body, usage })
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind == "application/json" || kind.ends_with("+json"))
}

/// The content type without its parameters, in small letters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
