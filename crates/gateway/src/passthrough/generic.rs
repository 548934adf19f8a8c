//! Any other path below `/v1`, where a key or a route lets it through: not looked into, streamed both ways,
//! and sent again only where nothing can have happened.

mod path;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header, request};
use hyper::body::Incoming;
use pointsman_config::domain::PathRule;
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{ErrorCode, Operation, Outcome, PublicError, Rng};
use smallvec::SmallVec;

use crate::body::ResponseBody;
use crate::handlers::unknown;
use crate::passthrough::answer::{self, Opened};
use crate::passthrough::exchange::{self, Answered, Answers};
use crate::passthrough::form;
use crate::passthrough::request::request as head_of;
use crate::passthrough::upload::{SharedUpload, Upload};
use crate::pipeline::attempt;
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::plan::{self, Planned};
use crate::pipeline::{admit, refuse};
use crate::settlement::Settlement;
use crate::{Gateway, errors, headers, service};

/// What describes the request's body and goes with it, and what the client takes.
const DESCRIBING: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ACCEPT];

/// What is sent, whoever answers.
struct Call {
    method: Method,
    /// Below the provider's base URL, with the query.
    target: String,
    described: SmallVec<[(HeaderName, HeaderValue); 3]>,
    upload: SharedUpload,
}

/// Whether a path that nobody serves may be let through for somebody.
pub(crate) fn may_pass(snapshot: &Snapshot, path: &str) -> bool {
    path.starts_with("/v1/") && snapshot.passes_through()
}

