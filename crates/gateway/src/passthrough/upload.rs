//! A client's body on its way upstream, never collected: the provider's reading is the client's
//! back-pressure. Attempts share it until its first byte has left; after that nothing can be tried again.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pointsman_core::{Clock, ErrorCode, PublicError};
use pointsman_transport::{RequestBody, RequestBodyError};
use pointsman_wire::multipart::{FormScanner, Piece};
use tokio::time::{Instant, Sleep, sleep_until};

/// Shorter pieces are joined while they wait, in bytes: each costs more than it holds.
const JOIN_BYTES: usize = 4 * 1024;

/// Limits of a body that is not held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadLimits {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Between two chunks.
    pub(crate) idle: Duration,
}

/// A body and what is known of it.
pub(crate) struct Upload {
    incoming: Incoming,
    scanner: Option<FormScanner>,
    ready: Waiting,
    /// What takes the place of the value of `model`.
    model: Bytes,
    declared: Option<u64>,
    received: u64,
    started: bool,
    ended: bool,
    fault: Option<PublicError>,
    limits: UploadLimits,
    clock: Clock,
    last_chunk: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Upload {
    /// A body that is not looked into, or a form.
    ///
    /// # Errors
    /// It is too long by its own account, or compressed.
    pub(crate) fn new(
        incoming: Incoming,
        headers: &HeaderMap,
        scanner: Option<FormScanner>,
        limits: UploadLimits,
        clock: Clock,
    ) -> Result<Self, PublicError> {
        if scanner.is_some() && headers.contains_key(header::CONTENT_ENCODING) {
            let message = "a form must not be compressed; send it without a content encoding";
            return Err(PublicError::new(ErrorCode::BodyUnreadable, message));
        }
        let declared = incoming.size_hint().exact();
        if declared.is_some_and(|length| length > limits.bytes) {
            return Err(too_large(limits.bytes));
        }
        let now = clock.now();
        Ok(Self {
            incoming,
            scanner,
            ready: Waiting::default(),
            model: Bytes::new(),
            declared,
            received: 0,
            started: false,
            ended: false,
            fault: None,
            limits,
            clock,
            last_chunk: now,
            timer: Box::pin(sleep_until(now + limits.idle)),
        })
    }

    /// Reads until `model` is known, holding what comes before it. `None`: the form has none.
    ///
    /// # Errors
    /// The form is refused, or `hold` refuses to hold so many bytes.
    pub(crate) async fn model(
        &mut self,
        mut hold: impl FnMut(u64) -> Result<(), PublicError>,
    ) -> Result<Option<String>, PublicError> {
        loop {
            if let Some(model) = self.scanner.as_ref().and_then(FormScanner::model) {
                return Ok(Some(model.to_owned()));
            }
            if self.ended {
                return Ok(None);
            }
            let before = self.received;
            std::future::poll_fn(|cx| self.poll_read(cx)).await?;
            hold(self.received - before)?;
        }
    }

    /// Bytes that came from the client.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Whether a byte has left: then there is no second attempt.
    pub(crate) const fn started(&self) -> bool {
        self.started
    }

    /// Why the client's part failed.
    pub(crate) fn take_fault(&mut self) -> Option<PublicError> {
        self.fault.take()
    }

    /// Takes the next chunk from the client and judges it.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublicError>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(self.take(frame)),
            Poll::Ready(Some(Err(error))) => {
                let message = format!("the request body broke off: {error}");
                Poll::Ready(Err(PublicError::new(ErrorCode::BodyUnreadable, message)))
            }
            Poll::Ready(None) => {
                self.ended = true;
                Poll::Ready(self.scanner.as_ref().map_or(Ok(()), FormScanner::finish).map_err(Into::into))
            }
            Poll::Pending => self.poll_idle(cx).map(Err),
        }
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), PublicError> {
        let Ok(data) = frame.into_data() else { return Ok(()) };
        self.last_chunk = self.clock.now();
        self.received += data.len() as u64;
        if self.received > self.limits.bytes {
            return Err(too_large(self.limits.bytes));
        }
        let Some(scanner) = &mut self.scanner else {
            self.ready.push(Piece::Bytes(data));
            return Ok(());
        };
        let mut pieces = Vec::new();
        let scanned = scanner.push(&data, &mut pieces);
        pieces.into_iter().for_each(|piece| self.ready.push(piece));
        scanned.map_err(Into::into)
    }

    /// Nothing has come: has it been too long? The timer is moved only when it fires.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<PublicError> {
        loop {
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let limit = self.last_chunk + self.limits.idle;
            if self.clock.now() >= limit {
                let seconds = self.limits.idle.as_secs();
                let message = format!(
                    "nothing of the request body came for {seconds} s; send it faster or raise `server.body_timeout`"
                );
                return Poll::Ready(PublicError::new(ErrorCode::BodyTimeout, message));
            }
            self.timer.as_mut().reset(limit);
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RequestBodyError>>> {
        loop {
            if let Some(piece) = self.ready.pop() {
                self.started = true;
                return Poll::Ready(Some(Ok(match piece {
                    Piece::Bytes(bytes) => bytes,
                    Piece::Model => self.model.clone(),
                })));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(fault)) => {
                    let error = RequestBodyError::from(fault.message.to_string());
                    self.fault = Some(fault);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The length with the other model name, where the client told the length.
    fn length(&self) -> Option<u64> {
        let old = self.scanner.as_ref().and_then(FormScanner::model).map_or(0, str::len);
        Some(self.declared? - old as u64 + self.model.len() as u64)
    }
}

/// Pieces that wait to be sent. Short ones are joined: however a client cuts its bytes, they cost what they are.
#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Piece>,
    /// What comes behind `pieces`.
    joined: BytesMut,
}

impl Waiting {
    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Bytes(bytes) if bytes.len() < JOIN_BYTES => {
                self.joined.extend_from_slice(&bytes);
                if self.joined.len() >= JOIN_BYTES {
                    self.flush();
                }
            }
            piece => {
                self.flush();
                self.pieces.push_back(piece);
            }
        }
    }

    fn pop(&mut self) -> Option<Piece> {
        if self.pieces.is_empty() {
            self.flush();
        }
        self.pieces.pop_front()
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            // A copy of just its length: the buffer goes on being used.
            self.pieces.push_back(Piece::Bytes(Bytes::copy_from_slice(&self.joined)));
            self.joined.clear();
        }
    }
}

