//! Paths that are let through: patterns, and who answers.

use std::sync::Arc;

use http::Method;

use super::Checker;
use crate::decode::{OneOrMany, similar};
use crate::domain::{KeyRule, KeyRules, PathRule};
use crate::raw;
use crate::yaml::{Spanned, shorten};

impl Checker<'_> {
    /// The rules of all keys. `providers` are the names that there are.
    pub(crate) fn key_rules(&mut self, keys: &[raw::Key], providers: &[&Arc<str>]) -> KeyRules {
        let mut rules = KeyRules::default();
        for key in keys {
            for written in key.pass_through.iter().flatten() {
                let provider = self.provider_named(&written.provider, providers);
                let rule = self.path_rule(&written.methods, &written.path);
                if let (Some(provider), Some(rule)) = (provider, rule) {
                    rules.add(&key.id.value, KeyRule { provider, rule });
                }
            }
        }
        rules
    }

    /// The rules of a route.
    pub(crate) fn path_rules(&mut self, written: &[raw::PathRule]) -> Box<[PathRule]> {
        written.iter().filter_map(|rule| self.path_rule(&rule.methods, &rule.path)).collect()
    }

    fn path_rule(&mut self, methods: &OneOrMany<raw::Method>, path: &Spanned<String>) -> Option<PathRule> {
        if methods.0.is_empty() {
            return self.cx.fail(path.place, "a rule without methods lets nothing through");
        }
        let methods: Vec<Method> = methods.0.iter().map(|method| method.http()).collect();
        PathRule::new(methods, &path.value).map_or_else(
            |error| {
                let message = format!("`{}` is no pattern of a path: {error}", shorten(&path.value));
                self.cx.fail_hint(
                    path.place,
                    message,
                    "write for example `/v1/conversations/*` or `/v1/vector_stores/**`",
                )
            },
            Some,
        )
    }

    fn provider_named(&mut self, written: &Spanned<String>, providers: &[&Arc<str>]) -> Option<Arc<str>> {
        if let Some(found) = providers.iter().find(|name| ****name == *written.value) {
            return Some(Arc::clone(found));
        }
        let message = format!("there is no provider `{}`", shorten(&written.value));
        let meant = similar(&written.value, providers.iter().map(|name| &***name));
        self.cx.fail_with(written.place, message, meant.map(|name| format!("did you mean `{name}`?")))
    }
}

impl raw::Method {
    const fn http(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}
