//! When a deployment is left in peace, and what it can take, as written.

use std::borrow::Cow;

use pointsman_providers::Prefill;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Context, Decode, Span, section};
use crate::raw::node::words;
use crate::yaml::{Node, Spanned, Value, shorten};

/// Something that can be turned off by the word `off`.
#[derive(Debug)]
pub(crate) enum OffOr<T> {
    Off,
    On(T),
}

impl<T: Decode> Decode for OffOr<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } if text == "off" => Some(Self::Off),
            Value::Map(_) => T::decode(node, cx).map(Self::On),
            _ => cx.mismatch(node, "`off` or a map"),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OffOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OffOr_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let on = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "const": "off" }, on] })
    }
}

section! {
    /// When a deployment is left in peace. Whichever rule is met first counts.
    pub(crate) struct Breaker {
        /// Failures within `window`; 0: their number alone does not count.
        failures: Option<Spanned<u32>>,
        /// How long a failure counts.
        window: Option<Spanned<Span>>,
        /// After which one call may try again.
        open_for: Option<Spanned<Span>>,
        /// Failures in a row, however far apart.
        consecutive: Option<Spanned<u32>>,
        /// A share of failures within `window`.
        share: Option<FailureShare>,
    }
}

section! {
    /// A share of failures that means something.
    pub(crate) struct FailureShare {
        /// Failed calls of a hundred.
        percent: Spanned<Percent>,
        /// Calls within the window below which a share says nothing.
        minimum: Option<Spanned<u32>>,
    }
}

section! {
    /// What each deployment can take.
    pub(crate) struct Limits {
        /// Calls in a minute, with each key.
        requests_per_minute: Option<Spanned<u64>>,
        /// Tokens in a minute, in and out, with each key.
        tokens_per_minute: Option<Spanned<u64>>,
        /// Calls at one time.
        concurrency: Option<Spanned<u32>>,
        /// Requests that may wait for one of them to end.
        queue: Option<Spanned<u32>>,
        /// How long each of them waits.
        queue_wait: Option<Spanned<Span>>,
    }
}

section! {
    /// Calls that find out whether a deployment is well again. Each asks for one token and is paid for.
    pub(crate) struct Probe {
        /// The pause between two.
        every: Option<Spanned<Span>>,
        /// How many a day.
        max_per_day: Option<Spanned<u32>>,
    }
}

words! {
    /// How a model goes on from an answer that has begun.
    pub(crate) enum PrefillWord {
        /// Not at all.
        Off = "off",
        /// By itself, where the assistant has the last word.
        Message = "message",
        /// `prefix: true` in that message.
        Prefix = "prefix",
        /// `partial: true` in that message.
        Partial = "partial",
        /// `continue_final_message: true` in the request.
        ContinueFinalMessage = "continue_final_message",
    }
}

impl From<PrefillWord> for Prefill {
    fn from(word: PrefillWord) -> Self {
        match word {
            PrefillWord::Off => Self::None,
            PrefillWord::Message => Self::Message,
            PrefillWord::Prefix => Self::Prefix,
            PrefillWord::Partial => Self::Partial,
            PrefillWord::ContinueFinalMessage => Self::ContinueFinalMessage,
        }
    }
}

/// A whole number of hundredths, with or without its sign: `5%`, `5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) u8);

impl Decode for Percent {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Scalar { text, .. } = &node.value else { return cx.mismatch(node, "a percentage") };
        let number = text.strip_suffix('%').unwrap_or(text).trim_end();
        match number.parse() {
            Ok(percent @ 0..=100) => Some(Self(percent)),
            _ => {
                let message = format!("`{}` is no percentage", shorten(text));
                cx.fail_hint(node.place, message, "write a whole number from 0 to 100: `5%`")
            }
        }
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number from 0 to 100, with or without its sign: `5%`.",
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 100 },
                { "type": "string", "pattern": "^(100|[0-9]{1,2}) ?%?$" },
            ],
        })
    }
}
