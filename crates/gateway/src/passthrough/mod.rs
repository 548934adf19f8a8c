//! The rest of the OpenAI surface: forwarded as it is, with the same admission, plan, retry, records and
//! headers as a chat request.
//!
//! [`json`] takes a JSON body and may try again; [`form`] streams an [`upload`] and may not; [`exchange`] is one upstream call of any of these;
//! [`objects`] are files and batches, [`generic`] any other path that is let through, [`relay`] passes on answers
//! that are not held.

pub(crate) mod answer;
pub(crate) mod exchange;
mod form;
pub(crate) mod generic;
mod json;
mod objects;
pub(crate) mod relay;
pub(crate) mod request;
mod upload;

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use pointsman_core::Operation;

use crate::Gateway;
use crate::body::ResponseBody;

/// Answers a request of one of these operations.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    match operation {
        Operation::Transcription
        | Operation::Translation
        | Operation::ImageEdit
        | Operation::ImageVariation => form::run(&gateway, peer, operation, request).await,
        Operation::Files | Operation::Batches => objects::run(&gateway, peer, operation, request).await,
        _ => json::run(&gateway, peer, operation, request).await,
    }
}
