//! The request, in one screen: one file a stage, and [`run`] reads as the list of them.

pub(crate) mod admit;
pub(crate) mod attempt;
pub(crate) mod deliver;
pub(crate) mod dispatch;
pub(crate) mod identify;
mod leftover;
pub(crate) mod plan;
pub(crate) mod read;

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use pointsman_config::OnDisconnect;
use pointsman_core::{Operation, PublicError};
use pointsman_wire::probe::probe;

use crate::body::ResponseBody;
use crate::settlement::Settlement;
use crate::{Gateway, errors};

use self::dispatch::Dispatch;

/// Answers one request of the data plane.
pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let mut dispatch = match prepare(gateway, peer, operation, request).await {
        Ok(dispatch) => dispatch,
        Err(refusal) => return *refusal,
    };
    if dispatch.route.on_disconnect == OnDisconnect::Finish {
        // Boxed: these routes are few, and their future would make everybody's larger.
        return Box::pin(leftover::run(dispatch)).await;
    }
    let opened = dispatch.open().await;
    answer(dispatch, opened)
}

/// From a request with a JSON body to its plan: nothing has been sent yet.
///
/// # Errors
/// The refusal, settled.
pub(crate) async fn prepare(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    request: Request<Incoming>,
) -> Result<Dispatch, Box<Response<ResponseBody>>> {
    let (head, body) = request.into_parts();
    let admit::Admitted { snapshot, mut settlement } = admit::admit(gateway, peer, operation, &head)
        .map_err(|error| Box::new(errors::response(&error, None)))?;
    // Nothing before this line reads the body: its bytes are worth reading only for a known caller.
    settlement.meter.pause(gateway.clock.now());
    let received = read::read(body, &head.headers, admit::body_limits(&snapshot), &gateway.metrics).await;
    settlement.meter.resume(gateway.clock.now());
    let received = match received {
        Ok(received) => received,
        Err(error) => return Err(Box::new(refuse(settlement, &error))),
    };
    settlement.update(|record| record.request_bytes = received.wire_bytes);
    settlement.lease = Some(received.lease);
    let planned = probe(&received.bytes)
        .map_err(PublicError::from)
        .and_then(|probe| plan::plan(&snapshot, &probe, operation, &mut settlement));
    match planned {
        Ok(planned) => {
            let outgoing = dispatch::Outgoing::new(received.bytes, &head.headers);
            Ok(Dispatch::new(gateway.clone(), settlement, planned, outgoing))
        }
        Err(error) => Err(Box::new(refuse(settlement, &error))),
    }
}

/// The response to what dispatching came to.
fn answer(dispatch: Dispatch, opened: Result<attempt::Opened, PublicError>) -> Response<ResponseBody> {
    match opened {
        Ok(opened) => deliver::deliver(dispatch, opened),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

/// Ends a request with an error of ours.
pub(crate) fn refuse(mut settlement: Settlement, error: &PublicError) -> Response<ResponseBody> {
    let response = errors::response(error, settlement.record());
    settlement.refuse(error, response.status().as_u16());
    response
}
