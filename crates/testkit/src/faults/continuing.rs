//! How a model goes on with an answer that another one began: rarely where it should.

use super::ask::Ask;
use super::speak::End;
use super::text::Oracle;

/// The ways to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Continuing {
    /// At the very next character.
    #[default]
    Exact,
    /// With the last words again.
    RepeatWords,
    /// From the beginning.
    Restart,
    /// With a remark, then the next character.
    Sure,
    /// With the last words again, blanks and line breaks in them changed.
    Whitespace,
}

impl Continuing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Exact, Self::RepeatWords, Self::Restart, Self::Sure, Self::Whitespace];

    /// In scorecards.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::RepeatWords => "repeat_words",
            Self::Restart => "restart",
            Self::Sure => "sure",
            Self::Whitespace => "whitespace",
        }
    }
}

/// What a model says before it goes on.
const REMARK: &str = "Sure, continuing:\n\n";
/// Words that are said again.
const AGAIN: usize = 6;

/// The pieces of the answer to `ask`, and why they end.
pub(super) fn pieces(ask: &Ask, way: Continuing) -> (Vec<String>, End) {
    let oracle = ask.oracle();
    let owned = |pieces: Vec<&str>| pieces.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let all = match &ask.prefix {
        None => owned(oracle.rest(0)),
        Some(prefix) => {
            let from = prefix.text.len();
            match way {
                Continuing::Exact => owned(oracle.rest(from)),
                Continuing::RepeatWords => owned(oracle.rest(back(&oracle, from))),
                Continuing::Restart => owned(oracle.rest(0)),
                Continuing::Sure => {
                    let mut pieces = vec![REMARK.to_owned()];
                    pieces.extend(owned(oracle.rest(from)));
                    pieces
                }
                Continuing::Whitespace => {
                    let again = &oracle.text()[back(&oracle, from)..from];
                    let mut pieces = vec![changed(again)];
                    pieces.extend(owned(oracle.rest(from)));
                    pieces
                }
            }
        }
    };
    limited(ask, all)
}

/// Where the last words before byte `from` begin.
fn back(oracle: &Oracle, from: usize) -> usize {
    let before = (1..=oracle.tokens()).take_while(|&count| oracle.first(count).len() <= from).count();
    oracle.first(before.saturating_sub(AGAIN)).len()
}

/// The same words with other blanks between them.
fn changed(text: &str) -> String {
    let mut changed = String::with_capacity(text.len() * 2);
    let mut blank = false;
    for character in text.chars() {
        match (character.is_whitespace(), blank) {
            (true, false) if character == ' ' => changed.push('\n'),
            (true, false) => changed.push(' '),
            (true, true) => {}
            (false, _) => changed.push(character),
        }
        blank = character.is_whitespace();
    }
    changed
}

/// As much of it as may come.
fn limited(ask: &Ask, mut pieces: Vec<String>) -> (Vec<String>, End) {
    let mut end = End::Whole;
    if let Some(most) = ask.max_tokens.filter(|most| *most < pieces.len()) {
        pieces.truncate(most);
        end = End::Length;
    }
    let text = pieces.concat();
    let stops = ask.stop.iter().filter(|stop| !stop.is_empty());
    let first = stops.filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop))).min();
    if let Some((at, stop)) = first {
        end = End::Stop(stop.clone());
        let mut left = at;
        for place in 0..pieces.len() {
            if left <= pieces[place].len() {
                pieces[place].truncate(left);
                pieces.truncate(place + 1);
                break;
            }
            left -= pieces[place].len();
        }
        pieces.retain(|piece| !piece.is_empty());
    }
    (pieces, end)
}

#[cfg(test)]
mod tests {
    use pointsman_core::Dialect;

    use super::*;
    use crate::faults::ask::Prefix;
    use crate::faults::text::Kind;

    fn ask(from_tokens: usize) -> Ask {
        let oracle = Oracle::new(5, 30, Kind::Text);
        let text = oracle.first(from_tokens).to_owned();
        Ask {
            dialect: Dialect::OpenAiChat,
            streamed: true,
            model: "m".into(),
            seed: 5,
            tokens: 30,
            kind: Kind::Text,
            max_tokens: None,
            stop: Vec::new(),
            include_usage: false,
            prefix: Some(Prefix { text, prefill: true }),
            input: 1,
        }
    }

    #[test]
    fn each_way_ends_in_the_same_text() {
        let ask = ask(12);
        let oracle = ask.oracle();
        let rest = oracle.rest(oracle.first(12).len()).concat();
        for way in Continuing::ALL {
            let (pieces, end) = pieces(&ask, way);
            let said = pieces.concat();
            assert_eq!(end, End::Whole);
            assert!(said.ends_with(&rest), "{way:?}: {said}");
            assert_eq!(said == rest, way == Continuing::Exact, "{way:?}");
        }
        let (again, _) = pieces(&ask, Continuing::RepeatWords);
        assert_eq!(again.concat(), format!("{}{rest}", oracle.rest(oracle.first(6).len())[..6].concat()));
        let (whitespace, _) = pieces(&ask, Continuing::Whitespace);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&whitespace.concat()), words(&again.concat()));
    }

    #[test]
    fn limits_and_stops_end_it() {
        let mut ask = ask(12);
        ask.max_tokens = Some(4);
        let (limited, end) = pieces(&ask, Continuing::Exact);
        assert_eq!((limited.len(), end), (4, End::Length));
        (ask.max_tokens, ask.prefix, ask.stop) = (None, None, vec!["#19".into(), "#9".into()]);
        let (stopped, end) = pieces(&ask, Continuing::Exact);
        assert_eq!(end, End::Stop("#9".into()));
        assert_eq!(stopped.concat(), ask.oracle().text().split("#9").next().unwrap());
    }
}
