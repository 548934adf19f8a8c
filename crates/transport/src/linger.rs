//! Closing a connection whose client is still sending: what it sends is read and thrown away for a moment,
//! because closing with unread bytes makes the kernel send a reset, and a reset can destroy the answer
//! before the client has read it (RFC 9112, section 9.6). So a refusal of a long body arrives.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use crate::serve::Drain;

/// How long a client may go on sending what nobody reads.
const LINGER: Duration = Duration::from_secs(2);
/// What is thrown away at a time, in bytes.
const PIECE: usize = 4 * 1024;

/// A stream that lingers when it is shut down, unless the client has closed its side or the server drains.
pub(crate) struct Linger<I> {
    io: I,
    drain: Drain,
    /// The client has closed its side.
    ended: bool,
    state: State,
    /// Given back when the connection is closed.
    _slot: Option<OwnedSemaphorePermit>,
}

enum State {
    Open,
    Reading(Pin<Box<Sleep>>),
    Done,
}

impl<I> Linger<I> {
    pub(crate) const fn new(io: I, drain: Drain, slot: Option<OwnedSemaphorePermit>) -> Self {
        Self { io, drain, ended: false, state: State::Open, _slot: slot }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Linger<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        self.ended = read.is_err() || (buf.filled().len() == before && buf.remaining() > 0);
        Poll::Ready(read)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Open => {
                    ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
                    let leave = this.ended || this.drain.started();
                    this.state = if leave { State::Done } else { State::Reading(Box::pin(sleep(LINGER))) };
                }
                State::Reading(limit) => {
                    let mut piece = [0; PIECE];
                    let mut buf = ReadBuf::new(&mut piece);
                    let over = limit.as_mut().poll(cx).is_ready();
                    let read = Pin::new(&mut this.io).poll_read(cx, &mut buf);
                    if over
                        || matches!(read, Poll::Ready(Err(_)))
                        || (read.is_ready() && buf.filled().is_empty())
                    {
                        this.state = State::Done;
                    } else {
                        ready!(read)?;
                    }
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_client_still_sends_is_taken_for_a_while() {
        let (near, mut far) = duplex(16);
        let mut near = Linger::new(near, Drain::default(), None);
        let sending = tokio::spawn(async move {
            far.write_all(&[0; 100_000]).await.unwrap();
            let mut answer = Vec::new();
            far.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let started = Instant::now();
        near.write_all(b"no").await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(sending.await.unwrap(), b"no");
        assert_eq!(started.elapsed(), Duration::ZERO, "over as soon as the client closes");
    }

    #[tokio::test(start_paused = true)]
    async fn not_for_ever_and_not_while_draining() {
        let (near, _far) = duplex(16);
        let started = Instant::now();
        Linger::new(near, Drain::default(), None).shutdown().await.unwrap();
        assert!(started.elapsed() >= LINGER && started.elapsed() < 2 * LINGER);
        let (near, _far) = duplex(16);
        let drain = Drain::default();
        drain.start();
        let started = Instant::now();
        Linger::new(near, drain, None).shutdown().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_closed_is_not_waited_for() {
        let (near, mut far) = duplex(16);
        let mut near = Linger::new(near, Drain::default(), None);
        far.shutdown().await.unwrap();
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 0);
        let started = Instant::now();
        near.shutdown().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
