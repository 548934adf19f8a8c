//! Every line parses, names are found as people type them, and the file is what the script wrote.

use pointsman_core::Money;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::vendors::{Support, vendor, vendors};

fn price_of(provider: &str, model: &str) -> Option<Money> {
    let usage = pointsman_core::Usage { input: 1_000_000, output: 1_000_000, ..Default::default() };
    Some(catalogue().find(provider, model)?.price?.cost(&usage).total())
}

#[test]
fn the_version_is_the_hash_of_the_entries() {
    let hash = Sha256::digest(catalogue().body());
    let version = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    assert_eq!(
        catalogue().version(),
        version,
        "the file was edited by hand: run scripts/derive_catalogue.py"
    );
}

#[test]
fn every_line_parses_and_lines_are_sorted() {
    let entries: Vec<_> = catalogue().entries().collect();
    let twins = catalogue().body().lines().filter(|line| line.contains("\t=")).count();
    assert_eq!(entries.len() + twins, catalogue().body().lines().count());
    assert!(entries.len() >= 2_500, "{}", entries.len());
    assert!(twins > 500, "{twins}");
    assert!(entries.is_sorted_by(|a, b| (a.provider, a.model) < (b.provider, b.model)));
    // A price text that does not parse would look like an unknown price.
    for line in catalogue().body().lines().filter(|line| !line.contains("\t=")) {
        let prices = line.split('\t').nth(7).unwrap();
        let entry = CatalogueEntry::parse(line).unwrap();
        assert_eq!(entry.price.is_some(), !prices.is_empty(), "{line}");
    }
    for line in catalogue().body().lines().filter(|line| line.contains("\t=")) {
        let fields: Vec<_> = line.split('\t').collect();
        let twin = catalogue().find(fields[0], fields[1]).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(twin.model, fields[2].trim_start_matches('='), "{line}");
        assert!(matches!(fields[3], "region" | "alias"), "{line}");
        if let Some(prices) = fields.get(4).filter(|prices| !prices.is_empty()) {
            assert_eq!(twin.price, prices::parse(prices), "{line}");
        }
    }
}

/// What the page tells of the catalogue and of vendors.
#[test]
fn the_page_counts_right() {
    let page = include_str!("../../../../docs/catalogue.md");
    let tells = |text: String| assert!(page.contains(&text), "docs/catalogue.md does not say: {text}");
    let thousands = |count: usize| match count {
        0..1_000 => count.to_string(),
        _ => format!("{},{:03}", count / 1_000, count % 1_000),
    };
    let twins = |kind: &str| {
        let fields = catalogue().body().lines().map(|line| line.split('\t').collect::<Vec<_>>());
        fields.filter(|fields| fields[2].starts_with('=') && fields[3] == kind).count()
    };
    let models = thousands(catalogue().entries().count());
    let providers: std::collections::BTreeSet<_> =
        catalogue().entries().map(|entry| entry.provider).collect();
    tells(format!("holds {models} models of {} providers", providers.len()));
    tells(format!("| {models} | models |"));
    tells(format!("| {} | region twins", twins("region")));
    tells(format!("| {} | alias twins", twins("alias")));
    let vendors_that_are = |support| vendors().iter().filter(|vendor| vendor.support == support).count();
    tells(format!("{} vendors can be called by name", vendors_that_are(Support::Usable)));
    tells(format!("{} more are known but not callable yet", vendors_that_are(Support::Planned)));
    tells(format!("of {} only the name is known", vendors_that_are(Support::Unverified)));
    for class in Class::ALL {
        tells(format!("`{}`", class.as_str()));
    }
}

#[test]
fn every_entry_is_found_under_its_own_name() {
    for entry in catalogue().entries() {
        assert_eq!(catalogue().find(entry.provider, entry.model).as_ref(), Some(&entry));
    }
}

#[test]
fn reads_prices_limits_and_capabilities() {
    let mini = catalogue().find("openai", "gpt-4o-mini").unwrap();
    assert_eq!(mini.mode, Mode::Chat);
    assert_eq!((mini.max_input, mini.max_output), (Some(128_000), Some(16_384)));
    assert!(mini.capabilities.tools() && mini.capabilities.vision() && !mini.capabilities.reasoning());
    // $0.15 + $0.60 for a million tokens each way.
    assert_eq!(price_of("openai", "gpt-4o-mini"), Some(Money(750_000_000)));
    let embedding = catalogue().find("openai", "text-embedding-3-small").unwrap();
    assert!(embedding.mode.serves(pointsman_core::Operation::Embeddings));
    // Above 200,000 tokens gemini-2.5-pro costs $2.50 in and $15 out.
    assert_eq!(price_of("gemini", "gemini-2.5-pro"), Some(Money(17_500_000_000)));
    let pro = catalogue().find("gemini", "gemini-2.5-pro").unwrap().price.unwrap();
    assert_eq!(pro.base().input, pointsman_core::Price(1_250_000_000));
    assert!(catalogue().find("anthropic", "claude-sonnet-4-5").unwrap().deprecated.is_some());
}

