//! What the catalogue knows of a deployment: price, context length, purpose.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pointsman_core::{Dialect, ModelRef};
use pointsman_providers::{Catalogue, CatalogueEntry, Mode, PriceList, catalogue, vendor};

use crate::domain::{Deployment, Provider, Slot};

/// Prices deployments from the catalogue that this build carries.
#[derive(Clone, Copy)]
pub(crate) struct Pricing {
    catalogue: &'static Catalogue,
    version: u32,
}

impl Pricing {
    pub(crate) fn new() -> Self {
        let catalogue = catalogue();
        Self { catalogue, version: catalogue.version() }
    }

    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    /// A deployment with all that is known of its model. What runs here is free; what nobody knows has
    /// no price. `names` is where its quoted name is kept: one piece of memory for many names.
    pub(crate) fn deployment(
        &self,
        key: ModelRef,
        provider: &Arc<Provider>,
        names: &mut BytesMut,
    ) -> Deployment {
        let vendor = provider.vendor.and_then(vendor);
        let entry = vendor.and_then(|vendor| self.catalogue.find_for(vendor, &key.model));
        let free = provider.local || provider.simulated();
        let traits = provider.rules.of(&key.model, vendor, entry.as_ref());
        Deployment {
            name: key.to_string().into(),
            provider: Arc::clone(provider),
            model_json: quote(&key.model, names),
            price: if free {
                Some(PriceList::FREE)
            } else {
                entry.as_ref().and_then(|entry| entry.price.clone())
            }
            .map(Box::new),
            price_version: self.version,
            context_length: traits.context_length,
            listed: true,
            dialects: entry.as_ref().filter(|_| provider.dialects_by_model).and_then(spoken),
            mode: entry.map(|entry| entry.mode),
            prefill: traits.prefill,
            reasons: traits.reasons,
            timeouts: traits.timeouts,
            endpoint: traits.endpoint,
            state: Slot::default(),
            health: Arc::default(),
            key,
        }
    }
}

/// Where a provider understands both of OpenAI's dialects: models that only know the Responses API, and those that
/// think, whose thoughts only that API gives and takes back.
fn spoken(entry: &CatalogueEntry) -> Option<&'static [Dialect]> {
    match entry.mode {
        Mode::Responses => Some(&[Dialect::OpenAiResponses]),
        Mode::Chat if entry.capabilities.reasoning() => {
            Some(&[Dialect::OpenAiResponses, Dialect::OpenAiChat])
        }
        _ => None,
    }
}

/// The model id as a JSON string. All that come from one `names` share its reference count: with thousands of
/// models, a request does not wait for a cache line of its model's own.
fn quote(model: &str, names: &mut BytesMut) -> Bytes {
    names.extend_from_slice(serde_json::Value::from(model).to_string().as_bytes());
    names.split().freeze()
}
