//! A JSON document, indexed in one pass: for conversion, which needs members in any order.
//!
//! [`Document::read`] validates the text and notes where each value starts and ends: sixteen bytes a
//! value, one allocation, no copy. [`Node`] walks that index. [`Fields`] takes an object apart and
//! keeps count of what nobody took, so that no member is passed over in silence.

use super::{Flaw, JsonError, Kind, Scanner, Text};

/// Values in one document: a bound on the index (64 MiB), far above any honest request.
pub const MAX_VALUES: usize = 4 * 1024 * 1024;

/// Room for more values than this is given back: the index is kept as long as the document.
const SPARE_VALUES: usize = 2_048;

/// One value or key. Containers are followed by all that is inside them.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    /// The entry after this one and all that is inside it.
    next: u32,
    kind: Kind,
}

/// A validated text and its index.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    entries: Vec<Entry>,
}

impl<'a> Document<'a> {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// The first flaw; [`Flaw::TooManyValues`] beyond [`MAX_VALUES`] or 4 GiB of text.
    pub fn read(body: &'a [u8]) -> Result<Self, JsonError> {
        let mut scanner = Scanner::new(body)?;
        if u32::try_from(body.len()).is_err() {
            return Err(JsonError { flaw: Flaw::TooManyValues, offset: 0 });
        }
        let mut entries = Vec::with_capacity((body.len() / 8).clamp(16, 4096));
        index(&mut scanner, &mut entries)?;
        scanner.end()?;
        if entries.capacity() - entries.len() > SPARE_VALUES {
            entries.shrink_to_fit();
        }
        Ok(Self { text: scanner.text(), entries })
    }

    /// The value itself.
    #[must_use]
    pub const fn root(&self) -> Node<'_, 'a> {
        Node { document: self, at: 0 }
    }

    fn entry(&self, at: u32) -> Entry {
        // Only `Node` asks, and only for entries that it was given.
        self.entries.get(at as usize).copied().unwrap_or(Entry {
            start: 0,
            end: 0,
            next: u32::MAX,
            kind: Kind::Null,
        })
    }
}

fn index(scanner: &mut Scanner<'_>, entries: &mut Vec<Entry>) -> Result<(), JsonError> {
    let kind = scanner.kind()?;
    let at = open(scanner, entries, kind)?;
    match kind {
        Kind::Object => scanner.object(|scanner, key| {
            let range = key.range();
            let key_at = open(scanner, entries, Kind::String)?;
            close(entries, key_at, range.start, range.end);
            index(scanner, entries)
        })?,
        Kind::Array => scanner.array(|scanner| index(scanner, entries))?,
        _ => scanner.skip()?,
    }
    let start = entries.get(at).map_or(0, |entry| entry.start as usize);
    close(entries, at, start, scanner.offset());
    Ok(())
}

fn open(scanner: &Scanner<'_>, entries: &mut Vec<Entry>, kind: Kind) -> Result<usize, JsonError> {
    if entries.len() >= MAX_VALUES {
        return Err(JsonError { flaw: Flaw::TooManyValues, offset: scanner.offset() });
    }
    let start = scanner.offset() as u32;
    entries.push(Entry { start, end: start, next: 0, kind });
    Ok(entries.len() - 1)
}

fn close(entries: &mut [Entry], at: usize, start: usize, end: usize) {
    let next = entries.len() as u32;
    if let Some(entry) = entries.get_mut(at) {
        (entry.start, entry.end, entry.next) = (start as u32, end as u32, next);
    }
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Node<'d, 'a> {
    document: &'d Document<'a>,
    at: u32,
}

impl<'d, 'a> Node<'d, 'a> {
    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.document.entry(self.at).kind
    }

    /// Its own text, quotes and brackets included.
    #[must_use]
    pub fn raw(self) -> &'a str {
        let entry = self.document.entry(self.at);
        self.document.text.get(entry.start as usize..entry.end as usize).unwrap_or_default()
    }

    /// The string, still escaped.
    #[must_use]
    pub fn text(self) -> Option<Text<'a>> {
        let entry = self.document.entry(self.at);
        let inner =
            || self.document.text.get(entry.start as usize + 1..(entry.end as usize).saturating_sub(1));
        (entry.kind == Kind::String).then(|| Text::Escaped(inner().unwrap_or_default()))
    }

    /// The number as it stands in the text.
    #[must_use]
    pub fn number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// The number, if it is a whole one that is not negative (`12.0` is one).
    #[must_use]
    pub fn count(self) -> Option<u64> {
        super::scan::count(self.number()?)
    }

    /// The truth value.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The elements of an array; none of anything else.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let entry = self.document.entry(self.at);
        let mut at = if entry.kind == Kind::Array { self.at + 1 } else { entry.next };
        std::iter::from_fn(move || {
            let node = (at < entry.next).then_some(Node { document: self.document, at })?;
            at = self.document.entry(at).next;
            Some(node)
        })
    }

    /// The members of an object, in order; none of anything else.
    pub fn members(self) -> impl Iterator<Item = (Text<'a>, Self)> {
        let entry = self.document.entry(self.at);
        let mut at = if entry.kind == Kind::Object { self.at + 1 } else { entry.next };
        std::iter::from_fn(move || {
            let key = (at < entry.next).then_some(Node { document: self.document, at })?;
            let value = Node { document: self.document, at: at + 1 };
            at = self.document.entry(at + 1).next;
            Some((key.text().unwrap_or_default(), value))
        })
    }

    /// The member of this name, unless it is `null`; of twins the last.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let found = self.members().filter(|(key, _)| key == name).map(|(_, value)| value).last()?;
        (!found.is_null()).then_some(found)
    }

    /// Takes an object apart; `None` of anything else.
    #[must_use]
    pub fn fields(self) -> Option<Fields<'d, 'a>> {
        (self.kind() == Kind::Object).then(|| Fields { members: self.members().collect() })
    }
}

/// The members of an object that nobody has taken yet. `null` counts as absent.
#[derive(Debug)]
pub struct Fields<'d, 'a> {
    members: Vec<(Text<'a>, Node<'d, 'a>)>,
}

impl<'d, 'a> Fields<'d, 'a> {
    /// Takes the member of this name; of twins the last, and the others are gone too.
    pub fn take(&mut self, name: &str) -> Option<Node<'d, 'a>> {
        let mut found = None;
        self.members.retain(|(key, value)| {
            let same = key == name;
            if same {
                found = Some(*value);
            }
            !same
        });
        found.filter(|value| !value.is_null())
    }

    /// Looks without taking.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<Node<'d, 'a>> {
        let found = self.members.iter().rev().find(|(key, _)| key == name)?.1;
        (!found.is_null()).then_some(found)
    }

    /// What is left, in order, without `null`s.
    pub fn rest(self) -> impl Iterator<Item = (Text<'a>, Node<'d, 'a>)> {
        self.members.into_iter().filter(|(_, value)| !value.is_null())
    }
}

#[cfg(test)]
mod tests;
