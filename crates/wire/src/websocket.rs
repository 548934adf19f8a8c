//! WebSocket frames (RFC 6455) as they pass through: checked, masked anew, looked at, never rebuilt.
//!
//! A relay needs no messages, only the certainty that what it passes on is right. A [`Gate`] stands in one
//! direction of a connection and works in the read buffer itself: lengths do not change, so that a frame is
//! forwarded in the bytes it came in, and of a long one no more is held than one read. Control frames wait
//! until they are whole. [`handshake`] is what comes before the first frame.

pub mod handshake;
mod text;

use self::text::Utf8;

/// Longest payload of a control frame, in bytes (RFC 6455, 5.5).
const MAX_CONTROL: usize = 125;
/// Longest head of a frame: two bytes, the length in eight, the key in four.
const MAX_HEAD: usize = 14;

/// Whose frames a [`Gate`] sees: those of clients are masked, those of servers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Masked; each frame gets another key on its way.
    Client,
    /// Unmasked.
    Server,
}

/// What passes, without its mask.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A piece of a message.
    Data {
        /// Whether it is text.
        text: bool,
        /// The next bytes.
        piece: &'a [u8],
        /// Whether the message ends with them.
        last: bool,
    },
    /// A ping or a pong.
    Heartbeat,
    /// The last frame, with its code where it has one.
    Close(Option<u16>),
}

/// What breaks the protocol. Each is the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit is set although no extension was agreed on.
    #[error("a reserved bit of a frame is set")]
    ReservedBit,
    /// An opcode without a meaning.
    #[error("a frame has an unknown opcode")]
    Opcode,
    /// A client's frame without a mask, or a server's with one.
    #[error("a frame is masked wrongly")]
    Mask,
    /// A length in more bytes than it needs, or beyond 2^63.
    #[error("the length of a frame is written wrongly")]
    Length,
    /// A control frame that is in fragments or too long.
    #[error("a control frame is in fragments or too long")]
    Control,
    /// A continuation of nothing, or a new message within another.
    #[error("the fragments of messages are mixed up")]
    Fragment,
    /// A close frame of one byte, or with a code that nobody may send.
    #[error("a close frame has no valid code")]
    CloseCode,
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A message beyond the limit.
    #[error("a message is too long")]
    TooLong,
}

impl Violation {
    /// The code of the close frame that answers it (RFC 6455, 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooLong => 1009,
            _ => 1002,
        }
    }
}

/// How far a buffer may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many of its first bytes may be sent. What follows is the beginning of a frame: offer it again with
    /// more behind it.
    pub forward: usize,
    /// Length of the close frame that comes right behind them and is held back; 0 where there is none yet.
    pub close: usize,
    /// What is wrong behind them.
    pub violation: Option<Violation>,
}

/// One direction of a connection, from its first frame on.
#[derive(Debug)]
pub struct Gate {
    side: Side,
    max_message: u64,
    /// The data frame under way.
    frame: Option<Frame>,
    /// The message under way in fragments: whether it is text.
    message: Option<bool>,
    /// Payload bytes of the message so far.
    message_bytes: u64,
    utf8: Utf8,
    closed: bool,
}

/// A data frame whose head has passed.
#[derive(Clone, Copy, Debug)]
struct Frame {
    last: bool,
    text: bool,
    left: u64,
    keys: Option<Keys>,
}

/// The sender's key and the one that takes its place, both turned to the next byte.
#[derive(Clone, Copy, Debug)]
struct Keys {
    old: [u8; 4],
    new: [u8; 4],
}

/// A frame's head.
#[derive(Clone, Copy, Debug)]
struct Head {
    last: bool,
    opcode: u8,
    length: u64,
    /// Of the head itself, with the key.
    size: usize,
    key: Option<[u8; 4]>,
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

impl Gate {
    /// A gate for the frames of `side`, whose messages have at most `max_message` bytes.
    #[must_use]
    pub fn new(side: Side, max_message: u64) -> Self {
        Self {
            side,
            max_message,
            frame: None,
            message: None,
            message_bytes: 0,
            utf8: Utf8::default(),
            closed: false,
        }
    }

