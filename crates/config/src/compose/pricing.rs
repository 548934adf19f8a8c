//! What the catalogue knows of a deployment: price, context length, purpose.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
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
    /// no price, and neither has what is only paid by the second or the character, which no usage tells.
    /// `names` is where its quoted name is kept: one piece of memory for many names.
    pub(crate) fn deployment(
        &self,
        key: ModelRef,
        provider: &Arc<Provider>,
        names: &mut BytesMut,
    ) -> Deployment {
        let vendor = provider.vendor.and_then(vendor);
        let entry = vendor.and_then(|vendor| self.catalogue.find_for(vendor, &key.model));
        let free = provider.local || provider.simulated();
        Deployment {
            name: key.to_string().into(),
            provider: Arc::clone(provider),
            model_json: quote(&key.model, names),
            price: if free {
                Some(PriceList::FREE)
            } else {
                let billable = |price: &PriceList| price.prices_tokens() || price.units().request.is_some();
                entry.as_ref().and_then(|entry| entry.price.clone()).filter(billable)
            }
            .map(Box::new),
            price_version: self.version,
            context_length: entry.as_ref().and_then(|entry| entry.max_input),
            listed: true,
            mode: entry.map(|entry| entry.mode),
            state: Slot::default(),
            key,
        }
    }
}

/// The model id as a JSON string. All that come from one `names` share its reference count: with thousands of
/// models, a request does not wait for a cache line of its model's own.
fn quote(model: &str, names: &mut BytesMut) -> Bytes {
    names.extend_from_slice(serde_json::Value::from(model).to_string().as_bytes());
    names.split().freeze()
}
