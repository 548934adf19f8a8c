//! How long to think, in Anthropic's measures.
//!
//! Claude 4.6 and later take `thinking: {type: adaptive}` with `output_config.effort`, and the newest
//! refuse budgets, and some of them not to think; earlier models, and other vendors' models behind this dialect,
//! take `{type: enabled, budget_tokens}` alone. What an Anthropic client says goes through as it is.
//!
//! With thinking on, the vendor refuses a forced tool, a temperature other than 1, `top_k`, a `top_p` below
//! 0.95, and a conversation that waits for a tool's result without the thoughts before the call.

use pointsman_core::Dialect;

use super::models::{Claude, Off};
use super::words;
use crate::json::Text;
use crate::neutral::{Cap, Content, Given, Losses, Message, Request, Role, Target, Thinking};

/// The smallest budget that the vendor takes.
const MIN_BUDGET: u64 = 1_024;

/// The most that is asked for where nothing tells how much the model can write: no model of the vendor's writes more
/// than 128,000 tokens, and the answer needs some.
const MOST_BUDGET: u64 = 120_000;

/// The budget where a client only says "think".
const USUAL_EFFORT: &str = "medium";

/// What is said of thinking.
#[derive(Debug, Default)]
pub(super) struct Decision<'r> {
    /// `thinking`
    pub(super) mode: Mode,
    /// `output_config.effort`
    pub(super) effort: Option<Text<'r>>,
    /// `thinking.display`
    pub(super) display: Option<&'static str>,
}

/// `thinking.type`, and what goes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not said.
    #[default]
    Unset,
    /// `disabled`
    Disabled,
    /// `between_tools`
    BetweenTools,
    /// `adaptive`
    Adaptive,
    /// `enabled`, with this `budget_tokens`.
    Budget(u64),
}

impl Mode {
    /// Whether the model thinks.
    pub(super) const fn is_on(self) -> bool {
        matches!(self, Self::Adaptive | Self::Budget(_))
    }
}

/// What to say of thinking to this target. `limit` is the most that the client lets it write; `removed`:
/// thoughts of another provider were taken out of the conversation.
pub(super) fn decide<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    removed: bool,
    losses: &mut Losses,
) -> Decision<'r> {
    let Thinking { on, effort, budget, summary, shown, encrypted } = &request.thinking;
    // Proofs come without being asked for.
    let _ = encrypted;
    let display = match (shown, summary) {
        (Some(Given { value: true, .. }), _) | (None, Some(_)) => Some("summarized"),
        (Some(Given { value: false, .. }), _) => Some("omitted"),
        (None, None) => None,
    };
    if request.dialect == Dialect::Anthropic {
        let mode = match (on, budget) {
            (Some(Given { value: false, .. }), _) => Mode::Disabled,
            (_, Some(Given { value: Cap::Free, .. })) => Mode::Adaptive,
            (_, Some(Given { value: Cap::Tokens(tokens), .. })) => Mode::Budget(*tokens),
            (_, None) => Mode::Unset,
        };
        let mut decision =
            Decision { mode, effort: effort.as_ref().map(|given| given.value.borrowed()), display };
        if removed && matches!(mode, Mode::Budget(_)) && waits_for_thoughts(&request.messages, target) {
            losses.given(budget.as_ref());
            (decision.mode, decision.display) = (Mode::Unset, None);
        }
        return decision;
    }
    let mut decision = foreign(request, target, losses);
    // A model that refuses to be forced is not.
    let free = Claude::of(target.model).is_some_and(Claude::refuses_forced_tools);
    let forced = request.tool_choice.as_ref().is_some_and(|given| words::forces_call(&given.value))
        && !request.tools.is_empty()
        && !free;
    let stuck = matches!(decision.mode, Mode::Budget(_)) && waits_for_thoughts(&request.messages, target);
    if decision.mode.is_on() && (forced || stuck) {
        decision.mode = Mode::Unset;
        losses.given(on.as_ref());
        losses.given(budget.as_ref());
        if decision.effort.is_none() {
            losses.given(effort.as_ref());
        }
    }
    if decision.mode.is_on() {
        // Older models always show their thoughts unless they are told not to.
        decision.display = display.filter(|said| *said == "omitted" || decision.mode == Mode::Adaptive);
    } else if display.is_some() {
        losses.given(shown.as_ref());
        losses.given(summary.as_ref());
    }
    decision
}