    /// Whether a frame of ours may be put in here: no frame is half sent.
    #[must_use]
    pub const fn between_frames(&self) -> bool {
        self.frame.is_none()
    }

    /// Whether a message of ours may be put in here.
    #[must_use]
    pub const fn between_messages(&self) -> bool {
        self.frame.is_none() && self.message.is_none()
    }

    /// Whether the last frame has passed.
    #[must_use]
    pub const fn closed(&self) -> bool {
        self.closed
    }

    /// Looks at `bytes`, which begin where the last call's `forward` ended, and puts the keys that `fresh`
    /// gives in place of a client's. Nothing passes behind a close frame or a violation.
    pub fn pass(
        &mut self,
        bytes: &mut [u8],
        fresh: &mut impl FnMut() -> [u8; 4],
        see: &mut impl FnMut(Seen<'_>),
    ) -> Passed {
        let mut passed = Passed { forward: 0, close: 0, violation: None };
        while !self.closed && passed.forward < bytes.len() {
            let rest = &mut bytes[passed.forward..];
            match self.step(rest, fresh, see) {
                Ok(0) => break,
                Ok(size) if self.closed => passed.close = size,
                Ok(size) => passed.forward += size,
                Err(violation) => {
                    passed.violation = Some(violation);
                    break;
                }
            }
        }
        passed
    }

    /// One head, one piece of a payload, or one control frame. 0: more bytes are needed.
    fn step(
        &mut self,
        bytes: &mut [u8],
        fresh: &mut impl FnMut() -> [u8; 4],
        see: &mut impl FnMut(Seen<'_>),
    ) -> Result<usize, Violation> {
        if let Some(frame) = self.frame {
            return self.payload(frame, bytes, see);
        }
        let Some(head) = Head::read(bytes, self.side)? else { return Ok(0) };
        if head.opcode >= CLOSE {
            return self.control(head, bytes, fresh, see);
        }
        let text = match (head.opcode, self.message) {
            (CONTINUATION, Some(text)) => text,
            (TEXT | BINARY, None) => head.opcode == TEXT,
            _ => return Err(Violation::Fragment),
        };
        let so_far = self.message_bytes.saturating_add(head.length);
        if so_far > self.max_message {
            return Err(Violation::TooLong);
        }
        self.message_bytes = so_far;
        self.message = Some(text);
        let keys = head.replace_key(bytes, fresh);
        let frame = Frame { last: head.last, text, left: head.length, keys };
        self.frame = Some(frame);
        if head.length == 0 {
            self.payload(frame, &mut [], see)?;
        }
        Ok(head.size)
    }

    fn payload(
        &mut self,
        mut frame: Frame,
        bytes: &mut [u8],
        see: &mut impl FnMut(Seen<'_>),
    ) -> Result<usize, Violation> {
        let length = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
        let piece = &mut bytes[..length];
        frame.left -= length as u64;
        if let Some(keys) = &frame.keys {
            mask(piece, keys.old);
        }
        let last = frame.left == 0 && frame.last;
        if frame.text && !(self.utf8.push(piece) && (!last || self.utf8.is_whole())) {
            return Err(Violation::NotUtf8);
        }
        see(Seen::Data { text: frame.text, piece, last });
        if let Some(keys) = &mut frame.keys {
            mask(piece, keys.new);
            keys.old.rotate_left(length % 4);
            keys.new.rotate_left(length % 4);
        }
        self.frame = (frame.left > 0).then_some(frame);
        if last {
            self.message = None;
            self.message_bytes = 0;
        }
        Ok(length)
    }

    fn control(
        &mut self,
        head: Head,
        bytes: &mut [u8],
        fresh: &mut impl FnMut() -> [u8; 4],
        see: &mut impl FnMut(Seen<'_>),
    ) -> Result<usize, Violation> {
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        if !head.last || length > MAX_CONTROL {
            return Err(Violation::Control);
        }
        let size = head.size + length;
        if bytes.len() < size {
            return Ok(0);
        }
        let keys = head.replace_key(bytes, fresh);
        let payload = &mut bytes[head.size..size];
        if let Some(keys) = &keys {
            mask(payload, keys.old);
        }
        if head.opcode == CLOSE {
            see(Seen::Close(close_code(payload)?));
            self.closed = true;
        } else {
            see(Seen::Heartbeat);
        }
        if let Some(keys) = &keys {
            mask(payload, keys.new);
        }
        Ok(size)
    }
}

impl Head {
    /// The head at the start of `bytes`; `None` until all of it is here.
    fn read(bytes: &[u8], side: Side) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else {
            // What is wrong with the first byte alone can be said at once, however the bytes are cut.
            return bytes.first().map_or(Ok(None), |&first| check_first(first).map(|()| None));
        };
        check_first(first)?;
        let masked = second & 0x80 != 0;
        if masked != (side == Side::Client) {
            return Err(Violation::Mask);
        }
        let (length, extra) = match second & 0x7F {
            126 => match rest.first_chunk::<2>() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            length => (u64::from(length), 0),
        };
        let shortest = match length {
            0..=125 => 0,
            126..=0xFFFF => 2,
            _ => 8,
        };
        if extra != shortest || length >> 63 != 0 {
            return Err(Violation::Length);
        }
        let key = match masked {
            true => match rest.get(extra..).and_then(<[u8]>::first_chunk::<4>) {
                Some(key) => Some(*key),
                None => return Ok(None),
            },
            false => None,
        };
        let size = 2 + extra + if masked { 4 } else { 0 };
        Ok(Some(Self { last: first & 0x80 != 0, opcode: first & 0x0F, length, size, key }))
    }

    /// Puts a fresh key into the head at the start of `bytes`, where it has one.
    fn replace_key(self, bytes: &mut [u8], fresh: &mut impl FnMut() -> [u8; 4]) -> Option<Keys> {
        let old = self.key?;
        let new = fresh();
        bytes[self.size - 4..self.size].copy_from_slice(&new);
        Some(Keys { old, new })
    }
}

fn check_first(first: u8) -> Result<(), Violation> {
    if first & 0x70 != 0 {
        return Err(Violation::ReservedBit);
    }
    match first & 0x0F {
        CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => Ok(()),
        _ => Err(Violation::Opcode),
    }
}

/// The code in a close frame's payload (RFC 6455, 7.4; 1012 to 1014 are of the IANA registry).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Violation::CloseCode),
    };
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Violation::CloseCode),
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Some(code)),
        Err(_) => Err(Violation::NotUtf8),
    }
}

/// Masks or unmasks: the two are one operation (RFC 6455, 5.3).
fn mask(bytes: &mut [u8], key: [u8; 4]) {
    let word = u32::from_ne_bytes(key);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for four in words {
        *four = (u32::from_ne_bytes(*four) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// A whole text frame, masked where there is a key.
#[must_use]
pub fn text_frame(text: &str, key: Option<[u8; 4]>) -> Vec<u8> {
    frame(TEXT, text.as_bytes(), key)
}

/// A close frame. `None`: without a code. Of the reason, what fits is sent.
#[must_use]
pub fn close_frame(code: Option<u16>, reason: &str, key: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(MAX_CONTROL - 2)]);
    }
    frame(CLOSE, &payload, key)
}

fn frame(opcode: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut out = Vec::with_capacity(MAX_HEAD + payload.len());
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(masked | length),
        (_, Ok(length)) => {
            out.push(masked | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&key.unwrap_or_default()[..if key.is_some() { 4 } else { 0 }]);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask(&mut out[start..], key);
    }
    out
}

#[cfg(test)]
mod tests;
