//! An upstream that may speak HTTP/2: what its server chose, the connections that requests share, and the
//! second try of a request that has certainly not been worked on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{SendError, Upstream};
use crate::body::RequestBody;
use crate::connect::{ConnectError, Negotiated};
use crate::h1::conn::Conn;
use crate::h2::exchange::{Target, exchange};
use crate::h2::session::{Avoid, Claimed, Sessions};
use crate::pool::UpstreamBody;

/// What an upstream with HTTP/2 on offer has besides the others.
pub(super) struct Shared {
    pub(super) sessions: Arc<Sessions>,
    pub(super) target: Target,
    /// Without asking: the stream is not encrypted, so that nothing can be negotiated.
    pub(super) prior_knowledge: bool,
    /// The server chose HTTP/1.1 the last time.
    declined: AtomicBool,
    /// One connects, the others wait: they may share what it opens.
    opening: Mutex<()>,
}

/// Where a request has come to that found no connection of HTTP/1.1 waiting.
#[expect(clippy::large_enum_variant, reason = "moves once, and the box of the request's own future holds it")]
pub(super) enum Begun {
    /// It is to be sent on this one.
    Own(Box<(Conn, Request<RequestBody>)>),
    /// It was sent, and answered, on a shared one.
    Answered(Response<UpstreamBody>),
}

enum Place {
    Own(Conn),
    Shared(Claimed),
}

impl Shared {
    pub(super) fn new(target: Target, prior_knowledge: bool) -> Self {
        Self {
            sessions: Sessions::new(),
            target,
            prior_knowledge,
            declined: AtomicBool::new(false),
            opening: Mutex::default(),
        }
    }
}

impl Upstream {
    /// Opens a connection for `request`, or sends it on one that others use as well.
    pub(super) async fn begin(
        &self,
        mut request: Request<RequestBody>,
        limit: Duration,
    ) -> Result<Begun, SendError> {
        let Some(shared) = &self.shared else { return Ok(own(self.open(limit).await?, request)) };
        let mut refused = None;
        loop {
            let claimed = match self.place(shared, refused.as_ref(), limit).await? {
                Place::Own(conn) => return Ok(own(conn, request)),
                Place::Shared(claimed) => claimed,
            };
            let again = if refused.is_none() { again(&request) } else { None };
            refused = Some(claimed.avoid());
            match exchange(claimed, request, &shared.target).await {
                Ok(response) => return Ok(Begun::Answered(response.map(UpstreamBody::shared))),
                Err(unanswered) => match again.filter(|_| unanswered.unprocessed) {
                    Some(again) => request = again,
                    None => return Err(unanswered.error.into()),
                },
            }
        }
    }

    async fn place(
        &self,
        shared: &Shared,
        avoid: Option<&Avoid>,
        limit: Duration,
    ) -> Result<Place, ConnectError> {
        if let Some(claimed) = shared.sessions.claim(avoid) {
            return Ok(Place::Shared(claimed));
        }
        timeout(limit, self.open_either(shared, avoid)).await.map_err(|_| ConnectError::Timeout(limit))?
    }

    async fn open_either(&self, shared: &Shared, avoid: Option<&Avoid>) -> Result<Place, ConnectError> {
        // Connections of HTTP/1.1 are opened side by side, as many as are needed.
        let turn = match shared.declined.load(Ordering::Relaxed) {
            true => None,
            false => Some(shared.opening.lock().await),
        };
        shared.sessions.settled().await;
        if let Some(claimed) = shared.sessions.claim(avoid) {
            return Ok(Place::Shared(claimed));
        }
        let _turn = turn.filter(|_| !shared.declined.load(Ordering::Relaxed));
        let negotiated = match shared.prior_knowledge {
            true => Negotiated::Http2(self.connector.connect(&self.origin).await?),
            false => self.connector.negotiate(&self.origin).await?,
        };
        let declined = matches!(negotiated, Negotiated::Http1(_));
        shared.declined.store(declined, Ordering::Relaxed);
        match negotiated {
            Negotiated::Http1(io) => Ok(Place::Own(Conn::new(io))),
            Negotiated::Http2(io) => shared.sessions.add(io).await.map(Place::Shared),
        }
    }
}

fn own(conn: Conn, request: Request<RequestBody>) -> Begun {
    Begun::Own(Box::new((conn, request)))
}

/// A copy for a second try. Not of a streamed body: what has left is gone.
fn again(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let mut again = Request::new(request.body().again()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}
