//! Lists of files and batches: the providers' own, with what belongs to other keys left out.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use http::Method;
use pointsman_core::{ErrorCode, PublicError};
use pointsman_wire::openai::objects::{page, texts};

use super::query::{self, Wanted};
use super::{Asked, Payload, path, send, unreadable};
use crate::passthrough::answer::Opened;
use crate::passthrough::exchange::{Answered, Answers, Whole};
use crate::pipeline::dispatch::Dispatch;

/// Pages of one provider that are looked through.
const MAX_PAGES: usize = 20;
/// Objects on a page: what OpenAI takes for both kinds.
const PAGE: usize = 100;
/// Most bytes of objects that are held; a file's is some 300 bytes long.
const MAX_FOUND_BYTES: usize = 16 * 1024 * 1024;

/// One of the caller's objects, as its provider shows it.
struct Found {
    id: String,
    created_at: u64,
    body: Bytes,
}

/// A page of the caller's objects, of all providers.
pub(super) async fn list(dispatch: &mut Dispatch, asked: &Asked) -> Result<Opened, PublicError> {
    let kind = asked.kind;
    let wanted = query::parse(kind, asked.head.uri.query())?;
    let own = asked.blocking(move |owners, owner| owners.list(owner, kind)).await?;
    let providers: BTreeSet<&str> = own.iter().map(|object| object.provider.as_str()).collect();
    let mut found = Vec::new();
    let mut held = 0;
    let mut last = None;
    for provider in providers {
        let ids: HashSet<&str> = own
            .iter()
            .filter(|object| object.provider == provider)
            .map(|object| object.id.as_str())
            .collect();
        // A provider that is no longer configured has nothing to show.
        let Some(deployment) = asked.deployment(provider, dispatch.operation) else { continue };
        let mut after = String::new();
        for _ in 0..MAX_PAGES {
            let base = dispatch.operation.openai_path();
            let target = format!("{base}?limit={PAGE}{after}");
            let sent = (Method::GET, target.as_str());
            let whole = match send(dispatch, &deployment, sent, Payload::Nothing, Answers::JsonHeld).await? {
                Opened::Answered(Answered::Whole(whole)) => whole,
                Opened::Answered(Answered::Open(_)) => {
                    return Err(PublicError::new(
                        ErrorCode::UpstreamMalformed,
                        "the provider's list is no JSON",
                    ));
                }
                other @ (Opened::Rejected(_) | Opened::Own(_)) => return Ok(other),
            };
            let page = page(&whole.body)
                .map_err(|error| PublicError::new(ErrorCode::UpstreamMalformed, unreadable(&error).public))?;
            for item in page.items.iter().filter(|item| ids.contains(item.id.as_str())) {
                held += item.range.len();
                if held > MAX_FOUND_BYTES {
                    let message = "the provider's list is too long to be held";
                    return Err(PublicError::new(ErrorCode::UpstreamMalformed, message));
                }
                // Copied, so that the page can go.
                let body = Bytes::copy_from_slice(whole.body.get(item.range.clone()).unwrap_or_default());
                found.push(Found { id: item.id.clone(), created_at: item.created_at, body });
            }
            let next = page.items.last().filter(|item| page.has_more && path::is_id(&item.id));
            after = next.map(|item| format!("&after={}", item.id)).unwrap_or_default();
            last = Some(Whole { body: Bytes::new(), ..*whole });
            if after.is_empty() {
                break;
            }
        }
    }
    let body = page_of(found, &wanted)?;
    match last {
        Some(whole) => Ok(Opened::Answered(Answered::Whole(Box::new(Whole { body, ..whole })))),
        None => Ok(Opened::Own(body)),
    }
}

/// What is `wanted` of all that was found, in OpenAI's shape.
fn page_of(mut found: Vec<Found>, wanted: &Wanted) -> Result<Bytes, PublicError> {
    if let Some(purpose) = &wanted.purpose {
        found.retain(|item| matches!(texts(&item.body, ["purpose"]), Ok([Some(own)]) if own == *purpose));
    }
    found.sort_by_key(|item| std::cmp::Reverse(item.created_at));
    if wanted.ascending {
        found.reverse();
    }
    let start = match &wanted.after {
        None => 0,
        Some(after) => found.iter().position(|item| item.id == *after).map(|at| at + 1).ok_or_else(|| {
            PublicError::new(ErrorCode::ObjectNotFound, "the list has no object with this id").at("after")
        })?,
    };
    let rest = found.split_off(start);
    let has_more = rest.len() > wanted.limit;
    let page = rest.get(..wanted.limit).unwrap_or(&rest);
    let items: Vec<&[u8]> = page.iter().map(|item| &item.body[..]).collect();
    // Ids consist of characters that JSON takes as they are: others never become the caller's.
    let id = |item: Option<&Found>| item.map_or_else(|| "null".to_owned(), |item| format!("\"{}\"", item.id));
    let (first, last) = (id(page.first()), id(page.last()));
    let tail = format!("],\"first_id\":{first},\"last_id\":{last},\"has_more\":{has_more}}}");
    Ok([b"{\"object\":\"list\",\"data\":[".as_slice(), &items.join(&b","[..]), tail.as_bytes()]
        .concat()
        .into())
}
