//! Files and batches: objects that a provider keeps. An id belongs to the key that made it, and leads back
//! to its provider; for every other key there is no such object.

mod list;
mod path;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header, request};
use hyper::body::Incoming;
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::objects::{ObjectKind, ObjectOwners, OwnedObject};
use pointsman_core::{ErrorCode, Operation, Outcome, PublicError, Rng};
use pointsman_routing::{DynamicDeployment, ProviderId};
use pointsman_transport::RequestBody;
use pointsman_wire::openai::objects::texts;
use smallvec::smallvec;

use self::path::Call;
use crate::Gateway;
use crate::body::ResponseBody;
use crate::errors;
use crate::passthrough::answer::{self, Opened};
use crate::passthrough::exchange::{self, Answered, Answers, Whole};
use crate::passthrough::form;
use crate::passthrough::request::request as head_of;
use crate::passthrough::upload::{SharedUpload, Upload};
use crate::pipeline::attempt::{self, Failure};
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::plan::Planned;
use crate::pipeline::{admit, read, refuse};

/// Which provider is meant.
const PROVIDER: &str = "x-pointsman-provider";

/// What a request for an object is made of.
struct Asked {
    snapshot: Arc<Snapshot>,
    owners: Arc<dyn ObjectOwners>,
    owner: String,
    kind: ObjectKind,
    head: request::Parts,
}

/// What is sent.
enum Payload {
    Nothing,
    Json(Bytes),
    Upload(SharedUpload, Option<HeaderValue>),
}

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
    let principal = settlement.record().map(|record| record.principal.clone()).unwrap_or_default();
    let call = path::parse(operation, &head.method, head.uri.path());
    let checked = call.and_then(|call| match gateway.objects.get() {
        _ if principal.models.is_some() => Err(PublicError::new(
            ErrorCode::ModelNotAllowed,
            "a key that is limited to some models may not use files and batches: what a batch asks for is not looked into",
        )),
        None => Err(PublicError::new(ErrorCode::UnsupportedOperation, "this server keeps no files and batches")),
        Some(owners) => Ok((call, owners.clone())),
    });
    let (call, owners) = match checked {
        Ok(checked) => checked,
        Err(error) => return refuse(settlement, &error),
    };
    settlement.update(|record| record.requested_model = operation.as_str().into());
    let owner = principal.key.as_deref().unwrap_or_default().to_owned();
    let kind = if operation == Operation::Files { ObjectKind::File } else { ObjectKind::Batch };
    let outgoing = Outgoing::new(Bytes::new(), &head.headers);
    let planned = Planned {
        candidates: smallvec![],
        route: snapshot.no_route.clone(),
        total: pointsman_config::Timeouts::default().total,
        choices: 1,
        streamed: false,
        wants_usage: false,
        first_edits: None,
        rng: settlement.record().map_or_else(|| Rng::new(0), |record| Rng::for_request(record.id)),
    };
    let mut dispatch = Dispatch::new(gateway.clone(), settlement, planned, outgoing);
    let asked = Asked { snapshot, owners, owner, kind, head };
    match answer_to(&mut dispatch, &asked, &call, body).await {
        Ok(opened) => answer::deliver(dispatch, opened),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

async fn answer_to(
    dispatch: &mut Dispatch,
    asked: &Asked,
    call: &Call,
    body: Incoming,
) -> Result<Opened, PublicError> {
    let base = dispatch.operation.openai_path();
    match call {
        Call::List => list::list(dispatch, asked).await,
        Call::Create if asked.kind == ObjectKind::File => {
            let deployment = asked.chosen(dispatch.operation)?;
            let limits = form::upload_limits(&asked.snapshot);
            let upload = Upload::new(body, &asked.head.headers, None, limits, dispatch.gateway.clock)?;
            let content_type = asked.head.headers.get(header::CONTENT_TYPE).cloned();
            let upload = SharedUpload::new(upload);
            let payload = Payload::Upload(upload.clone(), content_type);
            let opened = send(dispatch, &deployment, (Method::POST, base), payload, Answers::JsonHeld).await;
            let received = upload.lock().received();
            dispatch.settlement.update(|record| record.request_bytes = received);
            kept(asked, opened?).await
        }
        Call::Create => {
            let limits = admit::body_limits(&asked.snapshot);
            let received = read::read(body, &asked.head.headers, limits, &dispatch.gateway.metrics).await?;
            dispatch.settlement.update(|record| record.request_bytes = received.wire_bytes);
            dispatch.settlement.lease = Some(received.lease);
            let deployment = asked.of_input(&received.bytes, dispatch.operation).await?;
            let payload = Payload::Json(received.bytes);
            kept(asked, send(dispatch, &deployment, (Method::POST, base), payload, Answers::JsonHeld).await?)
                .await
        }
        Call::One { id, method, below } => {
            let deployment = asked.keeper(asked.kind, id, dispatch.operation).await?;
            let target = format!("{base}/{id}{below}");
            let answers = if *below == "/content" { Answers::Relayed } else { Answers::JsonHeld };
            let sent = (method.clone(), target.as_str());
            let opened = send(dispatch, &deployment, sent, Payload::Nothing, answers).await?;
            if *method == Method::DELETE && matches!(opened, Opened::Answered(_)) {
                let (kind, id) = (asked.kind, id.clone());
                asked.blocking(move |owners, owner| owners.forget(owner, kind, &id)).await?;
                return Ok(opened);
            }
            kept(asked, opened).await
        }
    }
}

impl Asked {
    /// Asks the store, on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn ObjectOwners, &str) -> Result<T, pointsman_core::store::StoreError> + Send + 'static,
    ) -> Result<T, PublicError> {
        let (owners, owner) = (self.owners.clone(), self.owner.clone());
        let answer = tokio::task::spawn_blocking(move || ask(&*owners, &owner)).await;
        let error = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(%error, "the owners of files and batches cannot be asked");
        Err(PublicError::new(ErrorCode::Internal, "the owners of files and batches cannot be asked"))
    }

    /// The provider that keeps one of the caller's objects.
    async fn keeper(
        &self,
        kind: ObjectKind,
        id: &str,
        operation: Operation,
    ) -> Result<Arc<Deployment>, PublicError> {
        let wanted = id.to_owned();
        let provider = self.blocking(move |owners, owner| owners.provider(owner, kind, &wanted)).await?;
        provider.and_then(|name| self.deployment(&name, operation)).ok_or_else(|| {
            let message = format!("this key has no {} with this id", kind.as_str());
            PublicError::new(ErrorCode::ObjectNotFound, message).at("id")
        })
    }

    /// The provider that keeps a batch's input, which must be the caller's own.
    async fn of_input(&self, body: &[u8], operation: Operation) -> Result<Arc<Deployment>, PublicError> {
        let invalid = |why: String| {
            let message = format!("the request body is {why}");
            PublicError::new(ErrorCode::InvalidRequest, message).at("input_file_id")
        };
        let [input] = texts(body, ["input_file_id"]).map_err(|error| invalid(error.to_string()))?;
        let input = input.ok_or_else(|| invalid("without `input_file_id`".into()))?;
        self.keeper(ObjectKind::File, &input, operation)
            .await
            .map_err(|error| PublicError { param: Some("input_file_id".into()), ..error })
    }

    /// The provider that the caller names, or the only one there is.
    fn chosen(&self, operation: Operation) -> Result<Arc<Deployment>, PublicError> {
        let names: Vec<&str> = self
            .snapshot
            .providers
            .iter()
            .filter(|provider| !provider.simulated())
            .map(|provider| &*provider.name)
            .collect();
        let named = self.head.headers.get(PROVIDER).and_then(|value| value.to_str().ok());
        let name = match (named, names.as_slice()) {
            (Some(named), _) => Some(named).filter(|named| names.contains(named)),
            (None, [only]) => Some(*only),
            (None, _) => None,
        };
        name.and_then(|name| self.deployment(name, operation)).ok_or_else(|| {
            let message = format!("name the provider in the header `{PROVIDER}`: {}", names.join(", "));
            PublicError::new(ErrorCode::InvalidRequest, message).at(PROVIDER)
        })
    }

    fn deployment(&self, provider: &str, operation: Operation) -> Option<Arc<Deployment>> {
        let position = self.snapshot.providers.iter().position(|known| &*known.name == provider)?;
        let provider = ProviderId(u32::try_from(position).ok()?);
        self.snapshot.dynamic(DynamicDeployment { provider, model: operation.as_str() })
    }
}

