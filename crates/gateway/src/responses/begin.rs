//! A request that goes on from an earlier answer: sent to who keeps that, or with the conversation in front.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use pointsman_core::responses::{Chain, Kept, KeptResponse, ResponseStore};
use pointsman_core::store::StoreError;
use pointsman_core::{Dialect, ErrorCode, PublicError};
use pointsman_wire::openai::kept::{KeptRequest, ResumeError, made_by, resumed};

use super::{Keeping, Responses};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::read::too_many_bytes;

/// The field that names an earlier answer.
const PREVIOUS: &str = "previous_response_id";
/// Answers that items are looked up in which a request only names.
const MAX_LOOKED_UP: usize = 256;

/// What the store has of a conversation.
enum Found {
    /// Its provider has it.
    Upstream(KeptResponse),
    /// The request with all of it.
    Here(Vec<u8>),
    /// There is no answer of this id.
    Missing,
    TooLong,
    /// An item is named that is not here.
    NoItem(String),
}

/// Prepares a request whose answer may be kept, before anybody is asked. `max_body` bounds what it becomes.
///
/// # Errors
/// What it goes on from is not there.
pub(crate) async fn begin(dispatch: &mut Dispatch, max_body: usize) -> Result<(), PublicError> {
    let Some(responses) = dispatch.gateway.responses.get().cloned() else { return Ok(()) };
    let body = dispatch.outgoing.body.clone();
    let asked = KeptRequest::read(&body).map_err(|error| {
        PublicError::new(ErrorCode::InvalidRequest, format!("the request body is not valid JSON: {error}"))
    })?;
    let principal = dispatch.settlement.record().map(|record| record.principal.clone()).unwrap_or_default();
    let owner = principal.key.as_deref().unwrap_or_default().to_owned();
    let mut keeping = Keeping::new(responses.clone(), owner.clone(), body.clone(), asked.store);
    if asked.previous.is_some() || !asked.references.is_empty() {
        let now = dispatch.unix_seconds();
        let previous = asked.previous.clone();
        match find(&responses, owner, body, asked, (now, max_body)).await? {
            Found::Upstream(kept) => pin(dispatch, &mut keeping, &kept)?,
            Found::Here(body) => replace(dispatch, body, max_body)?,
            Found::Missing => return Err(missing(previous.as_deref().unwrap_or_default())),
            Found::TooLong => return Err(too_long()),
            Found::NoItem(message) => {
                return Err(PublicError::new(ErrorCode::InvalidRequest, message).at("input"));
            }
        }
        keeping.previous = previous;
    }
    dispatch.keeping = Some(Box::new(keeping));
    Ok(())
}

/// Looks up what the request goes on from, and puts it in front.
async fn find(
    responses: &Arc<Responses>,
    owner: String,
    body: Bytes,
    asked: KeptRequest,
    (now, max_body): (u64, usize),
) -> Result<Found, PublicError> {
    let made: BTreeSet<String> = asked.references.iter().filter_map(|id| made_by(id)).collect();
    let made: Vec<String> = made.into_iter().take(MAX_LOOKED_UP).collect();
    let names: Vec<_> = asked.previous.iter().chain(&made).map(|id| (owner.clone(), id.clone())).collect();
    let room = max_body.saturating_sub(body.len()) as u64;
    let search = move |store: &dyn ResponseStore| {
        let earlier = match &asked.previous {
            None => Vec::new(),
            Some(id) => match store.chain(&owner, id, now, room)? {
                Chain::Missing(_) => return Ok(Found::Missing),
                Chain::TooLong => return Ok(Found::TooLong),
                Chain::Whole(mut chain) => match chain.pop() {
                    Some(kept) if matches!(kept.kept, Kept::Upstream { .. }) => {
                        return Ok(Found::Upstream(kept));
                    }
                    last => {
                        chain.extend(last);
                        chain
                    }
                },
            },
        };
        let named = named(store, &owner, &made, now)?;
        Ok(match resumed(&body, &contents(&earlier), &contents(&named)) {
            Ok(body) => Found::Here(body),
            Err(error @ ResumeError::Missing(_)) => Found::NoItem(error.to_string()),
            Err(ResumeError::Json(error)) => {
                return Err(StoreError { context: "a kept answer is damaged".into(), source: error.into() });
            }
        })
    };
    responses.blocking(names, search).await
}

/// The answers of these ids that there are.
fn named(
    store: &dyn ResponseStore,
    owner: &str,
    ids: &[String],
    now: u64,
) -> Result<Vec<KeptResponse>, StoreError> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(store.get(owner, id, now)?);
    }
    Ok(found)
}

fn contents(kept: &[KeptResponse]) -> Vec<(&[u8], &[u8])> {
    let here = kept.iter().filter_map(|kept| match &kept.kept {
        Kept::Here { input, response } => Some((&input[..], &response[..])),
        Kept::Upstream { .. } => None,
    });
    here.collect()
}

/// Only who keeps the answer is asked, with the key that it belongs to.
fn pin(dispatch: &mut Dispatch, keeping: &mut Keeping, kept: &KeptResponse) -> Result<(), PublicError> {
    let Kept::Upstream { key } = kept.kept else { return Ok(()) };
    dispatch.retain(|deployment| {
        *deployment.provider.name == *kept.provider
            && deployment.dialect_for(Dialect::OpenAiResponses) == Dialect::OpenAiResponses
    });
    if dispatch.first().is_none() {
        let message = format!(
            "`{PREVIOUS}` names an answer that the provider `{}` keeps; use a model of it, or send the whole conversation",
            kept.provider
        );
        return Err(PublicError::new(ErrorCode::InvalidRequest, message).at(PREVIOUS));
    }
    keeping.pinned = Some(key);
    dispatch.pin_key(key as usize);
    Ok(())
}

/// The request is sent with its conversation in front.
fn replace(dispatch: &mut Dispatch, body: Vec<u8>, max_body: usize) -> Result<(), PublicError> {
    if body.len() > max_body {
        return Err(too_long());
    }
    if let Some(lease) = &mut dispatch.settlement.lease
        && !lease.grow(body.len())
    {
        return Err(too_many_bytes());
    }
    dispatch.outgoing.body = body.into();
    Ok(())
}

/// In the vendor's words.
fn missing(id: &str) -> PublicError {
    let message = format!("Previous response with id '{id}' not found.");
    PublicError::new(ErrorCode::PreviousResponseNotFound, message).at(PREVIOUS)
}

fn too_long() -> PublicError {
    let message = "the conversation is longer than `server.max_body`; begin another one";
    PublicError::new(ErrorCode::BodyTooLarge, message).at(PREVIOUS)
}
