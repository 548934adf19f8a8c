//! Reads from a request body what routing needs, in one pass that also validates all of it.
//!
//! What was authorised must be what is sent. So keys are compared after unescaping, a key that is
//! acted on may occur once only, and one that differs from it merely in case is refused: servers
//! written in Go match keys without regard to case. [`crate::splice`] then edits the bytes.

use std::borrow::Cow;
use std::ops::Range;

use pointsman_core::{ErrorCode, PublicError};

use crate::json::{JsonError, Kind, RawStr, Scanner};

/// A string value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonStr<'a> {
    /// Unescaped.
    pub value: Cow<'a, str>,
    /// Byte offsets in the body, quotes included.
    pub range: Range<usize>,
}

/// What a request body says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe<'a> {
    /// The top-level `model`.
    pub model: Option<JsonStr<'a>>,
    /// The top-level `stream`; `null` counts as absent.
    pub stream: Option<bool>,
    /// `stream_options.include_usage`; `null` counts as absent.
    pub include_usage: Option<bool>,
    /// The top-level `n`: how many choices are asked for.
    pub choices: Option<u64>,
    pub(crate) body: ObjectPlace,
    pub(crate) stream_options: Option<StreamOptions>,
}

impl Probe<'_> {
    /// Whether a streamed answer is asked for.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether the caller asked for the usage chunk at the end of the stream.
    #[must_use]
    pub fn wants_usage(&self) -> bool {
        self.include_usage == Some(true)
    }
}

/// Where members can be added to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectPlace {
    /// Just behind the brace.
    pub start: usize,
    /// No members yet: what is added needs no comma.
    pub empty: bool,
}

/// The `stream_options` that the body has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamOptions {
    /// `null`, here.
    Null(Range<usize>),
    /// An object, and the place of its `include_usage` value, if it has one.
    Object(ObjectPlace, Option<Range<usize>>),
}

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProbeError {
    /// [`ErrorCode::InvalidRequest`] or [`ErrorCode::DuplicateKey`].
    pub code: ErrorCode,
    /// The field at fault.
    pub param: Option<&'static str>,
    /// For the caller.
    pub message: Cow<'static, str>,
    /// Bytes from the start of the body.
    pub offset: usize,
}

impl From<JsonError> for ProbeError {
    fn from(e: JsonError) -> Self {
        let message = format!("the request body is not valid JSON: {e}");
        Self { code: ErrorCode::InvalidRequest, param: None, message: message.into(), offset: e.offset }
    }
}

impl From<ProbeError> for PublicError {
    fn from(e: ProbeError) -> Self {
        let error = Self::new(e.code, e.message);
        match e.param {
            Some(param) => error.at(param),
            None => error,
        }
    }
}

/// Validates the body and reads what routing needs.
///
/// ```
/// use bytes::Bytes;
/// use pointsman_wire::{probe::probe, splice::splice};
/// let body = Bytes::from_static(br#"{"\u006dodel": "fast", "x": 1e999, "stream": true}"#);
/// let found = probe(&body).unwrap();
/// assert_eq!(found.model.as_ref().unwrap().value, "fast");
/// assert!(found.streams());
/// let sent = splice(&body, &found.edits(&Bytes::from_static(b"\"gpt-5\""), false)).concat();
/// assert_eq!(sent, br#"{"\u006dodel": "gpt-5", "x": 1e999, "stream": true}"#);
/// assert_eq!(probe(br#"{"model": "a", "model": "b"}"#).unwrap_err().param, Some("model"));
/// ```
///
/// # Errors
/// The body is not UTF-8, not JSON, no object, nested beyond 128 levels; or a key acted on occurs
/// twice, in another case, or with a value of the wrong type.
pub fn probe(body: &[u8]) -> Result<Probe<'_>, ProbeError> {
    let mut scanner = Scanner::new(body)?;
    if scanner.kind()? != Kind::Object {
        let message = "the request body must be a JSON object";
        return Err(invalid(None, message.into(), scanner.offset()));
    }
    let start = scanner.offset() + 1;
    let mut found = Probe {
        model: None,
        stream: None,
        include_usage: None,
        choices: None,
        body: ObjectPlace { start, empty: true },
        stream_options: None,
    };
    let mut seen = Seen(0);
    scanner.object(|scanner, key| {
        found.body.empty = false;
        match known(&key, &TOP_LEVEL)? {
            Some(MODEL) => {
                seen.once(&key, MODEL)?;
                found.model = Some(read_model(scanner)?);
            }
            Some(STREAM) => {
                seen.once(&key, STREAM)?;
                found.stream = read_bool(scanner, STREAM)?.0;
            }
            Some(STREAM_OPTIONS) => {
                seen.once(&key, STREAM_OPTIONS)?;
                let (options, include_usage) = read_stream_options(scanner)?;
                found.include_usage = include_usage;
                found.stream_options = Some(options);
            }
            // Nothing is granted on the strength of `n`, so a strange one is the provider's to refuse.
            _ if key.name() == "n" => found.choices = scanner.count_or_skip()?,
            _ => scanner.skip()?,
        }
        Ok::<_, ProbeError>(())
    })?;
    scanner.end()?;
    Ok(found)
}

