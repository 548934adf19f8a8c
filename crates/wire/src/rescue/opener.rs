//! What models say before they go on: "Sure, continuing:", "Here is the rest of the answer:".

/// Characters of the longest opener.
const MAX_CHARS: usize = 160;

/// Characters in front of it: whitespace, emphasis, quotes.
const MAX_IN_FRONT: usize = 8;
const MARKUP: &str = "*_#>\"'(";

/// How an opener begins, in small letters.
const LEADS: [&str; 25] = [
    "sure",
    "certainly",
    "of course",
    "absolutely",
    "okay",
    "ok,",
    "ok.",
    "alright",
    "understood",
    "got it",
    "apologies",
    "my apologies",
    "i apologize",
    "sorry",
    "yes,",
    "continuing",
    "continuation",
    "continued",
    "resuming",
    "picking up",
    "here is",
    "here's",
    "here\u{2019}s",
    "let me",
    "i'll",
];

/// What it is about: one of these is in it.
const MARKS: [&str; 10] = [
    "continu",
    "resum",
    "left off",
    "picking up",
    "pick up",
    "the rest",
    "remainder",
    "cut off",
    "interrupted",
    "i stopped",
];

/// Looks for an opener at the beginning of a text, character by character.
#[derive(Debug, Default)]
pub(super) struct Opener {
    /// What came, in small letters, from the first letter on.
    line: String,
    chars: usize,
    verdict: Verdict,
}

/// Whether there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not known yet.
    #[default]
    Open,
    /// There is none.
    None,
    /// It ends with the character that was taken last.
    Found,
}

impl Opener {
    /// A search that finds nothing.
    pub(super) fn off() -> Self {
        Self { verdict: Verdict::None, ..Self::default() }
    }

    pub(super) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Takes the next character.
    pub(super) fn take(&mut self, next: char) -> Verdict {
        if self.verdict != Verdict::Open {
            return self.verdict;
        }
        self.chars += 1;
        let ends = next == ':' || next == '\n';
        if self.line.is_empty() && !next.is_alphanumeric() {
            let may_stand_in_front = next.is_whitespace() || MARKUP.contains(next);
            if !may_stand_in_front || self.chars > MAX_IN_FRONT {
                self.verdict = Verdict::None;
            }
            return self.verdict;
        }
        if ends {
            let led = LEADS.iter().any(|lead| self.line.starts_with(lead));
            let marked = MARKS.iter().any(|mark| self.line.contains(mark));
            self.verdict = if led && marked { Verdict::Found } else { Verdict::None };
            return self.verdict;
        }
        self.line.extend(next.to_lowercase());
        let line = self.line.as_str();
        let may_lead = LEADS.iter().any(|lead| lead.starts_with(line) || line.starts_with(lead));
        if self.chars > MAX_CHARS || !may_lead {
            self.verdict = Verdict::None;
        }
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many characters the opener has, and how many it took to be sure.
    fn found(text: &str) -> (Option<usize>, usize) {
        let mut opener = Opener::default();
        for (at, next) in text.chars().enumerate() {
            match opener.take(next) {
                Verdict::Open => {}
                Verdict::None => return (None, at + 1),
                Verdict::Found => return (Some(at + 1), at + 1),
            }
        }
        (None, text.chars().count())
    }

    #[test]
    fn openers_are_found() {
        for opener in [
            "Sure, continuing:",
            "Certainly! Here is the continuation:",
            "Of course. Picking up where I left off:",
            "Here's the rest of the story:",
            "Here\u{2019}s the remainder:",
            "**Continuing:",
            "Continuing from where I left off\n",
            "Apologies, I was cut off. Continuing now:",
            "OK, let me continue:",
            "\n\nSure, let me continue:",
        ] {
            assert_eq!(
                found(&format!("{opener} it was night: late")).0,
                Some(opener.chars().count()),
                "{opener}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_one_is_let_go_soon() {
        for (text, after) in [
            ("The ship continued: west", 1),
            ("Sugar is sweet: yes", 3),
            ("Sure enough: the door", 12),
            ("Here is a list:", 15),
            (" and then:", 3),
            (": x", 1),
        ] {
            assert_eq!(found(text), (None, after), "{text}");
        }
        let endless = format!("Sure, continuing {}", "on ".repeat(200));
        assert_eq!(found(&endless), (None, MAX_CHARS + 1));
        assert_eq!(found(&"* ".repeat(200)), (None, MAX_IN_FRONT + 1));
    }
}
