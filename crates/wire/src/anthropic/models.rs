//! What Claude models refuse, by their names.
//!
//! From the vendor's migration guides: an answer that the client begins is refused from 4.6 on, sampling parameters
//! are from 4.7 on, and instructions inside the conversation are taken from 4.8 on; thinking cannot be switched
//! off in Fable, Mythos and Opus 5.5, and only up to tool calls in Sonnet 5.5; a forced tool is refused by the
//! models that followed in 2026's autumn, except Haiku 5.5. A name without a version is the newest of its line.

/// A model of Anthropic's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claude {
    line: Line,
    /// `4.6` is `(4, 6)`; `None` where the name does not say.
    version: Option<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Opus,
    Sonnet,
    Haiku,
    /// Fable, and Mythos for the few: they always think.
    Fable,
    /// The line is not named: `claude-2.1`.
    Other,
}

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// It does not think unless it is told to.
    Unsaid,
    /// `disabled`
    Disabled,
    /// `between_tools`: only what it writes between calls.
    BetweenTools,
    /// It cannot be.
    Never,
}

/// Where `output_config.effort` has these words.
const WORDS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

impl Claude {
    /// `None`: another vendor's model, of which nothing is known.
    pub(super) fn of(model: &str) -> Option<Self> {
        let name = model.to_ascii_lowercase();
        let (_, rest) = name.split_once("claude")?;
        let line = match rest {
            _ if rest.contains("opus") => Line::Opus,
            _ if rest.contains("sonnet") => Line::Sonnet,
            _ if rest.contains("haiku") => Line::Haiku,
            _ if rest.contains("fable") || rest.contains("mythos") => Line::Fable,
            _ => Line::Other,
        };
        let version = match line {
            Line::Fable if rest.contains("preview") => Some((4, 6)),
            Line::Other if rest.contains("instant") => Some((1, 2)),
            _ => version(rest),
        };
        Some(Self { line, version })
    }

    /// Whether it decides for itself how long to think, and takes an effort.
    pub(super) fn is_adaptive(self) -> bool {
        self.since((4, 6))
    }

    /// Whether it refuses a conversation that ends with a turn of the assistant.
    pub(super) fn refuses_prefill(self) -> bool {
        self.since((4, 6))
    }

    /// Whether instructions may stand between the turns, as turns of `system`.
    pub(super) fn takes_instructions_later(self) -> bool {
        self.since((4, 8))
    }

    /// Whether it refuses `temperature`, `top_p` and `top_k`.
    pub(super) fn refuses_sampling(self) -> bool {
        self.line == Line::Fable || self.since((4, 7))
    }

    /// Whether it refuses to be told that it must call a tool.
    pub(super) fn refuses_forced_tools(self) -> bool {
        match self.line {
            Line::Fable => self.since((5, 1)),
            Line::Haiku => false,
            Line::Opus | Line::Sonnet | Line::Other => self.since((5, 5)),
        }
    }

    /// How it is told not to think.
    pub(super) fn off(self) -> Off {
        match self.line {
            _ if !self.is_adaptive() => Off::Unsaid,
            Line::Fable => Off::Never,
            Line::Sonnet if self.since((5, 5)) => Off::BetweenTools,
            Line::Opus | Line::Other if self.since((5, 5)) => Off::Never,
            Line::Opus | Line::Sonnet | Line::Haiku | Line::Other => Off::Disabled,
        }
    }

    /// The effort that is meant, as an adaptive model knows it; `None` where there is none.
    pub(super) fn effort(self, word: &str) -> Option<&'static str> {
        match word {
            // There is no less.
            "minimal" => Some("low"),
            "xhigh" if !self.since((4, 7)) => Some("high"),
            word => WORDS.into_iter().find(|known| *known == word),
        }
    }

    fn since(self, version: (u32, u32)) -> bool {
        self.version.is_none_or(|own| own >= version)
    }
}

