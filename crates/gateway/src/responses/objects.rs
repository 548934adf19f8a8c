//! `GET` and `DELETE /v1/responses/{id}`, `POST …/cancel`, `GET …/input_items`: of what is kept here from
//! here, of what a provider keeps from there.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, Uri, request};
use hyper::body::Incoming;
use pointsman_config::{Deployment, Snapshot, Timeouts};
use pointsman_core::responses::{Chain, Kept, KeptResponse};
use pointsman_core::{Dialect, ErrorCode, Operation, PublicError, Rng};
use pointsman_wire::openai::kept::{ItemQuery, render_deleted, render_items};
use smallvec::smallvec;

use super::Responses;
use crate::Gateway;
use crate::body::ResponseBody;
use crate::errors;
use crate::passthrough::answer::{self, Opened};
use crate::passthrough::exchange::{self, Answers};
use crate::passthrough::request::request as head_of;
use crate::pipeline::admit;
use crate::pipeline::attempt;
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::plan::Planned;
use crate::pipeline::refuse_in;
use crate::query::parameters;

/// Most bytes of a conversation whose items are listed; of a longer one, only the last request's are.
const MAX_LISTED_BYTES: u64 = 64 * 1024 * 1024;
/// Longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// Parameters that go to the provider, besides those that begin with `include`; a key must not.
const FORWARDED: [&str; 6] = ["after", "before", "limit", "order", "starting_after", "stream"];
/// What the errors are written in.
const DIALECT: Dialect = Dialect::OpenAiResponses;

/// What is asked of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Get,
    Delete,
    Cancel,
    Items,
}

/// The id and what is behind it, of a path below `/v1/responses/` that is about one answer.
pub(crate) fn parse(path: &str) -> Option<(&str, &str)> {
    let (id, below) = path.split_once('/').map_or((path, ""), |(id, below)| (id, below));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_id = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(plain);
    // Calls of the vendor's that look like ids.
    let other = matches!(id, "compact" | "input_tokens");
    let known = matches!(below, "" | "cancel" | "input_items") && !path.ends_with('/');
    (is_id && !other && known).then_some((id, below))
}

fn call(method: &Method, below: &str) -> Result<Call, PublicError> {
    let allowed = match (below, method) {
        ("", &Method::GET) => return Ok(Call::Get),
        ("", &Method::DELETE) => return Ok(Call::Delete),
        ("cancel", &Method::POST) => return Ok(Call::Cancel),
        ("input_items", &Method::GET) => return Ok(Call::Items),
        ("", _) => "GET or DELETE",
        ("cancel", _) => "POST",
        _ => "GET",
    };
    let message = format!("{method} is not for this path; use {allowed}");
    Err(PublicError::new(ErrorCode::MethodNotAllowed, message))
}

/// Answers a request for a kept answer. `path` is what follows `/v1/responses/`.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    request: Request<Incoming>,
    path: String,
) -> Response<ResponseBody> {
    let (head, _) = request.into_parts();
    let admitted = admit::admit(&gateway, peer, Operation::Responses, &head);
    let admit::Admitted { snapshot, mut settlement } = match admitted {
        Ok(admitted) => admitted,
        Err(error) => return errors::response_in(DIALECT, &error, None),
    };
    settlement.update(|record| record.requested_model = Operation::Responses.as_str().into());
    let rng = settlement.record().map_or_else(|| Rng::new(0), |record| Rng::for_request(record.id));
    let outgoing = Outgoing::new(Bytes::new(), &head.headers);
    let planned = Planned {
        total: Timeouts::default().total,
        ..Planned::plain(snapshot.no_route.clone(), smallvec![], rng)
    };
    let mut dispatch = Dispatch::new(gateway, settlement, planned, outgoing);
    match answer_to(&mut dispatch, &snapshot, &head, &path).await {
        Ok(opened) => answer::deliver(dispatch, opened),
        Err(error) => refuse_in(DIALECT, dispatch.into_settlement(), &error),
    }
}

async fn answer_to(
    dispatch: &mut Dispatch,
    snapshot: &Snapshot,
    head: &request::Parts,
    path: &str,
) -> Result<Opened, PublicError> {
    let (id, below) = parse(path).ok_or_else(|| not_found(path))?;
    let call = call(&head.method, below)?;
    let responses = dispatch.gateway.responses.get().cloned().ok_or_else(|| not_found(id))?;
    let principal = dispatch.settlement.record().map(|record| record.principal.clone()).unwrap_or_default();
    let owner = principal.key.as_deref().unwrap_or_default();
    let now = dispatch.unix_seconds();
    let kept = responses.get(owner, id, now).await?.ok_or_else(|| not_found(id))?;
    match &kept.kept {
        Kept::Here { response, .. } => {
            let body = match call {
                Call::Get => whole(head, response)?,
                Call::Delete => {
                    responses.forget(owner, id).await?;
                    render_deleted(id).into()
                }
                Call::Cancel => {
                    let message = "Cannot cancel a synchronous response.";
                    return Err(PublicError::new(ErrorCode::InvalidRequest, message));
                }
                Call::Items => items(&responses, &kept, head, now).await?,
            };
            Ok(Opened::Own(body))
        }
        Kept::Upstream { key } => {
            let deployment = keeper(snapshot, &kept)?;
            let opened = forward(dispatch, &deployment, (head, path), *key).await?;
            if call == Call::Delete && matches!(opened, Opened::Answered(_)) {
                responses.forget(owner, id).await?;
            }
            Ok(opened)
        }
    }
}

