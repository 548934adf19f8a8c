//! The scanner: a cursor over a text that is validated as it is walked.
//!
//! [`Scanner::object`] and [`Scanner::array`] call back for each member and are used only for
//! shapes we know; everything else is passed over by [`Scanner::skip`], which keeps its nesting in
//! the bits of one integer and so cannot overflow the stack.

use super::string::{RawStr, end_of_string};
use super::{Flaw, JsonError};

/// Objects and arrays within each other; the same limit as serde_json's.
pub const MAX_DEPTH: usize = 128;

/// What the next value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number, of any size and precision.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// A cursor over one JSON text.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// Checks that the text is UTF-8, all of it and only here.
    ///
    /// # Errors
    /// [`Flaw::NotUtf8`].
    pub fn new(body: &'a [u8]) -> Result<Self, JsonError> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Self { text, at: 0, depth: 0 }),
            Err(e) => Err(JsonError { flaw: Flaw::NotUtf8, offset: e.valid_up_to() }),
        }
    }

    /// The whole text.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Bytes from the start of the text to the cursor.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// What the next value is, without moving past it (white space is passed over).
    ///
    /// # Errors
    /// No value starts here.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, JsonError> {
        Ok(match self.peek() {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' => Kind::True,
            b'f' => Kind::False,
            b'n' => Kind::Null,
            _ => return Err(self.unexpected()),
        })
    }

    /// Walks an object. `member` is called after each key and must take exactly one value.
    ///
    /// # Errors
    /// The text is not an object here, or what `member` says.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, RawStr<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{')?;
        if self.peek() != b'}' {
            loop {
                let key = self.string()?;
                self.take(b':')?;
                member(self, key)?;
                match self.peek() {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return Err(self.unexpected().into()),
                }
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Walks an array. `element` is called for each and must take exactly one value.
    ///
    /// # Errors
    /// The text is not an array here, or what `element` says.
    pub fn array<E: From<JsonError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[')?;
        if self.peek() != b']' {
            loop {
                element(self)?;
                match self.peek() {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return Err(self.unexpected().into()),
                }
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Takes a string.
    ///
    /// # Errors
    /// The next value is not one, or is broken.
    #[inline]
    pub fn string(&mut self) -> Result<RawStr<'a>, JsonError> {
        if self.peek() != b'"' {
            return Err(self.unexpected());
        }
        let start = self.at;
        let (end, escaped) = end_of_string(self.text.as_bytes(), start + 1)?;
        self.at = end + 1;
        Ok(RawStr::new(self.text.get(start + 1..end).unwrap_or_default(), escaped, start))
    }

    /// Takes any value; its text, if it is a string.
    ///
    /// # Errors
    /// The value is broken.
    #[inline]
    pub fn string_or_skip(&mut self) -> Result<Option<RawStr<'a>>, JsonError> {
        if self.peek() == b'"' { self.string().map(Some) } else { self.skip().map(|()| None) }
    }

    /// Takes any value; the number, if it is a whole one that is not negative.
    ///
    /// # Errors
    /// The value is broken.
    pub fn count_or_skip(&mut self) -> Result<Option<u64>, JsonError> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(count(self.text.get(start..self.at).unwrap_or_default()))
    }

    /// Takes any value; its thousandths, rounded, if it is a decimal that is not negative, or a text of one.
    ///
    /// # Errors
    /// The value is broken.
    pub fn thousandths_or_skip(&mut self) -> Result<Option<u64>, JsonError> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(thousandths(self.text.get(start..self.at).unwrap_or_default().trim_matches('"')))
    }

    /// Takes any value and checks it.
    ///
    /// # Errors
    /// The value is broken or nested too deeply.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        // One bit a level, the innermost lowest: 1 is an object, 0 an array.
        let mut nesting: u128 = 0;
        let base = self.depth;
        loop {
            match self.peek() {
                b'"' => {
                    self.at = end_of_string(self.text.as_bytes(), self.at + 1)?.0 + 1;
                }
                opener @ (b'{' | b'[') => {
                    self.open(opener)?;
                    nesting = (nesting << 1) | u128::from(opener == b'{');
                    if self.peek() != opener + 2 {
                        if opener == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    self.at += 1;
                    self.depth -= 1;
                    nesting >>= 1;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => return Err(self.unexpected()),
            }
            loop {
                if self.depth == base {
                    return Ok(());
                }
                let object = nesting & 1 == 1;
                match self.peek() {
                    b',' => {
                        self.at += 1;
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return Err(self.unexpected()),
                }
                self.at += 1;
                self.depth -= 1;
                nesting >>= 1;
            }
        }
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// [`Flaw::Trailing`].
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(self.flaw(Flaw::Trailing)) }
    }

    #[cfg(test)]
    pub(super) fn depth_for_test(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// The next byte that is not white space, or 0 at the end (0 is never allowed in JSON).
    #[inline]
    fn peek(&mut self) -> u8 {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(self.flaw(Flaw::TooDeep));
        }
        self.take(bracket)?;
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != byte {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn key(&mut self) -> Result<(), JsonError> {
        self.string()?;
        self.take(b':')
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let same = rest.iter().zip(word.as_bytes()).take_while(|(a, b)| a == b).count();
        self.at += same;
        if same == word.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.unexpected()) }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        let ended = self.at >= self.text.len();
        self.flaw(if ended { Flaw::UnexpectedEnd } else { Flaw::Unexpected })
    }

    const fn flaw(&self, flaw: Flaw) -> JsonError {
        JsonError { flaw, offset: self.at }
    }
}

/// A number's text, if it is a whole one that is not negative.
pub(super) fn count(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| whole(text))
}

/// `12.0` and `1.2e1` are whole numbers too; beyond 2^53 nothing counts tokens.
fn whole(text: &str) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value: f64 = text.parse().ok()?;
    (value.fract() == 0.0 && (0.0..=EXACT).contains(&value)).then_some(value as u64)
}

/// Decimals beyond the fourth change nothing that anybody pays for.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return None;
    }
    let place = |at: usize| decimals.as_bytes().get(at).map_or(0, |digit| u64::from(digit - b'0'));
    let fraction = place(0) * 100 + place(1) * 10 + place(2) + u64::from(place(3) >= 5);
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction)
}
