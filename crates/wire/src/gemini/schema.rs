//! Google's own `Schema` (a part of OpenAPI 3.0), as JSON Schema.
//!
//! Types are enums in capitals, `null` is a flag, 64-bit numbers are strings, and the order of properties
//! is a list of its own. The way back is not needed: Google's API takes JSON Schema too, and what a client
//! wrote is kept.

use std::collections::{HashMap, HashSet};

use super::read::{self, Member};
use crate::json::{Kind, Node, Text, Writer};
use crate::neutral::{Losses, Schema};

/// The schema of a client.
pub(super) fn read<'a>(node: Node<'_, 'a>) -> Schema<'a> {
    let mut writer = Writer::with_capacity(node.raw().len() + 32);
    write(&mut writer, node);
    Schema::translated(String::from_utf8(writer.finish()).unwrap_or_default(), node.raw())
}

fn write(w: &mut Writer, schema: Node<'_, '_>) {
    if schema.kind() != Kind::Object {
        w.raw(schema.raw());
        return;
    }
    let nullable = read::get(schema, "nullable").and_then(Node::bool) == Some(true);
    let order: Vec<Text<'_>> = read::get(schema, "propertyOrdering")
        .into_iter()
        .flat_map(Node::elements)
        .filter_map(Node::text)
        .collect();
    w.object(|w| {
        for member in read::members(schema, "schema").into_iter().flatten() {
            keyword(w, &member, nullable, &order);
        }
        leftovers(w, schema, nullable, &order);
    });
}

