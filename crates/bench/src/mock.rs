//! The mock upstream: a server that costs next to nothing and counts what it sends. It speaks OpenAI's
//! dialect, and answers chats in those of Anthropic and Gemini too ([`form`]).
//!
//! Answers are rendered once, at start. Every streamed chunk carries the time at which it was sent
//! (see [`stream`]), so that the load generator measures the way and not the mock's timers.

mod answers;
mod form;
pub mod stream;
pub mod totals;

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use memchr::memmem;
use pointsman_core::Rng;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use self::answers::Answers;
use self::form::Form;
use self::totals::Totals;
use crate::clock::unix_us;
use crate::http::{Buffer, Framing, Head, header};

/// Where the totals are served, outside `/v1`.
pub const TOTALS_PATH: &[u8] = b"/bench/totals";

/// How the mock behaves towards the next request; may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Wait before the answer's head.
    pub delay: Duration,
    /// Size of a plain answer's body.
    pub answer_bytes: usize,
    /// Content chunks of a stream.
    pub chunks: u32,
    /// Time between two chunks.
    pub interval: Duration,
    /// So many of 1,000 requests get `fault`.
    pub fault_per_mille: u64,
    /// What they get.
    pub fault: Fault,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// 500 with an error body.
    Status500,
    /// 429 with `Retry-After: 0`.
    Status429,
    /// The connection is closed without an answer.
    Close,
}

impl Default for Behaviour {
    /// Instant, 0.8 KB, 64 chunks at 20 ms, no faults.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            answer_bytes: 800,
            chunks: 64,
            interval: Duration::from_millis(20),
            fault_per_mille: 0,
            fault: Fault::Status500,
        }
    }
}

/// The server's state.
#[derive(Debug)]
pub struct Mock {
    state: Mutex<State>,
    /// What it sent.
    pub totals: Totals,
    log: Option<Mutex<File>>,
}

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    answers: Arc<Answers>,
    rng: Rng,
}

/// What one request is going to get.
struct Turn {
    behaviour: Behaviour,
    answers: Arc<Answers>,
    number: u64,
    faulty: bool,
}

impl Mock {
    /// A mock; `log` gets one line for each answer that was sent whole: its end in microseconds since the
    /// Unix epoch, the trace id that the request carried (or `-`), the answer's id.
    #[must_use]
    pub fn new(behaviour: Behaviour, log: Option<File>) -> Arc<Self> {
        let answers = Answers::render(behaviour.answer_bytes);
        let state = Mutex::new(State { behaviour, answers, rng: Rng::new(1) });
        Arc::new(Self { state, totals: Totals::default(), log: log.map(Mutex::new) })
    }

