//! What the fuzz targets check, here so that a plain test replays their corpora too.
//!
//! Each function takes any bytes and fails by panicking. serde_json is the referee for JSON, the
//! unsplit stream the referee for split ones, a lenient reader that for forms. What concerns the dialects is in
//! [`dialects`] and [`others`].

mod dialects;
mod others;
mod told;

use bytes::Bytes;
use pointsman_core::Operation;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::json::{Flaw, JsonError, validate};
use crate::multipart::{FormError, FormScanner, Piece};
use crate::openai::answer::{self, Malformed};
use crate::openai::stream::{Observed, StreamFault, StreamObserver, StreamRules};
use crate::probe::{Probe, probe};
use crate::splice::splice;
use crate::sse::{Event, EventTooLong, Framer};
use crate::websocket::{Gate, Seen, Side, Violation};

pub use dialects::{check_reply, check_request, check_stream};
pub use others::{check_embeddings, check_lists};

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

/// Content types that a form is read with: as clients write them, and odd ones that are allowed.
const FORM_TYPES: [&str; 4] = [
    "multipart/form-data; boundary=B",
    "multipart/form-data; boundary=\"----X-0_(a)\"",
    "Multipart/Form-Data; charset=utf-8; Boundary=B--",
    "multipart/form-data;boundary=-",
];

/// Forms: however the bytes are cut, the outcome is the same; what is sent on is what came, but for the
/// value of `model`; and what is sent on with another name in its place is read as that name. The first
/// byte chooses the content type, the second seeds the cuts.
pub fn check_multipart(input: &[u8]) {
    let [choice, seed, body @ ..] = input else { return };
    let content_type = FORM_TYPES[usize::from(*choice) % FORM_TYPES.len()];
    let whole = scan_form(content_type, [body]);
    assert_same(&whole, &scan_form(content_type, cuts(body, *seed)), "cut");
    if body.len() <= SINGLE_BYTES_LIMIT {
        assert_same(&whole, &scan_form(content_type, body.chunks(1)), "one byte at a time");
    }
    let model = whole.model.clone().unwrap_or_default();
    let rebuilt = whole.with_name(&model);
    assert!(body.starts_with(&rebuilt), "bytes were changed on the way");
    if whole.fault.is_some() {
        return;
    }
    assert_eq!(rebuilt, body, "a sound form is sent on whole");
    for name in NAMES.into_iter().filter(|_| whole.model.is_some()) {
        // Names that a form cannot hold are never asked for: they are refused where they come from.
        if name.contains(char::is_control) {
            continue;
        }
        let sent = whole.with_name(name);
        let read = scan_form(content_type, [&sent[..]]);
        assert_eq!((read.fault, read.model.as_deref()), (None, Some(name)));
    }
    assert!(whole.model.is_some() || count_models(content_type, body) == 0, "a model was overlooked");
    assert!(whole.model.is_none() || count_models(content_type, body) == 1, "one model, and one only");
}

/// All that a form leaves behind.
#[derive(Debug)]
struct Form {
    pieces: Vec<Piece>,
    model: Option<String>,
    fault: Option<FormError>,
}

impl Form {
    /// What is sent on.
    fn with_name(&self, name: &str) -> Vec<u8> {
        let bytes = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.to_vec(),
            Piece::Model => name.as_bytes().to_vec(),
        };
        self.pieces.iter().flat_map(bytes).collect()
    }
}

fn scan_form<'a>(content_type: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> Form {
    let mut pieces = Vec::new();
    let mut scanner = match FormScanner::new(content_type) {
        Ok(scanner) => scanner,
        Err(fault) => return Form { pieces, model: None, fault: Some(fault) },
    };
    let pushed = chunks.into_iter().try_for_each(|chunk| scanner.push(chunk, &mut pieces));
    let fault = pushed.and_then(|()| scanner.finish()).err();
    Form { pieces, model: scanner.model().map(str::to_owned), fault }
}

/// How far a faulty form got before its fault may depend on the cuts; what was seen may not.
fn assert_same(one: &Form, other: &Form, how: &str) {
    assert_eq!((&one.fault, &one.model), (&other.fault, &other.model), "{how}");
    if one.fault.is_none() {
        assert_eq!(one.with_name("\n"), other.with_name("\n"), "{how}");
    }
}

