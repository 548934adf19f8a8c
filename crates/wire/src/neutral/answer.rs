//! A whole answer.

use std::borrow::Cow;

use pointsman_core::Usage;

use super::{Block, Content, Extension, Losses};
use crate::json::Text;

/// What a model answered.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    /// The provider's id; empty where it gives none.
    pub id: Text<'a>,
    /// The model, as the provider names it; empty where it does not.
    pub model: Text<'a>,
    /// Seconds since 1970, where the provider says.
    pub created: Option<u64>,
    /// The answers: one, unless more were asked for.
    pub choices: Vec<Choice<'a>>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// The price class that was used.
    pub service_tier: Option<Text<'a>>,
    /// Members that only the same dialect has a use for (ids of items, what repeats the request): others
    /// leave them out without a loss.
    pub own: Vec<Extension<'a>>,
    /// Members without a place here.
    pub rest: Vec<Extension<'a>>,
}

/// One answer of several.
#[derive(Clone, Debug, Default)]
pub struct Choice<'a> {
    /// Its number.
    pub index: u64,
    /// What it says, in order.
    pub blocks: Vec<Block<'a>>,
    /// Why it ended.
    pub finish: Option<Finish<'a>>,
    /// Log probabilities in OpenAI chat's form (`{"content": […]}`), as JSON.
    pub logprobs: Option<Cow<'a, str>>,
    /// Members without a place here.
    pub rest: Vec<Extension<'a>>,
}

impl<'a> Choice<'a> {
    /// What it says where a call is a whole one or none: the last call is left out, and declared, if its arguments
    /// end with the room that the model had. Some tool would be run with arguments that nobody gave.
    pub fn without_cut_call<'c>(
        &'c self,
        losses: &mut Losses,
    ) -> impl Iterator<Item = &'c Block<'a>> + use<'c, 'a> {
        let cut = self.cut_call();
        if let Some(block) = cut.and_then(|at| self.blocks.get(at)) {
            losses.at(block.path);
        }
        let kept = self.blocks.iter().enumerate().filter(move |(at, _)| Some(*at) != cut);
        kept.map(|(_, block)| block)
    }

    fn cut_call(&self) -> Option<usize> {
        self.finish.as_ref().filter(|finish| finish.reason.cuts())?;
        let last = self.blocks.iter().rposition(|block| matches!(block.content, Content::ToolCall(_)))?;
        match &self.blocks.get(last)?.content {
            Content::ToolCall(call) if call.arguments.is_cut() => Some(last),
            _ => None,
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    /// In the neutral words.
    pub reason: Reason,
    /// In the provider's words.
    pub raw: Option<Text<'a>>,
    /// The stop sequence that was met.
    pub stop_sequence: Option<Text<'a>>,
}

impl Finish<'_> {
    /// A reason alone.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, raw: None, stop_sequence: None }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The model had no more to say.
    Stop,
    /// It met a stop sequence.
    StopSequence,
    /// It wrote as much as it might.
    Length,
    /// It ran out of context.
    ContextLength,
    /// It waits for the results of tools.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// It refused.
    Refusal,
    /// It paused a long turn of the provider's own tools (Anthropic).
    Pause,
    /// It produced a call that could not be read (Gemini's `MALFORMED_FUNCTION_CALL`).
    Malformed,
    /// Something else; the provider's word is beside it.
    Other,
}

impl Reason {
    /// Whether the answer ends where the model had no more room, in the middle of anything.
    #[must_use]
    pub const fn cuts(self) -> bool {
        matches!(self, Self::Length | Self::ContextLength)
    }
}
