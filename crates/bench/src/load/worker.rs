//! One connection of a load: sends a request, reads its answer, notes what it saw.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;
use pointsman_core::Rng;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::request::{End, Form};
use super::{Shape, Stats};
use crate::clock::now_ns;
use crate::http::{Buffer, Framing};

/// No answer takes longer than this.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) struct Worker {
    target: SocketAddr,
    shape: Arc<Shape>,
    stats: Arc<Stats>,
    rng: Rng,
    request: Vec<u8>,
    stream: Option<(TcpStream, Buffer)>,
}

impl Worker {
    pub(super) fn new(target: SocketAddr, shape: Arc<Shape>, stats: Arc<Stats>, seed: usize) -> Self {
        // Far apart, so that no two connections draw the same sequence.
        let rng = Rng::new((seed as u64 + 1) << 32);
        Self { target, shape, stats, rng, request: Vec::new(), stream: None }
    }

    /// One request and its answer; `due` is the moment from which it counts.
    pub(super) async fn exchange(&mut self, due: u64) {
        self.shape.render(&mut self.rng, &mut self.request);
        let result = timeout(LIMIT, self.try_exchange()).await;
        let result = result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let mut taken = self.stats.lock();
        match result {
            Ok(whole_stream) => {
                taken.ok += 1;
                taken.streams += u64::from(whole_stream);
                taken.latency.saturating_record(now_ns().saturating_sub(due));
            }
            Err(error) => {
                self.stream = None;
                taken.errors += 1;
                taken.first_error.get_or_insert_with(|| error.to_string());
            }
        }
    }

    /// Returns whether a whole stream was received.
    async fn try_exchange(&mut self) -> io::Result<bool> {
        let (stream, buffer) = match &mut self.stream {
            Some(open) => open,
            closed => {
                let stream = TcpStream::connect(self.target).await?;
                stream.set_nodelay(true)?;
                closed.insert((stream, Buffer::default()))
            }
        };
        stream.write_all(&self.request).await?;
        let head = buffer.head(stream, false).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.consume(head.length);
        let mut whole_stream = false;
        let mut shown = String::new();
        match head.framing {
            Framing::Length(length) => {
                buffer.need(stream, length).await?;
                if head.status != 200 {
                    shown = String::from_utf8_lossy(&buffer.bytes()[..length]).into_owned();
                }
                buffer.consume(length);
            }
            Framing::Chunked => {
                let form = Form::of(&self.shape.path);
                whole_stream = read_events(stream, buffer, form, &self.stats).await?;
            }
        }
        if head.close {
            self.stream = None;
        }
        if head.status != 200 {
            return Err(io::Error::other(format!("status {}: {shown}", head.status)));
        }
        if self.shape.stream && !whole_stream {
            return Err(io::Error::other("a stream without its finish or its end"));
        }
        Ok(whole_stream)
    }
}

/// Reads a chunked body as events; true if the stream was whole.
async fn read_events(
    stream: &mut TcpStream,
    buffer: &mut Buffer,
    form: Form,
    stats: &Stats,
) -> io::Result<bool> {
    let mut text: Vec<u8> = Vec::new();
    let mut end = End::default();
    while let Some((size, all)) = buffer.chunk(stream).await? {
        let arrived = now_ns();
        text.extend_from_slice(&buffer.bytes()[..size]);
        buffer.consume(all);
        let mut taken = 0;
        while let Some(length) = memmem::find(&text[taken..], b"\n\n") {
            let event = &text[taken..taken + length];
            taken += length + 2;
            if let Some(sent) = form.stamp(event) {
                let mut stats = stats.lock();
                stats.chunks += 1;
                stats.chunk_delay.saturating_record(arrived.saturating_sub(sent));
            } else {
                form.note(event, &mut end);
            }
        }
        text.drain(..taken);
    }
    Ok(end.finished && end.done)
}
