//! What OpenAI's models can be told, by their names.
//!
//! From the vendor's guides to reasoning and to its latest models, and from what the API answers: a model that
//! reasons takes no sampling parameters, unless it is told not to reason; each knows its own words of effort, and a
//! model that cannot reason refuses all of them. Of a name that is not OpenAI's, nothing is known: the server
//! behind it may be any.

use std::borrow::Cow;

use crate::neutral::{Cap, Losses, Thinking};

/// What is known of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abilities {
    /// Nothing: it is not OpenAI's.
    Unknown,
    /// Nothing either, and it is not to be judged here: whatever is said goes through.
    Open,
    /// It does not reason.
    Plain,
    /// It reasons.
    Reasons {
        /// The words of effort that it takes, from the least.
        efforts: &'static [&'static str],
        /// When it can be told how to draw.
        draws: Draws,
        /// Whether it refuses to be told where to stop.
        unstoppable: bool,
    },
}

/// When a model that reasons takes `temperature`, `top_p` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draws {
    Never,
    /// With the effort `none`.
    Unreasoned,
    /// The same, which is its default.
    ByDefault,
}

/// All words of effort, from the least.
const ORDER: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// How long to think where a client only says "think".
pub(super) const USUAL_EFFORT: &str = "medium";

/// What is said of thinking, and by which field of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said<'t> {
    pub(super) field: &'static str,
    pub(super) word: Cow<'t, str>,
}

