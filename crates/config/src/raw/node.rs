//! A node of the routing graph as written. What a route says besides is in `route.rs`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use pointsman_routing::{BranchSpec, NodeKind, NodeSpec};

use crate::decode::{Context, Decode, section};
use crate::raw::balance::{self, BESIDE, Balance};
use crate::raw::route::OPTION_KEYS;
use crate::yaml::{Entry, Node, Place, Spanned, Value};

/// The keys that make a node; exactly one of them must be there.
pub(super) const NODE_KEYS: [&str; 5] = ["model", "route", "first", "split", "balance"];
const NODE_HINT: &str =
    "a node is a name, or has exactly one of `model`, `route`, `first`, `split` and `balance`";

/// Declares an enum whose variants are words.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub(crate) enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        $(#[$meta])*
        pub(crate) enum $name { $($(#[$variant_meta])* #[schemars(rename = $word)] $variant,)+ }

        impl $crate::decode::Decode for $name {
            fn decode(
                node: &$crate::yaml::Node,
                cx: &mut $crate::decode::Context,
            ) -> Option<Self> {
                let text = String::decode(node, cx)?;
                match text.as_str() {
                    $($word => Some(Self::$variant),)+
                    other => {
                        let words: &[&str] = &[$($word),+];
                        let message = format!("`{}` is none of {}", $crate::yaml::shorten(other), words.join(", "));
                        let meant = $crate::decode::similar(other, words.iter().copied());
                        cx.fail_with(node.place, message, meant.map(|word| format!("did you mean `{word}`?")))
                    }
                }
            }
        }
    };
}
pub(crate) use words;

/// A node of the routing graph with places in place of numbers.
#[derive(Debug)]
pub(crate) struct GraphNode {
    place: Place,
    kind: GraphKind,
}

#[derive(Debug)]
enum GraphKind {
    Name(String),
    Model(String),
    Route(String),
    First(Vec<GraphNode>),
    Split(Vec<(Spanned<u32>, GraphNode)>),
    Balance(Balance),
}

impl GraphNode {
    /// The form that routing knows; places become indices into `places`.
    pub(crate) fn into_spec(self, places: &mut Vec<Place>) -> NodeSpec {
        let place = number(places, self.place);
        let kind = match self.kind {
            GraphKind::Name(name) => NodeKind::Name(name),
            GraphKind::Model(name) => NodeKind::Model(name),
            GraphKind::Route(name) => NodeKind::Route(name),
            GraphKind::First(nodes) => {
                NodeKind::First(nodes.into_iter().map(|node| node.into_spec(places)).collect())
            }
            GraphKind::Split(branches) => NodeKind::Split(
                branches
                    .into_iter()
                    .map(|(weight, to)| BranchSpec {
                        weight: weight.value,
                        place: number(places, weight.place),
                        to: to.into_spec(places),
                    })
                    .collect(),
            ),
            GraphKind::Balance(balance) => NodeKind::Balance(balance.into_spec(places)),
        };
        NodeSpec { place, kind }
    }
}

/// The number by which routing knows a place.
pub(crate) fn number(places: &mut Vec<Place>, place: Place) -> u32 {
    places.push(place);
    u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
}

impl Decode for GraphNode {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries.iter().filter(|entry| OPTION_KEYS.contains(&entry.key.value.as_str())) {
                    let message = format!("`{}` is an option of the route as a whole", entry.key.value);
                    cx.fail_hint::<()>(entry.key.place, message, "write it at the top of the route");
                }
                cx.refuse_unknown(entries, &known_keys());
                graph(node.place, entries, cx)
            }
            Value::Scalar { .. } if !node.is_null() => {
                String::decode(node, cx).map(|name| Self { place: node.place, kind: GraphKind::Name(name) })
            }
            _ => cx.fail_hint(node.place, format!("expected a node, found {}", node.kind()), NODE_HINT),
        }
    }
}

/// All that may stand in a map that is a route or another node.
pub(super) fn known_keys() -> Vec<&'static str> {
    NODE_KEYS.into_iter().chain(BESIDE).chain(OPTION_KEYS).collect()
}

/// The one key that makes the node.
pub(super) fn graph(place: Place, entries: &[Entry], cx: &mut Context) -> Option<GraphNode> {
    let mut keys = entries.iter().filter(|entry| NODE_KEYS.contains(&entry.key.value.as_str()));
    let Some(entry) = keys.next() else {
        return cx.fail_hint(place, "nothing says where requests go", NODE_HINT);
    };
    if let Some(second) = keys.next() {
        let message = format!("`{}` and `{}` in one node", entry.key.value, second.key.value);
        return cx.fail_hint(second.key.place, message, NODE_HINT);
    }
    if entry.key.value != "balance" {
        for other in entries.iter().filter(|entry| BESIDE.contains(&entry.key.value.as_str())) {
            let message = format!("`{}` belongs to `balance`", other.key.value);
            cx.fail_hint::<()>(other.key.place, message, "leave it out, or balance between candidates");
        }
    }
    let place = entry.value.place;
    let kind = match entry.key.value.as_str() {
        "model" => GraphKind::Model(String::decode(&entry.value, cx)?),
        "route" => GraphKind::Route(String::decode(&entry.value, cx)?),
        "first" => GraphKind::First(Vec::decode(&entry.value, cx)?),
        "balance" => GraphKind::Balance(Balance::decode(&entry.value, entries, cx)?),
        _ => GraphKind::Split(branches(&entry.value, cx)?),
    };
    Some(GraphNode { place, kind })
}

section! {
    /// A branch of `split`.
    pub(crate) struct BranchRaw {
        /// Its share of the sum of all weights.
        weight: Spanned<u32>,
        /// Where the share goes.
        to: GraphNode,
    }
}

fn branches(node: &Node, cx: &mut Context) -> Option<Vec<(Spanned<u32>, GraphNode)>> {
    let branches: Vec<BranchRaw> = Vec::decode(node, cx)?;
    Some(branches.into_iter().map(|branch| (branch.weight, branch.to)).collect())
}

impl JsonSchema for GraphNode {
    fn schema_name() -> Cow<'static, str> {
        "Node".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let properties = properties(generator);
        json_schema!({
            "description": "Where requests go. A text is the name of a model, route or alias.",
            "oneOf": [{ "type": "string" }, object(&properties)],
        })
    }
}

/// The keys of a node, by what they hold.
pub(super) fn properties(generator: &mut SchemaGenerator) -> serde_json::Map<String, serde_json::Value> {
    let node = generator.subschema_for::<GraphNode>();
    let branch = generator.subschema_for::<BranchRaw>();
    let properties = json_schema!({
        "model": { "type": "string", "description": "One deployment: `provider/model`." },
        "route": { "type": "string", "description": "Another route." },
        "first": {
            "type": "array", "items": node, "minItems": 1,
            "description": "In this order, each the fallback of the one before.",
        },
        "split": {
            "type": "array", "items": branch, "minItems": 1,
            "description": "One drawn by weight; the others follow as fallbacks.",
        },
    });
    let mut properties = properties.as_object().cloned().unwrap_or_default();
    properties.extend(balance::properties(generator));
    properties
}

/// A map with these keys, of which exactly one makes the node.
pub(super) fn object(properties: &serde_json::Map<String, serde_json::Value>) -> Schema {
    let required: Vec<_> = NODE_KEYS.iter().map(|key| serde_json::json!({ "required": [key] })).collect();
    json_schema!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": required,
        "dependentRequired": {
            "by": ["balance"], "affinity": ["balance"], "affinity_ttl": ["affinity"],
        },
    })
}
