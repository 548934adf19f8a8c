//! The part of JSON Schema that OpenAI obeys to the letter (`strict: true`).
//!
//! From the vendor's guide to structured outputs: the root is an object, every object is closed and requires all of
//! its properties, and only some keywords are enforced. What is not in it is refused.

use crate::json::{Document, Kind, Node, Writer};

/// Objects inside objects.
const MAX_DEPTH: usize = 10;
/// Properties of all objects together.
const MAX_PROPERTIES: usize = 5_000;

/// Keywords without schemas inside.
const PLAIN: [&str; 18] = [
    "type",
    "description",
    "title",
    "enum",
    "const",
    "$ref",
    "pattern",
    "format",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "required",
    "additionalProperties",
    "$schema",
];

/// String formats that are enforced.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// The schema as OpenAI obeys it to the letter; `None` where it does not. Objects that do not say whether they are
/// closed are: servers that enforce a schema by themselves write nothing else.
pub(super) fn obeyed(schema: &str) -> Option<String> {
    let document = Document::read(schema.as_bytes()).ok()?;
    let root = document.root();
    if !is_object(root) {
        return None;
    }
    let mut writer = Writer::with_capacity(schema.len() + 64);
    Walk { properties: 0 }.node(&mut writer, root, 0)?;
    String::from_utf8(writer.finish()).ok()
}

struct Walk {
    properties: usize,
}

impl Walk {
    /// Writes the schema; `None`: it cannot be obeyed, and what is written is of no use.
    fn node(&mut self, w: &mut Writer, schema: Node<'_, '_>, depth: usize) -> Option<()> {
        let says_what =
            ["type", "anyOf", "$ref", "enum", "const"].iter().any(|key| schema.get(key).is_some());
        if schema.kind() != Kind::Object || depth > MAX_DEPTH || !says_what {
            return None;
        }
        let object = is_object(schema);
        if object && !self.is_closed(schema) {
            return None;
        }
        let mut fits = Some(());
        w.object(|w| {
            for (key, value) in schema.members() {
                w.text(&key).frame(b":");
                let inner = match &*key.value() {
                    "properties" | "$defs" | "definitions" => self.each(w, value, depth + 1),
                    "items" => self.node(w, value, depth + 1),
                    "anyOf" if depth > 0 => self.any(w, value, depth),
                    "format" if !value.text().is_some_and(|text| FORMATS.contains(&&*text.value())) => None,
                    "$schema" if depth > 0 => None,
                    key if PLAIN.contains(&key) => {
                        w.raw(value.raw());
                        Some(())
                    }
                    _ => None,
                };
                if inner.is_none() {
                    fits = None;
                    // What is written is thrown away.
                    w.null();
                    return;
                }
            }
            if object && schema.get("additionalProperties").is_none() {
                w.key("additionalProperties").bool(false);
            }
        });
        fits
    }

    fn each(&mut self, w: &mut Writer, schemas: Node<'_, '_>, depth: usize) -> Option<()> {
        let mut fits = (schemas.kind() == Kind::Object).then_some(());
        w.object(|w| {
            for (name, inner) in schemas.members() {
                w.text(&name).frame(b":");
                fits = fits.and_then(|()| self.node(w, inner, depth));
                if fits.is_none() {
                    return;
                }
            }
        });
        fits
    }

    fn any(&mut self, w: &mut Writer, schemas: Node<'_, '_>, depth: usize) -> Option<()> {
        let mut fits = (schemas.kind() == Kind::Array).then_some(());
        w.array(|w| {
            for inner in schemas.elements() {
                fits = fits.and_then(|()| self.node(w, inner, depth));
                if fits.is_none() {
                    return;
                }
            }
        });
        fits
    }

    /// Whether nothing but its properties may be there, and all of them must.
    fn is_closed(&mut self, schema: Node<'_, '_>) -> bool {
        let open = schema.get("additionalProperties").is_some_and(|value| value.bool() != Some(false));
        let required: std::collections::HashSet<String> = schema
            .get("required")
            .into_iter()
            .flat_map(Node::elements)
            .filter_map(|name| Some(name.text()?.into_value().into_owned()))
            .collect();
        let mut names = 0;
        let all = schema.get("properties").is_none_or(|properties| {
            properties.members().all(|(name, _)| {
                names += 1;
                required.contains(&*name.value())
            })
        });
        self.properties += names;
        !open && all && required.len() == names && self.properties <= MAX_PROPERTIES
    }
}

/// Whether it is an object, or may be one.
fn is_object(schema: Node<'_, '_>) -> bool {
    let is = |node: Node<'_, '_>| node.text().is_some_and(|text| text == "object");
    let named = schema.get("type").is_some_and(|kind| is(kind) || kind.elements().any(is));
    named || schema.get("properties").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(schema: &Value) -> Option<Value> {
        obeyed(&schema.to_string()).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn closed_objects_that_require_all_are_obeyed() {
        let inner = json!({ "type": "object", "properties": { "n": { "type": ["integer", "null"], "minimum": 1 } },
                            "required": ["n"], "additionalProperties": false });
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "title": "A", "description": "d",
            "properties": {
                "a": { "type": "string", "format": "date", "description": "when" },
                "b": { "type": "array", "items": { "$ref": "#/$defs/inner" }, "maxItems": 3 },
                "c": { "anyOf": [{ "type": "null" }, { "enum": ["x", "y"] }] },
            },
            "required": ["c", "b", "a"], "additionalProperties": false,
            "$defs": { "inner": inner },
        });
        assert_eq!(seen(&schema), Some(schema));
    }

    #[test]
    fn objects_that_do_not_say_are_closed() {
        let schema = json!({ "type": "object", "required": ["a"],
                             "properties": { "a": { "type": "object", "properties": {} } } });
        let mut expected = schema.clone();
        expected["additionalProperties"] = json!(false);
        expected["properties"]["a"]["additionalProperties"] = json!(false);
        assert_eq!(seen(&schema), Some(expected));
    }

    #[test]
    fn what_is_not_enforced_is_not_obeyed() {
        let with =
            |property: Value| json!({ "type": "object", "properties": { "a": property }, "required": ["a"] });
        assert!(seen(&with(json!({ "type": "string" }))).is_some());
        for property in [
            json!({}),
            json!(true),
            json!({ "type": "string", "minLength": 1 }),
            json!({ "type": "string", "default": "x" }),
            json!({ "type": "string", "format": "uri" }),
            json!({ "oneOf": [{ "type": "string" }] }),
            json!({ "type": "object", "properties": { "b": { "type": "string" } } }),
            json!({ "type": "object", "additionalProperties": true }),
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "object", "properties": {}, "required": ["b"] }),
            json!({ "type": "array", "items": { "type": "array", "items": [] } }),
            json!({ "anyOf": {} }),
        ] {
            assert_eq!(seen(&with(property.clone())), None, "{property}");
        }
        assert_eq!(seen(&json!({ "type": "string" })), None);
        assert_eq!(seen(&json!({ "anyOf": [{ "type": "object" }] })), None);
        assert_eq!(obeyed("true"), None);
        let deep = (0..MAX_DEPTH + 1).fold(json!({ "type": "string" }), |inner, _| with(inner));
        assert_eq!(seen(&deep), None);
    }
}
