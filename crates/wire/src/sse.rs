//! Framing of server-sent events (WHATWG HTML, "Server-sent events"): finds where events end and
//! which of their bytes are data, without copying those that arrive in one piece.
//!
//! Lines end in `\n`, `\r\n` or `\r`; a byte order mark at the start is passed over; comments,
//! `id:` and `retry:` stay in the frame's bytes and are otherwise ignored. A field named `error`
//! counts as data of an event named `error`.

use std::ops::Range;

use bytes::Bytes;

/// Bytes of one event before it is refused: well above any token, audio included.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The stream cannot be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {limit} bytes")]
pub struct EventTooLong {
    /// The limit it exceeds.
    pub limit: usize,
}

/// One event, copied out: for clients and tests; the data plane works on [`Frame`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty where there is none.
    pub name: Vec<u8>,
    /// The `data` lines, joined by `\n`.
    pub data: Vec<u8>,
}

/// One complete event: everything up to and including its blank line.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Its bytes in the chunk. Where `carried` is set it began in an earlier chunk, and
    /// [`Framer::take_carried`] has the whole of it.
    pub range: Range<usize>,
    /// It began in an earlier chunk.
    pub carried: bool,
    /// Not an event, but the `\n` of a `\r\n` whose `\r` ended the event before.
    pub tail: bool,
    /// It has a `data` field, even an empty one.
    pub has_data: bool,
    joined: bool,
    name: Range<usize>,
    data: Range<usize>,
}

/// Cuts a stream of chunks into [`Frame`]s: call [`Framer::next`] with a chunk until it has none.
#[derive(Debug)]
pub struct Framer {
    /// The frame under construction; its name and data are relative to the start of the event.
    frame: Frame,
    /// The bytes of that event that came with earlier chunks.
    carry: Vec<u8>,
    /// `carry` belongs to the frame handed out last.
    carry_done: bool,
    /// The data of an event with several `data` lines.
    joined: Vec<u8>,
    /// Where the scan goes on in the chunk.
    at: usize,
    /// Where the current line starts, relative to the event.
    line: usize,
    limit: usize,
    first_line: bool,
    /// The chunk before ended in the `\r` of a line end: a `\n` at the start of this one belongs to it.
    after_cr: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }
}

