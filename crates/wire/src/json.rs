//! A strict JSON scanner (RFC 8259) for the request path: no tree, no allocation, no recursion
//! over foreign input. [`scan`] walks values, [`string`] finds the ends of strings and unescapes.
//! For conversion between dialects, [`tape`] indexes a whole document and [`write`] writes one.

mod halves;
pub mod scan;
pub mod string;
pub mod tape;
pub mod text;
pub mod write;

pub(crate) use halves::Halves;
pub use scan::{Kind, MAX_DEPTH, Scanner};
pub use string::{RawStr, quote};
pub use tape::{Document, Fields, Node};
pub use text::Text;
pub use write::Writer;

/// Why a text is not JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flaw} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub flaw: Flaw,
    /// Bytes from the start of the text.
    pub offset: usize,
}

/// The ways in which a text can fail to be JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The text is not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// The text ends in the middle of a value.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// Another byte is needed here.
    #[error("unexpected character")]
    Unexpected,
    /// A backslash that starts no known escape.
    #[error("invalid escape")]
    BadEscape,
    /// A control character stands unescaped in a string.
    #[error("unescaped control character")]
    ControlCharacter,
    /// More than [`MAX_DEPTH`] objects and arrays within each other.
    #[error("nested too deeply")]
    TooDeep,
    /// More values than an index may hold.
    #[error("too many values")]
    TooManyValues,
    /// Something follows the value.
    #[error("unexpected text after the value")]
    Trailing,
}

/// Checks that `text` is one JSON value, whatever it is.
///
/// # Errors
/// The first flaw.
pub fn validate(text: &[u8]) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text)?;
    scanner.skip()?;
    scanner.end()
}

#[cfg(test)]
mod tests;
