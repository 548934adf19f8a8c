//! JSON in, anything out: moderations, rerank, images, speech. Tried again and elsewhere until an answer
//! begins.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use pointsman_core::{Operation, PublicError};
use pointsman_wire::probe::probe;

use crate::Gateway;
use crate::body::ResponseBody;
use crate::errors;
use crate::passthrough::answer;
use crate::passthrough::exchange::{self, Answers};
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::{admit, attempt, plan, read, refuse};

pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (head, body) = request.into_parts();
    let admit::Admitted { snapshot, mut settlement } = match admit::admit(gateway, peer, operation, &head) {
        Ok(admitted) => admitted,
        Err(error) => return errors::response(&error, None),
    };
    settlement.meter.pause(gateway.clock.now());
    let received = read::read(body, &head.headers, admit::body_limits(&snapshot), &gateway.metrics).await;
    settlement.meter.resume(gateway.clock.now());
    let received = match received {
        Ok(received) => received,
        Err(error) => return refuse(settlement, &error),
    };
    settlement.update(|record| record.request_bytes = received.wire_bytes);
    settlement.lease = Some(received.lease);
    let planned = probe(&received.bytes)
        .map_err(PublicError::from)
        .and_then(|probe| plan::plan(&snapshot, &probe, operation, &mut settlement));
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) => return refuse(settlement, &error),
    };
    let outgoing = Outgoing::new(received.bytes, &head.headers);
    let mut dispatch = Dispatch::new(gateway.clone(), settlement, planned, outgoing);
    match open(&mut dispatch).await {
        Ok(opened) => answer::deliver(dispatch, opened),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

/// Makes attempts until one has an answer, or none is left.
async fn open(dispatch: &mut Dispatch) -> Result<answer::Opened, PublicError> {
    loop {
        let deployment = dispatch.candidate()?;
        exchange::begin(dispatch, &deployment);
        let result = match attempt::encode(dispatch, &deployment, false) {
            Ok(mut request) => {
                // Speech is no JSON.
                request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
                exchange::send(dispatch, &deployment, request, Answers::JsonHeld).await
            }
            Err(failure) => Err(failure),
        };
        match exchange::conclude(dispatch, &deployment, result) {
            Ok(answered) => return Ok(answer::Opened::Answered(answered)),
            Err(failure) => {
                if let Some(rejection) = dispatch.go_on(deployment, failure).await? {
                    return Ok(answer::Opened::Rejected(attempt::Opened::Rejected(rejection)));
                }
            }
        }
    }
}
