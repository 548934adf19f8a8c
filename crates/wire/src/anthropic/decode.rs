//! A client's request.

use pointsman_core::Dialect;

use super::block::{self, Side};
use crate::json::{Document, Fields, Kind, Node, Text};
use crate::neutral::{
    Block, Cap, Content, DecodeError, Extension, Format, Given, Message, Path, Request, Role, SealKind, Tool,
    ToolChoice, ToolKind, fields, read,
};

/// Reads the body of `POST /v1/messages` or `/v1/messages/count_tokens`.
///
/// # Errors
/// A member that matters is missing or of another type.
pub fn decode_request<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut members = fields(document.root(), Path::Root)?;
    let mut request = Request::new(Dialect::Anthropic, read::needed(&mut members, "model", Path::Root)?);
    if let Some(system) = members.take("system") {
        let place = Path::Field("system");
        let blocks = block::content(system, place, |at| Path::Item("system", at), Side::Client)
            .map_err(|error| rename(error, "system.content", "system"))?;
        request.messages.push(Message::new(Role::System, place, blocks));
    }
    turns(&mut members, &mut request)?;
    if let Some(tools) = members.take("tools") {
        if tools.kind() != Kind::Array {
            return Err(DecodeError::wrong("tools", "an array"));
        }
        for (at, node) in (0u32..).zip(tools.elements()) {
            request.tools.push(tool(node, Path::Item("tools", at))?);
        }
    }
    tool_choice(&mut members, &mut request)?;
    thinking(&mut members, &mut request)?;
    output(&mut members, &mut request)?;
    metadata(&mut members, &mut request)?;
    request.max_output = read::count(&mut members, "max_tokens", "max_tokens")?;
    request.stop = stop(&mut members)?;
    request.sampling.temperature = read::number(&mut members, "temperature", "temperature")?;
    request.sampling.top_p = read::number(&mut members, "top_p", "top_p")?;
    request.sampling.top_k = read::number(&mut members, "top_k", "top_k")?;
    request.service_tier =
        read::text(&mut members, "service_tier", Path::Root)?.map(|tier| Given::new("service_tier", tier));
    request.stream = read::flag(&mut members, "stream", "stream")?.is_some_and(|given| given.value);
    Extension::collect(members, Path::Root, &mut request.rest);
    request.link();
    Ok(request)
}

fn turns<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let messages =
        members.take("messages").ok_or_else(|| DecodeError::Missing { field: "messages".into() })?;
    if messages.kind() != Kind::Array {
        return Err(DecodeError::wrong("messages", "an array"));
    }
    request.messages.reserve_exact(messages.elements().count() + 1);
    for (at, node) in (0u32..).zip(messages.elements()) {
        let path = Path::Item("messages", at);
        let mut inner = fields(node, path)?;
        let role = match &*read::needed(&mut inner, "role", path)?.value() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => {
                return Err(DecodeError::wrong(path.member("role"), "`user`, `assistant` or `system`"));
            }
        };
        let content =
            inner.take("content").ok_or_else(|| DecodeError::Missing { field: path.member("content") })?;
        let blocks =
            block::content(content, path, |part| Path::Part("messages", at, "content", part), Side::Client)?;
        let mut message = Message::new(role, path, rejoin(blocks));
        Extension::collect(inner, path, &mut message.rest);
        request.messages.push(message);
    }
    Ok(())
}

/// Gives calls their proofs back: where a call has one (Gemini), the answer told it in a
/// `redacted_thinking` block after the call. Ciphers of thoughts are no [`SealKind::Signature`].
fn rejoin(blocks: Vec<Block<'_>>) -> Vec<Block<'_>> {
    let mut joined: Vec<Block<'_>> = Vec::with_capacity(blocks.len());
    for mut block in blocks {
        if let Content::Reasoning(reasoning) = &mut block.content
            && reasoning.text.is_empty()
            && let Some(seal) = reasoning
                .seal
                .take_if(|seal| seal.kind == SealKind::Signature && seal.dialect != Dialect::Anthropic)
        {
            if let Some(Content::ToolCall(call)) = joined.last_mut().map(|last| &mut last.content)
                && call.seal.is_none()
            {
                call.seal = Some(seal);
                continue;
            }
            reasoning.seal = Some(seal);
        }
        joined.push(block);
    }
    joined
}

fn tool<'a>(node: Node<'_, 'a>, path: Path) -> Result<Tool<'a>, DecodeError> {
    let mut members = fields(node, path)?;
    let kind = read::text(&mut members, "type", path)?;
    if let Some(kind) = kind.filter(|kind| *kind != "custom") {
        let kind_of_tool = ToolKind::Server(node.raw());
        return Ok(Tool {
            name: kind,
            description: None,
            kind: kind_of_tool,
            cache: None,
            path,
            rest: Vec::new(),
        });
    }
    let name = read::needed(&mut members, "name", path)?;
    let description = read::text(&mut members, "description", path)?;
    let schema = members.take("input_schema");
    if schema.is_some_and(|schema| schema.kind() != Kind::Object) {
        return Err(DecodeError::wrong(path.member("input_schema"), "an object"));
    }
    let strict = members.take("strict");
    if strict.is_some_and(|strict| strict.bool().is_none()) {
        return Err(DecodeError::wrong(path.member("strict"), "true or false"));
    }
    let kind = ToolKind::Function {
        schema: schema.map(|schema| schema.raw().into()),
        strict: strict.and_then(Node::bool),
    };
    let cache = members.take("cache_control").map(Node::raw);
    let mut rest = Vec::new();
    Extension::collect(members, path, &mut rest);
    Ok(Tool { name, description, kind, cache, path, rest })
}

fn tool_choice<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let Some(node) = members.take("tool_choice") else { return Ok(()) };
    let mut inner = fields(node, "tool_choice")?;
    let kind = inner.take("type").and_then(Node::text).unwrap_or_default();
    let choice = match &*kind.value() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => {
            let name = inner.take("name").and_then(Node::text);
            ToolChoice::Named(name.ok_or_else(|| DecodeError::wrong("tool_choice.name", "a string"))?)
        }
        _ => return Err(DecodeError::wrong("tool_choice.type", "`auto`, `any`, `tool` or `none`")),
    };
    request.tool_choice = Some(Given::new("tool_choice", choice));
    let alone = read::flag(&mut inner, "disable_parallel_tool_use", "tool_choice.disable_parallel_tool_use")?;
    request.parallel_tool_calls = alone.map(|given| Given::new(given.field, !given.value));
    Extension::collect_under(inner, Path::Root, "tool_choice", &mut request.rest);
    Ok(())
}