const MODEL: &str = "model";
const STREAM: &str = "stream";
const STREAM_OPTIONS: &str = "stream_options";
const INCLUDE_USAGE: &str = "stream_options.include_usage";
const TOP_LEVEL: [(&str, &str); 3] = [(MODEL, MODEL), (STREAM, STREAM), (STREAM_OPTIONS, STREAM_OPTIONS)];
const OPTIONS: [(&str, &str); 1] = [("include_usage", INCLUDE_USAGE)];

/// Which keys were met, one bit each.
struct Seen(u8);

impl Seen {
    fn once(&mut self, key: &RawStr<'_>, param: &'static str) -> Result<(), ProbeError> {
        let bit = match param {
            MODEL => 1,
            STREAM => 2,
            STREAM_OPTIONS => 4,
            _ => 8,
        };
        if self.0 & bit != 0 {
            let message = format!("`{param}` occurs more than once");
            let offset = key.range().start;
            let code = ErrorCode::DuplicateKey;
            return Err(ProbeError { code, param: Some(param), message: message.into(), offset });
        }
        self.0 |= bit;
        Ok(())
    }
}

/// The full path of the known key that `key` is.
fn known(key: &RawStr<'_>, table: &[(&str, &'static str)]) -> Result<Option<&'static str>, ProbeError> {
    let name = key.name();
    for &(exact, param) in table {
        if name == exact {
            return Ok(Some(param));
        }
        if folds_to(&name, exact) {
            let message = format!("`{name}` differs from `{exact}` only in case");
            return Err(invalid(Some(param), message.into(), key.range().start));
        }
    }
    Ok(None)
}

/// Unicode simple folding as far as it can reach an ASCII name: beyond ASCII only the long s and
/// the Kelvin sign fold to ASCII letters.
fn folds_to(name: &str, exact: &str) -> bool {
    if name.is_ascii() {
        return name.eq_ignore_ascii_case(exact);
    }
    let fold = |c: char| match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(exact.chars())
}

fn read_model<'a>(scanner: &mut Scanner<'a>) -> Result<JsonStr<'a>, ProbeError> {
    if scanner.kind()? != Kind::String {
        return Err(invalid(Some(MODEL), "`model` must be a string".into(), scanner.offset()));
    }
    let raw = scanner.string()?;
    let range = raw.range();
    match raw.value() {
        Some(value) => Ok(JsonStr { value, range }),
        None => Err(invalid(Some(MODEL), "`model` is not valid Unicode".into(), range.start)),
    }
}

/// `None` for `null`; and where the value stands.
fn read_bool(
    scanner: &mut Scanner<'_>,
    param: &'static str,
) -> Result<(Option<bool>, Range<usize>), ProbeError> {
    let value = match scanner.kind()? {
        Kind::True => Some(true),
        Kind::False => Some(false),
        Kind::Null => None,
        Kind::Object | Kind::Array | Kind::String | Kind::Number => {
            let message = format!("`{param}` must be true or false");
            return Err(invalid(Some(param), message.into(), scanner.offset()));
        }
    };
    let start = scanner.offset();
    scanner.skip()?;
    Ok((value, start..scanner.offset()))
}

fn read_stream_options(scanner: &mut Scanner<'_>) -> Result<(StreamOptions, Option<bool>), ProbeError> {
    let kind = scanner.kind()?;
    let start = scanner.offset();
    match kind {
        Kind::Null => {
            scanner.skip()?;
            Ok((StreamOptions::Null(start..scanner.offset()), None))
        }
        Kind::Object => {
            let mut place = ObjectPlace { start: start + 1, empty: true };
            let (mut include_usage, mut range, mut seen) = (None, None, Seen(0));
            scanner.object(|scanner, key| {
                place.empty = false;
                if known(&key, &OPTIONS)?.is_none() {
                    return Ok(scanner.skip()?);
                }
                seen.once(&key, INCLUDE_USAGE)?;
                let (value, at) = read_bool(scanner, INCLUDE_USAGE)?;
                (include_usage, range) = (value, Some(at));
                Ok::<_, ProbeError>(())
            })?;
            Ok((StreamOptions::Object(place, range), include_usage))
        }
        _ => {
            let message = "`stream_options` must be an object";
            Err(invalid(Some(STREAM_OPTIONS), message.into(), start))
        }
    }
}

#[cold]
fn invalid(param: Option<&'static str>, message: Cow<'static, str>, offset: usize) -> ProbeError {
    ProbeError { code: ErrorCode::InvalidRequest, param, message, offset }
}

#[cfg(test)]
mod tests;