    /// Behaves like this from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.behaviour.answer_bytes != behaviour.answer_bytes {
            state.answers = Answers::render(behaviour.answer_bytes);
        }
        state.behaviour = behaviour;
    }

    /// Serves until the future is dropped.
    ///
    /// # Errors
    /// Where accepting fails for good.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mock = Arc::clone(&self);
            tokio::spawn(async move {
                // A gateway that goes away in the middle is counted where it happens.
                let _ = mock.connection(stream).await;
            });
        }
    }

    fn turn(&self) -> Turn {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let faulty = state.behaviour.fault_per_mille > state.rng.below(1000);
        let number = self.totals.next_request();
        Turn { behaviour: state.behaviour, answers: Arc::clone(&state.answers), number, faulty }
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut buffer = Buffer::default();
        while let Some(head) = buffer.head(&mut stream, true).await? {
            let request = Request::of(&buffer.bytes()[..head.length], self.log.is_some());
            buffer.consume(head.length);
            let flags = read_body(&mut buffer, &mut stream, head).await?;
            let body = match request.kind {
                Kind::Totals => self.totals.to_json(),
                Kind::Models => answers::MODELS.to_owned(),
                Kind::Chat { .. } | Kind::Completion | Kind::Embedding => {
                    self.answer(&mut stream, &request, flags).await?;
                    continue;
                }
            };
            stream.write_all(&answers::with_head("200 OK", body.as_bytes())).await?;
        }
        Ok(())
    }

    async fn answer(&self, stream: &mut TcpStream, request: &Request, flags: Flags) -> io::Result<()> {
        let turn = self.turn();
        if !turn.behaviour.delay.is_zero() {
            sleep(turn.behaviour.delay).await;
        }
        if turn.faulty {
            self.totals.fault();
            return match turn.behaviour.fault {
                Fault::Status500 => stream.write_all(&turn.answers.status_500).await,
                Fault::Status429 => stream.write_all(&turn.answers.status_429).await,
                Fault::Close => Err(io::ErrorKind::ConnectionAborted.into()),
            };
        }
        if let Some(form) = request.kind.streamed(flags) {
            let sent = stream::send(stream, form, &self.totals, &turn.behaviour, flags.include_usage).await;
            if sent.is_err() {
                self.totals.cancelled();
                return sent;
            }
        } else {
            let (bytes, output) = match request.kind {
                Kind::Embedding => (turn.answers.embedding.as_slice(), 0),
                Kind::Chat { form, .. } => turn.answers.plain(form, turn.number),
                _ => (turn.answers.completion.as_slice(), answers::FIRST_TOKENS),
            };
            stream.write_all(bytes).await?;
            self.totals.answered(totals::INPUT_TOKENS, output);
        }
        self.log(request, turn.number)
    }

    fn log(&self, request: &Request, number: u64) -> io::Result<()> {
        let Some(file) = &self.log else { return Ok(()) };
        let trace = request.trace.as_deref().unwrap_or("-");
        let line = format!("{} {trace} chatcmpl-{number}\n", unix_us());
        file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }
}

/// Binds `listen` for the mock.
///
/// # Errors
/// Where the address cannot be bound.
pub async fn bind(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `streamed`: by its path.
    Chat {
        form: Form,
        streamed: bool,
    },
    Completion,
    Embedding,
    Models,
    Totals,
}

impl Kind {
    /// The form of the stream that is wanted, if one is.
    fn streamed(self, flags: Flags) -> Option<Form> {
        match self {
            Self::Chat { form, streamed } => (streamed || flags.stream).then_some(form),
            _ => flags.stream.then_some(Form::Chat),
        }
    }
}

struct Request {
    kind: Kind,
    trace: Option<String>,
}

impl Request {
    fn of(head: &[u8], with_trace: bool) -> Self {
        let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let kind = match head.strip_prefix(b"GET ") {
            None if memmem::find(line, b"/embeddings").is_some() => Kind::Embedding,
            None => match Form::of(line) {
                Some((form, streamed)) => Kind::Chat { form, streamed },
                None => Kind::Completion,
            },
            Some(rest) if rest.starts_with(TOTALS_PATH) => Kind::Totals,
            Some(_) => Kind::Models,
        };
        // traceparent: version-traceid-parentid-flags (W3C Trace Context).
        let trace = header(head, "traceparent").filter(|_| with_trace).and_then(|value| {
            let text = std::str::from_utf8(value).ok()?;
            text.split('-').nth(1).map(str::to_owned)
        });
        Self { kind, trace }
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    stream: bool,
    include_usage: bool,
}

impl Flags {
    fn of(body: &[u8]) -> Self {
        let has = |text: &str| memmem::find(body, text.as_bytes()).is_some();
        let stream = has(r#""stream":true"#);
        Self { stream, include_usage: stream && has(r#""include_usage":true"#) }
    }
}

async fn read_body(buffer: &mut Buffer, stream: &mut TcpStream, head: Head) -> io::Result<Flags> {
    let mut flags = Flags::default();
    match head.framing {
        Framing::Length(length) => {
            buffer.need(stream, length).await?;
            flags = Flags::of(&buffer.bytes()[..length]);
            buffer.consume(length);
        }
        Framing::Chunked => {
            let mut body = Vec::new();
            while let Some((size, all)) = buffer.chunk(stream).await? {
                body.extend_from_slice(&buffer.bytes()[..size]);
                buffer.consume(all);
            }
            flags = if body.is_empty() { flags } else { Flags::of(&body) };
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests;
