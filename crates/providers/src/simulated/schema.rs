//! Values that fit a JSON Schema well enough for a client to parse: for tool calls and JSON answers.

use serde_json::{Map, Value, json};

/// Examples nest no deeper than this; also the end of recursive schemas.
const DEEPEST: usize = 8;
/// Bytes that an example may have: recursive schemas would otherwise grow without bound.
const MOST_BYTES: usize = 64 * 1024;
/// What a string is where nothing says more.
const TEXT: &str = "simulated";
/// An example string need not be longer than a line, whatever a schema asks for.
const LONGEST_TEXT: usize = 80;

/// An example of `schema`; `{}` where it says nothing.
pub(super) fn example(schema: &Value) -> Value {
    Example { root: schema, bytes_left: MOST_BYTES }.value(schema, DEEPEST)
}

struct Example<'a> {
    root: &'a Value,
    bytes_left: usize,
}

impl Example<'_> {
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if depth == 0 || !self.spend(1) {
            return Value::Null;
        }
        let first_of = |words: &[&str]| words.iter().find_map(|word| schema.get(word)?.get(0));
        if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
            return self.copy(given);
        }
        if let Some(given) = first_of(&["enum", "examples"]) {
            return self.copy(given);
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            let target = reference.strip_prefix('#').filter(|pointer| self.spend(pointer.len()));
            let target = target.and_then(|pointer| root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.value(target, depth - 1));
        }
        if let Some(choice) = first_of(&["anyOf", "oneOf", "allOf"]) {
            return self.value(choice, depth - 1);
        }
        match type_of(schema) {
            "string" => json!(string(schema)),
            // A whole number is a number too, and every reader takes it for what it is.
            "integer" | "number" => whole(schema).into(),
            "boolean" => true.into(),
            "array" => self.array(schema, depth),
            "null" => Value::Null,
            _ => self.object(schema, depth),
        }
    }

    fn array(&mut self, schema: &Value, depth: usize) -> Value {
        let least = size(schema, "minItems").unwrap_or(1).clamp(1, DEEPEST);
        let item =
            |this: &mut Self| schema.get("items").map_or_else(|| json!(TEXT), |s| this.value(s, depth - 1));
        (0..least).map(|_| item(self)).collect()
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if self.spend(name.len()) {
                object.insert(name.clone(), self.value(schema, depth - 1));
            }
        }
        Value::Object(object)
    }

    fn copy(&mut self, given: &Value) -> Value {
        if self.spend(given.to_string().len()) { given.clone() } else { Value::Null }
    }

    /// Whether so many bytes are left; once they are not, nothing is.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.unwrap_or(0);
        left.is_some()
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
            let most = size(schema, "maxLength").unwrap_or(LONGEST_TEXT);
            let least = size(schema, "minLength").unwrap_or(0).min(LONGEST_TEXT);
            TEXT.chars().cycle().take(TEXT.len().max(least).min(most)).collect()
        }
    }
}

fn size(schema: &Value, name: &str) -> Option<usize> {
    schema.get(name).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_branch_without_end_give_bounded_examples() {
        let fields: Map<String, Value> = (0..40).map(|i| (format!("f{i}"), json!({"$ref": "#"}))).collect();
        let bushy = json!({"type": "object", "properties": fields});
        assert!(example(&bushy).to_string().len() < 10 * MOST_BYTES);
        let row = json!({"type": "array", "minItems": u64::MAX, "items": {"$ref": "#"}});
        assert!(example(&row).to_string().len() < 10 * MOST_BYTES);
        let large = json!({"const": "x".repeat(MOST_BYTES)});
        assert_eq!(example(&large), Value::Null);
    }
}