#[test]
fn vendor_names_and_catalogue_prefixes_lead_to_one_entry() {
    let direct = catalogue().find("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo");
    assert!(direct.is_some());
    assert_eq!(catalogue().find("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"), direct);
    assert_eq!(catalogue().find("together", "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"), direct);
    assert!(catalogue().find("cohere", "command-r7b-12-2024").is_some(), "from cohere_chat");
    assert!(catalogue().find("openai", "gpt-3.5-turbo-instruct").is_some(), "from text-completion-openai");
    assert!(catalogue().find("groq", "groq/openai/gpt-oss-20b").is_some());
}

const FAMILY: &str = "\
p\tdear-2025-01-01\tc\tstandard\t\t\t\ti2 o2\t
p\tdear-2025-02-02\tc\tstandard\t\t\t\ti3 o3\t
p\tft:base-2024-01-01\tc\tstandard\t\t\t\ti5 o5\t
p\tsame\tc\tstandard\t\t\t\ti1 o1\t
p\tsame-20250101\tc\tstandard\t\t\t\ti1 o1\t
p\tsame-mini\tc\tstandard\t\t\t\ti9 o9\t
p\tunpriced\tc\tstandard\t\t\t\t\t
q\tonly-2025-01-01\tc\tstandard\t\t\t\ti1 o1\t
";

#[test]
fn dates_are_ignored_only_where_the_price_is_certain() {
    let find = |provider: &str, model: &str| search::find(FAMILY, provider, model).map(|e| e.model);
    assert_eq!(find("p", "same-20990101"), Some("same"), "a new date of a family with one price");
    assert_eq!(find("p", "same-2099-01-01"), Some("same"));
    assert_eq!(find("p", "dear"), None, "two prices");
    assert_eq!(find("p", "dear-2099-01-01"), None, "two prices");
    assert_eq!(find("p", "dear-2025-02-02"), Some("dear-2025-02-02"));
    assert_eq!(find("q", "only"), Some("only-2025-01-01"));
    assert_eq!(find("q", "onl"), None);
    assert_eq!(find("p", "only"), None, "another provider's");
    assert_eq!(find("p", "same-micro"), None, "not a date");
    assert_eq!(find("p", ""), None);
    assert_eq!(find("", ""), None);
    assert_eq!(find("z", "same"), None);
}

#[test]
fn a_fine_tuned_model_costs_what_its_base_costs() {
    let find = |model: &str| search::find(FAMILY, "p", model).map(|e| e.model);
    assert_eq!(find("ft:base-2024-01-01:org:name:id"), Some("ft:base-2024-01-01"));
    assert_eq!(find("ft:other:org"), None);
    assert_eq!(find("ft:"), None);
}

#[test]
fn unknown_prices_are_none_and_only_free_models_are_free() {
    let unpriced = search::find(FAMILY, "p", "unpriced").unwrap();
    assert_eq!(unpriced.price, None);
    let free = |entry: &CatalogueEntry| entry.price.as_ref().is_some_and(crate::PriceList::is_free);
    let providers: std::collections::BTreeSet<_> =
        catalogue().entries().filter(free).map(|entry| entry.provider).collect();
    let known = ["gemini", "lemonade", "llamagate", "ollama", "zai"];
    assert!(providers.iter().all(|provider| known.contains(provider)), "{providers:?}");
}

#[test]
fn bare_names_list_the_vendors_that_offer_them() {
    let usable = || vendors().iter().filter(|vendor| vendor.support == Support::Usable);
    let names = |model: &'static str| -> Vec<_> {
        catalogue().offered_by(model, usable()).map(|vendor| vendor.name).collect()
    };
    assert_eq!(names("gpt-4o-mini")[0], "openai");
    assert_eq!(names("claude-haiku-4-5")[0], "anthropic", "its maker before those who resell it");
    assert!(names("openai/gpt-oss-120b").len() > 1, "several vendors serve open weights");
    assert_eq!(names("no-such-model"), [""; 0]);
    let one = || [vendor("groq").unwrap()];
    assert_eq!(catalogue().offered_by("gpt-4o-mini", one()).count(), 0);
}

