//! Every vendor against its contract: the path, the key's header and the body of a chat in its own dialect, as they
//! leave through the real presets, quirks and encoders. `vendors.txt` has what each vendor documents.

use pointsman_core::{Dialect, Operation};
use pointsman_providers::{Support, Vendor, vendors};
use pointsman_wire::convert::{Called, codec};
use pointsman_wire::json::Document;
use pointsman_wire::neutral::Target;
use serde_json::{Value, json};

use super::World;
use crate::domain::Provider;

/// A line for each vendor: name, URL, header of the key, role of instructions, members of the body.
const CONTRACT: &str = include_str!("vendors.txt");

/// Members that some vendor refuses or calls otherwise, and what all of them take.
fn chat() -> Value {
    json!({
        "model": "m",
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": "Hi" },
        ],
        "max_completion_tokens": 5,
        "seed": 7,
        "stream": true,
        "stream_options": { "include_usage": true },
    })
}

/// The body that is sent to a provider.
fn sent(provider: &Provider, dialect: Dialect) -> Value {
    let text = chat().to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let client = codec(Dialect::OpenAiChat).unwrap();
    let request = client.decode_request(&document, Called::default()).unwrap();
    let target = Target {
        stream: true,
        stream_usage: provider.accepts_include_usage,
        quirks: &provider.quirks,
        ..Target::new(dialect, &provider.name, "the-model")
    };
    let encoded = codec(dialect).unwrap().encode_request(&request, &target).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

fn url(provider: &Provider, dialect: Dialect) -> String {
    let scheme = provider.base_url.split_once("://").unwrap().0;
    let host = provider.upstream.host().to_str().unwrap();
    let target = provider.call_target(dialect, Operation::Chat, "the-model", true).unwrap();
    format!("{scheme}://{host}{target}")
}

/// The header that shows the key, without it.
fn auth(provider: &Provider) -> String {
    let value = provider.authorization(0).unwrap();
    assert!(value.is_sensitive(), "{}", provider.name);
    let scheme = value.to_str().unwrap().strip_suffix("the-key").unwrap();
    format!("{}: {}", provider.auth_header, scheme).trim_end().to_owned()
}

/// Where the instructions stand: the role of their turn, or the member that has them.
fn instructions(body: &Value) -> String {
    let turn = body["messages"].as_array().into_iter().flatten().find(|turn| turn["role"] != "user");
    let member = ["system", "systemInstruction"].into_iter().find(|member| body.get(member).is_some());
    turn.and_then(|turn| turn["role"].as_str()).or(member).unwrap().to_owned()
}

fn line(vendor: &Vendor) -> String {
    let world = World::new(&[(vendor.env[0], "the-key")]);
    // A variable that others use as well is used for those only that are named.
    let named = format!("providers: {{ {}: {{}} }}", vendor.name);
    let snapshot = world.sound(if vendor.shared_env { &named } else { "" });
    let provider = snapshot.provider_named(vendor.name).unwrap();
    let dialect = provider.dialects[0];
    let body = sent(provider, dialect);
    assert!(dialect == Dialect::Gemini || body["model"] == "the-model", "{}", vendor.name);
    let said = body.to_string();
    assert!(said.contains("Be brief.") && said.contains("Hi"), "{}: {said}", vendor.name);
    let mut members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let members = members.join(" ");
    [vendor.name, &url(provider, dialect), &auth(provider), &instructions(&body), &members].join("\t")
}

#[test]
fn every_vendor_is_called_as_it_wants_to_be() {
    let written: Vec<&str> = CONTRACT.lines().filter(|line| !line.starts_with('#')).collect();
    let called: Vec<String> =
        vendors().iter().filter(|vendor| vendor.support == Support::Usable).map(line).collect();
    let other: Vec<_> = called.iter().filter(|line| !written.contains(&line.as_str())).collect();
    let gone: Vec<_> = written.iter().filter(|line| !called.iter().any(|called| called == *line)).collect();
    assert!(other.is_empty() && gone.is_empty(), "called: {other:#?}\nwritten: {gone:#?}");
    assert_eq!(called.len(), written.len());
    assert!(called.len() >= 100, "{}", called.len());
    println!("note-for-summary: {} vendors keep the contract of their dialect", called.len());
}

#[test]
fn native_sides_of_vendors_have_their_own_paths_headers_and_bodies() {
    let world = World::new(&[
        ("ANTHROPIC_API_KEY", "the-key"),
        ("GEMINI_API_KEY", "the-key"),
        ("OLLAMA_API_KEY", "the-key"),
        ("OPENAI_API_KEY", "the-key"),
        ("AZURE_OPENAI_API_KEY", "the-key"),
    ]);
    let snapshot = world.sound(
        "providers:
  openai: { kind: openai-responses }
  azure: { base_url: 'https://mine.openai.azure.com/openai/v1' }",
    );
    for (name, dialect, expected, header, members) in [
        (
            "anthropic",
            Dialect::Anthropic,
            "https://api.anthropic.com/v1/messages",
            "x-api-key:",
            &["model", "max_tokens", "messages", "system", "stream"][..],
        ),
        (
            "gemini",
            Dialect::Gemini,
            "https://generativelanguage.googleapis.com/v1beta/models/the-model:streamGenerateContent?alt=sse",
            "x-goog-api-key:",
            &["contents", "systemInstruction", "generationConfig"],
        ),
        (
            "ollama-cloud",
            Dialect::Ollama,
            "https://ollama.com/api/chat",
            "authorization: Bearer",
            &["model", "messages", "options", "stream"],
        ),
        (
            "openai",
            Dialect::OpenAiResponses,
            "https://api.openai.com/v1/responses",
            "authorization: Bearer",
            &["model", "input", "max_output_tokens", "stream"],
        ),
        (
            "azure",
            Dialect::OpenAiChat,
            "https://mine.openai.azure.com/openai/v1/chat/completions",
            "api-key:",
            &["model", "messages", "max_completion_tokens", "stream"],
        ),
    ] {
        let provider = snapshot.provider_named(name).unwrap();
        assert_eq!((&*url(provider, dialect), &*auth(provider)), (expected, header), "{name}");
        if codec(dialect).is_some() {
            let body = sent(provider, dialect);
            for member in members {
                assert!(body.get(member).is_some(), "{name}: {member} in {body}");
            }
        }
    }
    let mut headers = http::HeaderMap::new();
    snapshot.provider_named("anthropic").unwrap().add_headers(&mut headers);
    assert_eq!(headers["anthropic-version"], "2023-06-01");
}

#[test]
fn presets_are_overridden_key_by_key() {
    let world = World::new(&[("MISTRAL_API_KEY", "usual"), ("OTHER", "the-key")]);
    let snapshot = world.sound(
        "providers:
  mistral: { quirks: { renames: { stop: halt }, no_developer_role: false } }
  mine:
    vendor: mistral
    base_url: https://proxy.test/mistral/v1
    keys: { env: OTHER }
    headers: { x-team: blue }
    include_usage: true
    quirks: { old_max_tokens: false, drops: [], extras: [top_k, thinking] }
  gemini-proxy: { kind: gemini, vendor: gemini, base_url: 'https://proxy.test/v1beta', keys: { env: OTHER } }",
    );
    let mistral = &snapshot.provider_named("mistral").unwrap().quirks;
    assert!(mistral.old_max_tokens && !mistral.no_developer_role && mistral.short_call_ids);
    assert_eq!((mistral.name("stop"), mistral.name("seed")), (Some("halt"), Some("seed")));
    assert_eq!(mistral.name("stream_options"), None, "as the vendor has it");
    let mine = snapshot.provider_named("mine").unwrap();
    assert_eq!(url(mine, Dialect::OpenAiChat), "https://proxy.test/mistral/v1/chat/completions");
    let body = sent(mine, Dialect::OpenAiChat);
    assert_eq!((&body["max_completion_tokens"], &body["random_seed"]), (&json!(5), &json!(7)));
    assert_eq!(body["stream_options"], json!({ "include_usage": true }));
    assert!(mine.quirks.takes("top_k") && !mine.quirks.takes("reasoning"));
    assert_eq!(mine.headers[0].0, "x-team");
    let gemini = snapshot.provider_named("gemini-proxy").unwrap();
    assert_eq!(auth(gemini), "x-goog-api-key:");
    let errors = World::new(&[])
        .errors("providers: { a: { base_url: 'http://a.test/v1', quirks: { extras: top_q } } }");
    assert!(errors.contains("`top_q` is none of top_k"), "{errors}");
}

#[test]
fn vendors_of_which_only_the_name_is_known_need_a_base_url() {
    for vendor in vendors().iter().filter(|vendor| vendor.support == Support::Unverified) {
        let errors = World::new(&[]).errors(&format!("providers: {{ {}: {{}} }}", vendor.name));
        assert!(errors.contains("cannot be called yet"), "{}: {errors}", vendor.name);
        let text = format!("providers: {{ {}: {{ base_url: 'https://a.test/v1' }} }}", vendor.name);
        let snapshot = World::new(&[]).sound(&text);
        let provider = snapshot.provider_named(vendor.name).unwrap();
        assert_eq!(url(provider, Dialect::OpenAiChat), "https://a.test/v1/chat/completions");
        assert_eq!(provider.vendor, Some(vendor.name), "its prices apply");
    }
}
