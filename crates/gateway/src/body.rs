//! The response body: whole, or the driver of a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::passthrough::relay::{Interrupted, RelayDriver};
use crate::stream::StreamDriver;

/// What goes back to the client.
pub struct ResponseBody(Kind);

enum Kind {
    /// Known in full, and settled.
    Full(Option<Bytes>),
    /// Driven as the client reads.
    Stream(StreamDriver),
    /// Passed on as it comes.
    Relay(RelayDriver),
}

impl ResponseBody {
    /// A whole body.
    pub(crate) const fn full(bytes: Bytes) -> Self {
        Self(Kind::Full(Some(bytes)))
    }

    /// A body that is driven.
    pub(crate) const fn stream(driver: StreamDriver) -> Self {
        Self(Kind::Stream(driver))
    }

    /// A body that is passed on as it comes.
    pub(crate) const fn relay(driver: RelayDriver) -> Self {
        Self(Kind::Relay(driver))
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Kind::Full(_) => "ResponseBody(full)",
            Kind::Stream(_) => "ResponseBody(stream)",
            Kind::Relay(_) => "ResponseBody(relay)",
        })
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    /// Only relayed answers: a stream that fails says so in its last event.
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match &mut self.0 {
            Kind::Full(bytes) => Poll::Ready(
                bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))),
            ),
            Kind::Stream(driver) => {
                driver.poll_chunk(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
            }
            Kind::Relay(driver) => {
                driver.poll_chunk(cx).map(|chunk| chunk.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Stream(driver) => driver.is_done(),
            Kind::Relay(driver) => driver.is_done(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Stream(_) => SizeHint::default(),
            Kind::Relay(driver) => driver.size_hint(),
        }
    }
}
