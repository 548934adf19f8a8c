//! A request's body on its way out, as fast as the peer's flow control allows. It is driven by whoever waits
//! for the answer: there is no task of its own, and dropping it resets the stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::h2::SendStream;
use bytes::Bytes;
use http_body::Body;

use crate::body::{RequestBody, RequestBodyError};

pub(super) struct Upload {
    stream: SendStream<Bytes>,
    body: RequestBody,
}

impl Upload {
    pub(super) const fn new(stream: SendStream<Bytes>, body: RequestBody) -> Self {
        Self { stream, body }
    }

    /// Sends what can be sent; ready when everything has gone, or the peer wants no more of it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestBodyError>> {
        loop {
            // One byte of room admits a whole piece: pieces are slices of what is held anyway, and of a
            // streamed body it is one at a time.
            self.stream.reserve_capacity(1);
            if self.stream.capacity() == 0 {
                match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    // The stream was reset: the answer's side knows more.
                    Some(Err(_)) | None => return Poll::Ready(Ok(())),
                }
            }
            let (data, end) = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(frame) => (frame?.into_data().unwrap_or_default(), self.body.is_end_stream()),
                None => (Bytes::new(), true),
            };
            if data.is_empty() && !end {
                continue;
            }
            if self.stream.send_data(data, end).is_err() || end {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
