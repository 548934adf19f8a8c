//! Requests of clients that speak OpenAI chat.
//!
//! Fields as in OpenAI's reference, and what vendors added to them that other dialects know too
//! (`top_k`, `reasoning`, `thinking`, `enable_thinking` …). All others are kept as they stand.

mod options;
mod tools;

use std::collections::HashSet;

use pointsman_core::Dialect;

use super::assistant::{self, Author};
use super::parts::{self, Place};
use crate::json::{Document, Kind, Node, Text};
use crate::neutral::{
    Arguments, Block, Content, DecodeError, Extension, Given, Message, Path, Request, Role, ToolResult,
    fields,
};

/// Reads a request.
///
/// # Errors
/// A field that matters is missing or of another type.
pub fn decode_request<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(DecodeError::wrong(Path::Root, "an object"));
    }
    let mut draft = Draft {
        request: Request::new(Dialect::OpenAiChat, Text::default()),
        messages: None,
        model: None,
        max_tokens: None,
        logprobs: None,
        top_logprobs: None,
        user: None,
        safety_identifier: None,
    };
    for (key, node) in root.members().filter(|(_, node)| !node.is_null()) {
        let name = key.value();
        let known = draft.take(&name, node)? || options::take(&mut draft, &name, node)?;
        drop(name);
        if !known {
            draft.request.rest.push(Extension { path: Path::Root, name: key, raw: node.raw() });
        }
    }
    draft.finish()
}

/// A request whose members have not all been seen: some depend on each other.
struct Draft<'d, 'a> {
    request: Request<'a>,
    messages: Option<Node<'d, 'a>>,
    model: Option<Text<'a>>,
    max_tokens: Option<Node<'d, 'a>>,
    logprobs: Option<bool>,
    top_logprobs: Option<Node<'d, 'a>>,
    user: Option<Node<'d, 'a>>,
    safety_identifier: Option<Node<'d, 'a>>,
}

impl<'d, 'a> Draft<'d, 'a> {
    fn take(&mut self, name: &str, node: Node<'d, 'a>) -> Result<bool, DecodeError> {
        let request = &mut self.request;
        match name {
            "model" => self.model = Some(string(node, "model")?),
            "messages" => self.messages = Some(node),
            "tools" => tools::read_tools(node, request)?,
            "functions" => tools::read_functions(node, request)?,
            "tool_choice" => request.tool_choice = tools::read_choice(node, &mut request.rest)?,
            "function_call" => request.tool_choice = Some(tools::read_function_choice(node)?),
            "stream" => request.stream = boolean(node, "stream")?,
            "max_tokens" => self.max_tokens = Some(node),
            "logprobs" => self.logprobs = Some(boolean(node, "logprobs")?),
            "top_logprobs" => self.top_logprobs = Some(node),
            "user" => self.user = Some(node),
            "safety_identifier" => self.safety_identifier = Some(node),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(mut self) -> Result<Request<'a>, DecodeError> {
        let missing = |field: &str| DecodeError::Missing { field: field.to_owned() };
        self.request.model = self.model.take().ok_or_else(|| missing("model"))?;
        let messages = self.messages.ok_or_else(|| missing("messages"))?;
        self.options()?;
        let mut request = self.request;
        if messages.kind() != Kind::Array {
            return Err(DecodeError::wrong("messages", "a list"));
        }
        let mut custom = false;
        request.messages.reserve_exact(messages.elements().count());
        for (at, message) in (0u32..).zip(messages.elements()) {
            let message = read_message(message, Place { list: "messages", at })?;
            custom |= message.blocks.iter().any(is_custom_call);
            request.messages.push(message);
        }
        if custom {
            mark_custom_results(&mut request);
        }
        request.link();
        Ok(request)
    }

    /// What depends on more than one member: the fuller of two counts, the other is kept as it stands.
    fn options(&mut self) -> Result<(), DecodeError> {
        let request = &mut self.request;
        let mut keep = |name: &'static str, node: Node<'_, 'a>| {
            request.rest.push(Extension { path: Path::Root, name: Text::Escaped(name), raw: node.raw() });
        };
        if let Some(node) = self.max_tokens {
            let limit = count(node, "max_tokens")?;
            match request.max_output {
                None => request.max_output = Some(Given::new("max_tokens", limit)),
                Some(_) => keep("max_tokens", node),
            }
        }
        let top = self.top_logprobs.map(|node| count(node, "top_logprobs")).transpose()?;
        match (self.logprobs, self.top_logprobs) {
            (Some(true), _) => {
                request.logprobs = Some(Given::new("logprobs", crate::neutral::Logprobs { top }));
            }
            (_, Some(node)) => keep("top_logprobs", node),
            _ => {}
        }
        match (self.user, self.safety_identifier) {
            (Some(user), other) => {
                if let Some(other) = other {
                    keep("safety_identifier", other);
                }
                request.user = Some(Given::new("user", string(user, "user")?));
            }
            (None, Some(id)) => {
                let field = "safety_identifier";
                request.user = Some(Given::new(field, string(id, field)?));
            }
            (None, None) => {}
        }
        Ok(())
    }
}

