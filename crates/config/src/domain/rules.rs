//! What holds for the models of a provider: for all of them, or for one.

use std::collections::HashMap;
use std::sync::Arc;

use pointsman_providers::{CatalogueEntry, Class, Prefill, Vendor};
use pointsman_resilience::EndpointPolicy;

use super::{TimeoutOverrides, Timeouts};

/// What a provider says of its models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelRules {
    /// Of all that have nothing of their own.
    pub(crate) endpoint: Arc<EndpointPolicy>,
    pub(crate) timeouts: Arc<Timeouts>,
    /// Of those that reason.
    pub(crate) reasoning_timeouts: Arc<Timeouts>,
    /// How they go on from a begun answer, where that is said of all of them.
    pub(crate) prefill: Option<Prefill>,
    /// Whether they reason, where that is said of all of them.
    pub(crate) reasoning: Option<bool>,
    /// By model.
    pub(crate) own: HashMap<Box<str>, OwnRules>,
}

/// What one model has in place of what its provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnRules {
    /// Whole: what is not said is as with the provider.
    pub(crate) endpoint: Arc<EndpointPolicy>,
    pub(crate) timeouts: TimeoutOverrides,
    /// In tokens.
    pub(crate) context_length: Option<u32>,
    pub(crate) prefill: Option<Prefill>,
    pub(crate) reasoning: Option<bool>,
}

/// What holds for one model in the end.
pub(crate) struct Traits {
    pub(crate) endpoint: Arc<EndpointPolicy>,
    pub(crate) timeouts: Arc<Timeouts>,
    pub(crate) context_length: Option<u32>,
    pub(crate) prefill: Prefill,
    pub(crate) reasons: bool,
}

impl ModelRules {
    /// What holds for this model: its own rules, then its provider's, then what is known of it.
    pub(crate) fn of(&self, model: &str, vendor: Option<&Vendor>, entry: Option<&CatalogueEntry>) -> Traits {
        let own = self.own.get(model);
        let reasons = own.and_then(|own| own.reasoning).or(self.reasoning).unwrap_or_else(|| {
            entry.is_some_and(|entry| entry.capabilities.reasoning() || entry.class == Class::Reasoning)
        });
        let shared = if reasons { &self.reasoning_timeouts } else { &self.timeouts };
        let timeouts = match own {
            Some(own) if own.timeouts != TimeoutOverrides::default() => Arc::new(own.timeouts.over(shared)),
            _ => Arc::clone(shared),
        };
        let told = own.and_then(|own| own.prefill).or(self.prefill);
        let prefill = told.unwrap_or_else(|| match vendor {
            Some(vendor) if entry.is_some_and(|entry| entry.capabilities.assistant_prefill()) => {
                vendor.prefill
            }
            _ => Prefill::None,
        });
        let endpoint = Arc::clone(own.map_or(&self.endpoint, |own| &own.endpoint));
        let known = entry.and_then(|entry| entry.max_input);
        let context_length = own.and_then(|own| own.context_length).or(known);
        Traits { endpoint, timeouts, context_length, prefill, reasons }
    }
}
