//! An answer's body. Dropped before its end, it resets its stream, so that the upstream stops working on it.

use std::fmt;
use std::task::{Context, Poll, ready};

use ::h2::{Reason, RecvStream};
use bytes::Bytes;

use super::broken;
use super::session::Claim;
use super::upload::Upload;
use crate::h1::ExchangeError;

pub(crate) struct Answer {
    stream: RecvStream,
    /// The rest of a request that is answered before it has left completely.
    upload: Option<Box<Upload>>,
    /// What its head says is left, in bytes.
    left: Option<u64>,
    /// Its place on the connection.
    claim: Claim,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({:?})", self.stream.stream_id())
    }
}

impl Answer {
    pub(super) fn new(
        stream: RecvStream,
        upload: Option<Box<Upload>>,
        left: Option<u64>,
        claim: Claim,
    ) -> Self {
        Self { stream, upload, left, claim }
    }

    /// Whether nothing more will come.
    pub(crate) fn is_end(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// What is known to be left, in bytes.
    pub(crate) const fn left(&self) -> Option<u64> {
        self.left
    }

    /// The next piece; `None` at the end. Trailers are dropped.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        let piece = ready!(self.poll_piece(cx));
        match piece {
            Some(Ok(_)) => self.claim.heard(),
            Some(Err(_)) | None => self.claim.ended(),
        }
        Poll::Ready(piece)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ExchangeError>>> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(sent) = upload.poll(cx)
        {
            self.upload = None;
            if let Err(error) = sent {
                return Poll::Ready(Some(Err(ExchangeError::RequestBody(error))));
            }
        }
        loop {
            match ready!(self.stream.poll_data(cx)) {
                None => return Poll::Ready(None),
                // The library bounds how many of these a peer may send.
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => {
                    let length = data.len();
                    // An error here is one that the next poll tells.
                    let _ = self.stream.flow_control().release_capacity(length);
                    self.left = self.left.map(|left| left.saturating_sub(length as u64));
                    return Poll::Ready(Some(Ok(data)));
                }
                // "Stop sending, my answer is complete" (RFC 9113, 8.1).
                Some(Err(error)) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => {
                    let whole = self.left.is_none_or(|left| left == 0);
                    return Poll::Ready((!whole).then_some(Err(ExchangeError::Truncated)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(broken(error)))),
            }
        }
    }
}
