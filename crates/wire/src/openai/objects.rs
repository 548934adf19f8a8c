//! Objects that providers keep (files, batches): their ids, and lists of them.

use std::ops::Range;

use crate::json::{JsonError, Kind, Scanner};

/// One element of a list, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its `id`.
    pub id: String,
    /// Its `created_at`, in seconds since the Unix epoch; 0 where it has none.
    pub created_at: u64,
    /// Its bytes in the body.
    pub range: Range<usize>,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Elements with an id.
    pub items: Vec<Item>,
    /// Whether there are further pages.
    pub has_more: bool,
}

/// A document that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// No JSON object.
    #[error("not valid JSON: {0}")]
    Json(#[from] JsonError),
    /// A member that is acted on occurs twice.
    #[error("`{0}` occurs twice")]
    Twice(&'static str),
}

/// The top-level text members of these names, from a document that is valid to its last byte. What is no
/// text counts as absent.
///
/// # Errors
/// The body is no JSON object, or has one of the members twice.
pub fn texts<const N: usize>(
    body: &[u8],
    names: [&'static str; N],
) -> Result<[Option<String>; N], ObjectError> {
    let mut found = [const { None }; N];
    let mut seen = [false; N];
    let mut scanner = Scanner::new(body)?;
    scanner.object(|scanner, key| {
        let Some(place) = names.iter().position(|name| key.name() == *name) else {
            return Ok(scanner.skip()?);
        };
        if std::mem::replace(&mut seen[place], true) {
            return Err(ObjectError::Twice(names[place]));
        }
        found[place] = scanner.string_or_skip()?.and_then(|text| text.value().map(String::from));
        Ok(())
    })?;
    scanner.end()?;
    Ok(found)
}

/// Reads `{"object": "list", "data": [...], "has_more": ...}`.
///
/// # Errors
/// The body is no JSON object.
pub fn page(body: &[u8]) -> Result<Page, ObjectError> {
    let mut page = Page::default();
    let mut scanner = Scanner::new(body)?;
    scanner.object(|scanner, key| {
        match &*key.name() {
            "has_more" => {
                page.has_more = scanner.kind()? == Kind::True;
                scanner.skip()?;
            }
            "data" if scanner.kind()? == Kind::Array => {
                page.items.clear();
                scanner.array(|scanner| read_item(scanner, &mut page.items))?;
            }
            _ => scanner.skip()?,
        }
        Ok::<_, ObjectError>(())
    })?;
    scanner.end()?;
    Ok(page)
}

fn read_item(scanner: &mut Scanner<'_>, items: &mut Vec<Item>) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    let start = scanner.offset();
    let (mut id, mut created_at) = (None, 0);
    scanner.object(|scanner, key| {
        match &*key.name() {
            "id" => id = scanner.string_or_skip()?.and_then(|text| text.value().map(String::from)),
            "created_at" => created_at = scanner.count_or_skip()?.unwrap_or(0),
            _ => scanner.skip()?,
        }
        Ok::<_, JsonError>(())
    })?;
    if let Some(id) = id {
        items.push(Item { id, created_at, range: start..scanner.offset() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_and_never_guessed() {
        let body = br#" {"x": {"id": "no"}, "id": "file-1", "n": 4, "\u0069nput": "a"} "#;
        assert_eq!(
            texts(body, ["id", "input", "n"]).unwrap(),
            [Some("file-1".into()), Some("a".into()), None]
        );
        assert_eq!(texts(br#"{"id":"a","i\u0064":"b"}"#, ["id"]), Err(ObjectError::Twice("id")));
        assert!(texts(b"[]", ["id"]).is_err());
        assert!(texts(br#"{"id":"a"} x"#, ["id"]).is_err());
    }

    #[test]
    fn a_page_keeps_the_bytes_of_its_items() {
        let body = br#"{"object":"list","data":[ {"id":"a","created_at":7}, 3, {"x":1}, { "id": "b" } ],"has_more":true}"#;
        let page = page(body).unwrap();
        let items: Vec<_> = page
            .items
            .iter()
            .map(|item| {
                (item.id.as_str(), item.created_at, std::str::from_utf8(&body[item.range.clone()]).unwrap())
            })
            .collect();
        assert_eq!(items, [("a", 7, r#"{"id":"a","created_at":7}"#), ("b", 0, r#"{ "id": "b" }"#)]);
        assert!(page.has_more);
        assert_eq!(super::page(b"{}").unwrap(), Page::default());
    }
}