/// A kept answer is whole: there is no stream of it.
fn whole(head: &request::Parts, response: &Bytes) -> Result<Bytes, PublicError> {
    let streams = head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "stream=true"));
    if streams {
        let message = "This response cannot be streamed because it was not created with background=true.";
        return Err(PublicError::new(ErrorCode::InvalidRequest, message).at("stream"));
    }
    Ok(response.clone())
}

/// Everything that went into an answer: its conversation, where that is still here, and its own items.
async fn items(
    responses: &Arc<Responses>,
    kept: &KeptResponse,
    head: &request::Parts,
    now: u64,
) -> Result<Bytes, PublicError> {
    let parameters = parameters(head.uri.query());
    let query = ItemQuery::read(parameters.iter().map(|(name, value)| (&**name, &**value)))?;
    let name = (kept.owner.clone(), kept.id.clone());
    let names = vec![name.clone()];
    let chain =
        responses.blocking(names, move |store| store.chain(&name.0, &name.1, now, MAX_LISTED_BYTES)).await?;
    let chain = match chain {
        Chain::Whole(chain) => chain,
        Chain::Missing(_) | Chain::TooLong => vec![kept.clone()],
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for earlier in &chain {
        if let Kept::Here { input, response } = &earlier.kept {
            parts.push(input);
            if earlier.id != kept.id {
                parts.push(response);
            }
        }
    }
    render_items(&parts, &query).map(Bytes::from)
}

fn keeper(snapshot: &Snapshot, kept: &KeptResponse) -> Result<Arc<Deployment>, PublicError> {
    let found = snapshot.provider_named(&kept.provider).and_then(|_| {
        let known = snapshot.deployment_of(&kept.provider, &kept.model);
        known.or_else(|| snapshot.any_model(&kept.provider, Operation::Responses.as_str()))
    });
    found.ok_or_else(|| {
        let message =
            format!("the provider `{}`, which keeps this answer, is no longer configured", kept.provider);
        PublicError::new(ErrorCode::ObjectNotFound, message)
    })
}

/// The same call of the provider that keeps the answer.
async fn forward(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    (head, path): (&request::Parts, &str),
    key: u32,
) -> Result<Opened, PublicError> {
    let base = deployment.provider.call_target(DIALECT, Operation::Chat, &deployment.key.model, false);
    let target = base.and_then(|base| below(&base, path, head.uri.query()));
    let target =
        target.ok_or_else(|| PublicError::new(ErrorCode::InvalidRequest, "the path cannot be sent on"))?;
    exchange::begin(dispatch, deployment);
    let request = head_of(dispatch, deployment, head.method.clone(), target, u64::from(key));
    let result = exchange::send(dispatch, deployment, request, Answers::JsonHeld).await;
    match exchange::conclude(dispatch, deployment, result) {
        Ok(answered) => Ok(Opened::Answered(answered)),
        Err(failure) => match dispatch.give_up(deployment.clone(), failure)? {
            Some(rejection) => Ok(Opened::Rejected(attempt::Opened::Rejected(rejection))),
            None => Err(PublicError::new(ErrorCode::Internal, "an attempt ended without a reason")),
        },
    }
}

/// The target of a call below the one that makes answers.
fn below(base: &Uri, path: &str, query: Option<&str>) -> Option<Uri> {
    let mut target = format!("{}/{path}", base.path());
    let own = base.query().into_iter();
    let asked = query.unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        FORWARDED.contains(&name) || name.starts_with("include")
    });
    for pair in own.chain(asked) {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(pair);
    }
    target.parse().ok()
}

/// In the vendor's words.
fn not_found(id: &str) -> PublicError {
    let shown: String = id.chars().take(MAX_ID_BYTES).collect();
    PublicError::new(ErrorCode::ObjectNotFound, format!("Response with id '{shown}' not found."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_answers_or_nowhere() {
        assert_eq!(parse("resp_1"), Some(("resp_1", "")));
        assert_eq!(parse("resp-a_1/input_items"), Some(("resp-a_1", "input_items")));
        assert_eq!(parse("resp_1/cancel"), Some(("resp_1", "cancel")));
        for path in
            ["", "compact", "input_tokens", "resp_1/", "resp_1/x", "resp_1/cancel/", "a%2Fb", "..", "a.b"]
        {
            assert_eq!(parse(path), None, "{path}");
        }
        assert_eq!(parse(&"x".repeat(MAX_ID_BYTES + 1)), None);
    }

    #[test]
    fn methods_lead_to_calls() {
        for (method, below, expected) in [
            (Method::GET, "", Call::Get),
            (Method::DELETE, "", Call::Delete),
            (Method::POST, "cancel", Call::Cancel),
            (Method::GET, "input_items", Call::Items),
        ] {
            assert_eq!(call(&method, below), Ok(expected));
        }
        for (method, below) in [(Method::POST, ""), (Method::GET, "cancel"), (Method::DELETE, "input_items")]
        {
            assert_eq!(call(&method, below).unwrap_err().code, ErrorCode::MethodNotAllowed);
        }
    }

    #[test]
    fn the_providers_path_keeps_both_queries() {
        let base = Uri::from_static("/openai/v1/responses?api-version=x");
        let target = below(&base, "resp_1/input_items", Some("limit=2&key=secret&include%5B%5D=a"));
        let expected = "/openai/v1/responses/resp_1/input_items?api-version=x&limit=2&include%5B%5D=a";
        assert_eq!(target.unwrap(), expected);
        assert_eq!(
            below(&Uri::from_static("/v1/responses"), "resp_1", None).unwrap(),
            "/v1/responses/resp_1"
        );
    }
}
