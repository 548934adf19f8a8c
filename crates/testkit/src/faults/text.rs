//! The oracle: what a model says to a request, worked out from the request's seed. Provider and client
//! work it out apart from each other, and a test compares.

use pointsman_core::Rng;

/// What is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Prose.
    #[default]
    Text,
    /// A JSON object, as structured output.
    Json,
    /// One call of the tool `weather`: the text is its arguments.
    Tool,
}

/// A text in tokens, one of which a stream brings with each delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oracle {
    text: String,
    /// Where each token ends, in bytes.
    ends: Vec<usize>,
}

/// Words that are awkward to carry: accents on their own, four bytes, joined pictures, what JSON escapes.
const WORDS: [&str; 64] = [
    "amber",
    "Zürich",
    "日本語",
    "🙂",
    "cafe\u{301}",
    "\"quoted\"",
    "back\\slash",
    "<tag/>",
    "naïve",
    "👩\u{200d}🔬",
    "it's",
    "50%",
    "a/b",
    "x",
    "кириллица",
    "🚀",
    "harbour",
    "lantern",
    "meadow",
    "orchid",
    "pebble",
    "quarry",
    "ribbon",
    "saddle",
    "timber",
    "umbrella",
    "velvet",
    "walnut",
    "yonder",
    "zephyr",
    "anchor",
    "basket",
    "candle",
    "dagger",
    "ember",
    "feather",
    "garnet",
    "hollow",
    "island",
    "jasper",
    "kettle",
    "ladder",
    "marble",
    "needle",
    "oyster",
    "parrot",
    "quiver",
    "raven",
    "silver",
    "thistle",
    "urchin",
    "violet",
    "willow",
    "xylem",
    "yarrow",
    "zinnia",
    "über",
    "fjord",
    "señor",
    "ß",
    "ñandú",
    "Ω",
    "…",
    "{}",
];
/// What stands before a word: mostly a blank.
const BREAKS: [&str; 16] =
    [" ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", "\n", "\n\n", "\n- ", ", "];
/// No word is said again within so many.
const APART: usize = 12;
/// Every so many words the next is the number of its place, so that no longer passage is said twice either.
const NUMBERED: usize = 10;
/// Characters of a token of JSON.
const JSON_TOKEN: usize = 6;

impl Oracle {
    /// `tokens` tokens (of JSON: words in it) for `seed`. No passage follows itself, so that whatever two
    /// pieces have in common at their joint was said twice.
    #[must_use]
    pub fn new(seed: u64, tokens: usize, kind: Kind) -> Self {
        let prose = prose(seed, tokens);
        match kind {
            Kind::Text => {
                let mut oracle = Self { text: String::new(), ends: Vec::with_capacity(prose.len()) };
                for piece in prose {
                    oracle.text.push_str(&piece);
                    oracle.ends.push(oracle.text.len());
                }
                oracle
            }
            Kind::Json | Kind::Tool => {
                let text = serde_json::json!({"city": format!("city {seed}"), "note": prose.concat()});
                Self::cut(text.to_string())
            }
        }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many tokens it has.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ends.len()
    }

    /// The text of the first `tokens` tokens.
    #[must_use]
    pub fn first(&self, tokens: usize) -> &str {
        let end = match tokens {
            0 => 0,
            _ => self.ends.get(tokens - 1).copied().unwrap_or(self.text.len()),
        };
        &self.text[..end]
    }

    /// The tokens from byte `from` on, the first of which may be a part of one.
    #[must_use]
    pub fn rest(&self, from: usize) -> Vec<&str> {
        let mut start = from.min(self.text.len());
        let mut pieces = Vec::new();
        for &end in self.ends.iter().filter(|end| **end > from) {
            pieces.push(&self.text[start..end]);
            start = end;
        }
        pieces
    }

    fn cut(text: String) -> Self {
        let starts = text.char_indices().map(|(at, _)| at).skip(JSON_TOKEN).step_by(JSON_TOKEN);
        let ends = starts.chain([text.len()]).collect();
        Self { text, ends }
    }
}

fn prose(seed: u64, tokens: usize) -> Vec<String> {
    let mut rng = Rng::new(seed ^ 0x6f72_6163_6c65);
    let mut recent: Vec<usize> = Vec::with_capacity(APART);
    let mut pieces = Vec::with_capacity(tokens);
    for place in 0..tokens {
        let word = if place % NUMBERED == NUMBERED - 1 {
            format!("#{place}")
        } else {
            let mut drawn = rng.below(WORDS.len() as u64) as usize;
            while recent.contains(&drawn) {
                drawn = (drawn + 1) % WORDS.len();
            }
            if recent.len() == APART {
                recent.remove(0);
            }
            recent.push(drawn);
            WORDS[drawn].to_owned()
        };
        let before = BREAKS[rng.below(BREAKS.len() as u64) as usize];
        pieces.push(if place == 0 { word } else { format!("{before}{word}") });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_the_same_each_time_and_another_something_else() {
        let oracle = Oracle::new(7, 40, Kind::Text);
        assert_eq!(oracle, Oracle::new(7, 40, Kind::Text));
        assert_ne!(oracle.text(), Oracle::new(8, 40, Kind::Text).text());
        assert_eq!(oracle.tokens(), 40);
        assert_eq!(oracle.rest(0).concat(), oracle.text());
        assert_eq!((oracle.first(0), oracle.first(40), oracle.first(99)), ("", oracle.text(), oracle.text()));
        let at = oracle.first(9).len();
        assert_eq!(oracle.rest(at).len(), 31);
        assert_eq!(oracle.rest(at + 1).concat(), oracle.text()[at + 1..]);
        assert!(oracle.rest(oracle.text().len()).is_empty());
    }

    #[test]
    fn no_passage_follows_itself() {
        for seed in 0..40 {
            let oracle = Oracle::new(seed, 80, Kind::Text);
            let text: Vec<char> = oracle.text().chars().collect();
            for length in 8..text.len() / 2 {
                let twice = (0..=text.len() - 2 * length)
                    .find(|&at| text[at..at + length] == text[at + length..at + 2 * length]);
                assert_eq!(twice, None, "seed {seed}, {length} characters: {}", oracle.text());
            }
        }
    }

    #[test]
    fn json_is_json_in_any_number_of_tokens() {
        for tokens in [1, 5, 30] {
            let oracle = Oracle::new(3, tokens, Kind::Tool);
            let value: serde_json::Value = serde_json::from_str(oracle.text()).unwrap();
            assert_eq!(value["note"], Oracle::new(3, tokens, Kind::Text).text());
            assert_eq!(oracle.rest(0).concat(), oracle.text());
            assert!(oracle.tokens() > tokens);
        }
    }
}
