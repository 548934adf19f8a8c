//! Answers of `/v1/responses` that are kept here: what a request says of them, conversations put together
//! again, items with ids, lists of items, and the answer at the end of a stream.
//!
//! Shapes as in openai-python 3.54 (`resources/responses`). Ids that are made here have [`MADE`] behind their
//! prefix, like those of converted answers: no provider knows them.

mod items;
mod page;
#[cfg(test)]
mod tests;

pub use items::{ResumeError, input_items, made_by, resumed};
pub use page::{ItemQuery, render_items};

use crate::json::{Document, JsonError, Kind, Node, Writer};
use crate::sse::{EventTooLong, Framer};

/// Marks ids that were made here.
pub const MADE: &str = "pm1_";
/// How ids of answers begin.
pub const PREFIX: &str = "resp_";

/// What a request says of answers that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptRequest {
    /// The answer that it goes on from.
    pub previous: Option<String>,
    /// Whether its own answer is to be kept; absent: yes.
    pub store: bool,
    /// Items that it names instead of repeating them.
    pub references: Vec<String>,
}

/// Most references of one request that are looked up.
const MAX_REFERENCES: usize = 1_024;

impl KeptRequest {
    /// Reads the body of `POST /v1/responses`. What has the wrong type counts as absent.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn read(body: &[u8]) -> Result<Self, JsonError> {
        let document = Document::read(body)?;
        let root = document.root();
        let text = |name| root.get(name).and_then(Node::text).map(|text| text.into_value().into_owned());
        let named = memchr::memmem::find(body, MADE.as_bytes()).is_some();
        let references = root.get("input").filter(|_| named).into_iter().flat_map(Node::elements);
        Ok(Self {
            previous: text("previous_response_id").filter(|id| !id.is_empty()),
            store: root.get("store").and_then(Node::bool).unwrap_or(true),
            references: references.filter_map(items::reference).take(MAX_REFERENCES).collect(),
        })
    }
}

/// What an answer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// `resp_…`
    pub id: String,
    /// Whether its provider keeps it.
    pub stored: bool,
    /// Whether it has come to an end that is worth keeping: not if it failed.
    pub whole: bool,
}

impl KeptAnswer {
    /// Reads an answer; `None` where it is none.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let document = Document::read(body).ok()?;
        Self::of(document.root())
    }

    fn of(root: Node<'_, '_>) -> Option<Self> {
        let id = root.get("id")?.text()?.into_value().into_owned();
        let status = root.get("status").and_then(Node::text);
        let whole = status.is_some_and(|status| status == "completed" || status == "incomplete");
        let stored = root.get("store").and_then(Node::bool) == Some(true);
        (!id.is_empty()).then_some(Self { id, stored, whole })
    }
}

/// Looks at a stream on its way to the client for the answer itself: at its beginning, and whole at its end.
#[derive(Debug, Default)]
pub struct AnswerWatch {
    framer: Framer,
}

/// What was found in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself.
    pub answer: KeptAnswer,
    /// The answer as a JSON object.
    pub body: Vec<u8>,
}

/// The events that hold the answer, as they stand in bytes.
const EVENTS: [&[u8]; 3] = [b"response.created", b"response.completed", b"response.incomplete"];

impl AnswerWatch {
    /// The last answer in bytes that hold whole frames.
    ///
    /// # Errors
    /// A frame is too long.
    pub fn look(&mut self, frames: &[u8]) -> Result<Option<Found>, EventTooLong> {
        // Most have none: their frames are not taken apart.
        if !EVENTS.iter().any(|event| memchr::memmem::find(frames, event).is_some()) {
            return Ok(None);
        }
        let events = self.framer.events(frames)?;
        Ok(events.iter().rev().find_map(|event| found(&event.data)))
    }
}

fn found(data: &[u8]) -> Option<Found> {
    let document = Document::read(data).ok()?;
    let kind = document.root().get("type")?.text()?;
    let kind = kind.value();
    if !EVENTS.contains(&kind.as_bytes()) {
        return None;
    }
    let response = document.root().get("response").filter(|node| node.kind() == Kind::Object)?;
    Some(Found { answer: KeptAnswer::of(response)?, body: response.raw().as_bytes().to_vec() })
}

/// What `DELETE /v1/responses/{id}` answers.
#[must_use]
pub fn render_deleted(id: &str) -> Vec<u8> {
    let mut writer = Writer::with_capacity(96);
    writer.object(|w| {
        w.key("id").string(id).key("object").string("response").key("deleted").bool(true);
    });
    writer.finish()
}
