//! Names in graphs to ids, then the checks that need all graphs: cycles, depth, size.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Builder, Named};
use crate::closest::{Closest, truncate};
use crate::error::{BuildError, BuildErrorKind, ResolveError};
use crate::resolver::{Names, Resolver, Route, Target};
use crate::spec::{
    BalanceBranch, BalanceId, BalanceNode, BalanceSpec, Branch, BranchSpec, DeploymentId, Node, NodeKind,
    NodeSpec, Place, ProviderId,
};

/// Nodes that a plan may be nested in, through all routes: the walk is recursive, and runs on the
/// stack of a worker thread.
const MAX_DEPTH: u32 = 64;
/// Leaves that a plan may have, through all routes: nested routes multiply.
const MAX_LEAVES: u64 = 1_000;
/// How many close names an error offers.
const CLOSEST: usize = 3;
/// Jaro-Winkler similarity below which a name is no help.
const SIMILAR: f64 = 0.7;

pub(super) fn run(builder: Builder) -> Result<Resolver, Vec<BuildError>> {
    let short = builder.short_names();
    let mut compiler = Compiler {
        builder,
        short,
        closest: None,
        errors: Vec::new(),
        balances: 0,
        route: Arc::from(""),
        in_route: 0,
    };
    compiler.errors.append(&mut compiler.builder.errors);

    let aliases: Vec<Option<Target>> =
        (0..compiler.builder.aliases.len()).map(|index| compiler.alias(index)).collect();
    let mut specs = std::mem::take(&mut compiler.builder.routes);
    let routes = specs.len();
    // Chains are checked as routes are; only nothing leads to them.
    specs.append(&mut compiler.builder.chains);
    let nodes: Vec<Option<Node>> = specs.iter().map(|(name, spec)| compiler.route_of(name, spec)).collect();

    let mut checks = Checks {
        routes: &specs,
        nodes: &nodes,
        sizes: vec![State::New; nodes.len()],
        path: Vec::new(),
        level: 0,
        errors: Vec::new(),
    };
    for position in 0..nodes.len() {
        checks.route(position);
    }
    compiler.errors.append(&mut checks.errors);

    if !compiler.errors.is_empty() {
        return Err(compiler.errors);
    }
    let compiled =
        specs.into_iter().zip(nodes).filter_map(|((name, _), node)| Some(Route { name, node: node? }));
    let mut all: Vec<Route> = compiled.collect();
    let chains = all.split_off(routes.min(all.len())).into_iter().map(|chain| chain.node).collect();
    Ok(compiler.builder.finish(all, chains, compiler.balances, &aliases))
}

struct Compiler {
    builder: Builder,
    short: Names<SmallVec<[DeploymentId; 1]>>,
    /// Built when the first error needs it.
    closest: Option<Closest>,
    errors: Vec<BuildError>,
    /// `balance` nodes so far.
    balances: u32,
    /// The route that is compiled.
    route: Arc<str>,
    /// Its `balance` nodes so far.
    in_route: u32,
}

impl Compiler {
    fn route_of(&mut self, name: &Arc<str>, spec: &NodeSpec) -> Option<Node> {
        self.route = Arc::clone(name);
        self.in_route = 0;
        self.node(spec, 0)
    }

    fn node(&mut self, spec: &NodeSpec, depth: u32) -> Option<Node> {
        if depth >= MAX_DEPTH {
            return self.fail(spec.place, BuildErrorKind::TooDeep { max: MAX_DEPTH });
        }
        match &spec.kind {
            NodeKind::Name(name) => self.name(name, spec.place),
            NodeKind::Model(name) => self.model(name, spec.place).map(Node::Model),
            NodeKind::Route(name) => self.route(name, spec.place),
            NodeKind::First(specs) if specs.is_empty() => {
                self.fail(spec.place, BuildErrorKind::Empty("first"))
            }
            NodeKind::First(specs) => {
                // Collected before looking, so that every element's error is reported.
                let nodes: Vec<_> = specs.iter().map(|spec| self.node(spec, depth + 1)).collect();
                nodes.into_iter().collect::<Option<Box<[Node]>>>().map(Node::First)
            }
            NodeKind::Split(specs) if specs.is_empty() => {
                self.fail(spec.place, BuildErrorKind::Empty("split"))
            }
            NodeKind::Split(specs) => self.split(specs, depth),
            NodeKind::Balance(balance) if balance.branches.is_empty() => {
                self.fail(spec.place, BuildErrorKind::Empty("balance"))
            }
            NodeKind::Balance(balance) => self.balance(balance, depth),
        }
    }

