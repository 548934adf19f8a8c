//! An answer in the shape that its fault gives it: what is sent, and how many tokens each part brings.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use pointsman_core::{Dialect, Rng};

use super::speak::{self, Event, Part, Reply};
use super::table::{At, BEARABLE, Fault, Pause, Wait, What, Words};
use crate::mock::{Answer, Cut};

/// A head longer than any may be.
const HUGE_HEAD: usize = 96 * 1024;
/// An event longer than any may be.
const HUGE_EVENT: usize = 9 * 1024 * 1024;
/// Comments before the first event: more than is held of a stream that has nothing to show.
const FLOOD: usize = 320 * 1024;
/// Bytes of a piece where a stream comes in crumbs.
const CRUMB: usize = 7;
/// Texts before a fault in the middle, where there are so many: what is said again must be long enough to be told
/// from chance.
const SHOWN: usize = 6;
/// Broken events before a stream with only those ends.
const ODD_EVENTS: usize = 5;

/// How a provider answers, the fault aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// Before the head.
    pub(super) thinks: Duration,
    /// Between two events.
    pub(super) pace: Duration,
    /// Longer than the gateway's limits.
    pub(super) limit: Duration,
    /// Characters and events are cut over several reads.
    pub(super) crumbs: bool,
    /// Now, in seconds since 1970.
    pub(super) unix_seconds: u64,
}

/// An answer, and what it brings.
pub(super) struct Shaped {
    pub(super) answer: Answer,
    pub(super) weights: Vec<u32>,
}

/// A stream under construction.
struct Stream {
    events: Vec<Event>,
    /// The begin of one more event.
    torn: Option<Bytes>,
    cut: Option<Cut>,
    /// Before the first event of this part.
    pause: Option<(Part, Duration)>,
    pace: Duration,
}

/// The answer to be sent.
pub(super) fn shape(reply: &Reply, streamed: bool, fault: Option<&Fault>, manner: &Manner) -> Shaped {
    let whole = |answer| Shaped { answer, weights: Vec::new() };
    let mut rng = Rng::new(reply.seed ^ 0x0066_6175_6c74);
    let shaped = match fault.map(|fault| fault.what) {
        Some(What::Status { status, words, wait }) => {
            whole(error(reply.dialect, (status, words, wait), manner))
        }
        Some(What::Cut { at: At::BeforeHead, how }) => whole(Answer::nothing(how)),
        // A listener that is up refuses nobody.
        Some(What::Refuse) => whole(Answer::nothing(Cut::Reset)),
        Some(What::HugeHead) => whole(Answer::raw(huge_head())),
        Some(What::GarbageHead) => whole(Answer::raw("HTP/9.9 \u{fffd}\u{1} garbage\r\n\r\n")),
        Some(What::Page) => whole(Answer::new(200, "text/html", page())),
        Some(what) if streamed => stream(reply, Some(what), manner, &mut rng),
        None if streamed => stream(reply, None, manner, &mut rng),
        what => plain(reply, what, manner),
    };
    let answer = match fault.map(|fault| fault.what) {
        Some(What::Cut { at: At::InHead, how }) => shaped.answer.cut_head(20, how),
        Some(What::Slow { at: At::BeforeHead, pause: Pause::TooLong }) => {
            shaped.answer.delay_head(manner.limit)
        }
        _ if manner.thinks.is_zero() => shaped.answer,
        _ => shaped.answer.delay_head(manner.thinks),
    };
    Shaped { answer, ..shaped }
}

/// A head without an end.
fn huge_head() -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-filler: {}", "x".repeat(HUGE_HEAD))
}

fn page() -> &'static str {
    "<!doctype html><title>502</title><h1>Bad Gateway</h1>"
}

/// Calls in the time to the reset, as a provider tells that has no room just now: so many that whoever believes it
/// afterwards is not held back.
const TOLD_LIMIT: &str = "5000";

fn error(dialect: Dialect, (status, words, wait): (u16, Words, Wait), manner: &Manner) -> Answer {
    let anthropic = dialect == Dialect::Anthropic;
    if words == Words::Page {
        return Answer::new(status, "text/html", page());
    }
    // Anthropic has no 429 for it.
    let status = if anthropic && words == Words::Quota { 400 } else { status };
    let answer = Answer::status(status, &speak::error(dialect, words, None));
    let after = |seconds: u64| UNIX_EPOCH + Duration::from_secs(manner.unix_seconds + seconds);
    match wait {
        Wait::Unsaid => answer,
        Wait::Seconds(seconds) => answer.header("retry-after", &seconds.to_string()),
        Wait::Date(seconds) => answer.header("retry-after", &httpdate::fmt_http_date(after(seconds))),
        Wait::Headers(seconds) if anthropic => answer
            .header("anthropic-ratelimit-requests-limit", TOLD_LIMIT)
            .header("anthropic-ratelimit-requests-remaining", "0")
            .header("anthropic-ratelimit-requests-reset", &rfc3339(manner.unix_seconds + seconds)),
        Wait::Headers(seconds) => answer
            .header("x-ratelimit-limit-requests", TOLD_LIMIT)
            .header("x-ratelimit-remaining-requests", "0")
            .header("x-ratelimit-reset-requests", &format!("{seconds}s")),
    }
}

