//! A provider's stream that goes on with what another one began, on its way to a client that sees one.
//!
//! Driven like every other stream: see [`crate::convert::Relay`]. [`graft`] decides what becomes of each
//! event.

mod graft;
mod usage;

use bytes::Bytes;
use pointsman_core::Usage;

pub use self::usage::Before;

use self::graft::Graft;
use super::joint::{Dropped, Manner};
use super::request::Terms;
use super::shown::Shown;
use crate::convert::{Codec, Decode, Encode, Frames, Lenient, Piece, Seen};
use crate::json::Writer;
use crate::neutral::{Event, Losses};
use crate::openai::stream::{Observed, StreamFault};

/// Reads the stream of the one who goes on, and writes what is left of its client's.
pub struct Rejoin {
    frames: Frames,
    decoder: Box<dyn Decode>,
    encoder: Box<dyn Encode>,
    seen: Seen,
    lost: Losses,
    lenient: Lenient,
    graft: Graft,
    /// Set with the first error or fault: nothing more is written.
    closed: bool,
}

/// How the rest of an answer was asked for.
#[derive(Clone, Debug)]
pub struct Plan<'t> {
    /// In which manner somebody was asked to go on; `None`: somebody answers from the beginning.
    pub manner: Option<Manner>,
    /// What the client asked for.
    pub terms: &'t Terms,
    /// How many choices it asked for.
    pub choices: u64,
    /// What was used before.
    pub before: Before,
}

impl Rejoin {
    /// For the stream of a provider that speaks `from` (named with its configured name and the request's id,
    /// unique for this attempt), behind what was shown.
    #[must_use]
    pub fn new(from: (&dyn Codec, &str, &str), shown: &Shown, plan: &Plan<'_>) -> Self {
        let (codec, provider, id) = from;
        Self {
            frames: Frames::new(codec.streams_lines()),
            decoder: codec.decoder(provider, id),
            encoder: shown.encoder(),
            seen: Seen::new(plan.choices),
            lost: Losses::default(),
            lenient: Lenient::default(),
            graft: Graft::new(shown.said(), plan),
            closed: false,
        }
    }

    /// What was seen so far of this provider's own stream.
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

    /// Tokens of the whole answer, as if it had not broken off.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.graft.usage(&self.seen.observed)
    }

    /// By how many pieces of text the client got fewer than were shown of this provider's.
    #[must_use]
    pub fn merged(&self) -> i64 {
        self.graft.merged()
    }

    /// What was left out because it was said twice.
    #[must_use]
    pub const fn dropped(&self) -> Dropped {
        self.graft.dropped()
    }

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
            self.frame(chunk, &piece, writer)?;
            if self.seen.observed.error.is_some() {
                self.closed = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn frame(&mut self, chunk: &[u8], piece: &Piece, writer: &mut Writer) -> Result<(), StreamFault> {
        let Some((name, data)) = self.frames.read(chunk, piece) else { return Ok(()) };
        self.seen.observed.events += 1;
        let (seen, graft, encoder, lost) =
            (&mut self.seen, &mut self.graft, &mut self.encoder, &mut self.lost);
        let mut sink = |event: Event<'_>| pass(event, (&mut *seen, &mut *graft, &mut *lost), encoder, writer);
        let read = self.decoder.frame(name, data, &mut sink);
        if let Some(fault) = self.graft.fault() {
            return Err(StreamFault::Unfit(fault));
        }
        match read {
            Err(_) if self.lenient.passes_over(&self.seen.observed, data) => Ok(()),
            read => Ok(read?),
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// As of [`Rejoin::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        let mut writer = Writer::for_lines(0);
        let mut result = Ok(());
        if let Some(piece) = self.frames.finish() {
            result = self.frame(&[], &piece, &mut writer);
        }
        if result.is_ok() {
            let (seen, graft, encoder, lost) =
                (&mut self.seen, &mut self.graft, &mut self.encoder, &mut self.lost);
            let mut sink =
                |event: Event<'_>| pass(event, (&mut *seen, &mut *graft, &mut *lost), encoder, &mut writer);
            result = self.decoder.finish(&mut sink).map_err(StreamFault::from);
            if let Some(fault) = self.graft.fault() {
                result = Err(StreamFault::Unfit(fault));
            }
        }
        push(writer, out);
        result
    }

    /// Writes the end of an answer that is whole although its provider did not end it.
    pub fn conclude(&mut self, out: &mut Vec<Bytes>) {
        let mut writer = Writer::for_lines(0);
        let (seen, graft, encoder, lost) =
            (&mut self.seen, &mut self.graft, &mut self.encoder, &mut self.lost);
        pass(Event::End, (seen, graft, lost), encoder, &mut writer);
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
    (seen, graft, lost): (&mut Seen, &mut Graft, &mut Losses),
    encoder: &mut Box<dyn Encode>,
    writer: &mut Writer,
) {
    if seen.observed.done {
        // What follows the end cannot undo it.
        return;
    }
    seen.note(&event);
    graft.take(event, &seen.observed, &mut |event| match event {
        Event::Lost(name) => lost.field(name.into_value().into_owned()),
        event => encoder.event(event, writer),
    });
}

impl std::fmt::Debug for Rejoin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rejoin").field("seen", &self.seen).finish_non_exhaustive()
    }
}
