//! The schema of a tool's input or of an answer.

use std::borrow::Cow;
use std::ops::Deref;

/// A schema: it reads as the text of its JSON Schema.
#[derive(Clone, Debug)]
pub struct Schema<'a> {
    json: Cow<'a, str>,
    native: Option<&'a str>,
}

impl<'a> Schema<'a> {
    /// A schema that the client wrote in its dialect's own language (Gemini's `Schema`), and what that is
    /// as JSON Schema.
    #[must_use]
    pub const fn translated(json: String, native: &'a str) -> Self {
        Self { json: Cow::Owned(json), native: Some(native) }
    }

    /// As the client wrote it, where that is no JSON Schema.
    #[must_use]
    pub const fn native(&self) -> Option<&'a str> {
        self.native
    }
}

impl Deref for Schema<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.json
    }
}

impl<'a> From<&'a str> for Schema<'a> {
    fn from(json: &'a str) -> Self {
        Self { json: Cow::Borrowed(json), native: None }
    }
}
