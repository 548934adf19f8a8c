//! A damaged event in the middle of a stream that otherwise goes on well.

use crate::openai::stream::Observed;

/// Members that hold a piece of an answer. An event with one of them is missed, however damaged it is.
const PIECES: [&[u8]; 14] = [
    b"\"content\"",
    b"\"text\"",
    b"\"delta\"",
    b"\"arguments\"",
    b"\"partial_json\"",
    b"\"thinking\"",
    b"\"signature\"",
    b"\"reasoning",
    b"\"refusal\"",
    b"\"parts\"",
    b"\"input\"",
    b"\"response\"",
    b"\"transcript\"",
    b"\"finish_reason\"",
];

/// Passes over one event of a stream.
#[derive(Debug, Default)]
pub(crate) struct Lenient {
    used: bool,
}

impl Lenient {
    /// Whether the event with this data, which could not be read, is passed over: the first one of a stream
    /// that has said something, if no piece of the answer is in it. A hole in an answer would not be seen.
    pub(crate) fn passes_over(&mut self, observed: &Observed, data: &[u8]) -> bool {
        let harmless = !PIECES.iter().any(|piece| memchr::memmem::find(data, piece).is_some());
        observed.committed && harmless && !std::mem::replace(&mut self.used, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_that_holds_nothing_is_passed_over() {
        let committed = Observed { committed: true, ..Observed::default() };
        let mut lenient = Lenient::default();
        assert!(!lenient.passes_over(&Observed::default(), b"{nonsense"), "somebody else may be asked yet");
        assert!(!lenient.passes_over(&committed, br#"{"choices":[{"delta":{"content":"lost"#));
        assert!(lenient.passes_over(&committed, b"{nonsense"));
        assert!(!lenient.passes_over(&committed, b"{nonsense"), "the second one");
    }
}