impl Framer {
    /// A framer that refuses events of more than `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            frame: Frame::default(),
            carry: Vec::new(),
            carry_done: false,
            joined: Vec::new(),
            at: 0,
            line: 0,
            limit,
            first_line: true,
            after_cr: false,
        }
    }

    /// The next complete event of `chunk`, or `None`: then the rest of it was kept, and the next
    /// call is for the next chunk.
    ///
    /// # Errors
    /// The event exceeds the limit; the framer is of no further use.
    pub fn next(&mut self, chunk: &[u8]) -> Result<Option<Frame>, EventTooLong> {
        self.drop_carried();
        if self.after_cr && self.at == 0 && !chunk.is_empty() {
            self.after_cr = false;
            if chunk.first() == Some(&b'\n') {
                self.at = 1;
                if self.carry.is_empty() {
                    self.frame.range.start = 1;
                    return Ok(Some(Frame { range: 0..1, tail: true, ..Frame::default() }));
                }
                self.carry.push(b'\n');
                self.line = self.carry.len();
            }
        }
        while let Some((content, end)) = self.line_end(chunk) {
            let break_len = end - content;
            if !self.carry.is_empty() {
                self.carry.extend_from_slice(chunk.get(self.at..end).unwrap_or_default());
            }
            self.at = end;
            let length = self.event_len();
            // The `\n` of a last `\r\n` may come later, so no closing line end can count.
            if length - break_len > self.limit {
                return Err(EventTooLong { limit: self.limit });
            }
            let blank = self.read_line(chunk, length - break_len);
            self.line = length;
            if blank {
                return Ok(Some(self.complete(end)));
            }
        }
        self.keep_rest(chunk)?;
        Ok(None)
    }

    /// What is left at the end of the stream: an event that no blank line closed. Its bytes are in
    /// [`Framer::take_carried`].
    pub fn finish(&mut self) -> Option<Frame> {
        self.drop_carried();
        if self.carry.is_empty() {
            return None;
        }
        if self.line < self.carry.len() {
            self.read_line(&[], self.carry.len());
        }
        Some(self.complete(0))
    }

    /// The data of a frame just returned for `chunk`.
    #[must_use]
    pub fn data<'a>(&'a self, chunk: &'a [u8], frame: &Frame) -> &'a [u8] {
        if frame.joined { &self.joined } else { self.slice(chunk, frame, &frame.data) }
    }

    /// The event name of a frame just returned for `chunk`; empty where there is none.
    #[must_use]
    pub fn name<'a>(&'a self, chunk: &'a [u8], frame: &Frame) -> &'a [u8] {
        self.slice(chunk, frame, &frame.name)
    }

    /// All bytes of a frame just returned for `chunk`.
    #[must_use]
    pub fn bytes<'a>(&'a self, chunk: &'a [u8], frame: &Frame) -> &'a [u8] {
        if frame.carried { &self.carry } else { chunk.get(frame.range.clone()).unwrap_or_default() }
    }

    /// All bytes of the carried frame that was returned last.
    pub fn take_carried(&mut self) -> Bytes {
        self.carry_done = false;
        std::mem::take(&mut self.carry).into()
    }

    /// All events with data that `chunk` completes.
    ///
    /// # Errors
    /// An event exceeds the limit.
    pub fn events(&mut self, chunk: &[u8]) -> Result<Vec<Event>, EventTooLong> {
        let mut events = Vec::new();
        while let Some(frame) = self.next(chunk)? {
            events.extend(self.event(chunk, &frame));
        }
        Ok(events)
    }

    /// The frame copied out, if it has data.
    #[must_use]
    pub fn event(&self, chunk: &[u8], frame: &Frame) -> Option<Event> {
        let data = self.data(chunk, frame).to_vec();
        frame.has_data.then(|| Event { name: self.name(chunk, frame).to_vec(), data })
    }

    fn drop_carried(&mut self) {
        if self.carry_done {
            self.carry_done = false;
            self.carry.clear();
        }
    }

    /// The end of the current line's content, and the start of the next line.
    fn line_end(&mut self, chunk: &[u8]) -> Option<(usize, usize)> {
        let rest = chunk.get(self.at..)?;
        let content = self.at + memchr::memchr2(b'\n', b'\r', rest)?;
        let mut end = content + 1;
        if chunk.get(content) == Some(&b'\r') {
            match chunk.get(end) {
                Some(b'\n') => end += 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        Some((content, end))
    }

    /// Bytes of the current event up to the scan.
    fn event_len(&self) -> usize {
        if self.carry.is_empty() { self.at - self.frame.range.start } else { self.carry.len() }
    }

    /// Reads the line from `self.line` to `end` (both relative to the event). True if it is blank.
    fn read_line(&mut self, chunk: &[u8], end: usize) -> bool {
        let event = if self.carry.is_empty() {
            chunk.get(self.frame.range.start..).unwrap_or_default()
        } else {
            &self.carry
        };
        let mut start = self.line;
        let mut line = event.get(start..end).unwrap_or_default();
        if self.first_line {
            self.first_line = false;
            if let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
                (line, start) = (rest, start + BYTE_ORDER_MARK.len());
            }
        }
        let frame = &mut self.frame;
        if let Some(offset) = field_value(line, b"data") {
            let value = start + offset..end;
            if frame.has_data {
                if !frame.joined {
                    frame.joined = true;
                    self.joined.clear();
                    self.joined.extend_from_slice(event.get(frame.data.clone()).unwrap_or_default());
                }
                self.joined.push(b'\n');
                self.joined.extend_from_slice(event.get(value).unwrap_or_default());
            } else {
                frame.has_data = true;
                frame.data = value;
            }
        } else if let Some(offset) = field_value(line, b"event") {
            frame.name = start + offset..end;
        } else if let Some(offset) = field_value(line, b"error") {
            // Not of the standard: llama.cpp reports errors in a field of this name.
            (frame.has_data, frame.joined) = (true, false);
            frame.name = start..start + b"error".len();
            frame.data = start + offset..end;
        }
        line.is_empty()
    }

    fn complete(&mut self, end: usize) -> Frame {
        let next = Frame { range: end..end, ..Frame::default() };
        let mut frame = std::mem::replace(&mut self.frame, next);
        frame.range.end = end;
        frame.carried = !self.carry.is_empty();
        self.carry_done = frame.carried;
        self.line = 0;
        frame
    }

    fn keep_rest(&mut self, chunk: &[u8]) -> Result<(), EventTooLong> {
        let from = if self.carry.is_empty() { self.frame.range.start } else { self.at };
        self.carry.extend_from_slice(chunk.get(from..).unwrap_or_default());
        self.at = 0;
        self.frame.range = 0..0;
        if self.carry.len() > self.limit { Err(EventTooLong { limit: self.limit }) } else { Ok(()) }
    }

    fn slice<'a>(&'a self, chunk: &'a [u8], frame: &Frame, range: &Range<usize>) -> &'a [u8] {
        self.bytes(chunk, frame).get(range.clone()).unwrap_or_default()
    }
}

/// Where the value starts, if the line is this field: behind the colon and one optional space.
fn field_value(line: &[u8], field: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(field)?;
    match rest {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(field.len() + 2),
        [b':', ..] => Some(field.len() + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