impl Abilities {
    /// By names such as `gpt-5.1-codex`, `openai/o3`, `ft:gpt-4o-2024-08-06:org::id`.
    pub(super) fn of(model: &str) -> Self {
        let name = model.to_ascii_lowercase();
        let name = name.rsplit('/').next().unwrap_or_default();
        let name = name.strip_prefix("openai.").or(name.strip_prefix("ft:")).unwrap_or(name);
        if let Some(rest) = name.strip_prefix("gpt-") {
            return generation(rest).map_or(Self::Unknown, |generation| of_gpt(generation, rest));
        }
        if name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            return of_o(name);
        }
        match name {
            _ if name.starts_with("codex-mini") => Self::reasons(&["low", "medium", "high"]),
            _ if name.starts_with("chatgpt-4o") => Self::Plain,
            _ => Self::Unknown,
        }
    }

    /// A model that always reasons.
    const fn reasons(efforts: &'static [&'static str]) -> Self {
        Self::Reasons { efforts, draws: Draws::Never, unstoppable: true }
    }

    /// Whether it reasons, as far as its name tells.
    pub(super) const fn is_reasoner(self) -> bool {
        matches!(self, Self::Reasons { .. })
    }

    /// Whether it refuses to be told how to draw, when it is told this effort.
    pub(super) fn refuses_sampling(self, effort: Option<&str>) -> bool {
        match self {
            Self::Unknown | Self::Open | Self::Plain => false,
            Self::Reasons { draws: Draws::Never, .. } => true,
            Self::Reasons { draws, .. } => {
                effort.map_or(draws != Draws::ByDefault, |effort| effort != "none")
            }
        }
    }

    /// Whether this number of how to draw must be left out, and then whether that is a loss: the default is none.
    pub(super) fn withholds(self, name: &str, value: &str, effort: Option<&str>) -> Option<bool> {
        let default = match name {
            "temperature" | "top_p" => 1.0,
            "frequency_penalty" | "presence_penalty" => 0.0,
            _ => return None,
        };
        let same = value.parse::<f64>().is_ok_and(|value| value.total_cmp(&default).is_eq());
        self.refuses_sampling(effort).then_some(!same)
    }

    /// Whether it is known to be OpenAI's.
    pub(super) const fn is_openais(self) -> bool {
        matches!(self, Self::Plain | Self::Reasons { .. })
    }

    /// Whether it refuses to be told where to stop.
    pub(super) const fn refuses_stop(self) -> bool {
        matches!(self, Self::Reasons { unstoppable: true, .. })
    }

    /// What a client of another dialect says of the effort, in words that the model takes.
    pub(super) fn effort<'t>(self, thinking: &'t Thinking<'_>) -> Option<Said<'t>> {
        let said = self.asked(thinking)?;
        let word = self.fit(&said.word)?;
        Some(Said { field: said.field, word: word.map_or(said.word, Cow::Borrowed) })
    }

    /// Tells what [`Abilities::effort`] could not say.
    pub(super) fn lose(self, thinking: &Thinking<'_>, losses: &mut Losses) {
        let Some(said) = self.asked(thinking) else {
            // What cannot reason does not.
            let lost = |on: bool| on || self != Self::Plain;
            losses.given(thinking.on.as_ref().filter(|given| lost(given.value)));
            return;
        };
        let rank = |word: &str| ORDER.iter().position(|known| *known == word);
        let less = match self.fit(&said.word) {
            None => !(self == Self::Plain && said.word == "none"),
            Some(None) => false,
            // A little more than the least is no loss, and any thought is where none was wanted.
            Some(Some(word)) => said.word == "none" || rank(word) < rank(&said.word),
        };
        if less {
            losses.field(said.field);
        }
    }

    /// In the client's word.
    fn asked<'t>(self, thinking: &'t Thinking<'_>) -> Option<Said<'t>> {
        let Thinking { on, effort, budget, .. } = thinking;
        if let Some(given) = effort {
            return Some(Said { field: given.field, word: given.value.value() });
        }
        match (budget.as_ref().map(|given| (given.field, given.value)), on) {
            (Some((field, Cap::Tokens(tokens))), _) => {
                Some(Said { field, word: Cow::Borrowed(Thinking::effort_of_budget(tokens)) })
            }
            // Others refuse any effort, even `none`: better not to ask.
            (None, Some(given)) if self.is_reasoner() => {
                let word = if given.value { USUAL_EFFORT } else { "none" };
                Some(Said { field: given.field, word: Cow::Borrowed(word) })
            }
            _ => None,
        }
    }

    /// The nearest word that the model takes; `None`: none at all; `Some(None)`: the word itself.
    fn fit(self, word: &str) -> Option<Option<&'static str>> {
        let efforts = match self {
            // What the first of these servers knew, they all know.
            Self::Unknown if matches!(word, "xhigh" | "max") => return Some(Some("high")),
            Self::Unknown | Self::Open => return Some(None),
            Self::Plain => return None,
            Self::Reasons { efforts, .. } => efforts,
        };
        if efforts.contains(&word) {
            return Some(None);
        }
        let rank = ORDER.iter().position(|known| *known == word)?;
        let below = ORDER.iter().take(rank).rev().find(|known| **known != "none" && efforts.contains(*known));
        let above = || ORDER.iter().skip(rank).find(|known| efforts.contains(*known));
        below.or_else(above).map(|word| Some(*word))
    }
}

/// The generation after `gpt-`: `4o`, `4.1-mini`, `5`, `5.1-codex`. Azure's `35` is 3.5.
fn generation(rest: &str) -> Option<(u32, u32)> {
    let version = rest.split('-').next()?;
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (major, after) = version.split_at_checked(digits(version))?;
    let minor = after.strip_prefix('.').and_then(|minor| minor.get(..digits(minor))?.parse().ok());
    let major = major.parse().ok()?;
    Some(if major == 35 { (3, 5) } else { (major, minor.unwrap_or(0)) })
}

fn of_gpt(generation: (u32, u32), name: &str) -> Abilities {
    let is = |kind: &str| name.contains(kind);
    match generation {
        (..=4, _) => Abilities::Plain,
        (5, 0) if is("-chat") => Abilities::Plain,
        _ if is("-chat") => Abilities::reasons(&["medium"]),
        (5, 0) if is("-pro") => Abilities::reasons(&["high"]),
        (5, 0 | 1) if is("-codex") && !is("-max") => Abilities::reasons(&["low", "medium", "high"]),
        _ if is("-codex") => Abilities::reasons(&["low", "medium", "high", "xhigh"]),
        (5, 0) => Abilities::reasons(&["minimal", "low", "medium", "high"]),
        _ if is("-pro") => Abilities::reasons(&["medium", "high", "xhigh"]),
        (5, 1) => quiet(&["none", "low", "medium", "high"], Draws::ByDefault),
        (5, 2 | 4) => quiet(&["none", "low", "medium", "high", "xhigh"], Draws::ByDefault),
        (5, ..=5) => quiet(&["none", "low", "medium", "high", "xhigh"], Draws::Unreasoned),
        _ => quiet(&["none", "low", "medium", "high", "xhigh", "max"], Draws::Unreasoned),
    }
}

