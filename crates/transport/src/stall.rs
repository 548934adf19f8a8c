//! Clients that stop reading: a write that makes no progress for too long ends the connection, and with
//! it the request and its upstream call. Wrapped around each connection by [`crate::serve`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose writes may not stand still for longer than `limit`.
pub(crate) struct WriteLimit<I> {
    io: I,
    limit: Duration,
    /// Runs while a write waits: a client that reads costs nothing here.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<I> WriteLimit<I> {
    pub(crate) const fn new(io: I, limit: Duration) -> Self {
        Self { io, limit, waiting: None }
    }

    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        waiting.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for WriteLimit<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for WriteLimit<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(polled, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_standstill_counts() {
        let (near, mut far) = duplex(16);
        let mut near = WriteLimit::new(near, Duration::from_secs(10));
        let reading = tokio::spawn(async move {
            let mut some = [0; 16];
            for _ in 0..4 {
                sleep(Duration::from_secs(9)).await;
                far.read_exact(&mut some).await.unwrap();
            }
            far
        });
        let started = Instant::now();
        near.write_all(&[0; 80]).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(36), "a slow reader is served");
        let _far = reading.await.unwrap();
        let stopped = Instant::now();
        let error = near.write_all(&[0; 80]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(stopped.elapsed() < Duration::from_secs(11));
    }
}
