//! Compares a continuation with the text, from every place that it may repeat.

use super::Manner;
use crate::rescue::opener::{Opener, Verdict};

/// How far back from its end the text is searched, in characters.
const SEARCHED_CHARS: usize = 2_000;
/// Fewer characters in common are no repetition.
const MIN_CHARS: usize = 8;
/// Whitespace in a row that is waited for.
const MAX_BLANK: usize = 4_096;

/// What a continuation turned out to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing that was said.
    Literal,
    /// What the text ends with, or all of it: up to `end`, in bytes.
    Repeated { end: usize },
    /// An announcement, up to `end`.
    Opener { end: usize },
    /// The text's first lines, up to `end`; the whitespace after them is at `blank` of the text.
    Lines { end: usize, blank: std::ops::Range<usize> },
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    opener: Opener,
    opened: Option<usize>,
    /// Whether the beginning of the text is a candidate.
    restart: bool,
    /// A text that is shorter than [`MIN_CHARS`] counts as repeated where it is repeated as a whole.
    short: bool,
    candidates: Vec<Candidate>,
    /// The first character that is no whitespace has come.
    began: bool,
    /// Whitespace has come since the last one that is not.
    gap: bool,
    blank: usize,
    /// How much of what is held was looked at, in bytes.
    at: usize,
    /// The same without the whitespace that came last.
    solid: usize,
    repeated: Option<usize>,
    lines: Option<Lines>,
}

/// A place of the text that the continuation equals so far.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Where the comparison goes on, in bytes of the text.
    at: usize,
    /// It began with the text.
    whole: bool,
}

/// The first lines of the text were repeated so far.
#[derive(Clone, Debug)]
struct Lines {
    /// Where they end, in bytes of what is held.
    end: usize,
    /// The whitespace after them, in the text.
    blank: std::ops::Range<usize>,
}

impl Search {
    pub(super) fn new(shown: &str, manner: Manner) -> Self {
        Self::with(shown, manner, Opener::default(), true)
    }

    /// Another search, behind an opener or behind lines.
    pub(super) fn again(shown: &str, manner: Manner, restart: bool) -> Self {
        Self::with(shown, manner, Opener::off(), restart)
    }

    fn with(shown: &str, manner: Manner, opener: Opener, restart: bool) -> Self {
        // A text without any letter has nothing that could be repeated.
        let restart = restart && !shown.trim().is_empty();
        Self {
            opener,
            opened: None,
            restart,
            short: manner == Manner::Instructed,
            candidates: Vec::new(),
            began: false,
            gap: false,
            blank: 0,
            at: 0,
            solid: 0,
            repeated: None,
            lines: None,
        }
    }

    /// Looks at what of `held` is new. `None`: more must come. `last`: nothing more will.
    pub(super) fn look(&mut self, shown: &str, held: &str, last: bool) -> Option<Fate> {
        for next in held.get(self.at..).unwrap_or_default().chars() {
            self.at += next.len_utf8();
            if self.opener.verdict() == Verdict::Open && self.opener.take(next) == Verdict::Found {
                self.opened = Some(self.at);
            }
            if next.is_whitespace() {
                self.gap |= self.began;
                self.blank += 1;
            } else {
                let led = std::mem::take(&mut self.blank) > 0;
                self.compare(shown, next, led);
                self.gap = false;
                self.solid = self.at;
            }
            if self.is_decided() || self.blank > MAX_BLANK {
                return Some(self.fate());
            }
        }
        last.then(|| self.fate())
    }

    fn compare(&mut self, shown: &str, next: char, led: bool) {
        if !self.began {
            self.began = true;
            self.candidates = places(shown, next, (self.restart, led));
        } else {
            let (gap, solid, lines) = (self.gap, self.solid, &mut self.lines);
            self.candidates.retain_mut(|candidate| {
                let blank = blank_at(shown, candidate.at);
                if candidate.whole && ends_lines(shown, &blank) {
                    *lines = Some(Lines { end: solid, blank: blank.clone() });
                }
                let rest = shown.get(blank.end..).unwrap_or_default();
                candidate.at = blank.end + next.len_utf8();
                blank.is_empty() != gap && rest.starts_with(next)
            });
        }
        let counts = self.short || shown.trim().chars().nth(MIN_CHARS - 1).is_some();
        let (end, at, repeated) = (shown.trim_end().len(), self.at, &mut self.repeated);
        self.candidates.retain(|candidate| {
            let complete = candidate.at == end;
            if complete && counts {
                *repeated = Some(at);
            }
            !complete
        });
    }

    fn is_decided(&self) -> bool {
        self.began && self.candidates.is_empty() && self.opener.verdict() != Verdict::Open
    }

    fn fate(&self) -> Fate {
        match (self.repeated, self.opened, &self.lines) {
            (Some(end), opened, _) if opened.is_none_or(|opened| opened < end) => Fate::Repeated { end },
            (_, Some(end), _) => Fate::Opener { end },
            (None, None, Some(lines)) => Fate::Lines { end: lines.end, blank: lines.blank.clone() },
            (_, None, _) => Fate::Literal,
        }
    }
}

/// Where a repetition that begins with `first` may go on. `led`: whitespace came before it, which counts.
fn places(shown: &str, first: char, (restart, led): (bool, bool)) -> Vec<Candidate> {
    let begins = shown.len() - shown.trim_start().len();
    let whole = restart && shown.get(begins..).is_some_and(|text| text.starts_with(first));
    let mut candidates = Vec::new();
    if whole {
        candidates.push(Candidate { at: begins + first.len_utf8(), whole: true });
    }
    let latest = |chars: usize| shown.trim_end().char_indices().rev().nth(chars - 1);
    let (Some((last, _)), Some((last_led, edge))) = (latest(MIN_CHARS), latest(MIN_CHARS - 1)) else {
        return candidates;
    };
    let earliest = shown.char_indices().rev().nth(SEARCHED_CHARS - 1).map_or(0, |(at, _)| at);
    let searched = shown.get(earliest..last_led + edge.len_utf8()).unwrap_or_default();
    let stands_apart = |at: usize| shown.get(..at).is_some_and(|text| text.ends_with(char::is_whitespace));
    let found = searched.match_indices(first).map(|(at, _)| earliest + at);
    let found = found.filter(|at| !(whole && *at == begins) && (*at <= last || (led && stands_apart(*at))));
    candidates.extend(found.map(|at| Candidate { at: at + first.len_utf8(), whole: false }));
    candidates
}

/// The whitespace that stands at `at`.
fn blank_at(shown: &str, at: usize) -> std::ops::Range<usize> {
    let rest = shown.get(at..).unwrap_or_default();
    at..at + rest.len() - rest.trim_start().len()
}

/// Whether the whitespace ends a line, and enough stands before it.
fn ends_lines(shown: &str, blank: &std::ops::Range<usize>) -> bool {
    let broken = shown.get(blank.clone()).is_some_and(|blank| blank.contains('\n'));
    broken && shown.get(..blank.start).is_some_and(|text| text.trim().chars().nth(MIN_CHARS - 1).is_some())
}