    fn split(&mut self, specs: &[BranchSpec], depth: u32) -> Option<Node> {
        let mut branches = Vec::with_capacity(specs.len());
        for spec in specs {
            if spec.weight == 0 {
                self.errors.push(BuildError { place: spec.place, kind: BuildErrorKind::ZeroWeight });
            }
            if let Some(to) = self.node(&spec.to, depth + 1) {
                branches.push(Branch { weight: spec.weight, to });
            }
        }
        branches.sort_by_key(|branch| std::cmp::Reverse(branch.weight));
        let total = branches.iter().map(|branch| u64::from(branch.weight)).sum();
        Some(Node::Split { branches: branches.into(), total })
    }

    fn balance(&mut self, spec: &BalanceSpec, depth: u32) -> Option<Node> {
        let id = BalanceId(self.balances);
        self.balances += 1;
        self.in_route += 1;
        let name = match self.in_route {
            1 => Arc::clone(&self.route),
            number => format!("{}#{number}", self.route).into(),
        };
        let mut branches = Vec::with_capacity(spec.branches.len());
        for branch in &spec.branches {
            if branch.weight == 0 {
                self.errors.push(BuildError { place: branch.place, kind: BuildErrorKind::ZeroWeight });
            }
            if let Some(to) = self.node(&branch.to, depth + 1) {
                branches.push(BalanceBranch { weight: branch.weight, priority: branch.priority, to });
            }
        }
        let BalanceSpec { strategy, affinity, .. } = *spec;
        Some(Node::Balance(Box::new(BalanceNode { id, name, strategy, affinity, branches: branches.into() })))
    }

    /// A bare name, by the same rules as a request's.
    fn name(&mut self, name: &str, place: Place) -> Option<Node> {
        if self.provider_of(name).is_none() {
            match self.builder.taken.get(name) {
                Some(Named::Route(id)) => return Some(Node::Route(*id)),
                Some(Named::Alias(index)) => {
                    let index = *index;
                    // Its own error was reported where the alias is written.
                    let errors = self.errors.len();
                    let target = self.alias(index);
                    self.errors.truncate(errors);
                    return match target? {
                        Target::Deployment(id) => Some(Node::Model(id)),
                        Target::Route(id) => Some(Node::Route(id)),
                        Target::Ambiguous(_) => None,
                    };
                }
                None => {}
            }
        }
        self.model(name, place).map(Node::Model)
    }

    /// `provider/model`, or a model name that only one provider has. Models that an open-ended
    /// provider does not list become deployments here.
    fn model(&mut self, name: &str, place: Place) -> Option<DeploymentId> {
        if let Some(&id) = self.builder.full_names.get(name) {
            return Some(id);
        }
        if let Some((provider, model)) = self.provider_of(name) {
            let open = self.builder.open_ended.get(provider.index()).copied().unwrap_or(false);
            if open && !model.is_empty() {
                return Some(self.builder.deployment(provider, model));
            }
            return self.unknown(name, place);
        }
        match self.short.get(name).map(SmallVec::as_slice) {
            Some([id]) => Some(*id),
            Some(ids) => {
                let choices = ids.iter().filter_map(|id| self.builder.deployments.get(id.index()));
                let choices = choices.map(|listed| Arc::clone(&listed.full_name)).collect();
                let error = ResolveError::Ambiguous { name: name.into(), choices };
                self.fail(place, BuildErrorKind::Resolve(error))
            }
            None if self.builder.taken.contains_key(name) => {
                self.fail(place, BuildErrorKind::NotAModel { name: name.into() })
            }
            None => self.unknown(name, place),
        }
    }

    fn route(&mut self, name: &str, place: Place) -> Option<Node> {
        if let Some(Named::Route(id)) = self.builder.taken.get(name) {
            return Some(Node::Route(*id));
        }
        let routes = self.builder.taken.iter().filter(|(_, named)| matches!(named, Named::Route(_)));
        let closest = Closest::new(routes.map(|(name, _)| Arc::clone(name))).find(name, CLOSEST, SIMILAR);
        self.fail(place, BuildErrorKind::UnknownRoute { name: truncate(name, 100).into(), closest })
    }

    /// Follows aliases of aliases to what they stand for in the end.
    fn alias(&mut self, start: usize) -> Option<Target> {
        let mut path: SmallVec<[usize; 4]> = SmallVec::new();
        let mut current = start;
        loop {
            let alias = self.builder.aliases.get(current)?;
            let (target, place) = (alias.target.clone(), alias.place);
            if path.contains(&current) {
                let names = path.iter().chain(Some(&current)).filter_map(|i| self.builder.aliases.get(*i));
                let path: Vec<_> = names.map(|alias| Arc::clone(&alias.name)).collect();
                // Those that only lead into a cycle are not reported: the cycle's own members are.
                return match current == start {
                    true => self.fail(place, BuildErrorKind::Cycle { path }),
                    false => None,
                };
            }
            path.push(current);
            let named = match self.provider_of(&target) {
                None => self.builder.taken.get(target.as_str()).copied(),
                Some(_) => None,
            };
            match named {
                Some(Named::Route(id)) => return Some(Target::Route(id)),
                Some(Named::Alias(next)) => current = next,
                None => {
                    let errors = self.errors.len();
                    let found = self.model(&target, place).map(Target::Deployment);
                    if current != start {
                        self.errors.truncate(errors);
                    }
                    return found;
                }
            }
        }
    }

