//! How a conversation begins, and whose it is: by that, requests of one conversation are known without a name.
//!
//! What is read is what stays the same from turn to turn in every dialect: the instructions, and the turns up to
//! the first that is not theirs.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::json::{JsonError, Kind, Scanner};

/// Turns that are looked at.
const MAX_TURNS: usize = 4;
/// A prompt that is one text grows at its end: so much of its beginning counts, in bytes.
const MAX_TEXT: usize = 1024;

/// What a request says of its conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening<'b> {
    /// Raw JSON: instructions, then turns, in the order in which they stand in the body.
    pub parts: SmallVec<[&'b [u8]; 4]>,
    /// The caller's own user: `user`, `safety_identifier`, or Anthropic's `metadata.user_id`.
    pub user: Option<Cow<'b, str>>,
}

/// Reads a request body of any dialect.
///
/// # Errors
/// It is no JSON object.
pub fn opening(body: &[u8]) -> Result<Opening<'_>, JsonError> {
    let mut opening = Opening::default();
    let mut scanner = Scanner::new(body)?;
    scanner.object(|scanner, key| {
        let kind = scanner.kind()?;
        match (key.name().as_ref(), kind) {
            ("system" | "instructions" | "system_instruction" | "systemInstruction", _) => {
                opening.parts.push(value(scanner, body)?);
                Ok(())
            }
            ("messages" | "contents" | "input", Kind::Array) => turns(scanner, body, &mut opening.parts),
            ("input" | "prompt", Kind::String) => {
                let text = value(scanner, body)?;
                opening.parts.push(text.get(..MAX_TEXT).unwrap_or(text));
                Ok(())
            }
            ("user" | "safety_identifier", Kind::String) => {
                let user = scanner.string()?.name();
                opening.user.get_or_insert(user);
                Ok(())
            }
            ("metadata", Kind::Object) => scanner.object(|scanner, key| {
                if key.name() == "user_id" && scanner.kind()? == Kind::String {
                    let user = scanner.string()?.name();
                    opening.user.get_or_insert(user);
                    return Ok(());
                }
                scanner.skip()
            }),
            _ => scanner.skip(),
        }
    })?;
    Ok(opening)
}

/// The turns up to the first that is no instruction.
fn turns<'b>(
    scanner: &mut Scanner<'b>,
    body: &'b [u8],
    parts: &mut SmallVec<[&'b [u8]; 4]>,
) -> Result<(), JsonError> {
    let (mut seen, mut over) = (0, false);
    scanner.array(|scanner| {
        if over || seen >= MAX_TURNS {
            return scanner.skip();
        }
        seen += 1;
        let turn = value(scanner, body)?;
        over = !instructs(turn);
        parts.push(turn);
        Ok(())
    })
}

fn instructs(turn: &[u8]) -> bool {
    let mut instructs = false;
    let read = Scanner::new(turn).and_then(|mut scanner| {
        if scanner.kind()? != Kind::Object {
            return Ok(());
        }
        scanner.object(|scanner, key| {
            if key.name() == "role" && scanner.kind()? == Kind::String {
                let role = scanner.string()?;
                instructs = matches!(role.name().as_ref(), "system" | "developer");
                return Ok::<_, JsonError>(());
            }
            scanner.skip()
        })
    });
    read.is_ok() && instructs
}

/// The next value's raw bytes.
fn value<'b>(scanner: &mut Scanner<'b>, body: &'b [u8]) -> Result<&'b [u8], JsonError> {
    // Passes over white space.
    scanner.kind()?;
    let from = scanner.offset();
    scanner.skip()?;
    Ok(body.get(from..scanner.offset()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> Vec<String> {
        let opening = opening(body.as_bytes()).unwrap();
        opening.parts.iter().map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
    }

    #[test]
    fn later_turns_change_nothing() {
        let first =
            r#"{"model":"m","messages":[{"role":"system","content":"s"}, {"role":"user","content":"a"}]}"#;
        let later = r#"{"model":"m","messages":[{"role":"system","content":"s"}, {"role":"user","content":"a"},
            {"role":"assistant","content":"b"},{"role":"user","content":"c"}],"temperature":1}"#;
        assert_eq!(parts(first), parts(later));
        assert_eq!(parts(first).len(), 2);
        let other = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"x"}]}"#;
        assert_ne!(parts(first), parts(other));
    }

    #[test]
    fn every_dialect_has_its_place_for_it() {
        assert_eq!(parts(r#"{"system":"s","messages":[{"role":"user","content":"a"},1]}"#).len(), 2);
        assert_eq!(parts(r#"{"instructions":"s","input":"a"}"#), ["\"s\"", "\"a\""]);
        assert_eq!(parts(r#"{"systemInstruction":{},"contents":[{"parts":[]},{"parts":[]}]}"#).len(), 2);
        let long = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(5000));
        assert_eq!(parts(&long)[0].len(), MAX_TEXT);
        assert!(parts(r#"{"model":"m","messages":7}"#).is_empty());
        assert!(opening(b"[]").is_err());
    }

    #[test]
    fn the_callers_user_is_found_where_sdks_put_it() {
        let user = |body: &str| opening(body.as_bytes()).unwrap().user.map(Cow::into_owned);
        assert_eq!(user(r#"{"user":"a\u0062"}"#).as_deref(), Some("ab"));
        assert_eq!(user(r#"{"metadata":{"x":1,"user_id":"u"}}"#).as_deref(), Some("u"));
        assert_eq!(user(r#"{"safety_identifier":"s"}"#).as_deref(), Some("s"));
        assert_eq!(user(r#"{"user":7,"metadata":{"user_id":null}}"#), None);
    }
}
