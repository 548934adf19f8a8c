//! The index agrees with serde_json, and members are taken once.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn back(node: Node<'_, '_>) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::True | Kind::False => Value::Bool(node.bool().unwrap()),
        Kind::Number => serde_json::from_str(node.number().unwrap()).unwrap(),
        Kind::String => Value::String(node.text().unwrap().into_value().into_owned()),
        Kind::Array => node.elements().map(back).collect(),
        Kind::Object => Value::Object(
            node.members().map(|(key, value)| (key.into_value().into_owned(), back(value))).collect(),
        ),
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_index_holds_the_whole_document(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        let document = Document::read(text.as_bytes()).unwrap();
        prop_assert_eq!(back(document.root()), value);
        prop_assert_eq!(document.root().raw(), text.trim());
    }
}

#[test]
fn fields_are_taken_once_and_the_rest_is_known() {
    let document =
        Document::read(br#" {"a": 1, "b": null, "c": {"d": [2]}, "a": 3, "\u0065": "x\ny"} "#).unwrap();
    let mut fields = document.root().fields().unwrap();
    assert_eq!(fields.take("a").unwrap().count(), Some(3));
    assert!(fields.take("a").is_none());
    assert!(fields.take("b").is_none());
    assert_eq!(fields.peek("e").unwrap().text().unwrap(), "x\ny");
    let rest: Vec<_> = fields.rest().map(|(key, node)| (key.into_value().into_owned(), node.raw())).collect();
    assert_eq!(rest, [("c".to_owned(), r#"{"d": [2]}"#), ("e".to_owned(), r#""x\ny""#)]);
}

#[test]
fn the_wrong_kind_has_nothing_inside() {
    let document = Document::read(b"\"x\"").unwrap();
    let root = document.root();
    assert!(root.fields().is_none() && root.get("x").is_none());
    assert_eq!((root.elements().count(), root.members().count()), (0, 0));
    assert_eq!((root.count(), root.bool(), root.number()), (None, None, None));
}

#[test]
fn flaws_are_those_of_the_scanner() {
    assert_eq!(Document::read(b"{\"a\":}").unwrap_err().flaw, Flaw::Unexpected);
    assert_eq!(Document::read(b"[1] 2").unwrap_err().flaw, Flaw::Trailing);
    assert_eq!(Document::read(&b"[".repeat(200)).unwrap_err().flaw, Flaw::TooDeep);
}
