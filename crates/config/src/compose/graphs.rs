//! Hands graphs to routing: routes with their chains, and aliases.

use std::sync::Arc;

use pointsman_routing::{Builder, ChainId, NodeKind, NodeSpec};

use crate::compose::classes;
use crate::compose::deprecated::Used;
use crate::compose::parts::Prepared;
use crate::decode::Named;
use crate::domain::{Fallbacks, RouteOptions};
use crate::raw::{self, number};
use crate::snapshot::Snapshot;
use crate::validate::Checker;
use crate::yaml::{Place, Spanned};

/// Stands in for what could not be read: a provider that no name can mean.
const NOWHERE: &str = "\0";

/// What graphs are made of, and where they go.
pub(super) struct Graphs<'a, 'c> {
    pub(super) check: &'a mut Checker<'c>,
    pub(super) builder: &'a mut Builder,
    pub(super) places: &'a mut Vec<Place>,
    pub(super) used: &'a mut Used,
    pub(super) providers: &'a [Prepared],
    pub(super) previous: Option<&'a Snapshot>,
}

impl Graphs<'_, '_> {
    /// Routes in the order of their ids. A route that could not be read keeps its name.
    pub(super) fn routes(&mut self, written: Named<raw::Route>) -> Vec<Arc<RouteOptions>> {
        let mut options = Vec::with_capacity(written.0.len());
        for (name, raw) in written.0 {
            let place = number(self.places, name.place);
            let node = raw.and_then(|raw| {
                options.push(Arc::new(self.options(&name.value, raw.options)));
                let node = raw.node.into_spec(self.places);
                self.expanded(&name.value, node)
            });
            let node = node.unwrap_or_else(|| {
                self.builder.provider(&Arc::from(NOWHERE), true);
                NodeSpec { place, kind: NodeKind::Model(format!("{NOWHERE}/{NOWHERE}")) }
            });
            self.builder.route(&name.value, place, node);
        }
        options
    }

    /// Other names for routes, models and aliases.
    pub(super) fn aliases(&mut self, written: Named<Spanned<String>>) {
        for (name, target) in written.0 {
            // An alias without target was told already; its name leads nowhere.
            let Some(target) = target else { continue };
            let place = number(self.places, target.place);
            self.used.alias(&name.value, &target.value);
            self.builder.alias(&name.value, &target.value, place);
        }
    }

    fn options(&mut self, name: &str, mut raw: raw::RouteOptions) -> RouteOptions {
        let fallbacks = raw.fallbacks.take();
        let mut options = self.check.route(name, raw);
        if let Some(raw) = fallbacks {
            options.fallbacks = Fallbacks {
                context_too_long: self.chain(name, "context_too_long", raw.context_too_long),
                content_filter: self.chain(name, "content_filter", raw.content_filter),
                quota: self.chain(name, "quota", raw.quota),
            };
        }
        let before = self.previous.and_then(|previous| {
            previous.routes.iter().find(|route| *route.name == *name).map(|route| &route.state)
        });
        if let Some(state) = before {
            options.state = Arc::clone(state);
        }
        options
    }

    fn chain(&mut self, route: &str, cause: &str, written: Option<Spanned<raw::Chain>>) -> Option<ChainId> {
        let Spanned { value: written, place } = written?;
        if written.0.is_empty() {
            let hint = "leave the key out, or name at least one candidate";
            return self.check.cx.fail_hint(place, "an empty list leads nowhere", hint);
        }
        let place = number(self.places, place);
        let nodes = written.0.into_iter().map(|node| node.into_spec(self.places)).collect();
        let node = self.expanded(route, NodeSpec { place, kind: NodeKind::First(nodes) })?;
        Some(self.builder.chain(&format!("{route} ({cause})"), node))
    }

    fn expanded(&mut self, route: &str, node: NodeSpec) -> Option<NodeSpec> {
        self.used.route(route, &node);
        classes::expand(self.check, node, self.providers, self.places)
    }
}
