//! Answers on their way to the store: one thread writes them in order, as many at once as wait, while there are any.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use pointsman_core::responses::{Kept, KeptResponse, ResponseStore};
use pointsman_wire::openai::kept::input_items;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// Answers that are being written, in bytes, with the requests that they are kept with.
const MAX_WRITING_BYTES: usize = 64 * 1024 * 1024;
/// Answers that are written at once: what a transaction costs is shared by them, and who waits for one of them does
/// not wait long.
const AT_ONCE: usize = 64;
/// How long the first of them is held for others to come: under load, most of an answer's cost is its transaction.
const GATHER: Duration = Duration::from_millis(2);
/// What an answer takes besides its content.
const OVERHEAD: usize = 512;

/// Owner and id.
pub(super) type Name = (String, String);

/// An answer that is to be kept.
pub(super) struct Draft {
    pub(super) owner: String,
    pub(super) id: String,
    pub(super) previous: Option<String>,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// With the provider, as of this key of its list.
    Upstream { key: u32 },
    /// The client's request and its answer.
    Here { request: Bytes, response: Bytes },
}

/// Writes answers.
pub(super) struct Writer {
    store: Arc<dyn ResponseStore>,
    queue: Mutex<Queue>,
    room: Arc<Semaphore>,
    /// Answers that there was no room for.
    drops: Arc<AtomicU64>,
    /// Whether the log has told that there is no room.
    told: AtomicBool,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// What the client may know of already and the store does not yet. What is closed is done.
    names: HashMap<Name, Arc<Semaphore>>,
    running: bool,
}

