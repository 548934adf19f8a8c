//! A client's request.

use pointsman_core::Dialect;

use crate::json::{Document, Fields, Kind, Node, Text};
use crate::neutral::read::{count, flag, number, text};
use crate::neutral::{
    Arguments, Block, Cap, Content, DecodeError, Extension, Format, Given, Logprobs, Media, Message, Path,
    Reasoning, Request, Role, Seal, SealKind, Source, Thinking, Tool, ToolCall, ToolKind, ToolResult, fields,
};

/// Reads the body of `POST /api/chat`.
///
/// # Errors
/// A field that matters is missing or has the wrong type.
pub fn decode_request<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut body = fields(document.root(), "body")?;
    let model = crate::neutral::read::needed(&mut body, "model", Path::Root)?;
    let mut request = Request::new(Dialect::Ollama, model);
    // Ollama streams unless told otherwise.
    request.stream = flag(&mut body, "stream", "stream")?.is_none_or(|stream| stream.value);
    if let Some(messages) = body.take("messages") {
        request.messages = turns(messages)?;
    }
    if let Some(tools) = body.take("tools") {
        request.tools = read_tools(tools)?;
    }
    read_settings(body, &mut request)?;
    request.link();
    Ok(request)
}

/// What all of Ollama's requests say besides what is said; and what is left.
pub(super) fn read_settings<'a>(
    mut body: Fields<'_, 'a>,
    request: &mut Request<'a>,
) -> Result<(), DecodeError> {
    request.format = format(body.take("format"));
    thinking(&mut body, &mut request.thinking)?;
    let wants = flag(&mut body, "logprobs", "logprobs")?;
    let top = count(&mut body, "top_logprobs", "top_logprobs")?;
    if wants.as_ref().is_some_and(|wants| wants.value) || top.is_some() {
        let field = if wants.is_some() { "logprobs" } else { "top_logprobs" };
        request.logprobs = Some(Given::new(field, Logprobs { top: top.map(|top| top.value) }));
    }
    if let Some(node) = body.take("options") {
        let mut options = fields(node, "options")?;
        read_options(&mut options, request)?;
        Extension::collect_under(options, Path::Root, "options", &mut request.rest);
    }
    Extension::collect(body, Path::Root, &mut request.rest);
    Ok(())
}

fn read_options<'a>(options: &mut Fields<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let sampling = &mut request.sampling;
    sampling.temperature = number(options, "temperature", "options.temperature")?;
    sampling.top_p = number(options, "top_p", "options.top_p")?;
    sampling.top_k = number(options, "top_k", "options.top_k")?;
    sampling.min_p = number(options, "min_p", "options.min_p")?;
    sampling.frequency_penalty = number(options, "frequency_penalty", "options.frequency_penalty")?;
    sampling.presence_penalty = number(options, "presence_penalty", "options.presence_penalty")?;
    sampling.repeat_penalty = number(options, "repeat_penalty", "options.repeat_penalty")?;
    sampling.seed = number(options, "seed", "options.seed")?;
    limit(options, request)?;
    if let Some(stop) = options.take("stop") {
        let sequences = match stop.kind() {
            Kind::String => stop.text().into_iter().collect(),
            Kind::Array => strings(stop, "options.stop")?,
            _ => return Err(DecodeError::wrong("options.stop", "a list of strings")),
        };
        request.stop = Some(Given::new("options.stop", sequences));
    }
    Ok(())
}

/// `num_predict`. -1 and -2 mean "without end": the same as no limit. What else is no count stays where it is.
fn limit(options: &mut Fields<'_, '_>, request: &mut Request<'_>) -> Result<(), DecodeError> {
    const NAME: &str = "num_predict";
    const FIELD: &str = "options.num_predict";
    let Some(node) = options.peek(NAME) else { return Ok(()) };
    let number = node.number().ok_or_else(|| DecodeError::wrong(FIELD, "a number"))?;
    request.max_output = node.count().map(|tokens| Given::new(FIELD, tokens));
    if request.max_output.is_some() || matches!(number, "-1" | "-2") {
        options.take(NAME);
    }
    Ok(())
}

fn strings<'a>(node: Node<'_, 'a>, field: &str) -> Result<Vec<Text<'a>>, DecodeError> {
    node.elements()
        .map(|element| element.text().ok_or_else(|| DecodeError::wrong(field, "a list of strings")))
        .collect()
}

fn format<'a>(node: Option<Node<'_, 'a>>) -> Option<Given<Format<'a>>> {
    let node = node?;
    let format = match node.text() {
        Some(word) if word.is_empty() => return None,
        Some(word) if word == "json" => Format::Json,
        None if node.kind() == Kind::Object => {
            Format::Schema { name: None, description: None, schema: node.raw().into(), strict: None }
        }
        _ => Format::Other(node.raw()),
    };
    Some(Given::new("format", format))
}

/// `think`: a truth value, or how hard.
fn thinking<'a>(body: &mut Fields<'_, 'a>, thinking: &mut Thinking<'a>) -> Result<(), DecodeError> {
    let Some(node) = body.take("think") else { return Ok(()) };
    match (node.bool(), node.text()) {
        (Some(on), _) => thinking.on = Some(Given::new("think", on)),
        (None, Some(effort)) => thinking.effort = Some(Given::new("think", effort)),
        (None, None) => match node.count() {
            Some(tokens) => thinking.budget = Some(Given::new("think", Cap::Tokens(tokens))),
            None => return Err(DecodeError::wrong("think", "true, false or a word")),
        },
    }
    Ok(())
}

