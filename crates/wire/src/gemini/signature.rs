//! `thoughtSignature`: Google's proof of a thought, and for Gemini's clients everybody's.
//!
//! Clients hold it as bytes (the Python SDK decodes it), so that a tagged seal must be base64 as a whole.
//! They hand it back in either alphabet.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use pointsman_core::Dialect;

use crate::json::Text;
use crate::neutral::{Seal, SealKind};

/// What takes the place of a signature that never was: Gemini 3 wants one on the first call of each step,
/// and lets this word pass for calls of another model (Google's guide to thought signatures).
pub(super) const UNSIGNED: &str = "skip_thought_signature_validator";

/// `pm1`, the start of a tag, in base64.
const TAGGED: &str = "cG0xL";

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// A client's signature: tagged, or Google's own.
pub(super) fn from_client(text: Text<'_>) -> Seal<'_> {
    if let Some(tag) = unwrap(&text.value()) {
        let seal = Seal::from_client(Text::from(tag.clone()), SealKind::Signature, Dialect::Gemini);
        if seal.data != tag.as_str() {
            return seal;
        }
    }
    Seal::from_client(text, SealKind::Signature, Dialect::Gemini)
}

/// What a client gets.
pub(super) fn for_client<'s>(seal: &'s Seal<'_>) -> Text<'s> {
    if seal.dialect == Dialect::Gemini && seal.provider.is_none() {
        return seal.data.borrowed();
    }
    Text::from(general_purpose::STANDARD.encode(seal.for_client(Dialect::Gemini).value().as_bytes()))
}

/// Whether the seal came with a tag: then Gemini's client got it in pieces of its own.
pub(super) const fn is_tagged(seal: &Seal<'_>) -> bool {
    seal.provider.is_some()
}

fn unwrap(text: &str) -> Option<String> {
    if !text.starts_with(TAGGED) {
        return None;
    }
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let bytes = GeneralPurpose::new(alphabet, LENIENT).decode(text.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_seal_is_bytes_for_the_client_and_comes_back() {
        for data in ["EqQB", "a?>~~~", ""] {
            let made =
                Seal::from_provider(Text::from(data), SealKind::Encrypted, Dialect::OpenAiResponses, "oa");
            let told = for_client(&made).value().into_owned();
            assert!(general_purpose::STANDARD.decode(&told).is_ok() && told.starts_with(TAGGED), "{told}");
            // As a client in Python sends it.
            let other = told.replace('+', "-").replace('/', "_");
            for text in [told.as_str(), &other, other.trim_end_matches('=')] {
                let back = from_client(Text::from(text));
                assert_eq!((back.kind, back.dialect), (SealKind::Encrypted, Dialect::OpenAiResponses));
                assert_eq!((back.data, back.provider.unwrap()), (Text::from(data), Text::from("oa")));
            }
        }
    }

    #[test]
    fn googles_own_stays_as_it_is() {
        for text in ["CikB0e2Kb7w=", "cG0xLg==", "cG0xLi4", "pm1.x", UNSIGNED] {
            let seal = from_client(Text::from(text));
            assert_eq!((seal.dialect, seal.provider.is_none()), (Dialect::Gemini, true), "{text}");
            assert_eq!((seal.data.clone(), for_client(&seal)), (Text::from(text), Text::from(text)));
        }
    }
}
