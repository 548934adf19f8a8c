//! The conversation in the order that the vendor takes: instructions apart, then turns of the user and of
//! the model by turns, results of tools first in theirs.
//!
//! Instructions that come later in the conversation become turns of `system` for the models that take those: the
//! vendor wants them right behind a turn of the user, with the model's turn or nothing behind them, so that they go
//! behind what the user says next. For other models they move to the others, as the vendor's own OpenAI-compatible
//! endpoint does it. At the end, behind what the model said, they are what it is to answer: a turn of the user. An
//! Anthropic client's conversation stays as it is.

use super::models::Claude;
use super::write::{self, Between};
use crate::json::Writer;
use crate::neutral::{Block, Content, Extension, Losses, Path, Request, Role};

/// What is said where there is no turn of the user at the start: the vendor wants one.
const OPENING: &str = "Begin.";

/// A turn under construction.
pub(super) struct Turn<'r, 'a> {
    role: Role,
    blocks: Vec<&'r Block<'a>>,
    rest: &'r [Extension<'a>],
}

/// A conversation, as it will be written.
#[derive(Default)]
pub(super) struct Conversation<'r, 'a> {
    pub(super) system: Vec<&'r Block<'a>>,
    pub(super) turns: Vec<Turn<'r, 'a>>,
    /// Instructions on their way behind what the user says.
    later: Vec<&'r Block<'a>>,
    /// Thoughts that another provider sealed, or that nobody did, were taken out.
    pub(super) removed: bool,
}

/// Sorts the conversation, and declares what of it cannot be said.
pub(super) fn sort<'r, 'a>(
    request: &'r Request<'a>,
    between: Between<'_>,
    losses: &mut Losses,
) -> Conversation<'r, 'a> {
    let mut sorted = Conversation::default();
    let later = Claude::of(between.target.model).is_some_and(Claude::takes_instructions_later);
    for message in &request.messages {
        if message.name.is_some() {
            losses.member(message.path, "name");
        }
        if message.id.is_some() {
            losses.member(message.path, "id");
        }
        if !between.own {
            losses.extensions(&message.rest);
        }
        let mut blocks = Vec::with_capacity(message.blocks.len());
        for block in &message.blocks {
            if between.sayable(block, losses) {
                blocks.push(block);
            } else {
                sorted.removed |= matches!(block.content, Content::Reasoning(_));
            }
        }
        let instructs = matches!(message.role, Role::System | Role::Developer);
        if instructs && (!between.own || message.path == Path::Field("system")) {
            for block in blocks {
                match block.content {
                    Content::Text { .. } if !sorted.turns.is_empty() => sorted.later.push(block),
                    Content::Text { .. } => sorted.system.push(block),
                    _ => losses.at(block.path),
                }
            }
            continue;
        }
        if message.role == Role::Assistant && !blocks.is_empty() {
            sorted.place_instructions(later);
        }
        match sorted.turns.last_mut() {
            Some(turn) if turn.role == message.role && !between.own => turn.blocks.extend(blocks),
            _ if blocks.is_empty() && !between.own => {}
            _ => sorted.turns.push(Turn { role: message.role, blocks, rest: &message.rest }),
        }
    }
    if sorted.is_begun() && !sorted.later.is_empty() {
        let blocks = std::mem::take(&mut sorted.later);
        sorted.turns.push(Turn { role: Role::User, blocks, rest: &[] });
    }
    sorted.place_instructions(later);
    if !between.own {
        for turn in sorted.turns.iter_mut().filter(|turn| turn.role == Role::User) {
            turn.blocks.sort_by_key(|block| !matches!(block.content, Content::ToolResult(_)));
        }
    }
    sorted
}

impl Conversation<'_, '_> {
    /// Puts the later instructions here, if they may stand `between` turns and this is a place for them.
    fn place_instructions(&mut self, between: bool) {
        let blocks = std::mem::take(&mut self.later);
        match self.turns.last() {
            _ if blocks.is_empty() => {}
            Some(turn) if between && turn.role == Role::User => {
                self.turns.push(Turn { role: Role::System, blocks, rest: &[] });
            }
            _ => self.system.extend(blocks),
        }
    }

    /// Whether nothing is said at all.
    pub(super) fn is_empty(&self) -> bool {
        self.system.is_empty() && self.turns.is_empty()
    }

    /// Whether the model is to go on with a turn that the client began.
    pub(super) fn is_begun(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.role == Role::Assistant)
    }

    /// Writes the value of `system`.
    pub(super) fn write_system(&self, w: &mut Writer, between: Between<'_>, losses: &mut Losses) {
        match write::lone_text(&self.system) {
            Some(text) => {
                w.text(text);
            }
            None => {
                w.array(|w| self.system.iter().for_each(|block| between.block(w, block, false, losses)));
            }
        }
    }

    /// Writes the value of `messages`.
    pub(super) fn write_turns(&self, w: &mut Writer, between: Between<'_>, losses: &mut Losses) {
        w.array(|w| {
            if !between.own && self.turns.first().is_none_or(|turn| turn.role != Role::User) {
                w.object(|w| {
                    w.key("role").string("user").key("content").string(OPENING);
                });
            }
            for (at, turn) in self.turns.iter().enumerate() {
                let ends = turn.role == Role::Assistant && at + 1 == self.turns.len();
                turn.write(w, between, ends && !between.own, losses);
            }
        });
    }
}

impl Turn<'_, '_> {
    fn write(&self, w: &mut Writer, between: Between<'_>, ends: bool, losses: &mut Losses) {
        let role = match self.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System | Role::Developer => "system",
        };
        w.object(|w| {
            w.key("role").string(role).key("content");
            match write::lone_text(&self.blocks) {
                Some(text) if ends => w.string(text.value().trim_end()),
                Some(text) => w.text(text),
                None => w.array(|w| {
                    let count = self.blocks.len();
                    for (at, block) in self.blocks.iter().enumerate() {
                        between.block(w, block, ends && at + 1 == count, losses);
                    }
                }),
            };
            if between.own {
                for extension in self.rest {
                    w.key(&extension.name.value()).raw(extension.raw);
                }
            }
        });
    }
}
