//! Forms with files: transcriptions, translations, image edits and variations. Held only until `model` is
//! known, then streamed with another name in its place.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use pointsman_config::Snapshot;
use pointsman_core::{ErrorCode, Operation, Outcome, PublicError};
use pointsman_wire::multipart::FormScanner;

use crate::Gateway;
use crate::body::ResponseBody;
use crate::budget::ByteLease;
use crate::errors;
use crate::passthrough::answer::{self, Opened};
use crate::passthrough::exchange::{self, Answered, Answers};
use crate::passthrough::request::request as head_of;
use crate::passthrough::upload::{SharedUpload, Upload, UploadLimits};
use crate::pipeline::attempt::Failure;
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::{admit, attempt, plan, refuse};
use crate::settlement::Settlement;

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
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let form = FormScanner::new(content_type.unwrap_or_default()).map_err(PublicError::from);
    let opened = form.and_then(|form| {
        let content_type = HeaderValue::try_from(form.content_type())
            .map_err(|_| PublicError::new(ErrorCode::InvalidRequest, "the boundary cannot be sent on"))?;
        let limits = upload_limits(&snapshot);
        let upload = Upload::new(body, &head.headers, Some(form), limits, gateway.clock)?;
        Ok((upload, content_type))
    });
    let (mut upload, content_type) = match opened {
        Ok(opened) => opened,
        Err(error) => return refuse(settlement, &error),
    };
    settlement.meter.pause(gateway.clock.now());
    let found = find_model(&mut upload, &snapshot, gateway, &mut settlement).await;
    settlement.meter.resume(gateway.clock.now());
    settlement.update(|record| record.request_bytes = upload.received());
    let planned = found.and_then(|model| plan::by_name(&snapshot, model.as_deref(), &mut settlement));
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) => return refuse(settlement, &error),
    };
    let outgoing = Outgoing::new(bytes::Bytes::new(), &head.headers);
    let mut dispatch = Dispatch::new(gateway.clone(), settlement, planned, outgoing);
    let upload = SharedUpload::new(upload);
    let opened = open(&mut dispatch, &upload, &content_type).await;
    let received = upload.lock().received();
    dispatch.settlement.update(|record| record.request_bytes = received);
    match opened {
        Ok(opened) => answer::deliver(dispatch, opened),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

/// The limits for bodies that are not held.
pub(crate) fn upload_limits(snapshot: &Snapshot) -> UploadLimits {
    let server = &snapshot.settings.server;
    UploadLimits { bytes: server.max_upload_bytes, idle: server.body_timeout }
}

async fn find_model(
    upload: &mut Upload,
    snapshot: &Snapshot,
    gateway: &Gateway,
    settlement: &mut Settlement,
) -> Result<Option<String>, PublicError> {
    let server = &snapshot.settings.server;
    let in_flight = usize::try_from(server.max_bytes_in_flight).unwrap_or(usize::MAX);
    let mut lease = ByteLease::new(gateway.metrics.clone(), in_flight);
    let mut held = 0;
    let found = upload
        .model(|more| {
            held += more;
            if held > server.max_body_bytes {
                let limit = server.max_body_bytes;
                let message = format!(
                    "`model` did not come within the first {limit} bytes of the form; send it before the file, or raise `server.max_body`"
                );
                return Err(PublicError::new(ErrorCode::BodyTooLarge, message).at("model"));
            }
            if lease.grow(usize::try_from(more).unwrap_or(usize::MAX)) {
                return Ok(());
            }
            Err(crate::pipeline::read::too_many_bytes())
        })
        .await;
    settlement.lease = Some(lease);
    found
}

/// Makes attempts until one has an answer, or the body has begun to leave.
async fn open(
    dispatch: &mut Dispatch,
    upload: &SharedUpload,
    content_type: &HeaderValue,
) -> Result<Opened, PublicError> {
    loop {
        let deployment = dispatch.candidate().await?;
        let target = match attempt::relayed_target(dispatch, &deployment) {
            Ok(target) => target,
            Err(failure) => {
                dispatch.pass_over(deployment, failure)?;
                continue;
            }
        };
        exchange::begin(dispatch, &deployment);
        let turn = dispatch.key() as u64;
        let mut request = head_of(dispatch, &deployment, Method::POST, target, turn);
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
        *request.body_mut() = upload.body(&deployment.key.model);
        let result = exchange::send(dispatch, &deployment, request, Answers::JsonHeld).await;
        let failure = match sent(dispatch, &deployment, upload, result)? {
            Ok(answered) => return Ok(Opened::Answered(answered)),
            Err(failure) => failure,
        };
        let started = upload.lock().started();
        let rejection = match started {
            true => dispatch.give_up(deployment, failure)?,
            false => dispatch.go_on(deployment, failure)?,
        };
        if let Some(rejection) = rejection {
            return Ok(Opened::Rejected(attempt::Opened::Rejected(rejection)));
        }
    }
}

/// Concludes an attempt whose body came from the client.
///
/// # Errors
/// The client's own part failed: no other provider can help.
pub(crate) fn sent(
    dispatch: &mut Dispatch,
    deployment: &pointsman_config::Deployment,
    upload: &SharedUpload,
    result: Result<Answered, Failure>,
) -> Result<Result<Answered, Failure>, PublicError> {
    let fault = upload.lock().take_fault();
    let result = match (&fault, result) {
        (Some(fault), Err(_)) => {
            Err(Failure::new(Outcome::ClientFault, "the request body failed").because(&fault.message))
        }
        (_, result) => result,
    };
    let concluded = exchange::conclude(dispatch, deployment, result);
    match (fault, concluded) {
        (Some(fault), Err(_)) => Err(fault),
        (_, concluded) => Ok(concluded),
    }
}
