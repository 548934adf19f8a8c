//! Tools, the older `functions`, and which of them must be called.

use crate::json::{Kind, Node, Text};
use crate::neutral::{DecodeError, Extension, Given, Path, Request, Tool, ToolChoice, ToolKind, fields};

pub(super) fn read_tools<'a>(node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong("tools", "a list"));
    }
    for (at, tool) in (0u32..).zip(node.elements()) {
        request.tools.push(read_tool(tool, Path::Item("tools", at))?);
    }
    Ok(())
}

pub(super) fn read_functions<'a>(node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong("functions", "a list"));
    }
    for (at, function) in (0u32..).zip(node.elements()) {
        let path = Path::Item("functions", at);
        let mut tool = read_function(function, path, "")?;
        tool.path = path;
        request.tools.push(tool);
    }
    Ok(())
}

fn read_tool<'a>(node: Node<'_, 'a>, path: Path) -> Result<Tool<'a>, DecodeError> {
    let mut members = fields(node, path)?;
    let kind = members.take("type").and_then(Node::text).unwrap_or(Text::Escaped("function"));
    let missing = |name: &str| DecodeError::Missing { field: path.member(name) };
    let mut tool = match &*kind.value() {
        "function" => {
            read_function(members.take("function").ok_or_else(|| missing("function"))?, path, "function")?
        }
        "custom" => read_custom(members.take("custom").ok_or_else(|| missing("custom"))?, path)?,
        _ => {
            let server = ToolKind::Server(node.raw());
            let name = kind.clone();
            return Ok(Tool { name, description: None, kind: server, cache: None, path, rest: Vec::new() });
        }
    };
    tool.cache = members.take("cache_control").map(Node::raw);
    Extension::collect(members, path, &mut tool.rest);
    Ok(tool)
}

fn read_function<'a>(node: Node<'_, 'a>, path: Path, under: &str) -> Result<Tool<'a>, DecodeError> {
    let place = if under.is_empty() { path.to_string() } else { path.member(under) };
    let mut members = fields(node, &place)?;
    let name = members.take("name").and_then(Node::text);
    let name = name.ok_or_else(|| DecodeError::wrong(format!("{place}.name"), "a string"))?;
    let description = members.take("description").and_then(Node::text);
    let schema = members.take("parameters");
    if schema.is_some_and(|schema| schema.kind() != Kind::Object) {
        return Err(DecodeError::wrong(format!("{place}.parameters"), "a JSON Schema"));
    }
    let kind = ToolKind::Function {
        schema: schema.map(|schema| schema.raw().into()),
        strict: members.take("strict").and_then(Node::bool),
    };
    let mut tool = Tool { name, description, kind, cache: None, path, rest: Vec::new() };
    match under {
        "" => Extension::collect(members, path, &mut tool.rest),
        under => Extension::collect_under(members, path, under, &mut tool.rest),
    }
    Ok(tool)
}

fn read_custom<'a>(node: Node<'_, 'a>, path: Path) -> Result<Tool<'a>, DecodeError> {
    let place = path.member("custom");
    let mut members = fields(node, &place)?;
    let name = members.take("name").and_then(Node::text);
    let name = name.ok_or_else(|| DecodeError::wrong(format!("{place}.name"), "a string"))?;
    let description = members.take("description").and_then(Node::text);
    let kind = ToolKind::Custom { format: members.take("format").map(Node::raw) };
    let mut tool = Tool { name, description, kind, cache: None, path, rest: Vec::new() };
    Extension::collect_under(members, path, "custom", &mut tool.rest);
    Ok(tool)
}

/// `"auto"`, `{"type": "function", "function": {"name": …}}`, `{"type": "allowed_tools", …}` …
pub(super) fn read_choice<'a>(
    node: Node<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Option<Given<ToolChoice<'a>>>, DecodeError> {
    const FIELD: &str = "tool_choice";
    let wrong = || DecodeError::wrong(FIELD, "`auto`, `none`, `required`, or an object that names a tool");
    if let Some(word) = node.text() {
        let choice = match &*word.value() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            // Mistral's word.
            "required" | "any" => ToolChoice::Required,
            _ => return Err(wrong()),
        };
        return Ok(Some(Given::new(FIELD, choice)));
    }
    let mut members = node.fields().ok_or_else(wrong)?;
    let kind = members.take("type").and_then(Node::text).unwrap_or(Text::Escaped("function"));
    let choice = match &*kind.value() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" | "any" => ToolChoice::Required,
        kind @ ("function" | "custom") => ToolChoice::Named(named(node, kind).ok_or_else(wrong)?),
        "allowed_tools" => {
            let allowed = node.get("allowed_tools").ok_or_else(wrong)?;
            let tools = allowed.get("tools").ok_or_else(wrong)?;
            let names =
                tools.elements().map(|tool| named(tool, "function").or_else(|| named(tool, "custom")));
            ToolChoice::Among {
                names: names.collect::<Option<_>>().ok_or_else(wrong)?,
                required: allowed.get("mode").and_then(Node::text).is_some_and(|mode| mode == "required"),
            }
        }
        // A provider's own tool: only the same dialect can name it.
        _ => {
            rest.push(Extension { path: Path::Root, name: Text::Escaped(FIELD), raw: node.raw() });
            return Ok(None);
        }
    };
    Ok(Some(Given::new(FIELD, choice)))
}

fn named<'a>(node: Node<'_, 'a>, kind: &str) -> Option<Text<'a>> {
    node.get(kind)?.get("name")?.text()
}

/// The older `function_call`: `"auto"`, `"none"` or `{"name": …}`.
pub(super) fn read_function_choice<'a>(node: Node<'_, 'a>) -> Result<Given<ToolChoice<'a>>, DecodeError> {
    const FIELD: &str = "function_call";
    let wrong = || DecodeError::wrong(FIELD, "`auto`, `none`, or an object with a `name`");
    let choice = match node.text() {
        Some(word) if word == "auto" => ToolChoice::Auto,
        Some(word) if word == "none" => ToolChoice::None,
        Some(_) => return Err(wrong()),
        None => ToolChoice::Named(node.get("name").and_then(Node::text).ok_or_else(wrong)?),
    };
    Ok(Given::new(FIELD, choice))
}
