//! A tool's input: an object in some dialects, a string that holds one in others.

use crate::json::{Flaw, Kind, Scanner, Text, Writer};

/// The input of a tool call.
#[derive(Clone, Debug)]
pub enum Arguments<'a> {
    /// A JSON object, as it stands (Anthropic, Gemini, Ollama).
    Object(&'a str),
    /// A string that should hold a JSON object (OpenAI).
    Quoted(Text<'a>),
    /// Free text, for a custom tool (OpenAI).
    Free(Text<'a>),
}

/// The arguments are no JSON object, so they were sent as `{"input": "…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnObject;

/// The member that holds text where an object is needed: a custom tool's input has the same name.
const INPUT: &str = "input";

impl Arguments<'_> {
    /// Writes them as an object. The empty string, which models send for "no arguments", is `{}`.
    ///
    /// # Errors
    /// [`NotAnObject`], which is not fatal: the text is kept inside an object.
    pub fn write_object(&self, writer: &mut Writer) -> Result<(), NotAnObject> {
        match self {
            Self::Object(raw) => {
                writer.raw(raw);
                Ok(())
            }
            Self::Free(text) => {
                writer.object(|w| {
                    w.key(INPUT).text(text);
                });
                Ok(())
            }
            Self::Quoted(text) => {
                let value = text.value();
                if value.trim_ascii().is_empty() {
                    writer.raw("{}");
                    return Ok(());
                }
                if is_object(&value) {
                    writer.raw(value.trim_ascii());
                    return Ok(());
                }
                writer.object(|w| {
                    w.key(INPUT).text(text);
                });
                Err(NotAnObject)
            }
        }
    }

    /// Whether they end before the object that they begin does, or before its first character: the model was cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        let Self::Quoted(text) = self else { return false };
        let value = text.value();
        let Ok(mut scanner) = Scanner::new(value.as_bytes()) else { return false };
        match scanner.kind() {
            Ok(Kind::Object) => scanner.skip().is_err_and(|error| error.flaw == Flaw::UnexpectedEnd),
            Ok(_) => false,
            Err(error) => error.flaw == Flaw::UnexpectedEnd,
        }
    }

    /// Writes them as a string.
    pub fn write_string(&self, writer: &mut Writer) {
        match self {
            Self::Object(raw) => writer.quoted(raw),
            Self::Quoted(text) | Self::Free(text) => writer.text(text),
        };
    }
}

/// Whether the text is one whole JSON object.
fn is_object(text: &str) -> bool {
    let Ok(mut scanner) = Scanner::new(text.as_bytes()) else { return false };
    scanner.kind() == Ok(Kind::Object) && scanner.skip().is_ok() && scanner.end().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(arguments: &Arguments<'_>) -> (String, bool) {
        let mut writer = Writer::default();
        let whole = arguments.write_object(&mut writer).is_ok();
        (String::from_utf8(writer.finish()).unwrap(), whole)
    }

    #[test]
    fn a_quoted_object_is_moved_out_and_back_without_a_change() {
        let quoted =
            Arguments::Quoted(Text::Escaped(r#"{\"n\": 12345678901234567890.10, \"t\":\"\\u00e9\\n\"}"#));
        let (text, whole) = object(&quoted);
        assert_eq!((text.as_str(), whole), (r#"{"n": 12345678901234567890.10, "t":"\u00e9\n"}"#, true));
        let mut writer = Writer::default();
        Arguments::Object(&text).write_string(&mut writer);
        let read: String = serde_json::from_slice(&writer.finish()).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn arguments_are_cut_where_their_object_does_not_end() {
        for cut in ["", " ", "{", r#"{"a": "#, r#"{"a":"x"#, r#"{"a":[1,{"b":tr"#, r#"{"a":"\u00"#] {
            assert!(Arguments::Quoted(Text::from(cut)).is_cut(), "{cut}");
        }
        for whole in ["{}", r#"{"a":1}"#, r#"{"a":1}}"#, "{'a'", r#"{"a" 1"#, "[1", "tr", "x"] {
            assert!(!Arguments::Quoted(Text::from(whole)).is_cut(), "{whole}");
        }
        assert!(!Arguments::Free(Text::from("{")).is_cut());
        assert!(!Arguments::Object("{}").is_cut());
    }

    #[test]
    fn what_is_no_object_is_kept_inside_one() {
        assert_eq!(object(&Arguments::Quoted(Text::from(" "))), ("{}".into(), true));
        assert_eq!(object(&Arguments::Quoted(Text::from("[1]"))), (r#"{"input":"[1]"}"#.into(), false));
        assert_eq!(
            object(&Arguments::Quoted(Text::from("{\"a\":"))),
            (r#"{"input":"{\"a\":"}"#.into(), false)
        );
        assert_eq!(object(&Arguments::Free(Text::from("ls\n"))), (r#"{"input":"ls\n"}"#.into(), true));
    }
}
