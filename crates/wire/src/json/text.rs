//! A text that is most often moved from one JSON document to another: kept escaped until somebody
//! wants to read it.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use super::string::{RawStr, escaped_equals, has_escape, unescape_lossy};

/// A string value.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// Valid inside a JSON string as it stands; without the quotes.
    Escaped(&'a str),
    /// The value itself.
    Plain(Cow<'a, str>),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Escaped("")
    }
}

impl<'a> Text<'a> {
    /// The value. An escaped surrogate that stands alone, which no Rust string can hold, becomes U+FFFD.
    #[must_use]
    pub fn value(&self) -> Cow<'_, str> {
        match self {
            Self::Escaped(raw) if has_escape(raw) => Cow::Owned(unescape_lossy(raw)),
            Self::Escaped(raw) => Cow::Borrowed(raw),
            Self::Plain(value) => Cow::Borrowed(value),
        }
    }

    /// The value, no longer tied to this handle.
    #[must_use]
    pub fn into_value(self) -> Cow<'a, str> {
        match self {
            Self::Escaped(raw) if has_escape(raw) => Cow::Owned(unescape_lossy(raw)),
            Self::Escaped(raw) => Cow::Borrowed(raw),
            Self::Plain(value) => value,
        }
    }

    /// Whether it is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Escaped(raw) => raw.is_empty(),
            Self::Plain(value) => value.is_empty(),
        }
    }

    /// The number of characters of the value.
    #[must_use]
    pub fn chars(&self) -> u64 {
        match self {
            Self::Escaped(raw) => super::string::chars_of_escaped(raw),
            Self::Plain(value) => value.chars().count() as u64,
        }
    }

    /// Its length in bytes, as it stands: about that of the value.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Escaped(raw) => raw.len(),
            Self::Plain(value) => value.len(),
        }
    }

    /// The same text, borrowed from this one.
    #[must_use]
    pub fn borrowed(&self) -> Text<'_> {
        match self {
            Self::Escaped(raw) => Text::Escaped(raw),
            Self::Plain(value) => Text::Plain(Cow::Borrowed(value)),
        }
    }

    /// The same text, on its own.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text::Plain(Cow::Owned(self.into_value().into_owned()))
    }
}

impl<'a> From<RawStr<'a>> for Text<'a> {
    fn from(raw: RawStr<'a>) -> Self {
        Self::Escaped(raw.raw())
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(value: &'a str) -> Self {
        Self::Plain(Cow::Borrowed(value))
    }
}

impl From<String> for Text<'_> {
    fn from(value: String) -> Self {
        Self::Plain(Cow::Owned(value))
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(value: Cow<'a, str>) -> Self {
        Self::Plain(value)
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Text<'_> {}

/// Of the value, however it is written.
impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value().hash(state);
    }
}

impl PartialEq<str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        match self {
            Self::Escaped(raw) => escaped_equals(raw, other),
            Self::Plain(value) => value == other,
        }
    }
}

impl PartialEq<&str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escaped_text_equals_its_value() {
        let text = Text::Escaped(r"a\n\u00e9\ud83d\ude00");
        assert_eq!(text, "a\né😀");
        assert_eq!(text, Text::from("a\né😀"));
        assert_eq!(text.clone().into_owned().into_value(), "a\né😀");
    }

    proptest! {
        #[test]
        fn comparing_is_comparing_values(value in "[ab\\\\\n\u{e9}\u{1F600}]{0,12}", other in "[ab\\\\n\n]{0,12}", ascii: bool) {
            let quoted = serde_json::to_string(&value).unwrap();
            let quoted = if ascii { quoted.replace('\u{e9}', "\\u00e9").replace('a', "\\u0061") } else { quoted };
            let text = Text::Escaped(&quoted[1..quoted.len() - 1]);
            prop_assert_eq!(&text, value.as_str());
            prop_assert_eq!(text == other.as_str(), value == other);
            prop_assert_eq!(text.value(), value);
        }
    }

    #[test]
    fn a_lone_surrogate_reads_as_the_replacement_character() {
        assert_eq!(Text::Escaped(r"a\ud83db"), "a\u{FFFD}b");
        assert_eq!(Text::Escaped(r"\ude00\n"), "\u{FFFD}\n");
        assert_eq!(Text::Escaped(r"\ud83d\u0041"), "\u{FFFD}A");
    }
}
