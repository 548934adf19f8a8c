//! A provider's stream that is read in one dialect and written in another.

use bytes::Bytes;

use super::codec::{Decode, Encode};
use super::frames::{Frames, Piece};
use super::lenient::Lenient;
use super::watch::Seen;
use crate::json::Writer;
use crate::neutral::{DecodeError, Event, Losses};
use crate::openai::stream::{Observed, StreamFault};

/// What stands between the reader and the writer.
pub trait Between {
    /// Whether the one damaged event that may be passed over may also be what is left at the end.
    const LENIENT_AT_THE_END: bool;

    /// Takes an event of the stream; what the client is to be told goes to `emit`.
    fn take(&mut self, event: Event<'_>, observed: &Observed, emit: impl FnMut(Event<'_>));

    /// Why nothing more of the stream can be shown.
    fn fault(&self) -> Option<&'static str>;
}

/// Reads a provider's stream and writes a client's.
pub struct Bridge<B> {
    frames: Frames,
    decoder: Box<dyn Decode>,
    lenient: Lenient,
    outlet: Outlet<B>,
    /// Set with the first error or fault, and at the end: nothing more is read.
    closed: bool,
}

/// The side of the client.
struct Outlet<B> {
    seen: Seen,
    between: B,
    encoder: Box<dyn Encode>,
    lost: Losses,
}

impl<B> Bridge<B> {
    /// A new stream of `choices` answers.
    pub(crate) fn over(
        (frames, decoder): (Frames, Box<dyn Decode>),
        between: B,
        encoder: Box<dyn Encode>,
        choices: u64,
    ) -> Self {
        Self {
            frames,
            decoder,
            lenient: Lenient::default(),
            outlet: Outlet { seen: Seen::new(choices), between, encoder, lost: Losses::default() },
            closed: false,
        }
    }

    pub(super) fn map_decoder(self, change: impl FnOnce(Box<dyn Decode>) -> Box<dyn Decode>) -> Self {
        Self { decoder: change(self.decoder), ..self }
    }

    /// What was seen so far, of the provider's own stream.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.outlet.seen.observed
    }

    /// What could not be carried so far.
    #[must_use]
    pub fn losses(&self) -> Losses {
        let mut losses = self.outlet.lost.clone();
        self.outlet.encoder.losses().iter().for_each(|field| losses.field(field.to_owned()));
        losses
    }

    pub(crate) const fn between(&self) -> &B {
        &self.outlet.between
    }
}

impl<B: Between> Bridge<B> {
    /// Takes a chunk; what the client gets is added to `out`.
    ///
    /// # Errors
    /// A frame is too long, or none of the dialect; or what comes does not fit what the client has.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        let mut writer = Writer::for_lines(chunk.len() + 64);
        let result = self.take(chunk, &mut writer);
        self.closed |= result.is_err();
        push(writer, out);
        result
    }

    fn take(&mut self, chunk: &[u8], writer: &mut Writer) -> Result<(), StreamFault> {
        while let Some(piece) = self.frames.next(chunk)? {
            self.frame(chunk, &piece, true, writer)?;
            if self.observed().error.is_some() {
                self.closed = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn frame(
        &mut self,
        chunk: &[u8],
        piece: &Piece,
        lenient: bool,
        writer: &mut Writer,
    ) -> Result<(), StreamFault> {
        let Some((name, data)) = self.frames.read(chunk, piece) else { return Ok(()) };
        self.outlet.seen.observed.events += 1;
        let read = self.decoder.frame(name, data, &mut |event| self.outlet.pass(event, writer));
        match self.outlet.checked(read) {
            Err(StreamFault::Foreign(_))
                if lenient && self.lenient.passes_over(&self.outlet.seen.observed, data) =>
            {
                Ok(())
            }
            checked => checked,
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// As of [`Bridge::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        let mut writer = Writer::for_lines(0);
        let mut result = Ok(());
        if let Some(piece) = self.frames.finish() {
            result = self.frame(&[], &piece, B::LENIENT_AT_THE_END, &mut writer);
        }
        if result.is_ok() {
            let read = self.decoder.finish(&mut |event| self.outlet.pass(event, &mut writer));
            result = self.outlet.checked(read);
        }
        push(writer, out);
        result
    }

    /// Writes the end of an answer that is whole although its provider did not end it.
    pub fn conclude(&mut self, out: &mut Vec<Bytes>) {
        let mut writer = Writer::for_lines(0);
        self.outlet.pass(Event::End, &mut writer);
        push(writer, out);
    }
}

impl<B: Between> Outlet<B> {
    fn pass(&mut self, event: Event<'_>, writer: &mut Writer) {
        if self.seen.observed.done {
            // What follows the end cannot undo it.
            return;
        }
        self.seen.note(&event);
        self.between.take(event, &self.seen.observed, |event| match event {
            // Whoever drives the stream decides what the client is told.
            Event::Error(_) => {}
            Event::Lost(name) => self.lost.field(name.into_value().into_owned()),
            event => self.encoder.event(event, writer),
        });
    }

    /// Where what was read does not fit, that is why nothing more comes.
    fn checked(&self, read: Result<(), DecodeError>) -> Result<(), StreamFault> {
        match self.between.fault() {
            Some(fault) => Err(StreamFault::Unfit(fault)),
            None => Ok(read?),
        }
    }
}

fn push(writer: Writer, out: &mut Vec<Bytes>) {
    let bytes = writer.finish();
    if !bytes.is_empty() {
        out.push(bytes.into());
    }
}

impl<B> std::fmt::Debug for Bridge<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge").field("seen", &self.outlet.seen).finish_non_exhaustive()
    }
}
