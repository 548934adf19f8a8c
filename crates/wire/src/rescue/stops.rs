//! Stop sequences that begin in what was shown and end in the continuation: no provider sees them whole.

/// Looks for them in the first characters of a continuation.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    sequences: Vec<String>,
    /// The end of the text so far: as much of it as may begin a sequence.
    tail: String,
    /// Bytes of the continuation that may still end one.
    left: usize,
    met: Option<String>,
}

impl Stops {
    /// For a continuation behind `shown`.
    pub(super) fn new(sequences: Vec<String>, shown: &str) -> Self {
        let longest = sequences.iter().map(String::len).max().unwrap_or(0).saturating_sub(1);
        let from = shown.len().saturating_sub(longest);
        let from = (from..=shown.len()).find(|at| shown.is_char_boundary(*at)).unwrap_or(shown.len());
        Self { sequences, tail: shown.get(from..).unwrap_or_default().to_owned(), left: longest, met: None }
    }

    /// How much of `text` may be shown: nothing more once a sequence was met.
    pub(super) fn take<'t>(&mut self, text: &'t str) -> &'t str {
        if self.met.is_some() {
            return "";
        }
        if self.left == 0 {
            return text;
        }
        self.left = self.left.saturating_sub(text.len());
        let before = self.tail.len();
        self.tail.push_str(text);
        let spans = |sequence: &&String| {
            self.tail
                .match_indices(sequence.as_str())
                .any(|(at, found)| at < before && at + found.len() > before)
        };
        self.met = self.sequences.iter().find(spans).cloned();
        if self.met.is_some() { "" } else { text }
    }

    /// Whether no sequence can be met any more.
    pub(super) const fn are_over(&self) -> bool {
        self.left == 0 && self.met.is_none()
    }

    /// The sequence that was met.
    pub(super) fn met(&self) -> Option<&str> {
        self.met.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stops: &[&str], before: &str, pieces: &[&str]) -> (String, Option<String>) {
        let mut stops = Stops::new(stops.iter().map(|&text| text.to_owned()).collect(), before);
        let shown = pieces.iter().map(|piece| stops.take(piece)).collect();
        (shown, stops.met().map(str::to_owned))
    }

    #[test]
    fn a_sequence_across_the_joint_is_met() {
        let met = |text: &str| Some(text.to_owned());
        assert_eq!(shown(&["###", "END"], "the EN", &["D of it"]), (String::new(), met("END")));
        assert_eq!(shown(&["END"], "the E", &["N", "D of it"]), ("N".into(), met("END")));
        assert_eq!(shown(&["END"], "the EN", &["JOY"]), ("JOY".into(), None));
        assert_eq!(shown(&["END"], "the ", &["END"]), ("END".into(), None), "its provider sees that one");
        assert_eq!(shown(&["日本"], "日", &["本語"]), (String::new(), met("日本")));
        assert_eq!(shown(&[], "the ", &["END"]), ("END".into(), None));
    }
}
