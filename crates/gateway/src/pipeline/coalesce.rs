//! Requests of one caller that are the same to the byte, and at one time: where the route asks for it, one of them
//! is sent, and its answer is everybody's.
//!
//! Whole answers only: of a stream, everybody would have to read as slowly as the slowest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http::{HeaderMap, Response};
use pointsman_config::Deployment;
use pointsman_core::{ErrorCode, PublicError};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::Gateway;
use crate::body::ResponseBody;
use crate::pipeline::attempt::{Opened, PlainAnswer, timed_out};
use crate::pipeline::deliver;
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::Rejection;
use crate::pipeline::refuse_in;

/// SHA-256 of everything that makes requests the same.
type Key = [u8; 32];

/// What one of several had for an answer.
#[derive(Clone)]
enum Shared {
    Answer { deployment: Arc<Deployment>, headers: HeaderMap, body: Bytes },
    Rejected(Arc<Rejection>),
    Failed(PublicError),
}

type Answering = watch::Sender<Option<Shared>>;

/// Requests that others wait for. As many as there are requests, at most.
#[derive(Default)]
pub(crate) struct Together(Mutex<HashMap<Key, Weak<Answering>>>);

/// The one of several that is sent. Dropped without an answer, it leaves that to the next one.
pub(crate) struct Leader {
    gateway: Arc<Gateway>,
    key: Key,
    answering: Arc<Answering>,
}

/// Which one of several a request is.
enum Role {
    Leader(Leader),
    Follower(watch::Receiver<Option<Shared>>),
}

impl Leader {
    /// Tells everybody who waits. Streams and the like are nobody else's.
    pub(crate) fn publish(self, opened: &Result<Opened, PublicError>) {
        let shared = match opened {
            Ok(Opened::Plain(PlainAnswer { deployment, headers, body, .. })) => Shared::Answer {
                deployment: deployment.clone(),
                headers: headers.clone(),
                body: body.clone(),
            },
            Ok(Opened::Rejected(rejection)) => Shared::Rejected(Arc::new(Rejection::clone(rejection))),
            Ok(Opened::Stream(_)) => return,
            Err(error) => Shared::Failed(error.clone()),
        };
        self.answering.send_replace(Some(shared));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let mut together = self.gateway.together.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may be somebody else's by now.
        if together.get(&self.key).is_some_and(|known| known.as_ptr() == Arc::as_ptr(&self.answering)) {
            together.remove(&self.key);
        }
    }
}

/// Waits for the answer of a request that is the same, if there is one under way; else `dispatch` comes back, and is
/// the one that others wait for.
pub(super) async fn join(mut dispatch: Box<Dispatch>) -> Result<Box<Dispatch>, Response<ResponseBody>> {
    let key = key(&dispatch);
    loop {
        let mut following = match role(&dispatch.gateway, key) {
            Role::Leader(leader) => {
                dispatch.leader = Some(leader);
                return Ok(dispatch);
            }
            Role::Follower(following) => following,
        };
        dispatch.settlement.meter.pause(dispatch.gateway.clock.now());
        let told = timeout_at(dispatch.deadline.instant(), following.wait_for(Option::is_some)).await;
        let told = told.map(|told| told.ok().and_then(|shared| shared.clone()));
        dispatch.settlement.meter.resume(dispatch.gateway.clock.now());
        match told {
            Ok(Some(shared)) => return Err(share(dispatch, shared)),
            // Who had it has left: somebody else takes its place.
            Ok(None) => {}
            Err(_) => {
                let message = timed_out(pointsman_core::Phase::Total).public;
                let error = PublicError::new(ErrorCode::UpstreamTimeout, message);
                return Err(refuse_in(dispatch.asked.dialect, dispatch.into_settlement(), &error));
            }
        }
    }
}

fn role(gateway: &Arc<Gateway>, key: Key) -> Role {
    let mut together = gateway.together.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answering) = together.get(&key).and_then(Weak::upgrade) {
        return Role::Follower(answering.subscribe());
    }
    let answering = Arc::new(watch::Sender::new(None));
    together.insert(key, Arc::downgrade(&answering));
    Role::Leader(Leader { gateway: gateway.clone(), key, answering })
}

/// Everything that makes the answer: who asks, what, and how.
fn key(dispatch: &Dispatch) -> Key {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    let record = dispatch.settlement.record();
    let caller = record.and_then(|record| record.principal.key.as_deref());
    part(caller.unwrap_or_default().as_bytes());
    part(dispatch.asked.dialect.as_str().as_bytes());
    part(dispatch.operation.as_str().as_bytes());
    part(dispatch.asked.model.as_deref().unwrap_or_default().as_bytes());
    part(format!("{:?}", dispatch.asked.shape).as_bytes());
    for (name, value) in &dispatch.outgoing.headers {
        // Each request has a trace of its own.
        if !name.as_str().starts_with("trace") {
            part(name.as_str().as_bytes());
            part(value.as_bytes());
        }
    }
    part(dispatch.received());
    part(&dispatch.outgoing.body);
    hash.finalize().into()
}

/// Another one's answer. This request used nothing, and cost nothing.
fn share(dispatch: Box<Dispatch>, shared: Shared) -> Response<ResponseBody> {
    dispatch.gateway.metrics.resilience().coalesced();
    match shared {
        Shared::Answer { deployment, headers, body } => {
            let store = dispatch.route.store_bodies.then(|| dispatch.received().clone());
            let answer = PlainAnswer { deployment, headers, body, store };
            let mut response = deliver::deliver(dispatch, Opened::Plain(answer));
            response.headers_mut().insert(crate::headers::COALESCED, http::HeaderValue::from_static("true"));
            response
        }
        Shared::Rejected(rejection) => {
            deliver::deliver(dispatch, Opened::Rejected(Box::new(Rejection::clone(&rejection))))
        }
        Shared::Failed(error) => refuse_in(dispatch.asked.dialect, dispatch.into_settlement(), &error),
    }
}
