//! JSON in, anything out: moderations, rerank, images, speech. Tried again and elsewhere until an answer
//! begins.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use pointsman_config::Deployment;
use pointsman_core::{Operation, Outcome, Phase, PublicError};
use tokio::time::Instant;

use crate::Gateway;
use crate::asked::Asked;
use crate::body::ResponseBody;
use crate::passthrough::answer;
use crate::passthrough::exchange::{self, Answers};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::{self, attempt, refuse};

pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let mut dispatch = match pipeline::prepare(gateway, peer, Asked::openai(operation), request).await {
        Ok(dispatch) => dispatch,
        Err(refusal) => return *refusal,
    };
    match open(&mut dispatch).await {
        Ok(opened) => answer::deliver(dispatch, opened),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

/// Makes attempts until one has an answer, or none is left.
async fn open(dispatch: &mut Dispatch) -> Result<answer::Opened, PublicError> {
    loop {
        let deployment = dispatch.candidate().await?;
        let edits = dispatch.take_first_edits();
        let offered = attempt::offers(dispatch, &deployment);
        let encoded = offered.and_then(|()| attempt::encode(dispatch, &deployment, edits, false));
        let encoded = match encoded {
            Err(failure) if failure.unsaid.is_some() => {
                dispatch.pass_over(deployment, failure)?;
                continue;
            }
            encoded => encoded,
        };
        exchange::begin(dispatch, &deployment);
        let head_by = head_deadline(dispatch, &deployment);
        let result = match encoded {
            Ok(mut request) => {
                // Speech is no JSON.
                request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
                exchange::send_until(dispatch, &deployment, request, Answers::JsonHeld, head_by).await
            }
            Err(failure) => Err(failure),
        };
        match exchange::conclude(dispatch, &deployment, result) {
            Ok(answered) => return Ok(answer::Opened::Answered(answered)),
            Err(failure) => {
                let rejection = match repetition(dispatch.operation, failure.outcome) {
                    Some(may_repeat) => dispatch.go_on_if(deployment, failure, may_repeat)?,
                    None => dispatch.give_up(deployment, failure)?,
                };
                if let Some(rejection) = rejection {
                    return Ok(answer::Opened::Rejected(attempt::Opened::Rejected(rejection)));
                }
            }
        }
    }
}

/// Whether somebody else may be asked after an attempt that ended so, and then whether the same one may be, too.
/// What makes pictures is paid by the piece: it is asked again only where no byte had left, and others only where
/// it said that it has done nothing.
const fn repetition(operation: Operation, outcome: Outcome) -> Option<bool> {
    if !matches!(operation, Operation::ImageGeneration) || outcome.nothing_sent() {
        return Some(true);
    }
    match outcome {
        Outcome::RateLimited { .. }
        | Outcome::Overloaded { .. }
        | Outcome::Unauthorized
        | Outcome::QuotaExhausted
        | Outcome::ModelNotFound => Some(false),
        _ => None,
    }
}

/// Pictures take their time. Where somebody else could draw them instead, a silent provider is given up
/// within the limit for a first byte.
fn head_deadline(dispatch: &Dispatch, deployment: &Deployment) -> (Instant, Phase) {
    let total = dispatch.deadline.instant();
    let first_byte = dispatch.gateway.clock.now() + dispatch.timeouts(deployment).first_byte;
    match dispatch.has_another() && first_byte < total {
        true => (first_byte, Phase::FirstByte),
        false => (total, Phase::Total),
    }
}
