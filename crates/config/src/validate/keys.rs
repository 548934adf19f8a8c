//! Client keys.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pointsman_core::Principal;
use pointsman_core::principal::KeyHash;
use pointsman_routing::{ResolveError, Resolved, Resolver};

use super::Checker;
use crate::domain::Key;
use crate::raw;
use crate::yaml::{Spanned, shorten};

type Models = Arc<HashSet<Arc<str>>>;

type Set<T> = HashSet<T, foldhash::fast::RandomState>;

/// Texts and model lists that many keys share are held once.
#[derive(Default)]
struct Shared {
    texts: Set<Arc<str>>,
    models: HashMap<Vec<String>, Models, foldhash::fast::RandomState>,
}

impl Checker<'_> {
    /// All keys whose hash is sound; what is wrong is told. Names that keys allow but nothing has become
    /// warnings, and grant nothing: an engine that is off for an hour must not void the configuration, and its
    /// models' names must not lead to somebody else's.
    pub(crate) fn keys(
        &mut self,
        written: Vec<raw::Key>,
        resolver: Option<&Resolver>,
        warnings: &mut Vec<String>,
    ) -> Vec<Key> {
        let mut shared = Shared::default();
        let mut ids = Set::with_capacity_and_hasher(written.len(), Default::default());
        let mut hashes = Set::with_capacity_and_hasher(written.len(), Default::default());
        let mut keys = Vec::with_capacity(written.len());
        for raw in written {
            let id = shared.text(&raw.id.value);
            if !ids.insert(Arc::clone(&id)) {
                let message = format!("another key has the id `{}`", shorten(&id));
                self.cx.fail::<()>(raw.id.place, message);
            }
            let Some(hash) = self.hash(&raw.sha256) else { continue };
            if !hashes.insert(hash) {
                self.cx.fail::<()>(raw.sha256.place, "another key has the same hash");
            }
            let models = raw.models.map(|models| {
                shared.models(&models, resolver, |problem| {
                    warnings.push(format!("key `{id}` allows {problem}"));
                })
            });
            let mut text = |text: Option<String>| text.map(|text| shared.text(&text));
            let principal = Principal {
                organisation: text(raw.organisation),
                project: text(raw.project),
                team: text(raw.team),
                user: text(raw.user),
                key: Some(id),
                models,
            };
            keys.push(Key { hash, principal: Arc::new(principal) });
        }
        keys
    }

    fn hash(&mut self, written: &Spanned<String>) -> Option<KeyHash> {
        let mut hash = [0; 32];
        match hex::decode_to_slice(&written.value, &mut hash) {
            Ok(()) => Some(hash),
            // Not repeated: somebody may have written the key itself.
            Err(_) => {
                let message = "expected the SHA-256 of a key, 64 hexadecimal digits";
                self.cx.fail_hint(written.place, message, "`pointsman keys hash` prints it")
            }
        }
    }
}

impl Shared {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// The names as written, and those of the deployments that they stand for, so that `gpt-4o` also
    /// allows `openai/gpt-4o`. Without those that nothing has: what they might mean is not asked here.
    fn models(
        &mut self,
        written: &[Spanned<String>],
        resolver: Option<&Resolver>,
        mut odd: impl FnMut(String),
    ) -> Models {
        let list: Vec<String> = written.iter().map(|name| name.value.clone()).collect();
        if let Some(known) = self.models.get(&list) {
            return Arc::clone(known);
        }
        let mut names: HashSet<Arc<str>> = list.iter().map(|name| self.text(name)).collect();
        for (resolver, name) in
            resolver.iter().flat_map(|resolver| list.iter().map(move |name| (resolver, name)))
        {
            match resolver.resolve_exactly(name) {
                Ok(Resolved::Known(known)) if known.deployment().is_some() => {
                    names.insert(Arc::clone(known.canonical_name()));
                }
                Ok(_) => {}
                Err(error) => {
                    names.remove(name.as_str());
                    odd(oddness(resolver, &error));
                }
            }
        }
        let names = Arc::new(names);
        self.models.insert(list, Arc::clone(&names));
        names
    }
}

/// What is wrong with a name that leads nowhere, or to more than one model.
fn oddness(resolver: &Resolver, error: &ResolveError) -> String {
    let name = error.name();
    if let ResolveError::Ambiguous { .. } = error {
        return format!("`{name}`, which is the name of several models: write them with their providers");
    }
    let meant = match resolver.resolve(name) {
        Ok(Resolved::Known(known)) => format!("; is `{}` meant?", known.canonical_name()),
        _ => String::new(),
    };
    format!("`{name}`, which no model, route or alias is named{meant}")
}
