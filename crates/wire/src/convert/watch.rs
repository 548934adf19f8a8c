//! A stream whose dialect both sides speak: forwarded as it comes, read along on the side.
//!
//! OpenAI chat has its own, faster observer: [`crate::openai::stream::StreamObserver`].

use bytes::Bytes;
use smallvec::SmallVec;

use super::codec::{Codec, Decode};
use super::frames::Frames;
use crate::neutral::Event;
use crate::openai::stream::{Observed, StreamFault};

/// Forwards a stream and notes what it says.
pub struct Watch {
    frames: Frames,
    decoder: Box<dyn Decode>,
    seen: Seen,
    /// Set with the first error or fault: nothing more is forwarded.
    closed: bool,
}

impl Watch {
    /// A watch over a new stream of `choices` answers.
    #[must_use]
    pub fn new(codec: &dyn Codec, provider: &str, choices: u64) -> Self {
        Self {
            frames: Frames::new(codec.streams_lines()),
            decoder: codec.decoder(provider, ""),
            seen: Seen::new(choices),
            closed: false,
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.seen.observed
    }

    /// Takes a chunk; what may be forwarded is added to `out`: whole frames, before any error.
    ///
    /// # Errors
    /// A frame is too long, or none of the dialect.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        let mut run = 0..0;
        let result = self.take(&chunk, &mut run, out);
        self.closed |= result.is_err();
        if !run.is_empty() {
            out.push(chunk.slice(run));
        }
        result
    }

    fn take(
        &mut self,
        chunk: &Bytes,
        run: &mut std::ops::Range<usize>,
        out: &mut Vec<Bytes>,
    ) -> Result<(), StreamFault> {
        while let Some(piece) = self.frames.next(chunk)? {
            if let Some((name, data)) = self.frames.read(chunk, &piece) {
                let seen = &mut self.seen;
                seen.observed.events += 1;
                self.decoder.frame(name, data, &mut |event| seen.note(&event))?;
                if seen.observed.error.is_some() {
                    self.closed = true;
                    return Ok(());
                }
            }
            if piece.carried() {
                out.push(self.frames.take_carried());
                *run = piece.end()..piece.end();
            } else {
                run.end = piece.end();
            }
        }
        Ok(())
    }

    /// The stream has ended: what is left is forwarded.
    ///
    /// # Errors
    /// As of [`Watch::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        let seen = &mut self.seen;
        if let Some(piece) = self.frames.finish() {
            if let Some((name, data)) = self.frames.read(&[], &piece) {
                self.decoder.frame(name, data, &mut |event| seen.note(&event))?;
            }
            if seen.observed.error.is_none() {
                out.push(self.frames.take_carried());
            }
        }
        self.decoder.finish(&mut |event| seen.note(&event))?;
        Ok(())
    }
}

/// Keeps count of what a stream says.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) observed: Observed,
    opened: SmallVec<[u64; 2]>,
    finished: SmallVec<[u64; 2]>,
    expected: usize,
}

/// No server gives more choices; of others no account is kept.
const MAX_CHOICES: usize = 4096;

impl Seen {
    pub(super) fn new(choices: u64) -> Self {
        let expected = usize::try_from(choices).unwrap_or(MAX_CHOICES).clamp(1, MAX_CHOICES);
        Self { expected, ..Self::default() }
    }

    pub(super) fn note(&mut self, event: &Event<'_>) {
        use crate::neutral::Head;
        let observed = &mut self.observed;
        match event {
            Event::Start { model, .. } => {
                if observed.model.is_none() && !model.is_empty() {
                    observed.model = Some(model.value().into());
                }
            }
            Event::Open { choice, head, .. } => {
                add(&mut self.opened, *choice);
                observed.committed |= !matches!(head, Head::Text | Head::Reasoning { .. } | Head::Refusal);
            }
            Event::Delta { text, .. } if !text.is_empty() => {
                observed.committed = true;
                observed.content_deltas += 1;
                observed.output_chars += text.chars();
            }
            Event::Sealed { .. } | Event::Cite { .. } => observed.committed = true,
            Event::Finish { choice, finish } => {
                add(&mut self.opened, *choice);
                add(&mut self.finished, *choice);
                observed.committed = true;
                observed.finished = self.finished.len() >= self.opened.len().max(self.expected);
                if let Some(raw) = &finish.raw {
                    observed.finish_reason = Some(raw.value().into());
                }
            }
            Event::Usage(usage) => observed.usage = Some(*usage),
            Event::Error(error) => observed.error = Some(error.clone()),
            Event::End => observed.done = true,
            Event::Delta { .. }
            | Event::Close { .. }
            | Event::Logprobs { .. }
            | Event::ServiceTier(_)
            | Event::Lost(_)
            | Event::Ping => {}
        }
    }
}

fn add(choices: &mut SmallVec<[u64; 2]>, choice: u64) {
    if choices.len() < MAX_CHOICES && !choices.contains(&choice) {
        choices.push(choice);
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("seen", &self.seen).finish_non_exhaustive()
    }
}
