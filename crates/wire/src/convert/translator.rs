//! A stream in one dialect that becomes a stream in another.

use bytes::Bytes;

use super::codec::{Codec, Decode, Encode};
use super::frames::Frames;
use super::lenient::Lenient;
use super::watch::Seen;
use crate::json::Writer;
use crate::neutral::{AnswerContext, Event, Losses};
use crate::openai::stream::{Observed, StreamFault};

/// Reads a provider's stream and writes a client's.
pub struct Translator {
    frames: Frames,
    decoder: Box<dyn Decode>,
    encoder: Box<dyn Encode>,
    seen: Seen,
    lost: Losses,
    lenient: Lenient,
    /// Set with the first error or fault: nothing more is written.
    closed: bool,
}

impl Translator {
    /// A translator of a new stream of `choices` answers, from `provider`'s dialect to the client's.
    #[must_use]
    pub fn new(
        (from, provider): (&dyn Codec, &str),
        (to, context): (&dyn Codec, AnswerContext),
        choices: u64,
    ) -> Self {
        Self {
            frames: Frames::new(from.streams_lines()),
            decoder: from.decoder(provider, &context.id),
            encoder: to.encoder(context),
            seen: Seen::new(choices),
            lost: Losses::default(),
            lenient: Lenient::default(),
            closed: false,
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.seen.observed
    }

    /// What could not be carried so far.
    #[must_use]
    pub fn losses(&self) -> Losses {
        let mut losses = self.lost.clone();
        self.encoder.losses().iter().for_each(|field| losses.field(field.to_owned()));
        losses
    }

    /// Takes a chunk; what the client gets is added to `out`.
    ///
    /// # Errors
    /// A frame is too long, or none of the dialect.
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
            if let Some((name, data)) = self.frames.read(chunk, &piece) {
                let (seen, encoder, lost) = (&mut self.seen, &mut self.encoder, &mut self.lost);
                seen.observed.events += 1;
                let mut sink = |event: Event<'_>| pass(event, seen, encoder, lost, writer);
                if let Err(error) = self.decoder.frame(name, data, &mut sink)
                    && !self.lenient.passes_over(&self.seen.observed, data)
                {
                    return Err(error.into());
                }
                if self.seen.observed.error.is_some() {
                    self.closed = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// As of [`Translator::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        let mut writer = Writer::for_lines(0);
        let (seen, encoder, lost) = (&mut self.seen, &mut self.encoder, &mut self.lost);
        let mut sink = |event: Event<'_>| pass(event, seen, encoder, lost, &mut writer);
        let mut result = Ok(());
        if let Some(piece) = self.frames.finish()
            && let Some((name, data)) = self.frames.read(&[], &piece)
        {
            result = self.decoder.frame(name, data, &mut sink);
        }
        if result.is_ok() {
            result = self.decoder.finish(&mut sink);
        }
        push(writer, out);
        Ok(result?)
    }

    /// Writes the end of an answer that is whole although its provider did not end it.
    pub fn conclude(&mut self, out: &mut Vec<Bytes>) {
        let mut writer = Writer::for_lines(0);
        let (seen, encoder, lost) = (&mut self.seen, &mut self.encoder, &mut self.lost);
        pass(Event::End, seen, encoder, lost, &mut writer);
        push(writer, out);
    }
}

fn push(writer: Writer, out: &mut Vec<Bytes>) {
    let bytes = writer.finish();
    if !bytes.is_empty() {
        out.push(bytes.into());
    }
}

fn pass(
    event: Event<'_>,
    seen: &mut Seen,
    encoder: &mut Box<dyn Encode>,
    lost: &mut Losses,
    writer: &mut Writer,
) {
    if seen.observed.done {
        // What follows the end cannot undo it.
        return;
    }
    seen.note(&event);
    match event {
        // Whoever drives the stream decides what the client is told.
        Event::Error(_) => {}
        Event::Lost(name) => lost.field(name.into_value().into_owned()),
        event => encoder.event(event, writer),
    }
}

impl std::fmt::Debug for Translator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translator").field("seen", &self.seen).finish_non_exhaustive()
    }
}
