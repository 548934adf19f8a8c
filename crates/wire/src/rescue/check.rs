//! Whether a JSON text is what its schema asks for: the end of a structured answer that was put together.
//!
//! The part of JSON Schema (2020-12) that structured answers use: types, members, items, choices, constants,
//! bounds and references within the schema. Keywords beyond it (`pattern`, `format`) say nothing here.

use std::cell::Cell;

use crate::json::{Document, Kind, Node, Text};

/// Members and schemas that are looked at; what is beyond is taken for right. Schemas come from clients.
const MAX_STEPS: usize = 2_000_000;
/// Longer values are compared to the letter.
const MAX_COMPARED: usize = 16 * 1024;
/// Levels of references and values within each other; what is deeper is taken for right.
const MAX_DEPTH: u32 = 64;

/// Whether `text` is one JSON value that obeys `schema`. A schema that cannot be read asks for nothing.
pub(super) fn obeys(schema: &str, text: &str) -> bool {
    let Ok(value) = Document::read(text.as_bytes()) else { return false };
    match Document::read(schema.as_bytes()) {
        Ok(schema) => {
            let checker = Checker { root: schema.root(), steps: Cell::new(0) };
            checker.fits(schema.root(), value.root(), 0)
        }
        Err(_) => true,
    }
}

struct Checker<'d, 'a> {
    /// For references.
    root: Node<'d, 'a>,
    steps: Cell<usize>,
}

impl<'d, 'a> Checker<'d, 'a> {
    fn fits(&self, schema: Node<'d, 'a>, value: Node<'_, '_>, depth: u32) -> bool {
        match schema.bool() {
            Some(any) => return any,
            None if schema.kind() != Kind::Object || depth == MAX_DEPTH || self.is_tired(1) => return true,
            None => {}
        }
        schema.members().all(|(keyword, rule)| self.holds((&keyword.value(), rule), schema, value, depth + 1))
    }

    /// Whether so many steps more are too many.
    fn is_tired(&self, steps: usize) -> bool {
        self.steps.set(self.steps.get().saturating_add(steps));
        self.steps.get() > MAX_STEPS
    }

    fn holds(
        &self,
        (keyword, rule): (&str, Node<'d, 'a>),
        schema: Node<'d, 'a>,
        value: Node<'_, '_>,
        depth: u32,
    ) -> bool {
        let each = |list: Node<'d, 'a>| list.elements().map(|schema| self.fits(schema, value, depth));
        let names = |list: Node<'d, 'a>| list.members().count().max(list.elements().count());
        if self.is_tired(names(rule).saturating_mul(value.members().count())) {
            return true;
        }
        match keyword {
            "$ref" => self.target(rule).is_none_or(|schema| self.fits(schema, value, depth)),
            "type" => is_of_type(rule, value),
            "enum" => rule.elements().any(|known| same(known, value)),
            "const" => same(rule, value),
            "anyOf" => each(rule).any(|fits| fits),
            "allOf" => each(rule).all(|fits| fits),
            "oneOf" => each(rule).filter(|fits| *fits).count() == 1,
            "not" => !self.fits(rule, value, depth),
            "required" => {
                value.kind() != Kind::Object
                    || rule.elements().filter_map(Node::text).all(|name| has(value, &name))
            }
            "properties" => value.members().all(|(name, member)| {
                let known = rule.members().find(|(known, _)| *known == name);
                known.is_none_or(|(_, schema)| self.fits(schema, member, depth))
            }),
            "additionalProperties" => value.members().all(|(name, member)| {
                let known = schema.get("properties").is_some_and(|known| has(known, &name));
                known || schema.get("patternProperties").is_some() || self.fits(rule, member, depth)
            }),
            "items" => {
                let skipped = schema.get("prefixItems").map_or(0, |list| list.elements().count());
                value.elements().skip(skipped).all(|item| self.fits(rule, item, depth))
            }
            "prefixItems" => {
                rule.elements().zip(value.elements()).all(|(schema, item)| self.fits(schema, item, depth))
            }
            _ => within(keyword, rule, value),
        }
    }

    /// What a reference within the schema names: `#/$defs/name`.
    fn target(&self, reference: Node<'d, 'a>) -> Option<Node<'d, 'a>> {
        let reference = reference.text()?.into_value();
        let mut at = self.root;
        for step in reference.strip_prefix('#')?.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            at = match name.parse::<usize>() {
                Ok(index) if at.kind() == Kind::Array => at.elements().nth(index)?,
                _ => at.get(&name)?,
            };
        }
        Some(at)
    }
}

fn has(object: Node<'_, '_>, name: &Text<'_>) -> bool {
    object.members().any(|(known, _)| known == *name)
}

fn is_of_type(rule: Node<'_, '_>, value: Node<'_, '_>) -> bool {
    let is = |name: Text<'_>| match (&*name.value(), value.kind()) {
        ("object", Kind::Object)
        | ("array", Kind::Array)
        | ("string", Kind::String)
        | ("number", Kind::Number)
        | ("boolean", Kind::True | Kind::False)
        | ("null", Kind::Null) => true,
        ("integer", Kind::Number) => number(value).is_some_and(|number| number.fract() == 0.0),
        _ => false,
    };
    match rule.text() {
        Some(name) => is(name),
        None => rule.elements().filter_map(Node::text).any(is),
    }
}

