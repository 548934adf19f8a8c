//! Ollama's own dialect: `POST /api/chat`, answers and streams of JSON lines.
//!
//! Shapes as in Ollama's `api/types.go` and `docs/api.md`.

mod answer;
mod decode;
mod encode;
mod error;
pub mod generate;
mod lines;
mod load;
mod stream;
#[cfg(test)]
mod tests;
mod turns;

pub use answer::{decode_answer, encode_answer};
pub use decode::decode_request;
pub use encode::{encode_request, needs};
pub use error::{parse_error, render_error, render_stream_error};
pub use load::{Load, read_load, render_load};
pub use stream::{StreamDecoder, StreamEncoder};

use crate::neutral::{Finish, Reason};

/// What a `done_reason` means. Ollama says `stop` beside calls.
fn reason(word: &str, calls: bool) -> Reason {
    match word {
        "stop" | "" if calls => Reason::ToolCalls,
        "stop" | "" => Reason::Stop,
        "length" => Reason::Length,
        _ => Reason::Other,
    }
}

/// The `done_reason` of an answer, and whether that says less than was known.
fn done_reason(finish: Option<&Finish<'_>>) -> (&'static str, bool) {
    match finish.map(|finish| finish.reason) {
        None | Some(Reason::Stop | Reason::StopSequence | Reason::ToolCalls) => ("stop", false),
        Some(Reason::Length | Reason::ContextLength) => ("length", false),
        Some(_) => ("stop", true),
    }
}

/// A time of day as Ollama writes it: RFC 3339, in UTC.
pub(crate) fn timestamp(unix: u64) -> String {
    const DAY: i64 = 86_400;
    let unix = i64::try_from(unix).unwrap_or_default();
    let (year, month, day) = pointsman_core::calendar::date(unix.div_euclid(DAY));
    let second = unix.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
