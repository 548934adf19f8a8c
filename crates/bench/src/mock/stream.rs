//! Paced streams: every content chunk carries the time at which it was sent.

use std::io;

use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::Behaviour;
use super::totals::{INPUT_TOKENS, Totals};
use crate::clock::now_ns;

/// What precedes a stamp: nanoseconds of the machine's monotonic clock in 20 digits.
const MARK: &[u8] = b"\"content\":\"t=";
const DIGITS: usize = 20;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// The stamp in an event, if it has one.
#[must_use]
pub fn stamp(event: &[u8]) -> Option<u64> {
    let at = memmem::find(event, MARK)? + MARK.len();
    std::str::from_utf8(event.get(at..at + DIGITS)?).ok()?.parse().ok()
}

/// Sends a whole stream: role, `chunks` stamped texts of one token each, finish, usage if asked for, end.
pub(super) async fn send(
    stream: &mut TcpStream,
    totals: &Totals,
    behaviour: &Behaviour,
    include_usage: bool,
) -> io::Result<()> {
    let mut first = HEAD.to_vec();
    first.extend_from_slice(&event(r#"{"role":"assistant","content":""}"#, "null"));
    stream.write_all(&first).await?;
    let mut chunk = event(&format!(r#"{{"content":"t={:020} "}}"#, 0), "null");
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
    let mut last = event("{}", "\"stop\"");
    if include_usage {
        last.extend_from_slice(&usage(output));
    }
    last.extend_from_slice(&framed("data: [DONE]\n\n"));
    last.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&last).await?;
    totals.answered(INPUT_TOKENS, output);
    Ok(())
}

fn event(delta: &str, finish: &str) -> Vec<u8> {
    framed(&format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    ))
}

fn usage(output: u64) -> Vec<u8> {
    let total = INPUT_TOKENS + output;
    framed(&format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"bench\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{INPUT_TOKENS},\
         \"completion_tokens\":{output},\"total_tokens\":{total}}}}}\n\n"
    ))
}

fn framed(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}
