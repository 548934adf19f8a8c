//! Routes that name a class, and models named in other spellings.

use pointsman_providers::{CatalogueEntry, Class, catalogue};

use super::{World, candidates};

const KEYS: [(&str, &str); 2] = [("TOGETHER_API_KEY", "sk-a"), ("GROQ_API_KEY", "gsk-b")];

/// `+groq/…` as the name without its mark.
fn plain(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name.trim_start_matches('+').to_owned()).collect()
}

#[test]
fn a_class_is_the_models_of_all_configured_providers_cheapest_first() {
    let world = World::new(&KEYS);
    let snapshot = world.sound("routes:\n  quick: class:flash\n  code: { model: class:coder }");
    let names = plain(candidates(&snapshot, "quick"));
    assert_eq!(names.len(), 16, "{names:?}");
    let mut before = 0;
    for name in &names {
        let (provider, model) = name.split_once('/').unwrap();
        assert!(matches!(provider, "together" | "groq"), "{name}");
        let entry = catalogue().find(provider, model).unwrap();
        assert_eq!(entry.class, Class::Flash, "{name}");
        let base = *entry.price.unwrap().base();
        let price = base.input.0 * 3 + base.output.0;
        assert!(price >= before, "{name} is cheaper than the one before");
        before = price;
    }
    for name in plain(candidates(&snapshot, "code")) {
        let (provider, model) = name.split_once('/').unwrap();
        assert_eq!(catalogue().find(provider, model).unwrap().class, Class::Coder, "{name}");
    }
}

#[test]
fn a_class_keeps_to_the_models_that_a_provider_lists() {
    // Models without an announced end: what is listed does not change with the day of the test.
    let lasting = |class: Class| {
        let lasts = |entry: &CatalogueEntry| entry.class == class && entry.deprecated.is_none();
        catalogue().of("together_ai").find(lasts).unwrap().model
    };
    let (small, large) = (lasting(Class::Flash), lasting(Class::Standard));
    let snapshot = World::new(&KEYS).sound(&format!(
        "providers:
  together: {{ models: [{large}, {small}, mine] }}
discovery: {{ env: false }}
routes:
  quick: {{ first: [class:flash, together/{large}] }}
  mixed: {{ split: [{{ weight: 1, to: class:flash }}, {{ weight: 1, to: together/{large} }}] }}",
    ));
    assert_eq!(candidates(&snapshot, "quick"), [format!("together/{small}"), format!("together/{large}")]);
    assert_eq!(candidates(&snapshot, "mixed").len(), 2);
}

#[test]
fn classes_that_lead_nowhere_are_errors() {
    let world = World::new(&[("GROQ_API_KEY", "gsk-b")]);
    let errors =
        world.errors("routes:\n  a: class:flush\n  b: class:image\n  c: { first: [class:wonderful] }");
    assert!(errors.contains("there is no class `flush`"), "{errors}");
    assert!(errors.contains("did you mean `class:flash`?"), "{errors}");
    assert!(errors.contains("no configured provider has a model of the class `image`"), "{errors}");
    assert!(errors.contains("the classes are frontier, standard, flash"), "{errors}");
    assert!(!errors.contains("needs at least one element"), "{errors}");
}

#[test]
fn models_answer_to_the_names_that_people_type() {
    let snapshot = World::new(&[("OPENAI_API_KEY", "k"), ("GEMINI_API_KEY", "k")]).sound("");
    for (typed, model) in [
        ("GPT-5", "openai/gpt-5"),
        ("gpt 5", "openai/gpt-5"),
        ("openai/GPT-5", "openai/gpt-5"),
        ("Gemini 2.5 Flash Lite", "gemini/gemini-2.5-flash-lite"),
        ("gemini/Gemini-2.5-Flash-Lite", "gemini/gemini-2.5-flash-lite"),
    ] {
        assert_eq!(candidates(&snapshot, typed), [model], "{typed}");
    }
    // A new date of a known model is the provider's to know.
    assert_eq!(candidates(&snapshot, "openai/gpt-5-2099-01-01"), ["+openai/gpt-5-2099-01-01"]);
    assert!(candidates(&snapshot, "gpt-5-2099-01-01")[0].starts_with("error: no model"));
    assert!(candidates(&snapshot, "")[0].starts_with("error"));

    let several = World::new(&[("TOGETHER_API_KEY", "k"), ("NSCALE_API_KEY", "k")]).sound("");
    let unclear = &candidates(&several, "Qwen2.5-Coder-32B")[0];
    assert!(unclear.contains("together/Qwen/Qwen2.5-Coder-32B-Instruct"), "{unclear}");
    assert!(unclear.contains("nscale/Qwen/Qwen2.5-Coder-32B-Instruct"), "{unclear}");
    let one = World::new(&[("TOGETHER_API_KEY", "k")]).sound("");
    assert_eq!(candidates(&one, "DeepSeek V3"), ["together/deepseek-ai/DeepSeek-V3"]);
    assert_eq!(candidates(&one, "Qwen2.5-Coder-32B"), ["together/Qwen/Qwen2.5-Coder-32B-Instruct"]);
}
