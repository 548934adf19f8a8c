//! Model lists: `GET /v1/models` as vendors answer it, and as we do.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answer::Malformed;
use crate::json::validate;

/// One model of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelEntry {
    /// What to send as `model`.
    pub id: String,
    /// Who offers it.
    pub owned_by: Option<String>,
    /// The longest prompt and answer together, in tokens.
    pub context_length: Option<u64>,
    /// Further members as they are shown: prices, modalities. Nothing of a vendor's list is kept here.
    pub more: Map<String, Value>,
}

/// Reads a list: OpenAI's `data`, Ollama's `models`, or a bare array; entries without an id are
/// passed over.
///
/// # Errors
/// Not JSON, or no list in it.
pub fn parse_list(body: &[u8]) -> Result<Vec<ModelEntry>, Malformed> {
    validate(body)?;
    let value: Value = serde_json::from_slice(body).map_err(|_| Malformed::Missing("data"))?;
    let items = match &value {
        Value::Array(items) => Some(items),
        Value::Object(members) => ["data", "models"].iter().find_map(|name| members.get(*name)?.as_array()),
        _ => None,
    };
    Ok(items.ok_or(Malformed::Missing("data"))?.iter().filter_map(parse_entry).collect())
}

/// The list as OpenAI's clients expect it. `created` is in Unix seconds.
#[must_use]
pub fn render_list<'a>(entries: impl IntoIterator<Item = &'a ModelEntry>, created: u64) -> Bytes {
    let data: Vec<Value> = entries.into_iter().map(|entry| document(entry, created)).collect();
    json!({ "object": "list", "data": data }).to_string().into()
}

/// One model as OpenAI's clients expect it. `created` is in Unix seconds.
#[must_use]
pub fn render_one(entry: &ModelEntry, created: u64) -> Bytes {
    document(entry, created).to_string().into()
}

/// `owned_by` and `created` are not optional in OpenAI's client types.
fn document(entry: &ModelEntry, created: u64) -> Value {
    let mut document = json!({
        "id": entry.id,
        "object": "model",
        "created": created,
        "owned_by": entry.owned_by.as_deref().unwrap_or("unknown"),
    });
    if let Some(members) = document.as_object_mut() {
        if let Some(length) = entry.context_length {
            members.insert("context_length".to_owned(), length.into());
        }
        members.extend(entry.more.clone());
    }
    document
}

fn parse_entry(value: &Value) -> Option<ModelEntry> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text("id").or_else(|| text("model")).or_else(|| text("name"))?.to_owned();
    let owned_by = text("owned_by").or_else(|| text("organization")).map(str::to_owned);
    // By vendor: OpenRouter and Together, Groq, vLLM, LM Studio, Mistral and llama.cpp.
    let lengths = [
        "/context_length",
        "/context_window",
        "/max_model_len",
        "/max_context_length",
        "/meta/n_ctx",
        "/meta/n_ctx_train",
    ];
    let context_length = lengths.iter().find_map(|path| value.pointer(path)?.as_u64());
    Some(ModelEntry { id, owned_by, context_length, more: Map::new() })
}

#[cfg(test)]
mod tests;
