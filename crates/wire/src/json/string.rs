//! JSON strings: finding their end eight bytes at a time, and undoing escapes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::{Flaw, JsonError};

const LANES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// Bytes checked at once in long strings; small enough for two SSE2 registers.
const BLOCK: usize = 32;

/// A string as it stands in the text: validated, still escaped.
#[derive(Clone, Copy, Debug)]
pub struct RawStr<'a> {
    raw: &'a str,
    escaped: bool,
    start: usize,
}

impl<'a> RawStr<'a> {
    pub(super) const fn new(raw: &'a str, escaped: bool, start: usize) -> Self {
        Self { raw, escaped, start }
    }

    /// The text between the quotes, as it stands.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The value. `None` where an escaped surrogate stands alone: such a string is valid JSON, but
    /// no Unicode text.
    #[must_use]
    pub fn value(&self) -> Option<Cow<'a, str>> {
        if self.escaped { unescape(self.raw).map(Cow::Owned) } else { Some(Cow::Borrowed(self.raw)) }
    }

    /// The value for comparing with known names: a string that is no Unicode text equals none.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        self.value().unwrap_or(Cow::Borrowed("\u{FFFD}"))
    }

    /// Where it stands in the text, quotes included.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.start + self.raw.len() + 2
    }

    /// Whether the value is the empty string.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The number of characters of the value (an escaped surrogate that stands alone is one).
    #[must_use]
    pub fn chars(&self) -> u64 {
        if self.escaped { chars_of_escaped(self.raw) } else { self.raw.chars().count() as u64 }
    }
}

/// The number of characters that the inside of a string stands for.
pub(super) fn chars_of_escaped(raw: &str) -> u64 {
    let (mut rest, mut count) = (raw, 0u64);
    while let Some((plain, tail)) = rest.split_once('\\') {
        count += plain.chars().count() as u64 + 1;
        rest = match tail.as_bytes().first() {
            Some(b'u') => {
                let pair = is_surrogate(tail, b"89abAB") && tail.get(5..).is_some_and(starts_low);
                tail.get(if pair { 11 } else { 5 }..).unwrap_or_default()
            }
            _ => tail.get(1..).unwrap_or_default(),
        };
    }
    count + rest.chars().count() as u64
}

/// Whether the inside of a string has escapes. Most that are asked are names: one or two words.
#[inline]
pub(super) fn has_escape(raw: &str) -> bool {
    const SLASHES: u64 = LANES * b'\\' as u64;
    let bytes = raw.as_bytes();
    let found = |word: &[u8; 8]| {
        let slash = u64::from_le_bytes(*word) ^ SLASHES;
        slash.wrapping_sub(LANES) & !slash & HIGH != 0
    };
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => found(first) || found(last),
        (Some(_), _) => memchr::memchr(b'\\', bytes).is_some(),
        (None, _) => bytes.contains(&b'\\'),
    }
}

/// Whether the inside of a string stands for `value`. An escape is always longer than what it stands for.
#[inline]
pub(super) fn escaped_equals(raw: &str, value: &str) -> bool {
    let (inside, bytes) = (raw.as_bytes(), value.as_bytes());
    match inside.len().cmp(&bytes.len()) {
        Ordering::Less => false,
        Ordering::Equal => inside == bytes && !has_escape(value),
        Ordering::Greater => {
            // Only an escape at the start can begin with another byte than the value.
            let alike = inside.first() == bytes.first() || inside.first() == Some(&b'\\');
            alike && has_escape(raw) && unescape_lossy(raw) == value
        }
    }
}

/// `text` as a JSON string, quotes included.
#[must_use]
pub fn quote(text: &str) -> String {
    // Writing a string into a string cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// The end of the string whose first byte after the quote is at `from`: the offset of the closing
/// quote, and whether there are escapes.
pub(super) fn end_of_string(bytes: &[u8], from: usize) -> Result<(usize, bool), JsonError> {
    let mut at = from;
    let mut escaped = false;
    loop {
        at = next_special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += escape_len(bytes, at)?;
            }
            Some(_) => return Err(JsonError { flaw: Flaw::ControlCharacter, offset: at }),
            None => return Err(JsonError { flaw: Flaw::UnexpectedEnd, offset: at }),
        }
    }
}

