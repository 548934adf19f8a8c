//! How long to think, in Google's measures.
//!
//! Gemini 2.5 takes a budget in tokens, within limits of each model; later models take a level, and refuse
//! to be told both; earlier ones refuse to be told anything. What a Gemini client says goes through as it
//! is. Limits and levels as in Google's guide to thinking.

use pointsman_core::Dialect;

use crate::neutral::{Cap, Losses, Request, Target, Thinking};

/// What is known of a model by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// `2.5` is `(2, 5)`; `None` where the name does not say (`gemini-flash-latest`).
    generation: Option<(u32, u32)>,
    size: Size,
    /// What it is told about thinking.
    measure: Measure,
    /// It is a Gemini, and not one of the open models.
    own: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Pro,
    Flash,
    Lite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Nothing: it cannot think, or not otherwise.
    None,
    Budget,
    Level,
}

impl Family {
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let generation = name.split_once("gemini-").and_then(|(_, version)| {
            let version = version.split('-').next()?;
            let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        let size = match name {
            _ if name.contains("lite") => Size::Lite,
            _ if name.contains("flash") => Size::Flash,
            _ => Size::Pro,
        };
        let mute = ["image", "tts", "audio", "gemma", "embedding", "learnlm"];
        let measure = match generation {
            _ if mute.iter().any(|kind| name.contains(kind)) => Measure::None,
            Some(before) if before < (2, 5) => Measure::None,
            Some(later) if later >= (3, 0) => Measure::Level,
            // A budget is taken by later models too.
            _ => Measure::Budget,
        };
        Self { generation, size, measure, own: name.contains("gemini") }
    }

    /// Whether the provider fetches media for it.
    pub(super) fn fetches(self) -> bool {
        self.generation.is_none_or(|generation| generation >= (2, 5))
    }

    /// Whether it refuses penalties: none but Google's own models are known to.
    pub(super) fn refuses_penalties(self) -> bool {
        self.own && self.generation.is_none_or(|generation| generation >= (2, 5))
    }

    /// Whether it refuses to answer in JSON where it may call tools.
    pub(super) fn answers_or_calls(self) -> bool {
        self.generation.is_some_and(|generation| generation < (3, 0))
    }

    /// Whether calls in the conversation must be signed, and results may hold pictures.
    pub(super) fn is_third(self) -> bool {
        self.generation.is_some_and(|generation| generation >= (3, 0))
    }

    /// The smallest and the largest budget.
    const fn budgets(self) -> (u64, u64) {
        match self.size {
            Size::Pro => (128, 32_768),
            Size::Flash => (1, 24_576),
            Size::Lite => (512, 24_576),
        }
    }

    /// The level for an effort in the neutral words.
    fn level(self, effort: &str) -> Option<&'static str> {
        Some(match (effort, self.size) {
            ("minimal" | "none", Size::Flash | Size::Lite) => "MINIMAL",
            ("minimal" | "none" | "low", _) => "LOW",
            // The first of its generation knew two levels.
            ("medium", Size::Pro) if self.generation == Some((3, 0)) => "HIGH",
            ("medium", _) => "MEDIUM",
            ("high" | "xhigh" | "max", _) => "HIGH",
            _ => return None,
        })
    }
}

/// `thinkingConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// `includeThoughts`
    pub(super) shown: Option<bool>,
    /// `thinkingBudget`
    pub(super) budget: Option<Cap>,
    /// `thinkingLevel`
    pub(super) level: Option<String>,
}

