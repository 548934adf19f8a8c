//! Where things stood, and what became of those that could not be carried.

use std::borrow::Cow;
use std::fmt;

use pointsman_core::Dialect;

use crate::json::{Fields, Text};

/// A place in the client's document, for telling it what was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// The document itself.
    #[default]
    Root,
    /// `system`
    Field(&'static str),
    /// `messages[2]`
    Item(&'static str, u32),
    /// `messages[2].content[0]`
    Part(&'static str, u32, &'static str, u32),
}

impl Path {
    /// The path of a member of what stands here.
    #[must_use]
    pub fn member(self, name: &str) -> String {
        match self {
            Self::Root => name.to_owned(),
            _ => format!("{self}.{name}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("body"),
            Self::Field(field) => f.write_str(field),
            Self::Item(field, at) => write!(f, "{field}[{at}]"),
            Self::Part(field, at, inner, part) => write!(f, "{field}[{at}].{inner}[{part}]"),
        }
    }
}

/// A member that the neutral form has no place for: kept as it stands.
#[derive(Clone, Debug)]
pub struct Extension<'a> {
    /// What it belongs to.
    pub path: Path,
    /// Its name; dotted where it stands deeper (`generationConfig.foo`).
    pub name: Text<'a>,
    /// Its JSON text.
    pub raw: &'a str,
}

impl<'a> Extension<'a> {
    /// All members that nobody took.
    pub fn collect(fields: Fields<'_, 'a>, path: Path, into: &mut Vec<Self>) {
        into.extend(fields.rest().map(|(name, node)| Self { path, name, raw: node.raw() }));
    }

    /// The same for an object inside the one at `path`: names are given `prefix` and a dot.
    pub fn collect_under(fields: Fields<'_, 'a>, path: Path, prefix: &str, into: &mut Vec<Self>) {
        into.extend(fields.rest().map(|(name, node)| Self {
            path,
            name: Text::from(format!("{prefix}.{}", name.value())),
            raw: node.raw(),
        }));
    }

    /// Where it stood, in the client's words.
    #[must_use]
    pub fn place(&self) -> String {
        self.path.member(&self.name.value())
    }
}

/// Fields of the client's document that the target's has no place for. Each is named once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Cow<'static, str>>);

/// How many are named; a hostile request must not make a header of megabytes.
const MAX_NAMED: usize = 64;

impl Losses {
    /// Notes that the field is not carried.
    pub fn field(&mut self, field: impl Into<Cow<'static, str>>) {
        let field = field.into();
        if self.0.len() < MAX_NAMED && !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Notes a field that was given, if it was.
    pub fn given<T>(&mut self, given: Option<&super::Given<T>>) {
        if let Some(given) = given {
            self.field(given.field);
        }
    }

    /// Notes a member of what stands at `path`.
    pub fn member(&mut self, path: Path, name: &str) {
        self.field(path.member(name));
    }

    /// Notes what stands at `path` itself.
    pub fn at(&mut self, path: Path) {
        self.field(path.to_string());
    }

    /// Notes extensions.
    pub fn extensions(&mut self, extensions: &[Extension<'_>]) {
        for extension in extensions {
            self.field(extension.place());
        }
    }

    /// The same in the words of the client's dialect: encoders name sources, proofs and ids as the neutral form
    /// does.
    #[must_use]
    pub fn in_words_of(mut self, client: Dialect) -> Self {
        let words: &[(&str, &str)] = match client {
            Dialect::OpenAiChat => &[(".citations", ".annotations")],
            Dialect::OpenAiResponses => {
                &[(".citations", ".annotations"), (".signature", ".encrypted_content"), (".item_id", ".id")]
            }
            Dialect::Gemini => &[(".signature", ".thoughtSignature")],
            Dialect::Anthropic | Dialect::Ollama => &[],
        };
        for field in &mut self.0 {
            let place = words.iter().find_map(|(neutral, own)| Some((field.strip_suffix(neutral)?, own)));
            if let Some((place, own)) = place {
                *field = format!("{place}{own}").into();
            }
        }
        self
    }

    /// The fields, in the order in which they were met.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether everything was carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_like_the_clients_document() {
        assert_eq!(Path::Root.member("logit_bias"), "logit_bias");
        assert_eq!(Path::Item("messages", 2).member("name"), "messages[2].name");
        assert_eq!(Path::Part("messages", 2, "content", 0).to_string(), "messages[2].content[0]");
    }

    #[test]
    fn losses_are_told_in_the_clients_words() {
        let told = |client| {
            let mut losses = Losses::default();
            for name in ["citations", "signature", "item_id", "status"] {
                losses.member(Path::Item("input", 1), name);
            }
            losses.in_words_of(client).iter().map(|field| field.replace("input[1].", "")).collect::<Vec<_>>()
        };
        assert_eq!(told(Dialect::OpenAiResponses), ["annotations", "encrypted_content", "id", "status"]);
        assert_eq!(told(Dialect::OpenAiChat), ["annotations", "signature", "item_id", "status"]);
        assert_eq!(told(Dialect::Gemini), ["citations", "thoughtSignature", "item_id", "status"]);
        assert_eq!(told(Dialect::Anthropic), ["citations", "signature", "item_id", "status"]);
    }

    #[test]
    fn each_field_is_named_once() {
        let mut losses = Losses::default();
        losses.field("seed");
        losses.member(Path::Item("tools", 0), "strict");
        losses.field("seed");
        assert_eq!(losses.iter().collect::<Vec<_>>(), ["seed", "tools[0].strict"]);
        (0..1000).for_each(|at| losses.at(Path::Item("messages", at)));
        assert_eq!(losses.iter().count(), MAX_NAMED);
    }
}
