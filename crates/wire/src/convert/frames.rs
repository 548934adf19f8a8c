//! Frames of a stream: server-sent events, or lines of JSON.

use std::ops::Range;

use bytes::Bytes;

use crate::sse::{EventTooLong, Frame, Framer, MAX_EVENT_BYTES};

/// Cuts a stream of chunks into lines, as [`Framer`] cuts one into events.
#[derive(Debug, Default)]
pub struct Lines {
    /// What of the current line came with earlier chunks.
    carry: Vec<u8>,
    /// `carry` belongs to the line handed out last.
    carry_done: bool,
    /// Where the scan goes on in the chunk.
    at: usize,
}

/// A line: with its line end, where it has one.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its bytes in the chunk. Where `carried` is set it began in an earlier chunk.
    pub range: Range<usize>,
    /// It began in an earlier chunk.
    pub carried: bool,
}

impl Lines {
    /// The next whole line of `chunk`, or `None`: then the rest was kept.
    ///
    /// # Errors
    /// A line is longer than [`MAX_EVENT_BYTES`].
    pub fn next(&mut self, chunk: &[u8]) -> Result<Option<Line>, EventTooLong> {
        self.drop_carried();
        let rest = chunk.get(self.at..).unwrap_or_default();
        let start = self.at;
        let Some(length) = memchr::memchr(b'\n', rest) else {
            self.carry.extend_from_slice(rest);
            self.at = 0;
            return self.checked(None);
        };
        self.at = start + length + 1;
        let carried = !self.carry.is_empty();
        if carried {
            self.carry.extend_from_slice(rest.get(..=length).unwrap_or_default());
            self.carry_done = true;
        }
        self.checked(Some(Line { range: start..self.at, carried }))
    }

    /// What is left at the end: a line that nothing ended.
    pub fn finish(&mut self) -> Option<Line> {
        self.drop_carried();
        self.carry_done = !self.carry.is_empty();
        self.carry_done.then_some(Line { range: 0..0, carried: true })
    }

    fn checked(&self, line: Option<Line>) -> Result<Option<Line>, EventTooLong> {
        let length = line.as_ref().map_or(0, |line| line.range.len()).max(self.carry.len());
        if length > MAX_EVENT_BYTES { Err(EventTooLong { limit: MAX_EVENT_BYTES }) } else { Ok(line) }
    }

    fn drop_carried(&mut self) {
        if self.carry_done {
            self.carry_done = false;
            self.carry.clear();
        }
    }
}

/// Either kind of framing.
#[derive(Debug)]
pub(crate) enum Frames {
    Events(Framer),
    Lines(Lines),
}

/// A frame of either kind.
pub(crate) enum Piece {
    Event(Frame),
    Line(Line),
}

impl Frames {
    pub(crate) fn new(lines: bool) -> Self {
        if lines { Self::Lines(Lines::default()) } else { Self::Events(Framer::default()) }
    }

    pub(crate) fn next(&mut self, chunk: &[u8]) -> Result<Option<Piece>, EventTooLong> {
        Ok(match self {
            Self::Events(framer) => framer.next(chunk)?.map(Piece::Event),
            Self::Lines(lines) => lines.next(chunk)?.map(Piece::Line),
        })
    }

    pub(crate) fn finish(&mut self) -> Option<Piece> {
        match self {
            Self::Events(framer) => framer.finish().map(Piece::Event),
            Self::Lines(lines) => lines.finish().map(Piece::Line),
        }
    }

    /// Name and data of a piece just returned for `chunk`; `None` where it has no data.
    pub(crate) fn read<'a>(&'a self, chunk: &'a [u8], piece: &Piece) -> Option<(&'a [u8], &'a [u8])> {
        let (name, data) = match (self, piece) {
            (Self::Events(framer), Piece::Event(frame)) if frame.has_data => {
                (framer.name(chunk, frame), framer.data(chunk, frame))
            }
            // Google reports an error in the middle of a stream as a document outside of any event.
            (Self::Events(framer), Piece::Event(frame)) => {
                let bare = framer.bytes(chunk, frame).trim_ascii();
                (&b""[..], bare.starts_with(b"{").then_some(bare)?)
            }
            (Self::Lines(lines), Piece::Line(line)) => {
                let text = if line.carried { &lines.carry } else { chunk.get(line.range.clone())? };
                (&b""[..], text)
            }
            _ => return None,
        };
        let data = data.trim_ascii();
        (!data.is_empty()).then_some((name, data))
    }

    /// All bytes of the carried piece that was returned last.
    pub(crate) fn take_carried(&mut self) -> Bytes {
        match self {
            Self::Events(framer) => framer.take_carried(),
            Self::Lines(lines) => {
                lines.carry_done = false;
                std::mem::take(&mut lines.carry).into()
            }
        }
    }
}

impl Piece {
    pub(crate) const fn carried(&self) -> bool {
        match self {
            Self::Event(frame) => frame.carried,
            Self::Line(line) => line.carried,
        }
    }

    pub(crate) const fn end(&self) -> usize {
        match self {
            Self::Event(frame) => frame.range.end,
            Self::Line(line) => line.range.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"{\"a\":1}\r\n\n{\"b\":\"x\"}\n{\"c\":3}";
        for cut in 0..=text.len() {
            for second in cut..=text.len() {
                let mut frames = Frames::new(true);
                let mut seen: Vec<Vec<u8>> = Vec::new();
                for chunk in [&text[..cut], &text[cut..second], &text[second..]] {
                    while let Some(piece) = frames.next(chunk).unwrap() {
                        seen.extend(frames.read(chunk, &piece).map(|(_, data)| data.to_vec()));
                    }
                }
                if let Some(piece) = frames.finish() {
                    seen.extend(frames.read(b"", &piece).map(|(_, data)| data.to_vec()));
                }
                assert_eq!(seen, [&b"{\"a\":1}"[..], b"{\"b\":\"x\"}", b"{\"c\":3}"], "{cut} {second}");
            }
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        let chunk = vec![b'x'; MAX_EVENT_BYTES / 2 + 1];
        assert!(lines.next(&chunk).unwrap().is_none());
        assert!(lines.next(&chunk).is_err());
    }
}
