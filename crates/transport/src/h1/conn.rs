//! The connection itself: writes a request, reads an answer's head, then its body piece by piece.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body::Body;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::ExchangeError;
use super::framing::{Decoded, Framing};
use super::head::{self, Head, Length};
use crate::body::RequestBody;
use crate::io::{BoxedIo, Rewound};

/// The first read of an answer: a head and a short body fit.
const FIRST_READ_BYTES: usize = 8 * 1024;
/// Reads grow to this while they fill their buffer; bounds a connection's memory.
const MAX_READ_BYTES: usize = 64 * 1024;
/// More interim answers (1xx) than this are an attack.
pub(crate) const MAX_INTERIM: usize = 16;
/// The most pieces of one vectored write.
const MAX_SLICES: usize = 8;

/// A connection on which one exchange at a time can run.
pub(crate) struct Conn {
    io: BoxedIo,
    buffer: BytesMut,
    /// Reused for every request's head.
    head: BytesMut,
    next_read: usize,
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conn({} bytes waiting)", self.buffer.len())
    }
}

/// An answer's head, and whether the request had left completely when it came.
pub(crate) struct Answered {
    pub(crate) head: Head,
    pub(crate) sent_all: bool,
}

impl Conn {
    pub(crate) fn new(io: BoxedIo) -> Self {
        Self { io, buffer: BytesMut::new(), head: BytesMut::new(), next_read: FIRST_READ_BYTES }
    }

    /// Whether an idle connection is still good: open, and silent.
    pub(crate) fn is_idle(&mut self) -> bool {
        // A byte on the stack: looking must not make an idle connection hold a buffer.
        let mut byte = [0];
        let mut context = Context::from_waker(std::task::Waker::noop());
        let read = Pin::new(&mut self.io).poll_read(&mut context, &mut ReadBuf::new(&mut byte));
        self.buffer.is_empty() && read.is_pending()
    }

