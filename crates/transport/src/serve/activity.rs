//! What happens on one HTTP/2 connection: how many requests run, and whose turn it is. One connection
//! carries many requests, so the limits that a socket's own timers give HTTP/1.1 are kept here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// Requests of a connection.
#[derive(Debug)]
pub(super) struct Activity {
    since: Instant,
    /// Requests that are not answered to the end.
    open: AtomicUsize,
    /// Answers of which a piece was handed over that the client's window has not taken yet.
    handed: AtomicUsize,
    /// When something last moved, in milliseconds after `since`.
    moved_ms: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            since: Instant::now(),
            open: AtomicUsize::new(0),
            handed: AtomicUsize::new(0),
            moved_ms: AtomicU64::new(0),
        })
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.moved();
        Running { activity: self.clone(), handed: false }
    }

    /// Whether no request runs.
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Whether the client owes the next step of some answer.
    pub(super) fn waits_for_client(&self) -> bool {
        self.handed.load(Ordering::Relaxed) > 0
    }

    /// How long nothing has moved.
    pub(super) fn still(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.moved_ms.load(Ordering::Relaxed)))
    }

    fn moved(&self) {
        let elapsed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(elapsed, Ordering::Relaxed);
    }
}

/// A request that runs, until it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    activity: Arc<Activity>,
    handed: bool,
}

impl Running {
    fn hand(&mut self, handed: bool) {
        match (self.handed, handed) {
            (false, true) => self.activity.handed.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.activity.handed.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.handed = handed;
        self.activity.moved();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.hand(false);
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
        self.activity.moved();
    }
}

pin_project_lite::pin_project! {
    /// An answer's body that tells how far it is. `None`: empty.
    pub(super) struct Watched<B> {
        #[pin]
        pub(super) body: Option<B>,
        pub(super) running: Running,
    }
}

impl<B: Body> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        // Asked for more only when the client's window has room.
        this.running.hand(false);
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(body.poll_frame(cx));
        this.running.hand(frame.is_some());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
