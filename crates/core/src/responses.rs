//! Answers of OpenAI's responses API that are kept for whoever asked: for reading them again, and for
//! conversations that go on from an answer's id.

use std::time::Duration;

use bytes::Bytes;

use crate::store::StoreError;

/// An answer that is kept, or that its provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptResponse {
    /// The id of the client key that asked; empty where there are no keys.
    pub owner: String,
    /// As the client was told: `resp_…`.
    pub id: String,
    /// The id of the answer that it goes on from.
    pub previous: Option<String>,
    /// The configured name of the provider that made it.
    pub provider: String,
    /// The provider's model.
    pub model: String,
    /// What is kept, and where.
    pub kept: Kept,
}

/// Where an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// With its provider, under the same id.
    Upstream {
        /// Which of the provider's keys it belongs to, by its place in the list.
        key: u32,
    },
    /// Here.
    Here {
        /// The request's own items, without those of earlier answers: a JSON array.
        input: Bytes,
        /// The answer: a JSON object.
        response: Bytes,
    },
}

impl KeptResponse {
    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> u64 {
        /// Columns of fixed size, and the index.
        const OVERHEAD: usize = 256;
        let Self { owner, id, previous, provider, model, kept } = self;
        let content = match kept {
            Kept::Upstream { .. } => 0,
            Kept::Here { input, response } => input.len() + response.len(),
        };
        let names = owner.len() + id.len() + provider.len() + model.len();
        (content + names + previous.as_ref().map_or(0, String::len) + OVERHEAD) as u64
    }
}

/// A conversation: an answer and all that it goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// All of it, the oldest first. Only the last one may be kept upstream, and then it is alone.
    Whole(Vec<KeptResponse>),
    /// There is no answer of this id, or its content is not here.
    Missing(String),
    /// It is longer than was asked for.
    TooLong,
}

/// Most answers of one conversation.
pub const MAX_CHAIN: usize = 4_096;

/// What a store holds at most. What was used longest ago goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Answers of all owners.
    pub count: u64,
    /// Their bytes, as of [`KeptResponse::size`].
    pub bytes: u64,
    /// Since an answer was kept or gone on from.
    pub age: Duration,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        // As long as OpenAI keeps them.
        Self { count: 100_000, bytes: 1 << 30, age: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// Keeps answers for their owners, within [`ResponseLimits`]. `now` is in seconds since the Unix epoch. Calls
/// may block.
pub trait ResponseStore: Send + Sync {
    /// Keeps answers in this order; one of the same owner and id is replaced. Whether there is room for each at all.
    ///
    /// # Errors
    /// Where they could not be kept: then none is.
    fn keep_all(&self, responses: &[KeptResponse], now: u64) -> Result<Vec<bool>, StoreError>;

    /// The same for one.
    ///
    /// # Errors
    /// As of [`ResponseStore::keep_all`].
    fn keep(&self, response: &KeptResponse, now: u64) -> Result<bool, StoreError> {
        Ok(self.keep_all(std::slice::from_ref(response), now)?.first().copied().unwrap_or_default())
    }

    /// This owner's answer; `None` also where it is somebody else's.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn get(&self, owner: &str, id: &str, now: u64) -> Result<Option<KeptResponse>, StoreError>;

    /// This owner's answer and all that it goes on from, which counts as using them. At most
    /// [`MAX_CHAIN`] answers of `max_bytes` together.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    fn chain(&self, owner: &str, id: &str, now: u64, max_bytes: u64) -> Result<Chain, StoreError>;

    /// Forgets an answer; whether there was one.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError>;
}
