//! The body of an upstream request: slices of the client's own bytes with the new name between, or a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;

/// Up to this length one copy is cheaper than a vectored write of several pieces, in bytes.
const JOIN_BYTES: usize = 4 * 1024;

/// What breaks a streamed body off.
pub type RequestBodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body that is not in memory.
pub type StreamedBody = Pin<Box<dyn Body<Data = Bytes, Error = RequestBodyError> + Send>>;

/// Pieces that are sent one after the other: long bodies are never joined, vectored writes carry them.
pub struct RequestBody(Kind);

enum Kind {
    Pieces { pieces: SmallVec<[Bytes; 5]>, next: usize, left: u64 },
    Stream(StreamedBody),
}

impl RequestBody {
    /// A body of these pieces; empty ones are left out.
    #[must_use]
    pub fn new(mut pieces: SmallVec<[Bytes; 5]>) -> Self {
        pieces.retain(|piece| !piece.is_empty());
        let left = pieces.iter().map(Bytes::len).sum();
        if pieces.len() > 1 && left <= JOIN_BYTES {
            let mut joined = BytesMut::with_capacity(left);
            pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
            pieces.clear();
            pieces.push(joined.freeze());
        }
        Self(Kind::Pieces { pieces, next: 0, left: left as u64 })
    }

    /// A body that is read as it is sent. Its size hint, where exact, becomes the content length; else it
    /// is sent in chunks.
    #[must_use]
    pub fn streamed(body: StreamedBody) -> Self {
        Self(Kind::Stream(body))
    }

    /// The same body once more, where nothing of it has been taken and it is in memory.
    pub(crate) fn again(&self) -> Option<Self> {
        match &self.0 {
            Kind::Pieces { pieces, next: 0, left } => {
                Some(Self(Kind::Pieces { pieces: pieces.clone(), next: 0, left: *left }))
            }
            Kind::Pieces { .. } | Kind::Stream(_) => None,
        }
    }

    /// The length in bytes, where it is known.
    #[must_use]
    pub fn exact_len(&self) -> Option<u64> {
        self.size_hint().exact()
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::new(SmallVec::new())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact_len() {
            Some(length) => write!(f, "RequestBody({length} bytes)"),
            None => f.write_str("RequestBody(streamed)"),
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(SmallVec::from_iter([bytes]))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match &mut self.0 {
            Kind::Pieces { pieces, next, left } => {
                let Some(piece) = pieces.get_mut(*next).map(std::mem::take) else {
                    return Poll::Ready(None);
                };
                *next += 1;
                *left -= piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Kind::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Pieces { left, .. } => *left == 0,
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Pieces { left, .. } => SizeHint::with_exact(*left),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}
