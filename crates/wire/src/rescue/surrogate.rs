//! The second half of a character whose first half a client was shown.

use crate::json::Text;

/// The second half of a character that begins with `high`, escaped, and the rest of the text; `None` where
/// another character comes.
pub(super) fn second_half(high: u16, text: &str) -> Option<(String, &str)> {
    let first = text.chars().next()?;
    let mut units = [0; 2];
    match first.encode_utf16(&mut units) {
        [own, low] if *own == high => Some((format!("\\u{low:04x}"), text.get(first.len_utf8()..)?)),
        _ => None,
    }
}

/// The same of a piece that begins with the half itself: how long it is.
pub(super) fn leading_low(piece: &Text<'_>) -> Option<usize> {
    let Text::Escaped(raw) = piece else { return None };
    let unit = u16::from_str_radix(raw.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    (0xDC00..0xE000).contains(&unit).then_some(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_is_found() {
        assert_eq!(second_half(0xd83d, "🙂 b"), Some((r"\ude42".to_owned(), " b")));
        assert_eq!(second_half(0xd83c, "🙂 b"), None);
        assert_eq!(second_half(0xd83d, "b"), None);
        assert_eq!(leading_low(&Text::Escaped(r"\ude42 b")), Some(6));
        assert_eq!(leading_low(&Text::Escaped(r"\ud83d\ude42")), None);
        assert_eq!(leading_low(&Text::from("🙂")), None);
    }
}
