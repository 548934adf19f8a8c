//! `class:flash` in a route: the models of that class that the configured providers have, cheapest first.

use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_core::{Dialect, Price};
use pointsman_providers::catalogue::{CatalogueEntry, Class, Mode, date};
use pointsman_providers::{PriceList, catalogue, vendor};
use pointsman_routing::{BalanceBranchSpec, NodeKind, NodeSpec};

use crate::compose::parts::Prepared;
use crate::decode::similar;
use crate::validate::Checker;
use crate::yaml::Place;

/// What begins the name of a class.
const PREFIX: &str = "class:";
/// How many models a class stands for at most: further ones would only be tried after all of these failed.
pub(super) const MAX_CLASS_CANDIDATES: usize = 16;
/// Requests read more than they write: what is compared is the price of three input tokens and one of output.
const INPUT_SHARE: u64 = 3;

/// The route with every `class:` replaced by its models. `None`: what is wrong was told.
pub(super) fn expand(
    check: &mut Checker<'_>,
    node: NodeSpec,
    providers: &[Prepared],
    places: &[Place],
) -> Option<NodeSpec> {
    let NodeSpec { place, kind } = node;
    let kind = match kind {
        NodeKind::Name(name) | NodeKind::Model(name) if name.starts_with(PREFIX) => {
            let at = places.get(place as usize).copied().unwrap_or_default();
            let models = class(check, &name, at, providers)?;
            NodeKind::First(models.into_iter().map(|name| model(place, name)).collect())
        }
        NodeKind::First(nodes) => {
            let nodes = nodes.into_iter().map(|node| expand(check, node, providers, places));
            NodeKind::First(nodes.collect::<Option<_>>()?)
        }
        NodeKind::Split(mut branches) => {
            for branch in &mut branches {
                branch.to = expand(check, branch.to.clone(), providers, places)?;
            }
            NodeKind::Split(branches)
        }
        NodeKind::Balance(mut balance) => {
            let branches = std::mem::take(&mut balance.branches);
            for BalanceBranchSpec { weight, place, priority, to } in branches {
                let of_class = is_class(&to.kind);
                let to = expand(check, to, providers, places)?;
                let nodes = match to.kind {
                    // What is balanced is its models.
                    NodeKind::First(nodes) if of_class => nodes,
                    kind => vec![NodeSpec { place: to.place, kind }],
                };
                let branches = nodes.into_iter().map(|to| BalanceBranchSpec { weight, place, priority, to });
                balance.branches.extend(branches);
            }
            NodeKind::Balance(balance)
        }
        other => other,
    };
    Some(NodeSpec { place, kind })
}

fn is_class(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Name(name) | NodeKind::Model(name) if name.starts_with(PREFIX))
}

fn model(place: u32, name: String) -> NodeSpec {
    NodeSpec { place, kind: NodeKind::Model(name) }
}

/// The full names of a class' models, in order.
fn class(check: &mut Checker<'_>, name: &str, place: Place, providers: &[Prepared]) -> Option<Vec<String>> {
    let word = name.strip_prefix(PREFIX).unwrap_or_default();
    let Some(class) = Class::from_word(word) else {
        let words = || Class::ALL.into_iter().map(Class::as_str);
        let hint = match similar(word, words()) {
            Some(known) => format!("did you mean `{PREFIX}{known}`?"),
            None => format!("the classes are {}", words().collect::<Vec<_>>().join(", ")),
        };
        return check.cx.fail_hint(place, format!("there is no class `{word}`"), hint);
    };
    let today = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let today = date::of_unix(today);
    let mut found: Vec<(u64, String)> = Vec::new();
    for prepared in providers {
        let known = prepared.provider.as_ref().and_then(|provider| provider.vendor).and_then(vendor);
        let Some(vendor) = known else { continue };
        let listed = prepared
            .models
            .iter()
            .filter_map(|model| catalogue().find_for(vendor, model).map(|entry| (model.clone(), entry)));
        let open = prepared.provider.as_ref().is_some_and(|provider| provider.open_ended);
        let all = vendor.catalogue.iter().filter(|_| open).flat_map(|provider| catalogue().of(provider));
        let all = all.map(|entry| (entry.model.to_owned(), entry));
        let responses = prepared
            .provider
            .as_ref()
            .is_some_and(|provider| provider.dialects.contains(&Dialect::OpenAiResponses));
        let fits = |entry: &CatalogueEntry| {
            let gone = entry.deprecated.is_some_and(|date| date <= &*today);
            entry.class == class && (responses || entry.mode != Mode::Responses) && !gone
        };
        let fitting = listed.chain(all).filter(|(_, entry)| fits(entry));
        found
            .extend(fitting.map(|(model, entry)| {
                (dearness(entry.price.as_ref()), format!("{}/{model}", prepared.name))
            }));
    }
    if found.is_empty() {
        let message = format!("no configured provider has a model of the class `{word}`");
        let hint = "configure a provider that has one, or name models of yours with `first`";
        return check.cx.fail_hint(place, message, hint);
    }
    found.sort();
    found.dedup();
    found.truncate(MAX_CLASS_CANDIDATES);
    Some(found.into_iter().map(|(_, name)| name).collect())
}

/// What is compared; models without a known price come last.
fn dearness(price: Option<&PriceList>) -> u64 {
    let femto = |price: Price, share: u64| price.0.saturating_mul(share);
    price.map_or(u64::MAX, |list| {
        let base = list.base();
        let units = list.units();
        let pieces = [units.request, units.picture, units.input_second, units.output_second];
        let characters = [units.input_character, units.output_character];
        let pieces = pieces.into_iter().chain(characters).flatten().map(|price| price.0);
        femto(base.input, INPUT_SHARE).saturating_add(base.output.0).saturating_add(pieces.sum())
    })
}