/// Bounds of numbers, lengths and counts.
fn within(keyword: &str, rule: Node<'_, '_>, value: Node<'_, '_>) -> bool {
    let Some(bound) = number(rule) else { return true };
    let size =
        |kind: Kind, count: fn(Node<'_, '_>) -> u64| (value.kind() == kind).then(|| count(value) as f64);
    let chars = || size(Kind::String, |value| value.text().map_or(0, |text| text.chars()));
    let items = || size(Kind::Array, |value| value.elements().count() as u64);
    let members = || size(Kind::Object, |value| value.members().count() as u64);
    let holds =
        |measured: Option<f64>, rule: fn(f64, f64) -> bool| measured.is_none_or(|own| rule(own, bound));
    let (least, most) = (|own: f64, bound: f64| own >= bound, |own: f64, bound: f64| own <= bound);
    match keyword {
        "minimum" => holds(number(value), least),
        "maximum" => holds(number(value), most),
        "exclusiveMinimum" => holds(number(value), |own, bound| own > bound),
        "exclusiveMaximum" => holds(number(value), |own, bound| own < bound),
        "minLength" => holds(chars(), least),
        "maxLength" => holds(chars(), most),
        "minItems" => holds(items(), least),
        "maxItems" => holds(items(), most),
        "minProperties" => holds(members(), least),
        "maxProperties" => holds(members(), most),
        _ => true,
    }
}

fn number(node: Node<'_, '_>) -> Option<f64> {
    node.number()?.parse().ok()
}

/// Whether two values are equal: members in any order, numbers by their value.
pub(super) fn same(one: Node<'_, '_>, other: Node<'_, '_>) -> bool {
    if one.kind() != other.kind() {
        return false;
    }
    if one.raw().len().max(other.raw().len()) > MAX_COMPARED {
        return one.raw() == other.raw();
    }
    match one.kind() {
        Kind::Object => {
            let twin = |name: &Text<'_>| other.members().filter(|(known, _)| known == name).last();
            let all = |(name, value): (Text<'_>, Node<'_, '_>)| {
                twin(&name).is_some_and(|(_, twin)| same(value, twin))
            };
            one.members().count() == other.members().count() && one.members().all(all)
        }
        Kind::Array => {
            let mut pairs = one.elements().zip(other.elements());
            one.elements().count() == other.elements().count() && pairs.all(|(one, other)| same(one, other))
        }
        Kind::String => one.text() == other.text(),
        Kind::Number => one.raw() == other.raw() || number(one) == number(other),
        Kind::True | Kind::False | Kind::Null => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{"type":"object","additionalProperties":false,"required":["name","list"],"properties":{
        "name":{"type":"string","minLength":1},"age":{"type":["integer","null"],"minimum":0,"maximum":150},
        "list":{"type":"array","maxItems":2,"items":{"$ref":"#/$defs/item"}},
        "kind":{"enum":["a",1]},"fixed":{"const":{"x":[1.0]}},
        "either":{"anyOf":[{"type":"string"},{"type":"boolean"}]}},
        "$defs":{"item":{"type":"object","properties":{"next":{"$ref":"#/$defs/item"}},"required":[]}}}"##;

    #[test]
    fn what_obeys_obeys() {
        for text in [
            r#"{"name":"x","list":[]}"#,
            r#" {"list":[{"next":{"next":{}}}],"name":"x","age":null} "#,
            r#"{"name":"x","list":[],"age":3.0,"kind":1,"fixed":{"x":[1]},"either":false}"#,
        ] {
            assert!(obeys(SCHEMA, text), "{text}");
        }
        assert!(obeys("true", "1") && obeys("{}", "[1]") && obeys("no schema", "{}"));
        assert!(obeys(r##"{"$ref":"#"}"##, "1"), "a reference to itself ends");
        assert!(obeys(r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "1"), "and so do two");
    }

    #[test]
    fn what_does_not_is_told() {
        for text in [
            "",
            r#"{"name":"x","list":[]"#,
            r#"{"name":"x","list":[]}{}"#,
            "[]",
            r#"{"list":[]}"#,
            r#"{"name":"","list":[]}"#,
            r#"{"name":1,"list":[]}"#,
            r#"{"name":"x","list":[],"age":1.5}"#,
            r#"{"name":"x","list":[],"age":151}"#,
            r#"{"name":"x","list":[1]}"#,
            r#"{"name":"x","list":[{"next":1}]}"#,
            r#"{"name":"x","list":[{},{},{}]}"#,
            r#"{"name":"x","list":[],"kind":"b"}"#,
            r#"{"name":"x","list":[],"fixed":{"x":[2]}}"#,
            r#"{"name":"x","list":[],"either":1}"#,
            r#"{"name":"x","list":[],"more":1}"#,
        ] {
            assert!(!obeys(SCHEMA, text), "{text}");
        }
        assert!(!obeys("false", "1"));
        assert!(!obeys(r#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#, "1"));
        assert!(!obeys(r#"{"not":{"type":"string"}}"#, r#""x""#));
        assert!(!obeys(r#"{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}"#, r#"["x","y"]"#));
    }
}
