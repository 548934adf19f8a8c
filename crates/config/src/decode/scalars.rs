//! Texts, numbers, durations and sizes.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Context, Decode};
use crate::yaml::{Node, Value, as_bool, is_null, shorten};

/// The longest duration: far below where arithmetic on clocks could overflow.
const MAX_SECONDS: u64 = 366 * 24 * 3600;

impl Decode for String {
    /// Numbers are taken as they are written; what looks like a boolean or nothing needs quotes.
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, plain: false } => Some(text.clone()),
            Value::Scalar { text, .. } if !is_null(text) && as_bool(text).is_none() => Some(text.clone()),
            Value::Scalar { .. } => {
                let message = format!("expected a text, found {}", node.kind());
                cx.fail_hint(node.place, message, "put it in quotes if it is meant as a text")
            }
            _ => cx.mismatch(node, "a text"),
        }
    }
}

impl Decode for bool {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, plain: true } => match as_bool(text) {
                Some(value) => Some(value),
                None => cx.mismatch(node, "true or false"),
            },
            _ => cx.mismatch(node, "true or false"),
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),+) => {
        $(impl Decode for $type {
            fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
                let Value::Scalar { text, plain: true } = &node.value else {
                    return cx.mismatch(node, "a whole number");
                };
                match text.replace('_', "").parse() {
                    Ok(number) => Some(number),
                    Err(_) => {
                        let max = <$type>::MAX;
                        let text = shorten(text);
                        cx.fail(node.place, format!("expected a whole number from 0 to {max}, found `{text}`"))
                    }
                }
            }
        })+
    };
}
whole_numbers!(u32, u64);

/// A duration such as `500ms`, `30s`, `5m`, `2h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Decode for Span {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Scalar { text, .. } = &node.value else { return cx.mismatch(node, "a duration") };
        match parse_duration(text) {
            Some(duration) => Some(Self(duration)),
            None => {
                let message = format!("`{}` is no duration", shorten(text));
                cx.fail_hint(node.place, message, "write a whole number and ms, s, m, h or d: `500ms`, `30s`")
            }
        }
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A whole number and its unit: `500ms`, `30s`, `5m`, `2h`, `7d`.",
            "pattern": "^[0-9_]+ ?(ms|s|m|h|d)$",
        })
    }
}

/// A size such as `512KiB`, `32MiB` or `1GiB`; a bare number is in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

impl Decode for ByteSize {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Scalar { text, .. } = &node.value else { return cx.mismatch(node, "a size") };
        match parse_size(text) {
            Some(bytes) => Some(Self(bytes)),
            None => {
                let message = format!("`{}` is no size", shorten(text));
                cx.fail_hint(node.place, message, "write a whole number and KiB, MiB or GiB: `32MiB`")
            }
        }
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A whole number and its unit: `512KiB`, `32MiB`, `1GiB`; a bare number is in bytes.",
            "pattern": "^[0-9_]+ ?(B|KiB|MiB|GiB|kB|MB|GB)?$",
            "minimum": 0,
        })
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim_start_matches(' ')))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3600)?),
        "d" => Duration::from_secs(number.checked_mul(24 * 3600)?),
        _ => return None,
    };
    (duration <= Duration::from_secs(MAX_SECONDS)).then_some(duration)
}

fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_need_known_units() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("2 h"), Some(Duration::from_secs(7200)));
        assert_eq!(parse_duration("366d"), Some(Duration::from_secs(MAX_SECONDS)));
        for wrong in ["", "s", "5", "-5s", "1.5s", "5S", "5 min", "367d", "99999999999999999999s", "5ſ"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        assert_eq!(parse_size("32MiB"), Some(32 << 20));
        assert_eq!(parse_size("1_000"), Some(1000));
        assert_eq!(parse_size("5 MB"), Some(5_000_000));
        for wrong in ["", "MiB", "1.5MiB", "1mib", "99999999999GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
