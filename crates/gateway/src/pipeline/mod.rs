//! The request, in one screen: one file a stage, and [`run`] reads as the list of them.

pub(crate) mod admit;
pub(crate) mod alive;
pub(crate) mod attempt;
pub(crate) mod balance;
pub(crate) mod candidates;
mod chains;
pub(crate) mod coalesce;
mod count;
pub(crate) mod deliver;
pub(crate) mod dispatch;
mod embed;
pub(crate) mod exhaustion;
mod hedge;
pub(crate) mod identify;
mod leftover;
mod load;
mod media;
mod next;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod refusal;
pub(crate) mod translate;

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use pointsman_config::OnDisconnect;
use pointsman_core::{Dialect, Operation, PublicError};
use pointsman_wire::probe::probe;

use crate::asked::Asked;
use crate::body::ResponseBody;
use crate::settlement::Settlement;
use crate::{Gateway, errors, responses};

use self::dispatch::Dispatch;

/// Answers one request of the data plane.
pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    asked: Asked,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let mut dispatch = match prepare(gateway, peer, asked, request).await {
        Ok(dispatch) => dispatch,
        Err(refusal) => return *refusal,
    };
    if let Some(loaded) = load::answer(&mut dispatch) {
        return loaded;
    }
    if dispatch.operation == Operation::TokenCount {
        return Box::pin(count::run(dispatch)).await;
    }
    if dispatch.route.coalesce && !dispatch.streamed {
        // Boxed for the same reason as the next one.
        match Box::pin(coalesce::join(dispatch)).await {
            Ok(own) => dispatch = own,
            Err(shared) => return shared,
        }
    }
    if dispatch.route.on_disconnect == OnDisconnect::Finish {
        // Boxed: these routes are few, and their future would make everybody's larger.
        return Box::pin(leftover::run(dispatch)).await;
    }
    let opened = dispatch.open().await;
    dispatch.tell_followers(&opened);
    answer(dispatch, opened)
}

/// From a request with a JSON body to its plan: nothing has been sent yet.
///
/// # Errors
/// The refusal, settled.
pub(crate) async fn prepare(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    asked: Asked,
    request: Request<Incoming>,
) -> Result<Box<Dispatch>, Box<Response<ResponseBody>>> {
    let (head, body) = request.into_parts();
    let dialect = asked.dialect;
    let admit::Admitted { snapshot, mut settlement } = admit::admit(gateway, peer, asked.operation, &head)
        .map_err(|error| Box::new(errors::response_in(dialect, &error, None)))?;
    // Nothing before this line reads the body: its bytes are worth reading only for a known caller.
    settlement.meter.pause(gateway.clock.now());
    let received = read::read(body, &head.headers, admit::body_limits(&snapshot), &gateway.metrics).await;
    settlement.meter.resume(gateway.clock.now());
    let received = match received {
        Ok(received) => received,
        Err(error) => return Err(Box::new(refuse_in(dialect, settlement, &error))),
    };
    settlement.update(|record| record.request_bytes = received.wire_bytes);
    settlement.lease = Some(received.lease);
    let planned = probe(&received.bytes)
        .map_err(PublicError::from)
        .and_then(|probe| plan::plan(&snapshot, (&received.bytes, &probe), &asked, &mut settlement));
    match planned {
        Ok(planned) => {
            let outgoing = dispatch::Outgoing::new(received.bytes, &head.headers);
            let mut dispatch = Dispatch::new(gateway.clone(), settlement, planned, outgoing);
            dispatch.asked = asked;
            if dialect == Dialect::OpenAiResponses {
                let max_body = admit::body_limits(&snapshot).per_request;
                // Boxed: its future would make everybody's larger.
                if let Err(error) = Box::pin(responses::begin(&mut dispatch, max_body)).await {
                    return Err(Box::new(refuse_in(dialect, dispatch.into_settlement(), &error)));
                }
            }
            Ok(dispatch)
        }
        Err(error) => Err(Box::new(refuse_in(dialect, settlement, &error))),
    }
}

/// The response to what dispatching came to.
fn answer(dispatch: Box<Dispatch>, opened: Result<attempt::Opened, PublicError>) -> Response<ResponseBody> {
    match opened {
        Ok(opened) => deliver::deliver(dispatch, opened),
        Err(error) => refuse_in(dispatch.asked.dialect, dispatch.into_settlement(), &error),
    }
}

/// Ends a request of OpenAI's API with an error of ours.
pub(crate) fn refuse(settlement: Settlement, error: &PublicError) -> Response<ResponseBody> {
    refuse_in(Dialect::OpenAiChat, settlement, error)
}

/// Ends a request with an error of ours, in the client's dialect.
pub(crate) fn refuse_in(
    dialect: Dialect,
    mut settlement: Settlement,
    error: &PublicError,
) -> Response<ResponseBody> {
    let mut response = errors::response_in(dialect, error, settlement.record());
    if settlement.tried_enough {
        errors::forbid_retry(&mut response);
    }
    settlement.refuse(error, response.status().as_u16());
    response
}