fn thinking<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let Some(node) = members.take("thinking") else { return Ok(()) };
    let mut inner = fields(node, "thinking")?;
    let kind = inner.take("type").and_then(Node::text);
    let kind = kind.ok_or_else(|| DecodeError::wrong("thinking.type", "a string"))?;
    match &*kind.value() {
        "enabled" => {
            let budget = read::count(&mut inner, "budget_tokens", "thinking.budget_tokens")?;
            let missing = || DecodeError::Missing { field: "thinking.budget_tokens".into() };
            let budget = budget.ok_or_else(missing)?;
            request.thinking.budget = Some(Given::new(budget.field, Cap::Tokens(budget.value)));
        }
        "adaptive" => request.thinking.budget = Some(Given::new("thinking.type", Cap::Free)),
        "disabled" => request.thinking.on = Some(Given::new("thinking.type", false)),
        // `between_tools` and what is yet to come: only Anthropic knows what it means.
        _ => {
            let raw = node.raw();
            request.rest.push(Extension { path: Path::Root, name: Text::from("thinking"), raw });
            return Ok(());
        }
    }
    if let Some(display) = inner.peek("display").and_then(Node::text)
        && (display == "summarized" || display == "omitted")
    {
        inner.take("display");
        request.thinking.shown = Some(Given::new("thinking.display", display == "summarized"));
    }
    Extension::collect_under(inner, Path::Root, "thinking", &mut request.rest);
    Ok(())
}

/// `output_config`, and `output_format`, its name while it was in beta.
fn output<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    if let Some(node) = members.take("output_format") {
        request.format = Some(Given::new("output_format", format(node)));
    }
    let Some(node) = members.take("output_config") else { return Ok(()) };
    let mut inner = fields(node, "output_config")?;
    if let Some(effort) = inner.take("effort") {
        let effort = effort.text().ok_or_else(|| DecodeError::wrong("output_config.effort", "a string"))?;
        request.thinking.effort = Some(Given::new("output_config.effort", effort));
    }
    if let Some(node) = inner.take("format") {
        request.format = Some(Given::new("output_config.format", format(node)));
    }
    Extension::collect_under(inner, Path::Root, "output_config", &mut request.rest);
    Ok(())
}

fn format<'a>(node: Node<'_, 'a>) -> Format<'a> {
    let known = node.get("type").and_then(Node::text).is_some_and(|kind| kind == "json_schema")
        && node.members().all(|(key, _)| key == "type" || key == "schema");
    match node.get("schema").filter(|schema| known && schema.kind() == Kind::Object) {
        Some(schema) => {
            Format::Schema { name: None, description: None, schema: schema.raw().into(), strict: None }
        }
        None => Format::Other(node.raw()),
    }
}

fn metadata<'a>(members: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let Some(node) = members.take("metadata") else { return Ok(()) };
    let mut inner = fields(node, "metadata")?;
    if let Some(user) = inner.take("user_id") {
        let user = user.text().ok_or_else(|| DecodeError::wrong("metadata.user_id", "a string"))?;
        request.user = Some(Given::new("metadata.user_id", user));
    }
    Extension::collect_under(inner, Path::Root, "metadata", &mut request.rest);
    Ok(())
}

fn stop<'a>(members: &mut Fields<'_, 'a>) -> Result<Option<Given<Vec<Text<'a>>>>, DecodeError> {
    let Some(node) = members.take("stop_sequences") else { return Ok(None) };
    let wrong = || DecodeError::wrong("stop_sequences", "an array of strings");
    if node.kind() != Kind::Array {
        return Err(wrong());
    }
    let texts: Option<Vec<_>> = node.elements().map(Node::text).collect();
    Ok(Some(Given::new("stop_sequences", texts.ok_or_else(wrong)?)))
}

fn rename(error: DecodeError, from: &str, to: &str) -> DecodeError {
    match error {
        DecodeError::Wrong { field, expected } if field == from => {
            DecodeError::Wrong { field: to.to_owned(), expected }
        }
        other => other,
    }
}
