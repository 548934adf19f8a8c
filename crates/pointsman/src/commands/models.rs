//! `pointsman models`: every name that a request may use, with context length and prices.

use std::sync::Arc;

use pointsman_config::{Deployment, Snapshot};
use pointsman_core::Price;
use pointsman_providers::{PriceList, Prices};
use pointsman_routing::{Resolved, Resolver};
use serde_json::{Number, Value, json};

use super::records::UNKNOWN;
use super::world::{self, Sources};
use crate::cli::Models;
use crate::failure::Failure;
use crate::output::{self, Align, Table};

/// Femto-dollars per token in one dollar per million tokens.
const FEMTO_PER_USD_PER_MILLION: u64 = 1_000_000_000;

/// Lists them.
pub(crate) fn run(args: &Models) -> Result<(), Failure> {
    let sources = Sources::read(&args.config)?;
    let snapshot = world::runtime()?.block_on(sources.discover(&world::online()?))?;
    let provider = args.provider.as_deref();
    if let Some(name) = provider.filter(|name| snapshot.provider_named(name).is_none()) {
        let known: Vec<&str> = snapshot.providers.iter().map(|provider| &*provider.name).collect();
        let message = format!("there is no provider `{}`", output::plain(name));
        return Err(Failure::new(message).hint(format!("there are: {}", known.join(", "))));
    }
    let deployments = snapshot.deployments.iter();
    let deployments: Vec<_> = deployments
        .filter(|deployment| provider.is_none_or(|name| *deployment.key.provider == *name))
        .collect();
    if args.json {
        return output::print(&format!("{:#}\n", document(&snapshot, provider, &deployments)));
    }
    let (table, notes) = (table(&snapshot, provider, &deployments), notes(&snapshot, provider));
    output::print(&if table.is_empty() { notes } else { format!("{table}\n{notes}") })
}

fn table(snapshot: &Snapshot, provider: Option<&str>, deployments: &[&Arc<Deployment>]) -> Table {
    let mut table = Table::new([
        ("NAME", Align::Left),
        ("CONTEXT", Align::Right),
        ("USD/M IN", Align::Right),
        ("CACHED IN", Align::Right),
        ("USD/M OUT", Align::Right),
        ("NOTE", Align::Left),
    ]);
    if provider.is_none() {
        for (name, note) in own_names(&snapshot.resolver) {
            let blank = String::new;
            table.row([name.to_string(), blank(), blank(), blank(), blank(), note]);
        }
    }
    for deployment in deployments {
        let [input, cached, output] = prices(deployment.price.as_ref());
        table.row([
            deployment.name.to_string(),
            deployment.context_length.map(|length| length.to_string()).unwrap_or_default(),
            input,
            cached,
            output,
            note(deployment.price.as_ref()),
        ]);
    }
    table
}

/// Routes and aliases, with what they are.
fn own_names(resolver: &Resolver) -> impl Iterator<Item = (&Arc<str>, String)> {
    let routes = resolver.routes().map(|name| (name, "route".to_owned()));
    let aliases = resolver.aliases().map(|name| {
        let target = match resolver.resolve(name) {
            Ok(Resolved::Known(known)) => format!("alias of {}", known.canonical_name()),
            _ => "alias".to_owned(),
        };
        (name, target)
    });
    routes.chain(aliases)
}

/// Input, cached input, output.
fn prices(list: Option<&PriceList>) -> [String; 3] {
    match list {
        None => [UNKNOWN.into(), String::new(), UNKNOWN.into()],
        Some(list) if list.is_free() => ["free".into(), String::new(), "free".into()],
        Some(list) => {
            let base = list.base();
            let cached = base.cached_input.map(usd_per_million).unwrap_or_default();
            [usd_per_million(base.input), cached, usd_per_million(base.output)]
        }
    }
}

fn note(list: Option<&PriceList>) -> String {
    let first = list.and_then(|list| list.tiers().first());
    first.map(|tier| format!("other prices above {} tokens in", tier.above_input)).unwrap_or_default()
}

