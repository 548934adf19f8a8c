//! The body of an upstream request: slices of the client's own bytes with the new name between.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;

/// Up to this length one copy is cheaper than a vectored write of several pieces, in bytes.
const JOIN_BYTES: usize = 4 * 1024;

/// Pieces that are sent one after the other: long bodies are never joined, vectored writes carry them.
#[derive(Clone, Debug, Default)]
pub struct RequestBody {
    pieces: SmallVec<[Bytes; 5]>,
    next: usize,
    left: u64,
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
        Self { pieces, next: 0, left: left as u64 }
    }

    /// Bytes still to be sent.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.left
    }

    /// Whether nothing is left to be sent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(SmallVec::from_iter([bytes]))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let index = self.next;
        let Some(piece) = self.pieces.get_mut(index).map(std::mem::take) else {
            return Poll::Ready(None);
        };
        self.next += 1;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
