//! Requests and whole answers.

use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::*;
use crate::json::{Document, Text};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Cap, Choice, Citation, Content, DecodeError, Finish, Format,
    Given, Logprobs, Media, Message, Origin, Path, Quirks, Reason, Reasoning, Request, Resolved, Role, Seal,
    SealKind, Source, Target, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};

mod answers;
mod foreign;
mod hostile;
mod own;
mod pairs;

/// A target that thinks in budgets.
fn target() -> Target<'static> {
    Target::new(Dialect::Gemini, "google", "gemini-2.5-flash")
}

/// A target that thinks in levels, and wants its calls signed.
fn newer() -> Target<'static> {
    Target::new(Dialect::Gemini, "google", "gemini-3-flash-preview")
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
    decode_request(&document, "m", false).unwrap_err().to_string()
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
        name: Some(Text::from("weather")),
        content,
        object: None,
        failed: false,
        custom: false,
        own_name: false,
    }))
}

fn picture(source: Source<'static>) -> Block<'static> {
    block(Content::Image(Media { source, mime: None, name: None, detail: None }))
}

/// A request of another dialect with these turns.
fn foreign(messages: Vec<Message<'static>>) -> Request<'static> {
    let mut request = Request::new(Dialect::OpenAiChat, Text::from("any"));
    request.messages = messages;
    request
}

/// One that only says hello.
fn hello() -> Request<'static> {
    foreign(vec![said(Role::User, vec![text("Hello.")])])
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
