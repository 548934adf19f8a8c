//! From the tree to typed sections. Goes on after an error, so that all are reported together.
//!
//! [`Decode`] is to be read like serde's `Deserialize`; [`section!`] writes it for a struct, refuses
//! unknown keys and derives the JSON Schema from the same fields.

mod macros;
mod scalars;
mod shapes;

use std::sync::Arc;

use crate::error::{ConfigError, ConfigErrors, Location};
use crate::yaml::{Entry, Node, Place, Value};

pub(crate) use macros::section;
pub(crate) use scalars::{ByteSize, Span};
pub(crate) use shapes::{Items, Named, OneOrMany, Part};

/// Beyond so many the rest is not collected: the first ones are to blame.
const MAX_ERRORS: usize = 1_000;
/// Similarity below which another key is no suggestion.
const MIN_SIMILARITY: f64 = 0.75;

/// A type that a node can be read as. `None`: the error has been told to the context.
pub(crate) trait Decode: Sized {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self>;

    /// What an absent key means; `None`: that it must not be absent.
    fn absent() -> Option<Self> {
        None
    }
}

/// Collects errors and knows the sources that places refer to.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Name, and whether it has more than one line.
    sources: Vec<(Arc<str>, bool)>,
    errors: Vec<(Place, ConfigError)>,
    /// Optional keys that count as absent because their error was told.
    holes: usize,
}

impl Context {
    /// Adds a source; places name it by the returned number.
    pub(crate) fn source(&mut self, name: impl Into<Arc<str>>, lines: bool) -> u32 {
        self.sources.push((name.into(), lines));
        u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX)
    }

    /// Tells an error; returns `None` for the caller to pass on.
    pub(crate) fn fail<T>(&mut self, place: Place, message: impl Into<String>) -> Option<T> {
        self.fail_with(place, message, None::<String>)
    }

    /// As [`Self::fail`], with a way out.
    pub(crate) fn fail_hint<T>(
        &mut self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.fail_with(place, message, Some(hint))
    }

    pub(crate) fn fail_with<T>(
        &mut self,
        place: Place,
        message: impl Into<String>,
        hint: Option<impl Into<String>>,
    ) -> Option<T> {
        if self.errors.len() < MAX_ERRORS {
            let location = self.locate(place);
            let error = ConfigError { location, message: message.into(), hint: hint.map(Into::into) };
            self.errors.push((place, error));
        }
        None
    }

    /// "expected a list, found a text"
    pub(crate) fn mismatch<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        self.fail(node.place, format!("expected {expected}, found {}", node.kind()))
    }

    /// How many errors there are so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// How many optional keys count as absent so far although they are there.
    pub(crate) fn holes(&self) -> usize {
        self.holes
    }

    pub(crate) fn hole(&mut self) {
        self.holes += 1;
    }

    /// All errors in the order of writing, if there are any.
    pub(crate) fn finish(&mut self) -> Result<(), ConfigErrors> {
        let mut errors = std::mem::take(&mut self.errors);
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by_key(|(place, _)| *place);
        Err(ConfigErrors(errors.into_iter().map(|(_, error)| error).collect()))
    }

    /// Where that is, for people.
    pub(crate) fn locate(&self, place: Place) -> Option<Location> {
        let (source, lines) = self.sources.get(place.source as usize)?;
        let position = lines.then_some((place.line, place.column));
        Some(Location { source: Arc::clone(source), position })
    }

    /// The entries of a map; a null is an empty map, as a section without content is.
    pub(crate) fn map<'n>(&mut self, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ if node.is_null() => Some(&[]),
            _ => self.mismatch(node, "a map"),
        }
    }

    /// Tells every key that is not one of `known`.
    pub(crate) fn refuse_unknown(&mut self, entries: &[Entry], known: &[&str]) {
        for Entry { key, .. } in entries {
            if !known.contains(&key.value.as_str()) {
                let text = crate::yaml::shorten(&key.value);
                let hint = match similar(text, known.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("known keys are {}", known.join(", ")),
                };
                self.fail_hint::<()>(key.place, format!("unknown key `{text}`"), hint);
            }
        }
    }

    /// Reads one key of a map. The outer `None` means that an error was told.
    pub(crate) fn field<T: Decode>(&mut self, at: Place, entries: &[Entry], name: &str) -> Option<T> {
        match entries.iter().find(|entry| entry.key.value == name) {
            Some(entry) => T::decode(&entry.value, self),
            None => T::absent().or_else(|| self.fail(at, format!("the key `{name}` is missing"))),
        }
    }
}

/// The name that is meant by a slip of the keyboard.
pub(crate) fn similar<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let scored = known.map(|name| (strsim::jaro_winkler(&text, name), name));
    let (score, name) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= MIN_SIMILARITY).then_some(name)
}
