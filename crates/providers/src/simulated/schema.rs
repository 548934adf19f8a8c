//! Values that fit a JSON Schema well enough for a client to parse: for tool calls and JSON answers.

use serde_json::{Map, Value, json};

/// Schemas nest no deeper than this in an example; also the end of recursive ones.
const DEEPEST: usize = 8;
/// What a string is where nothing says more.
const TEXT: &str = "simulated";

/// An example of `schema`; `{}` where it says nothing.
pub(super) fn example(schema: &Value) -> Value {
    value(schema, schema, DEEPEST)
}

fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let deeper = |schema: &Value| value(schema, root, depth - 1);
    for given in ["const", "default"] {
        if let Some(given) = schema.get(given) {
            return given.clone();
        }
    }
    for list in ["enum", "examples"] {
        if let Some(first) = schema.get(list).and_then(|list| list.get(0)) {
            return first.clone();
        }
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, deeper);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(choice).and_then(|list| list.get(0)) {
            return deeper(first);
        }
    }
    match type_of(schema) {
        "string" => json!(string(schema)),
        "integer" => whole(schema).into(),
        // `1` is a number too, and the only one that every reader takes for what it is.
        "number" => whole(schema).into(),
        "boolean" => true.into(),
        "array" => {
            let items = schema.get("items").map_or_else(|| json!(TEXT), deeper);
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, DEEPEST as u64);
            Value::Array(vec![items; usize::try_from(least).unwrap_or(1)])
        }
        "null" => Value::Null,
        _ => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let fields = fields.into_iter().flatten().map(|(name, schema)| (name.clone(), deeper(schema)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

/// The schema's type; the first that is not `null` where several are allowed.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        _ => "object",
    }
}

fn whole(schema: &Value) -> i64 {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low.saturating_add(1)));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high.saturating_sub(1)));
    let least = low.unwrap_or(i64::MIN);
    1.max(least).min(high.unwrap_or(i64::MAX)).max(least)
}

fn string(schema: &Value) -> String {
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-01T00:00:00Z".to_owned(),
        Some("date") => "2026-01-01".to_owned(),
        Some("time") => "00:00:00Z".to_owned(),
        Some("email") => "simulated@example.com".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        Some("uuid") => "00000000-0000-4000-8000-000000000000".to_owned(),
        _ => {
            let bound =
                |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            let most = bound("maxLength").unwrap_or(usize::MAX);
            // An example need not be longer than a line, whatever a schema asks for.
            let least = bound("minLength").unwrap_or(0).min(80);
            TEXT.chars().cycle().take(TEXT.len().max(least).min(most)).collect()
        }
    }
}
