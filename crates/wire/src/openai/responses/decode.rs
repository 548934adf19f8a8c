//! A client's request.
//!
//! Each item of `input` becomes a turn of its own, so that the same items come back. [`input`] reads them,
//! [`tools`] the tools, [`options`] how to write and to think.

mod input;
mod options;
mod tools;

use pointsman_core::Dialect;

use crate::json::{Document, Fields, Kind, Node, Text};
use crate::neutral::read::{count, flag, needed, number, text};
use crate::neutral::{Block, Content, DecodeError, Extension, Given, Message, Path, Request, Role, fields};

/// Reads the body of `POST /v1/responses` or `/v1/responses/input_tokens`.
///
/// # Errors
/// A member that matters is missing or of another type.
pub fn decode_request<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut members = fields(document.root(), Path::Root)?;
    // A prompt that the provider keeps has a model of its own.
    let model = match members.peek("prompt") {
        Some(_) => text(&mut members, "model", Path::Root)?.unwrap_or_default(),
        None => needed(&mut members, "model", Path::Root)?,
    };
    let mut request = Request::new(Dialect::OpenAiResponses, model);
    if let Some(instructions) = text(&mut members, "instructions", Path::Root)? {
        let place = Path::Field("instructions");
        let said = Block::new(Content::text(instructions), place);
        request.messages.push(Message::new(Role::System, place, vec![said]));
    }
    held(&mut members, &mut request)?;
    said(&mut members, &mut request)?;
    if let Some(list) = members.take("tools") {
        tools::tools(list, &mut request)?;
    }
    if let Some(choice) = members.take("tool_choice") {
        request.tool_choice = tools::choice(choice, &mut request.rest)?;
    }
    request.parallel_tool_calls = flag(&mut members, "parallel_tool_calls", "parallel_tool_calls")?;
    options::text_config(&mut members, &mut request)?;
    options::reasoning(&mut members, &mut request)?;
    options::include(&mut members, &mut request)?;
    options::sampling(&mut members, &mut request)?;
    account(&mut members, &mut request)?;
    request.stream = flag(&mut members, "stream", "stream")?.is_some_and(|given| given.value);
    if let Some(node) = members.take("stream_options") {
        let inner = fields(node, "stream_options")?;
        Extension::collect_under(inner, Path::Root, "stream_options", &mut request.rest);
    }
    Extension::collect(members, Path::Root, &mut request.rest);
    request.link();
    Ok(request)
}

/// What the provider holds of the conversation: an answer, or a conversation object.
fn held<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    const CONVERSATION: &str = "conversation";
    let previous = text(members, "previous_response_id", Path::Root)?;
    request.previous = previous.map(|id| Given::new("previous_response_id", id));
    let Some(node) = members.peek(CONVERSATION) else { return Ok(()) };
    let id = node.text().or_else(|| node.get("id").and_then(Node::text));
    let id = id.ok_or_else(|| DecodeError::wrong(CONVERSATION, "an id, or an object with an `id`"))?;
    // The member itself stays among the extensions: a string here, an object there.
    request.previous.get_or_insert(Given::new(CONVERSATION, id));
    Ok(())
}

fn said<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let Some(node) = members.take(input::INPUT) else {
        let goes_on = request.previous.is_some() || members.peek("prompt").is_some();
        return if goes_on { Ok(()) } else { Err(DecodeError::Missing { field: input::INPUT.into() }) };
    };
    if let Some(text) = node.text() {
        let place = Path::Field(input::INPUT);
        let said = Block::new(Content::text(text), place);
        request.messages.push(Message::new(Role::User, place, vec![said]));
        return Ok(());
    }
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong(input::INPUT, "a string or a list of items"));
    }
    input::items(node, request)
}

fn account<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    request.max_output = count(members, "max_output_tokens", "max_output_tokens")?;
    if let Some(node) = members.take("metadata") {
        if node.kind() != Kind::Object {
            return Err(DecodeError::wrong("metadata", "an object"));
        }
        request.metadata = Some(Given::new("metadata", node.raw()));
    }
    request.user = text(members, "user", Path::Root)?.map(|user| Given::new("user", user));
    // The newer name; beside the older one it stays among the extensions.
    if request.user.is_none() {
        const FIELD: &str = "safety_identifier";
        request.user = text(members, FIELD, Path::Root)?.map(|user| Given::new(FIELD, user));
    }
    let tier: Option<Text<'a>> = text(members, "service_tier", Path::Root)?;
    request.service_tier = tier.map(|tier| Given::new("service_tier", tier));
    request.store = flag(members, "store", "store")?;
    Ok(())
}

/// Numbers that say how to draw, by their names.
fn numbers<'a>(
    members: &mut Fields<'_, 'a>,
    slots: [(&'static str, &mut Option<Given<&'a str>>); 8],
) -> Result<(), DecodeError> {
    for (name, slot) in slots {
        *slot = number(members, name, name)?;
    }
    Ok(())
}
