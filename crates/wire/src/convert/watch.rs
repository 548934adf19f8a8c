//! A stream whose dialect both sides speak: forwarded as it comes, read along on the side.
//!
//! OpenAI chat has its own, faster observer: [`crate::openai::stream::StreamObserver`].

use bytes::Bytes;
use smallvec::SmallVec;

use super::codec::{Codec, Decode};
use super::frames::Frames;
use super::lenient::Lenient;
use crate::neutral::Event;
use crate::openai::stream::{Observed, StreamFault};

/// Forwards a stream and notes what it says.
pub struct Watch {
    frames: Frames,
    decoder: Box<dyn Decode>,
    seen: Seen,
    lenient: Lenient,
    /// What ends a stream of this dialect; empty once it came.
    sentinel: &'static [u8],
    /// Set where the client gets a JSON array instead of the events.
    array: Option<Array>,
    /// Set with the first error or fault: nothing more is forwarded.
    closed: bool,
}

/// How far an array is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Array {
    Empty,
    Begun,
    Closed,
}

impl Watch {
    /// A watch over a new stream of `choices` answers.
    #[must_use]
    pub fn new(codec: &dyn Codec, provider: &str, choices: u64) -> Self {
        Self {
            frames: Frames::new(codec.streams_lines()),
            decoder: codec.decoder(provider, ""),
            seen: Seen::new(choices),
            lenient: Lenient::default(),
            sentinel: codec.sentinel(),
            array: None,
            closed: false,
        }
    }

    /// The same with the data of all events as one JSON array (Gemini without `alt=sse`).
    #[must_use]
    pub fn as_array(mut self) -> Self {
        self.array = Some(Array::Empty);
        self
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
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.closed {
            return Ok(());
        }
        let mut run = 0..0;
        let result = self.take(chunk, &mut run, out);
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
                if let Err(error) = self.decoder.frame(name, data, &mut |event| seen.note(&event)) {
                    if !self.lenient.passes_over(&seen.observed, data) {
                        return Err(error.into());
                    }
                    if run.start < run.end {
                        out.push(chunk.slice(run.clone()));
                    }
                    *run = piece.end()..piece.end();
                    continue;
                }
                if seen.observed.error.is_some() {
                    self.closed = true;
                    return Ok(());
                }
                if seen.observed.done {
                    self.sentinel = b"";
                }
                if let Some(array) = &mut self.array {
                    out.push(array.element(data));
                }
            }
            if self.array.is_some() {
                if self.seen.observed.done {
                    self.conclude(out);
                }
                continue;
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
            let read = self.frames.read(&[], &piece);
            if let Some((name, data)) = read {
                self.decoder.frame(name, data, &mut |event| seen.note(&event))?;
            }
            match (&mut self.array, read) {
                _ if seen.observed.error.is_some() => return Ok(()),
                (Some(array), Some((_, data))) => out.push(array.element(data)),
                (Some(_), None) => {}
                (None, _) => out.push(self.frames.take_carried()),
            }
        }
        if seen.observed.done {
            self.sentinel = b"";
        }
        self.decoder.finish(&mut |event| seen.note(&event))?;
        if self.seen.observed.done {
            self.conclude(out);
        }
        Ok(())
    }

    /// Ends an answer that is whole although its provider did not end it. An array has a last byte.
    pub fn conclude(&mut self, out: &mut Vec<Bytes>) {
        let Some(array) = &mut self.array else {
            let sentinel = std::mem::take(&mut self.sentinel);
            if !sentinel.is_empty() {
                out.push(Bytes::from_static(sentinel));
            }
            return;
        };
        match std::mem::replace(array, Array::Closed) {
            Array::Empty => out.push(Bytes::from_static(b"[]")),
            Array::Begun => out.push(Bytes::from_static(b"]")),
            Array::Closed => {}
        }
    }
}

impl Array {
    /// An event's data as the next element.
    fn element(&mut self, data: &[u8]) -> Bytes {
        let before: &[u8] = if *self == Self::Empty { b"[" } else { b",\n" };
        *self = Self::Begun;
        [before, data].concat().into()
    }
}

/// Keeps count of what a stream says.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) observed: Observed,
    opened: SmallVec<[u64; 2]>,
    finished: SmallVec<[u64; 2]>,
    expected: usize,
}

/// No server gives more choices; of others no account is kept.
const MAX_CHOICES: usize = 4096;

impl Seen {
    pub(crate) fn new(choices: u64) -> Self {
        let expected = usize::try_from(choices).unwrap_or(MAX_CHOICES).clamp(1, MAX_CHOICES);
        Self { expected, ..Self::default() }
    }

    pub(crate) fn note(&mut self, event: &Event<'_>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::codec;

    const STREAM: &[u8] = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\
\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n: still here\n\nevent: content_block_start\ndata: {\"type\":\
\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\n\
data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n\
event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\
\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\nevent: message_stop\ndata: \
{\"type\":\"message_stop\"}\n\n";

    fn watched(array: bool, size: usize) -> (Watch, Vec<u8>) {
        let codec = codec(pointsman_core::Dialect::Anthropic).unwrap();
        let watch = Watch::new(codec, "p", 1);
        let mut watch = if array { watch.as_array() } else { watch };
        let mut out = Vec::new();
        for chunk in STREAM.chunks(size) {
            watch.push(&Bytes::copy_from_slice(chunk), &mut out).unwrap();
        }
        watch.finish(&mut out).unwrap();
        watch.conclude(&mut out);
        (watch, out.concat())
    }

    #[test]
    fn bytes_pass_untouched_and_are_read_along() {
        for size in [1, 2, 7, 64, 10_000] {
            let (watch, out) = watched(false, size);
            assert_eq!(out, STREAM, "in chunks of {size}");
            let observed = watch.observed();
            assert!(observed.committed && observed.done && observed.complete());
            let usage = observed.usage.unwrap();
            assert_eq!((usage.input, usage.output, observed.output_chars), (3, 7, 2));
        }
    }

    #[test]
    fn an_array_has_the_same_events_and_one_end() {
        for size in [1, 7, 10_000] {
            let (_, out) = watched(true, size);
            let array: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
            let kinds: Vec<_> = array.iter().map(|event| event["type"].as_str().unwrap()).collect();
            assert_eq!(kinds.len(), 6, "{kinds:?}");
            assert_eq!((kinds[0], kinds[5]), ("message_start", "message_stop"));
        }
        let codec = codec(pointsman_core::Dialect::Anthropic).unwrap();
        let mut empty = Watch::new(codec, "p", 1).as_array();
        let mut out = Vec::new();
        empty.finish(&mut out).unwrap();
        assert!(out.is_empty(), "nothing was whole");
        empty.conclude(&mut out);
        assert_eq!(out.concat(), b"[]");
    }
}
