//! An HTTP/2 server that writes its frames by hand (RFC 9113, 4.1), so that it can break every rule.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A piece of a body.
pub const DATA: u8 = 0;
/// A head, or trailers.
pub const HEADERS: u8 = 1;
/// The end of a stream before its time.
pub const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// The rest of a head.
pub const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
/// The stream has no more frames.
pub const END_STREAM: u8 = 1;
/// The head is complete.
pub const END_HEADERS: u8 = 4;

/// `:status: 200` in HPACK's static table (RFC 7541, appendix A).
pub const STATUS_200: &[u8] = &[0x88];
/// `:status: 400`, likewise.
pub const STATUS_400: &[u8] = &[0x8c];

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Windows of streams and connection, in bytes: no test fills them.
const WINDOW: u32 = 1 << 24;

/// What a client sent.
#[derive(Debug)]
pub struct Sent {
    /// One of the constants above.
    pub kind: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// Without the frame's head.
    pub payload: Bytes,
}

/// The server's end of one connection.
#[derive(Debug)]
pub struct Raw<I> {
    io: I,
    /// Of a frame that is not here completely.
    buffer: BytesMut,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Raw<I> {
    /// Reads the client's preface and sends settings.
    ///
    /// # Errors
    /// Where it is another one, or the client has gone.
    pub async fn open(mut io: I) -> io::Result<Self> {
        let mut preface = [0; 24];
        io.read_exact(&mut preface).await?;
        if &preface != PREFACE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut raw = Self { io, buffer: BytesMut::new() };
        // SETTINGS_INITIAL_WINDOW_SIZE (4), and as much for the connection.
        let size = WINDOW.to_be_bytes();
        raw.send(SETTINGS, 0, 0, &[&[0, 4], &size[..]].concat()).await;
        raw.send(WINDOW_UPDATE, 0, 0, &size).await;
        Ok(raw)
    }

    /// Sends a frame; whether the client is still there.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.io.write_all(&frame).await.is_ok()
    }

    /// Ends a stream with an error code (RFC 9113, 7).
    pub async fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    /// Sends a whole answer.
    pub async fn answer(&mut self, stream: u32, body: &[u8]) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(DATA, END_STREAM, stream, body).await;
    }

    /// The next frame that is about a request or the end; all others are answered as they should be. Nothing
    /// is lost where the future is dropped.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            let (flags, sent) = self.frame().await?;
            match sent.kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let answer = if sent.kind == PING { &sent.payload[..] } else { &[] };
                    self.send(sent.kind, ACK, 0, answer).await;
                }
                SETTINGS | PING | WINDOW_UPDATE => {}
                _ => return Some(sent),
            }
        }
    }

    async fn frame(&mut self) -> Option<(u8, Sent)> {
        loop {
            if let [a, b, c, kind, flags, d, e, f, g, rest @ ..] = &self.buffer[..] {
                let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
                if rest.len() >= length {
                    let (kind, flags) = (*kind, *flags);
                    let stream = u32::from_be_bytes([*d, *e, *f, *g]);
                    self.buffer.advance(9);
                    return Some((
                        flags,
                        Sent { kind, stream, payload: self.buffer.split_to(length).freeze() },
                    ));
                }
            }
            if self.io.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The stream of the next request; what is left of those before goes by.
    pub async fn request(&mut self) -> Option<u32> {
        loop {
            let sent = self.next().await?;
            if sent.kind == HEADERS {
                return Some(sent.stream);
            }
        }
    }

    /// The next reset: its stream and code.
    pub async fn next_reset(&mut self) -> Option<(u32, u32)> {
        loop {
            let sent = self.next().await?;
            if sent.kind == RST_STREAM {
                let code = sent.payload[..].try_into().map(u32::from_be_bytes).ok()?;
                return Some((sent.stream, code));
            }
        }
    }

    /// Answers every request, to the end.
    pub async fn serve(&mut self, body: &[u8]) {
        while let Some(stream) = self.request().await {
            self.answer(stream, body).await;
        }
    }
}

/// A field without compression (RFC 7541, 6.2.2).
#[must_use]
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        // An integer with a prefix of seven bits (RFC 7541, 5.1).
        match u8::try_from(text.len()) {
            Ok(length) if length < 127 => out.push(length),
            _ => {
                out.push(127);
                let mut left = text.len() - 127;
                while left >= 128 {
                    out.push((left % 128) as u8 | 128);
                    left /= 128;
                }
                out.push(left as u8);
            }
        }
        out.extend(text.as_bytes());
    }
    out
}

/// A head with status 200 and these fields.
#[must_use]
pub fn head(fields: &[Vec<u8>]) -> Vec<u8> {
    [STATUS_200.to_vec(), fields.concat()].concat()
}
