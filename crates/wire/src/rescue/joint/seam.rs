//! Whitespace between what was dropped and what comes after it.

/// Line breaks that may stand behind an opener.
const MAX_BREAKS: u8 = 2;

/// Leaves out whitespace at the beginning of what comes.
#[derive(Debug)]
pub(super) enum Seam {
    /// Whitespace that is already there.
    Known {
        /// What is still expected of it.
        left: Box<str>,
        /// Other whitespace in its place is kept; else it is changed whitespace, and left out.
        keep_other: bool,
        /// Something else came in its place.
        strayed: bool,
        done: bool,
    },
    /// What separates an opener from what it opens: one space or tab, or up to two line breaks.
    Opener { breaks: u8, done: bool },
}

impl Seam {
    /// Leaves out `known` where it comes again.
    pub(super) fn whitespace(known: &str, keep_other: bool) -> Self {
        Self::Known { left: known.into(), keep_other, strayed: false, done: known.is_empty() }
    }

    pub(super) const fn after_opener() -> Self {
        Self::Opener { breaks: MAX_BREAKS, done: false }
    }

    /// Whether what follows is nobody's whitespace.
    pub(super) const fn is_done(&self) -> bool {
        match self {
            Self::Known { done, .. } | Self::Opener { done, .. } => *done,
        }
    }

    /// How many bytes of `text`, all that is held, are left out.
    pub(super) fn take(&mut self, text: &str) -> usize {
        let mut taken = 0;
        for next in text.chars() {
            if self.is_done() || !self.swallows(next) {
                break;
            }
            taken += next.len_utf8();
        }
        taken
    }

    fn swallows(&mut self, next: char) -> bool {
        match self {
            Self::Known { left, keep_other, strayed, done } => {
                let expected = left.chars().next();
                if !next.is_whitespace() || (expected != Some(next) && (*keep_other && !*strayed)) {
                    *done = true;
                    return false;
                }
                if !*strayed && expected == Some(next) {
                    *left = left.get(next.len_utf8()..).unwrap_or_default().into();
                    *done = left.is_empty();
                } else {
                    *strayed = true;
                }
                true
            }
            Self::Opener { breaks, done } => {
                let first = *breaks == MAX_BREAKS;
                let swallowed = match next {
                    ' ' | '\t' => first,
                    '\n' => true,
                    _ => false,
                };
                *breaks -= u8::from(next == '\n');
                *done = next != '\n' || *breaks == 0;
                swallowed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of the pieces.
    fn left(mut seam: Seam, pieces: &[&str]) -> String {
        let mut out = String::new();
        for piece in pieces {
            let taken = if seam.is_done() { 0 } else { seam.take(piece) };
            out.push_str(&piece[taken..]);
            if taken < piece.len() {
                assert!(seam.is_done());
            }
        }
        out
    }

    #[test]
    fn known_whitespace_is_left_out_once() {
        let known = |text| Seam::whitespace(text, false);
        assert_eq!(left(known("\n"), &["\n", "\nNext"]), "\nNext");
        assert_eq!(left(known("\n\n"), &["\n\nNext"]), "Next");
        assert_eq!(left(known("\n\n"), &["Next"]), "Next");
        assert_eq!(left(known(" "), &["\n", "\n", "Next"]), "Next", "changed");
        assert_eq!(left(known(""), &["\nNext"]), "\nNext");
        assert_eq!(left(Seam::whitespace("\n\n", true), &[" word"]), " word", "not it");
        assert_eq!(left(Seam::whitespace("\n\n", true), &["\n\n word"]), " word");
    }

    #[test]
    fn an_opener_is_followed_by_a_space_or_by_line_breaks() {
        let opener = Seam::after_opener;
        assert_eq!(left(opener(), &["  word"]), " word");
        assert_eq!(left(opener(), &[" ", "word"]), "word");
        assert_eq!(left(opener(), &["\n", "\n", "\nword"]), "\nword");
        assert_eq!(left(opener(), &["\n word"]), " word");
        assert_eq!(left(opener(), &[" \n\nword"]), "\n\nword", "one or the other");
        assert_eq!(left(opener(), &["word"]), "word");
    }
}