fn read_message<'a>(node: Node<'_, 'a>, place: Place) -> Result<Message<'a>, DecodeError> {
    const ROLES: &str = "`system`, `developer`, `user`, `assistant` or `tool`";
    let path = place.item();
    let mut members = fields(node, path)?;
    let role = members.take("role").ok_or_else(|| DecodeError::Missing { field: path.member("role") })?;
    let role = role.text().ok_or_else(|| DecodeError::wrong(path.member("role"), ROLES))?;
    let mut message = Message::new(Role::User, path, Vec::new());
    match &*role.value() {
        role @ ("system" | "developer" | "user") => {
            message.role = match role {
                "system" => Role::System,
                "developer" => Role::Developer,
                _ => Role::User,
            };
            let content = members.take("content");
            let content = content.ok_or_else(|| DecodeError::Missing { field: path.member("content") })?;
            parts::read(content, place, &mut message.blocks)?;
        }
        "assistant" => {
            message.role = Role::Assistant;
            message.blocks = assistant::read(&mut members, place, Author::Client, &mut message.rest)?;
        }
        role @ ("tool" | "function") => {
            let mut content = Vec::new();
            if let Some(node) = members.take("content") {
                parts::read(node, place, &mut content)?;
            }
            let id = members.take("tool_call_id").and_then(Node::text).unwrap_or_default();
            let name = members.take("name").and_then(Node::text);
            if id.is_empty() && role == "tool" && name.is_none() {
                return Err(DecodeError::Missing { field: path.member("tool_call_id") });
            }
            let result =
                ToolResult { id, name, content, object: None, failed: false, custom: false, own_name: false };
            let path = if role == "tool" { path } else { place.part("function", 0) };
            message.blocks = vec![Block::new(Content::ToolResult(result), path)];
        }
        _ => return Err(DecodeError::wrong(path.member("role"), ROLES)),
    }
    message.name = members.take("name").and_then(Node::text);
    Extension::collect(members, path, &mut message.rest);
    Ok(message)
}

fn is_custom_call(block: &Block<'_>) -> bool {
    matches!(&block.content, Content::ToolCall(call) if matches!(call.arguments, Arguments::Free(_)))
}

/// A result does not say that its tool was a custom one; its call does.
fn mark_custom_results(request: &mut Request<'_>) {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let ids: HashSet<Text<'_>> = blocks
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) if is_custom_call(block) => Some(call.id.clone()),
            _ => None,
        })
        .collect();
    for block in request.messages.iter_mut().flat_map(|message| &mut message.blocks) {
        if let Content::ToolResult(result) = &mut block.content {
            result.custom = ids.contains(&result.id);
        }
    }
}

fn string<'a>(node: Node<'_, 'a>, field: &str) -> Result<Text<'a>, DecodeError> {
    node.text().ok_or_else(|| DecodeError::wrong(field, "a string"))
}

fn boolean(node: Node<'_, '_>, field: &str) -> Result<bool, DecodeError> {
    node.bool().ok_or_else(|| DecodeError::wrong(field, "true or false"))
}

fn count(node: Node<'_, '_>, field: &str) -> Result<u64, DecodeError> {
    node.count().ok_or_else(|| DecodeError::wrong(field, "a whole number"))
}
