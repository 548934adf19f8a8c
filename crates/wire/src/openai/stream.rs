//! Streamed answers: forwarded as they come, observed on the side.
//!
//! Only whole events leave, so that a cut never shows half of one. An event that reports an error
//! is kept back, with all that follows: whoever drives the stream decides what the client is told
//! (another attempt before the commit point, [`super::error::render_stream_event`] after it).

use bytes::Bytes;
use smallvec::SmallVec;

use pointsman_core::{Operation, Usage};

use super::error::{self, UpstreamError};
use super::payload::{self, Payload};
use crate::convert::Lenient;
use crate::json::{JsonError, validate};
use crate::neutral::DecodeError;
use crate::sse::{EventTooLong, Frame, Framer};

/// What to do with a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamRules {
    /// What was asked for.
    pub operation: Operation,
    /// Take out the chunk that has usage and no choices: the caller did not ask for it.
    pub strip_usage: bool,
}

/// What a stream has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// An event with text, reasoning, a refusal, a tool call, audio or a finish was seen: from here
    /// on the client has part of this answer.
    pub committed: bool,
    /// Every choice seen (and as many as were asked for, if that is known) gave its finish reason.
    pub finished: bool,
    /// `[DONE]` was seen.
    pub done: bool,
    /// The last usage that was reported.
    pub usage: Option<Usage>,
    /// Chunks of choices that brought something: about one token each.
    pub content_deltas: u64,
    /// Characters of text, reasoning and tool arguments.
    pub output_chars: u64,
    /// The error that ended the stream.
    pub error: Option<UpstreamError>,
    /// The model that answers, as the provider names it.
    pub model: Option<Box<str>>,
    /// The last finish reason.
    pub finish_reason: Option<Box<str>>,
    /// Events with data.
    pub events: u64,
}

impl Observed {
    /// Whether the answer is whole. A stream that ends without this broke off.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.error.is_none() && (self.done || self.finished)
    }
}

