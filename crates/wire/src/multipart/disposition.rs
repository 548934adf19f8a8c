//! The headers of a part: which field it is, by `Content-Disposition` (RFC 7578, section 4.2).

use super::FormError;

/// What a part is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartName<'a> {
    pub(super) field: &'a str,
    /// Neither a file nor encoded: the content is the value.
    pub(super) plain: bool,
}

/// Reads the headers of a part, without the empty line behind them.
pub(super) fn part_name(block: &[u8]) -> Result<PartName<'_>, FormError> {
    let text =
        std::str::from_utf8(block).map_err(|_| FormError::Malformed("the headers of a part are no text"))?;
    let mut found = None;
    let mut encoded = false;
    for line in text.split("\r\n") {
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(FormError::Malformed("a header of a part has a control character"));
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(FormError::Malformed("a header of a part has no colon"));
        };
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(FormError::Malformed("a header of a part has a space in its name"));
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") && found.replace(disposition(value)?).is_some() {
            return Err(FormError::Malformed("a part has two content dispositions"));
        }
        if name.eq_ignore_ascii_case("content-transfer-encoding") {
            encoded = !["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain));
        }
    }
    let (field, file) = found.ok_or(FormError::Malformed("a part has no content disposition"))?;
    Ok(PartName { field, plain: !file && !encoded })
}

/// The name, and whether there is a file name.
fn disposition(value: &str) -> Result<(&str, bool), FormError> {
    // Some readers take this for an escaped quote, some for a backslash and the end.
    if value.contains("\\\"") {
        return Err(FormError::Malformed("a content disposition has an escaped quote; write it as %22"));
    }
    let odd = FormError::Malformed("a content disposition is not `form-data` with parameters");
    let (kind, mut rest) = value.split_once(';').ok_or(odd.clone())?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(odd);
    }
    let (mut name, mut file) = (None, false);
    loop {
        let (key, tail) = rest.split_once('=').ok_or(odd.clone())?;
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or(odd.clone())?,
            None => tail.split_at(tail.find(';').unwrap_or(tail.len())),
        };
        // A quote further on (`name= "x"`) begins the value for some readers, and belongs to it for others.
        if value.contains('"') {
            return Err(FormError::Malformed(
                "a parameter of a content disposition has a quote in its middle",
            ));
        }
        match key.trim() {
            key if key.eq_ignore_ascii_case("name") => {
                if value.contains(['\\', '%']) || value.is_empty() || name.replace(value.trim()).is_some() {
                    return Err(FormError::Malformed("the name of a part has an escape, or is there twice"));
                }
            }
            key if key.eq_ignore_ascii_case("filename") || key.eq_ignore_ascii_case("filename*") => {
                file = true;
            }
            _ => return Err(FormError::Malformed("a content disposition has an unknown parameter")),
        }
        match tail.trim_start() {
            "" => break,
            tail => rest = tail.strip_prefix(';').ok_or(odd.clone())?,
        }
    }
    name.map(|name| (name, file)).ok_or(FormError::Malformed("a part has no name"))
}
