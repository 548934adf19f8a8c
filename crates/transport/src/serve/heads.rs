//! A length beside chunks: the most common way to smuggle a request past a server that reads the other one
//! (RFC 9112, 6.1). hyper keeps the chunks and throws the length away, so that nobody could tell; here the heads are
//! looked at as they are read, and such a request is marked.
//!
//! What a client sends before it has its answer (pipelining) is not looked at: there hyper's way holds, which is
//! the RFC's: the chunks count, and the connection ends after the answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::Request;
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Marks a request whose head had a `Content-Length` beside its `Transfer-Encoding`: an extension of it.
#[derive(Clone, Copy, Debug)]
pub struct TwoFramings;

const LENGTH: &[u8] = b"content-length:";
const ENCODING: &[u8] = b"transfer-encoding:";

/// A stream whose heads are looked at, and the service that is told.
pub(super) fn watched<I, S>(io: I, service: S) -> (Heads<I>, Marking<S>) {
    let both = Arc::new(AtomicBool::new(false));
    (Heads { io, scan: Scan::default(), both: both.clone() }, Marking { service, both })
}

/// A stream whose heads are looked at.
pub(super) struct Heads<I> {
    io: I,
    scan: Scan,
    both: Arc<AtomicBool>,
}

/// A service whose requests are marked.
pub(super) struct Marking<S> {
    service: S,
    /// The head that was read last had both.
    both: Arc<AtomicBool>,
}

impl<S, B> Service<Request<B>> for Marking<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> S::Future {
        if self.both.swap(false, Ordering::Relaxed) {
            request.extensions_mut().insert(TwoFramings);
        }
        self.service.call(request)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Heads<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        if let Some(both) = self.scan.push(buf.filled().get(before..).unwrap_or_default()) {
            self.both.store(both, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Heads<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // What comes after an answer is another head.
        self.scan = Scan::default();
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.scan = Scan::default();
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// How far a head was read, in pieces of any length.
#[derive(Default)]
struct Scan {
    /// How the present line begins: no more than it takes to know its name.
    line: [u8; ENCODING.len()],
    filled: usize,
    /// The request line was there.
    begun: bool,
    length: bool,
    encoding: bool,
    /// The head is over, or this is none.
    past: bool,
}

impl Scan {
    /// Looks at the next bytes. At the end of a head: whether it had both.
    fn push(&mut self, mut bytes: &[u8]) -> Option<bool> {
        while !self.past && !bytes.is_empty() {
            let (piece, rest, ends) = match memchr::memchr(b'\n', bytes) {
                Some(at) => (&bytes[..at], &bytes[at + 1..], true),
                None => (bytes, &[][..], false),
            };
            let room = &mut self.line[self.filled..];
            let taken = piece.len().min(room.len());
            room[..taken].copy_from_slice(&piece[..taken]);
            self.filled += taken;
            // The body that a client waited to send, or frames of a WebSocket.
            let first = self.line[..self.filled].first();
            self.past =
                !self.begun && first.is_some_and(|first| !first.is_ascii_alphabetic() && *first != b'\r');
            if ends && self.end_line() {
                self.past = true;
                return Some(self.length && self.encoding);
            }
            bytes = rest;
        }
        None
    }

    /// Whether it was the empty line behind a head.
    fn end_line(&mut self) -> bool {
        let line = &self.line[..std::mem::take(&mut self.filled)];
        let begins =
            |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if matches!(line, b"" | b"\r") {
            return self.begun;
        }
        self.length |= begins(LENGTH);
        self.encoding |= begins(ENCODING);
        self.begun = true;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict, however the bytes are cut.
    fn both(head: &str) -> Option<bool> {
        let whole = Scan::default().push(head.as_bytes());
        for size in 1..=head.len() {
            let mut scan = Scan::default();
            let found = head.as_bytes().chunks(size).find_map(|piece| scan.push(piece));
            assert_eq!(found, whole, "in pieces of {size}: {head}");
        }
        whole
    }

    #[test]
    fn a_head_has_both_or_not() {
        let head = |fields: &str| both(&format!("POST /x HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(head("Content-Length: 4\r\nhost: a\r\nTRANSFER-ENCODING: chunked\r\n"), Some(true));
        assert_eq!(head("transfer-encoding: chunked\ncontent-length: 4\n"), Some(true));
        assert_eq!(head("content-length: 4\r\nhost: a\r\n"), Some(false));
        assert_eq!(head("transfer-encoding: chunked\r\nx-content-length: 4\r\n"), Some(false));
        assert_eq!(head("transfer-encoding: chunked\r\ncontent-lengthy: 4\r\n"), Some(false));
        assert_eq!(head(""), Some(false));
        // The lines before a request belong to nobody; those behind its head are its body.
        assert_eq!(both("\r\n\r\nPOST / HTTP/1.1\r\n\r\n"), Some(false));
        let body = "transfer-encoding: chunked\r\n\r\ncontent-length: 4\r\n\r\n";
        assert_eq!(both(&format!("POST / HTTP/1.1\r\n{body}")), Some(false));
        assert_eq!(both("POST / HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n"), None);
        for no_head in
            ["{\"a\":1}\r\n\r\n", "\u{81}\n\n", "--B\r\ncontent-length: 1\r\ntransfer-encoding: x\r\n\r\n"]
        {
            assert_eq!(both(no_head), None, "{no_head}");
        }
    }
}
