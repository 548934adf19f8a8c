//! What the answer must look like, how long to think, what to include, how to draw.

use super::super::words::{ENCRYPTED, INCLUDE, LOGPROBS};
use super::numbers;
use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::read::{count, text};
use crate::neutral::{DecodeError, Extension, Format, Given, Logprobs, Path, Request, fields};

/// `"text": {"format", "verbosity"}`
pub(super) fn text_config<'a>(
    members: &mut Fields<'_, 'a>,
    request: &mut Request<'a>,
) -> Result<(), DecodeError> {
    const FIELD: &str = "text";
    let Some(node) = members.take(FIELD) else { return Ok(()) };
    let mut inner = fields(node, FIELD)?;
    if let Some(node) = inner.take("format") {
        request.format = Some(format(node, &mut request.rest)?);
    }
    Extension::collect_under(inner, Path::Root, FIELD, &mut request.rest);
    Ok(())
}

fn format<'a>(node: Node<'_, 'a>, rest: &mut Vec<Extension<'a>>) -> Result<Given<Format<'a>>, DecodeError> {
    const FIELD: &str = "text.format";
    let place = Path::Field(FIELD);
    let mut members = fields(node, FIELD)?;
    let kind = members.take("type").and_then(Node::text);
    let kind = kind.ok_or_else(|| DecodeError::wrong(place.member("type"), "a string"))?;
    let format = match &*kind.value() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let schema = members.take("schema").filter(|schema| schema.kind() == Kind::Object);
            let schema = schema.ok_or_else(|| DecodeError::wrong(place.member("schema"), "a JSON Schema"))?;
            Format::Schema {
                name: text(&mut members, "name", place)?,
                description: text(&mut members, "description", place)?,
                schema: schema.raw().into(),
                strict: members.take("strict").and_then(Node::bool),
            }
        }
        // A grammar, say.
        _ => return Ok(Given::new(FIELD, Format::Other(node.raw()))),
    };
    Extension::collect_under(members, Path::Root, FIELD, rest);
    Ok(Given::new(FIELD, format))
}

/// `"reasoning": {"effort", "summary", "generate_summary"}`, and what else says how to think.
pub(super) fn reasoning<'a>(
    members: &mut Fields<'_, 'a>,
    request: &mut Request<'a>,
) -> Result<(), DecodeError> {
    const FIELD: &str = "reasoning";
    const OLDER: &str = "generate_summary";
    let Some(node) = members.take(FIELD) else { return Ok(()) };
    let place = Path::Field(FIELD);
    let mut inner = fields(node, FIELD)?;
    let thinking = &mut request.thinking;
    thinking.effort = text(&mut inner, "effort", place)?.map(|word| Given::new("reasoning.effort", word));
    thinking.summary = text(&mut inner, "summary", place)?.map(|word| Given::new("reasoning.summary", word));
    if thinking.summary.is_none() {
        let summary = text(&mut inner, OLDER, place)?;
        thinking.summary = summary.map(|word| Given::new("reasoning.generate_summary", word));
    }
    Extension::collect_under(inner, Path::Root, FIELD, &mut request.rest);
    Ok(())
}

/// `include`, and `top_logprobs`, which says nothing without it. Each of the other words is an extension.
pub(super) fn include<'a>(
    members: &mut Fields<'_, 'a>,
    request: &mut Request<'a>,
) -> Result<(), DecodeError> {
    const TOP: &str = "top_logprobs";
    let wrong = || DecodeError::wrong(INCLUDE, "a list of strings");
    let list = members.take(INCLUDE);
    if list.is_some_and(|list| list.kind() != Kind::Array) {
        return Err(wrong());
    }
    let mut logprobs = false;
    for node in list.into_iter().flat_map(Node::elements) {
        match &*node.text().ok_or_else(wrong)?.value() {
            ENCRYPTED => request.thinking.encrypted = Some(Given::new(INCLUDE, true)),
            LOGPROBS => logprobs = true,
            _ => request.rest.push(Extension {
                path: Path::Root,
                name: Text::Escaped(INCLUDE),
                raw: node.raw(),
            }),
        }
    }
    if logprobs {
        let top = count(members, TOP, TOP)?.map(|given| given.value);
        request.logprobs = Some(Given::new(INCLUDE, Logprobs { top }));
    }
    Ok(())
}

/// How to draw. Only the first two are OpenAI's; the others are known to servers that speak its dialect.
pub(super) fn sampling<'a>(
    members: &mut Fields<'_, 'a>,
    request: &mut Request<'a>,
) -> Result<(), DecodeError> {
    let sampling = &mut request.sampling;
    numbers(
        members,
        [
            ("temperature", &mut sampling.temperature),
            ("top_p", &mut sampling.top_p),
            ("top_k", &mut sampling.top_k),
            ("min_p", &mut sampling.min_p),
            ("frequency_penalty", &mut sampling.frequency_penalty),
            ("presence_penalty", &mut sampling.presence_penalty),
            ("repetition_penalty", &mut sampling.repeat_penalty),
            ("seed", &mut sampling.seed),
        ],
    )?;
    let Some(node) = members.take("stop") else { return Ok(()) };
    let wrong = || DecodeError::wrong("stop", "a string or a list of strings");
    let texts = match (node.text(), node.kind()) {
        (Some(text), _) => vec![text],
        (None, Kind::Array) => node.elements().map(Node::text).collect::<Option<_>>().ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    request.stop = Some(Given::new("stop", texts));
    Ok(())
}
