//! Items that requests and answers have in common: thoughts, calls, messages.

use pointsman_core::Dialect;

use super::parts::Place;
use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::read::{needed, text};
use crate::neutral::{
    Arguments, Block, Content, DecodeError, Extension, Path, Reasoning, Seal, SealKind, ToolCall,
};

/// Who handed over what the model said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Author<'a> {
    /// A client, which has it from an earlier answer.
    Client,
    /// This provider.
    Provider(&'a str),
}

impl<'a> Author<'a> {
    /// The cipher of a thought; `None` if it is empty. The provider binds it to the item's id, so the two
    /// leave together: [`unbind`] parts them.
    pub(super) fn seal(self, data: Text<'a>, id: Option<&Text<'a>>) -> Option<Seal<'a>> {
        if data.is_empty() {
            return None;
        }
        const KIND: SealKind = SealKind::Encrypted;
        Some(match self {
            Self::Client => Seal::from_client(data, KIND, Dialect::OpenAiResponses),
            Self::Provider(name) => Seal::from_provider(bind(data, id), KIND, Dialect::OpenAiResponses, name),
        })
    }
}

/// Stands between an item's id and its cipher.
const BOND: char = ':';

/// A cipher and the id of its item as one text.
pub(super) fn bind<'a>(data: Text<'a>, id: Option<&Text<'_>>) -> Text<'a> {
    match id {
        Some(id) => Text::from(format!("{}{BOND}{}", id.value(), data.value())),
        None => data,
    }
}

/// The item's id, where it is known, and the cipher. Ciphers are base64, which has no colon.
pub(super) fn unbind(data: &str) -> (Option<&str>, &str) {
    match data.split_once(BOND) {
        Some((id, data)) => (Some(id), data),
        None => (None, data),
    }
}

/// `{"type": "reasoning", "id", "summary", "content", "encrypted_content"}`, without its `type`: the thought
/// without its seal, and the cipher that [`Author::seal`] makes one of. `None` where it holds something else
/// than texts.
pub(super) fn reasoning<'a>(
    members: &mut Fields<'_, 'a>,
    path: Path,
) -> Result<Option<(Reasoning<'a>, Text<'a>)>, DecodeError> {
    let id = text(members, "id", path)?;
    let Some(summary) = texts(members.take("summary")) else { return Ok(None) };
    let Some(said) = texts(members.take("content")) else { return Ok(None) };
    let cipher = text(members, "encrypted_content", path)?.unwrap_or_default();
    Ok(Some((Reasoning { id, text: said, summary, seal: None }, cipher)))
}

/// `[{"type": "summary_text", "text": "…"}]`
fn texts<'a>(list: Option<Node<'_, 'a>>) -> Option<Vec<Text<'a>>> {
    let Some(list) = list else { return Some(Vec::new()) };
    if list.kind() != Kind::Array {
        return None;
    }
    list.elements()
        .map(|part| {
            let plain = part.members().all(|(key, value)| key == "type" || key == "text" || value.is_null());
            part.get("text").and_then(Node::text).filter(|_| plain)
        })
        .collect()
}

/// `{"type": "function_call", "id", "call_id", "name", "arguments"}` or `custom_tool_call` with its `input`,
/// without its `type`.
pub(super) fn call<'a>(
    members: &mut Fields<'_, 'a>,
    path: Path,
    custom: bool,
) -> Result<ToolCall<'a>, DecodeError> {
    let item = text(members, "id", path)?;
    let id = text(members, "call_id", path)?.or_else(|| item.clone()).unwrap_or_default();
    let name = needed(members, "name", path)?;
    let arguments = if custom {
        Arguments::Free(needed(members, "input", path)?)
    } else {
        match members.take("arguments") {
            // Some servers send the object itself.
            Some(node) if node.kind() == Kind::Object => Arguments::Object(node.raw()),
            Some(node) => {
                let text = node.text();
                Arguments::Quoted(
                    text.ok_or_else(|| DecodeError::wrong(path.member("arguments"), "a string"))?,
                )
            }
            None => return Err(DecodeError::Missing { field: path.member("arguments") }),
        }
    };
    Ok(ToolCall { id, item, name, arguments, seal: None })
}

/// Takes an item's `status`, unless it says more than that the item is whole.
pub(super) fn take_completed(members: &mut Fields<'_, '_>) {
    if members.peek("status").and_then(Node::text).is_some_and(|status| status == "completed") {
        members.take("status");
    }
}

/// A block for an item that is one, with what nobody took of it.
pub(super) fn block<'a>(content: Content<'a>, members: Fields<'_, 'a>, place: Place) -> Block<'a> {
    let mut block = Block::new(content, place.item());
    Extension::collect(members, place.item(), &mut block.rest);
    block
}