fn read_tools<'a>(node: Node<'_, 'a>) -> Result<Vec<Tool<'a>>, DecodeError> {
    let tool = |(at, node): (usize, Node<'_, 'a>)| {
        let path = Path::Item("tools", at as u32);
        let mut outer = fields(node, path)?;
        let Some(function) = outer.take("function") else {
            return Err(DecodeError::Missing { field: path.member("function") });
        };
        // Ollama takes a tool of any other type for a function too.
        if outer.peek("type").and_then(Node::text).is_some_and(|kind| kind == "function") {
            outer.take("type");
        }
        let mut function = fields(function, path.member("function"))?;
        let mut tool = Tool {
            name: crate::neutral::read::needed(&mut function, "name", path)?,
            description: text(&mut function, "description", path)?,
            kind: ToolKind::Function {
                schema: function.take("parameters").map(|schema| schema.raw().into()),
                strict: None,
            },
            cache: None,
            path,
            rest: Vec::new(),
        };
        Extension::collect_under(function, path, "function", &mut tool.rest);
        Extension::collect(outer, path, &mut tool.rest);
        Ok(tool)
    };
    node.elements().enumerate().map(tool).collect()
}

fn turns<'a>(node: Node<'_, 'a>) -> Result<Vec<Message<'a>>, DecodeError> {
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong("messages", "a list"));
    }
    node.elements().enumerate().map(|(at, node)| turn(node, Path::Item("messages", at as u32))).collect()
}

fn turn<'a>(node: Node<'_, 'a>, path: Path) -> Result<Message<'a>, DecodeError> {
    let mut turn = fields(node, path)?;
    let word = crate::neutral::read::needed(&mut turn, "role", path)?;
    let (role, is_tool) = match &*word.value() {
        "system" => (Role::System, false),
        "user" => (Role::User, false),
        "assistant" => (Role::Assistant, false),
        "tool" => (Role::User, true),
        _ => return Err(DecodeError::wrong(path.member("role"), "system, user, assistant or tool")),
    };
    let mut said = Vec::new();
    if let Some(content) = text(&mut turn, "content", path)?.filter(|content| !content.is_empty()) {
        said.push(Block::new(Content::text(content), path));
    }
    if let Some(images) = turn.take("images") {
        said.extend(read_images(images, path)?);
    }
    let mut message = Message::new(role, path, Vec::new());
    if is_tool {
        let result = ToolResult {
            id: text(&mut turn, "tool_call_id", path)?.unwrap_or_default(),
            name: text(&mut turn, "tool_name", path)?,
            content: said,
            object: None,
            failed: false,
            custom: false,
            own_name: false,
        };
        message.blocks.push(Block::new(Content::ToolResult(result), path));
    } else {
        if let Some(thoughts) = text(&mut turn, "thinking", path)?.filter(|thoughts| !thoughts.is_empty()) {
            let reasoning = Reasoning { text: vec![thoughts], ..Reasoning::default() };
            message.blocks.push(Block::new(Content::Reasoning(reasoning), path));
        }
        message.blocks.append(&mut said);
        if let Some(calls) = turn.take("tool_calls") {
            for (at, node) in calls.elements().enumerate() {
                message.blocks.push(call(node, path, at as u32, &mut message.rest)?);
            }
        }
    }
    Extension::collect(turn, path, &mut message.rest);
    Ok(message)
}

pub(super) fn read_images<'a>(node: Node<'_, 'a>, path: Path) -> Result<Vec<Block<'a>>, DecodeError> {
    let images = strings(node, &path.member("images"))?;
    let image = |data: Text<'a>| {
        let mime = Some(Text::from(crate::ollama::turns::image_type(&data.value())));
        let media = Media { source: Source::Base64(data), mime, name: None, detail: None };
        Block::new(Content::Image(media), path)
    };
    Ok(images.into_iter().map(image).collect())
}

/// A call, in a request's history or in an answer.
pub(super) fn call<'a>(
    node: Node<'_, 'a>,
    path: Path,
    at: u32,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Block<'a>, DecodeError> {
    let place = || path.member(&format!("tool_calls[{at}]"));
    let mut outer = fields(node, place())?;
    let Some(function) = outer.take("function") else {
        return Err(DecodeError::Missing { field: format!("{}.function", place()) });
    };
    let mut function = fields(function, format!("{}.function", place()))?;
    let arguments = match function.take("arguments") {
        None => Arguments::Object("{}"),
        Some(node) if node.kind() == Kind::Object => Arguments::Object(node.raw()),
        Some(node) => match node.text() {
            // Older versions and some clients write them as OpenAI does.
            Some(text) => Arguments::Quoted(text),
            None => return Err(DecodeError::wrong(format!("{}.function.arguments", place()), "an object")),
        },
    };
    // Calls are numbered by their order; the number says nothing more.
    function.take("index");
    outer.take("type");
    let seal = text(&mut outer, "signature", path)?
        .map(|text| Seal::from_client(text, SealKind::Signature, Dialect::Ollama));
    let call = ToolCall {
        id: text(&mut outer, "id", path)?.unwrap_or_default(),
        item: None,
        name: crate::neutral::read::needed(&mut function, "name", path)?,
        arguments,
        seal,
    };
    Extension::collect_under(function, path, "tool_calls.function", rest);
    Extension::collect_under(outer, path, "tool_calls", rest);
    Ok(Block::new(Content::ToolCall(call), path))
}
