//! Hands names to routing: providers with their models. Routes and aliases are in `graphs.rs`.

use std::collections::HashSet;
use std::sync::Arc;

use pointsman_core::Dialect;
use pointsman_providers::{Mode, Support, Vendor, catalogue, names, vendor, vendors};
use pointsman_routing::{BuildError, BuildErrorKind, Builder, Spelling};

use crate::compose::parts::Prepared;
use crate::decode::{Context, similar};
use crate::domain::Provider;
use crate::yaml::Place;

/// Providers in the order of their ids, with the models that are listed or known.
pub(super) fn providers(builder: &mut Builder, prepared: &[Prepared]) {
    for Prepared { name, models, provider } in prepared {
        let open_ended = provider.as_ref().is_none_or(|provider| provider.open_ended);
        let id = builder.provider(name, open_ended);
        for model in models {
            builder.deployment(id, model);
        }
        let known = provider.as_ref().filter(|provider| provider.open_ended);
        for model in known.into_iter().flat_map(|provider| catalogue_models(provider)) {
            builder.deployment(id, model);
        }
    }
    let real = prepared.iter().any(|prepared| !prepared.provider.as_ref().is_some_and(|p| p.simulated()));
    if !real && let Some(id) = prepared.iter().position(|prepared| is_open_ended(prepared.provider.as_ref()))
    {
        builder.answers_any_name(pointsman_routing::ProviderId(u32::try_from(id).unwrap_or(u32::MAX)));
    }
    let configured: HashSet<Arc<str>> =
        prepared.iter().filter_map(|p| p.provider.as_ref()?.vendor).map(Arc::from).collect();
    builder.spelling(Spelling { listed, typed });
    builder.enable_hint(move |name| enabling_variable(name, &configured));
}

fn listed(model: &str) -> [String; 5] {
    let names::Keys { squeezed, bare, words, undated, family } = names::keys(model);
    [squeezed, bare, words, undated, family]
}

fn typed(name: &str) -> [Option<String>; 5] {
    let names::Typed { squeezed, words } = names::typed(name);
    let bare = words.is_some().then(|| squeezed.clone());
    [Some(squeezed), bare, words.clone(), words.clone(), words]
}

fn is_open_ended(provider: Option<&Arc<Provider>>) -> bool {
    provider.is_some_and(|provider| provider.open_ended)
}

/// The models of a provider's vendor that it can be asked for.
fn catalogue_models(provider: &Provider) -> impl Iterator<Item = &'static str> {
    let providers = provider.vendor.and_then(vendor).map_or(&[][..], |vendor| vendor.catalogue);
    let names = providers.iter().flat_map(|provider| catalogue().names_of(provider));
    let responses = provider.dialects.contains(&Dialect::OpenAiResponses);
    names.filter(move |(_, entry)| responses || entry.mode != Mode::Responses).map(|(name, _)| name)
}

/// The variable of the vendor that `vendor/model` or a bare model name would need.
fn enabling_variable(name: &str, configured: &HashSet<Arc<str>>) -> Option<Arc<str>> {
    let found = |vendor: &&Vendor| vendor.support == Support::Usable && !vendor.shared_env;
    let usable = vendors().iter().filter(|vendor| found(vendor) && !configured.contains(vendor.name));
    let first = name.split_once('/').map(|(first, _)| first);
    let named = usable.clone().find(|vendor| Some(vendor.name) == first);
    let vendor = named.or_else(|| catalogue().offered_by(name, usable).next())?;
    vendor.env.first().map(|variable| Arc::from(*variable))
}

pub(super) fn tell(cx: &mut Context, errors: Vec<BuildError>, places: &[Place], providers: &[Prepared]) {
    for BuildError { place, kind } in errors {
        let place = places.get(place as usize).copied().unwrap_or_default();
        let hint = match &kind {
            // A first segment that is a known vendor says more than names that look alike.
            BuildErrorKind::Resolve(error) => {
                missing_provider(error.name(), providers).or_else(|| kind.hint())
            }
            _ => kind.hint(),
        };
        cx.fail_with::<()>(place, kind.to_string(), hint);
    }
}

/// Engines are found at run time only, so that a route must not rest on them; and a misspelt provider
/// is a better guess than models whose names look alike.
fn missing_provider(name: &str, providers: &[Prepared]) -> Option<String> {
    let (first, model) = name.split_once('/')?;
    if providers.iter().any(|prepared| &*prepared.name == first) || vendor(first).is_some() {
        return None;
    }
    if pointsman_providers::engines().iter().any(|engine| engine.name == first) {
        return Some(format!(
            "add `{first}: {{}}` to `providers`: routes and aliases need what is always there"
        ));
    }
    let names = providers.iter().map(|prepared| &*prepared.name);
    similar(first, names).map(|provider| format!("did you mean `{provider}/{model}`?"))
}
