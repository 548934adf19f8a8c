//! Where an answer's body ends (RFC 9112, sections 6 and 7), as a state machine without I/O.

use bytes::{Bytes, BytesMut};

use super::ExchangeError;

/// Longest line with a chunk's size and its extensions, in bytes.
const MAX_SIZE_LINE: usize = 1024;
/// Longest trailer section, in bytes.
const MAX_TRAILER: usize = 16 * 1024;
/// 2^60: no chunk is that long, and sums do not overflow.
const MAX_SIZE_DIGITS: usize = 15;

/// How a body is delimited, and how far it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked(Chunk),
    /// To the end of the connection.
    UntilClose,
}

/// The place within a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Before a size line.
    Size,
    /// Within data; so many bytes are left.
    Data(u64),
    /// Before the line end that follows data.
    DataEnd,
    /// In the trailer section; so many of its bytes have gone by.
    Trailer(usize),
    /// Behind it all.
    End,
}

/// What a buffer held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A piece of the body: a slice of the buffer.
    Data(Bytes),
    /// Nothing yet: read more.
    More,
    /// The body is complete.
    End,
}

impl Framing {
    /// Whether the body is complete.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::End))
    }

    /// What is known to be left, in bytes.
    pub(crate) const fn left(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(Chunk::End) => Some(0),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Takes the next piece out of `buffer`.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, ExchangeError> {
        match self {
            Self::Length(left) => Ok(take(left, buffer)),
            Self::UntilClose if buffer.is_empty() => Ok(Decoded::More),
            Self::UntilClose => Ok(Decoded::Data(buffer.split().freeze())),
            Self::Chunked(chunk) => chunk.decode(buffer),
        }
    }

    /// The connection was closed: the end of a body without a length, and a fault of any other.
    pub(crate) const fn closed(&mut self) -> Result<(), ExchangeError> {
        match self {
            Self::UntilClose => {
                *self = Self::Length(0);
                Ok(())
            }
            _ if self.is_end() => Ok(()),
            _ => Err(ExchangeError::Truncated),
        }
    }
}

impl Chunk {
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, ExchangeError> {
        loop {
            match self {
                Self::Size => {
                    let Some(line) = line(buffer, MAX_SIZE_LINE)? else { return Ok(Decoded::More) };
                    *self = match size(&line)? {
                        0 => Self::Trailer(0),
                        size => Self::Data(size),
                    };
                }
                Self::Data(left) => {
                    let decoded = take(left, buffer);
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(decoded);
                }
                Self::DataEnd => {
                    let Some(line) = line(buffer, 2)? else { return Ok(Decoded::More) };
                    if !line.is_empty() {
                        return Err(ExchangeError::Malformed("a chunk is longer than its size"));
                    }
                    *self = Self::Size;
                }
                Self::Trailer(seen) => {
                    let Some(line) = line(buffer, MAX_TRAILER - *seen)? else { return Ok(Decoded::More) };
                    *seen += line.len() + 2;
                    if line.is_empty() {
                        *self = Self::End;
                    } else if *seen >= MAX_TRAILER {
                        return Err(ExchangeError::Malformed("the trailer section is too long"));
                    }
                }
                Self::End => return Ok(Decoded::End),
            }
        }
    }
}

fn take(left: &mut u64, buffer: &mut BytesMut) -> Decoded {
    if *left == 0 {
        return Decoded::End;
    }
    if buffer.is_empty() {
        return Decoded::More;
    }
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    *left -= count as u64;
    Decoded::Data(buffer.split_to(count).freeze())
}

/// A line of at most `limit` bytes, without its end; `None` until all of it is here. A bare line feed is
/// taken as an end, as RFC 9112 section 2.2 allows.
fn line(buffer: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, ExchangeError> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() > limit {
            Err(ExchangeError::Malformed("a line is too long"))
        } else {
            Ok(None)
        };
    };
    if end > limit {
        return Err(ExchangeError::Malformed("a line is too long"));
    }
    let mut line = buffer.split_to(end + 1);
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.truncate(end - 1);
    }
    Ok(Some(line))
}

/// The size at the start of a line; extensions behind `;` mean nothing here.
fn size(line: &[u8]) -> Result<u64, ExchangeError> {
    const BAD: ExchangeError = ExchangeError::Malformed("a chunk's size is not a hexadecimal number");
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.len() > MAX_SIZE_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BAD);
    }
    let text = std::str::from_utf8(digits).map_err(|_| BAD)?;
    u64::from_str_radix(text, 16).map_err(|_| BAD)
}

#[cfg(test)]
mod tests;