/// One call, never repeated: what keeps objects may have kept one although no answer came.
async fn send(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    (method, path): (Method, &str),
    payload: Payload,
    answers: Answers,
) -> Result<Opened, PublicError> {
    let target = deployment
        .provider
        .upstream
        .target(path)
        .map_err(|_| PublicError::new(ErrorCode::InvalidRequest, "the path cannot be sent on"))?;
    exchange::begin(dispatch, deployment);
    // The first key: objects belong to the account of one of them.
    let mut request = head_of(dispatch, deployment, method, target, 0);
    let mut upload = None;
    match payload {
        Payload::Nothing => {}
        Payload::Json(body) => {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = RequestBody::from(body);
        }
        Payload::Upload(body, content_type) => {
            if let Some(content_type) = content_type {
                request.headers_mut().insert(header::CONTENT_TYPE, content_type);
            }
            *request.body_mut() = body.body("");
            upload = Some(body);
        }
    }
    let result = exchange::send(dispatch, deployment, request, answers).await;
    let concluded = match &upload {
        Some(upload) => form::sent(dispatch, deployment, upload, result)?,
        None => exchange::conclude(dispatch, deployment, result),
    };
    match concluded {
        Ok(answered) => Ok(Opened::Answered(answered)),
        Err(failure) => match dispatch.give_up(deployment.clone(), failure)? {
            Some(rejection) => Ok(Opened::Rejected(attempt::Opened::Rejected(rejection))),
            None => Err(PublicError::new(ErrorCode::Internal, "an attempt ended without a reason")),
        },
    }
}

/// Whatever the answer names belongs to the caller: the object itself, and what a batch has written.
async fn kept(asked: &Asked, opened: Opened) -> Result<Opened, PublicError> {
    let Opened::Answered(Answered::Whole(Whole { body, deployment, .. })) = &opened else {
        return Ok(opened);
    };
    let Ok([id, output, errors]) = texts(body, ["id", "output_file_id", "error_file_id"]) else {
        return Ok(opened);
    };
    let found = [(asked.kind, id), (ObjectKind::File, output), (ObjectKind::File, errors)];
    let objects: Vec<_> = found
        .into_iter()
        .filter_map(|(kind, id)| Some((kind, id.filter(|id| path::is_id(id))?)))
        .map(|(kind, id)| OwnedObject {
            owner: asked.owner.clone(),
            kind,
            id,
            provider: deployment.key.provider.to_string(),
        })
        .collect();
    asked.blocking(move |owners, _| objects.iter().try_for_each(|object| owners.keep(object))).await?;
    Ok(opened)
}

/// A provider's answer that cannot be read.
fn unreadable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Outcome::Malformed, "the list could not be understood").because(error)
}