    /// Sends `request` and reads the head of its answer. Dropping the future leaves the connection in the
    /// middle of an exchange: it must be dropped too.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Answered, ExchangeError> {
        let method = request.method().clone();
        let length = Length::of(&method, request.body());
        self.head.clear();
        head::write(&request, length, &mut self.head);
        let mut sending = Sending {
            pieces: SmallVec::from_iter([self.head.split().freeze()]),
            first: 0,
            body: Some(request.into_body()),
            chunked: length == Length::Chunked,
            flushed: false,
        };
        let mut interim = 0;
        let mut unsent = None;
        poll_fn(|cx| {
            loop {
                // A server that refused and hung up breaks the writing, but its answer may be here already.
                let sent_all = unsent.is_none()
                    && match sending.poll(&mut self.io, cx) {
                        Poll::Ready(Err(error @ ExchangeError::Io(_))) => {
                            unsent = Some(error);
                            false
                        }
                        Poll::Ready(sent) => sent.map(|()| true)?,
                        Poll::Pending => false,
                    };
                // An answer may come before all of the request has gone: a refusal of a long one.
                while let Some(head) = head::read(&mut self.buffer, &method)? {
                    let status = head.response.status();
                    if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                        return Poll::Ready(Ok(Answered { head, sent_all }));
                    }
                    interim += 1;
                    if interim > MAX_INTERIM {
                        return Poll::Ready(Err(ExchangeError::Malformed("too many interim answers")));
                    }
                }
                let read = match (ready!(self.poll_fill(cx)), unsent.take()) {
                    (Ok(read), None) => read,
                    (Ok(read), error) if read > 0 => {
                        unsent = error;
                        read
                    }
                    (Ok(_) | Err(_), Some(error)) => return Poll::Ready(Err(error)),
                    (Err(error), None) => return Poll::Ready(Err(error.into())),
                };
                if read == 0 {
                    let silent = self.buffer.is_empty() && interim == 0;
                    return Poll::Ready(Err(if silent {
                        ExchangeError::Closed
                    } else {
                        ExchangeError::Truncated
                    }));
                }
            }
        })
        .await
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) fn poll_body(
        &mut self,
        framing: &mut Framing,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        loop {
            match framing.decode(&mut self.buffer) {
                Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => return Poll::Ready(framing.closed().err().map(Err)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// The stream itself, with what was read of it beyond the last answer.
    pub(crate) fn into_io(self) -> BoxedIo {
        match self.buffer.is_empty() {
            true => self.io,
            false => Box::new(Rewound::new(self.buffer.freeze(), self.io)),
        }
    }

    /// Nothing is left in the buffer that the answer did not account for.
    pub(crate) fn rest(&mut self) -> bool {
        let clean = self.buffer.is_empty();
        // An idle connection holds no memory.
        self.buffer = BytesMut::new();
        self.next_read = FIRST_READ_BYTES;
        clean
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.reserve(self.next_read);
        let room = self.buffer.capacity() - self.buffer.len();
        let read = ready!(pin!(self.io.read_buf(&mut self.buffer)).poll(cx))?;
        if read == room {
            self.next_read = (self.next_read * 2).min(MAX_READ_BYTES);
        }
        Poll::Ready(Ok(read))
    }
}

/// What is still to be written.
struct Sending {
    pieces: SmallVec<[Bytes; 6]>,
    first: usize,
    body: Option<RequestBody>,
    chunked: bool,
    flushed: bool,
}

impl Sending {
    /// Writes what can be written; ready when everything has gone.
    fn poll(&mut self, io: &mut BoxedIo, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
        loop {
            while self.take_piece(cx)?.is_ready() {}
            if self.first == self.pieces.len() {
                if self.body.is_some() {
                    return Poll::Pending;
                }
                if !self.flushed {
                    ready!(Pin::new(&mut *io).poll_flush(cx))?;
                    self.flushed = true;
                }
                return Poll::Ready(Ok(()));
            }
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let waiting = self.pieces.iter().skip(self.first);
            let count =
                slices.iter_mut().zip(waiting).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
            let mut written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
            }
            while let Some(piece) = self.pieces.get_mut(self.first) {
                let gone = written.min(piece.len());
                piece.advance(gone);
                written -= gone;
                if !piece.is_empty() {
                    break;
                }
                self.first += 1;
            }
        }
    }

    /// Takes one more piece of the body, where there is room for it and it is at hand.
    fn take_piece(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, ExchangeError> {
        if self.first == self.pieces.len() {
            self.pieces.clear();
            self.first = 0;
        }
        let Some(body) = &mut self.body else { return Ok(Poll::Pending) };
        if self.pieces.len() + 3 > MAX_SLICES {
            return Ok(Poll::Pending);
        }
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(None) => {
                self.body = None;
                if self.chunked {
                    self.pieces.push(Bytes::from_static(b"0\r\n\r\n"));
                }
            }
            Poll::Ready(Some(Err(error))) => return Err(ExchangeError::RequestBody(error)),
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                if data.is_empty() {
                    return Ok(Poll::Ready(()));
                }
                if self.chunked {
                    self.pieces.push(format!("{:x}\r\n", data.len()).into());
                    self.pieces.push(data);
                    self.pieces.push(Bytes::from_static(b"\r\n"));
                } else {
                    self.pieces.push(data);
                }
            }
        }
        Ok(Poll::Ready(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_heard_although_the_server_hung_up_on_the_rest() {
        let (near, mut far) = duplex(4096);
        let server = tokio::spawn(async move {
            far.read_exact(&mut [0; 16]).await.unwrap();
            far.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        });
        let body = RequestBody::from(Bytes::from(vec![b'x'; 1 << 20]));
        let mut conn = Conn::new(Box::new(near));
        let answered = conn.exchange(Request::post("/").body(body).unwrap()).await.unwrap();
        assert_eq!(answered.head.response.status(), 413);
        assert!(!answered.sent_all, "the connection must not be used again");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_server_that_only_hangs_up_is_an_error() {
        let (near, far) = duplex(4096);
        drop(far);
        let body = RequestBody::from(Bytes::from(vec![b'x'; 1 << 20]));
        let refused = Conn::new(Box::new(near)).exchange(Request::post("/").body(body).unwrap()).await;
        assert!(matches!(refused.map(|_| ()), Err(ExchangeError::Io(_) | ExchangeError::Closed)));
    }
}
