//! Lists of models, and single ones: what the caller may name, as the client's dialect tells it.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Response, StatusCode, request};
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{Dialect, ErrorCode, Principal, PublicError};
use pointsman_providers::{CatalogueEntry, Mode, catalogue, openrouter, simulated, vendor};
use pointsman_routing::Resolved;
use pointsman_wire::lists::{ListedModel, Purpose, anthropic, gemini};
use pointsman_wire::openai::models::{ModelEntry, render_list, render_one};

use crate::Gateway;
use crate::body::ResponseBody;
use crate::errors;
use crate::pipeline::identify::identify;
use crate::pipeline::plan::unresolved;
use crate::query::parameters;

/// Routes and aliases are Pointsman's own.
const OWN: &str = "pointsman";

/// A name that a caller may use, and what is known of it.
pub(crate) struct Shown<'s> {
    id: String,
    owner: Option<&'s str>,
    deployment: Option<&'s Deployment>,
}

/// All models, routes and aliases that the caller may use.
pub(crate) fn list(
    gateway: &Gateway,
    peer: IpAddr,
    head: &request::Parts,
    dialect: Dialect,
) -> Response<ResponseBody> {
    let dialect = as_asked(dialect, head);
    let snapshot = gateway.world.load_full();
    let caller =
        identify(gateway, &snapshot, peer, head).inspect_err(|error| gateway.metrics.refused(error.code));
    let rendered = caller.and_then(|principal| {
        let shown = visible(&snapshot, &principal);
        let created = created(gateway);
        let listed = || shown.iter().map(|shown| shown.listed(created)).collect::<Vec<_>>();
        let query = parameters(head.uri.query());
        match dialect {
            Dialect::Anthropic => anthropic::render_list(&listed(), &query),
            Dialect::Gemini => gemini::render_list(&listed(), &query),
            _ => Ok(render_list(&shown.iter().map(Shown::entry).collect::<Vec<_>>(), created)),
        }
    });
    respond(dialect, rendered)
}

/// One model, by the name that a request would use.
pub(crate) fn one(
    gateway: &Gateway,
    peer: IpAddr,
    head: &request::Parts,
    (dialect, id): (Dialect, &str),
) -> Response<ResponseBody> {
    let dialect = as_asked(dialect, head);
    let snapshot = gateway.world.load_full();
    let caller =
        identify(gateway, &snapshot, peer, head).inspect_err(|error| gateway.metrics.refused(error.code));
    let created = created(gateway);
    let id = percent_decode(id);
    let rendered = caller.and_then(|principal| find(&snapshot, &principal, &id)).map(|shown| match dialect {
        Dialect::Anthropic => anthropic::render_one(&shown.listed(created)),
        Dialect::Gemini => gemini::render_one(&shown.listed(created)),
        _ => render_one(&shown.entry(), created),
    });
    respond(dialect, rendered)
}

/// Anthropic's clients ask on OpenAI's paths, and Google's newer ones, but with headers of their own: the version,
/// or the key in a place where no other client has it. Google's ask for pages by names of their own, too.
pub(super) fn as_asked(dialect: Dialect, head: &request::Parts) -> Dialect {
    let has = |name: &str| head.headers.contains_key(name);
    let key_in = |name: &str| {
        let places = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];
        places.into_iter().all(|place| has(place) == (place == name))
    };
    match dialect {
        Dialect::OpenAiChat if has("anthropic-version") || key_in("x-api-key") => Dialect::Anthropic,
        Dialect::OpenAiChat if key_in("x-goog-api-key") || pages_as_google(head) => Dialect::Gemini,
        dialect => dialect,
    }
}

fn pages_as_google(head: &request::Parts) -> bool {
    parameters(head.uri.query()).iter().any(|(name, _)| name == "pageSize" || name == "pageToken")
}

fn respond(dialect: Dialect, rendered: Result<Bytes, PublicError>) -> Response<ResponseBody> {
    match rendered {
        Ok(body) => errors::json(StatusCode::OK, body),
        Err(error) => errors::response_in(dialect, &error, None),
    }
}

/// Every name that the caller may use.
pub(crate) fn visible<'s>(snapshot: &'s Snapshot, principal: &Principal) -> Vec<Shown<'s>> {
    let own = snapshot.resolver.routes().chain(snapshot.resolver.aliases());
    let own = own.map(|name| Shown::named(name, Some(OWN)));
    let deployments = snapshot.deployments.iter().filter(|deployment| principal.may_use(&deployment.name));
    let deployments = deployments.map(|deployment| Shown::of(deployment.name.to_string(), deployment));
    let mut shown: Vec<_> = own.chain(deployments).collect();
    if shown.is_empty() && snapshot.simulated_only() {
        // Any name is answered then; pickers in user interfaces need one to show.
        shown.push(Shown::named(&format!("{}/hello", simulated::NAME), Some(simulated::NAME)));
    }
    shown.retain(|shown| principal.may_use(&shown.id));
    shown
}

