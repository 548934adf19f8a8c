//! What OpenRouter's list of models says of a model: prices in USD per unit as decimal text, modalities, limits.
//!
//! Members as in OpenRouter's API reference (`GET /api/v1/models`). One that is not known is left out: a missing
//! `pricing` is an unknown price, `"0"` a free model. OpenRouter has no names for batch, flex and priority.

use pointsman_core::Price;
use serde_json::{Map, Value, json};

use crate::catalogue::CatalogueEntry;
use crate::price::{PriceList, Prices, write_usd};

/// The further members of a model's entry, besides id, owner and context length. `price` is what it costs here,
/// which may be less than the catalogue says: what runs on one's own machine is free.
#[must_use]
pub fn members(entry: Option<&CatalogueEntry>, price: Option<&PriceList>) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(price) = price {
        members.insert("pricing".to_owned(), pricing(price).into());
    }
    let Some(entry) = entry else { return members };
    let inputs: Vec<&str> = entry.input_modalities().collect();
    let outputs: Vec<&str> = entry.output_modalities().collect();
    let modality = format!("{}->{}", inputs.join("+"), outputs.join("+"));
    let architecture =
        json!({ "modality": modality, "input_modalities": inputs, "output_modalities": outputs });
    members.insert("architecture".to_owned(), architecture);
    let top = json!({ "context_length": entry.max_input, "max_completion_tokens": entry.max_output });
    members.insert("top_provider".to_owned(), top);
    let parameters: Vec<&str> = parameters(entry).collect();
    if !parameters.is_empty() {
        members.insert("supported_parameters".to_owned(), parameters.into());
    }
    if let Some(date) = entry.deprecated {
        members.insert("expiration_date".to_owned(), date.into());
    }
    members
}

/// `pricing`: every price that the list has a name for.
fn pricing(list: &PriceList) -> Map<String, Value> {
    let base = list.base();
    let units = list.units();
    // Where only pieces have a price, tokens are not free.
    let mut pricing = if list.prices_tokens() { tokens(base) } else { Map::new() };
    let image = units.input_picture.or(units.picture);
    for (name, price) in [("request", units.request), ("image", image)] {
        insert(&mut pricing, name, price);
    }
    let overrides: Vec<Value> = list
        .tiers()
        .iter()
        .map(|tier| {
            let mut prices = tokens(&tier.prices);
            prices.insert("min_prompt_tokens".to_owned(), tier.above_input.saturating_add(1).into());
            prices.into()
        })
        .collect();
    if !overrides.is_empty() {
        pricing.insert("overrides".to_owned(), overrides.into());
    }
    pricing
}

/// The prices of tokens.
fn tokens(prices: &Prices) -> Map<String, Value> {
    let mut named = Map::new();
    for (name, price) in [
        ("prompt", Some(prices.input)),
        ("completion", Some(prices.output)),
        ("input_cache_read", prices.cached_input),
        ("input_cache_write", prices.cache_write),
        ("input_cache_write_1h", prices.cache_write_1h),
        ("internal_reasoning", prices.reasoning),
        ("audio", prices.input_audio),
        ("audio_output", prices.output_audio),
        ("input_audio_cache", prices.cached_audio),
        ("image_token", prices.input_image),
        ("image_output", prices.output_image),
    ] {
        insert(&mut named, name, price);
    }
    named
}

fn insert(into: &mut Map<String, Value>, name: &str, price: Option<Price>) {
    if let Some(price) = price {
        into.insert(name.to_owned(), write_usd(price).into());
    }
}

/// The request's parameters that a capability stands for.
fn parameters(entry: &CatalogueEntry) -> impl Iterator<Item = &'static str> {
    let can = entry.capabilities;
    let all = [
        ("tools", can.tools()),
        ("tool_choice", can.tools()),
        ("parallel_tool_calls", can.parallel_tools()),
        ("response_format", can.response_schema()),
        ("structured_outputs", can.response_schema()),
        ("reasoning", can.reasoning()),
        ("include_reasoning", can.reasoning()),
    ];
    all.into_iter().filter(|(_, takes)| *takes).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    fn of(provider: &str, model: &str) -> Value {
        let entry = catalogue().find(provider, model).unwrap();
        members(Some(&entry), entry.price.as_ref()).into()
    }

    #[test]
    fn prices_are_texts_of_usd_per_token() {
        let sonnet = of("anthropic", "claude-sonnet-4-5");
        assert_eq!(sonnet["pricing"]["prompt"], "0.000003");
        assert_eq!(sonnet["pricing"]["completion"], "0.000015");
        assert_eq!(sonnet["pricing"]["input_cache_read"], "0.0000003");
        assert_eq!(sonnet["pricing"]["input_cache_write"], "0.00000375");
        assert_eq!(sonnet["pricing"]["input_cache_write_1h"], "0.000006");
        assert!(sonnet["expiration_date"].is_string());
        let pro = of("gemini", "gemini-2.5-pro");
        assert_eq!(pro["pricing"]["overrides"][0]["min_prompt_tokens"], 200_001);
        assert_eq!(pro["pricing"]["overrides"][0]["prompt"], "0.0000025");
        let flash = of("gemini", "gemini-2.5-flash");
        assert_eq!(flash["pricing"]["audio"], "0.000001");
        let parameters = flash["supported_parameters"].as_array().unwrap();
        assert!(parameters.contains(&"tools".into()) && parameters.contains(&"reasoning".into()));
    }

    #[test]
    fn modalities_and_limits() {
        let mini = of("openai", "gpt-4o-mini");
        assert_eq!(mini["architecture"]["modality"], "text+image+file->text");
        assert_eq!(
            mini["top_provider"],
            json!({ "context_length": 128_000, "max_completion_tokens": 16_384 })
        );
        let embedding = of("openai", "text-embedding-3-small");
        assert_eq!(embedding["architecture"]["output_modalities"], json!(["embeddings"]));
        assert_eq!(embedding.get("supported_parameters"), None);
    }

    #[test]
    fn unknown_is_not_free() {
        assert!(members(None, None).is_empty());
        let pieces = of("openai", "tts-1");
        assert_eq!(pieces["pricing"], json!({}), "it is paid by the character, which has no name there");
        let picture = of("gemini", "imagen-3.0-generate-001");
        assert_eq!(picture["pricing"], json!({ "image": "0.04" }));
        let free = Value::from(members(None, Some(&PriceList::FREE)));
        assert_eq!(free, json!({ "pricing": { "prompt": "0", "completion": "0" } }));
    }
}
