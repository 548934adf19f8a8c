//! Taking members of known types out of an object.

use super::{DecodeError, Given, Path};
use crate::json::{Fields, Text};

/// A string; `None` where it is absent.
pub(crate) fn text<'a>(
    fields: &mut Fields<'_, 'a>,
    name: &'static str,
    path: Path,
) -> Result<Option<Text<'a>>, DecodeError> {
    let found = fields.take(name);
    found.map(|node| node.text().ok_or_else(|| DecodeError::wrong(path.member(name), "a string"))).transpose()
}

/// A string that must be there.
pub(crate) fn needed<'a>(
    fields: &mut Fields<'_, 'a>,
    name: &'static str,
    path: Path,
) -> Result<Text<'a>, DecodeError> {
    text(fields, name, path)?.ok_or_else(|| DecodeError::Missing { field: path.member(name) })
}

/// `true` or `false`, as it was given.
pub(crate) fn flag(
    fields: &mut Fields<'_, '_>,
    name: &str,
    field: &'static str,
) -> Result<Option<Given<bool>>, DecodeError> {
    let Some(node) = fields.take(name) else { return Ok(None) };
    let value = node.bool().ok_or_else(|| DecodeError::wrong(field, "true or false"))?;
    Ok(Some(Given::new(field, value)))
}

/// A whole number, as it was given.
pub(crate) fn count(
    fields: &mut Fields<'_, '_>,
    name: &str,
    field: &'static str,
) -> Result<Option<Given<u64>>, DecodeError> {
    let Some(node) = fields.take(name) else { return Ok(None) };
    let value = node.count().ok_or_else(|| DecodeError::wrong(field, "a whole number"))?;
    Ok(Some(Given::new(field, value)))
}

/// A number, as it stands in the text.
pub(crate) fn number<'a>(
    fields: &mut Fields<'_, 'a>,
    name: &str,
    field: &'static str,
) -> Result<Option<Given<&'a str>>, DecodeError> {
    let Some(node) = fields.take(name) else { return Ok(None) };
    let value = node.number().ok_or_else(|| DecodeError::wrong(field, "a number"))?;
    Ok(Some(Given::new(field, value)))
}
