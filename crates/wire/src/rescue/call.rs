//! A call of a tool, whole or on its way.

use super::arguments::Gathered;
use super::check::same;
use crate::json::Document;
use crate::neutral::BlockId;

/// A call as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) block: BlockId,
    pub(super) name: String,
    /// Its input is free text.
    pub(super) custom: bool,
    pub(super) arguments: Gathered,
    /// The provider says that it is whole.
    pub(super) closed: bool,
}

impl Call {
    pub(super) fn new(block: BlockId, name: &str, custom: bool) -> Self {
        Self { block, name: name.to_owned(), custom, arguments: Gathered::default(), closed: false }
    }

    /// Whether nothing of it is missing.
    pub(super) const fn is_whole(&self) -> bool {
        self.closed || (!self.custom && self.arguments.is_whole())
    }

    /// Whether both call the same with the same input.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.name == other.name && same_input(self.arguments.text(), other.arguments.text())
    }
}

/// Whether two inputs mean the same: as JSON, or to the letter. None is an empty object.
fn same_input(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| if text.trim_ascii().is_empty() { "{}" } else { text });
    if one == other {
        return true;
    }
    match (Document::read(one.as_bytes()), Document::read(other.as_bytes())) {
        (Ok(one), Ok(other)) => same(one.root(), other.root()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_the_same_however_they_are_written() {
        assert!(same_input(r#"{"a":1,"b":["x"]}"#, r#"{ "b": ["\u0078"], "a": 1 }"#));
        assert!(same_input("", "{}"));
        assert!(same_input("ls -l", "ls -l"));
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            ("ls -l", "ls"),
            ("{}", "ls"),
        ] {
            assert!(!same_input(one, other), "{one} {other}");
        }
    }
}