#[test]
fn suggestions_are_near_and_name_their_vendor() {
    let names = |typed: &str| -> Vec<String> {
        let near = catalogue().closest(typed, 3);
        near.iter().map(|s| format!("{}/{}", s.vendor.name, s.model)).collect()
    };
    assert_eq!(names("gpt-4o-mini")[0], "openai/gpt-4o-mini");
    assert_eq!(names("gpt4o-mini")[0], "openai/gpt-4o-mini");
    assert_eq!(names("Claude-Haiku4-5")[0], "anthropic/claude-haiku-4-5");
    assert_eq!(names("groq/gpt-oss-20b")[0], "groq/openai/gpt-oss-20b");
    assert!(names("llama-3.3-70b-instruct")[0].ends_with("/Llama-3.3-70B-Instruct"));
    assert_eq!(names("gpt-4o-mini").len(), 3);
    for unlike in ["nope", "x", "zzzzzzzz"] {
        assert_eq!(names(unlike), [""; 0], "{unlike}");
    }
    assert!(names(&"x".repeat(10_000)).is_empty(), "too long to compare");
    assert!(catalogue().closest("gpt", 0).is_empty());
}

#[test]
fn well_known_models_are_found_under_the_names_that_people_type() {
    for (name, provider, model, usd) in [
        ("GPT-5", "openai", "gpt-5", Some(11_250_000_000)),
        ("Claude 4 Opus", "bedrock", "anthropic.claude-opus-4-20250514-v1:0", Some(90_000_000_000)),
        ("Gemini 2.5 Flash Lite", "gemini", "gemini-2.5-flash-lite", Some(500_000_000)),
        ("Llama 4", "sambanova", "Llama-4-Maverick-17B-128E-Instruct", Some(2_430_000_000)),
        ("DeepSeek V3", "together_ai", "deepseek-ai/DeepSeek-V3", Some(2_500_000_000)),
        ("Qwen2.5-Coder-32B", "together_ai", "Qwen/Qwen2.5-Coder-32B-Instruct", Some(1_600_000_000)),
        ("Phi-4", "azure_ai", "Phi-4", Some(625_000_000)),
        ("phi 4", "deepinfra", "microsoft/phi-4", Some(210_000_000)),
        ("Llama 4", "meta_llama", "Llama-4-Maverick-17B-128E-Instruct-FP8", None),
    ] {
        let found = catalogue().meant_by(name, Some(provider));
        let models: Vec<_> = found.iter().map(|entry| entry.model).collect();
        assert!(models.contains(&model), "{name}: {models:?}");
        assert_eq!(price_of(provider, model).map(Money::nanos), usd, "{name} {model}");
        let everywhere = catalogue().meant_by(name, None);
        assert!(everywhere.iter().any(|entry| entry.price.is_some()), "{name}: {everywhere:?}");
    }
    assert!(catalogue().meant_by("no such model", None).is_empty());
    assert!(catalogue().meant_by("", None).is_empty());
}

#[test]
fn a_provider_block_is_its_own_lines() {
    let groq: Vec<_> = catalogue().of("groq").map(|entry| entry.provider).collect();
    assert!(groq.len() > 3 && groq.iter().all(|provider| *provider == "groq"));
    assert_eq!(catalogue().of("no-such-provider").count(), 0);
    // The last provider of the file has no lines behind it.
    let last = catalogue().entries().last().unwrap().provider;
    assert!(catalogue().of(last).count() > 0);
}

proptest! {
    #[test]
    fn the_search_finds_what_a_scan_finds(
        at in 0_usize..3_000,
        cut in 0_usize..12,
        more in "[a-z0-9./:-]{0,3}",
        provider in proptest::option::of("[a-z_]{0,9}"),
    ) {
        // Names at, just before and just behind real ones, in their own and in other providers.
        let entry = catalogue().entries().nth(at).unwrap();
        let model = format!("{}{more}", &entry.model[..entry.model.len().saturating_sub(cut)]);
        let provider = provider.unwrap_or_else(|| entry.provider.to_owned());
        let scanned = catalogue().entries().find(|e| e.provider == provider && e.model == model);
        prop_assert_eq!(search::exact(catalogue().body(), &provider, &model), scanned);
    }

    #[test]
    fn no_name_upsets_the_search(provider in ".{0,12}", model in ".{0,40}") {
        let found = catalogue().find(&provider, &model);
        prop_assert!(found.is_none_or(|entry| model.contains(entry.model) || entry.model.contains(&model)));
        prop_assert!(catalogue().closest(&model, 3).len() <= 3);
    }
}
