//! Idle connections of one origin, and the response body that brings its connection back.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::h1::ExchangeError;
use crate::h1::conn::Conn;
use crate::h1::framing::Framing;
use crate::h2::answer::Answer;

#[derive(Debug)]
struct Idle {
    conn: Conn,
    since: Instant,
}

/// Last in, first out: the warmest connection is used first and the coldest expire.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
    max_idle: usize,
    idle_timeout: Duration,
}

impl Pool {
    pub(crate) fn new(max_idle: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::new(Vec::new()), max_idle, idle_timeout })
    }

    /// A connection that is open and silent.
    pub(crate) fn take(&self) -> Option<Conn> {
        loop {
            let mut last = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if last.conn.is_idle() {
                return Some(last.conn);
            }
        }
    }

    fn put(&self, conn: Conn) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.max_idle {
            idle.push(Idle { conn, since: Instant::now() });
        }
    }

    /// Closes what has been idle for too long, and what the server closed.
    pub(crate) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        idle.retain_mut(|idle| now - idle.since < self.idle_timeout && idle.conn.is_idle());
        if idle.is_empty() {
            idle.shrink_to_fit();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// An answer's body. Read to its end, it gives its connection back; dropped before, it closes it, and resets
/// its stream where the connection is shared.
#[derive(Debug)]
pub struct UpstreamBody(Kind);

#[derive(Debug)]
enum Kind {
    Own(Own),
    /// `None` after the end.
    Shared(Option<Answer>),
}

/// The body of an answer that has its connection for itself.
#[derive(Debug)]
struct Own {
    framing: Framing,
    conn: Option<Conn>,
    /// Where the connection may go back to.
    pool: Option<Arc<Pool>>,
}

impl UpstreamBody {
    /// `pool` only where another request may follow on the connection.
    pub(crate) fn new(conn: Conn, framing: Framing, pool: Option<Arc<Pool>>) -> Self {
        let mut body = Own { framing, conn: Some(conn), pool };
        if framing.is_end() {
            body.give_back();
        }
        Self(Kind::Own(body))
    }

    pub(crate) fn shared(answer: Answer) -> Self {
        Self(Kind::Shared((!answer.is_end()).then_some(answer)))
    }
}

impl Own {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        let Some(open) = &mut self.conn else { return Poll::Ready(None) };
        let piece = ready!(open.poll_body(&mut self.framing, cx));
        match &piece {
            None => self.give_back(),
            Some(Ok(_)) if self.framing.is_end() => self.give_back(),
            Some(Ok(_)) => {}
            Some(Err(_)) => self.conn = None,
        }
        Poll::Ready(piece)
    }

    fn give_back(&mut self) {
        if let (Some(mut conn), Some(pool)) = (self.conn.take(), self.pool.take())
            && conn.rest()
        {
            pool.put(conn);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = ExchangeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        let piece = match &mut self.0 {
            Kind::Own(body) => ready!(body.poll(cx)),
            Kind::Shared(body) => ready!(poll_shared(body, cx)),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(body) => body.conn.is_none(),
            Kind::Shared(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let left = match &self.0 {
            Kind::Own(body) => body.framing.left(),
            Kind::Shared(body) => body.as_ref().map_or(Some(0), Answer::left),
        };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The stream is let go at its end, so that its place on the connection is free at once.
fn poll_shared(
    body: &mut Option<Answer>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, ExchangeError>>> {
    let Some(answer) = body else { return Poll::Ready(None) };
    let piece = ready!(answer.poll(cx));
    if !matches!(piece, Some(Ok(_))) || answer.is_end() {
        *body = None;
    }
    Poll::Ready(piece)
}