/// A model that can be told not to reason.
const fn quiet(efforts: &'static [&'static str], draws: Draws) -> Abilities {
    Abilities::Reasons { efforts, draws, unstoppable: true }
}

fn of_o(name: &str) -> Abilities {
    let first = name.starts_with("o1") || name.starts_with("o3-mini");
    let efforts: &[&str] = match name {
        _ if name.starts_with("o1-mini") || name.starts_with("o1-preview") => &[],
        _ if name.contains("-deep-research") => &["medium"],
        _ => &["low", "medium", "high"],
    };
    Abilities::Reasons { efforts, draws: Draws::Never, unstoppable: !first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Text;
    use crate::neutral::Given;

    /// What it makes of each word, in order.
    fn efforts(model: &str) -> [&'static str; 7] {
        let abilities = Abilities::of(model);
        ORDER.map(|word| abilities.fit(word).map_or("-", |fitted| fitted.unwrap_or(word)))
    }

    #[test]
    fn a_models_name_tells_whether_it_reasons() {
        for name in [
            "o1",
            "o3-mini",
            "openai/o4-mini",
            "o4-mini-2025-04-16",
            "o3-deep-research",
            "gpt-5",
            "gpt-5-2025-08-07",
            "GPT-5-Mini",
            "openai/gpt-5.1-codex",
            "gpt-5.2-chat-latest",
            "gpt-5.6-luna",
            "gpt-6-nano",
            "codex-mini-latest",
            "ft:o4-mini-2025-04-16:org::id",
        ] {
            assert!(Abilities::of(name).is_reasoner(), "{name}");
        }
        for name in [
            "gpt-4o",
            "gpt-4o-2024-08-06",
            "openai/gpt-4.1-mini",
            "gpt-3.5-turbo",
            "gpt-35-turbo",
            "gpt-5-chat-latest",
            "chatgpt-4o-latest",
            "ft:gpt-4o-2024-08-06:org::id",
        ] {
            assert_eq!(Abilities::of(name), Abilities::Plain, "{name}");
        }
        for name in [
            "",
            "m",
            "gpt-",
            "gpt-oss-20b",
            "openai.gpt-oss-120b-1:0",
            "gpt-é",
            "gpt-99999999999999",
            "o",
            "omni",
            "olmo-3",
            "mistral-large-latest",
            "qwen3:8b",
            "us.anthropic.claude-opus-5-v1:0",
        ] {
            assert_eq!(Abilities::of(name), Abilities::Unknown, "{name}");
        }
    }

    #[test]
    fn efforts_are_those_that_the_model_knows() {
        for (name, expected) in [
            ("gpt-4.1", ["-"; 7]),
            ("o1-mini", ["-"; 7]),
            ("o3", ["low", "low", "low", "medium", "high", "high", "high"]),
            ("gpt-5", ["minimal", "minimal", "low", "medium", "high", "high", "high"]),
            ("gpt-5-codex", ["low", "low", "low", "medium", "high", "high", "high"]),
            ("gpt-5-pro", ["high"; 7]),
            ("gpt-5.1", ["none", "low", "low", "medium", "high", "high", "high"]),
            ("gpt-5.1-codex-max", ["low", "low", "low", "medium", "high", "xhigh", "xhigh"]),
            ("gpt-5.2", ["none", "low", "low", "medium", "high", "xhigh", "xhigh"]),
            ("gpt-5.4-pro", ["medium", "medium", "medium", "medium", "high", "xhigh", "xhigh"]),
            ("gpt-5.6-luna", ["none", "low", "low", "medium", "high", "xhigh", "max"]),
            ("mistral-small-latest", ["none", "minimal", "low", "medium", "high", "high", "high"]),
        ] {
            assert_eq!(efforts(name), expected, "{name}");
        }
        assert_eq!(Abilities::of("gpt-5").fit("enormous"), None);
    }

    #[test]
    fn sampling_is_for_models_that_do_not_reason() {
        let refuses = |name, effort| Abilities::of(name).refuses_sampling(effort);
        for name in ["gpt-4o", "gpt-5-chat-latest", "llama-3.3-70b", "gpt-oss-120b"] {
            assert!(!refuses(name, None), "{name}");
        }
        for name in ["o3", "gpt-5", "gpt-5-mini", "gpt-5.2-chat-latest", "gpt-5.3-codex", "gpt-5.6-luna"] {
            assert!(refuses(name, None) && refuses(name, Some("low")), "{name}");
        }
        assert!(!refuses("gpt-5.1", None) && !refuses("gpt-5.4-mini", Some("none")));
        assert!(refuses("gpt-5.1", Some("low")) && !refuses("gpt-5.6-luna", Some("none")));
        let withholds = |model, name, value| Abilities::of(model).withholds(name, value, None);
        assert_eq!(withholds("o3", "temperature", "0.2"), Some(true));
        assert_eq!(withholds("o3", "top_p", "1"), Some(false));
        assert_eq!(withholds("o3", "presence_penalty", "0.0"), Some(false));
        assert_eq!(withholds("o3", "seed", "7"), None);
        assert_eq!(withholds("gpt-4o", "temperature", "0.2"), None);
        let stops = |name| !Abilities::of(name).refuses_stop();
        assert!(stops("gpt-4o") && stops("o1") && stops("o3-mini") && stops("m"));
        assert!(!stops("o3") && !stops("o4-mini") && !stops("gpt-5.1"));
    }

    /// The word, and what is lost.
    fn said(model: &str, thinking: &Thinking<'_>) -> (Option<String>, Vec<String>) {
        let (abilities, mut losses) = (Abilities::of(model), Losses::default());
        abilities.lose(thinking, &mut losses);
        let said = abilities.effort(thinking).map(|said| said.word.into_owned());
        (said, losses.iter().map(str::to_owned).collect())
    }

    #[test]
    fn what_a_model_cannot_be_told_is_lost() {
        let effort =
            |word| Thinking { effort: Some(Given::new("effort", Text::from(word))), ..Thinking::default() };
        let on = |on| Thinking { on: Some(Given::new("on", on)), ..Thinking::default() };
        let budget = |cap| Thinking { budget: Some(Given::new("budget", cap)), ..Thinking::default() };
        for (model, thinking, word, lost) in [
            ("gpt-5", effort("max"), Some("high"), Some("effort")),
            ("gpt-5.1", effort("minimal"), Some("low"), None),
            ("gpt-5", effort("none"), Some("minimal"), Some("effort")),
            ("gpt-5.1", effort("none"), Some("none"), None),
            ("gpt-4o", effort("low"), None, Some("effort")),
            ("gpt-4o", effort("none"), None, None),
            ("gpt-5", effort("enormous"), None, Some("effort")),
            ("m", effort("enormous"), Some("enormous"), None),
            ("m", effort("xhigh"), Some("high"), Some("effort")),
            ("o3", on(false), Some("low"), Some("on")),
            ("gpt-5.2", on(true), Some("medium"), None),
            ("gpt-4o", on(true), None, Some("on")),
            ("gpt-4o", on(false), None, None),
            ("m", on(false), None, Some("on")),
            ("o3", budget(Cap::Tokens(0)), Some("low"), Some("budget")),
            ("gpt-4o", budget(Cap::Tokens(9_000)), None, Some("budget")),
            ("gpt-5.2", budget(Cap::Tokens(9_000)), Some("medium"), None),
            ("gpt-5.2", budget(Cap::Free), None, None),
        ] {
            let expected = (word.map(str::to_owned), lost.map(str::to_owned).into_iter().collect());
            assert_eq!(said(model, &thinking), expected, "{model} {thinking:?}");
        }
    }
}
