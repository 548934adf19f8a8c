//! Requests and whole answers.

use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::*;
use crate::json::{Document, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Cap, Choice, Citation, Content, DecodeError, EncodeError,
    Finish, Format, Given, Logprobs, Media, Message, Origin, Path, Quirks, Reason, Reasoning, Request,
    Resolved, Role, Seal, SealKind, Source, Target, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};

mod answers;
mod foreign;
mod own;

/// A target that thinks in budgets.
fn target() -> Target<'static> {
    Target::new(Dialect::Anthropic, "anthropic", "claude-sonnet-4-5")
}

/// A target that decides for itself.
fn newer() -> Target<'static> {
    Target::new(Dialect::Anthropic, "anthropic", "claude-opus-4-6")
}

fn encoded(request: &Request<'_>, target: &Target<'_>) -> (Value, Vec<String>) {
    let encoded = encode_request(request, target).unwrap();
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    let text = String::from_utf8(encoded.body).unwrap();
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), losses)
}

fn refused(body: &Value) -> String {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    decode_request(&document).unwrap_err().to_string()
}

fn text(value: &'static str) -> Block<'static> {
    Block::new(Content::text(Text::from(value)), Path::Item("messages", 0))
}

fn block(content: Content<'static>) -> Block<'static> {
    Block::new(content, Path::Part("messages", 1, "content", 0))
}

fn said(role: Role, blocks: Vec<Block<'static>>) -> Message<'static> {
    Message::new(role, Path::Item("messages", 0), blocks)
}

fn call(id: &'static str, arguments: Arguments<'static>) -> Block<'static> {
    let name = Text::from("weather");
    block(Content::ToolCall(ToolCall { id: Text::from(id), item: None, name, arguments, seal: None }))
}

fn result(id: &'static str, content: Vec<Block<'static>>) -> Block<'static> {
    block(Content::ToolResult(ToolResult {
        id: Text::from(id),
        name: None,
        content,
        object: None,
        failed: false,
        custom: false,
        own_name: false,
    }))
}

/// A request of another dialect with these turns.
fn foreign(messages: Vec<Message<'static>>) -> Request<'static> {
    let mut request = Request::new(Dialect::OpenAiChat, Text::from("any"));
    request.messages = messages;
    request
}

fn function(name: &'static str) -> Tool<'static> {
    Tool {
        name: Text::from(name),
        description: None,
        kind: ToolKind::Function { schema: Some(r#"{"type":"object"}"#.into()), strict: None },
        cache: None,
        path: Path::Item("tools", 0),
        rest: Vec::new(),
    }
}