pub(crate) async fn run(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (head, body) = request.into_parts();
    let admitted = admit::admit(&gateway, peer, Operation::PassThrough, &head);
    let admit::Admitted { snapshot, mut settlement } = match admitted {
        Ok(admitted) => admitted,
        Err(error) => return errors::response(&error, None),
    };
    // Where another server takes no notice of case, a path that is served here must not get around it.
    let path =
        path::normalise(head.uri.path()).filter(|path| !service::is_served(&path.to_ascii_lowercase()));
    let planned = match path.as_deref().and_then(|path| allowed(&snapshot, &mut settlement, &head, path)) {
        Some(planned) => planned,
        None => Err(unknown::error(&head)),
    };
    let path = path.unwrap_or_default();
    let limits = form::upload_limits(&snapshot);
    let prepared = planned
        .and_then(|planned| Ok((planned, Upload::new(body, &head.headers, None, limits, gateway.clock)?)));
    let (planned, upload) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return refuse(settlement, &error),
    };
    let call = Call::new(&head, &path, upload);
    let outgoing = Outgoing::new(Bytes::new(), &head.headers);
    let mut dispatch = Dispatch::new(gateway, settlement, planned, outgoing);
    // What a call makes belongs to the account of one key: always the first.
    dispatch.pin_key(0);
    let opened = open(&mut dispatch, &call, &snapshot).await;
    let received = call.upload.lock().received();
    dispatch.settlement.update(|record| record.request_bytes = received);
    match opened {
        Ok(opened) => answer::deliver(dispatch, opened),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

/// The plan of the first rule that lets `path` through: the key's, then those of routes. `None`: there is
/// none. A client may say which provider or route it means.
fn allowed(
    snapshot: &Arc<Snapshot>,
    settlement: &mut Settlement,
    head: &request::Parts,
    path: &str,
) -> Option<Result<Planned, PublicError>> {
    let principal = settlement.record()?.principal.clone();
    let wanted = head.headers.get(headers::PROVIDER).map(|value| value.to_str().unwrap_or_default());
    let meant = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let allows = |rule: &PathRule| rule.matches(&head.method, path);
    let own = snapshot.key_rules.of(principal.key.as_deref());
    if let Some(own) = own.iter().find(|own| meant(&own.provider) && allows(&own.rule)) {
        let rng = settlement.record().map_or_else(|| Rng::new(0), |record| Rng::for_request(record.id));
        let candidates =
            snapshot.any_model(&own.provider, Operation::PassThrough.as_str()).into_iter().collect();
        settlement.update(|record| record.requested_model = own.rule.pattern().clone());
        return Some(Ok(Planned::plain(snapshot.no_route.clone(), candidates, rng)));
    }
    let (route, rule) = snapshot.routes.iter().filter(|route| meant(&route.name)).find_map(|route| {
        let rule = route.pass_through.iter().find(|rule| allows(rule))?;
        principal.may_use(&route.name).then_some((route, rule))
    })?;
    let planned = plan::by_name(snapshot, Some(&route.name), settlement).map(|mut planned| {
        planned.candidates = providers_of(snapshot, &planned.candidates);
        planned
    });
    settlement.update(|record| record.requested_model = rule.pattern().clone());
    Some(planned)
}

/// Each provider once: which of its models is meant is in the body, which is not looked into.
fn providers_of(snapshot: &Snapshot, candidates: &[Arc<Deployment>]) -> SmallVec<[Arc<Deployment>; 2]> {
    let mut found: SmallVec<[Arc<Deployment>; 2]> = SmallVec::new();
    for candidate in candidates {
        let name = &candidate.key.provider;
        if !found.iter().any(|known| known.key.provider == *name) {
            found.extend(snapshot.any_model(name, Operation::PassThrough.as_str()));
        }
    }
    found
}

impl Call {
    fn new(head: &request::Parts, path: &str, upload: Upload) -> Self {
        let mut target = path.strip_prefix("/v1").unwrap_or(path).to_owned();
        if let Some(query) = head.uri.query() {
            target.push('?');
            target.push_str(query);
        }
        let described = DESCRIBING.into_iter().filter_map(|name| {
            let value = head.headers.get(&name)?.clone();
            Some((name, value))
        });
        Self {
            method: head.method.clone(),
            target,
            described: described.collect(),
            upload: SharedUpload::new(upload),
        }
    }

    fn request(
        &self,
        dispatch: &mut Dispatch,
        deployment: &Deployment,
    ) -> Result<Request<pointsman_transport::RequestBody>, PublicError> {
        let provider = &deployment.provider;
        let target = provider
            .openai_target(&self.target)
            .map_err(|_| PublicError::new(ErrorCode::InvalidRequest, "the path cannot be sent on"))?;
        let key = dispatch.key() as u64;
        let mut request = head_of(dispatch, deployment, self.method.clone(), target, key);
        for (name, value) in &self.described {
            if !provider.headers.iter().any(|(own, _)| own == name) {
                request.headers_mut().insert(name.clone(), value.clone());
            }
        }
        *request.body_mut() = self.upload.body("");
        Ok(request)
    }

    /// Whether another attempt can do no harm: nothing has left, or doing it twice is doing it once (RFC
    /// 9110, section 9.2.2) and the body is still here.
    fn may_repeat(&self, outcome: Outcome) -> bool {
        let idempotent = matches!(self.method, Method::GET | Method::PUT | Method::DELETE);
        !self.upload.lock().started() && (idempotent || outcome.nothing_sent())
    }
}

/// Makes attempts until one has an answer, or none may follow.
async fn open(dispatch: &mut Dispatch, call: &Call, snapshot: &Arc<Snapshot>) -> Result<Opened, PublicError> {
    loop {
        let deployment = dispatch.candidate().await?;
        let request = call.request(dispatch, &deployment)?;
        exchange::begin(dispatch, &deployment);
        let mut result = exchange::send(dispatch, &deployment, request, Answers::Relayed).await;
        if let Ok(Answered::Open(open)) = &mut result {
            open.models = Some(snapshot.clone());
        }
        let failure = match form::sent(dispatch, &deployment, &call.upload, result)? {
            Ok(answered) => return Ok(Opened::Answered(answered)),
            Err(failure) => failure,
        };
        let rejection = match call.may_repeat(failure.outcome) {
            true => dispatch.go_on(deployment, failure)?,
            false => dispatch.give_up(deployment, failure)?,
        };
        if let Some(rejection) = rejection {
            return Ok(Opened::Rejected(attempt::Opened::Rejected(rejection)));
        }
    }
}
