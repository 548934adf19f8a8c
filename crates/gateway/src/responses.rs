//! Answers of `/v1/responses` that are kept: for requests that go on from one ([`begin`]), and for whoever
//! asks for one again ([`objects`]).
//!
//! An answer belongs to the key that asked for it. Where its provider keeps it, it is known which one that
//! is, and what goes on from it goes there; every other one is kept here, with the request's items, unless
//! the request says `store: false`.

mod begin;
mod keeping;
pub(crate) mod objects;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pointsman_core::responses::{Kept, KeptResponse, ResponseStore};
use pointsman_core::store::StoreError;
use pointsman_core::{ErrorCode, PublicError};
use pointsman_wire::openai::kept::input_items;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

pub(crate) use self::begin::begin;
pub(crate) use self::keeping::{Keeping, Made};

/// Answers that are being written, in bytes.
const MAX_WRITING_BYTES: usize = 64 * 1024 * 1024;

/// Owner and id.
type Name = (String, String);

/// The kept answers of this process.
pub(crate) struct Responses {
    store: Arc<dyn ResponseStore>,
    /// Whether contents are kept, and not only who keeps them.
    contents: bool,
    /// Answers that the client may know of already and the store does not yet. What is closed is done.
    writing: Mutex<HashMap<Name, Arc<Semaphore>>>,
    room: Arc<Semaphore>,
}

/// An answer that is to be kept.
struct Draft {
    owner: String,
    id: String,
    previous: Option<String>,
    provider: String,
    model: String,
    content: Content,
}

enum Content {
    /// With the provider, as of this key of its list.
    Upstream { key: u32 },
    /// The client's request and its answer.
    Here { request: Bytes, response: Bytes },
}

impl Responses {
    pub(crate) fn new(store: Arc<dyn ResponseStore>, contents: bool) -> Arc<Self> {
        Arc::new(Self {
            store,
            contents,
            writing: Mutex::default(),
            room: Arc::new(Semaphore::new(MAX_WRITING_BYTES)),
        })
    }

    /// Keeps an answer. Whoever asks for it from now on waits until it is there.
    fn keep(self: &Arc<Self>, tasks: &TaskTracker, draft: Draft, now: u64) {
        let size = u32::try_from(draft.size()).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().try_acquire_many_owned(size) else {
            tracing::warn!(bytes = size, "an answer is not kept: too many are being written");
            return;
        };
        let done = Arc::new(Semaphore::new(0));
        let name = (draft.owner.clone(), draft.id.clone());
        self.lock().insert(name.clone(), done.clone());
        let writing = Writing { responses: self.clone(), name, done, _room: room };
        tasks.spawn_blocking(move || writing.write(draft, now));
    }

    /// One of the owner's answers.
    async fn get(
        self: &Arc<Self>,
        owner: &str,
        id: &str,
        now: u64,
    ) -> Result<Option<KeptResponse>, PublicError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.blocking((owner.clone(), id.clone()), move |store| store.get(&owner, &id, now)).await
    }

    /// Forgets one; whether there was one.
    async fn forget(self: &Arc<Self>, owner: &str, id: &str) -> Result<bool, PublicError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.blocking((owner.clone(), id.clone()), move |store| store.forget(&owner, &id)).await
    }

    /// Asks the store, on a thread that may block, once the answer of this name is there if it ever will be.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        name: Name,
        ask: impl FnOnce(&dyn ResponseStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, PublicError> {
        let done = self.lock().get(&name).cloned();
        if let Some(done) = done {
            // It has no permits: this ends when it is closed.
            let _ = done.acquire().await;
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

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Arc<Semaphore>>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    fn size(&self) -> usize {
        match &self.content {
            Content::Upstream { .. } => 1,
            Content::Here { request, response } => request.len() + response.len(),
        }
    }

    /// The answer with the request's own items.
    fn finish(self) -> Option<KeptResponse> {
        let Self { owner, id, previous, provider, model, content } = self;
        let kept = match content {
            Content::Upstream { key } => Kept::Upstream { key },
            // It was read when it was sent.
            Content::Here { request, response } => {
                Kept::Here { input: input_items(&request, &id).ok()?.into(), response }
            }
        };
        Some(KeptResponse { owner, id, previous, provider, model, kept })
    }
}

/// An answer on its way to the store. Who waits for it is told when this is dropped, whatever became of it.
struct Writing {
    responses: Arc<Responses>,
    name: Name,
    done: Arc<Semaphore>,
    _room: OwnedSemaphorePermit,
}

impl Writing {
    fn write(&self, draft: Draft, now: u64) {
        let Some(response) = draft.finish() else { return };
        match self.responses.store.keep(&response, now) {
            Ok(true) => {}
            Ok(false) => tracing::warn!(bytes = response.size(), "an answer is too long to be kept"),
            Err(error) => tracing::error!(%error, "an answer could not be kept"),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut writing = self.responses.lock();
        // A later answer of the same name waits for itself.
        if writing.get(&self.name).is_some_and(|done| Arc::ptr_eq(done, &self.done)) {
            writing.remove(&self.name);
        }
        drop(writing);
        self.done.close();
    }
}
