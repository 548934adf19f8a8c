//! Halves of characters in JSON: `\ud83d` in one delta and `\ude42` in the next are one character to a client
//! that joins strings of UTF-16, and cannot be said in Rust's. They are kept apart as private characters.

use std::borrow::Cow;

/// Where the stand-ins for U+D800 to U+DFFF begin: a private plane that no text here uses.
const STAND_INS: u32 = 0xf_0000;
const HIGH: u32 = 0xd800;
const LOW: u32 = 0xdc00;
const END: u32 = 0xe000;

/// The same JSON with stand-ins for halves that have no other half beside them.
pub(super) fn named(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(high), Some(low)) if is_high(high) && is_low(low) => 12,
            (Some(half), _) if is_high(half) || is_low(half) => {
                out.extend(char::from_u32(STAND_INS + half - HIGH));
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out.into()
}

/// The text with stand-ins joined, and how many halves are left alone.
pub(super) fn joined(text: &str) -> (String, usize) {
    let half = |character: char| {
        let half = u32::from(character).wrapping_sub(STAND_INS).wrapping_add(HIGH);
        (HIGH..END).contains(&half).then_some(half)
    };
    let (mut out, mut alone) = (String::with_capacity(text.len()), 0);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(high) = half(character) else {
            out.push(character);
            continue;
        };
        match characters.peek().copied().and_then(half) {
            Some(low) if is_high(high) && is_low(low) => {
                out.extend(char::from_u32(0x1_0000 + ((high - HIGH) << 10) + (low - LOW)));
                characters.next();
            }
            _ => alone += 1,
        }
    }
    (out, alone)
}

/// The code unit of an escape `\uXXXX` at the begin of `text`.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

const fn is_high(unit: u32) -> bool {
    unit >= HIGH && unit < LOW
}

const fn is_low(unit: u32) -> bool {
    unit >= LOW && unit < END
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_find_each_other_and_lone_ones_are_told() {
        let deltas = [r#""a\ud83d""#, r#""\ude42 b""#, r#""\\ud83d \u00fc\ud83d\ude80""#];
        let texts = deltas.map(|json| serde_json::from_str::<String>(&named(json)).unwrap());
        assert_eq!(joined(&texts.concat()), ("a🙂 b\\ud83d ü🚀".to_owned(), 0));
        assert_eq!(joined(&texts[0]), ("a".to_owned(), 1));
        assert_eq!(joined(&texts[1]), (" b".to_owned(), 1));
        assert_eq!(named("plain"), "plain");
    }
}
