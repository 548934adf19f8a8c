//! Characters beyond 16 bits whose two escaped halves came in two pieces: JSON has `"\ud83d"` and
//! `"\ude42"`, no text has either alone.

use std::borrow::Cow;

use super::Text;

/// Puts halves together across the pieces of one text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Halves {
    high: Option<u16>,
}

impl Halves {
    /// The first half that waits for the second.
    pub(crate) const fn waiting(self) -> Option<u16> {
        self.high
    }

    /// The value of the next piece, without a half at its end. A half that stays alone becomes U+FFFD.
    pub(crate) fn take<'t>(&mut self, piece: &'t Text<'_>) -> Cow<'t, str> {
        let before = self.high.take();
        let Text::Escaped(raw) = piece else {
            let value = piece.value();
            return match before {
                Some(_) => format!("{}{value}", char::REPLACEMENT_CHARACTER).into(),
                None => value,
            };
        };
        let (whole, high) = split_high(raw);
        self.high = high;
        match before {
            None if high.is_none() => piece.value(),
            None => Text::Escaped(whole).value().into_owned().into(),
            Some(before) => {
                let joined = format!("\\u{before:04x}{whole}");
                Text::Escaped(&joined).value().into_owned().into()
            }
        }
    }

    /// Nothing more comes: a half that is left.
    pub(crate) fn finish(&mut self) -> &'static str {
        if self.high.take().is_some() { "\u{FFFD}" } else { "" }
    }
}

/// The text without an escaped first half at its end, and that half.
fn split_high(raw: &str) -> (&str, Option<u16>) {
    const ESCAPE: usize = 6;
    let Some(at) = raw.len().checked_sub(ESCAPE) else { return (raw, None) };
    let Some((before, last)) = raw.split_at_checked(at) else { return (raw, None) };
    // A backslash that is itself escaped begins no escape.
    let slashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
    let unit = last.strip_prefix("\\u").filter(|_| slashes % 2 == 0);
    let unit = unit.and_then(|hex| u16::from_str_radix(hex, 16).ok());
    match unit.filter(|unit| (0xD800..0xDC00).contains(unit)) {
        Some(high) => (before, Some(high)),
        None => (raw, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&str]) -> String {
        let mut halves = Halves::default();
        let mut out = String::new();
        for piece in pieces {
            out.push_str(&halves.take(&Text::Escaped(piece)));
        }
        out.push_str(halves.finish());
        out
    }

    #[test]
    fn halves_are_put_together() {
        assert_eq!(joined(&[r"a \ud83d", r"\ude42 b"]), "a 🙂 b");
        assert_eq!(joined(&[r"a \ud83d\ude42 b"]), "a 🙂 b");
        assert_eq!(joined(&[r"\uD83D", "", r"\uDE42"]), "\u{FFFD}\u{FFFD}", "an empty piece is no half");
        assert_eq!(joined(&[r"a\\ud83d", "b"]), r"a\ud83db", "no escape");
        assert_eq!(joined(&[r"a\\\ud83d", r"\ude42"]), r"a\🙂");
        assert_eq!(joined(&[r"a\ud83d", "b"]), "a\u{FFFD}b");
        assert_eq!(joined(&[r"a\ud83d"]), "a\u{FFFD}");
        assert_eq!(joined(&["Zürich", "日本"]), "Zürich日本");
    }
}