/// A moment as RFC 3339 writes it.
fn rfc3339(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or_default();
    let (year, month, day) = pointsman_core::calendar::date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn plain(reply: &Reply, what: Option<What>, manner: &Manner) -> Shaped {
    let body = reply.plain();
    let half = body.len() / 2;
    let answer = |body: String| Answer::new(200, "application/json", body);
    let says_nothing = matches!(what, Some(What::GarbageBody | What::Empty));
    let brings = if says_nothing { 0 } else { u32::try_from(reply.tokens.output).unwrap_or(u32::MAX) };
    let answer = match what {
        Some(What::GarbageBody) => answer(body[..floor(&body, half)].to_owned()),
        Some(What::Empty) => answer(String::new()),
        Some(What::Cut { at: At::AfterHead, how }) => answer(body).cut_body(0, how),
        Some(What::Cut { at: At::InText, how }) => answer(body).cut_body(half, how),
        Some(What::Slow { at: At::AfterHead, .. }) => answer(body).delay_body(manner.limit),
        _ => answer(body),
    };
    Shaped { answer, weights: vec![brings] }
}

/// The next boundary of a character at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn stream(reply: &Reply, what: Option<What>, manner: &Manner, rng: &mut Rng) -> Shaped {
    let events = reply.events();
    let opening = events.iter().filter(|event| event.part == Part::Opening).count();
    let texts = events.iter().filter(|event| event.part == Part::Text).count();
    let middle = opening + place(reply, texts, rng);
    let mut stream = Stream { events, torn: None, cut: None, pause: None, pace: manner.pace };
    match what {
        None => {}
        Some(What::Cut { at, how }) => {
            let count = match at {
                At::AfterHead => {
                    if rng.below(2) == 0 {
                        0
                    } else {
                        opening
                    }
                }
                At::InText => middle,
                _ => opening + texts,
            };
            stream.keep(count, rng.below(2) == 1 && at == At::InText);
            stream.cut = Some(how);
        }
        Some(What::Slow { at: At::AfterHead, .. }) => stream.pause = Some((Part::Text, manner.limit)),
        Some(What::Slow { at: At::InText, .. }) => stream.pace = BEARABLE,
        Some(other) => stream.befall(other, reply, (opening, middle, texts)),
    }
    stream.shaped(manner.crumbs)
}

/// After how many texts something happens in the middle: where a character is in halves, between them.
fn place(reply: &Reply, texts: usize, rng: &mut Rng) -> usize {
    let least = if texts > 2 * SHOWN { SHOWN } else { 1 };
    let drawn = least + rng.below(texts.saturating_sub(least) as u64) as usize;
    let second_half = |at: &usize| {
        reply
            .pieces
            .get(*at)
            .is_some_and(|piece| ["\\ud", "\\uD"].iter().any(|begin| piece.starts_with(begin)))
    };
    (drawn..texts).find(second_half).unwrap_or(drawn).min(texts)
}

impl Stream {
    /// Only the first `count` events, and half of the next.
    fn keep(&mut self, count: usize, torn: bool) {
        self.torn =
            self.events.get(count).filter(|_| torn).map(|event| event.bytes.slice(..event.bytes.len() / 2));
        self.events.truncate(count);
    }

    fn befall(&mut self, what: What, reply: &Reply, (opening, middle, texts): (usize, usize, usize)) {
        let odd = |number: usize| event(Reply::odd_event(number));
        match what {
            What::GarbageBody => {
                self.keep(0, false);
                self.events.push(event(Reply::odd_event(0)));
            }
            What::Empty => self.keep(0, false),
            What::OddEvents { lasting: false } => self.events.insert(middle, odd(middle)),
            What::OddEvents { lasting: true } => {
                self.keep(middle, false);
                self.events.extend((0..ODD_EVENTS).map(odd));
            }
            What::HugeEvent => {
                // What a socket takes of what follows nobody can tell.
                self.keep(opening, false);
                let long = [b"data: ".as_slice(), &vec![b'x'; HUGE_EVENT], b"\n\n"].concat();
                self.events.push(event(long.into()));
            }
            What::Flood => {
                let comment = format!(": {}\n\n", "x".repeat(FLOOD / 8));
                let comments = std::iter::repeat_n(event(comment.into()), 8);
                self.events.splice(0..0, comments);
            }
            What::ErrorEvent { at } => {
                self.keep(if at == At::InText { middle } else { opening }, false);
                self.events.push(event(speak::error_event(reply.dialect, self.events.len())));
            }
            What::Unfinished { at } => {
                self.keep(if at == At::InText { middle } else { opening + texts }, false);
            }
            What::NoSentinel => self.events.retain(|event| event.part != Part::Sentinel),
            _ => {}
        }
    }

    fn shaped(self, crumbs: bool) -> Shaped {
        let mut parts = Vec::with_capacity(self.events.len() + 1);
        let mut weights = Vec::with_capacity(self.events.len() + 1);
        let mut pause = None;
        for event in &self.events {
            if self.pause.is_some_and(|(part, _)| part == event.part) && pause.is_none() {
                pause = Some(parts.len());
            }
            let size = if crumbs { CRUMB } else { event.bytes.len().max(1) };
            for at in (0..event.bytes.len()).step_by(size) {
                parts.push(event.bytes.slice(at..(at + size).min(event.bytes.len())));
                weights.push(0);
            }
            if let Some(last) = weights.last_mut() {
                *last = u32::try_from(event.tokens).unwrap_or(u32::MAX);
            }
        }
        parts.extend(self.torn);
        let count = parts.len();
        let mut answer = Answer::sse(parts);
        if let Some(how) = self.cut {
            answer = answer.cut_after_parts(count, how);
        }
        if !self.pace.is_zero() {
            answer = answer.pace(self.pace);
        }
        if let (Some(at), Some((_, long))) = (pause, self.pause) {
            answer = answer.pause(at, long);
        }
        Shaped { answer, weights }
    }
}

/// An event that brings nothing.
fn event(bytes: Bytes) -> Event {
    Event { bytes, part: Part::Opening, tokens: 0 }
}
