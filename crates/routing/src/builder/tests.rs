//! Resolution order, plans and every error of a graph.

use std::sync::Arc;

use pointsman_core::{ErrorCode, PublicError, Rng};
use proptest::prelude::*;

use super::*;
use crate::error::ResolveError;
use crate::plan::Reason;
use crate::resolver::Resolved;
use crate::spec::{BranchSpec, NodeKind};

fn node(place: Place, kind: NodeKind) -> NodeSpec {
    NodeSpec { place, kind }
}

fn name(text: &str) -> NodeSpec {
    node(0, NodeKind::Name(text.into()))
}

fn first(nodes: Vec<NodeSpec>) -> NodeSpec {
    node(0, NodeKind::First(nodes))
}

fn split(branches: Vec<(u32, NodeSpec)>) -> NodeSpec {
    let branches = branches.into_iter().map(|(weight, to)| BranchSpec { weight, place: 7, to });
    node(0, NodeKind::Split(branches.collect()))
}

/// openai (open-ended): gpt-4o, gpt-4o-mini; groq: llama-3, gpt-oss; ollama: llama3:8b, gpt-oss;
/// router (open-ended): openai/gpt-4o, x/y.
fn builder() -> Builder {
    let mut builder = Builder::new();
    for (provider, open, models) in [
        ("openai", true, &["gpt-4o", "gpt-4o-mini"][..]),
        ("groq", false, &["llama-3", "gpt-oss"]),
        ("ollama", false, &["llama3:8b", "gpt-oss"]),
        ("router", true, &["openai/gpt-4o", "x/y"]),
    ] {
        let id = builder.provider(&Arc::from(provider), open);
        for model in models {
            builder.deployment(id, model);
        }
    }
    builder
}

fn names(resolver: &Resolver, name: &str, seed: u64) -> Vec<String> {
    let Ok(Resolved::Known(known)) = resolver.resolve(name) else { panic!("{name} does not resolve") };
    let plan = known.plan(&mut Rng::new(seed), &());
    let ids = plan.candidates.iter().map(|candidate| candidate.deployment);
    ids.map(|id| resolver.full_name(id).unwrap().to_string()).collect()
}

fn dynamic(resolver: &Resolver, name: &str) -> Option<(u32, String)> {
    match resolver.resolve(name).ok()? {
        Resolved::Dynamic(dynamic) => Some((dynamic.provider.0, dynamic.model.to_owned())),
        Resolved::Known(_) => None,
    }
}

fn errors(builder: Builder) -> Vec<(Place, String)> {
    let errors = builder.build().unwrap_err();
    errors.into_iter().map(|error| (error.place, error.kind.to_string())).collect()
}

#[test]
fn the_first_segment_wins_then_routes_then_aliases_then_unique_models() {
    let mut builder = builder();
    builder.route("fast", 1, name("groq/llama-3"));
    builder.route("gpt-4o", 1, first(vec![node(2, NodeKind::Model("openai/gpt-4o".into())), name("fast")]));
    builder.alias("quick", "fast", 3);
    builder.alias("llama-3", "ollama/llama3:8b", 3);
    let resolver = builder.build().unwrap();
    assert_eq!(names(&resolver, "openai/gpt-4o", 1), ["openai/gpt-4o"]);
    assert_eq!(names(&resolver, "gpt-4o", 1), ["openai/gpt-4o", "groq/llama-3"]);
    assert_eq!(names(&resolver, "llama-3", 1), ["ollama/llama3:8b"]);
    assert_eq!(names(&resolver, "quick", 1), ["groq/llama-3"]);
    assert_eq!(names(&resolver, "llama3:8b", 1), ["ollama/llama3:8b"]);
    assert_eq!(names(&resolver, "x/y", 1), ["router/x/y"]);
    assert_eq!(names(&resolver, "router/openai/gpt-4o", 1), ["router/openai/gpt-4o"]);
}

#[test]
fn open_ended_providers_take_any_model_and_others_only_theirs() {
    let resolver = builder().build().unwrap();
    assert_eq!(dynamic(&resolver, "openai/gpt-99"), Some((0, "gpt-99".into())));
    assert_eq!(dynamic(&resolver, "router/a/b:c"), Some((3, "a/b:c".into())));
    assert!(resolver.resolve("groq/llama-99").is_err());
    assert!(resolver.resolve("openai/").is_err());
    assert!(resolver.resolve("").is_err());
}

