//! Secrets are never in the file itself, only where to find them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Context, Decode};
use crate::yaml::{Node, Place, Value};

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Env { name: String, place: Place },
    File { path: String, place: Place },
}

const HINT: &str = "write `{ env: NAME }` or `{ file: PATH }` instead, and put the value there";

impl Decode for Secret {
    /// The value of a literal is never repeated: reports end up in logs and tickets.
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let message = match &node.value {
                Value::Scalar { .. } if !node.is_null() => {
                    "a secret must not be written into the configuration"
                }
                _ => "expected where to find a secret",
            };
            return cx.fail_hint(node.place, message, HINT);
        };
        cx.refuse_unknown(entries, &["env", "file"]);
        let env: Option<String> = cx.field(node.place, entries, "env")?;
        let file: Option<String> = cx.field(node.place, entries, "file")?;
        let place = node.place;
        match (env, file) {
            (Some(name), None) => Some(Self::Env { name, place }),
            (None, Some(path)) => Some(Self::File { path, place }),
            _ => cx.fail_hint(place, "expected either `env` or `file`", HINT),
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is: in an environment variable (or `.env`), or in a file.",
            "oneOf": [
                {
                    "type": "object",
                    "properties": { "env": { "type": "string" } },
                    "required": ["env"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "file": { "type": "string" } },
                    "required": ["file"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
