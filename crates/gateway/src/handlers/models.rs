//! `GET /v1/models`: what the caller may name.

use std::net::IpAddr;

use http::{Response, StatusCode, request};
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{ErrorCode, Principal, PublicError};
use pointsman_providers::{catalogue, openrouter, simulated, vendor};
use pointsman_routing::Resolved;
use pointsman_wire::openai::models::{ModelEntry, render_list, render_one};

use crate::Gateway;
use crate::body::ResponseBody;
use crate::errors;
use crate::pipeline::identify::identify;
use crate::pipeline::plan::unresolved;

/// Routes and aliases are Pointsman's own.
const OWN: &str = "pointsman";

/// All models, routes and aliases that the caller may use.
pub(crate) fn list(gateway: &Gateway, peer: IpAddr, head: &request::Parts) -> Response<ResponseBody> {
    let snapshot = gateway.world.load_full();
    match identify(gateway, &snapshot, peer, head) {
        Ok(principal) => {
            let entries = entries(&snapshot, &principal);
            errors::json(StatusCode::OK, render_list(&entries, created(gateway)))
        }
        Err(error) => {
            gateway.metrics.refused(error.code);
            errors::response(&error, None)
        }
    }
}

/// One model, by the name that a request would use.
pub(crate) fn one(
    gateway: &Gateway,
    peer: IpAddr,
    head: &request::Parts,
    id: &str,
) -> Response<ResponseBody> {
    let snapshot = gateway.world.load_full();
    let caller =
        identify(gateway, &snapshot, peer, head).inspect_err(|error| gateway.metrics.refused(error.code));
    match caller.and_then(|principal| find(&snapshot, &principal, id)) {
        Ok(entry) => errors::json(StatusCode::OK, render_one(&entry, created(gateway))),
        Err(error) => errors::response(&error, None),
    }
}

fn entries(snapshot: &Snapshot, principal: &Principal) -> Vec<ModelEntry> {
    let own = snapshot.resolver.routes().chain(snapshot.resolver.aliases());
    let own = own.map(|name| named(name, Some(OWN)));
    let deployments = snapshot.deployments.iter().filter(|deployment| principal.may_use(&deployment.name));
    let deployments = deployments.map(|deployment| described(deployment.name.to_string(), deployment));
    let mut entries: Vec<_> = own.chain(deployments).collect();
    if entries.is_empty() && snapshot.simulated_only() {
        // Any name is answered then; pickers in user interfaces need one to show.
        entries.push(named(&format!("{}/hello", simulated::NAME), Some(simulated::NAME)));
    }
    entries.retain(|entry| principal.may_use(&entry.id));
    entries
}

fn find(snapshot: &Snapshot, principal: &Principal, id: &str) -> Result<ModelEntry, PublicError> {
    let id = percent_decode(id);
    let mut canonical = None;
    let resolved = snapshot.resolver.resolve(&id);
    let resolved = resolved.map_err(|error| unresolved(snapshot, Some(principal), error))?;
    let entry = match resolved {
        Resolved::Known(known) => {
            canonical = Some(known.canonical_name().clone());
            match known.deployment().and_then(|id| snapshot.deployment(id)) {
                Some(deployment) => described(id.clone(), deployment),
                None => named(&id, Some(OWN)),
            }
        }
        // Its deployment is made by the first request, not by who only looks.
        Resolved::Dynamic(dynamic) => {
            named(&id, snapshot.provider(dynamic.provider).map(|provider| &*provider.name))
        }
    };
    // As for a request: the name as asked for, or what it stands for.
    if principal.may_use(&entry.id) || canonical.is_some_and(|name| principal.may_use(&name)) {
        return Ok(entry);
    }
    Err(PublicError::new(ErrorCode::ModelNotAllowed, format!("this key may not use `{id}`")).at("model"))
}

fn named(id: &str, owned_by: Option<&str>) -> ModelEntry {
    ModelEntry { id: id.to_owned(), owned_by: owned_by.map(str::to_owned), ..ModelEntry::default() }
}

/// All that is known of a model, prices in the words of OpenRouter's list.
fn described(id: String, deployment: &Deployment) -> ModelEntry {
    let vendor = deployment.provider.vendor.and_then(vendor);
    let entry = vendor.and_then(|vendor| catalogue().find_for(vendor, &deployment.key.model));
    ModelEntry {
        id,
        owned_by: Some(deployment.key.provider.to_string()),
        context_length: deployment.context_length.map(u64::from),
        more: openrouter::members(entry.as_ref(), deployment.price.as_deref()),
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

/// OpenAI's clients want a time; the start of this process is as good as any.
fn created(gateway: &Gateway) -> u64 {
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
