//! Names in another spelling than the listed one: an index that is built when the first such name comes.

use std::collections::HashMap;
use std::sync::OnceLock;

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

/// Deployments by the keys of their models.
pub(crate) struct Spellings {
    spelling: Option<Spelling>,
    index: OnceLock<[Keyed; KEY_KINDS]>,
}

type Keyed = HashMap<String, SmallVec<[DeploymentId; 2]>>;

impl Spellings {
    pub(crate) const fn new(spelling: Option<Spelling>) -> Self {
        Self { spelling, index: OnceLock::new() }
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

    /// The deployments that share the strictest key that any shares, at most one of each provider: the
    /// one with the shortest name.
    pub(crate) fn meant(&self, deployments: &[Listed], name: &str) -> SmallVec<[DeploymentId; 2]> {
        let Some(spelling) = self.spelling.filter(|_| !deployments.is_empty()) else {
            return SmallVec::new();
        };
        let index = self.index(spelling, deployments);
        let typed = (spelling.typed)(name);
        let mut kinds = index.iter().zip(&typed);
        let found = kinds.find_map(|(kind, key)| kind.get(key.as_ref()?));
        let mut best: SmallVec<[DeploymentId; 2]> = SmallVec::new();
        let known = |id: DeploymentId| deployments.get(id.index());
        for id in found.into_iter().flatten() {
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

    fn index(&self, spelling: Spelling, deployments: &[Listed]) -> &[Keyed; KEY_KINDS] {
        self.index.get_or_init(|| {
            let mut index: [Keyed; KEY_KINDS] = Default::default();
            for (position, listed) in deployments.iter().enumerate() {
                let id = DeploymentId(u32::try_from(position).unwrap_or(u32::MAX));
                for (kind, key) in index.iter_mut().zip((spelling.listed)(&listed.key.model)) {
                    if !key.is_empty() {
                        kind.entry(key).or_default().push(id);
                    }
                }
            }
            index
        })
    }
}
