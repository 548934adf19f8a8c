//! Percent-encoding (RFC 3986, 2.1) of single names: undone once, or refused.

use std::borrow::Cow;

/// The text that `text` stands for; `None` where it is not well-formed, or no text.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_are_undone_once_or_refused() {
        assert_eq!(decode("llama3:8b").as_deref(), Some("llama3:8b"));
        assert_eq!(decode("openai%2Fgpt%3A1%252F").as_deref(), Some("openai/gpt:1%2F"));
        assert_eq!(decode("%C3%a9").as_deref(), Some("\u{e9}"));
        for wrong in ["%", "a%2", "%zz", "%+1", "%ff", "%C0%AF"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
