//! How to draw, how long to think, what to write.

use super::{Draft, boolean, count, string};
use crate::json::{Kind, Node, Text};
use crate::neutral::{Cap, DecodeError, Extension, Format, Given, Path, Request, fields};

/// Takes a member of the request, if it is one of these.
pub(super) fn take<'a>(
    draft: &mut Draft<'_, 'a>,
    name: &str,
    node: Node<'_, 'a>,
) -> Result<bool, DecodeError> {
    let request = &mut draft.request;
    Ok(sampling(request, name, node)? || thinking(request, name, node)? || output(request, name, node)?)
}

fn sampling<'a>(request: &mut Request<'a>, name: &str, node: Node<'_, 'a>) -> Result<bool, DecodeError> {
    let sampling = &mut request.sampling;
    let (field, slot) = match name {
        "temperature" => ("temperature", &mut sampling.temperature),
        "top_p" => ("top_p", &mut sampling.top_p),
        "top_k" => ("top_k", &mut sampling.top_k),
        "min_p" => ("min_p", &mut sampling.min_p),
        "frequency_penalty" => ("frequency_penalty", &mut sampling.frequency_penalty),
        "presence_penalty" => ("presence_penalty", &mut sampling.presence_penalty),
        "repetition_penalty" => ("repetition_penalty", &mut sampling.repeat_penalty),
        "seed" => ("seed", &mut sampling.seed),
        _ => return Ok(false),
    };
    let number = node.number().ok_or_else(|| DecodeError::wrong(field, "a number"))?;
    *slot = Some(Given::new(field, number));
    Ok(true)
}

fn thinking<'a>(request: &mut Request<'a>, name: &str, node: Node<'_, 'a>) -> Result<bool, DecodeError> {
    let Request { thinking, rest, .. } = request;
    match name {
        "reasoning_effort" => {
            let effort = Given::new("reasoning_effort", string(node, name)?);
            once(&mut thinking.effort, effort, node, rest);
        }
        "enable_thinking" => {
            once(&mut thinking.on, Given::new("enable_thinking", boolean(node, name)?), node, rest);
        }
        "thinking_budget" => {
            let budget = Given::new("thinking_budget", Cap::Tokens(count(node, name)?));
            once(&mut thinking.budget, budget, node, rest);
        }
        "include_reasoning" => {
            once(&mut thinking.shown, Given::new("include_reasoning", boolean(node, name)?), node, rest);
        }
        "reasoning" => read_reasoning(request, node)?,
        "thinking" => read_thinking(request, node)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Vendors have several words for one thing, and a client may use more than one of them: the first counts, the
/// others are kept as they stand.
fn once<'a, T>(
    slot: &mut Option<Given<T>>,
    given: Given<T>,
    node: Node<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
) {
    if slot.is_some() {
        rest.push(Extension { path: Path::Root, name: Text::from(given.field), raw: node.raw() });
    } else {
        *slot = Some(given);
    }
}

/// OpenRouter's `{"effort", "max_tokens", "enabled", "exclude", "summary"}`.
fn read_reasoning<'a>(request: &mut Request<'a>, node: Node<'_, 'a>) -> Result<(), DecodeError> {
    let mut members = fields(node, "reasoning")?;
    let Request { thinking, rest, .. } = request;
    if let Some(node) = members.take("effort") {
        let effort = Given::new("reasoning.effort", string(node, "reasoning.effort")?);
        once(&mut thinking.effort, effort, node, rest);
    }
    if let Some(node) = members.take("max_tokens") {
        let tokens = Cap::Tokens(count(node, "reasoning.max_tokens")?);
        once(&mut thinking.budget, Given::new("reasoning.max_tokens", tokens), node, rest);
    }
    if let Some(node) = members.take("enabled") {
        let on = Given::new("reasoning.enabled", boolean(node, "reasoning.enabled")?);
        once(&mut thinking.on, on, node, rest);
    }
    if let Some(node) = members.take("exclude") {
        let shown = Given::new("reasoning.exclude", !boolean(node, "reasoning.exclude")?);
        once(&mut thinking.shown, shown, node, rest);
    }
    if let Some(node) = members.take("summary") {
        let summary = Given::new("reasoning.summary", string(node, "reasoning.summary")?);
        once(&mut thinking.summary, summary, node, rest);
    }
    Extension::collect_under(members, Path::Root, "reasoning", rest);
    Ok(())
}

