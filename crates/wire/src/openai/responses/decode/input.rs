//! The items of `input`.

use pointsman_core::Dialect;

use super::super::item::{self, Author};
use super::super::parts::{self, Place};
use super::super::words;
use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::read::{needed, text};
use crate::neutral::{
    Block, Content, DecodeError, Extension, Given, Message, Reasoning, Request, Role, Seal, SealKind,
    ToolResult, fields,
};

/// The member's name.
pub(super) const INPUT: &str = "input";

/// Reads them all.
pub(super) fn items<'a>(list: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    request.messages.reserve_exact(list.elements().count());
    for (at, node) in (0u32..).zip(list.elements()) {
        let message = read(node, Place { list: INPUT, at }, request)?;
        let Some(message) = rejoin(message, &mut request.messages) else { continue };
        request.messages.push(message);
    }
    Ok(())
}

fn read<'a>(node: Node<'_, 'a>, place: Place, request: &mut Request<'a>) -> Result<Message<'a>, DecodeError> {
    let path = place.item();
    let mut members = fields(node, path)?;
    let kind = match text(&mut members, "type", path)? {
        Some(kind) => kind,
        None if members.peek("role").is_some() => Text::Escaped("message"),
        None if members.peek("id").is_some() => Text::Escaped(REFERENCE),
        None => return Err(DecodeError::Missing { field: path.member("type") }),
    };
    let kind = kind.value();
    match &*kind {
        "message" => message(members, place),
        "reasoning" => thought(node, members, place),
        "function_call" | "custom_tool_call" => {
            let mut call = item::call(&mut members, path, kind == "custom_tool_call")?;
            call.item = words::real(call.item);
            item::take_completed(&mut members);
            let block = item::block(Content::ToolCall(call), members, place);
            Ok(Message::new(Role::Assistant, path, vec![block]))
        }
        "function_call_output" | "custom_tool_call_output" => {
            result(members, place, kind == "custom_tool_call_output")
        }
        kind => {
            if kind == REFERENCE
                && let Some(id) = node.get("id").and_then(Node::text)
            {
                // Only who holds it can go on from it.
                request.previous.get_or_insert(Given::new(INPUT, id));
            }
            let role = if answers(kind) { Role::User } else { Role::Assistant };
            Ok(Message::new(role, path, vec![Block::new(Content::Opaque(node.raw()), path)]))
        }
    }
}

/// Names an item that the provider holds.
const REFERENCE: &str = "item_reference";

/// Whether the client made an item of this kind, not the model.
fn answers(kind: &str) -> bool {
    kind.ends_with("_output") || matches!(kind, "mcp_approval_response" | "additional_tools")
}

fn message<'a>(mut members: Fields<'_, 'a>, place: Place) -> Result<Message<'a>, DecodeError> {
    let path = place.item();
    let role = match &*needed(&mut members, "role", path)?.value() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        _ => {
            const ROLES: &str = "`user`, `assistant`, `system` or `developer`";
            return Err(DecodeError::wrong(path.member("role"), ROLES));
        }
    };
    let content = members.take("content");
    let content = content.ok_or_else(|| DecodeError::Missing { field: path.member("content") })?;
    let mut message = Message::new(role, path, parts::read(content, place, "content")?);
    message.id = words::real(text(&mut members, "id", path)?);
    item::take_completed(&mut members);
    Extension::collect(members, path, &mut message.rest);
    Ok(message)
}

fn thought<'a>(
    node: Node<'_, 'a>,
    mut members: Fields<'_, 'a>,
    place: Place,
) -> Result<Message<'a>, DecodeError> {
    let path = place.item();
    let block = match item::reasoning(&mut members, path)? {
        Some((mut reasoning, cipher)) => {
            reasoning.seal = Author::Client.seal(cipher, None);
            // An id that was made here joins a proof with its call; without any seal it tells whose thought
            // this is.
            if reasoning.seal.is_some() && !is_proof(&reasoning) {
                reasoning.id = words::real(reasoning.id);
            }
            item::take_completed(&mut members);
            item::block(Content::Reasoning(reasoning), members, place)
        }
        None => Block::new(Content::Opaque(node.raw()), path),
    };
    Ok(Message::new(Role::Assistant, path, vec![block]))
}

fn result<'a>(mut members: Fields<'_, 'a>, place: Place, custom: bool) -> Result<Message<'a>, DecodeError> {
    const OUTPUT: &str = "output";
    let path = place.item();
    let id = text(&mut members, "call_id", path)?.unwrap_or_default();
    let name = text(&mut members, "name", path)?;
    if id.is_empty() && name.is_none() {
        return Err(DecodeError::Missing { field: path.member("call_id") });
    }
    let (mut content, mut object) = (Vec::new(), None);
    match members.take(OUTPUT) {
        // Some clients send what the tool returned as it is.
        Some(node) if node.kind() == Kind::Object => object = Some(node.raw()),
        Some(node) => content = parts::read(node, place, OUTPUT)?,
        None => {}
    }
    let result = ToolResult { id, name, content, object, failed: false, custom, own_name: false };
    let block = Block::new(Content::ToolResult(result), path);
    let mut message = Message::new(Role::User, path, vec![block]);
    message.id = words::real(text(&mut members, "id", path)?);
    item::take_completed(&mut members);
    Extension::collect(members, path, &mut message.rest);
    Ok(message)
}

/// How far back the call of a proof is looked for: calls made at once stand close together.
const REACH: usize = 128;

/// Gives a call its proof back: where a call has one (Gemini), the answer told it in an item behind the call,
/// for want of a place. Any other message is returned.
fn rejoin<'a>(mut message: Message<'a>, before: &mut [Message<'a>]) -> Option<Message<'a>> {
    let [Block { content: Content::Reasoning(reasoning), .. }] = message.blocks.as_mut_slice() else {
        return Some(message);
    };
    if !is_proof(reasoning) {
        return Some(message);
    }
    let proof = reasoning.seal.take();
    let named = reasoning.id.take();
    let id = named.as_ref().map(|id| words::proved_call(&id.value()).unwrap_or_default().to_owned());
    let recent = before.iter_mut().rev().take(REACH).filter_map(|turn| turn.blocks.first_mut());
    let mut calls = recent.enumerate().filter_map(|(back, block)| match &mut block.content {
        Content::ToolCall(call) => Some((back, call)),
        _ => None,
    });
    // Clients that give no ids keep the order.
    let found = calls.find(|(back, call)| id.as_ref().map_or(*back == 0, |id| call.id == **id));
    match found {
        Some((_, call)) if call.seal.is_none() => {
            call.seal = proof;
            None
        }
        _ => {
            reasoning.seal = proof;
            reasoning.id = words::real(named);
            Some(message)
        }
    }
}

/// Whether it is nothing but a proof, of a maker that proves calls.
fn is_proof(reasoning: &Reasoning<'_>) -> bool {
    let proves = |seal: &Seal<'_>| {
        seal.kind == SealKind::Signature && matches!(seal.dialect, Dialect::Gemini | Dialect::OpenAiChat)
    };
    reasoning.text.is_empty() && reasoning.summary.is_empty() && reasoning.seal.as_ref().is_some_and(proves)
}