/// What is left where its counterpart says nothing: a flag without a type, an order of no properties.
fn leftovers(w: &mut Writer, schema: Node<'_, '_>, nullable: bool, order: &[Text<'_>]) {
    if nullable && schema.get("type").is_none() && read::get(schema, "anyOf").is_none() {
        w.key("nullable").bool(true);
    }
    let properties = schema.get("properties").into_iter().flat_map(Node::members);
    let known: HashSet<Text<'_>> = properties.map(|(key, _)| key).collect();
    if !order.iter().all(|name| known.contains(name)) {
        w.key("propertyOrdering").array(|w| {
            for name in order {
                w.text(name);
            }
        });
    }
}

fn keyword(w: &mut Writer, member: &Member<'_, '_>, nullable: bool, order: &[Text<'_>]) {
    let node = member.node;
    match &*member.name() {
        "type" => write_type(w, node, nullable),
        // Told by the type, by `enum` itself, and by the order of the properties.
        "nullable" | "propertyOrdering" => {}
        "format" if node.text().is_some_and(|format| format == "enum") => {}
        "enum" => {
            w.key("enum").array(|w| {
                node.elements().for_each(|value| {
                    w.raw(value.raw());
                });
                if nullable && !node.elements().any(Node::is_null) {
                    w.null();
                }
            });
        }
        "anyOf" => {
            w.key("anyOf").array(|w| {
                node.elements().for_each(|inner| write(w, inner));
                if nullable {
                    w.raw(r#"{"type":"null"}"#);
                }
            });
        }
        "prefixItems" => {
            w.key("prefixItems").array(|w| node.elements().for_each(|inner| write(w, inner)));
        }
        name @ ("items" | "additionalProperties") => {
            w.key(name);
            write(w, node);
        }
        "properties" => {
            w.key("properties");
            write_all(w, node, order);
        }
        "defs" => {
            w.key("$defs");
            write_all(w, node, &[]);
        }
        "ref" => {
            let target = node.text().unwrap_or_default();
            w.key("$ref").string(&target.value().replacen("#/defs/", "#/$defs/", 1));
        }
        "example" => {
            w.key("examples").array(|w| {
                w.raw(node.raw());
            });
        }
        name @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties") => {
            let digits = node.text().filter(|text| text.value().parse::<u64>().is_ok());
            w.key(name);
            match digits {
                Some(digits) => w.raw(&digits.value()),
                None => w.raw(node.raw()),
            };
        }
        name => {
            w.key(name).raw(node.raw());
        }
    }
}

fn write_type(w: &mut Writer, node: Node<'_, '_>, nullable: bool) {
    let Some(word) = node.text() else {
        w.key("type").raw(node.raw());
        return;
    };
    let word = word.value().to_ascii_lowercase();
    match (&*word, nullable) {
        ("type_unspecified", _) => {}
        ("null", _) | (_, false) => {
            w.key("type").string(&word);
        }
        (_, true) => {
            w.key("type").array(|w| {
                w.string(&word).string("null");
            });
        }
    }
}

/// Schemas by name, those in `order` first.
fn write_all(w: &mut Writer, node: Node<'_, '_>, order: &[Text<'_>]) {
    if node.kind() != Kind::Object {
        w.raw(node.raw());
        return;
    }
    let mut places: HashMap<&Text<'_>, usize> = HashMap::with_capacity(order.len());
    for (at, name) in order.iter().enumerate() {
        places.entry(name).or_insert(at);
    }
    let place = |key: &Text<'_>| places.get(key).copied().unwrap_or(order.len());
    let mut named: Vec<_> = node.members().map(|(key, inner)| (place(&key), key, inner)).collect();
    named.sort_by_key(|(place, ..)| *place);
    w.object(|w| {
        for (_, key, inner) in named {
            w.text(&key).frame(b":");
            write(w, inner);
        }
    });
}

/// Writes a schema with the name and description that stand outside of it elsewhere (OpenAI's), unless it has
/// its own. `titles`: the member, what the client calls it at `place`, and the text.
pub(super) fn write_titled(
    w: &mut Writer,
    schema: &str,
    titles: [(&str, &str, Option<&Text<'_>>); 2],
    place: &str,
    losses: &mut Losses,
) {
    let document = crate::json::Document::read(schema.as_bytes()).ok();
    let root = document.as_ref().map(crate::json::Document::root).filter(|root| root.kind() == Kind::Object);
    let Some(root) = root.filter(|_| titles.iter().any(|(.., text)| text.is_some())) else {
        w.raw(schema);
        return;
    };
    w.object(|w| {
        for (member, given, text) in titles {
            match text {
                Some(text) if root.get(member).is_none() => {
                    w.key(member).text(text);
                }
                Some(text) if root.get(member).and_then(Node::text).as_ref() == Some(text) => {}
                // The schema's own words stay.
                Some(_) => losses.field(format!("{place}.{given}")),
                None => {}
            }
        }
        for (key, value) in root.members() {
            w.text(&key).frame(b":").raw(value.raw());
        }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::Document;

    fn read_text(text: &str) -> String {
        let document = Document::read(text.as_bytes()).unwrap();
        let schema = read(document.root());
        assert_eq!(schema.native(), Some(text));
        schema.to_string()
    }

    #[test]
    fn every_keyword_has_its_counterpart() {
        let native = json!({
            "type": "OBJECT",
            "title": "T",
            "propertyOrdering": ["b", "a"],
            "properties": {
                "a": { "type": "STRING", "format": "enum", "enum": ["x"], "nullable": true, "example": "x" },
                "b": { "type": "INTEGER", "format": "int32", "minimum": 1, "maximum": 2.5 },
                "c": { "type": "ARRAY", "items": { "type": "NUMBER" }, "min_items": "2", "maxItems": 3 },
                "d": { "any_of": [{ "type": "BOOLEAN" }, { "ref": "#/defs/D" }], "nullable": true },
                "e": { "type": "TYPE_UNSPECIFIED", "description": "anything", "default": null },
                "f": { "type": "NULL", "nullable": true },
                "g": { "type": "STRING", "nullable": true, "pattern": ".+", "minLength": "x" },
                "h": { "prefixItems": [{ "type": "STRING" }], "type": ["A"] },
            },
            "required": ["a"],
            "additionalProperties": false,
            "defs": { "D": { "type": "OBJECT", "additionalProperties": { "type": "STRING" } } },
        });
        let value: Value = serde_json::from_str(&read_text(&native.to_string())).unwrap();
        assert_eq!(
            value,
            json!({
                "type": "object",
                "title": "T",
                "properties": {
                    "a": { "type": ["string", "null"], "enum": ["x", null], "examples": ["x"] },
                    "b": { "type": "integer", "format": "int32", "minimum": 1, "maximum": 2.5 },
                    "c": { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 3 },
                    "d": { "anyOf": [{ "type": "boolean" }, { "$ref": "#/$defs/D" }, { "type": "null" }] },
                    "e": { "description": "anything" },
                    "f": { "type": "null" },
                    "g": { "type": ["string", "null"], "pattern": ".+", "minLength": "x" },
                    "h": { "prefixItems": [{ "type": "string" }], "type": ["A"] },
                },
                "required": ["a"],
                "additionalProperties": false,
                "$defs": { "D": { "type": "object", "additionalProperties": { "type": "string" } } },
            })
        );
    }

    #[test]
    fn the_order_of_properties_is_that_of_the_list() {
        let text = r#"{"propertyOrdering":["z","y"],"properties":{"x":{},"y":{},"z":{"type":"STRING"}}}"#;
        assert_eq!(read_text(text), r#"{"properties":{"z":{"type":"string"},"y":{},"x":{}}}"#);
    }

    #[test]
    fn what_has_no_counterpart_is_left_as_it_is() {
        assert_eq!(read_text(r#"{"nullable":true}"#), r#"{"nullable":true}"#);
        assert_eq!(read_text(r#"{"nullable":false,"type":"STRING"}"#), r#"{"type":"string"}"#);
        let text = r#"{"properties":{"a":{}},"propertyOrdering":["a","b"]}"#;
        assert_eq!(read_text(text), text);
    }

    #[test]
    fn what_is_no_schema_stays() {
        assert_eq!(read_text("true"), "true");
        assert_eq!(read_text(r#"{"properties":3,"items":true}"#), r#"{"properties":3,"items":true}"#);
    }

    #[test]
    fn a_name_goes_inside_and_the_schemas_own_words_stay() {
        let titled = |schema: &str, name: Option<&Text<'_>>| {
            let (mut w, mut losses) = (Writer::default(), Losses::default());
            let description = Text::from("d");
            let titles =
                [("title", "name", name), ("description", "description", name.map(|_| &description))];
            write_titled(&mut w, schema, titles, "response_format", &mut losses);
            let losses: Vec<_> = losses.iter().map(str::to_owned).collect();
            (String::from_utf8(w.finish()).unwrap(), losses)
        };
        let name = Text::from("n");
        assert_eq!(titled(r#"{"a": 1}"#, None), (r#"{"a": 1}"#.into(), Vec::new()));
        let whole = (r#"{"title":"n","description":"d","a":1}"#.to_owned(), Vec::new());
        assert_eq!(titled(r#"{"a":1}"#, Some(&name)), whole);
        let own = (r#"{"description":"d","title":"t"}"#.to_owned(), vec!["response_format.name".to_owned()]);
        assert_eq!(titled(r#"{"title":"t"}"#, Some(&name)), own);
        assert_eq!(titled("true", Some(&name)).0, "true");
    }
}