/// `{"type": "enabled", "budget_tokens": 4096}`, as DeepSeek, Moonshot, Z.ai and gateways to Anthropic.
fn read_thinking<'a>(request: &mut Request<'a>, node: Node<'_, 'a>) -> Result<(), DecodeError> {
    let mut members = fields(node, "thinking")?;
    let Request { thinking, rest, .. } = request;
    if let Some(node) = members.take("type") {
        let kind = string(node, "thinking.type")?;
        if thinking.on.is_none() && thinking.budget.is_none() && (kind == "adaptive" || kind == "auto") {
            thinking.budget = Some(Given::new("thinking.type", Cap::Free));
        }
        once(&mut thinking.on, Given::new("thinking.type", kind != "disabled"), node, rest);
    }
    if let Some(node) = members.take("budget_tokens") {
        let tokens = Cap::Tokens(count(node, "thinking.budget_tokens")?);
        once(&mut thinking.budget, Given::new("thinking.budget_tokens", tokens), node, rest);
    }
    Extension::collect_under(members, Path::Root, "thinking", rest);
    Ok(())
}

fn output<'a>(request: &mut Request<'a>, name: &str, node: Node<'_, 'a>) -> Result<bool, DecodeError> {
    match name {
        "max_completion_tokens" => {
            request.max_output = Some(Given::new("max_completion_tokens", count(node, name)?));
        }
        "stop" => request.stop = Some(Given::new("stop", read_stop(node)?)),
        "n" => request.choices = Some(Given::new("n", count(node, name)?)),
        "parallel_tool_calls" => {
            request.parallel_tool_calls = Some(Given::new("parallel_tool_calls", boolean(node, name)?));
        }
        "metadata" => {
            if node.kind() != Kind::Object {
                return Err(DecodeError::wrong(name, "an object"));
            }
            request.metadata = Some(Given::new("metadata", node.raw()));
        }
        "store" => request.store = Some(Given::new("store", boolean(node, name)?)),
        "service_tier" => request.service_tier = Some(Given::new("service_tier", string(node, name)?)),
        "response_format" => request.format = Some(read_format(node, &mut request.rest)?),
        "stream_options" => {
            let mut members = fields(node, name)?;
            if let Some(usage) = members.take("include_usage") {
                const FIELD: &str = "stream_options.include_usage";
                request.stream_usage = Some(Given::new(FIELD, boolean(usage, FIELD)?));
            }
            Extension::collect_under(members, Path::Root, name, &mut request.rest);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_stop<'a>(node: Node<'_, 'a>) -> Result<Vec<Text<'a>>, DecodeError> {
    if let Some(text) = node.text() {
        return Ok(vec![text]);
    }
    let wrong = || DecodeError::wrong("stop", "a string or a list of strings");
    if node.kind() != Kind::Array {
        return Err(wrong());
    }
    node.elements().map(|stop| stop.text().ok_or_else(wrong)).collect()
}

fn read_format<'a>(
    node: Node<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Given<Format<'a>>, DecodeError> {
    const FIELD: &str = "response_format";
    const INNER: &str = "response_format.json_schema";
    let mut members = fields(node, FIELD)?;
    let kind = members.take("type").and_then(Node::text);
    let kind = kind.ok_or_else(|| DecodeError::wrong("response_format.type", "a string"))?;
    let format = match &*kind.value() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let inner = members.take("json_schema");
            let inner = inner.ok_or_else(|| DecodeError::Missing { field: INNER.to_owned() })?;
            let mut inner = fields(inner, INNER)?;
            let format = Format::Schema {
                name: inner.take("name").and_then(Node::text),
                description: inner.take("description").and_then(Node::text),
                // Without a schema any object will do.
                schema: inner.take("schema").map_or(r#"{"type":"object"}"#, Node::raw).into(),
                strict: inner.take("strict").and_then(Node::bool),
            };
            Extension::collect_under(inner, Path::Root, INNER, rest);
            format
        }
        _ => return Ok(Given::new(FIELD, Format::Other(node.raw()))),
    };
    Extension::collect_under(members, Path::Root, FIELD, rest);
    Ok(Given::new(FIELD, format))
}
