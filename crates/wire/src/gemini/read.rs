//! Taking objects apart, whose members have two spellings and whose lists may be one value.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::json::{Kind, Node, Text};
use crate::neutral::{DecodeError, Extension, Path};

/// A member of an object.
#[derive(Clone)]
pub(super) struct Member<'d, 'a> {
    key: Text<'a>,
    pub(super) node: Node<'d, 'a>,
}

impl<'a> Member<'_, 'a> {
    /// Its name as Google's reference has it.
    pub(super) fn name(&self) -> Cow<'_, str> {
        let name = self.key.value();
        if name.contains('_') { Cow::Owned(camel(&name)) } else { name }
    }

    /// Keeps it as an extension of what stands at `path`.
    pub(super) fn keep(&self, path: Path, rest: &mut Vec<Extension<'a>>) {
        rest.push(Extension { path, name: self.key.clone(), raw: self.node.raw() });
    }

    /// The same for a member of the object `under`.
    pub(super) fn keep_under(&self, under: &str, path: Path, rest: &mut Vec<Extension<'a>>) {
        let name = Text::from(format!("{under}.{}", self.key.value()));
        rest.push(Extension { path, name, raw: self.node.raw() });
    }
}

/// The place of a member, told only where something is wrong with it.
pub(super) struct Inside(pub(super) Path, pub(super) &'static str);

impl Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.member(self.1))
    }
}

/// The members of the object at `place`, without `null`s.
pub(super) fn members<'d, 'a>(
    node: Node<'d, 'a>,
    place: impl Display,
) -> Result<impl Iterator<Item = Member<'d, 'a>>, DecodeError> {
    if node.kind() != Kind::Object {
        return Err(DecodeError::wrong(place, "an object"));
    }
    Ok(node.members().filter(|(_, node)| !node.is_null()).map(|(key, node)| Member { key, node }))
}

/// The member of this name in either spelling, without taking the object apart.
pub(super) fn get<'d, 'a>(node: Node<'d, 'a>, name: &str) -> Option<Node<'d, 'a>> {
    node.get(name).or_else(|| node.get(&snake(name)))
}

/// The elements of a list, or the one object that stands in its place.
pub(super) fn items<'d, 'a>(
    node: Node<'d, 'a>,
    place: impl Display,
) -> Result<impl Iterator<Item = (u32, Node<'d, 'a>)>, DecodeError> {
    let alone = match node.kind() {
        Kind::Object => Some(node),
        Kind::Array => None,
        _ => return Err(DecodeError::wrong(place, "a list of objects")),
    };
    Ok((0u32..).zip(alone.into_iter().chain(node.elements())))
}

pub(super) fn string<'a>(node: Node<'_, 'a>, place: impl Display) -> Result<Text<'a>, DecodeError> {
    node.text().ok_or_else(|| DecodeError::wrong(place, "a string"))
}

pub(super) fn boolean(node: Node<'_, '_>, place: impl Display) -> Result<bool, DecodeError> {
    node.bool().ok_or_else(|| DecodeError::wrong(place, "true or false"))
}

pub(super) fn count(node: Node<'_, '_>, place: impl Display) -> Result<u64, DecodeError> {
    node.count().ok_or_else(|| DecodeError::wrong(place, "a whole number"))
}

pub(super) fn number<'a>(node: Node<'_, 'a>, place: impl Display) -> Result<&'a str, DecodeError> {
    node.number().ok_or_else(|| DecodeError::wrong(place, "a number"))
}

/// A JSON object, as it stands.
pub(super) fn object<'a>(node: Node<'_, 'a>, place: impl Display) -> Result<&'a str, DecodeError> {
    if node.kind() == Kind::Object { Ok(node.raw()) } else { Err(DecodeError::wrong(place, "an object")) }
}

pub(super) fn strings<'a>(node: Node<'_, 'a>, place: &str) -> Result<Vec<Text<'a>>, DecodeError> {
    let wrong = || DecodeError::wrong(place, "a list of strings");
    if let Some(alone) = node.text() {
        return Ok(vec![alone]);
    }
    if node.kind() != Kind::Array {
        return Err(wrong());
    }
    node.elements().map(|element| element.text().ok_or_else(wrong)).collect()
}

/// `thought_signature` → `thoughtSignature`. A name that begins with `_` is another name.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for (at, letter) in name.char_indices() {
        if letter == '_' && at > 0 {
            raise = true;
        } else {
            out.push(if raise { letter.to_ascii_uppercase() } else { letter });
            raise = false;
        }
    }
    out
}

/// `thoughtSignature` → `thought_signature`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn both_spellings_are_one_name() {
        for (one, other) in
            [("topP", "top_p"), ("functionDeclarations", "function_declarations"), ("text", "text")]
        {
            assert_eq!((camel(other).as_str(), snake(one).as_str()), (one, other));
        }
        assert_eq!(camel("_responseJsonSchema"), "_responseJsonSchema");
        let document = Document::read(br#"{"mime_type": 1, "x": null}"#).unwrap();
        let found: Vec<_> = members(document.root(), "x").unwrap().map(|m| m.name().into_owned()).collect();
        assert_eq!(found, ["mimeType"]);
        assert_eq!(get(document.root(), "mimeType").and_then(Node::count), Some(1));
    }

    #[test]
    fn one_object_is_a_list_of_one() {
        let count = |text: &str| {
            let document = Document::read(text.as_bytes()).unwrap();
            items(document.root(), "parts").map(Iterator::count)
        };
        assert_eq!(count(r#"{"text":"a"}"#), Ok(1));
        assert_eq!(count(r#"[{"text":"a"},{}]"#), Ok(2));
        assert_eq!(count(r#""a""#), Err(DecodeError::wrong("parts", "a list of objects")));
    }
}