/// What this name stands for.
pub(crate) fn find<'s>(
    snapshot: &'s Snapshot,
    principal: &Principal,
    id: &str,
) -> Result<Shown<'s>, PublicError> {
    let mut canonical = None;
    let resolved = snapshot.resolver.resolve(id);
    let resolved = resolved.map_err(|error| unresolved(snapshot, Some(principal), error))?;
    let shown = match resolved {
        Resolved::Known(known) => {
            canonical = Some(known.canonical_name().clone());
            match known.deployment().and_then(|id| snapshot.deployment(id)) {
                Some(deployment) => Shown::of(id.to_owned(), deployment),
                None => Shown::named(id, Some(OWN)),
            }
        }
        // Its deployment is made by the first request, not by who only looks.
        Resolved::Dynamic(dynamic) => {
            Shown::named(id, snapshot.provider(dynamic.provider).map(|provider| &*provider.name))
        }
    };
    // As for a request: the name as asked for, or what it stands for.
    if principal.may_use(&shown.id) || canonical.is_some_and(|name| principal.may_use(&name)) {
        return Ok(shown);
    }
    Err(PublicError::new(ErrorCode::ModelNotAllowed, format!("this key may not use `{id}`")).at("model"))
}

impl<'s> Shown<'s> {
    fn named(id: &str, owner: Option<&'s str>) -> Self {
        Self { id: id.to_owned(), owner, deployment: None }
    }

    fn of(id: String, deployment: &'s Deployment) -> Self {
        Self { id, owner: Some(&deployment.key.provider), deployment: Some(deployment) }
    }

    fn catalogued(&self) -> Option<CatalogueEntry> {
        let deployment = self.deployment?;
        let vendor = vendor(deployment.provider.vendor?)?;
        catalogue().find_for(vendor, &deployment.key.model)
    }

    /// For OpenAI's clients, prices in the words of OpenRouter's list.
    fn entry(&self) -> ModelEntry {
        let mut entry = ModelEntry {
            id: self.id.clone(),
            owned_by: self.owner.map(str::to_owned),
            ..ModelEntry::default()
        };
        if let Some(deployment) = self.deployment {
            entry.context_length = deployment.context_length.map(u64::from);
            entry.more = openrouter::members(self.catalogued().as_ref(), deployment.price.as_deref());
        }
        entry
    }

    /// For all others.
    pub(crate) fn listed(&self, created: u64) -> ListedModel {
        let entry = self.catalogued();
        let mode = entry.as_ref().map(|entry| entry.mode).or_else(|| self.deployment?.mode);
        let purpose = match mode {
            None | Some(Mode::Chat | Mode::Responses | Mode::Completion) => Purpose::Chat,
            Some(Mode::Embedding) => Purpose::Embedding,
            Some(_) => Purpose::Other,
        };
        let can = entry.as_ref().map(|entry| entry.capabilities);
        ListedModel {
            id: self.id.clone(),
            owner: self.owner.map(str::to_owned),
            created,
            purpose,
            max_input: self.deployment.and_then(|deployment| deployment.context_length).map(u64::from),
            max_output: entry.as_ref().and_then(|entry| entry.max_output).map(u64::from),
            tools: can.is_some_and(pointsman_providers::Capabilities::tools),
            vision: can.is_some_and(pointsman_providers::Capabilities::vision),
            reasoning: can.is_some_and(pointsman_providers::Capabilities::reasoning),
            retires: entry.and_then(|entry| entry.deprecated).map(str::to_owned),
        }
    }
}

/// Names hold slashes and colons, which clients escape.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Clients want a time; the start of this process is as good as any.
pub(crate) fn created(gateway: &Gateway) -> u64 {
    let start = gateway.clock.unix_us(gateway.started) / 1_000_000;
    u64::try_from(start).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::percent_decode;

    #[test]
    fn escapes_in_names() {
        assert_eq!(percent_decode("openrouter%2Fopenai%2Fgpt-4o"), "openrouter/openai/gpt-4o");
        assert_eq!(percent_decode("llama3%3A8b"), "llama3:8b");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
    }
}