#[test]
fn a_provider_for_any_name_takes_only_what_nothing_else_has() {
    let mut builder = builder();
    let simulated = builder.provider(&Arc::from("simulated"), true);
    builder.answers_any_name(simulated);
    let resolver = builder.build().unwrap();
    assert_eq!(dynamic(&resolver, "whatever/you:like"), Some((4, "whatever/you:like".into())));
    assert_eq!(dynamic(&resolver, "simulated/x"), Some((4, "x".into())));
    assert_eq!(names(&resolver, "gpt-4o", 1), ["openai/gpt-4o"]);
    assert!(resolver.resolve("groq/none").is_err());
}

#[test]
fn ambiguous_names_list_their_choices() {
    let resolver = builder().build().unwrap();
    let error = resolver.resolve("gpt-oss").unwrap_err();
    assert_eq!(error.to_string(), "`gpt-oss` is ambiguous: name one of `groq/gpt-oss`, `ollama/gpt-oss`");
    assert_eq!(PublicError::from(error).code, ErrorCode::ModelAmbiguous);
}

#[test]
fn unknown_names_get_three_close_ones_and_the_variable() {
    let mut builder = builder();
    builder.enable_hint(|name| name.starts_with("mistral").then(|| Arc::from("MISTRAL_API_KEY")));
    let resolver = builder.build().unwrap();
    let ResolveError::Unknown { closest, enable, .. } = resolver.resolve("gpt-4o-mni").unwrap_err() else {
        panic!("not unknown");
    };
    assert_eq!(closest.len(), 3);
    assert_eq!(&*closest[0], "openai/gpt-4o-mini");
    assert_eq!(enable, None);
    let text = resolver.resolve("mistral/zzz").unwrap_err().to_string();
    assert!(text.ends_with("; setting MISTRAL_API_KEY would enable it"), "{text}");
}

/// Keys as the tests need them: without case and punctuation; what stands behind the last slash; and its words.
fn spelling() -> Spelling {
    fn squeeze(name: &str) -> String {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    }
    fn words(name: &str) -> String {
        let name = name.to_ascii_lowercase().replace('-', " ");
        let mut words: Vec<_> = name.split(' ').collect();
        words.sort_unstable();
        words.join(" ")
    }
    fn listed(name: &str) -> [String; 5] {
        let last = name.rsplit('/').next().unwrap();
        [squeeze(name), squeeze(last), words(last), words(last), words(last)]
    }
    fn typed(name: &str) -> [Option<String>; 5] {
        let words = Some(words(name));
        [Some(squeeze(name)), Some(squeeze(name)), words.clone(), words.clone(), words]
    }
    Spelling { listed, typed }
}

#[test]
fn a_route_that_hides_a_model_hides_it_in_every_spelling() {
    let mut builder = builder();
    builder.spelling(spelling());
    builder.route("gpt-4o", 1, name("groq/llama-3"));
    builder.route("Fast-Lane", 1, name("groq/llama-3"));
    builder.alias("team/best", "openai/gpt-4o-mini", 1);
    let resolver = builder.build().unwrap();
    for spelt in ["gpt-4o", "GPT-4o", "gpt 4o", "4o GPT"] {
        assert_eq!(names(&resolver, spelt, 1), ["groq/llama-3"], "{spelt}");
        let Ok(Resolved::Known(known)) = resolver.resolve(spelt) else { panic!("{spelt}") };
        assert_eq!(&**known.canonical_name(), "gpt-4o", "{spelt}: permissions are those of the route");
    }
    assert_eq!(names(&resolver, "openai/GPT-4o", 1), ["openai/gpt-4o"], "named with its provider");
    assert_eq!(names(&resolver, "GPT-4o mini", 1), ["openai/gpt-4o-mini"]);
    assert_eq!(names(&resolver, "fast lane", 1), ["groq/llama-3"]);
    assert_eq!(names(&resolver, "Team/Best", 1), ["openai/gpt-4o-mini"]);
    for other in ["lane fast", "best"] {
        assert!(
            resolver.resolve(other).is_err(),
            "{other}: they hide no model, so only case and punctuation"
        );
    }
}

