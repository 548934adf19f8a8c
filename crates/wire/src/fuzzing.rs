//! What the fuzz targets check, here so that a plain test replays their corpora too.
//!
//! Each function takes any bytes and fails by panicking. serde_json is the referee for JSON, the
//! unsplit stream the referee for split ones.

use bytes::Bytes;
use pointsman_core::Operation;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::json::{Flaw, JsonError, validate};
use crate::openai::answer::{self, Malformed};
use crate::openai::stream::{Observed, StreamFault, StreamObserver, StreamRules};
use crate::probe::{Probe, probe};
use crate::splice::splice;
use crate::sse::{Event, EventTooLong, Framer};

/// Names to splice in: plain, long, and in need of escapes.
const NAMES: [&str; 4] = ["m", "gpt-4.1-mini-2025-04-14", "a\"b\\c\u{1}", "модель/模型"];
/// Small enough for the fuzzer to exceed.
const EVENT_LIMIT: usize = 48;
/// Longer streams are cut at random only: byte by byte they would halve the speed of fuzzing, and
/// what single bytes can break fits well within this.
const SINGLE_BYTES_LIMIT: usize = 256;

/// The validator, the probe and the answer reader against serde_json.
pub fn check_probe(body: &[u8]) {
    let ours = validate(body);
    if !matches!(ours, Err(JsonError { flaw: Flaw::TooDeep, .. })) {
        let theirs = std::str::from_utf8(body).is_ok_and(|t| serde_json::from_str::<IgnoredAny>(t).is_ok());
        assert_eq!(ours.is_ok(), theirs, "{ours:?}");
    }
    for operation in Operation::ALL {
        let read = answer::observe(operation, body);
        if !matches!(read, Err(Malformed::Json(_))) {
            assert!(ours.is_ok(), "an invalid answer was read");
        }
    }
    let Ok(found) = probe(body) else { return };
    assert!(ours.is_ok(), "an invalid body was probed");
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        assert_eq!(found.model.as_ref().map(|m| &*m.value), value.get("model").and_then(Value::as_str));
        assert_eq!(found.stream, value.get("stream").and_then(Value::as_bool));
        let usage = value.pointer("/stream_options/include_usage").and_then(Value::as_bool);
        assert_eq!(found.include_usage, usage);
    }
}

/// Splicing against parse, edit, serialise. The first byte chooses the edit.
pub fn check_splice(input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else { return };
    let name = NAMES[usize::from(choice >> 1) % NAMES.len()];
    check_splice_with(body, name, choice & 1 == 1);
}

/// The same with a given edit; whether the body could be spliced at all.
pub fn check_splice_with(body: &[u8], name: &str, include_usage: bool) -> bool {
    let Ok(found) = probe(body) else { return false };
    let edits = found.edits(&Bytes::from(crate::json::quote(name)), include_usage);
    let body = Bytes::copy_from_slice(body);
    let pieces = splice(&body, &edits);
    let edited = pieces.concat();
    assert_eq!(edited.len(), edits.edited_len(body.len()));
    assert_eq!(edited, edits.applied_naively(&body), "bytes outside the edits changed");
    assert_wanted(&edited, name, &found, include_usage);
    if let Ok(mut value) = serde_json::from_slice::<Value>(&body) {
        value["model"] = json!(name);
        if include_usage {
            value["stream_options"]["include_usage"] = json!(true);
        }
        assert_eq!(serde_json::from_slice::<Value>(&edited).ok(), Some(value));
    }
    true
}

fn assert_wanted(edited: &[u8], name: &str, before: &Probe<'_>, include_usage: bool) {
    let after = probe(edited);
    let after = after.as_ref();
    assert_eq!(after.ok().and_then(|p| p.model.as_ref()).map(|m| &*m.value), Some(name));
    assert_eq!(after.ok().and_then(|p| p.stream), before.stream);
    let usage = if include_usage { Some(true) } else { before.include_usage };
    assert_eq!(after.ok().and_then(|p| p.include_usage), usage);
}

/// Framer and observer: however the bytes are cut, the outcome is the same. The first byte has
/// flags, the second seeds the cuts.
pub fn check_sse(input: &[u8]) {
    let [flags, seed, body @ ..] = input else { return };
    let rules = StreamRules { operation: Operation::Chat, strip_usage: flags & 1 == 1 };
    let whole = observe(rules, [body]);
    let events = frame([body]);
    let pieces = cuts(body, *seed);
    assert_eq!(whole, observe(rules, pieces.iter().copied()), "cut by {seed}");
    assert_eq!(events, frame(pieces), "cut by {seed}");
    if body.len() <= SINGLE_BYTES_LIMIT {
        assert_eq!(whole, observe(rules, body.chunks(1)), "one byte at a time");
        assert_eq!(events, frame(body.chunks(1)), "one byte at a time");
    }
    if !rules.strip_usage {
        assert!(body.starts_with(&whole.forwarded), "bytes were changed on the way");
    }
}

/// All that a stream leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was forwarded before the end.
    pub forwarded: Vec<u8>,
    /// What the end added.
    pub flushed: Vec<u8>,
    /// What was seen.
    pub observed: Observed,
    /// The first fault.
    pub fault: Option<StreamFault>,
}

/// Runs the observer over these chunks.
pub fn observe<'a>(rules: StreamRules, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut observer = StreamObserver::new(rules);
    let (mut out, mut flushed, mut fault) = (Vec::new(), Vec::new(), None);
    for chunk in chunks {
        fault = fault.or(observer.push(Bytes::copy_from_slice(chunk), &mut out).err());
    }
    observer.finish(&mut flushed);
    let (forwarded, flushed) = (out.concat(), flushed.concat());
    Outcome { forwarded, flushed, observed: observer.into_observed(), fault }
}

fn frame<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<EventTooLong>) {
    let mut framer = Framer::with_limit(EVENT_LIMIT);
    let mut events = Vec::new();
    for chunk in chunks {
        loop {
            match framer.next(chunk) {
                Ok(Some(frame)) => events.extend(framer.event(chunk, &frame)),
                Ok(None) => break,
                Err(e) => return (events, Some(e)),
            }
        }
    }
    let last = framer.finish();
    events.extend(last.and_then(|frame| framer.event(&[], &frame)));
    (events, None)
}

/// Pieces of 1 to 16 bytes, drawn from `seed` (a linear congruential generator).
fn cuts(mut body: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed);
    let mut pieces = Vec::new();
    while !body.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, rest) = body.split_at(((state >> 28) as usize + 1).min(body.len()));
        pieces.push(piece);
        body = rest;
    }
    pieces
}
