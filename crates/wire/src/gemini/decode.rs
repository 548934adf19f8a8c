//! A client's request.

mod options;
mod tools;

use pointsman_core::Dialect;

use super::join::join;
use super::part::{self, Side};
use super::read;
use crate::json::{Document, Node, Text};
use crate::neutral::{DecodeError, Extension, Given, Message, Path, Request, Role};

/// Reads the body of `:generateContent`, `:streamGenerateContent` or `:countTokens`; model and stream stand
/// in the path.
///
/// # Errors
/// A member that matters is missing or of another type.
pub fn decode_request<'a>(
    document: &Document<'a>,
    model: &'a str,
    stream: bool,
) -> Result<Request<'a>, DecodeError> {
    // A count may wrap the request that it is for.
    let root = read::get(document.root(), "generateContentRequest").unwrap_or(document.root());
    let mut request = Request::new(Dialect::Gemini, Text::from(model));
    request.stream = stream;
    let (mut system, mut contents) = (None, None);
    for member in read::members(root, Path::Root)? {
        let node = member.node;
        match &*member.name() {
            "contents" => contents = Some(turns(node)?),
            "systemInstruction" => system = Some(instruction(node)?),
            "tools" => request.tools = tools::read(node)?,
            "toolConfig" => tools::config(node, &mut request)?,
            "generationConfig" => options::read(node, &mut request)?,
            "serviceTier" => {
                request.service_tier = Some(Given::new("serviceTier", read::string(node, "serviceTier")?));
            }
            "store" => request.store = Some(Given::new("store", read::boolean(node, "store")?)),
            "labels" => request.metadata = Some(Given::new("labels", read::object(node, "labels")?)),
            // The path names it.
            "model" => {}
            _ => member.keep(Path::Root, &mut request.rest),
        }
    }
    request.messages.extend(system);
    let contents = contents.ok_or_else(|| DecodeError::Missing { field: "contents".to_owned() })?;
    request.messages.extend(join(contents));
    request.link();
    Ok(request)
}

fn instruction<'a>(node: Node<'_, 'a>) -> Result<Message<'a>, DecodeError> {
    let path = Path::Field("systemInstruction");
    let mut message = Message::new(Role::System, path, Vec::new());
    for member in read::members(node, path)? {
        match &*member.name() {
            "parts" => {
                let at = |part| Path::Item("systemInstruction.parts", part);
                message.blocks = part::read_all(member.node, path, at, Side::Client)?;
            }
            // Says nothing here.
            "role" if is_role(member.node) => {}
            _ => member.keep(path, &mut message.rest),
        }
    }
    Ok(message)
}

fn is_role(node: Node<'_, '_>) -> bool {
    node.text().is_some_and(|role| ["user", "system", "model", ""].iter().any(|word| role == *word))
}

fn turns<'a>(node: Node<'_, 'a>) -> Result<Vec<Message<'a>>, DecodeError> {
    read::items(node, "contents")?.map(|(at, node)| turn(node, at)).collect()
}

fn turn<'a>(node: Node<'_, 'a>, at: u32) -> Result<Message<'a>, DecodeError> {
    let path = Path::Item("contents", at);
    let mut message = Message::new(Role::User, path, Vec::new());
    for member in read::members(node, path)? {
        match &*member.name() {
            "role" => message.role = role(member.node, path)?,
            "parts" => {
                let at = |part| Path::Part("contents", at, "parts", part);
                message.blocks = part::read_all(member.node, path, at, Side::Client)?;
            }
            _ => member.keep(path, &mut message.rest),
        }
    }
    Ok(message)
}

/// Results of tools had a role of their own once.
fn role(node: Node<'_, '_>, path: Path) -> Result<Role, DecodeError> {
    const ROLES: &str = "`user`, `model` or `function`";
    let word = node.text().ok_or_else(|| DecodeError::wrong(path.member("role"), ROLES))?;
    match &*word.value() {
        "user" | "function" | "tool" | "" => Ok(Role::User),
        "model" => Ok(Role::Assistant),
        _ => Err(DecodeError::wrong(path.member("role"), ROLES)),
    }
}

/// Adds an extension of the document's top level; `name` is dotted where it stood deeper.
fn keep<'a>(request: &mut Request<'a>, name: &'static str, raw: &'a str) {
    request.rest.push(Extension { path: Path::Root, name: Text::from(name), raw });
}
