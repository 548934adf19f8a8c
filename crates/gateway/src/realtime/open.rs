//! Opening a session upstream: a handshake of our own at one candidate after the other, until one takes it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, header};
use pointsman_config::Deployment;
use pointsman_core::{Dialect, Outcome, Phase, PublicError, Usage};
use pointsman_transport::{BoxedIo, Upgraded};
use pointsman_wire::websocket::handshake;
use tokio::time::timeout_at;

use super::handshake::{Offer, check_answer};
use super::query::Query;
use crate::passthrough::{exchange, request};
use crate::pipeline::attempt::{self, Failure, send_failure, timed_out};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::refusal;

/// What opening came to.
pub(crate) enum Opening {
    /// A session. Its attempt ends with it.
    Switched(Box<Switched>),
    /// The provider's own refusal.
    Rejected(attempt::Opened),
}

/// A provider that has taken the session.
pub(crate) struct Switched {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) headers: HeaderMap,
    /// The subprotocol that it chose.
    pub(crate) protocol: Option<HeaderValue>,
    pub(crate) io: BoxedIo,
}

/// Makes attempts until one opens a session, or none is left.
pub(crate) async fn open(
    dispatch: &mut Dispatch,
    offer: &Offer,
    query: &Query,
) -> Result<Opening, PublicError> {
    loop {
        let deployment = dispatch.candidate().await?;
        if let Err(failure) = attempt::offers(dispatch, &deployment) {
            dispatch.pass_over(deployment, failure)?;
            continue;
        }
        exchange::begin(dispatch, &deployment);
        let failure = match shake_hands(dispatch, &deployment, offer, query).await {
            Ok(switched) => return Ok(Opening::Switched(Box::new(switched))),
            Err(failure) => failure,
        };
        let now = dispatch.gateway.clock.now();
        let settlement = &mut dispatch.settlement;
        settlement.meter.resume(now);
        let detail = failure.detail.clone().unwrap_or_else(|| failure.public.as_ref().into());
        settlement.end_attempt(failure.outcome, Usage::default(), Some(detail), now);
        if let Some(rejection) = dispatch.go_on(deployment, failure)? {
            return Ok(Opening::Rejected(attempt::Opened::Rejected(rejection)));
        }
    }
}

async fn shake_hands(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    offer: &Offer,
    query: &Query,
) -> Result<Switched, Failure> {
    let internal = |error: &dyn std::fmt::Display| {
        Failure::new(Outcome::Malformed, "the request could not be encoded").because(error)
    };
    let provider = &deployment.provider;
    let target = query.target(provider, &deployment.key.model).map_err(|error| internal(&error))?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| internal(&error))?;
    let key = handshake::key(random);
    let turn = dispatch.key() as u64;
    let mut request = request::request(dispatch, deployment, Method::GET, target, turn);
    let out = request.headers_mut();
    out.remove(header::ACCEPT);
    out.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    out.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(handshake::VERSION));
    let value = HeaderValue::try_from(&key).map_err(|error| internal(&error))?;
    out.insert(header::SEC_WEBSOCKET_KEY, value);
    if let Some(offered) = offer.protocols.offered() {
        out.insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
    }

    let now = dispatch.gateway.clock.now();
    dispatch.settlement.meter.pause(now);
    let limit = dispatch.deadline.instant().min(now + dispatch.timeouts(deployment).first_byte);
    let upgraded = match timeout_at(limit, provider.upstream.upgrade(request)).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => return Err(send_failure(&error)),
        Err(_) => return Err(timed_out(Phase::FirstByte)),
    };
    let answered = dispatch.gateway.clock.now();
    let (head, io) = match upgraded {
        Upgraded::Switched(head, io) => (head, io),
        Upgraded::Refused(response) => {
            dispatch.settlement.attempt_answered(response.status(), response.headers(), answered);
            if response.status().is_success() {
                return Err(Failure::new(Outcome::Malformed, "it did not open a WebSocket"));
            }
            return Err(refusal(dispatch, deployment, response, Dialect::OpenAiChat).await);
        }
    };
    dispatch.settlement.attempt_answered(head.status(), head.headers(), answered);
    dispatch.settlement.first_token(answered);
    let headers = head.into_parts().0.headers;
    let protocol = check_answer(&headers, &key, &offer.protocols).map_err(|reason| {
        Failure::new(Outcome::Malformed, "its answer to the handshake is wrong").because(reason)
    })?;
    Ok(Switched { deployment: deployment.clone(), headers, protocol, io })
}
