//! Answers of `/v1/responses` that are kept: for requests that go on from one ([`begin`]), and for whoever
//! asks for one again ([`objects`]).
//!
//! An answer belongs to the key that asked for it. Where its provider keeps it, it is known which one that
//! is, and what goes on from it goes there; every other one is kept here, with the request's items, unless
//! the request says `store: false`.

mod begin;
mod keeping;
pub(crate) mod objects;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pointsman_core::responses::{KeptResponse, ResponseStore};
use pointsman_core::store::StoreError;
use pointsman_core::{ErrorCode, PublicError};

use self::writer::{Name, Writer};

pub(crate) use self::begin::begin;
pub(crate) use self::keeping::{Keeping, Made};

/// The kept answers of this process.
pub(crate) struct Responses {
    store: Arc<dyn ResponseStore>,
    /// Whether contents are kept, and not only who keeps them.
    contents: bool,
    writer: Arc<Writer>,
}

impl Responses {
    /// `drops` counts answers that could not be kept because too many are being written.
    pub(crate) fn new(store: Arc<dyn ResponseStore>, contents: bool, drops: Arc<AtomicU64>) -> Arc<Self> {
        let writer = Arc::new(Writer::new(store.clone(), drops));
        Arc::new(Self { store, contents, writer })
    }

    /// One of the owner's answers.
    async fn get(&self, owner: &str, id: &str, now: u64) -> Result<Option<KeptResponse>, PublicError> {
        let name = (owner.to_owned(), id.to_owned());
        self.blocking(vec![name.clone()], move |store| store.get(&name.0, &name.1, now)).await
    }

    /// Forgets one; whether there was one.
    async fn forget(&self, owner: &str, id: &str) -> Result<bool, PublicError> {
        let name = (owner.to_owned(), id.to_owned());
        self.blocking(vec![name.clone()], move |store| store.forget(&name.0, &name.1)).await
    }

    /// Asks the store, on a thread that may block, once the answers of these names are there if they ever
    /// will be.
    async fn blocking<T: Send + 'static>(
        &self,
        names: Vec<Name>,
        ask: impl FnOnce(&dyn ResponseStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, PublicError> {
        for name in &names {
            self.writer.settled(name).await;
        }
        let store = self.store.clone();
        let error = match tokio::task::spawn_blocking(move || ask(&*store)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(%error, "the kept answers cannot be asked");
        Err(PublicError::new(ErrorCode::Internal, "the kept answers cannot be asked"))
    }
}
