//! Values of queries and answers that are more than a number or a text.

use std::borrow::Cow;

use pointsman_core::{Money, RequestId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Longest text that is read as Unix seconds: the year 33,658 has twelve digits.
const MAX_SECONDS_DIGITS: usize = 12;

/// Milliseconds at which request ids end: 41 bits after their epoch.
const LAST_ID_MS: u64 = 1_704_067_200_000 + (1 << 41) - 1;

const ID_PATTERN: &str = "^req_[0-7][0-9a-hjkmnp-tv-z]{12}$";

/// A moment as the smallest request id that it can have: given as a request id or in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) RequestId);

/// An amount of dollars with all nine decimals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Dollars(serde_json::Number);

/// The request that a path names.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct RequestPath {
    /// The request's id, as in `x-pointsman-request-id`.
    #[schemars(with = "Id")]
    pub(crate) id: String,
}

/// How a request id looks.
struct Id;

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.len() <= MAX_SECONDS_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(seconds) if digits => match seconds * 1_000 {
                ms if ms > LAST_ID_MS => Some(Self(RequestId::from_i64(i64::MAX))),
                ms => Some(Self(RequestId::first_at(ms))),
            },
            // As it is shown, and no other way: `openapi.json` says how.
            _ => text.parse::<RequestId>().ok().filter(|id| id.to_string() == text).map(Self),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format_args!("`{text}` is neither a request id nor a time in Unix seconds"))
        })
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("{}|^[0-9]{{1,{MAX_SECONDS_DIGITS}}}$", ID_PATTERN),
        })
    }
}

impl From<Money> for Dollars {
    /// Exact: the digits are kept as they are written.
    fn from(amount: Money) -> Self {
        // A decimal is always a number.
        Self(amount.to_string().parse().unwrap_or_else(|_| amount.nanos().into()))
    }
}

impl JsonSchema for Dollars {
    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "description": "US dollars, exact to nine decimals."})
    }
}

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "RequestId".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": ID_PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_id_or_seconds() {
        let second = RequestId::first_at(1_795_000_000_000);
        assert_eq!(Moment::parse("1795000000").map(|moment| moment.0), Some(second));
        assert_eq!(Moment::parse(&second.to_string()).map(|moment| moment.0), Some(second));
        assert_eq!(Moment::parse("999999999999").map(|moment| moment.0), Some(RequestId::from_i64(i64::MAX)));
        for wrong in ["", "yesterday", "-1", "+5", "req_1", "1.5", "1000000000000", "REQ_0000000000000"] {
            assert!(Moment::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn dollars_keep_their_digits() {
        let text = serde_json::to_string(&Dollars::from(Money(4_200))).unwrap();
        assert_eq!(text, "0.000004200");
    }
}
