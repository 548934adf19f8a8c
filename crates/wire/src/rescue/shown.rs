//! Reads back what a client was shown, in its own dialect, and has an encoder follow: what that writes from
//! here on goes on where the shown stream ends.

use super::said::Said;
use crate::convert::{Codec, Decode, Encode, Frames, Moment, Piece};
use crate::json::Writer;
use crate::neutral::AnswerContext;
use crate::openai::stream::StreamFault;

/// A stream as far as its client has it.
pub struct Shown {
    frames: Frames,
    decoder: Box<dyn Decode>,
    encoder: Box<dyn Encode>,
    said: Said,
}

impl Shown {
    /// Nothing yet, of a stream in this dialect.
    #[must_use]
    pub fn new(codec: &dyn Codec, context: AnswerContext) -> Self {
        Self {
            frames: Frames::new(codec.streams_lines()),
            decoder: codec.decoder("", &context.id),
            encoder: codec.encoder(context),
            said: Said::default(),
        }
    }

    /// Reads bytes that the client was shown.
    ///
    /// # Errors
    /// They are none of the dialect: then nothing can be said about the answer.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), StreamFault> {
        while let Some(piece) = self.frames.next(bytes)? {
            self.frame(bytes, &piece)?;
        }
        Ok(())
    }

    fn frame(&mut self, bytes: &[u8], piece: &Piece) -> Result<(), StreamFault> {
        let Self { frames, decoder, encoder, said } = self;
        let Some((name, data)) = frames.read(bytes, piece) else { return Ok(()) };
        // What the encoder writes meanwhile the client has already.
        let mut discarded = Writer::default();
        encoder.shown(data, Moment::Before);
        decoder.frame(name, data, &mut |event| {
            said.note(&event);
            encoder.event(event, &mut discarded);
        })?;
        encoder.shown(data, Moment::After);
        Ok(())
    }

    /// What the client was told.
    #[must_use]
    pub const fn said(&self) -> &Said {
        &self.said
    }

    /// An encoder that goes on from here.
    #[must_use]
    pub fn encoder(&self) -> Box<dyn Encode> {
        self.encoder.fork()
    }

    /// Bytes that this keeps, about.
    #[must_use]
    pub fn size(&self) -> usize {
        self.said.size()
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Texts are nobody's business in a log.
        f.debug_struct("Shown").field("bytes", &self.size()).finish_non_exhaustive()
    }
}