/// Names that no list holds.
fn notes(snapshot: &Snapshot, provider: Option<&str>) -> String {
    let shown = snapshot.providers.iter().filter(|shown| provider.is_none_or(|name| *shown.name == *name));
    let mut text = String::new();
    for shown in shown.filter(|shown| shown.open_ended) {
        let what =
            if shown.simulated() { "made-up answers, free" } else { "any further model of this provider" };
        text.push_str(&format!("{}/...  {what}\n", shown.name));
    }
    if snapshot.simulated_only() {
        text.push_str("There is no real provider: the simulated one answers to every name.\n");
    }
    text
}

/// The exact decimal: `0.15`, `3`.
fn usd_per_million(price: Price) -> String {
    let (whole, rest) = (price.0 / FEMTO_PER_USD_PER_MILLION, price.0 % FEMTO_PER_USD_PER_MILLION);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn document(snapshot: &Snapshot, provider: Option<&str>, deployments: &[&Arc<Deployment>]) -> Value {
    let models = deployments.iter().map(|deployment| {
        json!({
            "name": &*deployment.name,
            "type": "model",
            "provider": &*deployment.key.provider,
            "model": &*deployment.key.model,
            "context_length": deployment.context_length,
            "usd_per_million_tokens": deployment.price.as_ref().map(price_document),
        })
    });
    let own = own_names(&snapshot.resolver).filter(|_| provider.is_none()).map(|(name, note)| {
        let (kind, target) = match note.split_once(" of ") {
            Some((kind, target)) => (kind.to_owned(), Some(target.to_owned())),
            None => (note, None),
        };
        json!({ "name": &**name, "type": kind, "target": target })
    });
    own.chain(models).collect()
}

/// `null` for a price that is not known; 0 for what is free.
fn price_document(list: &PriceList) -> Value {
    let exact = |price: Price| usd_per_million(price).parse::<Number>().map_or(Value::Null, Value::Number);
    let prices = |base: &Prices| {
        json!({
            "input": exact(base.input),
            "cached_input": base.cached_input.map(exact),
            "cache_write": base.cache_write.map(exact),
            "output": exact(base.output),
            "reasoning": base.reasoning.map(exact),
        })
    };
    let mut document = prices(list.base());
    let tiers: Vec<Value> = list
        .tiers()
        .iter()
        .map(|tier| json!({ "above_input_tokens": tier.above_input, "prices": prices(&tier.prices) }))
        .collect();
    if !tiers.is_empty() {
        document["tiers"] = tiers.into();
    }
    document
}

#[cfg(test)]
mod tests {
    use pointsman_providers::Tier;

    use super::*;

    #[test]
    fn prices_are_exact_decimals() {
        for (femto, text) in [(0, "0"), (150_000_000, "0.15"), (3_000_000_000, "3"), (1, "0.000000001")] {
            assert_eq!(usd_per_million(Price(femto)), text);
        }
        assert_eq!(usd_per_million(Price(u64::MAX)), "18446744073.709551615");
    }

    #[test]
    fn unknown_is_not_free() {
        assert_eq!(prices(None)[0], "unknown");
        assert_eq!(prices(Some(&PriceList::FREE))[0], "free");
        let base = Prices::new(Price(150_000_000), Price(600_000_000));
        assert_eq!(prices(Some(&PriceList::flat(base))), ["0.15", "", "0.6"]);
        let tier = Tier { above_input: 200_000, prices: base };
        let tiered = PriceList::tiered(base, vec![tier]);
        assert_eq!(note(Some(&tiered)), "other prices above 200000 tokens in");
        let document = price_document(&tiered);
        assert_eq!(document["input"].to_string(), "0.15");
        assert_eq!(document["tiers"][0]["above_input_tokens"], 200_000);
        assert_eq!(price_document(&PriceList::FREE)["output"].to_string(), "0");
    }
}
