//! Routes as written: a node of the routing graph, and at its top also options.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use pointsman_routing::{BranchSpec, NodeKind, NodeSpec};

use crate::decode::{Context, Decode, Span, section};
use crate::raw::{Disconnect, PathRule};
use crate::yaml::{Entry, Node, Place, Spanned, Value};

/// The keys that make a node; exactly one of them must be there.
const NODE_KEYS: [&str; 4] = ["model", "route", "first", "split"];
const OPTION_KEYS: [&str; 7] =
    ["on_disconnect", "store_bodies", "timeouts", "retry", "pass_through", "strict", "fetch_media"];
const NODE_HINT: &str = "a node is a name, or has exactly one of `model`, `route`, `first` and `split`";

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

/// A route: its graph and its options.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) node: GraphNode,
    pub(crate) options: RouteOptions,
}

section! {
    /// What a route says besides its graph.
    #[derive(Default)]
    pub(crate) struct RouteOptions {
        /// What happens to the upstream call when the client hangs up.
        on_disconnect: Option<Disconnect>,
        /// Whether request and answer bodies are kept in the record.
        store_bodies: Option<bool>,
        /// Limits in place of the providers' own.
        timeouts: Option<RouteTimeouts>,
        /// How often and how fast to try again.
        retry: Option<Retry>,
        /// Paths that no handler serves and that go to the route's providers.
        pass_through: Option<Vec<PathRule>>,
        /// Whether a field that the provider's dialect has no place for is an error instead of being left out.
        strict: Option<bool>,
        /// Whether media that clients name by address are fetched for providers that only take their bytes.
        fetch_media: Option<bool>,
    }
}

section! {
    /// Limits in place of the providers' own.
    pub(crate) struct RouteTimeouts {
        /// From the sent request to the response head.
        first_byte: Option<Spanned<Span>>,
        /// From the response head to the first token, of a stream.
        first_token: Option<Spanned<Span>>,
        /// Between two chunks of a stream.
        between_chunks: Option<Spanned<Span>>,
        /// The whole request, with all attempts.
        total: Option<Spanned<Span>>,
    }
}

section! {
    /// How often and how fast to try again.
    pub(crate) struct Retry {
        /// Calls of one candidate, the first included.
        attempts: Option<Spanned<u32>>,
        /// Calls of one request in all, the first included.
        total_attempts: Option<Spanned<u32>>,
        /// The upper bound of the first pause; it doubles with each retry.
        base: Option<Spanned<Span>>,
        /// The longest pause.
        cap: Option<Spanned<Span>>,
    }
}

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
        };
        NodeSpec { place, kind }
    }
}

/// The number by which routing knows a place.
pub(crate) fn number(places: &mut Vec<Place>, place: Place) -> u32 {
    places.push(place);
    u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
}

impl Decode for Route {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let options = RouteOptions::default();
            return GraphNode::decode(node, cx).map(|node| Self { node, options });
        };
        let known: Vec<&str> = NODE_KEYS.into_iter().chain(OPTION_KEYS).collect();
        cx.refuse_unknown(entries, &known);
        let is_option = |entry: &&Entry| OPTION_KEYS.contains(&entry.key.value.as_str());
        let options: Vec<Entry> = entries.iter().filter(is_option).cloned().collect();
        let options = RouteOptions::decode(&Node { place: node.place, value: Value::Map(options) }, cx);
        let graph = graph(node.place, entries, cx);
        Some(Self { node: graph?, options: options? })
    }
}

impl Decode for GraphNode {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries.iter().filter(|entry| OPTION_KEYS.contains(&entry.key.value.as_str())) {
                    let message = format!("`{}` is an option of the route as a whole", entry.key.value);
                    cx.fail_hint::<()>(entry.key.place, message, "write it at the top of the route");
                }
                let known: Vec<&str> = NODE_KEYS.into_iter().chain(OPTION_KEYS).collect();
                cx.refuse_unknown(entries, &known);
                graph(node.place, entries, cx)
            }
            Value::Scalar { .. } if !node.is_null() => {
                String::decode(node, cx).map(|name| Self { place: node.place, kind: GraphKind::Name(name) })
            }
            _ => cx.fail_hint(node.place, format!("expected a node, found {}", node.kind()), NODE_HINT),
        }
    }
}

/// The one key that makes the node.
fn graph(place: Place, entries: &[Entry], cx: &mut Context) -> Option<GraphNode> {
    let mut keys = entries.iter().filter(|entry| NODE_KEYS.contains(&entry.key.value.as_str()));
    let Some(entry) = keys.next() else {
        return cx.fail_hint(place, "nothing says where requests go", NODE_HINT);
    };
    if let Some(second) = keys.next() {
        let message = format!("`{}` and `{}` in one node", entry.key.value, second.key.value);
        return cx.fail_hint(second.key.place, message, NODE_HINT);
    }
    let place = entry.value.place;
    let kind = match entry.key.value.as_str() {
        "model" => GraphKind::Model(String::decode(&entry.value, cx)?),
        "route" => GraphKind::Route(String::decode(&entry.value, cx)?),
        "first" => GraphKind::First(Vec::decode(&entry.value, cx)?),
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
        let node = generator.subschema_for::<Self>();
        let branch = generator.subschema_for::<BranchRaw>();
        json_schema!({
            "description": "Where requests go. A text is the name of a model, route or alias.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": false,
                    "properties": {
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
                    },
                },
            ],
        })
    }
}

impl JsonSchema for Route {
    fn schema_name() -> Cow<'static, str> {
        "Route".into()
    }

    /// The node's keys and the options in one map.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let node = GraphNode::json_schema(generator);
        let options = RouteOptions::json_schema(generator);
        let properties = |schema: &Schema, pointer: &str| schema.pointer(pointer).cloned();
        let mut all = properties(&node, "/oneOf/1/properties").unwrap_or_default();
        if let (Some(all), Some(serde_json::Value::Object(options))) =
            (all.as_object_mut(), properties(&options, "/properties"))
        {
            all.extend(options);
        }
        let required: Vec<_> = NODE_KEYS.iter().map(|key| serde_json::json!({ "required": [key] })).collect();
        json_schema!({
            "description": "A virtual model: where its requests go, and options.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": all,
                    "additionalProperties": false,
                    "oneOf": required,
                },
            ],
        })
    }
}
