//! Files and batches: objects that a provider keeps. An id belongs to the key that made it, and leads back
//! to its provider; for every other key there is no such object.

mod list;
mod path;
mod query;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header, request};
use hyper::body::Incoming;
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::objects::{ObjectKind, ObjectOwners, OwnedObject};
use pointsman_core::{ErrorCode, Operation, Outcome, PublicError, Rng};
use pointsman_routing::Resolved;
use pointsman_transport::RequestBody;
use pointsman_wire::openai::objects::texts;
use smallvec::smallvec;

use self::path::Call;
use crate::Gateway;
use crate::body::ResponseBody;
use crate::passthrough::answer::{self, Opened};
use crate::passthrough::exchange::{self, Answered, Answers, Whole};
use crate::passthrough::form;
use crate::passthrough::request::request as head_of;
use crate::passthrough::upload::{SharedUpload, Upload};
use crate::pipeline::attempt::{self, Failure};
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::plan::Planned;
use crate::pipeline::{admit, read, refuse};
use crate::{errors, headers};

/// What a request for an object is made of.
struct Asked {
    snapshot: Arc<Snapshot>,
    owners: Arc<dyn ObjectOwners>,
    owner: String,
    kind: ObjectKind,
    head: request::Parts,
}

/// What is sent.
#[derive(Clone)]
enum Payload {
    Nothing,
    Json(Bytes),
    Upload(SharedUpload, [Option<(HeaderName, HeaderValue)>; 2]),
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
    let rng = settlement.record().map_or_else(|| Rng::new(0), |record| Rng::for_request(record.id));
    let planned = Planned {
        total: pointsman_config::Timeouts::default().total,
        ..Planned::plain(snapshot.no_route.clone(), smallvec![], rng)
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
            let deployment = asked.chosen(dispatch)?;
            let limits = form::upload_limits(&asked.snapshot);
            let upload = Upload::new(body, &asked.head.headers, None, limits, dispatch.gateway.clock)?;
            let upload = SharedUpload::new(upload);
            let described = [header::CONTENT_TYPE, header::CONTENT_ENCODING]
                .map(|name| asked.head.headers.get(&name).map(|value| (name, value.clone())));
            let payload = Payload::Upload(upload.clone(), described);
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

    /// The provider that the caller names, itself or by a model or route that leads to it; or the only one
    /// there is.
    fn chosen(&self, dispatch: &mut Dispatch) -> Result<Arc<Deployment>, PublicError> {
        let operation = dispatch.operation;
        let named = match self.head.headers.get(headers::PROVIDER) {
            Some(value) => value.to_str().unwrap_or_default(),
            None => self.only().unwrap_or_default(),
        };
        let real = self.snapshot.provider_named(named).is_some_and(|provider| !provider.simulated());
        let found = if real { Some(Arc::from(named)) } else { self.leads_to(named, &mut dispatch.rng) };
        found.and_then(|name| self.deployment(&name, operation)).ok_or_else(|| {
            let names: Vec<&str> = self.real_providers().collect();
            let message = format!(
                "name the provider in the header `{}`, or a model or route of it: {}",
                headers::PROVIDER,
                names.join(", ")
            );
            PublicError::new(ErrorCode::InvalidRequest, message).at(headers::PROVIDER.as_str().to_owned())
        })
    }

    fn real_providers(&self) -> impl Iterator<Item = &str> {
        let real = self.snapshot.providers.iter().filter(|provider| !provider.simulated());
        real.map(|provider| &*provider.name)
    }

    fn only(&self) -> Option<&str> {
        let mut names = self.real_providers();
        names.next().filter(|_| names.next().is_none())
    }

    /// The provider of the first candidate of a model, route or alias.
    fn leads_to(&self, name: &str, rng: &mut Rng) -> Option<Arc<str>> {
        let provider = match self.snapshot.resolver.resolve(name).ok()? {
            Resolved::Known(known) => {
                let plan = known.plan(rng, &());
                self.snapshot.deployment(plan.candidates.first()?.deployment)?.provider.clone()
            }
            Resolved::Dynamic(dynamic) => self.snapshot.provider(dynamic.provider)?.clone(),
        };
        (!provider.simulated()).then(|| provider.name.clone())
    }

    fn deployment(&self, provider: &str, operation: Operation) -> Option<Arc<Deployment>> {
        self.snapshot.any_model(provider, operation.as_str())
    }
}

/// One call. It is repeated only where no byte of it has left: what keeps objects may have kept one although no
/// answer came.
async fn send(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    (method, path): (Method, &str),
    payload: Payload,
    answers: Answers,
) -> Result<Opened, PublicError> {
    let target = deployment
        .provider
        .openai_target(path)
        .map_err(|_| PublicError::new(ErrorCode::InvalidRequest, "the path cannot be sent on"))?;
    // The first key: objects belong to the account of one of them.
    dispatch.only(deployment.clone(), 0);
    loop {
        let deployment = dispatch.candidate().await?;
        exchange::begin(dispatch, &deployment);
        let mut request = head_of(dispatch, &deployment, method.clone(), target.clone(), 0);
        let upload = payload.clone().put_into(&mut request);
        let result = exchange::send(dispatch, &deployment, request, answers).await;
        let concluded = match &upload {
            Some(upload) => form::sent(dispatch, &deployment, upload, result)?,
            None => exchange::conclude(dispatch, &deployment, result),
        };
        let failure = match concluded {
            Ok(answered) => return Ok(Opened::Answered(answered)),
            Err(failure) => failure,
        };
        let left = upload.is_some_and(|upload| upload.lock().started()) || !failure.outcome.nothing_sent();
        let rejection = match left {
            true => dispatch.give_up(deployment, failure)?,
            false => dispatch.go_on(deployment, failure)?,
        };
        if let Some(rejection) = rejection {
            return Ok(Opened::Rejected(attempt::Opened::Rejected(rejection)));
        }
    }
}

impl Payload {
    /// Makes it the body of `request`. Answers the client's own, where it is that.
    fn put_into(self, request: &mut Request<RequestBody>) -> Option<SharedUpload> {
        match self {
            Self::Nothing => None,
            Self::Json(body) => {
                let json = HeaderValue::from_static("application/json");
                request.headers_mut().insert(header::CONTENT_TYPE, json);
                *request.body_mut() = RequestBody::from(body);
                None
            }
            Self::Upload(body, described) => {
                request.headers_mut().extend(described.into_iter().flatten());
                *request.body_mut() = body.body("");
                Some(body)
            }
        }
    }
}

/// Whatever the answer names belongs to the caller: the object itself, and what a batch has written.
async fn kept(asked: &Asked, opened: Opened) -> Result<Opened, PublicError> {
    let Opened::Answered(Answered::Whole(whole)) = &opened else { return Ok(opened) };
    let Whole { body, deployment, .. } = &**whole;
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
