//! The list of models as JSON. Prices are exact decimals; `null` is a price that is not known, 0 what is free.

use std::sync::Arc;

use pointsman_core::{Price, Service};
use pointsman_providers::price::{write_usd, write_usd_per_million};
use pointsman_providers::{CatalogueEntry, Class, PriceList, Prices, Scale, Units};
use serde_json::{Map, Number, Value, json};

use super::Row;

/// Routes and aliases, then models.
pub(super) fn document(rows: &[Row], own: &[(Arc<str>, String)]) -> Value {
    let own = own.iter().map(|(name, note)| {
        let (kind, target) = match note.split_once(" of ") {
            Some((kind, target)) => (kind, Some(target)),
            None => (note.as_str(), None),
        };
        json!({ "name": &**name, "type": kind, "target": target })
    });
    own.chain(rows.iter().map(model)).collect()
}

fn model(row: &Row) -> Value {
    let entry = row.entry.as_ref();
    let names = |of: fn(&CatalogueEntry) -> Vec<&'static str>| entry.map(of).unwrap_or_default();
    json!({
        "name": row.name,
        "type": "model",
        "provider": row.provider,
        "model": row.model,
        "class": row.class().map(Class::as_str),
        "mode": entry.map(|entry| entry.mode.as_str()),
        "context_length": row.context_length,
        "max_output": entry.and_then(|entry| entry.max_output),
        "input_modalities": names(|entry| entry.input_modalities().collect()),
        "output_modalities": names(|entry| entry.output_modalities().collect()),
        "capabilities": names(|entry| entry.capabilities.names().collect()),
        "deprecated": entry.and_then(|entry| entry.deprecated),
        "usd_per_million_tokens": row.price.as_ref().filter(|price| price.prices_tokens()).map(tokens),
        "usd_per_piece": row.price.as_ref().map(|price| pieces(price.units())),
    })
}

/// Prices of tokens: the usual ones, those of longer requests, those of other services.
fn tokens(list: &PriceList) -> Value {
    let mut document = scale(list.base(), list.tiers());
    for service in Service::ALL.into_iter().skip(1) {
        if let Some(Scale { base, tiers }) = list.service(service) {
            document.insert(service.as_str().to_owned(), scale(base, tiers).into());
        }
    }
    document.into()
}

fn scale(base: &Prices, tiers: &[pointsman_providers::Tier]) -> Map<String, Value> {
    let mut document = kinds(base);
    let tiers: Vec<Value> = tiers
        .iter()
        .map(|tier| json!({ "above_input_tokens": tier.above_input, "prices": kinds(&tier.prices) }))
        .collect();
    if !tiers.is_empty() {
        document.insert("tiers".to_owned(), tiers.into());
    }
    document
}

/// Each kind that has a price of its own.
fn kinds(prices: &Prices) -> Map<String, Value> {
    named(
        [
            ("input", Some(prices.input)),
            ("cached_input", prices.cached_input),
            ("cache_write", prices.cache_write),
            ("cache_write_1h", prices.cache_write_1h),
            ("output", Some(prices.output)),
            ("reasoning", prices.reasoning),
            ("input_audio", prices.input_audio),
            ("output_audio", prices.output_audio),
            ("cached_audio", prices.cached_audio),
            ("input_image", prices.input_image),
            ("output_image", prices.output_image),
        ],
        write_usd_per_million,
    )
}

fn pieces(units: Units) -> Map<String, Value> {
    named(
        [
            ("request", units.request),
            ("input_picture", units.input_picture),
            ("picture", units.picture),
            ("input_second", units.input_second),
            ("output_second", units.output_second),
            ("input_character", units.input_character),
            ("output_character", units.output_character),
        ],
        write_usd,
    )
}

fn named<const N: usize>(
    prices: [(&str, Option<Price>); N],
    write: fn(Price) -> String,
) -> Map<String, Value> {
    let exact = |price| write(price).parse::<Number>().map_or(Value::Null, Value::Number);
    prices.into_iter().filter_map(|(name, price)| Some((name.to_owned(), exact(price?)))).collect()
}

#[cfg(test)]
mod tests {
    use pointsman_providers::Tier;

    use super::*;

    #[test]
    fn prices_are_exact_decimals() {
        let base =
            Prices { cache_write_1h: Some(Price(1)), ..Prices::new(Price(150_000_000), Price(600_000_000)) };
        let tier = Tier { above_input: 200_000, prices: Prices::new(Price(u64::MAX), Price(3_000_000_000)) };
        let list = PriceList::tiered(base, vec![tier])
            .with_service(Service::Flex, Scale { base: Prices::default(), tiers: Vec::new() })
            .with_units(Units { request: Some(Price(5_000_000_000_000)), ..Units::default() });
        let document = tokens(&list);
        assert_eq!(document["input"].to_string(), "0.15");
        assert_eq!(document["cache_write_1h"].to_string(), "0.000000001");
        assert_eq!(document.get("cached_input"), None);
        let tier = &document["tiers"][0];
        assert_eq!(tier["above_input_tokens"], 200_000);
        assert_eq!(tier["prices"]["input"].to_string(), "18446744073.709551615");
        assert_eq!(document["flex"], json!({ "input": 0, "output": 0 }));
        assert_eq!(Value::from(pieces(list.units())).to_string(), r#"{"request":0.005}"#);
        assert_eq!(tokens(&PriceList::FREE), json!({ "input": 0, "output": 0 }));
    }
}
