//! Tools, and which of them must be called.

use crate::json::{Kind, Node, Text};
use crate::neutral::read::{needed, text};
use crate::neutral::{DecodeError, Extension, Given, Path, Request, Tool, ToolChoice, ToolKind, fields};

/// Reads `tools`.
pub(super) fn tools<'a>(list: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    if list.kind() != Kind::Array {
        return Err(DecodeError::wrong("tools", "a list"));
    }
    for (at, node) in (0u32..).zip(list.elements()) {
        request.tools.push(tool(node, Path::Item("tools", at))?);
    }
    Ok(())
}

fn tool<'a>(node: Node<'_, 'a>, path: Path) -> Result<Tool<'a>, DecodeError> {
    let mut members = fields(node, path)?;
    let kind = needed(&mut members, "type", path)?;
    let function = kind == "function";
    if !function && kind != "custom" {
        let server = ToolKind::Server(node.raw());
        return Ok(Tool { name: kind, description: None, kind: server, cache: None, path, rest: Vec::new() });
    }
    let name = needed(&mut members, "name", path)?;
    let description = text(&mut members, "description", path)?;
    let kind = if function {
        let schema = members.take("parameters");
        if schema.is_some_and(|schema| schema.kind() != Kind::Object) {
            return Err(DecodeError::wrong(path.member("parameters"), "a JSON Schema"));
        }
        let strict = members.take("strict");
        if strict.is_some_and(|strict| strict.bool().is_none()) {
            return Err(DecodeError::wrong(path.member("strict"), "true or false"));
        }
        ToolKind::Function {
            schema: schema.map(|schema| schema.raw().into()),
            strict: strict.and_then(Node::bool),
        }
    } else {
        ToolKind::Custom { format: members.take("format").map(Node::raw) }
    };
    let mut tool = Tool { name, description, kind, cache: None, path, rest: Vec::new() };
    Extension::collect(members, path, &mut tool.rest);
    Ok(tool)
}

/// `"auto"`, `{"type": "function", "name": …}`, `{"type": "allowed_tools", …}` …
pub(super) fn choice<'a>(
    node: Node<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Option<Given<ToolChoice<'a>>>, DecodeError> {
    const FIELD: &str = "tool_choice";
    let wrong = || DecodeError::wrong(FIELD, "`auto`, `none`, `required`, or an object that names a tool");
    if let Some(word) = node.text() {
        let choice = match &*word.value() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return Err(wrong()),
        };
        return Ok(Some(Given::new(FIELD, choice)));
    }
    let kind = node.get("type").and_then(Node::text).ok_or_else(wrong)?;
    let choice = match &*kind.value() {
        "function" | "custom" => Some(ToolChoice::Named(named(node).ok_or_else(wrong)?)),
        "allowed_tools" => {
            let tools = node.get("tools").filter(|tools| tools.kind() == Kind::Array).ok_or_else(wrong)?;
            let names: Option<Vec<_>> = tools.elements().map(named).collect();
            let required = node.get("mode").and_then(Node::text).is_some_and(|mode| mode == "required");
            names.map(|names| ToolChoice::Among { names, required })
        }
        _ => None,
    };
    if choice.is_none() {
        // A tool of the provider's own: only the same dialect can name it.
        rest.push(Extension { path: Path::Root, name: Text::Escaped(FIELD), raw: node.raw() });
    }
    Ok(choice.map(|choice| Given::new(FIELD, choice)))
}

/// The name of a tool that the client runs.
fn named<'a>(node: Node<'_, 'a>) -> Option<Text<'a>> {
    let kind = node.get("type")?.text()?;
    let plain = |key: &Text<'_>| *key == "type" || *key == "name";
    if (kind != "function" && kind != "custom") || !node.members().all(|(key, _)| plain(&key)) {
        return None;
    }
    node.get("name")?.text()
}