/// What a client of another dialect means.
fn foreign<'r>(request: &'r Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Decision<'r> {
    let Thinking { on, effort, budget, .. } = &request.thinking;
    let claude = Claude::of(target.model);
    let said = effort.as_ref().map(|given| given.value.value());
    let off = on.as_ref().is_some_and(|given| !given.value)
        || said.as_deref() == Some("none")
        || budget.as_ref().is_some_and(|given| given.value == Cap::Tokens(0));
    if off {
        return switched_off(claude.map_or(Off::Unsaid, Claude::off), &request.thinking, losses);
    }
    let tokens = match budget {
        Some(Given { value: Cap::Tokens(tokens), .. }) => Some(*tokens),
        _ => None,
    };
    if let Some(claude) = claude.filter(|claude| claude.is_adaptive()) {
        if effort.is_some() && tokens.is_some() {
            losses.given(budget.as_ref());
        }
        let by_budget = tokens.map(Thinking::effort_of_budget);
        let word = said.as_deref().or(by_budget);
        let known = word.and_then(|word| claude.effort(word));
        if said.is_some() && known != said.as_deref() && said.as_deref() != Some("minimal") {
            losses.given(effort.as_ref());
        }
        let asked = known.is_some() || budget.is_some() || on.is_some();
        let mode = if asked { Mode::Adaptive } else { Mode::Unset };
        return Decision { mode, effort: known.map(Text::from), display: None };
    }
    let by_budget = tokens.is_some();
    let tokens = tokens.or_else(|| said.as_deref().and_then(Thinking::budget_of_effort)).or_else(|| {
        let asked = on.is_some() || budget.is_some();
        asked.then(|| Thinking::budget_of_effort(USUAL_EFFORT)).flatten()
    });
    let Some(tokens) = tokens else {
        losses.given(effort.as_ref());
        return Decision::default();
    };
    // The limit counts thoughts too, and must be above the budget.
    let room = request.max_output.as_ref().map(|given| given.value).or(target.max_output);
    let fitted = tokens.max(MIN_BUDGET).min(room.map_or(MOST_BUDGET, |room| room.saturating_sub(1)));
    if fitted < tokens {
        losses.given(budget.as_ref());
    }
    if fitted < tokens || by_budget {
        losses.given(effort.as_ref());
    }
    if fitted < MIN_BUDGET {
        losses.given(effort.as_ref());
        losses.given(on.as_ref());
        return Decision::default();
    }
    Decision { mode: Mode::Budget(fitted), ..Decision::default() }
}

/// What is said where the client wants no thoughts.
fn switched_off<'r>(how: Off, thinking: &Thinking<'_>, losses: &mut Losses) -> Decision<'r> {
    let Thinking { on, effort, budget, .. } = thinking;
    let mode = match how {
        // Earlier models do not think unless they are told to.
        Off::Unsaid => Mode::Unset,
        Off::Disabled => Mode::Disabled,
        Off::BetweenTools => Mode::BetweenTools,
        Off::Never => {
            losses.given(on.as_ref().filter(|given| !given.value));
            losses.given(effort.as_ref().filter(|given| given.value == "none"));
            losses.given(budget.as_ref().filter(|given| given.value == Cap::Tokens(0)));
            return Decision { effort: Some(Text::from("low")), ..Decision::default() };
        }
    };
    Decision { mode, ..Decision::default() }
}

/// Whether the model's last turn called tools, and does not begin with thoughts that the target will take.
fn waits_for_thoughts(messages: &[Message<'_>], target: &Target<'_>) -> bool {
    let Some(last) = messages.iter().rposition(|message| message.role == Role::Assistant) else {
        return false;
    };
    // Consecutive messages of the model are one turn.
    let (before, from) = messages.split_at(last);
    let start = before.iter().rposition(|m| m.role != Role::Assistant).map_or(0, |at| at + 1);
    let turn = before.get(start..).unwrap_or_default().iter().chain(from.first());
    let mut blocks = turn.flat_map(|message| &message.blocks);
    let calls = blocks.clone().any(|block| matches!(block.content, Content::ToolCall(_)));
    let answered = from.iter().skip(1).flat_map(|message| &message.blocks);
    let answered = answered.into_iter().any(|block| matches!(block.content, Content::ToolResult(_)));
    let thoughtful = blocks.any(|block| match &block.content {
        Content::Reasoning(reasoning) => reasoning.seal.as_ref().is_some_and(|seal| seal.is_for(target)),
        _ => false,
    });
    calls && answered && !thoughtful
}
