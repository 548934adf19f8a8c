//! `balance` as written: branches, and beside them by what and how requests are kept together.

use std::borrow::Cow;
use std::time::Duration;

use pointsman_resilience::{AffinityBy, AffinityPolicy, Strategy};
use pointsman_routing::{BalanceBranchSpec, BalanceSpec};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Context, Decode, Span, section};
use crate::raw::node::{GraphNode, number, words};
use crate::yaml::{Entry, Node, Place, Spanned, Value};

/// The keys that stand beside `balance`.
pub(super) const BESIDE: [&str; 3] = ["by", "affinity", "affinity_ttl"];
/// Prompts are kept in providers' caches for about so long.
const USUAL_TTL: Duration = Duration::from_secs(600);

/// A `balance` node with places in place of numbers.
#[derive(Debug)]
pub(crate) struct Balance {
    strategy: Strategy,
    affinity: Option<AffinityPolicy>,
    branches: Vec<BalanceBranch>,
}

words! {
    /// How one of several deployments is chosen.
    pub(crate) enum By {
        /// The better of two drawn ones, by its own latency and what is in flight.
        PeakEwma = "peak_ewma",
        /// Drawn by weight.
        Weighted = "weighted",
        /// In turn.
        RoundRobin = "round_robin",
        /// The one with the fewest calls in flight.
        LeastBusy = "least_busy",
        /// The one whose first token comes soonest.
        LowestLatency = "lowest_latency",
        /// The one with the lowest price.
        Cheapest = "cheapest",
        /// The lowest `priority` first.
        Priority = "priority",
        /// By a hash of the caller and the deployment.
        Rendezvous = "rendezvous",
    }
}

words! {
    /// What stays with the deployment where it was, while that is well.
    pub(crate) enum Affinity {
        /// Nothing.
        Off = "off",
        /// What the caller calls one session.
        Session = "session",
        /// Conversations that begin alike.
        Prefix = "prefix",
        /// Requests of one user.
        User = "user",
    }
}

section! {
    /// A branch of `balance`.
    pub(crate) struct BalanceBranch {
        /// How much it can take, compared with the others; 1 by default.
        weight: Option<Spanned<u32>>,
        /// Its tier, for `by: priority`: lower ones first; 0 by default.
        priority: Option<Spanned<u32>>,
        /// Where requests go.
        to: GraphNode,
    }
}

/// A branch, or its node alone.
struct BranchOrNode(BalanceBranch);

impl Decode for BranchOrNode {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let is_branch = |entry: &Entry| matches!(entry.key.value.as_str(), "to" | "weight" | "priority");
        match &node.value {
            Value::Map(entries) if entries.iter().any(is_branch) => {
                if !entries.iter().any(|entry| entry.key.value == "to") {
                    let hint = "write `{ weight: 2, to: provider/model }`";
                    return cx.fail_hint(node.place, "the key `to` is missing", hint);
                }
                BalanceBranch::decode(node, cx).map(Self)
            }
            _ => {
                GraphNode::decode(node, cx).map(|to| Self(BalanceBranch { weight: None, priority: None, to }))
            }
        }
    }
}

impl Balance {
    /// `node` is what `balance` holds, `entries` the map that it is in.
    pub(super) fn decode(node: &Node, entries: &[Entry], cx: &mut Context) -> Option<Self> {
        let at = node.place;
        let by: Option<Option<By>> = cx.field(at, entries, "by");
        let affinity: Option<Option<Affinity>> = cx.field(at, entries, "affinity");
        let ttl: Option<Option<Spanned<Span>>> = cx.field(at, entries, "affinity_ttl");
        let branches: Option<Vec<BranchOrNode>> = Vec::decode(node, cx);
        let strategy = by?.map_or(Strategy::default(), Strategy::from);
        let affinity = policy(affinity?, ttl?, cx);
        let branches: Vec<_> = branches?.into_iter().map(|branch| branch.0).collect();
        for written in branches.iter().filter_map(|branch| branch.priority.as_ref()) {
            if strategy != Strategy::Priority {
                let message = "`priority` counts with `by: priority` only";
                cx.fail_hint::<()>(written.place, message, "write `by: priority` beside `balance`");
            }
        }
        Some(Self { strategy, affinity, branches })
    }

    /// The form that routing knows.
    pub(super) fn into_spec(self, places: &mut Vec<Place>) -> BalanceSpec {
        let branches = self.branches.into_iter().map(|BalanceBranch { weight, priority, to }| {
            let to = to.into_spec(places);
            BalanceBranchSpec {
                place: weight.as_ref().map_or(to.place, |weight| number(places, weight.place)),
                weight: weight.map_or(1, |weight| weight.value),
                priority: priority.map_or(0, |priority| priority.value),
                to,
            }
        });
        BalanceSpec { strategy: self.strategy, affinity: self.affinity, branches: branches.collect() }
    }
}

fn policy(
    affinity: Option<Affinity>,
    ttl: Option<Spanned<Span>>,
    cx: &mut Context,
) -> Option<AffinityPolicy> {
    let by = match affinity {
        Some(Affinity::Session) => AffinityBy::Session,
        Some(Affinity::Prefix) => AffinityBy::Prefix,
        Some(Affinity::User) => AffinityBy::User,
        Some(Affinity::Off) | None => {
            let ttl = ttl?;
            let hint = "write `affinity: session`, `prefix` or `user` as well";
            return cx.fail_hint(ttl.place, "`affinity_ttl` without `affinity`", hint);
        }
    };
    if let Some(ttl) = ttl.as_ref().filter(|ttl| ttl.value.0.is_zero()) {
        cx.fail_hint::<()>(ttl.place, "nothing is remembered for 0 seconds", "write `affinity: off`");
    }
    Some(AffinityPolicy { by, ttl: ttl.map_or(USUAL_TTL, |ttl| ttl.value.0) })
}

impl From<By> for Strategy {
    fn from(by: By) -> Self {
        match by {
            By::PeakEwma => Self::PeakEwma,
            By::Weighted => Self::Weighted,
            By::RoundRobin => Self::RoundRobin,
            By::LeastBusy => Self::LeastBusy,
            By::LowestLatency => Self::LowestLatency,
            By::Cheapest => Self::Cheapest,
            By::Priority => Self::Priority,
            By::Rendezvous => Self::Rendezvous,
        }
    }
}

/// `balance` and what stands beside it.
pub(super) fn properties(generator: &mut SchemaGenerator) -> serde_json::Map<String, serde_json::Value> {
    let branch = generator.subschema_for::<BranchOrNode>();
    let by = generator.subschema_for::<By>();
    let affinity = generator.subschema_for::<Affinity>();
    let ttl = generator.subschema_for::<Span>();
    let described = |schema: Schema, text: &str| json_schema!({ "description": text, "allOf": [schema] });
    let properties = json_schema!({
        "balance": {
            "type": "array", "items": branch, "minItems": 1,
            "description": "The best one by what is known of them now; the others follow as fallbacks.",
        },
        "by": described(by, "Of `balance`: what \"best\" means; `peak_ewma` by default."),
        "affinity": described(affinity, "Of `balance`: what stays where it was; nothing by default."),
        "affinity_ttl": described(ttl, "Of `balance`: how long that is remembered; `10m` by default."),
    });
    properties.as_object().cloned().unwrap_or_default()
}

impl JsonSchema for BranchOrNode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BranchOrNode".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (branch, node) =
            (generator.subschema_for::<BalanceBranch>(), generator.subschema_for::<GraphNode>());
        json_schema!({ "anyOf": [branch, node] })
    }
}
