//! What the catalogue knows of a deployment: price, context length, purpose.

use std::sync::Arc;

use bytes::Bytes;
use pointsman_core::ModelRef;
use pointsman_providers::{Catalogue, PriceList, catalogue, vendor};

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
    /// no price.
    pub(crate) fn deployment(&self, key: ModelRef, provider: &Arc<Provider>) -> Deployment {
        let vendor = provider.vendor.and_then(vendor);
        let entry = vendor.and_then(|vendor| self.catalogue.find_for(vendor, &key.model));
        let free = provider.local || provider.simulated();
        Deployment {
            name: key.to_string().into(),
            provider: Arc::clone(provider),
            model_json: quote(&key.model),
            price: if free {
                Some(PriceList::FREE)
            } else {
                entry.as_ref().and_then(|entry| entry.price.clone())
            },
            price_version: self.version,
            context_length: entry.as_ref().and_then(|entry| entry.max_input),
            listed: true,
            mode: entry.map(|entry| entry.mode),
            state: Slot::default(),
            key,
        }
    }
}

/// The model id as a JSON string.
fn quote(model: &str) -> Bytes {
    serde_json::Value::from(model).to_string().into()
}