    fn provider_of<'n>(&self, name: &'n str) -> Option<(ProviderId, &'n str)> {
        let (first, model) = name.split_once('/')?;
        self.builder.providers.get(first).map(|id| (*id, model))
    }

    fn unknown<T>(&mut self, name: &str, place: Place) -> Option<T> {
        let builder = &self.builder;
        let closest = self.closest.get_or_insert_with(|| {
            Closest::new(builder.taken.keys().chain(builder.full_names.keys()).cloned())
        });
        let error = ResolveError::Unknown {
            name: truncate(name, 100).into(),
            closest: closest.find(name, CLOSEST, SIMILAR),
            enable: (builder.enable)(name),
        };
        self.fail(place, BuildErrorKind::Resolve(error))
    }

    fn fail<T>(&mut self, place: Place, kind: BuildErrorKind) -> Option<T> {
        self.errors.push(BuildError { place, kind });
        None
    }
}

/// How far the check of a route has come.
#[derive(Clone, Copy)]
enum State {
    New,
    OnPath,
    Done { depth: u32, leaves: u64 },
}

struct Checks<'a> {
    routes: &'a [(Arc<str>, NodeSpec)],
    nodes: &'a [Option<Node>],
    sizes: Vec<State>,
    path: Vec<usize>,
    /// Nodes above the current one.
    level: u32,
    errors: Vec<BuildError>,
}

impl Checks<'_> {
    /// Depth and leaves of a route, counted through those that it names. What is wrong is reported
    /// once, at the first route where it shows; the result then counts as small.
    fn route(&mut self, position: usize) -> (u32, u64) {
        match self.sizes.get(position) {
            Some(State::Done { depth, leaves }) => return (*depth, *leaves),
            Some(State::OnPath) => {
                self.cycle(position);
                return (0, 0);
            }
            Some(State::New) => {}
            None => return (0, 0),
        }
        self.path.push(position);
        self.sizes[position] = State::OnPath;
        let (mut depth, mut leaves) = self.nodes[position].as_ref().map_or((0, 0), |node| self.size(node));
        if depth > MAX_DEPTH {
            self.fail(position, BuildErrorKind::TooDeep { max: MAX_DEPTH });
            depth = 0;
        }
        if leaves > MAX_LEAVES {
            self.fail(position, BuildErrorKind::TooMany { max: MAX_LEAVES });
            leaves = 0;
        }
        self.sizes[position] = State::Done { depth, leaves };
        self.path.pop();
        (depth, leaves)
    }

    fn size(&mut self, node: &Node) -> (u32, u64) {
        // This walk is recursive as well, so it ends where plans would.
        if self.level > MAX_DEPTH {
            if let Some(&position) = self.path.last() {
                self.fail(position, BuildErrorKind::TooDeep { max: MAX_DEPTH });
            }
            return (0, 0);
        }
        self.level += 1;
        let (depth, leaves) = match node {
            Node::Model(_) => (0, 1),
            Node::Route(id) => self.route(id.index()),
            Node::First(nodes) => self.sizes_of(nodes.iter()),
            Node::Split { branches, .. } => self.sizes_of(branches.iter().map(|branch| &branch.to)),
            Node::Balance(node) => self.sizes_of(node.branches.iter().map(|branch| &branch.to)),
        };
        self.level -= 1;
        (depth + 1, leaves)
    }

    fn sizes_of<'n>(&mut self, nodes: impl Iterator<Item = &'n Node>) -> (u32, u64) {
        nodes.fold((0, 0), |(depth, leaves), node| {
            let (below, more) = self.size(node);
            (depth.max(below), leaves.saturating_add(more))
        })
    }

    fn cycle(&mut self, position: usize) {
        let start = self.path.iter().position(|on_path| *on_path == position).unwrap_or(0);
        let members = self.path[start..].iter().chain(Some(&position));
        let path = members.filter_map(|i| self.routes.get(*i)).map(|(name, _)| Arc::clone(name)).collect();
        self.fail(position, BuildErrorKind::Cycle { path });
    }

    fn fail(&mut self, position: usize, kind: BuildErrorKind) {
        let Some((_, spec)) = self.routes.get(position) else { return };
        let error = BuildError { place: spec.place, kind };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}
