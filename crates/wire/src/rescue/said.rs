//! What a client has been told of an answer, and what that leaves to be done.

use super::call::Call;
use super::request::Terms;
use crate::json::Halves;
use crate::neutral::{BlockId, Event, Head};

/// An answer as far as its client knows it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// All of its text, in order.
    text: String,
    started: bool,
    halves: Halves,
    /// The blocks that are open, and what they are.
    open: Vec<(BlockId, Kind)>,
    calls: Vec<Call>,
    next: BlockId,
    thought: bool,
    refused: bool,
    pictured: bool,
    sounded: bool,
    further_choice: bool,
    weighed: bool,
    /// The last block that was opened.
    last: Option<(BlockId, Kind)>,
    deltas: u64,
    /// Those of text.
    spoken: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
    Call,
    Other,
}

/// What can be done about an answer that broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Somebody else answers from the beginning: nothing that counts was shown.
    Anew,
    /// Somebody else goes on behind the text.
    GoOn,
    /// The client must be told.
    None(Obstacle),
}

/// Why an answer cannot be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Part of it was shown, and the route begins only anew.
    Shown,
    /// A call was shown in part.
    CallInPart,
    /// Several choices were asked for.
    Choices,
    /// Log probabilities were asked for.
    Logprobs,
    /// It has sound.
    Audio,
    /// It has a picture.
    Media,
    /// It is a refusal.
    Refusal,
}

impl Obstacle {
    /// For the client.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "part of the answer was shown, and the route only restarts",
            Self::CallInPart => "a tool call was shown in part",
            Self::Choices => "an answer with several choices is not continued",
            Self::Logprobs => "an answer with log probabilities is not continued",
            Self::Audio => "an answer with audio is not continued",
            Self::Media => "an answer with a picture is not continued",
            Self::Refusal => "a refusal is not continued",
        }
    }
}

impl Said {
    /// Notes an event that the client was told.
    pub(super) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Open { block, choice, head } => self.open(*block, *choice, head),
            Event::Delta { block, text } => {
                self.deltas += u64::from(!text.is_empty());
                match self.kind(*block) {
                    Some(Kind::Text) => {
                        self.spoken += u64::from(!text.is_empty());
                        self.text.push_str(&self.halves.take(text));
                    }
                    Some(Kind::Call) => {
                        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.block == *block) {
                            call.arguments.push(&text.value());
                        }
                    }
                    Some(Kind::Reasoning) => self.thought |= !text.is_empty(),
                    Some(Kind::Other) | None => {}
                }
            }
            Event::Close { block } => {
                self.open.retain(|(id, _)| id != block);
                if let Some(call) = self.calls.iter_mut().rev().find(|call| call.block == *block) {
                    call.closed = true;
                }
            }
            Event::Sealed { block, .. } => self.thought |= self.kind(*block) == Some(Kind::Reasoning),
            Event::Logprobs { .. } => self.weighed = true,
            Event::Lost(name) => self.sounded |= name.value().ends_with("audio"),
            Event::Start { .. } => self.started = true,
            Event::Cite { .. }
            | Event::Usage(_)
            | Event::Finish { .. }
            | Event::ServiceTier(_)
            | Event::Ping
            | Event::Error(_)
            | Event::End => {}
        }
    }

    fn open(&mut self, block: BlockId, choice: u64, head: &Head<'_>) {
        use crate::neutral::Content;
        let kind = match head {
            Head::Text => Kind::Text,
            Head::Reasoning { .. } => Kind::Reasoning,
            Head::ToolCall { name, custom, .. } => {
                self.calls.push(Call::new(block, &name.value(), *custom));
                Kind::Call
            }
            Head::Refusal => {
                self.refused = true;
                Kind::Other
            }
            Head::Media(Content::Audio(_)) => {
                self.sounded = true;
                Kind::Other
            }
            Head::Media(_) => {
                self.pictured = true;
                Kind::Other
            }
            Head::Opaque(_) => Kind::Other,
        };
        self.further_choice |= choice != 0;
        self.open.push((block, kind));
        self.last = Some((block, kind));
        self.next = self.next.max(block.saturating_add(1));
    }

    fn kind(&self, block: BlockId) -> Option<Kind> {
        self.open.iter().rev().find(|(id, _)| *id == block).map(|(_, kind)| *kind)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Pieces of text, thoughts and calls: about one token each.
    #[must_use]
    pub const fn deltas(&self) -> u64 {
        self.deltas
    }

    /// Those of text alone.
    #[must_use]
    pub const fn spoken(&self) -> u64 {
        self.spoken
    }

    /// What can be done. `choices`: how many were asked for; `restart`: the route only begins anew.
    #[must_use]
    pub fn way(&self, choices: u64, restart: bool, terms: &Terms) -> Way {
        let called = !self.calls.is_empty();
        let spoke = !self.text.is_empty() || self.halves.waiting().is_some();
        if !(spoke || called || self.thought || self.refused || self.pictured || self.sounded) {
            return Way::Anew;
        }
        let obstacles = [
            (restart, Obstacle::Shown),
            (!self.calls.iter().all(Call::is_whole), Obstacle::CallInPart),
            (choices > 1 || self.further_choice, Obstacle::Choices),
            (terms.logprobs || self.weighed, Obstacle::Logprobs),
            (terms.audio || self.sounded, Obstacle::Audio),
            (self.pictured, Obstacle::Media),
            (self.refused, Obstacle::Refusal),
        ];
        match obstacles.into_iter().find(|(stands, _)| *stands) {
            Some((_, obstacle)) => Way::None(obstacle),
            None if self.text.trim().is_empty() => Way::Anew,
            None => Way::GoOn,
        }
    }

    /// Whether the answer has begun.
    pub(super) const fn started(&self) -> bool {
        self.started
    }

    /// The first half of a character whose second was not shown.
    pub(super) const fn half(&self) -> Option<u16> {
        self.halves.waiting()
    }

    /// The text block that may go on: it is open, and nothing was opened after it.
    pub(super) fn open_text(&self) -> Option<BlockId> {
        let (block, _) = self.last.filter(|(_, kind)| *kind == Kind::Text)?;
        self.kind(block).map(|_| block)
    }

    /// The open blocks that do not go on.
    pub(super) fn to_close(&self) -> impl Iterator<Item = BlockId> {
        let text = self.open_text();
        self.open.iter().map(|(block, _)| *block).filter(move |block| Some(*block) != text)
    }

    pub(super) fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// A number for blocks that no block has.
    pub(super) const fn next(&self) -> BlockId {
        self.next
    }

    /// Bytes that are kept.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.calls.iter().map(|call| call.arguments.text().len()).sum::<usize>()
    }
}
