//! Writes JSON into one buffer: compact, commas kept by the writer.

use std::fmt::Write as _;

use super::Text;
use super::string::next_special;

/// A JSON text under construction. Each method writes one value or one key; commas come by themselves.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// No line may end in the middle of what is written.
    one_line: bool,
}

impl Writer {
    /// A writer with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), one_line: false }
    }

    /// The same for a stream, whose frames are lines: JSON that is written as it stands is put on one line.
    #[must_use]
    pub fn for_lines(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), one_line: true }
    }

    /// Goes on at the end of `out`, which must not end in the middle of a JSON value.
    #[must_use]
    pub const fn onto(out: Vec<u8>) -> Self {
        Self { out, one_line: false }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Bytes as they are, outside any value: the framing of a stream.
    pub fn frame(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// `{…}`
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) -> &mut Self {
        self.comma();
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
        self
    }

    /// `[…]`
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) -> &mut Self {
        self.comma();
        self.out.push(b'[');
        elements(self);
        self.out.push(b']');
        self
    }

    /// A key; its value must follow.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.out.push(b':');
        self
    }

    /// A string.
    pub fn string(&mut self, value: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        escape(&mut self.out, value);
        self.out.push(b'"');
        self
    }

    /// A string that may still be escaped.
    pub fn text(&mut self, text: &Text<'_>) -> &mut Self {
        match text {
            Text::Escaped(raw) => {
                self.comma();
                self.out.push(b'"');
                self.out.extend_from_slice(raw.as_bytes());
                self.out.push(b'"');
                self
            }
            Text::Plain(value) => self.string(value),
        }
    }

    /// One string made of several, one after the other.
    pub fn joined<'t>(&mut self, parts: impl IntoIterator<Item = &'t Text<'t>>) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        for part in parts {
            match part {
                Text::Escaped(raw) => self.out.extend_from_slice(raw.as_bytes()),
                Text::Plain(value) => escape(&mut self.out, value),
            }
        }
        self.out.push(b'"');
        self
    }

    /// A string whose value is the JSON text `json` (OpenAI's tool arguments).
    pub fn quoted(&mut self, json: &str) -> &mut Self {
        self.string(json)
    }

    /// A JSON value as it stands. The caller vouches for it.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.comma();
        let from = self.out.len();
        self.out.extend_from_slice(json.as_bytes());
        if self.one_line && memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_some() {
            // Inside of strings they are escaped: these are white space.
            let written = self.out.iter_mut().skip(from);
            written.filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        }
        self
    }

    /// A whole number.
    pub fn count(&mut self, value: u64) -> &mut Self {
        self.comma();
        let mut text = StackText::default();
        // A u64 has at most 20 digits; the buffer holds them.
        let _ = write!(text, "{value}");
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    /// `null`
    pub fn null(&mut self) -> &mut Self {
        self.raw("null")
    }

    fn comma(&mut self) {
        // A complete value never ends in one of these, and neither does a frame.
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b' ' | b'\n' | b',')) {
            self.out.push(b',');
        }
    }
}

#[derive(Default)]
struct StackText {
    bytes: [u8; 20],
    length: usize,
}

impl StackText {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl std::fmt::Write for StackText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Appends `value`, escaped for the inside of a JSON string.
fn escape(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    out.reserve(bytes.len());
    let mut from = 0;
    loop {
        let at = next_special(bytes, from);
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let Some(&special) = bytes.get(at) else { return };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.push(digit(control >> 4));
                out.push(digit(control & 15));
            }
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commas_stand_between_members_and_elements() {
        let mut writer = Writer::default();
        writer.object(|w| {
            w.key("a").count(u64::MAX).key("b").array(|w| {
                w.string("x").bool(true).object(|_| {}).array(|_| {}).null();
            });
            w.key("c").raw("[1, {\"d\": 2}]").key("e").joined(&[Text::from("\n"), Text::Escaped("\\t")]);
        });
        assert_eq!(
            String::from_utf8(writer.finish()).unwrap(),
            r#"{"a":18446744073709551615,"b":["x",true,{},[],null],"c":[1, {"d": 2}],"e":"\n\t"}"#
        );
    }

    #[test]
    fn a_string_that_looks_like_an_opening_is_followed_by_a_comma() {
        let mut writer = Writer::default();
        writer.array(|w| {
            w.string("{").string("[").string(":").string("").text(&Text::Escaped("a ")).count(1);
        });
        assert_eq!(String::from_utf8(writer.finish()).unwrap(), r#"["{","[",":","","a ",1]"#);
    }

    #[test]
    fn json_of_several_lines_is_put_on_one() {
        let json = "{\r\n  \"a\": \"x\\n\",\n  \"b\": [\n]\n}";
        for (mut writer, lines) in [(Writer::default(), 5), (Writer::for_lines(0), 1)] {
            writer.frame(b"data: ").raw(json);
            let text = String::from_utf8(writer.finish()).unwrap();
            assert_eq!(text.lines().count(), lines, "{text}");
            let value: serde_json::Value =
                serde_json::from_str(text.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(value, serde_json::json!({ "a": "x\n", "b": [] }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any::<String>()) {
            let mut writer = Writer::default();
            writer.string(&value);
            let read: String = serde_json::from_slice(&writer.finish()).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
