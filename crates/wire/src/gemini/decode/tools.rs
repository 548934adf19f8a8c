//! Tools, and which of them must be called.

use super::super::words::{CALLING, MODE, NAMES};
use super::super::{read, schema};
use super::keep;
use crate::json::{Node, Text};
use crate::neutral::{DecodeError, Given, Path, Request, Schema, Tool, ToolChoice, ToolKind};

/// Reads `tools`. Each function is a tool; so is each of the provider's own (`googleSearch`), whose definition is
/// what stands under its name.
pub(super) fn read<'a>(node: Node<'_, 'a>) -> Result<Vec<Tool<'a>>, DecodeError> {
    let mut tools = Vec::new();
    for (at, node) in read::items(node, "tools")? {
        let path = Path::Item("tools", at);
        for member in read::members(node, path)? {
            let name = member.name().into_owned();
            if name == "functionDeclarations" {
                for (part, node) in read::items(member.node, path.member("functionDeclarations"))? {
                    tools.push(function(node, Path::Part("tools", at, "functionDeclarations", part))?);
                }
            } else {
                let kind = ToolKind::Server(member.node.raw());
                let name = Text::from(name);
                tools.push(Tool { name, description: None, kind, cache: None, path, rest: Vec::new() });
            }
        }
    }
    Ok(tools)
}

fn function<'a>(node: Node<'_, 'a>, path: Path) -> Result<Tool<'a>, DecodeError> {
    let (mut name, mut description) = (None, None);
    let (mut native, mut json): (Option<Schema<'a>>, Option<Schema<'a>>) = (None, None);
    let mut rest = Vec::new();
    for member in read::members(node, path)? {
        let node = member.node;
        match &*member.name() {
            "name" => name = Some(read::string(node, path.member("name"))?),
            "description" => description = Some(read::string(node, path.member("description"))?),
            "parameters" => {
                read::object(node, path.member("parameters"))?;
                native = Some(schema::read(node));
            }
            "parametersJsonSchema" => {
                json = Some(read::object(node, path.member("parametersJsonSchema"))?.into());
            }
            _ => member.keep(path, &mut rest),
        }
    }
    let name = name.ok_or_else(|| DecodeError::Missing { field: path.member("name") })?;
    let kind = ToolKind::Function { schema: json.or(native), strict: None };
    Ok(Tool { name, description, kind, cache: None, path, rest })
}

/// Reads `toolConfig`.
pub(super) fn config<'a>(node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    for member in read::members(node, "toolConfig")? {
        if member.name() == "functionCallingConfig" {
            calling(member.node, request)?;
        } else {
            member.keep_under("toolConfig", Path::Root, &mut request.rest);
        }
    }
    Ok(())
}

fn calling<'a>(node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let (mut mode, mut names) = (None, None);
    for member in read::members(node, CALLING)? {
        match &*member.name() {
            "mode" => mode = Some(member.node),
            "allowedFunctionNames" => names = Some(member.node),
            _ => member.keep_under(CALLING, Path::Root, &mut request.rest),
        }
    }
    let word = mode.map(|node| read::string(node, MODE)).transpose()?;
    let word = word.map(|word| word.value().to_ascii_uppercase()).unwrap_or_default();
    let mut allowed = names.map(|node| read::strings(node, NAMES)).transpose()?.unwrap_or_default();
    let choice = match (&*word, allowed.len()) {
        ("NONE", _) => {
            if let Some(names) = names.filter(|_| !allowed.is_empty()) {
                keep(request, NAMES, names.raw());
            }
            ToolChoice::None
        }
        ("ANY", 0) => ToolChoice::Required,
        ("ANY", 1) => ToolChoice::Named(allowed.remove(0)),
        ("ANY", _) => ToolChoice::Among { names: allowed, required: true },
        ("" | "AUTO" | "MODE_UNSPECIFIED" | "VALIDATED", count) => {
            // With names, `VALIDATED` is what "may call one of these" is written as.
            if let Some(mode) = mode.filter(|_| word == "VALIDATED" || count > 0) {
                keep(request, MODE, mode.raw());
            }
            if count == 0 { ToolChoice::Auto } else { ToolChoice::Among { names: allowed, required: false } }
        }
        _ => return Err(DecodeError::wrong(MODE, "`AUTO`, `ANY`, `NONE` or `VALIDATED`")),
    };
    if !word.is_empty() || choice != ToolChoice::Auto {
        request.tool_choice = Some(Given::new(CALLING, choice));
    }
    Ok(())
}
