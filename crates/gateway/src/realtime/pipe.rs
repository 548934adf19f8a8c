//! One direction of a session: read, check, write. Nothing is read while something waits to be written, so
//! that a slow receiver slows its sender down.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use pointsman_wire::websocket::{Gate, Seen, Side, Violation};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// What is read at a time, in bytes; with a control frame that is not whole yet, all that is ever held.
const READ_BYTES: usize = 16 * 1024;
/// Longest message, in bytes. OpenAI takes 15 MiB of audio in one event.
const MAX_MESSAGE_BYTES: u64 = 16 * 1024 * 1024;

/// How a direction ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With a close frame, which is held: [`Pipe::take_close`].
    Closed(Option<u16>),
    /// The sender's connection ended or broke without one.
    SenderGone(Box<str>),
    /// The receiver takes nothing more.
    ReceiverGone(Box<str>),
    /// The sender broke the protocol.
    Violated(Violation),
}

/// A direction.
#[derive(Debug)]
pub(crate) struct Pipe {
    gate: Gate,
    buffer: BytesMut,
    /// So much of the buffer may be written.
    ready: usize,
    /// The close frame that comes right behind it.
    close: usize,
    code: Option<u16>,
    violation: Option<Violation>,
    unflushed: bool,
    /// Bytes that came, frames and all.
    bytes: u64,
}

impl Pipe {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            gate: Gate::new(side, MAX_MESSAGE_BYTES),
            buffer: BytesMut::new(),
            ready: 0,
            close: 0,
            code: None,
            violation: None,
            unflushed: false,
            bytes: 0,
        }
    }

    /// Bytes that came.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a frame of ours may be sent to the receiver now.
    pub(crate) const fn between_frames(&self) -> bool {
        self.ready == 0 && self.gate.between_frames()
    }

    /// Whether a message of ours may be.
    pub(crate) const fn between_messages(&self) -> bool {
        self.ready == 0 && self.gate.between_messages()
    }

    /// Whether the sender has said its last.
    pub(crate) const fn closed(&self) -> bool {
        self.gate.closed() || self.violation.is_some()
    }

    /// The sender's close frame, ready to be sent. Empty where there is none.
    pub(crate) fn take_close(&mut self) -> Bytes {
        let close = std::mem::take(&mut self.close);
        self.buffer.split_to(close).freeze()
    }

    /// Moves what can be moved; ready when nothing more will come.
    pub(crate) fn poll<R, W>(
        &mut self,
        (from, to): (&mut R, &mut W),
        cx: &mut Context<'_>,
        fresh: &mut impl FnMut() -> [u8; 4],
        see: &mut impl FnMut(Seen<'_>),
    ) -> Poll<End>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while self.ready > 0 {
                match ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer[..self.ready])) {
                    Ok(0) => return Poll::Ready(End::ReceiverGone("it takes nothing".into())),
                    Ok(written) => {
                        self.buffer.advance(written);
                        self.ready -= written;
                        self.unflushed = true;
                    }
                    Err(error) => return Poll::Ready(End::ReceiverGone(error.to_string().into())),
                }
            }
            if self.unflushed
                && let Poll::Ready(flushed) = Pin::new(&mut *to).poll_flush(cx)
            {
                self.unflushed = false;
                if let Err(error) = flushed {
                    return Poll::Ready(End::ReceiverGone(error.to_string().into()));
                }
            }
            if let Some(violation) = self.violation {
                return Poll::Ready(End::Violated(violation));
            }
            if self.gate.closed() {
                return Poll::Ready(End::Closed(self.code));
            }
            match ready!(self.poll_read(from, cx, fresh, see)) {
                Ok(0) => return Poll::Ready(End::SenderGone("it ended without a close frame".into())),
                Ok(_) => {}
                Err(error) => return Poll::Ready(End::SenderGone(error.to_string().into())),
            }
        }
    }

    /// Reads and forgets until `enough`, or until nothing more will come.
    pub(crate) fn poll_discard<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
        cx: &mut Context<'_>,
        see: &mut impl FnMut(Seen<'_>) -> bool,
    ) -> Poll<()> {
        loop {
            self.buffer.advance(std::mem::take(&mut self.ready));
            if self.closed() {
                return Poll::Ready(());
            }
            let mut enough = false;
            let read = ready!(self.poll_read(from, cx, &mut || [0; 4], &mut |seen| enough |= see(seen)));
            if enough || !matches!(read, Ok(1..)) {
                return Poll::Ready(());
            }
        }
    }

    fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
        cx: &mut Context<'_>,
        fresh: &mut impl FnMut() -> [u8; 4],
        see: &mut impl FnMut(Seen<'_>),
    ) -> Poll<io::Result<usize>> {
        self.buffer.reserve(READ_BYTES);
        let read = ready!(pin!(from.read_buf(&mut self.buffer)).poll(cx))?;
        self.bytes += read as u64;
        let code = &mut self.code;
        let passed = self.gate.pass(&mut self.buffer, fresh, &mut |seen| {
            if let Seen::Close(said) = seen {
                *code = said;
            }
            see(seen);
        });
        self.ready = passed.forward;
        self.close = passed.close;
        self.violation = passed.violation;
        Poll::Ready(Ok(read))
    }
}
