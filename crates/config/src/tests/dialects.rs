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
    let speaks = |name: &str, client| snapshot.deployment_of(name, "m").unwrap().dialect_for(client);
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
    let mut headers = http::HeaderMap::new();
    anthropic.add_headers(&mut headers);
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    headers.insert("anthropic-version", "2026-10-21".parse().unwrap());
    anthropic.add_headers(&mut headers);
    assert_eq!(headers["anthropic-version"], "2026-10-21", "what a client of the same dialect says");
    let gemini = snapshot.provider_named("gemini").unwrap();
    assert_eq!(
        (gemini.auth_header.as_str(), &*gemini.base_url),
        ("x-goog-api-key", "https://generativelanguage.googleapis.com/v1beta")
    );
}

/// Nobody has to write `kind`: a vendor's or engine's name says what it speaks.
#[test]
fn what_is_found_or_known_by_name_speaks_its_own_dialect() {
    use Dialect::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
    let world = World::new(&[
        ("ANTHROPIC_API_KEY", "a"),
        ("GOOGLE_API_KEY", "g"),
        ("OPENAI_API_KEY", "o"),
        ("OLLAMA_API_KEY", "l"),
        ("GROQ_API_KEY", "q"),
    ])
    .engine("ollama", "http://127.0.0.1:11434/v1", &["m"])
    .engine("vllm", "http://127.0.0.1:8000/v1", &["m"]);
    let told = |yaml: &str, name: &str, model: &str, client| {
        let snapshot = world.sound(yaml);
        let deployment = snapshot.deployment_of(name, model).unwrap();
        let provider = &deployment.provider;
        let dialect = deployment.dialect_for(client);
        let target = provider.call_target(dialect, Operation::Chat, model, false).unwrap();
        format!("{}{target} {}", provider.upstream.host().to_str().unwrap(), provider.auth_header)
    };
    let found = |name, model, client| told("", name, model, client);
    assert_eq!(found("anthropic", "m", OpenAiChat), "api.anthropic.com/v1/messages x-api-key");
    let gemini = "generativelanguage.googleapis.com/v1beta/models/m:generateContent x-goog-api-key";
    assert_eq!(found("gemini", "m", OpenAiChat), gemini);
    assert_eq!(found("ollama", "m", OpenAiChat), "127.0.0.1:11434/api/chat authorization");
    assert_eq!(found("ollama-cloud", "m", OpenAiResponses), "ollama.com/api/chat authorization");
    assert_eq!(found("vllm", "m", Anthropic), "127.0.0.1:8000/v1/chat/completions authorization");
    assert_eq!(found("groq", "m", Gemini), "api.groq.com/openai/v1/chat/completions authorization");
    // OpenAI has two dialects, and some models only one of them; thoughts go through the newer.
    let (chat, responses) =
        ("api.openai.com/v1/chat/completions authorization", "api.openai.com/v1/responses authorization");
    for (model, client, target) in [
        ("gpt-4o", OpenAiChat, chat),
        ("gpt-4o", OpenAiResponses, responses),
        ("gpt-4o", Anthropic, chat),
        ("gpt-5", OpenAiChat, chat),
        ("gpt-5", Anthropic, responses),
        ("o1-pro", OpenAiChat, responses),
        ("gpt-unheard-of", Anthropic, chat),
    ] {
        assert_eq!(found("openai", model, client), target, "{model} {client}");
    }

    // What is written wins.
    let written = "providers:
  anthropic: { kind: openai }
  gemini: { kind: openai }
  ollama: { base_url: 'http://localhost:11434/v1' }
  openai: { dialects: openai-chat }
  mine: { vendor: anthropic, base_url: 'https://proxy.test/v1' }
  box: { vendor: openai, base_url: 'https://proxy.test/v1' }";
    let told = |name, model, client| told(written, name, model, client);
    assert_eq!(told("anthropic", "m", Anthropic), "api.anthropic.com/v1/chat/completions authorization");
    let gemini = "generativelanguage.googleapis.com/v1beta/openai/chat/completions authorization";
    assert_eq!(told("gemini", "m", Gemini), gemini);
    assert_eq!(told("ollama", "m", OpenAiChat), "localhost:11434/api/chat authorization");
    assert_eq!(told("openai", "o1-pro", OpenAiResponses), chat);
    assert_eq!(told("mine", "m", OpenAiChat), "proxy.test/v1/messages x-api-key");
    assert_eq!(told("box", "gpt-5", OpenAiResponses), "proxy.test/v1/chat/completions authorization");
    let engines = world.sound(written);
    let engines = engines.providers.iter().filter(|provider| provider.local && !provider.simulated());
    assert_eq!(engines.map(|provider| &*provider.name).collect::<Vec<_>>(), ["ollama", "vllm"], "each once");
}

#[test]
fn a_dialect_without_a_path_is_refused() {
    let errors = World::new(&[]).errors(
        "providers: { a: { kind: gemini, base_url: 'https://a.test/v1beta', dialects: [gemini, anthropic] } }",
    );
    assert!(errors.contains("a server of the kind `gemini` has no path for `anthropic`"), "{errors}");
    let errors =
        World::new(&[]).errors("providers: { a: { base_url: 'https://a.test/v1', dialects: ollama } }");
    assert!(errors.contains("a server of the kind `openai` has no path for `ollama`"), "{errors}");
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
