//! Ids that this dialect wants and others do not give, and which items are its own.

use crate::json::{Document, Node, Text};

/// Marks the ids that were made here for what another provider said: no provider of this dialect knows them.
/// [`crate::neutral::may_hold_tag`] looks for it.
const MADE: &str = "pm1_";

/// The member that lists what else the answer is to have.
pub(super) const INCLUDE: &str = "include";
/// One of its words.
pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";
/// One of its words.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// An item that needs an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Reasoning,
    Function,
    Custom,
    Image,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Message => "msg_",
            Self::Reasoning => "rs_",
            Self::Function => "fc_",
            Self::Custom => "ctc_",
            Self::Image => "ig_",
        }
    }

    /// An id for the item at this place of the request's answer.
    pub(super) fn made(self, request: &str, number: usize) -> String {
        format!("{}{MADE}{request}_{number}", self.prefix())
    }
}

/// The id of the item that carries a call's proof.
pub(super) fn proof_id(call: &Text<'_>) -> String {
    format!("{}{MADE}{}", Kind::Reasoning.prefix(), call.value())
}

/// The call whose proof an item of this id carries.
pub(super) fn proved_call(id: &str) -> Option<&str> {
    id.strip_prefix(Kind::Reasoning.prefix())?.strip_prefix(MADE)
}

/// Whether the id was made here.
pub(super) fn is_made(id: &Text<'_>) -> bool {
    id.value().split_once('_').is_some_and(|(_, rest)| rest.starts_with(MADE))
}

/// What a client gives as an id, unless it was made here.
pub(super) fn real(id: Option<Text<'_>>) -> Option<Text<'_>> {
    id.filter(|id| !is_made(id))
}

/// Whether JSON of some dialect's own kind is an item of this one.
pub(super) fn is_own_item(raw: &str) -> bool {
    let Ok(document) = Document::read(raw.as_bytes()) else { return false };
    let kind = document.root().get("type").and_then(Node::text);
    kind.is_some_and(|kind| {
        let kind = kind.value();
        let known = kind.starts_with("function_call") || kind.starts_with("custom_tool_call");
        !known && (kind.ends_with("_call") || kind.ends_with("_call_output"))
            || matches!(
                &*kind,
                "mcp_list_tools"
                    | "mcp_approval_request"
                    | "mcp_approval_response"
                    | "compaction"
                    | "item_reference"
            )
    })
}
