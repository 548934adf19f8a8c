//! A whole answer that stops coming: where somebody else could answer, it is not waited for to the last moment.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pointsman_core::{Outcome, Phase};
use pointsman_transport::{CollectError, ExchangeError, UpstreamBody, collect};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::pipeline::attempt::{Failure, broken, is_malformed, timed_out};

/// Reads an answer whole, of at most `limit` bytes, until `deadline`. With a `pause`, it is given up as soon as
/// nothing more has come for so long.
///
/// # Errors
/// It is longer, breaks off, or takes too long.
pub(crate) async fn read_whole(
    body: UpstreamBody,
    limit: usize,
    deadline: Instant,
    pause: Option<Duration>,
) -> Result<Bytes, Failure> {
    let alive = Alive { body, pause, timer: None };
    match timeout_at(deadline, collect(alive, limit)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(CollectError::TooLong(_))) => {
            Err(Failure::new(Outcome::Malformed, "the answer is too long to be held"))
        }
        Ok(Err(CollectError::Broken(Stopped::Stalled))) => Err(timed_out(Phase::BetweenChunks)),
        Ok(Err(CollectError::Broken(Stopped::Broken(error)))) => {
            Err(broken(is_malformed(&error), "the answer broke off").because(error))
        }
        Err(_) => Err(timed_out(Phase::Total)),
    }
}

struct Alive {
    body: UpstreamBody,
    pause: Option<Duration>,
    /// Made when there is something to wait for: most answers come in one piece with their head.
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("nothing more came")]
    Stalled,
    #[error(transparent)]
    Broken(#[from] ExchangeError),
}

impl Body for Alive {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Stopped::from)));
        }
        let Some(pause) = this.pause else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
        timer.as_mut().poll(cx).map(|()| Some(Err(Stopped::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
