//! The counters of one provider's model, found once when a deployment is built and then only
//! counted up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pointsman_core::{AttemptRecord, Outcome, Usage};

use crate::names::OTHER;
use crate::resilience::PassedOver;

/// Distinct pairs of provider and model with their own series. A scrape of so many, with about a
/// dozen series each, stays near half a megabyte.
pub(crate) const MAX_DEPLOYMENTS: usize = 500;

/// The values of the token label. `input` includes `cached_input` and `cache_write`, `output`
/// includes `reasoning`.
pub(crate) const TOKEN_KINDS: [&str; 7] =
    ["input", "cached_input", "cache_write", "output", "reasoning", "input_audio", "output_audio"];

/// The counters of one provider's model.
#[derive(Debug)]
pub struct DeploymentMetrics {
    pub(crate) provider: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) outcomes: [AtomicU64; Outcome::WORDS.len()],
    pub(crate) tokens: [AtomicU64; TOKEN_KINDS.len()],
    pub(crate) cost_nanos: AtomicU64,
    pub(crate) unpriced: AtomicU64,
    pub(crate) duration_us: AtomicU64,
    pub(crate) passed_over: [AtomicU64; PassedOver::WORDS.len()],
}

impl DeploymentMetrics {
    fn new(provider: &str, model: &str) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            outcomes: Default::default(),
            tokens: Default::default(),
            cost_nanos: AtomicU64::new(0),
            unpriced: AtomicU64::new(0),
            duration_us: AtomicU64::new(0),
            passed_over: Default::default(),
        }
    }

    /// Counts one upstream call that has ended.
    pub fn observe(&self, attempt: &AttemptRecord) {
        add(&self.outcomes[attempt.outcome.index()], 1);
        add(&self.duration_us, attempt.duration_us);
        let Usage {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
            input_audio,
            output_audio,
            source: _,
            detail: _,
        } = attempt.usage;
        let tokens = [input, cached_input, cache_write, output, reasoning, input_audio, output_audio];
        for (counter, count) in self.tokens.iter().zip(tokens) {
            add(counter, count);
        }
        match attempt.cost {
            Some(cost) => add(&self.cost_nanos, u64::try_from(cost.total().nanos()).unwrap_or(0)),
            None => add(&self.unpriced, 1),
        }
    }
}

/// Every deployment that was ever named: counters must not go back when a configuration is reloaded.
#[derive(Debug)]
pub(crate) struct Deployments {
    known: Mutex<Known>,
    /// Counts for all pairs beyond the limit.
    other: Arc<DeploymentMetrics>,
}

#[derive(Debug, Default)]
struct Known {
    by_provider: HashMap<Arc<str>, HashMap<Arc<str>, Arc<DeploymentMetrics>>>,
    in_order: Vec<Arc<DeploymentMetrics>>,
}

impl Deployments {
    pub(crate) fn new() -> Self {
        Self { known: Mutex::default(), other: Arc::new(DeploymentMetrics::new(OTHER, OTHER)) }
    }

    pub(crate) fn get(&self, provider: &str, model: &str) -> Arc<DeploymentMetrics> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.by_provider.get(provider).and_then(|models| models.get(model)) {
            return Arc::clone(found);
        }
        if known.in_order.len() >= MAX_DEPLOYMENTS {
            return Arc::clone(&self.other);
        }
        let new = Arc::new(DeploymentMetrics::new(provider, model));
        known.in_order.push(Arc::clone(&new));
        let models = known.by_provider.entry(Arc::clone(&new.provider)).or_default();
        models.insert(Arc::clone(&new.model), Arc::clone(&new));
        new
    }

    /// All, in the order of their first use.
    pub(crate) fn all(&self) -> Vec<Arc<DeploymentMetrics>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.in_order.iter().chain([&self.other]).cloned().collect()
    }
}

/// Zeros are common here, and a branch is cheaper than an atomic addition.
fn add(counter: &AtomicU64, count: u64) {
    if count != 0 {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