/// The stream is not what it should be; nothing more will come of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// Its framing.
    #[error(transparent)]
    TooLong(#[from] EventTooLong),
    /// The data of an event.
    #[error("an event of the stream is not valid JSON: {0}")]
    Malformed(#[from] JsonError),
    /// What an event says.
    #[error("an event of the stream is none of its dialect: {0}")]
    Foreign(#[from] DecodeError),
    /// It does not go on with what the client was shown.
    #[error("{0}")]
    Unfit(&'static str),
}

/// Observes one stream.
#[derive(Debug)]
pub struct StreamObserver {
    rules: StreamRules,
    framer: Framer,
    choices: Choices,
    observed: Observed,
    lenient: Lenient,
    /// The last frame was forwarded.
    forwarded: bool,
    /// Set with the first error or fault.
    closed: bool,
}

impl StreamObserver {
    /// An observer of a new stream.
    #[must_use]
    pub fn new(rules: StreamRules) -> Self {
        Self {
            rules,
            framer: Framer::default(),
            choices: Choices::default(),
            observed: Observed::default(),
            lenient: Lenient::default(),
            forwarded: true,
            closed: false,
        }
    }

    /// The same, where it is known how many choices were asked for (`n`): the stream is not
    /// finished before as many have ended.
    #[must_use]
    pub fn expecting(mut self, choices: u64) -> Self {
        self.choices.expected = choices;
        self
    }

    /// What was seen so far.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.observed
    }

    /// What was seen, without the observer.
    #[must_use]
    pub fn into_observed(self) -> Observed {
        self.observed
    }

    /// Takes a chunk; what may be forwarded is added to `out`, as slices of it where it holds whole
    /// events.
    ///
    /// # Errors
    /// An event is too long or no JSON. Events before it are in `out`; later chunks are dropped.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        // Forwarded frames that touch each other leave as one slice.
        let mut run = 0..0;
        let result = self.take_frames(&chunk, &mut run, out);
        self.closed |= result.is_err();
        if run.len() == chunk.len() && !run.is_empty() {
            out.push(chunk);
        } else if !run.is_empty() {
            out.push(chunk.slice(run));
        }
        result
    }

    /// The stream has ended. A last event that no blank line closed is forwarded, closed, if it is
    /// whole in itself, and dropped if it is not.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        if self.closed {
            return;
        }
        self.closed = true;
        let Some(frame) = self.framer.finish() else { return };
        let data = self.framer.data(&[], &frame).trim_ascii();
        let whole = data == DONE || validate(data).is_ok();
        if whole && self.read(&[], &frame).is_ok_and(|fate| fate == Fate::Forward) {
            let event = self.framer.take_carried();
            let ended = event.ends_with(b"\n") || event.ends_with(b"\r");
            out.push(event);
            out.push(Bytes::from_static(if ended { b"\n" } else { b"\n\n" }));
        }
    }

    fn take_frames(
        &mut self,
        chunk: &Bytes,
        run: &mut std::ops::Range<usize>,
        out: &mut Vec<Bytes>,
    ) -> Result<(), StreamFault> {
        while let Some(frame) = self.framer.next(chunk)? {
            let fate = if !frame.tail {
                self.read(chunk, &frame)?
            } else if self.forwarded {
                Fate::Forward
            } else {
                Fate::Strip
            };
            self.forwarded = fate == Fate::Forward;
            match fate {
                Fate::Forward if frame.carried => {
                    out.push(self.framer.take_carried());
                    *run = frame.range.end..frame.range.end;
                }
                Fate::Forward => run.end = frame.range.end,
                Fate::Strip => {
                    if run.start < run.end {
                        out.push(chunk.slice(run.clone()));
                    }
                    *run = frame.range.end..frame.range.end;
                }
                Fate::Close => {
                    self.closed = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, chunk: &[u8], frame: &Frame) -> Result<Fate, StreamFault> {
        if !frame.has_data {
            return Ok(Fate::Forward);
        }
        let name = self.framer.name(chunk, frame);
        let data = self.framer.data(chunk, frame).trim_ascii();
        self.observed.events += 1;
        if data.is_empty() || is_ping(name) {
            return Ok(Fate::Forward);
        }
        if data == DONE {
            self.observed.done = true;
            return Ok(Fate::Forward);
        }
        if name == b"error" {
            self.observed.error = Some(error::parse(data));
            return Ok(Fate::Close);
        }
        let payload = match payload::read(data) {
            Ok(payload) => payload,
            Err(_) if self.lenient.passes_over(&self.observed, data) => return Ok(Fate::Strip),
            Err(error) => return Err(error.into()),
        };
        if payload.failed {
            self.observed.usage = payload.usage.or(self.observed.usage);
            self.observed.error = Some(error::parse(data));
            return Ok(Fate::Close);
        }
        let usage_only = payload.usage.is_some() && payload.choices.is_empty();
        note(&mut self.observed, &mut self.choices, &payload);
        let strip = usage_only && self.rules.strip_usage;
        Ok(if strip { Fate::Strip } else { Fate::Forward })
    }
}

const DONE: &[u8] = b"[DONE]";

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Forward,
    Strip,
    /// This frame and all that follow are kept back.
    Close,
}

/// Events that only keep the connection alive carry no answer, whatever their data.
fn is_ping(name: &[u8]) -> bool {
    matches!(name, b"ping" | b"keepalive" | b"keep-alive" | b"heartbeat")
}

fn note(observed: &mut Observed, choices: &mut Choices, payload: &Payload<'_>) {
    if observed.model.is_none()
        && let Some(model) = payload.model.filter(|model| !model.is_empty())
    {
        observed.model = model.value().map(|model| Box::from(&*model));
    }
    observed.usage = payload.usage.or(observed.usage);
    for choice in &payload.choices {
        observed.committed |= choice.speaks || choice.finished;
        observed.content_deltas += u64::from(choice.speaks);
        observed.output_chars += choice.chars;
        choices.note(choice.index, choice.finished);
    }
    if !payload.choices.is_empty() {
        observed.finished = choices.all_finished();
    }
    if let Some(reason) = payload.finish_reason {
        observed.finish_reason = reason.value().map(|reason| Box::from(&*reason));
    }
}

/// Which choices were seen and which have finished, one bit each.
#[derive(Debug, Default)]
struct Choices {
    seen: SmallVec<[u64; 2]>,
    finished: SmallVec<[u64; 2]>,
    expected: u64,
}

/// No server gives more choices; a larger index shares the last bit, so that memory stays bounded.
const MAX_CHOICES: u64 = 4096;

impl Choices {
    fn note(&mut self, index: u64, finished: bool) {
        let index = index.min(MAX_CHOICES - 1);
        let (word, bit) = ((index / 64) as usize, 1u64 << (index % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
            self.finished.resize(word + 1, 0);
        }
        if let Some(seen) = self.seen.get_mut(word) {
            *seen |= bit;
        }
        if let Some(slot) = self.finished.get_mut(word)
            && finished
        {
            *slot |= bit;
        }
    }

    fn all_finished(&self) -> bool {
        let ended: u32 = self.finished.iter().map(|word| word.count_ones()).sum();
        self.seen == self.finished && u64::from(ended) >= self.expected.clamp(1, MAX_CHOICES)
    }
}

#[cfg(test)]
mod tests;
