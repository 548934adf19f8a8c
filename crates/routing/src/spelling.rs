//! Names in another spelling than the listed one: an index that is built when the first such name comes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use crate::resolver::Listed;
use crate::spec::{DeploymentId, ProviderId};

/// How many kinds of key there are, strictest first.
pub const KEY_KINDS: usize = 5;

/// Turns names into keys. Two names that share a key of the same kind may mean one model.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// The keys of a listed model's name. The first compares the whole name and nothing else.
    pub listed: fn(&str) -> [String; KEY_KINDS],
    /// The keys of what was typed; those that are `None` are not looked for.
    pub typed: fn(&str) -> [Option<String>; KEY_KINDS],
}

/// Deployments by the keys of their models, and routes and aliases by those of their names.
pub(crate) struct Spellings {
    spelling: Option<Spelling>,
    index: OnceLock<[Keyed<DeploymentId>; KEY_KINDS]>,
    own: OnceLock<[Keyed<Arc<str>>; KEY_KINDS]>,
}

type Keyed<V> = HashMap<String, SmallVec<[V; 2]>>;

/// What may be meant by a name.
pub(crate) enum Meant {
    /// Routes and aliases; none: nothing is meant.
    Own(SmallVec<[Arc<str>; 2]>),
    /// At least one, at most one of each provider.
    Deployments(SmallVec<[DeploymentId; 2]>),
}

impl Spellings {
    pub(crate) const fn new(spelling: Option<Spelling>) -> Self {
        Self { spelling, index: OnceLock::new(), own: OnceLock::new() }
    }

    /// The deployments of `provider` whose model differs from `model` in case and punctuation only.
    pub(crate) fn within(
        &self,
        deployments: &[Listed],
        provider: ProviderId,
        model: &str,
    ) -> SmallVec<[DeploymentId; 2]> {
        let Some(spelling) = self.spelling else { return SmallVec::new() };
        let [whole, ..] = (spelling.typed)(model);
        let found = whole.and_then(|key| self.index(spelling, deployments)[0].get(&key));
        let of_provider = |id: &&DeploymentId| {
            deployments.get(id.index()).is_some_and(|listed| listed.provider == provider)
        };
        found.into_iter().flatten().filter(of_provider).copied().collect()
    }

    /// Whatever shares the strictest key that anything shares. Routes and aliases win, as they do where a name
    /// is written exactly: one that hides a model hides it in every spelling; others answer to case and
    /// punctuation only. Of each provider the deployment with the shortest name.
    pub(crate) fn meant<'n>(
        &self,
        deployments: &[Listed],
        own: impl Iterator<Item = &'n Arc<str>>,
        name: &str,
    ) -> Meant {
        let Some(spelling) = self.spelling else { return Meant::Own(SmallVec::new()) };
        let index = self.index(spelling, deployments);
        let own = self.own.get_or_init(|| {
            let models: HashSet<&str> = deployments.iter().map(|listed| &*listed.key.model).collect();
            let own = own.map(|name| {
                let kinds = if models.contains(&**name) { KEY_KINDS } else { 1 };
                (&**name, kinds, Arc::clone(name))
            });
            keyed(spelling, own)
        });
        let typed = (spelling.typed)(name);
        for ((own, index), key) in own.iter().zip(index).zip(&typed) {
            let Some(key) = key else { continue };
            if let Some(names) = own.get(key) {
                return Meant::Own(names.clone());
            }
            if let Some(ids) = index.get(key) {
                return Meant::Deployments(one_of_each(deployments, ids));
            }
        }
        Meant::Own(SmallVec::new())
    }

    fn index(&self, spelling: Spelling, deployments: &[Listed]) -> &[Keyed<DeploymentId>; KEY_KINDS] {
        self.index.get_or_init(|| {
            let id = |position| DeploymentId(u32::try_from(position).unwrap_or(u32::MAX));
            let listed = deployments.iter().enumerate();
            keyed(spelling, listed.map(|(position, listed)| (&*listed.key.model, KEY_KINDS, id(position))))
        })
    }
}

/// Values by the first so many kinds of key of their names.
fn keyed<'n, V: Clone>(
    spelling: Spelling,
    named: impl Iterator<Item = (&'n str, usize, V)>,
) -> [Keyed<V>; KEY_KINDS] {
    let mut index: [Keyed<V>; KEY_KINDS] = std::array::from_fn(|_| Keyed::new());
    for (name, kinds, value) in named {
        for (kind, key) in index.iter_mut().zip((spelling.listed)(name)).take(kinds) {
            if !key.is_empty() {
                kind.entry(key).or_default().push(value.clone());
            }
        }
    }
    index
}

/// Of each provider the one with the shortest name.
fn one_of_each(deployments: &[Listed], ids: &[DeploymentId]) -> SmallVec<[DeploymentId; 2]> {
    let mut best: SmallVec<[DeploymentId; 2]> = SmallVec::new();
    let known = |id: DeploymentId| deployments.get(id.index());
    for id in ids {
        let same = best.iter().position(|other| {
            known(*other).map(|listed| listed.provider) == known(*id).map(|listed| listed.provider)
        });
        let length = |id: DeploymentId| known(id).map(|listed| listed.full_name.len());
        match same {
            None => best.push(*id),
            Some(at) if length(*id) < length(best[at]) => best[at] = *id,
            Some(_) => {}
        }
    }
    best
}
