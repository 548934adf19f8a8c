//! The neutral form: what a request, an answer and a stream mean, whatever the dialect.
//!
//! A decoder makes a [`Request`] of a client's body, an encoder makes a provider's body of that and of
//! a [`Target`]; answers go the other way as an [`Answer`], or as a stream of [`Event`]s. Nothing is
//! passed over: what a decoder has no place for is kept as an [`Extension`] where it was found, and an
//! encoder tells in [`Losses`] whatever it did not carry over. Texts stay escaped and borrowed.

mod answer;
mod arguments;
mod context;
mod event;
pub mod ids;
mod loss;
mod media;
mod message;
mod names;
pub(crate) mod read;
mod request;
mod schema;
mod seal;
mod size;
mod target;
pub(crate) mod terms;
mod tool;

pub use answer::{Answer, Choice, Finish, Reason};
pub use arguments::{Arguments, NotAnObject};
pub use context::{AnswerContext, Encoded, Origin, Sink};
pub use event::{BlockId, Event, Head};
pub use loss::{Extension, Losses, Path};
pub use media::{type_of, write_data_url};
pub use message::{Block, Citation, Content, Media, Message, Reasoning, Role, Source, ToolCall, ToolResult};
pub use names::ToolNames;
pub use request::{Cap, Format, Given, Logprobs, Request, Sampling, Thinking, ToolChoice};
pub use schema::Schema;
pub use seal::{Behind, Seal, SealKind, may_hold_results, may_hold_tag};
pub use size::CHARS_PER_TOKEN;
pub use target::{Need, Quirks, Resolved, Target};
pub use tool::{Tool, ToolKind};
pub(crate) use tool::{custom_names, is_custom};

use pointsman_core::Dialect;

use crate::json::{JsonError, Node};

/// Why a document is no request, answer or event of its dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member that matters has another type or value than the dialect allows.
    #[error("`{field}` must be {expected}")]
    Wrong {
        /// Where, in the dialect's own words: `messages[2].content`.
        field: String,
        /// What belongs there: `a string`.
        expected: &'static str,
    },
    /// A member that matters is missing.
    #[error("`{field}` is missing")]
    Missing {
        /// Where, in the dialect's own words.
        field: String,
    },
}

impl DecodeError {
    /// The field at fault, where it is known.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Json(_) => None,
            Self::Wrong { field, .. } | Self::Missing { field } => Some(field),
        }
    }

    /// The member at `path` has the wrong type.
    #[must_use]
    pub fn wrong(path: impl std::fmt::Display, expected: &'static str) -> Self {
        Self::Wrong { field: path.to_string(), expected }
    }
}

/// Why a request cannot be said in the target's dialect at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct EncodeError {
    /// Where, in the client's own words.
    pub field: String,
    /// Why: `must be resolved first`, `has no counterpart in …`.
    pub problem: &'static str,
}

impl EncodeError {
    /// The conversation says nothing, or nothing that the target can be told.
    pub(crate) fn empty(client: Dialect) -> Self {
        let problem =
            "must hold at least one message with text, or with something else that this provider takes";
        Self { field: terms::conversation(client).to_owned(), problem }
    }
}

/// The members of the object at `path`.
///
/// # Errors
/// It is something else.
pub fn fields<'d, 'a>(
    node: Node<'d, 'a>,
    path: impl std::fmt::Display,
) -> Result<crate::json::Fields<'d, 'a>, DecodeError> {
    node.fields().ok_or_else(|| DecodeError::wrong(path, "an object"))
}
