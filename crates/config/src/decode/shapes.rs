//! Options, lists and maps with free keys.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Context, Decode};
use crate::yaml::{Node, Spanned, Value};

/// A key that may be absent or null. One that is wrong counts as absent, so that the others are checked
/// as well; the context counts such holes.
impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        if node.is_null() {
            return Some(None);
        }
        let value = T::decode(node, cx);
        if value.is_none() {
            cx.hole();
        }
        Some(value)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        T::decode(node, cx).map(|value| Self { value, place: node.place })
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A list.
impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::List(nodes) = &node.value else { return cx.mismatch(node, "a list") };
        let before = cx.count();
        let list: Self = nodes.iter().filter_map(|node| T::decode(node, cx)).collect();
        (cx.count() == before).then_some(list)
    }
}

/// A list, or its only element without the brackets.
#[derive(Debug)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::decode(node, cx).map(Self),
            _ => T::decode(node, cx).map(|one| Self(vec![one])),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// A map whose keys are names, in the order of writing. `None`: an element with holes, which further
/// checks would only misunderstand.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(Spanned<String>, Option<T>)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let entries = cx.map(node)?;
        let decoded = entries.iter().map(|entry| {
            if entry.key.value.is_empty() {
                cx.fail::<()>(entry.key.place, "a name must not be empty");
            }
            let holes = cx.holes();
            let value = T::decode(&entry.value, cx).filter(|_| cx.holes() == holes);
            (entry.key.clone(), value)
        });
        Some(Self(decoded.collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

/// A list that keeps its sound elements when others are not.
#[derive(Debug)]
pub(crate) struct Items<T> {
    pub(crate) sound: Vec<T>,
    /// How many were written.
    pub(crate) written: usize,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { sound: Vec::new(), written: 0 }
    }
}

impl<T: Decode> Decode for Items<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::List(nodes) = &node.value else { return cx.mismatch(node, "a list") };
        let sound = nodes.iter().filter_map(|node| T::decode(node, cx)).collect();
        Some(Self { sound, written: nodes.len() })
    }
}

impl<T: JsonSchema> JsonSchema for Items<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Items_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Vec<T>>::json_schema(generator)
    }
}

/// A part of the document whose errors do not keep the rest from being checked: it then counts as
/// absent.
#[derive(Debug)]
pub(crate) struct Part<T>(pub(crate) T);

impl<T: Decode + Default> Decode for Part<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let part = if node.is_null() { None } else { T::decode(node, cx) };
        Some(Self(part.unwrap_or_default()))
    }

    fn absent() -> Option<Self> {
        Some(Self(T::default()))
    }
}
