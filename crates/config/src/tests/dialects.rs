//! Providers of other protocols: where their calls go, what they speak, how they are shown a key.

use pointsman_core::{Dialect, Operation};

use super::World;

#[test]
fn each_kind_has_its_paths_its_key_header_and_its_dialects() {
    let world = World::new(&[("K", "secret-key"), ("GEMINI_API_KEY", "g")]);
    let snapshot = world.sound(
        "providers:
           a: { kind: anthropic, base_url: 'https://a.test/v1', keys: { env: K } }
           gemini: { kind: gemini }
           az: { kind: azure, base_url: 'https://az.test', keys: { env: K }, api_version: 2024-10-21 }
           o: { kind: ollama, base_url: 'http://127.0.0.1:11434/v1' }
           r: { kind: openai-responses, base_url: 'https://r.test/v1' }
           v: { base_url: 'http://127.0.0.1:8000/v1', dialects: [openai-chat, anthropic] }",
    );
    let target = |name: &str, dialect, streamed| {
        let provider = snapshot.provider_named(name).unwrap();
        provider.call_target(dialect, Operation::Chat, "m", streamed).unwrap().to_string()
    };
    let speaks = |name: &str, client| snapshot.provider_named(name).unwrap().dialect_for(client);
    assert_eq!(target("a", Dialect::Anthropic, true), "/v1/messages");
    assert_eq!(target("gemini", Dialect::Gemini, true), "/v1beta/models/m:streamGenerateContent?alt=sse");
    assert_eq!(
        target("az", Dialect::OpenAiChat, false),
        "/openai/deployments/m/chat/completions?api-version=2024-10-21"
    );
    let odd = |name: &str| {
        let provider = snapshot.provider_named(name).unwrap();
        provider.call_target(provider.dialects[0], Operation::Chat, "x/../../y", false)
    };
    assert_eq!((odd("az"), odd("gemini")), (None, None), "a name is no way to another path");
    assert!(odd("a").is_some(), "in a body it is only a name");
    assert_eq!(target("o", Dialect::Ollama, true), "/api/chat");
    assert_eq!(target("r", Dialect::OpenAiResponses, true), "/v1/responses");
    assert_eq!(speaks("a", Dialect::OpenAiChat), Dialect::Anthropic);
    assert_eq!(speaks("az", Dialect::OpenAiResponses), Dialect::OpenAiResponses);
    assert_eq!(speaks("v", Dialect::Anthropic), Dialect::Anthropic);
    assert_eq!(speaks("v", Dialect::Gemini), Dialect::OpenAiChat);

    let anthropic = snapshot.provider_named("a").unwrap();
    assert_eq!(anthropic.auth_header, "x-api-key");
    assert_eq!(anthropic.authorization(0).unwrap(), "secret-key");
    assert_eq!(anthropic.headers[0].0, "anthropic-version");
    let gemini = snapshot.provider_named("gemini").unwrap();
    assert_eq!(
        (gemini.auth_header.as_str(), &*gemini.base_url),
        ("x-goog-api-key", "https://generativelanguage.googleapis.com/v1beta")
    );
}

#[test]
fn an_api_version_is_azures() {
    let errors =
        World::new(&[]).errors("providers: { a: { base_url: 'https://a.test/v1', api_version: x } }");
    assert!(errors.contains("`api_version` is for Azure OpenAI only"), "{errors}");
    let errors = World::new(&[])
        .errors("providers: { a: { kind: azure, base_url: 'https://a.test', api_version: 'x y' } }");
    assert!(errors.contains("`x y` is no version of Azure's API"), "{errors}");
}

#[test]
fn losses_and_fetches_are_a_routes_choice() {
    let snapshot =
        World::new(&[]).sound("routes: { r: { model: sim/x, strict: true, fetch_media: true }, s: sim/x }");
    let chosen: Vec<_> = snapshot.routes.iter().map(|route| (route.strict, route.fetch_media)).collect();
    assert_eq!(chosen, [(true, true), (false, false)]);
    assert!(!snapshot.route(None).strict && !snapshot.route(None).fetch_media);
    let errors = World::new(&[]).errors("routes: { r: { first: [{ model: sim/x, strict: true }] } }");
    assert!(errors.contains("`strict` is an option of the route as a whole"), "{errors}");
    let errors = World::new(&[]).errors("routes: { r: { model: sim/x, fetch_media: sometimes } }");
    assert!(errors.contains("fetch_media") || errors.contains("true or false"), "{errors}");
}
