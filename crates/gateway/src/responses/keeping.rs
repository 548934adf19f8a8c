//! What a request needs to have its answer kept, and the moment at which that happens.

use std::sync::Arc;

use bytes::Bytes;
use pointsman_config::Deployment;
use pointsman_core::Dialect;
use pointsman_wire::openai::kept::{AnswerWatch, Found, KeptAnswer};
use tokio_util::task::TaskTracker;

use super::Responses;
use super::writer::{Content, Draft};
use crate::pipeline::dispatch::Dispatch;

/// Goes with a request of `/v1/responses`.
pub(crate) struct Keeping {
    pub(super) responses: Arc<Responses>,
    /// Whose answer it will be.
    pub(super) owner: String,
    /// The answer that it goes on from.
    pub(super) previous: Option<String>,
    /// As the client sent it.
    pub(crate) request: Bytes,
    /// Unless the client said `store: false`.
    pub(super) wanted: bool,
    /// The provider's key that must be used, by its place in the list.
    pub(super) pinned: Option<u32>,
    /// The one that was.
    pub(super) key: u32,
    watch: AnswerWatch,
    /// Nothing more is to be done.
    done: bool,
    /// Several providers made the answer: none of them keeps it.
    rescued: bool,
}

/// Who made an answer, and when it came.
pub(crate) struct Made<'m> {
    deployment: &'m Deployment,
    /// What it was spoken to in.
    upstream: Dialect,
    /// Seconds since the Unix epoch.
    now: u64,
    tasks: &'m TaskTracker,
}

impl<'m> Made<'m> {
    /// Made by the candidate that `dispatch` has just heard, now.
    pub(crate) fn of(dispatch: &'m Dispatch, deployment: &'m Deployment) -> Self {
        Self {
            deployment,
            upstream: dispatch.speech.upstream,
            now: dispatch.unix_seconds(),
            tasks: &dispatch.gateway.leftovers,
        }
    }
}

impl Keeping {
    pub(super) fn new(responses: Arc<Responses>, owner: String, request: Bytes, wanted: bool) -> Self {
        Self {
            responses,
            owner,
            previous: None,
            request,
            wanted,
            pinned: None,
            key: 0,
            watch: AnswerWatch::default(),
            done: false,
            rescued: false,
        }
    }

    /// Another provider goes on with the answer: whatever the first one keeps of it is not what the client gets.
    pub(crate) const fn is_rescued(&mut self) {
        self.done = false;
        self.rescued = true;
    }

    /// Which of a provider's `keys` to use, and that it is used: the pinned one, else the one that `drawn`
    /// leads to.
    pub(crate) fn turn(&mut self, keys: usize, drawn: u64) -> u64 {
        let turn = self.pinned.map_or(drawn, u64::from);
        let place = turn.checked_rem(keys as u64).unwrap_or(0);
        self.key = u32::try_from(place).unwrap_or_default();
        place
    }

    /// This key of the provider was used.
    pub(crate) fn used(&mut self, key: usize) {
        self.key = u32::try_from(key).unwrap_or_default();
    }

    /// Whether the answer goes on from another one.
    pub(crate) const fn goes_on(&self) -> bool {
        self.previous.is_some() || self.pinned.is_some()
    }

    /// A whole answer, as the client gets it.
    pub(crate) fn answered(&mut self, body: &Bytes, made: &Made<'_>) {
        if let Some(answer) = KeptAnswer::read(body) {
            self.keep(&answer, || body.clone(), made);
        }
    }

    /// Frames of a streamed answer, as the client gets them.
    pub(crate) fn look(&mut self, frames: &[Bytes], made: &Made<'_>) {
        for bytes in frames {
            if self.done {
                return;
            }
            match self.watch.look(bytes) {
                Ok(Some(Found { answer, body })) => self.keep(&answer, || body.into(), made),
                Ok(None) => {}
                // An answer of that length is not kept.
                Err(_) => self.done = true,
            }
        }
    }

    fn keep(&mut self, answer: &KeptAnswer, body: impl FnOnce() -> Bytes, made: &Made<'_>) {
        let held = made.upstream == Dialect::OpenAiResponses && answer.stored && !self.rescued;
        let content = if held {
            Content::Upstream { key: self.key }
        } else if self.wanted && self.responses.contents && answer.whole {
            Content::Here { request: self.request.clone(), response: body() }
        } else {
            return;
        };
        self.done = true;
        let key = &made.deployment.key;
        let draft = Draft {
            owner: self.owner.clone(),
            id: answer.id.clone(),
            previous: self.previous.clone(),
            provider: key.provider.to_string(),
            model: key.model.to_string(),
            content,
        };
        self.responses.writer.keep(made.tasks, draft, made.now);
    }
}
