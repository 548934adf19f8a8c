//! A server that writes its frames by hand (RFC 9113, 4.1), so that it can break every rule.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// `:status: 200` in HPACK's static table.
pub(super) const STATUS_200: &[u8] = &[0x88];

/// What a client sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Bytes,
}

impl Sent {
    /// The code of a RST_STREAM.
    pub(super) fn code(&self) -> u32 {
        assert_eq!(self.kind, RST_STREAM);
        u32::from_be_bytes(self.payload[..4].try_into().unwrap())
    }
}

/// One connection.
pub(super) struct Raw(pub(super) DuplexStream);

impl Raw {
    /// Reads the client's preface and sends settings: windows that no test fills.
    pub(super) async fn open(mut io: DuplexStream) -> Self {
        let mut preface = [0; 24];
        io.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut raw = Self(io);
        // SETTINGS_INITIAL_WINDOW_SIZE (4), and as much for the connection.
        let size = (1_u32 << 24).to_be_bytes();
        raw.send(SETTINGS, 0, 0, &[&[0, 4], &size[..]].concat()).await;
        raw.send(WINDOW_UPDATE, 0, 0, &size).await;
        raw
    }

    /// Sends a frame; nothing happens where the client has gone.
    pub(super) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.is_ok()
    }

    pub(super) async fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    /// Sends `hello` as a whole answer.
    pub(super) async fn hello(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(DATA, END_STREAM, stream, b"hello").await;
    }

    /// The next frame that is about a request or the end; all others are answered as they should be.
    pub(super) async fn next(&mut self) -> Option<Sent> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.ok()?;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
            match kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let answer = if kind == PING { &payload[..] } else { &[] };
                    self.send(kind, ACK, 0, answer).await;
                }
                SETTINGS | PING | WINDOW_UPDATE => {}
                _ => return Some(Sent { kind, stream, payload: payload.into() }),
            }
        }
    }

    /// The stream of the next request, whose body goes by.
    pub(super) async fn request(&mut self) -> Option<u32> {
        loop {
            let sent = self.next().await?;
            if sent.kind == HEADERS {
                return Some(sent.stream);
            }
        }
    }

    /// The next reset: its stream and code.
    pub(super) async fn next_reset(&mut self) -> Option<(u32, u32)> {
        loop {
            let sent = self.next().await?;
            if sent.kind == RST_STREAM {
                return Some((sent.stream, sent.code()));
            }
        }
    }

    /// Reads to the end.
    pub(super) async fn rest(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Answers every request.
    pub(super) async fn serve(&mut self) {
        while let Some(stream) = self.request().await {
            self.hello(stream).await;
        }
    }
}

/// A field without compression (RFC 7541, 6.2.2), of any length.
pub(super) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        let length = text.len();
        if length < 127 {
            out.push(u8::try_from(length).unwrap());
        } else {
            out.push(127);
            let mut left = length - 127;
            while left >= 128 {
                out.push(u8::try_from(left % 128).unwrap() | 128);
                left /= 128;
            }
            out.push(u8::try_from(left).unwrap());
        }
        out.extend(text.as_bytes());
    }
    out
}