/// Shared by the attempts of one request.
#[derive(Clone)]
pub(crate) struct SharedUpload(Arc<Mutex<Upload>>);

impl SharedUpload {
    pub(crate) fn new(upload: Upload) -> Self {
        Self(Arc::new(Mutex::new(upload)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Upload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body for an attempt, with `model` in place of the client's.
    pub(crate) fn body(&self, model: &str) -> RequestBody {
        let mut upload = self.lock();
        upload.model = Bytes::copy_from_slice(model.as_bytes());
        let length = upload.length();
        drop(upload);
        RequestBody::streamed(Box::pin(UploadBody { upload: self.clone(), length }))
    }
}

struct UploadBody {
    upload: SharedUpload,
    length: Option<u64>,
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        self.upload.lock().poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn too_large(limit: u64) -> PublicError {
    let message =
        format!("the request body is longer than {limit} bytes; raise `server.max_upload` to allow it");
    PublicError::new(ErrorCode::BodyTooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pieces_are_joined_and_order_is_kept() {
        let mut waiting = Waiting::default();
        let byte = || Piece::Bytes(Bytes::from_static(b"x"));
        (0..100_000).for_each(|_| waiting.push(byte()));
        assert!(waiting.pieces.len() <= 100_000 / JOIN_BYTES, "{}", waiting.pieces.len());
        let long = Bytes::from(vec![b'y'; JOIN_BYTES]);
        [Piece::Model, byte(), Piece::Bytes(long.clone()), byte()]
            .into_iter()
            .for_each(|piece| waiting.push(piece));
        let (mut before, mut model) = (0, false);
        while !model {
            match waiting.pop().unwrap() {
                Piece::Bytes(bytes) => before += bytes.len(),
                Piece::Model => model = true,
            }
        }
        assert_eq!(before, 100_000);
        assert_eq!(waiting.pop(), Some(byte()));
        let Some(Piece::Bytes(same)) = waiting.pop() else { panic!("the long one") };
        assert_eq!(same.as_ptr(), long.as_ptr(), "long ones are not copied");
        assert_eq!((waiting.pop(), waiting.pop()), (Some(byte()), None));
    }
}