/// The offset of the next quote, backslash or control character, or the length.
#[inline]
pub(super) fn next_special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    // Most strings are short: two words first, then blocks that the compiler turns into vectors.
    for _ in 0..2 {
        let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return tail(bytes, at) };
        let found = special_lanes(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        if !is_plain(block) {
            break;
        }
        at += BLOCK;
    }
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special_lanes(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    tail(bytes, at)
}

/// The same for less than a word.
fn tail(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    if let Some(last) = bytes.last_chunk()
        && !rest.is_empty()
    {
        // Zeros take the place of what is behind the end, and are found if nothing before them is.
        let word = u64::from_le_bytes(*last) >> (64 - 8 * rest.len());
        return from + (special_lanes(word).trailing_zeros() / 8) as usize;
    }
    from + rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(rest.len())
}

/// The high bit of each byte that is a quote, a backslash or below 0x20. Borrows can set bits above
/// a true one, never below: only the lowest set bit may be used.
const fn special_lanes(word: u64) -> u64 {
    let quote = word ^ (LANES * b'"' as u64);
    let slash = word ^ (LANES * b'\\' as u64);
    let quotes = quote.wrapping_sub(LANES) & !quote;
    let slashes = slash.wrapping_sub(LANES) & !slash;
    let controls = word.wrapping_sub(LANES * 0x20) & !word;
    (quotes | slashes | controls) & HIGH
}

fn is_plain(block: &[u8; BLOCK]) -> bool {
    let special = |b: u8| u8::from(b < 0x20) | u8::from(b == b'"') | u8::from(b == b'\\');
    block.iter().fold(0, |seen, &b| seen | special(b)) == 0
}

fn escape_len(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            for offset in at + 2..at + 6 {
                match bytes.get(offset) {
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => return Err(JsonError { flaw: Flaw::BadEscape, offset }),
                    None => return Err(JsonError { flaw: Flaw::UnexpectedEnd, offset }),
                }
            }
            Ok(6)
        }
        Some(_) => Err(JsonError { flaw: Flaw::BadEscape, offset: at + 1 }),
        None => Err(JsonError { flaw: Flaw::UnexpectedEnd, offset: at + 1 }),
    }
}

/// Undoes the escapes of a validated string; `None` for a surrogate that stands alone.
fn unescape(raw: &str) -> Option<String> {
    unescape_or(raw, None)
}

/// The same, with U+FFFD for each surrogate that stands alone.
pub(super) fn unescape_lossy(raw: &str) -> String {
    unescape_or(raw, Some(char::REPLACEMENT_CHARACTER)).unwrap_or_default()
}

fn unescape_or(raw: &str, lone: Option<char>) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, after)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut taken = 1;
        text.push(match after.as_bytes().first()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, length) = unescape_unit(after).or(lone.map(|lone| (lone, 5)))?;
                taken = length;
                character
            }
            other => char::from(*other),
        });
        rest = after.get(taken..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// `text` starts at the `u`. The character, and how many bytes it took from there.
fn unescape_unit(text: &str) -> Option<(char, usize)> {
    let unit = u32::from_str_radix(text.get(1..5)?, 16).ok()?;
    if !(0xD800..0xDC00).contains(&unit) {
        return char::from_u32(unit).map(|c| (c, 5));
    }
    let low = text.get(5..)?.strip_prefix("\\u")?.get(..4)?;
    let low = u32::from_str_radix(low, 16).ok().filter(|low| (0xDC00..0xE000).contains(low))?;
    char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)).map(|c| (c, 11))
}

/// Whether `text`, which starts at a `u`, is a surrogate whose second digit is one of `digits`.
fn is_surrogate(text: &str, digits: &[u8]) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes.get(1), Some(b'd' | b'D')) && bytes.get(2).is_some_and(|b| digits.contains(b))
}

fn starts_low(text: &str) -> bool {
    text.strip_prefix('\\').is_some_and(|unit| unit.starts_with('u') && is_surrogate(unit, b"cdefCDEF"))
}
