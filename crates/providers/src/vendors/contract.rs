//! Every vendor against the contract of its dialect: path, auth header and body of a chat request, as
//! the protocol's own reference has them.

use pointsman_core::{Dialect, Operation};
use serde_json::{Value, json};

use super::{AuthStyle, Support, Vendor, vendors};
use crate::protocol::{Call, Protocol};

/// A request as a server would see it.
struct Seen {
    url: String,
    headers: Vec<(String, String)>,
    body: Value,
}

const KEY: &str = "the-key";
const MODEL: &str = "the-model";

/// The smallest chat of a vendor, with every field that a quirk may touch.
fn chat(vendor: &Vendor, protocol: Protocol, base_url: &str) -> Seen {
    let dialect = protocol.dialects()[0];
    let call = Call { dialect, operation: Operation::Chat, model: MODEL, streamed: false, api_version: None };
    let auth = if protocol == Protocol::OpenAi { vendor.auth } else { protocol.auth() };
    let header = match auth {
        AuthStyle::Bearer => ("authorization".to_owned(), format!("Bearer {KEY}")),
        AuthStyle::Header(name) => (name.to_owned(), KEY.to_owned()),
        AuthStyle::AwsSigV4 | AuthStyle::GoogleOauth => panic!("{} is not called by a key", vendor.name),
    };
    let fixed = protocol.headers().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let fields = [
        ("model", json!(MODEL)),
        ("messages", json!([{ "role": "user", "content": "Hi" }])),
        ("max_completion_tokens", json!(1)),
        ("seed", json!(7)),
        ("tools", json!([])),
        ("stream_options", json!({ "include_usage": true })),
    ];
    let body: serde_json::Map<String, Value> = fields
        .into_iter()
        .filter(|(field, _)| *field != "stream_options" || vendor.include_usage)
        .filter_map(|(field, value)| Some((vendor.quirks.name(field)?.to_owned(), value)))
        .collect();
    Seen {
        url: format!("{base_url}{}", protocol.path(&call)),
        headers: fixed.chain([header]).collect(),
        body: Value::Object(body),
    }
}

fn header<'s>(seen: &'s Seen, name: &str) -> Option<&'s str> {
    seen.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[test]
fn at_least_a_hundred_vendors_keep_the_contract_of_openai_chat() {
    let mut passed = 0;
    for vendor in vendors().iter().filter(|vendor| vendor.support == Support::Usable) {
        let name = vendor.name;
        let seen = chat(vendor, Protocol::OpenAi, vendor.base_url);
        // Path: what the vendor documents as its base, then OpenAI's own.
        let rest = seen.url.strip_prefix("https://").unwrap_or_else(|| panic!("{name}: {}", seen.url));
        let (host, path) = rest.split_once('/').unwrap_or_else(|| panic!("{name}: {}", seen.url));
        assert!(host.contains('.') && !host.contains('@') && !host.contains(':'), "{name}: {host}");
        assert!(path.ends_with("chat/completions") && !path.contains("//"), "{name}: {path}");
        assert!(!path.contains("v1/v1") && !path.contains("completions/chat"), "{name}: {path}");
        // One header with the key, as a bearer unless the vendor has a header of its own.
        let holding: Vec<_> = seen.headers.iter().filter(|(_, value)| value.contains(KEY)).collect();
        assert_eq!(holding.len(), 1, "{name}");
        match vendor.auth {
            AuthStyle::Bearer => assert_eq!(header(&seen, "authorization"), Some("Bearer the-key"), "{name}"),
            AuthStyle::Header(own) => assert_eq!(header(&seen, own), Some(KEY), "{name}"),
            AuthStyle::AwsSigV4 | AuthStyle::GoogleOauth => panic!("{name}"),
        }
        // Body: the model and the messages always; one name for the limit; nothing that it refuses.
        assert_eq!(seen.body["model"], MODEL, "{name}");
        assert_eq!(seen.body["messages"][0]["content"], "Hi", "{name}");
        let limits = ["max_tokens", "max_completion_tokens"].map(|limit| seen.body.get(limit).is_some());
        assert_eq!(limits.iter().filter(|there| **there).count(), 1, "{name}");
        assert_eq!(limits[0], vendor.quirks.old_max_tokens, "{name}");
        for dropped in vendor.quirks.drops {
            assert_eq!(seen.body.get(*dropped), None, "{name}: {dropped}");
        }
        for (from, to) in vendor.quirks.renames {
            assert_ne!(from, to, "{name}");
            assert!(!vendor.quirks.drops.contains(to), "{name}");
        }
        assert_eq!(seen.body.get("stream_options").is_some(), vendor.include_usage, "{name}");
        passed += 1;
    }
    println!("note-for-summary: {passed} vendors keep the contract of their dialect");
    assert!(passed >= 100, "{passed}");
}

#[test]
fn other_protocols_have_their_own_paths_and_headers() {
    let vendor = |name: &str| super::vendor(name).unwrap();
    for (name, protocol, base_url, url, key) in [
        (
            "anthropic",
            Protocol::Anthropic,
            "https://api.anthropic.com/v1",
            "https://api.anthropic.com/v1/messages",
            "x-api-key",
        ),
        (
            "gemini",
            Protocol::Gemini,
            "https://generativelanguage.googleapis.com/v1beta",
            "https://generativelanguage.googleapis.com/v1beta/models/the-model:generateContent",
            "x-goog-api-key",
        ),
        (
            "azure",
            Protocol::Azure,
            "https://mine.openai.azure.com",
            "https://mine.openai.azure.com/openai/v1/chat/completions",
            "api-key",
        ),
    ] {
        let vendor = vendor(name);
        assert_eq!(vendor.protocol, protocol, "{name}");
        // The OpenAI-compatible side lies below the native one.
        assert!(vendor.base_url.starts_with(base_url) || vendor.base_url.is_empty(), "{name}");
        let seen = chat(vendor, protocol, base_url);
        assert_eq!(seen.url, url);
        assert_eq!(header(&seen, key), Some(KEY));
        assert_eq!(header(&seen, "authorization"), None, "{name}: the key is shown once");
    }
    let seen = chat(vendor("ollama-cloud"), Protocol::Ollama, "https://ollama.com");
    assert_eq!(
        (&*seen.url, header(&seen, "authorization")),
        ("https://ollama.com/api/chat", Some("Bearer the-key"))
    );
    let seen = chat(vendor("openai"), Protocol::OpenAiResponses, vendor("openai").base_url);
    assert_eq!(seen.url, "https://api.openai.com/v1/responses");
    assert_eq!(Protocol::OpenAiResponses.dialects(), [Dialect::OpenAiResponses]);
}

#[test]
fn quirks_rename_and_drop() {
    let mistral = super::vendor("mistral").unwrap().quirks;
    assert_eq!(mistral.name("seed"), Some("random_seed"));
    assert_eq!(mistral.name("stream_options"), None);
    assert_eq!(mistral.name("max_completion_tokens"), Some("max_tokens"));
    assert_eq!(mistral.name("top_p"), Some("top_p"));
    let streamlake = super::vendor("streamlake").unwrap().quirks;
    assert_eq!(streamlake.name("max_tokens"), Some("max_completion_tokens"));
}
