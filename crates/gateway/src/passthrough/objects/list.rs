//! Lists of files and batches: the providers' own, with what belongs to other keys left out.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use http::Method;
use pointsman_core::{ErrorCode, PublicError};
use pointsman_wire::openai::objects::page;

use super::{Asked, Payload, path, send, unreadable};
use crate::passthrough::answer::Opened;
use crate::passthrough::exchange::{Answered, Answers, Whole};
use crate::pipeline::dispatch::Dispatch;

/// Pages of one provider that are looked through.
const MAX_PAGES: usize = 20;
/// Objects on a page: what OpenAI takes for both kinds.
const PAGE: usize = 100;

/// All objects of the caller, newest first, as one page.
pub(super) async fn list(dispatch: &mut Dispatch, asked: &Asked) -> Result<Opened, PublicError> {
    let kind = asked.kind;
    let own = asked.blocking(move |owners, owner| owners.list(owner, kind)).await?;
    let providers: BTreeSet<&str> = own.iter().map(|object| object.provider.as_str()).collect();
    let mut found: Vec<(u64, Bytes)> = Vec::new();
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
            let own = page.items.iter().filter(|item| ids.contains(item.id.as_str()));
            found.extend(own.map(|item| (item.created_at, whole.body.slice(item.range.clone()))));
            let next = page.items.last().filter(|item| page.has_more && path::is_id(&item.id));
            after = next.map(|item| format!("&after={}", item.id)).unwrap_or_default();
            last = Some(whole);
            if after.is_empty() {
                break;
            }
        }
    }
    found.sort_by_key(|(created_at, _)| std::cmp::Reverse(*created_at));
    let items: Vec<&[u8]> = found.iter().map(|(_, item)| &item[..]).collect();
    let body =
        [b"{\"object\":\"list\",\"data\":[".as_slice(), &items.join(&b","[..]), b"],\"has_more\":false}"]
            .concat();
    match last {
        Some(whole) => Ok(Opened::Answered(Answered::Whole(Whole { body: body.into(), ..whole }))),
        None => Ok(Opened::Own(body.into())),
    }
}
