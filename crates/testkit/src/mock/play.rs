//! Plays a scripted answer on a connection, while watching for the client to go away.

use std::fmt::Write as _;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::sleep;

use super::answer::{Answer, Cut, Fault, Framing, Part};
use super::http::read_request;
use super::log::{Ending, Received};
use crate::net::Io;

/// What decides about answers, and keeps account of them.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Takes a request: its number, and what is answered.
    fn receive(&self, request: Received) -> (usize, Answer);

    /// One more part of its answer was written whole.
    fn part_sent(&self, number: usize);

    /// Its exchange is over.
    fn ended(&self, number: usize, ending: Ending);

    /// Turns false when connections on which nothing is under way are to be closed. `None`: they never are.
    fn up(&self) -> Option<watch::Receiver<bool>>;
}

/// How a connection goes on after an answer.
enum Next {
    KeepAlive,
    Close,
    Reset,
}

enum Step {
    Send { bytes: Bytes, is_part: bool },
    Wait(Part),
    Break(Cut),
}

struct Connection<I> {
    read: ReadHalf<I>,
    write: WriteHalf<I>,
    buffer: BytesMut,
}

/// Serves requests on `io` until it ends.
pub(crate) async fn serve<I: Io>(backend: &impl Backend, io: I) {
    let (read, write) = split(io);
    let mut connection = Connection { read, write, buffer: BytesMut::new() };
    let mut up = backend.up();
    loop {
        let request = tokio::select! {
            () = down(&mut up) => return,
            read = read_request(&mut connection.read, &mut connection.buffer) => read,
        };
        let Ok(Some(request)) = request else { return };
        let (number, answer) = backend.receive(request);
        let (ending, next) = connection.play(backend, number, &answer).await;
        match next {
            Next::KeepAlive => backend.ended(number, ending),
            Next::Close => {
                let _ = connection.write.shutdown().await;
                return backend.ended(number, ending);
            }
            Next::Reset => {
                connection.read.unsplit(connection.write).reset().await;
                return backend.ended(number, ending);
            }
        }
    }
}

async fn down(up: &mut Option<watch::Receiver<bool>>) {
    match up {
        // The sender lives as long as the backend.
        Some(up) => drop(up.wait_for(|up| !up).await),
        None => std::future::pending().await,
    }
}

impl<I: Io> Connection<I> {
    async fn play(&mut self, backend: &impl Backend, number: usize, answer: &Answer) -> (Ending, Next) {
        for step in steps(answer) {
            let done = match step {
                Step::Send { bytes, is_part } => {
                    let sent = self.send(&bytes).await;
                    if sent.is_ok() && is_part {
                        backend.part_sent(number);
                    }
                    sent
                }
                Step::Wait(part) => self.unless_gone(part.wait()).await,
                Step::Break(Cut::Close) => return (Ending::Cut, Next::Close),
                Step::Break(Cut::Reset) => return (Ending::Cut, Next::Reset),
                Step::Break(Cut::Hang) => self.unless_gone(std::future::pending()).await,
            };
            if done.is_err() {
                return (Ending::ClientGone, Next::Close);
            }
        }
        let closes = answer.raw.is_some() || answer.framing == Framing::UntilClose;
        (Ending::Complete, if closes { Next::Close } else { Next::KeepAlive })
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes).await?;
        self.write.flush().await
    }

    /// Waits for `event`; an error if the client goes away first.
    async fn unless_gone(&mut self, event: impl Future<Output = ()>) -> io::Result<()> {
        let mut event = std::pin::pin!(event);
        loop {
            tokio::select! {
                () = &mut event => return Ok(()),
                // A pipelined request stays in the buffer for later.
                read = self.read.read_buf(&mut self.buffer) => if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                },
            }
        }
    }
}

impl Part {
    async fn wait(&self) {
        match self {
            Self::Bytes(_) => {}
            Self::Pause(pause) => sleep(*pause).await,
            Self::Gate(gate) => gate.passed().await,
        }
    }
}

/// The answer as a list of steps, with its fault applied.
fn steps(answer: &Answer) -> Vec<Step> {
    let mut steps: Vec<Step> = answer.before_head.iter().cloned().map(Step::Wait).collect();
    if let Some(raw) = &answer.raw {
        steps.push(Step::Send { bytes: raw.clone(), is_part: true });
        return steps;
    }
    let head = head(answer);
    if let Some(Fault { after, in_body: false, cut }) = answer.fault {
        steps.push(Step::Send { bytes: head.slice(..after.min(head.len())), is_part: false });
        steps.push(Step::Break(cut));
        return steps;
    }
    steps.push(Step::Send { bytes: head, is_part: false });
    let mut left = answer.fault.map(|fault| fault.after);
    for part in &answer.parts {
        let Part::Bytes(bytes) = part else {
            steps.push(Step::Wait(part.clone()));
            continue;
        };
        let mut wire = answer.framing.wire(bytes);
        if let Some(left) = &mut left {
            let whole = wire.len() <= *left;
            wire.truncate(*left);
            *left -= wire.len();
            if !wire.is_empty() {
                steps.push(Step::Send { bytes: wire, is_part: whole });
            }
            if !whole {
                break;
            }
        } else {
            steps.push(Step::Send { bytes: wire, is_part: true });
        }
    }
    match answer.fault {
        Some(fault) => steps.push(Step::Break(fault.cut)),
        None if answer.framing == Framing::Chunked => {
            steps.push(Step::Send { bytes: Bytes::from_static(b"0\r\n\r\n"), is_part: false });
        }
        None => {}
    }
    steps
}

fn head(answer: &Answer) -> Bytes {
    let mut head = format!("HTTP/1.1 {} Mock\r\n", answer.status);
    for (name, value) in &answer.headers {
        // Writing to a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let length: usize = answer
        .parts
        .iter()
        .map(|part| match part {
            Part::Bytes(bytes) => bytes.len(),
            Part::Pause(_) | Part::Gate(_) => 0,
        })
        .sum();
    match answer.framing {
        Framing::Length => {
            let _ = write!(head, "content-length: {length}\r\n");
        }
        Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
        Framing::UntilClose => head.push_str("connection: close\r\n"),
    }
    head.push_str("\r\n");
    head.into()
}