/// The parts that a lenient reader takes for `model`: it splits at every boundary that begins a line, and
/// looks for the name in the disposition without regard to case.
fn count_models(content_type: &str, body: &[u8]) -> usize {
    let Ok(scanner) = FormScanner::new(content_type) else { return 0 };
    let own = scanner.content_type();
    let Some((_, boundary)) = own.split_once('"') else { return 0 };
    let delimiter = format!("\r\n--{}", boundary.trim_end_matches('"'));
    // The first boundary has no line end before it.
    let text = [b"\r\n", body].concat();
    let mut parts = Vec::new();
    let mut from = 0;
    for at in memchr::memmem::find_iter(&text, delimiter.as_bytes()) {
        parts.push(&text[from..at]);
        from = at + delimiter.len();
    }
    parts.push(&text[from..]);
    let is_model = |part: &&[u8]| {
        let Some(end) = memchr::memmem::find(part, b"\r\n\r\n") else { return false };
        let headers = String::from_utf8_lossy(&part[..end]).to_ascii_lowercase();
        let mut lines = headers.split("\r\n").filter(|line| line.starts_with("content-disposition:"));
        lines.any(|line| {
            fields(line).iter().any(|field| {
                let (key, value) = field.split_once('=').unwrap_or_default();
                key.trim() == "name" && value.trim().trim_matches('"').trim() == "model"
            })
        })
    };
    parts.iter().filter(|part| is_model(part)).count()
}

/// What stands between semicolons that are not quoted.
fn fields(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let split = |c: char| {
        quoted ^= c == '"';
        c == ';' && !quoted
    };
    line.split(split).collect()
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

/// Frames of a WebSocket: however the bytes are cut, the same passes, and lengths are kept. The first byte says
/// whose frames they are, the second seeds the cuts.
pub fn check_frames(input: &[u8]) {
    let [flags, seed, wire @ ..] = input else { return };
    let side = if flags & 1 == 1 { Side::Client } else { Side::Server };
    let whole = pass(side, [wire]);
    let mut others = vec![pass(side, cuts(wire, *seed))];
    if wire.len() <= SINGLE_BYTES_LIMIT {
        others.push(pass(side, wire.chunks(1)));
    }
    for other in others {
        assert_eq!((whole.end, whole.violation), (other.end, other.violation));
        // Of the payload in which a violation stands, smaller pieces may have passed.
        assert!(other.bytes.starts_with(&whole.bytes) && other.data.starts_with(&whole.data));
        assert!(whole.violation.is_some() || whole == other);
    }
    assert!(whole.bytes.len() <= wire.len());
    if side == Side::Server {
        assert!(wire.starts_with(&whole.bytes), "bytes were changed on the way");
    } else if whole.violation.is_none() {
        let again = pass(side, [&whole.bytes[..]]);
        assert_eq!((&again.data, again.end), (&whole.data, whole.end), "other keys, the same data");
    }
}

/// What came through a gate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Through {
    bytes: Vec<u8>,
    data: Vec<u8>,
    /// Messages that ended, heartbeats, and the code at the end.
    end: (usize, usize, Option<Option<u16>>),
    violation: Option<Violation>,
}

fn pass<'a>(side: Side, chunks: impl IntoIterator<Item = &'a [u8]>) -> Through {
    let mut gate = Gate::new(side, 1 << 16);
    let mut through = Through::default();
    let (mut buffer, mut count) = (Vec::new(), 0_u32);
    let mut fresh = || {
        count += 1;
        count.wrapping_mul(0x9E37_79B9).to_be_bytes()
    };
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let Through { data, end, .. } = &mut through;
        let passed = gate.pass(&mut buffer, &mut fresh, &mut |seen| match seen {
            Seen::Data { piece, last, .. } => {
                data.extend_from_slice(piece);
                end.0 += usize::from(last);
            }
            Seen::Heartbeat => end.1 += 1,
            Seen::Close(code) => end.2 = Some(code),
        });
        through.bytes.extend(buffer.drain(..passed.forward + passed.close));
        through.violation = passed.violation;
        if gate.closed() || passed.violation.is_some() {
            break;
        }
    }
    through
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
