//! Every row of the table holds what the rest of the program takes for granted.

use std::collections::HashSet;

use super::*;
use crate::catalogue;

#[test]
fn names_and_variables_are_unique() {
    let mut names = HashSet::new();
    let mut variables = HashSet::new();
    for vendor in vendors() {
        assert!(names.insert(vendor.name), "{} occurs twice", vendor.name);
        let unverified = vendor.support == Support::Unverified;
        assert_eq!(vendor.env.is_empty(), unverified, "{} has no variable", vendor.name);
        for variable in vendor.env {
            assert!(variables.insert(variable), "{variable} occurs twice");
        }
    }
    for engine in engines() {
        assert!(names.insert(engine.name), "{} occurs twice", engine.name);
    }
}

#[test]
fn the_variables_that_the_start_page_promises_are_known() {
    for name in [
        "OPENAI",
        "ANTHROPIC",
        "GEMINI",
        "GROQ",
        "MISTRAL",
        "DEEPSEEK",
        "OPENROUTER",
        "XAI",
        "TOGETHER",
        "FIREWORKS",
        "CEREBRAS",
    ] {
        let variable = format!("{name}_API_KEY");
        let vendor = vendors().iter().find(|vendor| vendor.env.contains(&variable.as_str()));
        assert_eq!(vendor.map(|v| v.support), Some(Support::Usable), "{variable}");
    }
}

#[test]
fn usable_vendors_have_a_base_url() {
    for vendor in vendors().iter().filter(|vendor| vendor.support == Support::Usable) {
        assert!(vendor.base_url.starts_with("https://"), "{}", vendor.name);
        assert!(!vendor.base_url.ends_with('/'), "{}", vendor.name);
        assert!(matches!(vendor.auth, AuthStyle::Bearer | AuthStyle::Header(_)), "{}", vendor.name);
        assert!(vendor.docs.starts_with("https://"), "{}", vendor.name);
        assert!(vendor.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        for name in vendor.catalogue {
            assert!(catalogue().of(name).next().is_some(), "{}: {name} is not in the catalogue", vendor.name);
        }
    }
    let usable = vendors().iter().filter(|vendor| vendor.support == Support::Usable).count();
    assert!(usable >= 100, "{usable}");
}

#[test]
fn vendors_known_by_name_have_nothing_to_call() {
    let unverified = || vendors().iter().filter(|vendor| vendor.support == Support::Unverified);
    assert!(unverified().count() > 10);
    for vendor in unverified() {
        assert_eq!((vendor.base_url, vendor.docs, vendor.check_model), ("", "", None), "{}", vendor.name);
        for name in vendor.catalogue {
            assert!(catalogue().of(name).next().is_some(), "{}: {name} is not in the catalogue", vendor.name);
        }
    }
}

#[test]
fn every_provider_of_the_catalogue_with_a_price_has_a_vendor_or_is_an_engine() {
    let known: HashSet<_> = vendors().iter().flat_map(|vendor| vendor.catalogue).copied().collect();
    let unknown: std::collections::BTreeSet<_> =
        catalogue().entries().map(|entry| entry.provider).filter(|name| !known.contains(name)).collect();
    println!("{unknown:?}");
    // Engines, and names that the source uses for sign-ins of other vendors.
    assert!(unknown.len() < 30, "{unknown:?}");
}

#[test]
fn models_to_check_with_are_chat_models_and_cheap() {
    // A dollar a million tokens: a check of some ten tokens stays far below a thousandth of a cent.
    let dear = crate::price::usd_per_million("1.5").unwrap();
    for vendor in vendors() {
        let chats = |name: &&str| catalogue().of(name).any(|entry| entry.mode == crate::Mode::Chat);
        let known = vendor.catalogue.iter().any(chats);
        let (Some(model), true) = (vendor.check_model, known) else { continue };
        let entry = catalogue().find_for(vendor, model);
        let entry = entry.unwrap_or_else(|| panic!("{}/{model} is not in the catalogue", vendor.name));
        assert_eq!(entry.mode, crate::Mode::Chat, "{}/{model}", vendor.name);
        assert_eq!(entry.deprecated, None, "{}/{model} will be turned off", vendor.name);
        let price = entry.price.unwrap_or_else(|| panic!("{}/{model} has no price", vendor.name));
        assert!(price.base().input <= dear, "{}/{model}", vendor.name);
    }
}

#[test]
fn planned_vendors_are_found_but_have_nothing_to_call() {
    for name in ["azure", "bedrock", "vertex"] {
        let vendor = vendor(name).unwrap();
        assert_eq!((vendor.support, vendor.base_url), (Support::Planned, ""), "{name}");
    }
}

#[test]
fn engines_have_their_usual_ports() {
    let ports: Vec<_> = engines().iter().map(|engine| (engine.name, engine.port)).collect();
    let usual =
        [("llamacpp", 8080), ("ollama", 11434), ("vllm", 8000), ("lmstudio", 1234), ("sglang", 30000)];
    assert_eq!(ports, usual);
}

/// A way to go on from a begun answer is worth something only where the catalogue says who can.
#[test]
fn vendors_that_say_how_an_answer_goes_on_have_models_that_can() {
    let mut told = Vec::new();
    for vendor in vendors().iter().filter(|vendor| vendor.prefill != Prefill::None) {
        let entries = || vendor.catalogue.iter().flat_map(|name| catalogue().of(name));
        assert!(entries().any(|entry| entry.capabilities.assistant_prefill()), "{}", vendor.name);
        told.push((vendor.name, vendor.prefill));
    }
    for known in [("anthropic", Prefill::Message), ("mistral", Prefill::Prefix)] {
        assert!(told.contains(&known), "{known:?}");
    }
    let can = |provider: &str, model: &str| {
        catalogue().find(provider, model).map(|entry| entry.capabilities.assistant_prefill())
    };
    assert_eq!(can("anthropic", "claude-haiku-4-5"), Some(true));
    assert_eq!(can("anthropic", "claude-opus-4-6"), Some(false), "refused with 400 since then");
}