/// What to say of thinking to this target.
pub(super) fn decide(request: &Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Config {
    let Thinking { on, effort, budget, summary, shown, encrypted } = &request.thinking;
    // Signatures come without being asked for.
    let _ = encrypted;
    if request.dialect == Dialect::Gemini {
        return Config {
            shown: shown.as_ref().map(|given| given.value),
            budget: budget.as_ref().map(|given| given.value),
            level: effort.as_ref().map(|given| given.value.value().to_ascii_uppercase()),
        };
    }
    let family = Family::of(target.model);
    let told = Told::new(&request.thinking);
    let mut config = match family.measure {
        Measure::None => {
            if !told.off {
                losses.given(on.as_ref());
                losses.given(effort.as_ref());
                losses.given(budget.as_ref());
            }
            losses.given(shown.as_ref().filter(|given| given.value));
            losses.given(summary.as_ref());
            return Config::default();
        }
        Measure::Budget => budgeted(family, &told, &request.thinking, losses),
        Measure::Level => levelled(family, &told, &request.thinking, losses),
    };
    let wanted = summary.is_some() || told.asked && request.dialect != Dialect::OpenAiResponses;
    config.shown = match shown {
        Some(given) => Some(given.value),
        // Elsewhere thoughts that were asked for are shown.
        None => (wanted && !told.off).then_some(true),
    };
    config
}

/// What a client of another dialect means.
struct Told {
    off: bool,
    asked: bool,
    tokens: Option<u64>,
}

impl Told {
    fn new(thinking: &Thinking<'_>) -> Self {
        let Thinking { on, effort, budget, .. } = thinking;
        let none = effort.as_ref().is_some_and(|given| given.value == "none");
        let tokens = match budget.as_ref().map(|given| given.value) {
            Some(Cap::Tokens(tokens)) => Some(tokens),
            Some(Cap::Free) | None => None,
        };
        Self {
            off: on.as_ref().is_some_and(|given| !given.value) || none || tokens == Some(0),
            asked: on.is_some() || effort.is_some() || budget.is_some(),
            tokens,
        }
    }
}

fn budgeted(family: Family, told: &Told, thinking: &Thinking<'_>, losses: &mut Losses) -> Config {
    let (least, most) = family.budgets();
    if told.off {
        let off = family.size != Size::Pro;
        if !off {
            // It cannot stop thinking altogether.
            lose_off(thinking, losses);
        }
        return Config { budget: Some(Cap::Tokens(if off { 0 } else { least })), ..Config::default() };
    }
    let effort = thinking.effort.as_ref();
    let by_effort = effort.and_then(|given| Thinking::budget_of_effort(&given.value.value()));
    if by_effort.is_none() || told.tokens.is_some() {
        losses.given(effort);
    }
    if told.tokens.is_some_and(|tokens| tokens > most) {
        losses.given(thinking.budget.as_ref());
    }
    let tokens = told.tokens.or(by_effort).map(|tokens| Cap::Tokens(tokens.clamp(least, most)));
    let free = (thinking.on.is_some() || thinking.budget.is_some()).then_some(Cap::Free);
    Config { budget: tokens.or(free), ..Config::default() }
}

fn levelled(family: Family, told: &Told, thinking: &Thinking<'_>, losses: &mut Losses) -> Config {
    let effort = thinking.effort.as_ref();
    let word = match (told.off, effort, told.tokens) {
        (true, ..) => Some("none".into()),
        (false, Some(given), _) => Some(given.value.value()),
        (false, None, Some(tokens)) => Some(Thinking::effort_of_budget(tokens).into()),
        (false, None, None) => None,
    };
    let level = word.as_deref().and_then(|word| family.level(word));
    if told.off && level != Some("MINIMAL") {
        lose_off(thinking, losses);
    } else if word.is_some() && level.is_none() {
        losses.given(effort);
    }
    if !told.off && effort.is_some() && told.tokens.is_some() {
        losses.given(thinking.budget.as_ref());
    }
    Config { level: level.map(str::to_owned), ..Config::default() }
}

/// Names the field that said not to think.
fn lose_off(thinking: &Thinking<'_>, losses: &mut Losses) {
    let Thinking { on, effort, budget, .. } = thinking;
    losses.given(on.as_ref().filter(|given| !given.value));
    losses.given(effort.as_ref().filter(|given| given.value == "none"));
    losses.given(budget.as_ref().filter(|given| given.value == Cap::Tokens(0)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Text;
    use crate::neutral::Given;

    #[test]
    fn a_models_name_tells_its_family() {
        let family = |model| {
            let Family { generation, size, measure, .. } = Family::of(model);
            (generation, size, measure)
        };
        let third = Some((3, 0));
        assert_eq!(family("gemini-3-pro-preview"), (third, Size::Pro, Measure::Level));
        assert_eq!(family("models/gemini-3.1-flash-lite"), (Some((3, 1)), Size::Lite, Measure::Level));
        assert_eq!(family("google/gemini-2.5-flash"), (Some((2, 5)), Size::Flash, Measure::Budget));
        assert_eq!(family("gemini-2.0-flash-001"), (Some((2, 0)), Size::Flash, Measure::None));
        assert_eq!(family("gemini-2.5-flash-image"), (Some((2, 5)), Size::Flash, Measure::None));
        assert_eq!(family("gemini-flash-latest"), (None, Size::Flash, Measure::Budget));
        assert_eq!(family("gemma-3-27b-it").2, Measure::None);
        assert!(Family::of("gemini-3-flash").is_third() && !Family::of("gemini-pro-latest").is_third());
        for name in
            ["gemini-2.5-pro", "models/gemini-3.1-pro-preview", "gemini-flash-latest", "gemini-exp-1206"]
        {
            assert!(Family::of(name).refuses_penalties(), "{name}");
        }
        for name in ["gemini-2.0-flash-001", "gemini-1.5-pro", "gemma-3-27b-it", "", "gemini", "learnlm-2.0"]
        {
            assert_eq!(Family::of(name).refuses_penalties(), name == "gemini", "{name}");
        }
        for (name, either) in [
            ("gemini-2.5-pro", true),
            ("gemini-2.0-flash", true),
            ("gemini-3-flash", false),
            ("gemini-pro-latest", false),
        ] {
            assert_eq!(Family::of(name).answers_or_calls(), either, "{name}");
        }
        assert!(Family::of("gemini-pro-latest").fetches() && !Family::of("gemini-2.0-flash").fetches());
    }

    /// What becomes of these, in OpenAI's words.
    fn decided(
        model: &str,
        on: Option<bool>,
        effort: Option<&'static str>,
        budget: Option<Cap>,
    ) -> (Option<Cap>, Option<String>, Option<bool>, Vec<String>) {
        let mut request = Request::new(Dialect::OpenAiChat, Text::from("m"));
        request.thinking.on = on.map(|on| Given::new("on", on));
        request.thinking.effort = effort.map(|effort| Given::new("effort", Text::from(effort)));
        request.thinking.budget = budget.map(|budget| Given::new("budget", budget));
        let mut losses = Losses::default();
        let Config { shown, budget, level } =
            decide(&request, &Target::new(Dialect::Gemini, "google", model), &mut losses);
        (budget, level, shown, losses.iter().map(str::to_owned).collect())
    }

    fn lost(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    #[test]
    fn budgets_for_the_second_generation() {
        let tokens = |tokens| Some(Cap::Tokens(tokens));
        let (flash, pro, lite) = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite");
        assert_eq!(decided(flash, None, None, None), (None, None, None, lost(&[])));
        assert_eq!(decided(flash, None, Some("low"), None), (tokens(4_096), None, Some(true), lost(&[])));
        assert_eq!(decided(flash, None, Some("max"), None), (tokens(24_576), None, Some(true), lost(&[])));
        assert_eq!(decided(flash, Some(true), None, None), (Some(Cap::Free), None, Some(true), lost(&[])));
        let free = decided(flash, None, None, Some(Cap::Free));
        assert_eq!(free, (Some(Cap::Free), None, Some(true), lost(&[])));
        let both = decided(flash, None, Some("low"), tokens(99_999));
        assert_eq!(both, (tokens(24_576), None, Some(true), lost(&["effort", "budget"])));
        assert_eq!(decided(lite, None, None, tokens(3)), (tokens(512), None, Some(true), lost(&[])));
        assert_eq!(decided(flash, None, Some("none"), None), (tokens(0), None, None, lost(&[])));
        assert_eq!(decided(pro, None, Some("none"), None), (tokens(128), None, None, lost(&["effort"])));
        assert_eq!(decided(pro, Some(false), None, tokens(9)), (tokens(128), None, None, lost(&["on"])));
        assert_eq!(decided(flash, None, Some("huge"), None), (None, None, Some(true), lost(&["effort"])));
    }

    #[test]
    fn levels_for_the_third() {
        let level = |model, effort| decided(model, None, Some(effort), None).1.unwrap();
        assert_eq!(level("gemini-3-flash", "minimal"), "MINIMAL");
        assert_eq!(level("gemini-3.1-pro-preview", "minimal"), "LOW");
        assert_eq!(level("gemini-3.1-pro-preview", "medium"), "MEDIUM");
        assert_eq!(level("gemini-3-pro-preview", "medium"), "HIGH");
        assert_eq!(level("gemini-3-pro-preview", "xhigh"), "HIGH");
        let (flash, pro) = ("gemini-3-flash", "gemini-3-pro");
        let by_budget = decided(flash, None, None, Some(Cap::Tokens(2_000)));
        assert_eq!(by_budget, (None, Some("LOW".into()), Some(true), lost(&[])));
        assert_eq!(decided(flash, Some(true), None, None), (None, None, Some(true), lost(&[])));
        assert_eq!(decided(flash, Some(false), None, None), (None, Some("MINIMAL".into()), None, lost(&[])));
        let off = decided(pro, None, None, Some(Cap::Tokens(0)));
        assert_eq!(off, (None, Some("LOW".into()), None, lost(&["budget"])));
        let both = decided(pro, None, Some("high"), Some(Cap::Tokens(9)));
        assert_eq!(both, (None, Some("HIGH".into()), Some(true), lost(&["budget"])));
        assert_eq!(decided(pro, None, Some("huge"), None), (None, None, Some(true), lost(&["effort"])));
    }

    #[test]
    fn a_model_that_cannot_think_is_told_nothing() {
        let (old, nothing) = ("gemini-2.0-flash", (None, None, None));
        let told = |(budget, level, shown, losses)| ((budget, level, shown), losses);
        assert_eq!(
            told(decided(old, Some(true), Some("low"), None)),
            (nothing.clone(), lost(&["on", "effort"]))
        );
        assert_eq!(told(decided(old, Some(false), None, None)), (nothing, lost(&[])));
    }

    #[test]
    fn thoughts_are_shown_to_whom_wants_them() {
        let mut request = Request::new(Dialect::OpenAiResponses, Text::from("m"));
        request.thinking.effort = Some(Given::new("reasoning.effort", Text::from("low")));
        let target = Target::new(Dialect::Gemini, "google", "gemini-2.5-pro");
        let mut losses = Losses::default();
        assert_eq!(decide(&request, &target, &mut losses).shown, None);
        request.thinking.summary = Some(Given::new("reasoning.summary", Text::from("auto")));
        assert_eq!(decide(&request, &target, &mut losses).shown, Some(true));
        request.thinking.shown = Some(Given::new("exclude", false));
        assert_eq!(decide(&request, &target, &mut losses).shown, Some(false));
        assert!(losses.is_empty());
    }
}
