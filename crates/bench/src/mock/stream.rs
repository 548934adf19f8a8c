//! Paced streams: every content chunk carries the time at which it was sent.

use std::io;

use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::Behaviour;
use super::form::Form;
use super::totals::{INPUT_TOKENS, Totals};
use crate::clock::now_ns;

/// What precedes a stamp, in every dialect: a chunk's text begins with it. The stamp is nanoseconds of the
/// machine's monotonic clock in 20 digits.
const MARK: &[u8] = b"\"t=";
const DIGITS: usize = 20;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// The stamp in an event, if it has one.
#[must_use]
pub fn stamp(event: &[u8]) -> Option<u64> {
    let at = memmem::find(event, MARK)? + MARK.len();
    std::str::from_utf8(event.get(at..at + DIGITS)?).ok()?.parse().ok()
}

/// Sends a whole stream: its opening, `chunks` stamped texts of one token each, and its end.
pub(super) async fn send(
    stream: &mut TcpStream,
    form: Form,
    totals: &Totals,
    behaviour: &Behaviour,
    include_usage: bool,
) -> io::Result<()> {
    let mut first = HEAD.to_vec();
    form.opening().iter().for_each(|event| first.extend_from_slice(&framed(event)));
    stream.write_all(&first).await?;
    let mut chunk = framed(&form.chunk(&format!("t={:020} ", 0)));
    let at = memmem::find(&chunk, MARK).map_or(0, |at| at + MARK.len());
    let start = Instant::now();
    for index in 1..=behaviour.chunks {
        let due = start + behaviour.interval * index;
        sleep_until(due).await;
        totals.chunk(due.elapsed());
        chunk[at..at + DIGITS].copy_from_slice(format!("{:020}", now_ns()).as_bytes());
        stream.write_all(&chunk).await?;
    }
    let output = u64::from(behaviour.chunks);
    let mut last = Vec::new();
    form.closing(output, include_usage).iter().for_each(|event| last.extend_from_slice(&framed(event)));
    last.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&last).await?;
    totals.answered(INPUT_TOKENS, output);
    Ok(())
}

fn framed(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}
