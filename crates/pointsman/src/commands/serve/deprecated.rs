//! One line in the log for each deprecated model that is called, whoever names it.
//!
//! Models that the configuration names are told at the start; this sees those that only requests name. It looks at
//! finished requests, so that no request waits for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use pointsman_config::Snapshot;
use pointsman_core::RequestRecord;
use pointsman_core::store::{RecordSink, StoreError};
use pointsman_providers::{catalogue, vendor};

/// Models that are remembered as looked up. Names come from callers; beyond so many, none are told any more.
const MAX_MODELS: usize = 4_096;

/// Tells each deprecated model once a run.
pub(super) struct Deprecated {
    world: Arc<ArcSwap<Snapshot>>,
    /// By provider: models that were looked up.
    seen: HashMap<Arc<str>, HashSet<Arc<str>>>,
    count: usize,
}

impl Deprecated {
    pub(super) fn new(world: Arc<ArcSwap<Snapshot>>) -> Self {
        Self { world, seen: HashMap::new(), count: 0 }
    }

    /// When the model is turned off, if it is deprecated and was not told before.
    fn news(&mut self, provider: &Arc<str>, model: &Arc<str>) -> Option<&'static str> {
        let known = self.seen.get(provider).is_some_and(|models| models.contains(model));
        if known || self.count >= MAX_MODELS {
            return None;
        }
        self.count += 1;
        self.seen.entry(Arc::clone(provider)).or_default().insert(Arc::clone(model));
        let vendor = self.world.load().provider_named(provider)?.vendor.and_then(vendor)?;
        catalogue().find_for(vendor, model)?.deprecated
    }
}

impl RecordSink for Deprecated {
    fn name(&self) -> &'static str {
        "deprecated"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        for attempt in batch.iter().flat_map(|record| &record.attempts) {
            if let Some(off) = self.news(&attempt.provider, &attempt.model) {
                let (provider, model) = (&*attempt.provider, &*attempt.model);
                tracing::warn!(
                    provider,
                    model,
                    off,
                    "a deprecated model is in use: off at its provider as of that day"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pointsman_config::{ConfigFile, Environment, Input, prepare};

    use super::*;
    use crate::commands::world::offline;

    #[test]
    fn each_deprecated_model_is_told_once() {
        let environment: Environment = [("KEY", "k")].into_iter().collect();
        let text = "providers: { work: { vendor: anthropic, keys: { env: KEY } }, own: { base_url: 'http://127.0.0.1:9/v1' } }";
        let file = ConfigFile { path: "test.yaml".as_ref(), text };
        let input = Input { file: Some(file), environment: &environment, overrides: &[], engines: &[] };
        let snapshot = prepare(&input, &offline(), None).unwrap();
        let mut sink = Deprecated::new(Arc::new(ArcSwap::from_pointee(snapshot)));
        let dated = |entry: &pointsman_providers::CatalogueEntry| entry.deprecated.is_some();
        let old = catalogue().of("anthropic").find(dated).unwrap();
        let lasting = catalogue().of("anthropic").find(|entry| !dated(entry)).unwrap();
        let mut news = |provider: &str, model: &str| sink.news(&provider.into(), &model.into());
        assert_eq!(news("work", old.model), old.deprecated);
        assert_eq!(news("work", old.model), None, "told already");
        assert_eq!(news("work", lasting.model), None);
        assert_eq!(news("own", old.model), None, "somebody else's model of that name");
        assert_eq!(news("gone", old.model), None);
        for at in 0..MAX_MODELS {
            assert_eq!(news("work", &format!("made-up-{at}")), None);
        }
        assert_eq!(sink.count, MAX_MODELS);
    }
}
