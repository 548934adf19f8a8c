//! Calls of tools on their way to a client, kept back until their arguments are whole.
//!
//! Works on the client's own frames, whoever made them. As long as no call is in sight all that is done is
//! a search for the word that begins one; from the first call on the frames are read.

use bytes::Bytes;
use pointsman_core::Dialect;

use super::call::Call;
use crate::convert::{Codec, Decode, Frames};
use crate::neutral::Event;

/// What is kept back of one stream; a call that is longer is shown as it comes.
const MAX_HELD_BYTES: usize = 256 * 1024;

/// Keeps calls back.
pub struct Hold {
    needles: &'static [&'static [u8]],
    array: bool,
    /// From the first call on.
    reader: Option<Box<Reader>>,
    codec: &'static dyn Codec,
    held: Vec<Bytes>,
    bytes: usize,
    /// Nothing is kept back any more.
    off: bool,
}

struct Reader {
    /// The first call has come.
    begun: bool,
    frames: Frames,
    decoder: Box<dyn Decode>,
    calls: Vec<Call>,
    /// A call is in sight of which nothing was told yet.
    announced: bool,
    over: bool,
}

impl Hold {
    /// For a client that speaks `dialect`.
    #[must_use]
    pub fn new(dialect: Dialect, codec: &'static dyn Codec) -> Self {
        let needles: &[&[u8]] = match dialect {
            Dialect::OpenAiChat => &[b"\"tool_calls\"", b"\"function_call\""],
            Dialect::OpenAiResponses => &[b"\"function_call\"", b"\"custom_tool_call\""],
            Dialect::Anthropic => &[b"\"tool_use\""],
            Dialect::Gemini => &[b"\"functionCall\""],
            Dialect::Ollama => &[b"\"tool_calls\""],
        };
        Self {
            needles,
            array: dialect == Dialect::OpenAiChat,
            reader: None,
            codec,
            held: Vec::new(),
            bytes: 0,
            off: false,
        }
    }

    /// Takes what would be shown next, whole frames; what may be shown stays in `out`.
    pub fn filter(&mut self, out: &mut Vec<Bytes>) {
        if self.off || (self.reader.is_none() && !out.iter().any(|bytes| self.may_call(bytes))) {
            return;
        }
        for bytes in std::mem::take(out) {
            if self.off {
                out.push(bytes);
                continue;
            }
            if self.reader.is_none() && !self.may_call(&bytes) {
                out.push(bytes);
                continue;
            }
            self.read(&bytes);
            self.bytes += bytes.len();
            self.held.push(bytes);
            if self.bytes > MAX_HELD_BYTES {
                self.off = true;
            }
            if self.off || self.is_settled() {
                self.release(out);
            }
        }
    }

    /// Shows what is kept back.
    pub fn release(&mut self, out: &mut Vec<Bytes>) {
        self.bytes = 0;
        out.append(&mut self.held);
    }

    /// Whether something is kept back.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether a call may begin in these frames.
    fn may_call(&self, bytes: &[u8]) -> bool {
        self.needles.iter().any(|needle| {
            memchr::memmem::find_iter(bytes, needle).any(|at| {
                let behind = bytes.get(at + needle.len()..).unwrap_or_default().trim_ascii_start();
                // Some servers send `"tool_calls":null` with every piece.
                !self.array
                    || behind.strip_prefix(b":").is_some_and(|value| is_filled(value.trim_ascii_start()))
            })
        })
    }

    fn read(&mut self, bytes: &[u8]) {
        let lines = self.codec.streams_lines();
        let announced = self.array && self.may_call(bytes);
        let codec = self.codec;
        let reader = self.reader.get_or_insert_with(|| {
            Box::new(Reader {
                begun: false,
                frames: Frames::new(lines),
                decoder: codec.decoder("", ""),
                calls: Vec::new(),
                announced: false,
                over: false,
            })
        });
        if !reader.read(bytes, self.needles, announced) {
            // What cannot be read here its client must read.
            self.off = true;
        }
    }

    fn is_settled(&self) -> bool {
        self.reader.as_ref().is_none_or(|reader| reader.is_settled())
    }
}

/// Whether a JSON value is an array or object with something in it.
fn is_filled(value: &[u8]) -> bool {
    match value.split_first() {
        Some((b'[', rest)) => rest.trim_ascii_start().first() != Some(&b']'),
        Some((b'{', rest)) => rest.trim_ascii_start().first() != Some(&b'}'),
        _ => false,
    }
}

impl Reader {
    /// Reads frames, from the one that begins the first call. Returns whether they could be read.
    /// `announced`: there is a call in them.
    fn read(&mut self, bytes: &[u8], needles: &[&[u8]], announced: bool) -> bool {
        let Self { begun, frames, decoder, calls, over, .. } = self;
        let mut told = false;
        let mut note = |event: Event<'_>| match event {
            Event::Open { block, head: crate::neutral::Head::ToolCall { name, custom, .. }, .. } => {
                calls.push(Call::new(block, &name.value(), custom));
                told = true;
            }
            Event::Delta { block, text } => {
                if let Some(call) = calls.iter_mut().rev().find(|call| call.block == block) {
                    call.arguments.push(&text.value());
                    told = true;
                }
            }
            Event::Close { block } => {
                if let Some(call) = calls.iter_mut().rev().find(|call| call.block == block) {
                    call.closed = true;
                }
            }
            Event::Finish { .. } | Event::End => *over = true,
            _ => {}
        };
        loop {
            let piece = match frames.next(bytes) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(_) => return false,
            };
            let Some((name, data)) = frames.read(bytes, &piece) else { continue };
            *begun = *begun || needles.iter().any(|needle| memchr::memmem::find(data, needle).is_some());
            if *begun && decoder.frame(name, data, &mut note).is_err() {
                return false;
            }
        }
        self.announced = (self.announced || announced) && !told;
        true
    }

    /// Whether no call is under way.
    fn is_settled(&self) -> bool {
        self.over || (self.calls.iter().all(Call::is_whole) && !self.announced)
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