/// `claude-3-7-sonnet-20250219`, `claude-opus-4-20250514`, `claude-opus-4.6@20260101`, `claude-opus-5-v1:0`: a
/// version has one or two digits, a date has eight, and what follows a `v` is the deployment's own.
fn version(name: &str) -> Option<(u32, u32)> {
    let number = |word: &str| {
        let short = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
        short.then(|| word.parse::<u32>().ok()).flatten()
    };
    let mut words =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    // `claude-v2:1` is the name of a model.
    if let Some(old) = words.peek().and_then(|word| number(word.strip_prefix('v')?)) {
        return Some((old, 0));
    }
    let major = words.find_map(number)?;
    Some((major, words.next().and_then(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adaptive, refuses sampling, refuses forced tools, how it is told not to think.
    fn told(name: &str) -> (bool, bool, bool, Off) {
        let model = Claude::of(name).unwrap();
        (model.is_adaptive(), model.refuses_sampling(), model.refuses_forced_tools(), model.off())
    }

    #[test]
    fn names_tell_what_a_model_refuses() {
        let old = (false, false, false, Off::Unsaid);
        let sampled = (true, false, false, Off::Disabled);
        let middle = (true, true, false, Off::Disabled);
        let newest = (true, true, true, Off::Never);
        for (name, expected) in [
            ("claude-2.1", old),
            ("anthropic.claude-v2:1", old),
            ("claude-instant-1.2", old),
            ("anthropic.claude-instant-v1", old),
            ("claude-3-haiku-20240307", old),
            ("claude-3-5-sonnet-latest", old),
            ("claude-3-7-sonnet-20250219", old),
            ("claude-opus-4-20250514", old),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", old),
            ("claude-opus-4-1@20250805", old),
            ("claude-sonnet-4-5", old),
            ("anthropic/claude-haiku-4.5", old),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", old),
            ("claude-opus-4-6", sampled),
            ("anthropic/claude-sonnet-4.6", sampled),
            ("eu.anthropic.claude-opus-4-6-v1", sampled),
            ("claude-opus-4-7", middle),
            ("anthropic.claude-opus-4-7-v1:0", middle),
            ("anthropic/claude-4.7-opus", middle),
            ("claude-opus-4-8@20260901", middle),
            ("claude-opus-4.8[1m]", middle),
            ("claude-sonnet-5", middle),
            ("Claude-Opus-5", middle),
            ("anthropic.claude-opus-5-v1:0", middle),
            ("claude-haiku-5-5", middle),
            ("us.anthropic.claude-haiku-5-5", middle),
            ("claude-opus-5-5", newest),
            ("anthropic/claude-opus-5.5:thinking", newest),
            ("claude-opus-6", newest),
            ("claude-opus-latest", newest),
            ("claude-sonnet-5-5", (true, true, true, Off::BetweenTools)),
            ("claude-sonnet-5-5-20260928", (true, true, true, Off::BetweenTools)),
            ("claude-fable-5", (true, true, false, Off::Never)),
            ("claude-mythos-5", (true, true, false, Off::Never)),
            ("claude-mythos-preview", (true, true, false, Off::Never)),
            ("claude-fable-5-1", newest),
            ("anthropic/claude-mythos-5.1", newest),
            ("claude-fable", newest),
        ] {
            assert_eq!(told(name), expected, "{name}");
        }
    }

    #[test]
    fn other_names_tell_nothing() {
        for name in ["", "MiniMax-M2", "deepseek-v4-pro", "glm-5", "arn:aws:bedrock:eu-1:0:x/abc"] {
            assert_eq!(Claude::of(name), None, "{name}");
        }
        // No name is too odd to be read.
        for name in ["claude", "claude-", "claude-é", "claude-99999999999999999999", "claude:::", "claude-v"]
        {
            assert!(Claude::of(name).is_some_and(Claude::is_adaptive), "{name}");
        }
    }

    #[test]
    fn efforts_are_those_that_the_model_knows() {
        let effort = |name, word| Claude::of(name).unwrap().effort(word);
        for (name, word, expected) in [
            ("claude-opus-4-6", "xhigh", Some("high")),
            ("claude-opus-4-6", "max", Some("max")),
            ("claude-mythos-preview", "xhigh", Some("high")),
            ("claude-opus-4-7", "xhigh", Some("xhigh")),
            ("claude-haiku-5-5", "minimal", Some("low")),
            ("claude-opus-5-5", "medium", Some("medium")),
            ("claude-opus-5-5", "enormous", None),
        ] {
            assert_eq!(effort(name, word), expected, "{name} {word}");
        }
    }
}
