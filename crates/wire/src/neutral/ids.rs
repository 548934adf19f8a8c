//! Ids of tool calls across dialects with other alphabets and lengths.

use std::borrow::Cow;
use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The longest id that every dialect takes (OpenAI chat's limit is 40, Anthropic's 64).
pub const MAX_CALL_ID: usize = 40;

/// The length of every id at Mistral.
const NINE: usize = 9;
/// Enough to tell the calls of one conversation apart.
const DIGEST_BYTES: usize = 16;

/// The id for a dialect that takes letters, digits, `_` and `-`, at most [`MAX_CALL_ID`] of them.
///
/// An id that fits is itself. Other characters become `_x` and two hexadecimal digits a byte, which
/// [`unfit`] undoes; an id that is too long then becomes `h_` and a digest, the same for the call and for
/// its result.
#[must_use]
pub fn fit(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.len() <= MAX_CALL_ID && id.bytes().all(plain) && !id.contains("_x") {
        return Cow::Borrowed(id);
    }
    let mut fitted = String::with_capacity(id.len() + 8);
    for (at, byte) in id.bytes().enumerate() {
        // An underscore before an `x` is escaped too, or it would read as an escape.
        if plain(byte) && !(byte == b'_' && id.as_bytes().get(at + 1) == Some(&b'x')) {
            fitted.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(fitted, "_x{byte:02x}");
        }
    }
    if fitted.is_empty() || fitted.len() > MAX_CALL_ID {
        let mut short = String::from("h_");
        push_digest(&mut short, id, DIGEST_BYTES);
        return Cow::Owned(short);
    }
    Cow::Owned(fitted)
}

/// Adds the first `bytes` of a text's digest, in hexadecimal digits.
pub(super) fn push_digest(into: &mut String, text: &str, bytes: usize) {
    for byte in Sha256::digest(text.as_bytes()).iter().take(bytes) {
        // Writing into a string cannot fail.
        let _ = write!(into, "{byte:02x}");
    }
}

/// Undoes [`fit`], as far as that can be undone.
#[must_use]
pub fn unfit(id: &str) -> Cow<'_, str> {
    if !id.contains("_x") {
        return Cow::Borrowed(id);
    }
    let mut bytes = Vec::with_capacity(id.len());
    let mut rest = id.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = rest.strip_prefix(b"_x").and_then(|after| after.get(..2));
        let byte = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(id), Cow::Owned)
}

/// The id for a provider that takes nine letters and digits: itself where it has them, else a digest, the same for
/// the call and for its result.
#[must_use]
pub fn nine(id: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    let digits = digest.iter().take(NINE).map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]));
    Cow::Owned(digits.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_fit_and_come_back(id in ".{0,60}") {
            let fitted = fit(&id);
            prop_assert!(!fitted.is_empty() && fitted.len() <= MAX_CALL_ID);
            prop_assert!(fitted.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            prop_assert_eq!(fit(&id), fitted.clone());
            if !fitted.starts_with("h_") {
                prop_assert_eq!(unfit(&fitted), id.as_str());
            }
        }

        #[test]
        fn nine_letters_and_digits_are_made_of_any_id(id in ".{0,60}") {
            let short = nine(&id);
            prop_assert!(short.len() == 9 && short.bytes().all(|b| b.is_ascii_alphanumeric()));
            prop_assert_eq!(nine(&short), short.clone(), "what fits is left alone");
        }

        #[test]
        fn usual_ids_are_left_alone(id in "call_[a-zA-Z0-9]{24}") {
            prop_assume!(!id.contains("_x"));
            prop_assert_eq!(fit(&id), id.as_str());
        }
    }

    #[test]
    fn different_long_ids_stay_different() {
        let (a, b) = ("a".repeat(50), "a".repeat(51));
        assert_ne!(fit(&a), fit(&b));
        assert_ne!(nine("call_0"), nine("call_1"));
    }
}
