//! Just enough HTTP/1.1 for load and mock: both must be far cheaper than what they measure.

use std::io;

use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 64;
/// First size of a connection's read buffer: holds the usual message whole.
const BUFFER_BYTES: usize = 4 * 1024;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length in bytes.
    Length(usize),
    /// By chunks.
    Chunked,
}

/// What matters of a message head.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Bytes up to and with the empty line.
    pub length: usize,
    /// The status of an answer; 0 for a request.
    pub status: u16,
    /// The body's framing.
    pub framing: Framing,
    /// The sender closes after this message.
    pub close: bool,
}

/// A connection's received bytes: `data[start..]` is not yet consumed.
#[derive(Debug)]
pub struct Buffer {
    data: Vec<u8>,
    start: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { data: Vec::with_capacity(BUFFER_BYTES), start: 0 }
    }
}

impl Buffer {
    /// What is here and not consumed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data[self.start..]
    }

    /// Forgets the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.data.len() {
            self.data.clear();
            self.start = 0;
            // A large message must not keep its memory for the life of the connection.
            self.data.shrink_to(64 * BUFFER_BYTES);
        }
    }

    /// Reads more; returns 0 at the end of the connection.
    ///
    /// # Errors
    /// As the socket has them.
    pub async fn fill(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        if self.start > 0 && self.data.len() == self.data.capacity() {
            self.data.drain(..self.start);
            self.start = 0;
        }
        if self.data.capacity() - self.data.len() < 512 {
            self.data.reserve(self.data.len().max(BUFFER_BYTES));
        }
        stream.read_buf(&mut self.data).await
    }

    /// Waits for a whole head. `None`: the connection ended before its first byte.
    ///
    /// # Errors
    /// As the socket has them, or `InvalidData`.
    pub async fn head(&mut self, stream: &mut TcpStream, request: bool) -> io::Result<Option<Head>> {
        loop {
            if memmem::find(self.bytes(), b"\r\n\r\n").is_some() {
                return parse(self.bytes(), request).map(Some);
            }
            if self.fill(stream).await? == 0 {
                return if self.bytes().is_empty() { Ok(None) } else { Err(cut()) };
            }
        }
    }

    /// Waits for `count` bytes.
    ///
    /// # Errors
    /// As the socket has them, or `UnexpectedEof`.
    pub async fn need(&mut self, stream: &mut TcpStream, count: usize) -> io::Result<()> {
        while self.bytes().len() < count {
            let missing = count - self.bytes().len();
            self.data.reserve(missing);
            if self.fill(stream).await? == 0 {
                return Err(cut());
            }
        }
        Ok(())
    }

    /// The next HTTP chunk as a length within [`Buffer::bytes`] and the bytes to consume after use;
    /// `None` at the last one, which is consumed.
    ///
    /// # Errors
    /// As the socket has them, or a broken framing.
    pub async fn chunk(&mut self, stream: &mut TcpStream) -> io::Result<Option<(usize, usize)>> {
        let (at, size) = loop {
            if let Some(end) = memmem::find(self.bytes(), b"\r\n") {
                let digits = std::str::from_utf8(&self.bytes()[..end]).map_err(|_| invalid("chunk size"))?;
                let digits = digits.split(';').next().unwrap_or_default().trim();
                break (end + 2, usize::from_str_radix(digits, 16).map_err(|_| invalid("chunk size"))?);
            }
            if self.fill(stream).await? == 0 {
                return Err(cut());
            }
        };
        self.need(stream, at + size + 2).await?;
        self.consume(at);
        if size == 0 {
            self.consume(2);
            return Ok(None);
        }
        Ok(Some((size, size + 2)))
    }
}

/// The value of the first header `name` (lower case) in a head.
#[must_use]
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let (key, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        key.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

fn parse(bytes: &[u8], request: bool) -> io::Result<Head> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (status, parsed, headers) = if request {
        let mut head = httparse::Request::new(&mut slots);
        let parsed = head.parse(bytes);
        (0, parsed, head.headers)
    } else {
        let mut head = httparse::Response::new(&mut slots);
        let parsed = head.parse(bytes);
        (head.code.unwrap_or_default(), parsed, head.headers)
    };
    let Ok(httparse::Status::Complete(length)) = parsed else {
        return Err(invalid("head"));
    };
    let mut head = Head { length, status, framing: Framing::Length(0), close: false };
    for header in headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| invalid("content-length"))?;
            head.framing = Framing::Length(text.parse().map_err(|_| invalid("content-length"))?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.close = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(head)
}

fn cut() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("broken {what}"))
}
