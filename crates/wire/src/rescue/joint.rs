//! Where a text that broke off and its continuation meet: what is said twice is said once.
//!
//! A continuation may begin where the text ended; say its last words again; say all of it again, or its
//! first lines; and it may say first that it will. It is compared with the text as it comes, with any run
//! of whitespace equal to any other, and held back only as long as it may still turn out to repeat
//! something. Where nothing is repeated, not a byte is changed.

mod seam;
mod search;

use self::seam::Seam;
use self::search::{Fate, Search};

/// How the continuation was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The text was the beginning of its own answer. `trimmed`: without the whitespace at its end.
    Prefill {
        /// The whitespace at the end of the text was left out.
        trimmed: bool,
    },
    /// It was told what to do: it may well begin anew.
    Instructed,
}

/// Joins a continuation to the text that it continues.
#[derive(Debug)]
pub struct Joint {
    shown: Box<str>,
    manner: Manner,
    stage: Stage,
    /// Came, and is not decided.
    held: String,
    /// Where the pieces in `held` end.
    ends: Vec<usize>,
    dropped: Dropped,
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Characters.
    pub chars: u64,
    /// Pieces of which nothing is left.
    pub pieces: u64,
}

#[derive(Debug)]
enum Stage {
    Searching(Box<Search>),
    Seam(Seam, Next),
    Joined,
}

/// What comes after a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another look: an opener or first lines were dropped.
    Search { restart: bool },
    /// Nothing more is looked for.
    Nothing,
}

impl Joint {
    /// A joint behind `shown`.
    #[must_use]
    pub fn new(shown: &str, manner: Manner) -> Self {
        let stage = if shown.trim().is_empty() && manner != Manner::Instructed {
            Self::literal(shown, manner)
        } else {
            Stage::Searching(Box::new(Search::new(shown, manner)))
        };
        Self {
            shown: shown.into(),
            manner,
            stage,
            held: String::new(),
            ends: Vec::new(),
            dropped: Dropped::default(),
        }
    }

    /// Takes the next piece; what may be shown is added to `out`.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        if piece.is_empty() {
            return;
        }
        if matches!(self.stage, Stage::Joined) {
            out.push_str(piece);
            return;
        }
        self.held.push_str(piece);
        self.ends.push(self.held.len());
        self.run(out, false);
    }

    /// Nothing more comes: what is held is decided now.
    pub fn finish(&mut self, out: &mut String) {
        self.run(out, true);
        out.push_str(&std::mem::take(&mut self.held));
        self.ends.clear();
        self.stage = Stage::Joined;
    }

    /// What comes is known to follow what was shown.
    pub(super) fn give_up(&mut self) {
        self.stage = Stage::Joined;
    }

    /// Whether all that comes will be shown as it is.
    #[must_use]
    pub const fn is_joined(&self) -> bool {
        matches!(self.stage, Stage::Joined)
    }

    /// Pieces that are held, whole or in part.
    pub(super) const fn held(&self) -> u64 {
        self.ends.len() as u64
    }

    /// What was left out so far.
    #[must_use]
    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    fn run(&mut self, out: &mut String, last: bool) {
        loop {
            match &mut self.stage {
                Stage::Joined => {
                    out.push_str(&self.held);
                    self.held.clear();
                    self.ends.clear();
                    return;
                }
                Stage::Seam(seam, next) => {
                    let taken = seam.take(&self.held);
                    let (done, next) = (seam.is_done(), *next);
                    self.cut(taken);
                    if !done {
                        return;
                    }
                    self.stage = match next {
                        Next::Nothing => Stage::Joined,
                        Next::Search { restart } => {
                            Stage::Searching(Box::new(Search::again(&self.shown, self.manner, restart)))
                        }
                    };
                }
                Stage::Searching(search) => {
                    let Some(fate) = search.look(&self.shown, &self.held, last) else { return };
                    self.decide(fate);
                }
            }
        }
    }

    fn decide(&mut self, fate: Fate) {
        let (end, stage) = match fate {
            Fate::Literal => (0, Self::literal(&self.shown, self.manner)),
            // The text's own whitespace at its end counts, not what was made of it.
            Fate::Repeated { end } => {
                (end, Stage::Seam(Seam::whitespace(trailing(&self.shown), false), Next::Nothing))
            }
            Fate::Opener { end } => (end, Stage::Seam(Seam::after_opener(), Next::Search { restart: true })),
            Fate::Lines { end, blank } => {
                let seam = Seam::whitespace(self.shown.get(blank).unwrap_or_default(), true);
                (end, Stage::Seam(seam, Next::Search { restart: false }))
            }
        };
        self.cut(end);
        self.stage = stage;
    }

    /// Without anything repeated: as it is, but for whitespace that the request had left out.
    fn literal(shown: &str, manner: Manner) -> Stage {
        match manner {
            Manner::Prefill { trimmed: true } => {
                Stage::Seam(Seam::whitespace(trailing(shown), false), Next::Nothing)
            }
            Manner::Prefill { trimmed: false } | Manner::Instructed => Stage::Joined,
        }
    }

    /// Leaves the first `end` bytes of what is held out.
    fn cut(&mut self, end: usize) {
        if end == 0 {
            return;
        }
        let gone = self.held.get(..end).unwrap_or_default();
        self.dropped.chars += gone.chars().count() as u64;
        self.dropped.pieces += self.ends.iter().filter(|at| **at <= end).count() as u64;
        self.held.drain(..end);
        self.ends.retain_mut(|at| {
            let stays = *at > end;
            *at = at.saturating_sub(end);
            stays
        });
    }
}

/// The whitespace at the end.
fn trailing(text: &str) -> &str {
    text.get(text.trim_end().len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
