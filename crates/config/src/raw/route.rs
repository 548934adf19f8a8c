//! Routes as written: a node of the routing graph, and at its top also options.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Context, Decode, OneOrMany, Span, section};
use crate::raw::node::{self, GraphNode, graph, known_keys, words};
use crate::raw::resilience::{OffOr, Percent};
use crate::raw::{Disconnect, PathRule};
use crate::yaml::{Entry, Node, Spanned, Value, shorten};

/// The keys of [`RouteOptions`].
pub(super) const OPTION_KEYS: [&str; 13] = [
    "on_disconnect",
    "store_bodies",
    "timeouts",
    "retry",
    "hedge",
    "fallbacks",
    "on_interrupt",
    "tool_deltas",
    "coalesce",
    "priority",
    "pass_through",
    "strict",
    "fetch_media",
];

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
        /// When a second candidate is asked besides one that is late; `off` by default.
        hedge: Option<OffOr<Hedge>>,
        /// Candidates besides the route's own, for one cause each.
        fallbacks: Option<Fallbacks>,
        /// What a stream does whose provider fails after something of it was shown.
        on_interrupt: Option<Interrupt>,
        /// When the pieces of a tool call are shown.
        tool_deltas: Option<Deltas>,
        /// Whether requests that are the same to the byte, and at one time, share one answer.
        coalesce: Option<bool>,
        /// Who is served first where requests wait.
        priority: Option<PriorityWord>,
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
    #[derive(Default)]
    pub(crate) struct RouteTimeouts {
        /// Name resolution, TCP and TLS.
        connect: Option<Spanned<Span>>,
        /// From the sent request to the response head.
        first_byte: Option<Spanned<Span>>,
        /// From the response head to the first token, of a stream.
        first_token: Option<Spanned<Span>>,
        /// Between two chunks of a stream.
        between_chunks: Option<Spanned<Span>>,
        /// The whole request, with all attempts.
        total: Option<Spanned<Span>>,
        /// In place of these, for models that reason.
        reasoning: Option<ReasoningTimeouts>,
    }
}

section! {
    /// Limits for models that reason: they send nothing for minutes.
    #[derive(Default)]
    pub(crate) struct ReasoningTimeouts {
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
        /// How many requests of the route may be tried again.
        budget: Option<RetryBudget>,
    }
}

section! {
    /// How many requests of the route may be tried again: an outage must not multiply them.
    pub(crate) struct RetryBudget {
        /// Of a hundred requests.
        percent: Option<Percent>,
        /// So many a second in any case.
        minimum_per_second: Option<u32>,
    }
}

section! {
    /// When a second candidate is asked besides one that is late. The first answer counts, the other call is
    /// cancelled; both are paid for.
    pub(crate) struct Hedge {
        /// A percentile of the candidate's own times to the first token, or a time; `p95` by default.
        after: Option<Spanned<HedgeAfter>>,
        /// Of a hundred requests, how many may be asked twice; `5%` by default.
        max_share: Option<Spanned<Percent>>,
    }
}

section! {
    /// Candidates besides the route's own, for one cause each.
    pub(crate) struct Fallbacks {
        /// Where the request is too long for a model; without, those of the route that take longer ones.
        context_too_long: Option<Spanned<Chain>>,
        /// Where a provider's filter refuses; without, its reason goes to the caller.
        content_filter: Option<Spanned<Chain>>,
        /// Where an account has nothing left; without, those of the route.
        quota: Option<Spanned<Chain>>,
    }
}

/// A node, or several in order.
pub(crate) type Chain = OneOrMany<GraphNode>;

words! {
    /// What a stream does whose provider fails after something of it was shown.
    pub(crate) enum Interrupt {
        /// The next candidate goes on from there.
        Continue = "continue",
        /// The next candidate starts again, where nothing was shown that would have to be taken back.
        Restart = "restart",
        /// It ends with an error.
        Error = "error",
    }
}

words! {
    /// When the pieces of a tool call are shown.
    pub(crate) enum Deltas {
        /// When its arguments are complete and valid, where another candidate could begin it anew.
        Hold = "hold",
        /// At once.
        Live = "live",
    }
}

words! {
    /// Who is served first where requests wait.
    pub(crate) enum PriorityWord {
        /// Before all others.
        High = "high",
        /// As most.
        Normal = "normal",
        /// After all others.
        Low = "low",
    }
}

/// `p95`, or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HedgeAfter {
    Percentile(u8),
    Fixed(Duration),
}

impl Decode for HedgeAfter {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Scalar { text, .. } = &node.value else {
            return cx.mismatch(node, "a percentile or a duration");
        };
        let Some(percentile) = text.strip_prefix('p') else {
            return Span::decode(node, cx).map(|span| Self::Fixed(span.0));
        };
        match percentile.parse() {
            Ok(percentile @ 1..=99) => Some(Self::Percentile(percentile)),
            _ => {
                let message = format!("`{}` is no percentile", shorten(text));
                cx.fail_hint(node.place, message, "write `p50` to `p99`, or a time: `2s`")
            }
        }
    }
}

impl JsonSchema for HedgeAfter {
    fn schema_name() -> Cow<'static, str> {
        "HedgeAfter".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Span>();
        json_schema!({ "anyOf": [{ "type": "string", "pattern": "^p[1-9][0-9]?$" }, duration] })
    }
}

impl Decode for Route {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let options = RouteOptions::default();
            return GraphNode::decode(node, cx).map(|node| Self { node, options });
        };
        cx.refuse_unknown(entries, &known_keys());
        let is_option = |entry: &&Entry| OPTION_KEYS.contains(&entry.key.value.as_str());
        let options: Vec<Entry> = entries.iter().filter(is_option).cloned().collect();
        let options = RouteOptions::decode(&Node { place: node.place, value: Value::Map(options) }, cx);
        let graph = graph(node.place, entries, cx);
        Some(Self { node: graph?, options: options? })
    }
}

impl JsonSchema for Route {
    fn schema_name() -> Cow<'static, str> {
        "Route".into()
    }

    /// The node's keys and the options in one map.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut all = node::properties(generator);
        let options = RouteOptions::json_schema(generator);
        if let Some(serde_json::Value::Object(options)) = options.pointer("/properties") {
            all.extend(options.clone());
        }
        json_schema!({
            "description": "A virtual model: where its requests go, and options.",
            "oneOf": [{ "type": "string" }, node::object(&all)],
        })
    }
}