#[test]
fn names_that_grant_something_have_one_spelling() {
    let mut builder = builder();
    builder.spelling(spelling());
    builder.route("fast", 1, name("groq/llama-3"));
    let resolver = builder.build().unwrap();
    for exact in ["fast", "gpt-4o", "openai/gpt-4o", "openai/gpt-99"] {
        assert!(resolver.resolve_exactly(exact).is_ok(), "{exact}");
    }
    for guessed in ["Fast", "GPT-4o", "gpt 4o", "groq/Llama-3"] {
        assert!(resolver.resolve(guessed).is_ok() && resolver.resolve_exactly(guessed).is_err(), "{guessed}");
    }
}

#[test]
fn long_names_lead_nowhere() {
    let mut builder = builder();
    builder.spelling(spelling());
    let listed = "m".repeat(2_000);
    builder.deployment(ProviderId(1), &listed);
    let resolver = builder.build().unwrap();
    let fits = format!("openai/{}", "m".repeat(505));
    assert!(dynamic(&resolver, &fits).is_some());
    for long in [format!("{fits}m"), "é ".repeat(1_000_000)] {
        let error = resolver.resolve(&long).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
        assert_eq!(PublicError::from(error).code, ErrorCode::ModelNotFound);
    }
    assert_eq!(names(&resolver, &listed, 1), [format!("groq/{listed}")], "what is listed is no caller's");
}

#[test]
fn a_plan_says_why_and_names_nothing_twice() {
    let mut builder = builder();
    builder.route("inner", 1, first(vec![name("groq/llama-3"), name("openai/gpt-4o")]));
    builder.route("outer", 2, first(vec![name("openai/gpt-4o"), name("inner"), name("llama3:8b")]));
    let resolver = builder.build().unwrap();
    assert_eq!(names(&resolver, "outer", 1), ["openai/gpt-4o", "groq/llama-3", "ollama/llama3:8b"]);
    let Ok(Resolved::Known(known)) = resolver.resolve("outer") else { panic!("does not resolve") };
    let plan = known.plan(&mut Rng::new(1), &());
    assert_eq!(plan.route.as_deref(), Some("outer"));
    assert_eq!(plan.route_id, Some(RouteId(1)));
    let reasons: Vec<_> = plan.candidates.iter().map(|candidate| candidate.reason).collect();
    assert_eq!(reasons, [Reason::First, Reason::Fallback, Reason::Fallback]);
}

#[test]
fn split_draws_by_weight_and_falls_back_heaviest_first() {
    let mut builder = builder();
    let branches = vec![(1, name("groq/llama-3")), (7, name("openai/gpt-4o")), (2, name("x/y"))];
    builder.route("mix", 1, split(branches));
    let resolver = builder.build().unwrap();
    let mut drawn = [0_u32; 3];
    for seed in 0..10_000 {
        let plan = names(&resolver, "mix", seed);
        assert_eq!(plan.len(), 3);
        match plan[0].as_str() {
            "groq/llama-3" => {
                drawn[0] += 1;
                assert_eq!(plan[1..], ["openai/gpt-4o", "router/x/y"]);
            }
            "openai/gpt-4o" => {
                drawn[1] += 1;
                assert_eq!(plan[1..], ["router/x/y", "groq/llama-3"]);
            }
            _ => drawn[2] += 1,
        }
        assert_eq!(plan, names(&resolver, "mix", seed));
    }
    assert!((900..1_100).contains(&drawn[0]), "{drawn:?}");
    assert!((6_800..7_200).contains(&drawn[1]), "{drawn:?}");
    let Ok(Resolved::Known(known)) = resolver.resolve("mix") else { panic!("does not resolve") };
    let reason = known.plan(&mut Rng::new(3), &()).candidates[0].reason;
    assert!(matches!(reason, Reason::Drawn { of: 10, .. }), "{reason}");
}

#[test]
fn graphs_may_name_unlisted_models_of_open_ended_providers() {
    let mut builder = builder();
    builder.route("new", 1, node(1, NodeKind::Model("openai/gpt-99".into())));
    builder.alias("newer", "openai/gpt-100", 1);
    let resolver = builder.build().unwrap();
    assert_eq!(names(&resolver, "new", 1), ["openai/gpt-99"]);
    assert_eq!(names(&resolver, "newer", 1), ["openai/gpt-100"]);
    assert_eq!(resolver.deployments().len(), 10);
}

