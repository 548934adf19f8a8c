//! A deployment: what a request is routed to.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pointsman_core::{Dialect, ModelRef};
use pointsman_providers::{Mode, Prefill, PriceList};
use pointsman_resilience::EndpointPolicy;

use super::{Provider, Timeouts};

/// A provider's model. Kept across reloads while its provider is the same, and with it whatever is in its
/// slots; where the provider changes but not its server and account, `health` alone is handed on.
#[derive(Debug)]
pub struct Deployment {
    /// Provider and upstream model id.
    pub key: ModelRef,
    /// `provider/model`.
    pub name: Arc<str>,
    /// Who answers.
    pub provider: Arc<Provider>,
    /// The upstream model id as a quoted JSON string, ready to be spliced in.
    pub model_json: Bytes,
    /// `None`: not known, which is not the same as free. Boxed: it is half of what is known of a model, and
    /// thousands of models share the processor's caches.
    pub price: Option<Box<PriceList>>,
    /// The version of the price list: the catalogue's, also where nothing is known.
    pub price_version: u32,
    /// In tokens, where known.
    pub context_length: Option<u32>,
    /// Named in the configuration, the catalogue or an engine's list; else only a caller's word.
    pub listed: bool,
    /// What it is for, where known.
    pub mode: Option<Mode>,
    /// The dialects that this model is spoken to in, where they are not its provider's; the first is the one to
    /// convert to.
    pub dialects: Option<&'static [Dialect]>,
    /// How it goes on from an answer that has begun.
    pub prefill: Prefill,
    /// Whether it may think before it answers.
    pub reasons: bool,
    /// Limits. Shared by the provider's models, as long as they have none of their own.
    pub timeouts: Arc<Timeouts>,
    /// When it is left in peace, and what it can take. Shared in the same way.
    pub endpoint: Arc<EndpointPolicy>,
    /// Resolved metric handles and the like; filled by the gateway.
    pub state: Slot,
    /// How it is doing; filled by the gateway. The next world has the same slot for this provider and model,
    /// unless they stand for another server or account.
    pub health: Arc<Slot>,
}

impl Deployment {
    /// What to speak with it for a client that speaks `client`: the same, if it can.
    #[must_use]
    pub fn dialect_for(&self, client: Dialect) -> Dialect {
        let dialects = self.dialects.unwrap_or(&self.provider.dialects);
        match dialects.first() {
            Some(&first) if !dialects.contains(&client) => first,
            _ => client,
        }
    }
}

/// A place for something that a higher layer keeps with a deployment, made at its first use.
#[derive(Default)]
pub struct Slot(OnceLock<Box<dyn Any + Send + Sync>>);

impl Slot {
    /// What is in the slot, made now if need be. `None` only where it holds another type.
    pub fn get_or_init<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }

    /// What is in the slot. `None` where nothing is yet, or another type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.get()?.downcast_ref()
    }

    /// Whether something is in it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.get().is_some()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Slot(full)" } else { "Slot(empty)" })
    }
}
