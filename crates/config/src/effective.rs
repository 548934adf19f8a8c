//! The configuration as it is in force, file and overrides together, fit to be shown: secrets are
//! references, hashes of keys are cut short, and literals that might be secrets are not repeated.

use serde_json::{Map, Number, Value as Json};
use sha2::{Digest as _, Sha256};

use crate::compose::{Input, tree};
use crate::decode::Context;
use crate::error::ConfigErrors;
use crate::yaml::{Node, Value, as_bool, is_null};

/// Characters of a hash that tell keys apart but are no use for guessing.
const FINGERPRINT: usize = 8;

/// File and overrides as JSON. What is not written anywhere has its default and is not in there.
///
/// # Errors
/// Where the text has no tree; whether its content makes sense is not looked at.
pub fn effective(input: &Input<'_>) -> Result<Json, ConfigErrors> {
    let mut cx = Context::default();
    let root = tree(input, &mut cx);
    cx.finish()?;
    let mut shown = root.map_or(Json::Null, |root| json(&root));
    for key in shown.get_mut("keys").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(hash) = key.get_mut("sha256") {
            // Digits alone read as a number.
            let text = hash.as_str().map_or_else(|| hash.to_string(), str::to_owned);
            let fingerprint: String = text.chars().take(FINGERPRINT).collect();
            *hash = Json::String(format!("{fingerprint}…"));
        }
    }
    conceal(&mut shown, "");
    Ok(shown)
}

/// The tree without its places. Plain scalars are what YAML's core schema makes of them.
pub(crate) fn json(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.value.clone(), json(&entry.value)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
        Value::Scalar { text, plain: false } => Json::String(text.clone()),
        Value::Scalar { text, plain: true } => scalar(text),
    }
}

fn scalar(text: &str) -> Json {
    if is_null(text) {
        return Json::Null;
    }
    if let Some(value) = as_bool(text) {
        return Json::Bool(value);
    }
    // Only numbers that read the same in JSON: `0x1f` and `1_000` stay as they were written.
    text.parse::<Number>().map_or_else(|_| Json::String(text.to_owned()), Json::Number)
}

/// Header values and the user part of URLs may be secrets although they should not.
fn conceal(value: &mut Json, name: &str) {
    match value {
        Json::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Json::String(text) if name == "headers" => *text = concealed(text),
                    _ => conceal(field, key),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| conceal(item, name)),
        Json::String(text) => {
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((user, host)) = rest.split_once('@')
                && !user.contains('/')
            {
                *text = format!("{scheme}://{}@{host}", concealed(user));
            }
        }
        _ => {}
    }
}

/// Two literals that differ are shown differently.
fn concealed(text: &str) -> String {
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    format!("(literal {})", &hash[..FINGERPRINT])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::{ConfigFile, Environment};

    fn shown(text: &str, variables: &[(&'static str, &'static str)]) -> Json {
        let environment: Environment = variables.iter().copied().collect();
        let file = Some(ConfigFile { path: Path::new("p.yaml"), text });
        effective(&Input { file, environment: &environment, overrides: &[], engines: &[] }).unwrap()
    }

    #[test]
    fn overrides_are_in_and_secrets_are_not() {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let text = format!(
            "server: {{max_body: 1MiB, max_connections: 9}}\nkeys:\n  - id: a\n    sha256: {hash}\n\
             providers:\n  x:\n    base_url: https://me:hunter2@host/v1\n    keys: {{env: X_KEY}}\n    \
             headers: {{x-title: hunter2, x-key: {{env: K}}}}\n"
        );
        let shown = shown(&text, &[("POINTSMAN__SERVER__MAX_CONNECTIONS", "7"), ("X_KEY", "hunter2")]);
        assert_eq!(shown["server"], json!({"max_body": "1MiB", "max_connections": 7}));
        assert_eq!(shown["keys"][0]["sha256"], "9f86d081…");
        let provider = &shown["providers"]["x"];
        assert_eq!(provider["keys"], json!({"env": "X_KEY"}));
        assert_eq!(provider["headers"]["x-key"], json!({"env": "K"}));
        assert!(provider["base_url"].as_str().unwrap().ends_with("@host/v1"));
        assert!(!shown.to_string().contains("hunter2") && !shown.to_string().contains(hash));
    }
}
