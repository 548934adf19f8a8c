//! Blocks that wait for their turn: the dialect has one open at a time.

use crate::json::Text;
use crate::neutral::{BlockId, Content, Head, Path, Seal};

/// What a block begins with, kept until its turn.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Text,
    Reasoning,
    Call { id: String, name: String, custom: bool },
    Opaque(String),
}

impl Start {
    /// `None` for what this dialect cannot say.
    pub(super) fn of(head: &Head<'_>) -> Option<Self> {
        Some(match head {
            Head::Text | Head::Refusal => Self::Text,
            Head::Reasoning { .. } => Self::Reasoning,
            Head::ToolCall { id, item: _, name, custom } => {
                Self::Call { id: id.value().into_owned(), name: name.value().into_owned(), custom: *custom }
            }
            Head::Opaque(raw) => Self::Opaque((*raw).to_owned()),
            Head::Media(_) => return None,
        })
    }
}

/// A piece of a block that waits.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(Text<'static>),
    /// As JSON, in this dialect's form.
    Cite(String),
    Seal(Seal<'static>),
}

/// A block that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) block: BlockId,
    pub(super) start: Start,
    pub(super) pieces: Vec<Piece>,
    pub(super) closed: bool,
}

/// Where a medium stood that cannot be said.
pub(super) fn place(content: &Content<'_>) -> &'static str {
    match content {
        Content::Image(_) => "content.image",
        Content::Document(_) => "content.document",
        Content::Audio(_) => "content.audio",
        Content::Video(_) => "content.video",
        _ => "content",
    }
}

/// Where a further choice stood.
pub(super) fn choice(number: u64) -> String {
    Path::Item("choices", u32::try_from(number).unwrap_or(u32::MAX)).to_string()
}
