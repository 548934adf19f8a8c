//! Whether the arguments of a call are whole yet: a JSON object ends with its own bracket.

use crate::json::validate;

/// The arguments of one call, piece by piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    text: String,
    /// Brackets that are open.
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
    closed: bool,
    whole: bool,
}

impl Gathered {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            self.take(byte);
        }
        self.text.push_str(piece);
        self.whole = self.closed && validate(self.text.as_bytes()).is_ok();
    }

    /// What came so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether this is one whole object: nothing that could still come would belong to it.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    fn take(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
        } else if self.in_string {
            self.escaped = byte == b'\\';
            self.in_string = byte != b'"';
        } else {
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    // A text that begins with something else than an object is whole when its call says so.
                    self.closed = false;
                    self.begun |= byte == b'{' && self.text.trim_ascii().is_empty();
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed = self.begun && self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After which pieces it is whole.
    fn whole(pieces: &[&str]) -> Vec<bool> {
        let mut gathered = Gathered::default();
        let whole = pieces.iter().map(|piece| {
            gathered.push(piece);
            gathered.is_whole()
        });
        whole.collect()
    }

    #[test]
    fn an_object_is_whole_with_its_last_bracket() {
        assert_eq!(
            whole(&["", "{", r#""a": {"b": "}"#, r#"\"}"}"#, "}", "\n"]),
            [false, false, false, false, true, true]
        );
        assert_eq!(whole(&["{}"]), [true]);
        assert_eq!(whole(&[r#"{"a" 1}"#]), [false], "closed, but no JSON");
        assert_eq!(whole(&["[1]", "\"x\"", ""]), [false; 3], "no object");
        assert_eq!(whole(&["ls -l {}"]), [false]);
    }
}