#[test]
fn every_error_is_reported_with_its_place() {
    let mut builder = builder();
    builder.route("a", 1, first(vec![node(11, NodeKind::Name("nowhere-at-all".into())), name("gpt-4o")]));
    builder.route("b", 2, node(12, NodeKind::First(Vec::new())));
    builder.route("c", 3, split(vec![(0, name("gpt-4o"))]));
    builder.route("d", 4, node(14, NodeKind::Route("x".into())));
    builder.route("i", 15, node(15, NodeKind::Model("f".into())));
    builder.route("openai/e", 5, name("gpt-4o"));
    builder.route("a", 6, name("gpt-4o"));
    builder.alias("f", "gpt-oss", 8);
    builder.alias("g", "h", 9);
    builder.alias("h", "g", 10);
    assert_eq!(
        errors(builder),
        [
            (5, "the name `openai/e` would be read as a model of provider `openai`".to_owned()),
            (6, "`a` is already the name of a route or an alias".to_owned()),
            (8, "`gpt-oss` is ambiguous: 2 providers have it".to_owned()),
            (9, "`g` leads back to itself: g → h → g".to_owned()),
            (10, "`h` leads back to itself: h → g → h".to_owned()),
            (11, "no model, route or alias is named `nowhere-at-all`".to_owned()),
            (12, "`first` needs at least one element".to_owned()),
            (7, "a weight of 0 would never be drawn".to_owned()),
            (14, "no route is named `x`".to_owned()),
            (15, "`f` is a route or an alias, not a model".to_owned()),
        ]
    );
}

#[test]
fn cycles_are_found_through_routes_and_aliases() {
    let mut builder = builder();
    builder.alias("via", "a", 1);
    builder.route("a", 1, node(21, NodeKind::First(vec![name("gpt-4o"), name("b")])));
    builder.route("b", 2, node(22, NodeKind::Name("via".into())));
    builder.route("gpt-4o-mini", 3, node(23, NodeKind::Name("gpt-4o-mini".into())));
    assert_eq!(
        errors(builder),
        [
            (21, "`a` leads back to itself: a → b → a".to_owned()),
            (23, "`gpt-4o-mini` leads back to itself: gpt-4o-mini → gpt-4o-mini".to_owned()),
        ]
    );
}

#[test]
fn exponential_and_deep_graphs_are_refused_quickly() {
    let mut wide = builder();
    wide.route("r0", 0, name("gpt-4o"));
    for level in 1..60 {
        let below = format!("r{}", level - 1);
        wide.route(&format!("r{level}"), level, first(vec![name(&below), name(&below)]));
    }
    assert!(errors(wide)[0].1.starts_with("leads to more than 1000 candidates"));

    let mut deep = builder();
    for level in 0..5_000 {
        deep.route(&format!("r{level}"), level, name(&format!("r{}", level + 1)));
    }
    deep.route("r5000", 5_000, name("gpt-4o"));
    assert!(errors(deep)[0].1.starts_with("nested deeper than 64 nodes"));

    let mut nested = builder();
    let node = (0..1_000).fold(name("gpt-4o"), |node, _| first(vec![node]));
    nested.route("r", 0, node);
    assert!(errors(nested)[0].1.starts_with("nested deeper than 64 nodes"));
}

proptest! {
    /// Whatever names refer to each other how: building ends, and what builds plans without a
    /// deployment twice, at least one candidate, the same for the same seed.
    #[test]
    fn random_graphs_end(edges in prop::collection::vec(prop::collection::vec((0_u32..12, 1_u32..5), 1..4), 1..10), seed: u64) {
        let mut builder = builder();
        for (position, targets) in edges.iter().enumerate() {
            let to = |target: u32| match target {
                0..3 => name(["gpt-4o", "groq/llama-3", "x/y"][target as usize]),
                target => name(&format!("r{}", target - 3)),
            };
            let spec = match position % 2 {
                0 => first(targets.iter().map(|(target, _)| to(*target)).collect()),
                _ => split(targets.iter().map(|(target, weight)| (*weight, to(*target))).collect()),
            };
            builder.route(&format!("r{position}"), 0, spec);
        }
        if let Ok(resolver) = builder.build() {
            for position in 0..edges.len() {
                let plan = names(&resolver, &format!("r{position}"), seed);
                let mut unique = plan.clone();
                unique.sort();
                unique.dedup();
                prop_assert!(!plan.is_empty());
                prop_assert_eq!(unique.len(), plan.len());
                prop_assert_eq!(&plan, &names(&resolver, &format!("r{position}"), seed));
            }
        }
    }
}
