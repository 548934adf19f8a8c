//! What differs between two configurations, by meaning and not by line.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// One difference.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Difference {
    /// Keys with dots between them; positions in lists as numbers.
    pub(crate) path: String,
    /// Null where it was not there.
    pub(crate) before: Value,
    /// Null where it is not there any more.
    pub(crate) after: Value,
}

/// All differences, in the order of the old configuration, then what is new.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), before, after, &mut found);
    found
}

/// As deep as the parser allows maps to be, so recursion is bounded.
fn compare(path: String, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                compare(below(name), value, new.get(name).unwrap_or(&Value::Null), found);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                compare(below(name), &Value::Null, value, found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let (old, new) = (old.get(index), new.get(index));
                let (old, new) = (old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null));
                compare(below(&index.to_string()), old, new, found);
            }
        }
        _ if before == after => {}
        _ => found.push(Difference { path, before: before.clone(), after: after.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_have_paths() {
        let before = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let after = json!({"a": {"b": 2, "c": [1]}, "e": {"f": 1}});
        let found = differences(&before, &after);
        let told: Vec<_> = found.iter().map(|d| (&*d.path, d.before.clone(), d.after.clone())).collect();
        assert_eq!(
            told,
            [
                ("a.b", json!(1), json!(2)),
                ("a.c.1", json!(2), Value::Null),
                ("d", json!(1), Value::Null),
                ("e", Value::Null, json!({"f": 1})),
            ]
        );
        assert!(differences(&before, &before).is_empty());
    }
}
