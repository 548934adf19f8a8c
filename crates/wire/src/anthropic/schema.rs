//! The part of JSON Schema that Anthropic obeys to the letter (`output_config.format`, strict tools).
//!
//! The vendor refuses what it cannot enforce. As its own SDKs do, such keywords move into the description,
//! where the model may still follow them, and are declared; `oneOf` becomes `anyOf`; objects are closed.

use std::fmt::Write as _;

use pointsman_core::Dialect;

use crate::json::{Document, Kind, Node, Text, Writer};
use crate::neutral::{Losses, terms};

/// The string formats that are enforced.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Writes the schema; what it loses is declared as a member of `place`.
pub(super) fn write(w: &mut Writer, schema: &str, place: &str, losses: &mut Losses) {
    match Document::read(schema.as_bytes()) {
        Ok(document) => node(w, document.root(), place, losses),
        // It was cut out of a document that was read before, so this cannot be.
        Err(_) => {
            w.raw(schema);
        }
    }
}

/// The same with the name and description that stand outside the schema elsewhere (OpenAI's), unless it has its
/// own. `given`: the client, and the field in which it gave the format.
pub(super) fn write_titled(
    w: &mut Writer,
    schema: &str,
    titles: [Option<&Text<'_>>; 2],
    given: (Dialect, &str),
    losses: &mut Losses,
) {
    let place = terms::schema(given.0, given.1);
    let document = Document::read(schema.as_bytes()).ok();
    let Some(root) = document.as_ref().map(Document::root).filter(|root| root.kind() == Kind::Object) else {
        write(w, schema, &place, losses);
        return;
    };
    let mut titled = Writer::with_capacity(schema.len() + 64);
    titled.object(|w| {
        for ((member, name), text) in
            [("title", "name"), ("description", "description")].into_iter().zip(titles)
        {
            match text {
                Some(text) if root.get(member).is_none() => {
                    w.key(member).text(text);
                }
                Some(text) if root.get(member).and_then(Node::text).as_ref() == Some(text) => {}
                // The schema's own words stay.
                Some(_) => losses.field(format!("{}.{name}", terms::schema_place(given.0, given.1))),
                None => {}
            }
        }
        for (key, value) in root.members() {
            w.text(&key).frame(b":").raw(value.raw());
        }
    });
    let titled = titled.finish();
    write(w, &String::from_utf8_lossy(&titled), &place, losses);
}

/// Writes a tool's schema, which must say that it is an object.
pub(super) fn write_input(w: &mut Writer, schema: Option<&str>) {
    let Some(schema) = schema else {
        w.raw(r#"{"type":"object","properties":{}}"#);
        return;
    };
    let document = Document::read(schema.as_bytes()).ok();
    let Some(root) = document.as_ref().map(Document::root).filter(|root| root.get("type").is_none()) else {
        w.raw(schema);
        return;
    };
    w.object(|w| {
        w.key("type").string("object");
        for (key, value) in root.members().filter(|(key, _)| *key != "type") {
            w.text(&key).frame(b":").raw(value.raw());
        }
    });
}

fn node(w: &mut Writer, schema: Node<'_, '_>, place: &str, losses: &mut Losses) {
    if schema.kind() != Kind::Object {
        w.raw(schema.raw());
        return;
    }
    let mut description: Option<String> = None;
    let mut kept_out: Vec<(Text<'_>, &str)> = Vec::new();
    let is_object = schema.get("properties").is_some() || names(schema, "object");
    w.object(|w| {
        for (key, value) in schema.members() {
            match &*key.value() {
                "$ref" | "type" | "enum" | "const" | "title" | "default" | "required" => {
                    w.text(&key).frame(b":").raw(value.raw());
                }
                "description" => description = value.text().map(|text| text.value().into_owned()),
                "properties" | "$defs" | "definitions" if value.kind() == Kind::Object => {
                    w.text(&key).frame(b":").object(|w| {
                        for (name, inner) in value.members() {
                            w.text(&name).frame(b":");
                            node(w, inner, place, losses);
                        }
                    });
                }
                "anyOf" | "oneOf" | "allOf" if value.kind() == Kind::Array => {
                    w.key(if key == "allOf" { "allOf" } else { "anyOf" });
                    w.array(|w| value.elements().for_each(|inner| node(w, inner, place, losses)));
                }
                "items" if value.kind() == Kind::Object => {
                    w.key("items");
                    node(w, value, place, losses);
                }
                "additionalProperties" => {
                    if value.bool() != Some(false) {
                        losses.field(format!("{place}.additionalProperties"));
                    }
                }
                "format" if value.text().is_some_and(|text| FORMATS.contains(&&*text.value())) => {
                    w.key("format").raw(value.raw());
                }
                "minItems" if value.count().is_some_and(|count| count <= 1) => {
                    w.key("minItems").raw(value.raw());
                }
                // They say nothing about the data.
                "$schema" | "$id" | "$comment" => {}
                keyword => {
                    losses.field(format!("{place}.{keyword}"));
                    kept_out.push((key.clone(), value.raw()));
                }
            }
        }
        if is_object {
            w.key("additionalProperties").bool(false);
        }
        if let Some(text) = described(description, &kept_out) {
            w.key("description").string(&text);
        }
    });
}

/// The description, and below it the keywords that are not enforced.
fn described(description: Option<String>, kept_out: &[(Text<'_>, &str)]) -> Option<String> {
    if kept_out.is_empty() {
        return description;
    }
    let mut text = description.map(|text| text + "\n\n").unwrap_or_default();
    for (at, (key, raw)) in kept_out.iter().enumerate() {
        let open = if at == 0 { "{" } else { ", " };
        // Writing into a string cannot fail.
        let _ = write!(text, "{open}{}: {raw}", key.value());
    }
    text.push('}');
    Some(text)
}

/// Whether the schema's `type` is this, or has it among others.
fn names(schema: Node<'_, '_>, wanted: &str) -> bool {
    let Some(kind) = schema.get("type") else { return false };
    kind.text().is_some_and(|text| text == wanted)
        || kind.elements().any(|element| element.text().is_some_and(|text| text == wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(schema: &Value) -> (Value, Vec<String>) {
        let (mut writer, mut losses) = (Writer::default(), Losses::default());
        write(&mut writer, &schema.to_string(), "format.schema", &mut losses);
        let value = serde_json::from_slice(&writer.finish()).unwrap();
        (value, losses.iter().map(str::to_owned).collect())
    }

    #[test]
    fn what_is_not_enforced_moves_into_the_description_and_is_declared() {
        let (value, losses) = written(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "age": { "type": "integer", "minimum": 1, "maximum": 10, "description": "years" },
                "mail": { "type": ["string", "null"], "format": "email", "pattern": ".+" },
                "tags": { "type": "array", "minItems": 2, "items": { "oneOf": [{ "const": 1 }, { "enum": ["a"] }] } },
                "inner": { "$ref": "#/$defs/inner" },
            },
            "required": ["age"],
            "$defs": { "inner": { "type": "object", "additionalProperties": true } },
        }));
        assert_eq!(
            value,
            json!({
                "type": "object",
                "properties": {
                    "age": { "type": "integer", "description": "years\n\n{minimum: 1, maximum: 10}" },
                    "mail": { "type": ["string", "null"], "format": "email", "description": "{pattern: \".+\"}" },
                    "tags": {
                        "type": "array",
                        "items": { "anyOf": [{ "const": 1 }, { "enum": ["a"] }] },
                        "description": "{minItems: 2}",
                    },
                    "inner": { "$ref": "#/$defs/inner" },
                },
                "required": ["age"],
                "$defs": { "inner": { "type": "object", "additionalProperties": false } },
                "additionalProperties": false,
            })
        );
        let mut losses = losses;
        losses.sort();
        let expected = ["additionalProperties", "maximum", "minItems", "minimum", "pattern"];
        assert_eq!(losses, expected.map(|keyword| format!("format.schema.{keyword}")));
    }

    #[test]
    fn a_schema_within_the_part_is_itself() {
        let schema = json!({
            "type": "object",
            "properties": { "x": { "type": "array", "items": { "type": "string" }, "minItems": 1 } },
            "required": ["x"],
            "additionalProperties": false,
        });
        assert_eq!(written(&schema), (schema, Vec::new()));
    }

    #[test]
    fn a_tools_schema_says_that_it_is_an_object() {
        let input = |schema: Option<&str>| {
            let mut writer = Writer::default();
            write_input(&mut writer, schema);
            String::from_utf8(writer.finish()).unwrap()
        };
        assert_eq!(input(None), r#"{"type":"object","properties":{}}"#);
        assert_eq!(input(Some("{}")), r#"{"type":"object"}"#);
        assert_eq!(input(Some(r#"{"a\"b":[1]}"#)), r#"{"type":"object","a\"b":[1]}"#);
        assert_eq!(input(Some(r#"{ "type": "object" }"#)), r#"{ "type": "object" }"#);
    }
}