struct Waiting {
    draft: Draft,
    now: u64,
    done: Arc<Semaphore>,
    room: OwnedSemaphorePermit,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn ResponseStore>, drops: Arc<AtomicU64>) -> Self {
        let room = Arc::new(Semaphore::new(MAX_WRITING_BYTES));
        Self { store, queue: Mutex::default(), room, drops, told: AtomicBool::new(false) }
    }

    /// Keeps an answer. Whoever asks for it from now on waits until it is there.
    pub(super) fn keep(self: &Arc<Self>, tasks: &TaskTracker, draft: Draft, now: u64) {
        let size = u32::try_from(draft.size()).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().try_acquire_many_owned(size) else {
            self.drops.fetch_add(1, Ordering::Relaxed);
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(bytes = size, "answers are not kept: too many are being written");
            }
            return;
        };
        let done = Arc::new(Semaphore::new(0));
        let mut queue = self.lock();
        queue.names.insert(draft.name(), done.clone());
        queue.waiting.push_back(Waiting { draft, now, done, room });
        if !std::mem::replace(&mut queue.running, true) {
            let this = self.clone();
            tasks.spawn_blocking(move || this.drain());
        }
    }

    /// Waits until the answer of this name is there, if it is on its way.
    pub(super) async fn settled(&self, name: &Name) {
        let done = self.lock().names.get(name).cloned();
        if let Some(done) = done {
            // It has no permits: this ends when it is closed.
            let _ = done.acquire().await;
        }
    }

    fn drain(&self) {
        loop {
            // On a thread of its own, which waits for nobody else.
            std::thread::sleep(GATHER);
            let batch = self.next();
            let Some(now) = batch.iter().map(|waiting| waiting.now).max() else { return };
            let (mut responses, mut written, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
            for Waiting { draft, now: _, done, room } in batch {
                written.push((draft.name(), done));
                responses.extend(draft.finish());
                rooms.push(room);
            }
            self.write(&responses, now);
            let names = &mut self.lock().names;
            for (name, done) in written {
                // A later answer of the same name may be still on its way.
                if names.get(&name).is_some_and(|latest| Arc::ptr_eq(latest, &done)) {
                    names.remove(&name);
                }
                done.close();
            }
        }
    }

    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.lock();
        let count = queue.waiting.len().min(AT_ONCE);
        let next: Vec<_> = queue.waiting.drain(..count).collect();
        queue.running = !next.is_empty();
        next
    }

    fn write(&self, responses: &[KeptResponse], now: u64) {
        match self.store.keep_all(responses, now) {
            Ok(kept) => {
                for (response, kept) in responses.iter().zip(kept) {
                    match kept {
                        true => self.told.store(false, Ordering::Relaxed),
                        false => tracing::warn!(bytes = response.size(), "an answer is too long to be kept"),
                    }
                }
            }
            // Whatever is wrong with one of them is not wrong with the others.
            Err(error) if responses.len() > 1 => {
                tracing::debug!(%error, "answers are kept one by one");
                responses.iter().for_each(|response| self.write(std::slice::from_ref(response), now));
            }
            Err(error) => tracing::error!(%error, "an answer could not be kept"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    fn name(&self) -> Name {
        (self.owner.clone(), self.id.clone())
    }

    fn size(&self) -> usize {
        let content = match &self.content {
            Content::Upstream { .. } => 0,
            Content::Here { request, response } => request.len() + response.len(),
        };
        content + OVERHEAD
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use pointsman_core::responses::Chain;
    use pointsman_core::store::StoreError;

    use super::*;

    /// A store that keeps nothing until it is let, and not two at once if one of them is bad.
    struct Slow {
        gate: Mutex<mpsc::Receiver<()>>,
        kept: Mutex<Vec<String>>,
    }

    const BAD: &str = "bad";

    impl ResponseStore for Slow {
        fn keep_all(&self, responses: &[KeptResponse], _now: u64) -> Result<Vec<bool>, StoreError> {
            if responses.iter().any(|response| response.id == BAD) {
                return Err(StoreError { context: "cannot keep".to_owned(), source: "bad".into() });
            }
            for response in responses {
                self.gate.lock().unwrap().recv().unwrap();
                self.kept.lock().unwrap().push(response.id.clone());
            }
            Ok(vec![true; responses.len()])
        }

        fn get(&self, _: &str, _: &str, _: u64) -> Result<Option<KeptResponse>, StoreError> {
            Ok(None)
        }

        fn chain(&self, _: &str, id: &str, _: u64, _: u64) -> Result<Chain, StoreError> {
            Ok(Chain::Missing(id.to_owned()))
        }

        fn forget(&self, _: &str, _: &str) -> Result<bool, StoreError> {
            Ok(false)
        }
    }

    fn draft(id: &str, bytes: usize) -> Draft {
        let text = |value: &str| value.to_owned();
        let content =
            Content::Here { request: Bytes::from_static(b"{}"), response: vec![b' '; bytes].into() };
        Draft {
            owner: text("a"),
            id: text(id),
            previous: None,
            provider: text("p"),
            model: text("m"),
            content,
        }
    }

    #[tokio::test]
    async fn who_asks_waits_for_what_is_on_its_way_and_no_more_is_held_than_there_is_room() {
        let (open, gate) = mpsc::channel();
        let store = Arc::new(Slow { gate: Mutex::new(gate), kept: Mutex::default() });
        let drops = Arc::new(AtomicU64::new(0));
        let writer = Arc::new(Writer::new(store.clone(), drops.clone()));
        let tasks = TaskTracker::new();
        for id in ["1", "2"] {
            writer.keep(&tasks, draft(id, 1_000), 0);
        }
        writer.keep(&tasks, draft("3", MAX_WRITING_BYTES - 2_000), 0);
        assert_eq!(drops.load(Ordering::Relaxed), 1, "no room beside the others");
        let name = ("a".to_owned(), "2".to_owned());
        let waiting = tokio::spawn({
            let writer = writer.clone();
            async move { writer.settled(&name).await }
        });
        open.send(()).unwrap();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "only the first is there");
        open.send(()).unwrap();
        waiting.await.unwrap();
        assert_eq!(*store.kept.lock().unwrap(), ["1", "2"]);
        // Nobody is waited for who is not on the way.
        writer.settled(&("a".to_owned(), "3".to_owned())).await;
        tasks.close();
        tasks.wait().await;
        writer.keep(&tasks, draft("4", MAX_WRITING_BYTES - OVERHEAD - 2), 0);
        open.send(()).unwrap();
        writer.settled(&("a".to_owned(), "4".to_owned())).await;
        assert_eq!(store.kept.lock().unwrap().len(), 3, "there is room again");
    }

    #[tokio::test]
    async fn one_that_cannot_be_kept_takes_no_other_with_it() {
        let (open, gate) = mpsc::channel();
        let store = Arc::new(Slow { gate: Mutex::new(gate), kept: Mutex::default() });
        let writer = Arc::new(Writer::new(store.clone(), Arc::default()));
        let tasks = TaskTracker::new();
        for id in ["1", "2", BAD, "3"] {
            writer.keep(&tasks, draft(id, 10), 0);
        }
        for _ in 0..3 {
            open.send(()).unwrap();
        }
        tasks.close();
        tasks.wait().await;
        assert_eq!(*store.kept.lock().unwrap(), ["1", "2", "3"]);
        assert!(writer.lock().names.is_empty());
    }
}
