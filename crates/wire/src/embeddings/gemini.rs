//! Gemini's `:embedContent` and `:batchEmbedContents`.

use pointsman_core::{Dialect, Usage, UsageSource};

use super::{Answer, Input, Reply, Request, Said, Shape, Vector};
use crate::json::{Document, Fields, Kind, Node, Text, Writer};
use crate::neutral::read::text;
use crate::neutral::{DecodeError, EncodeError, Encoded, Extension, Losses, Path, Target, fields};

/// The length of a vector.
pub(super) const DIMENSIONS: &str = "outputDimensionality";
/// What a vector is for.
pub(super) const TASK: &str = "taskType";
/// A document's title.
pub(super) const TITLE: &str = "title";
const REQUESTS: &str = "requests";
const CONTENT: &str = "content";
const PARTS: &str = "content.parts";

pub(super) fn decode_one<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let body = fields(document.root(), Path::Root)?;
    let input = read_input(body, Path::Root, |part| Path::Item(PARTS, part))?;
    Ok(request(Shape::GeminiOne, vec![input], Vec::new()))
}

pub(super) fn decode_batch<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut body = fields(document.root(), Path::Root)?;
    let Some(list) = body.take(REQUESTS).filter(|list| list.kind() == Kind::Array) else {
        return Err(DecodeError::wrong(REQUESTS, "a list"));
    };
    let inputs = list.elements().enumerate().map(|(at, node)| {
        let path = Path::Item(REQUESTS, at as u32);
        read_input(fields(node, path)?, path, |part| Path::Part(REQUESTS, at as u32, PARTS, part))
    });
    let inputs = inputs.collect::<Result<_, _>>()?;
    let mut rest = Vec::new();
    Extension::collect(body, Path::Root, &mut rest);
    Ok(request(Shape::GeminiBatch, inputs, rest))
}

fn request<'a>(shape: Shape, inputs: Vec<Input<'a>>, rest: Vec<Extension<'a>>) -> Request<'a> {
    Request { shape, inputs, base64: false, user: None, truncate: None, rest }
}

fn read_input<'a>(
    mut body: Fields<'_, 'a>,
    path: Path,
    part: impl Fn(u32) -> Path,
) -> Result<Input<'a>, DecodeError> {
    // The path has it, or it is the same.
    body.take("model");
    let Some(content) = body.take(CONTENT) else {
        return Err(DecodeError::Missing { field: path.member(CONTENT) });
    };
    let mut input = Input::new(Said::Content(content.raw(), read_parts(content, path, part)?), path);
    input.task = either(&mut body, TASK, "task_type", path)?;
    input.title = text(&mut body, TITLE, path)?;
    input.dimensions = match body.take(DIMENSIONS).or_else(|| body.take("output_dimensionality")) {
        None => None,
        Some(node) => {
            Some(node.count().ok_or_else(|| DecodeError::wrong(path.member(DIMENSIONS), "a whole number"))?)
        }
    };
    Extension::collect(body, path, &mut input.rest);
    Ok(input)
}

/// Google reads both spellings.
fn either<'a>(
    body: &mut Fields<'_, 'a>,
    name: &'static str,
    other: &'static str,
    path: Path,
) -> Result<Option<Text<'a>>, DecodeError> {
    Ok(match text(body, name, path)? {
        None => text(body, other, path)?,
        found => found,
    })
}

/// The texts of a content, or the place of the first part that is none. Its `role` says nothing here.
fn read_parts<'a>(
    content: Node<'_, 'a>,
    path: Path,
    place: impl Fn(u32) -> Path,
) -> Result<Result<Vec<Text<'a>>, Path>, DecodeError> {
    let wrong = || DecodeError::wrong(path.member(CONTENT), "an object with `parts`");
    let parts = content.get("parts").filter(|parts| parts.kind() == Kind::Array).ok_or_else(wrong)?;
    let mut texts = Vec::new();
    for (at, part) in parts.elements().enumerate() {
        match part.get("text").and_then(Node::text) {
            Some(text) => texts.push(text),
            None => return Ok(Err(place(at as u32))),
        }
    }
    Ok(Ok(texts))
}

pub(super) fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let own = request.shape.dialect() == Dialect::Gemini;
    let mut losses = Losses::default();
    for input in request.inputs.iter().filter(|input| !(own && matches!(input.said, Said::Content(..)))) {
        input.texts()?;
    }
    let model = format!("models/{}", target.model);
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.key(REQUESTS).array(|w| {
            for input in &request.inputs {
                write_input(w, input, &model, own);
            }
        });
        if own {
            write_rest(w, &request.rest);
        }
    });
    losses.given(request.user.as_ref());
    losses.given(request.truncate.as_ref());
    if !own {
        losses.extensions(&request.rest);
        request.inputs.iter().for_each(|input| losses.extensions(&input.rest));
    }
    Ok(Encoded { body: writer.finish(), losses })
}

fn write_input(w: &mut Writer, input: &Input<'_>, model: &str, own: bool) {
    w.object(|w| {
        w.key("model").string(model).key(CONTENT);
        match &input.said {
            Said::Content(raw, _) if own => {
                w.raw(raw);
            }
            _ => {
                w.object(|w| {
                    w.key("parts").array(|w| {
                        w.object(|w| {
                            w.key("text").joined(input.texts().unwrap_or_default());
                        });
                    });
                });
            }
        }
        for (name, given) in [(TASK, &input.task), (TITLE, &input.title)] {
            if let Some(given) = given {
                w.key(name).text(given);
            }
        }
        if let Some(dimensions) = input.dimensions {
            w.key(DIMENSIONS).count(dimensions);
        }
        if own {
            write_rest(w, &input.rest);
        }
    });
}

fn write_rest(w: &mut Writer, rest: &[Extension<'_>]) {
    for extension in rest {
        w.key(&extension.name.value()).raw(extension.raw);
    }
}

pub(super) fn decode_answer<'a>(shape: Shape, document: &Document<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut body = fields(document.root(), Path::Root)?;
    let vector = |node: Node<'_, 'a>, place: &str| {
        let field = format!("{place}.values");
        match node.get("values") {
            Some(values) => Vector::read(values, &field),
            None => Err(DecodeError::Missing { field }),
        }
    };
    let vectors = match shape {
        Shape::GeminiOne => {
            let node =
                body.take("embedding").ok_or_else(|| DecodeError::Missing { field: "embedding".into() })?;
            vec![vector(node, "embedding")?]
        }
        _ => {
            let list = body.take("embeddings").filter(|list| list.kind() == Kind::Array);
            let list = list.ok_or_else(|| DecodeError::wrong("embeddings", "a list"))?;
            let vectors =
                list.elements().enumerate().map(|(at, node)| vector(node, &format!("embeddings[{at}]")));
            vectors.collect::<Result<_, _>>()?
        }
    };
    let usage = body.take("usageMetadata").and_then(|usage| {
        let input = usage.get("promptTokenCount").or_else(|| usage.get("totalTokenCount"))?.count()?;
        Some(Usage { input, source: UsageSource::Reported, ..Usage::default() })
    });
    let mut rest = Vec::new();
    Extension::collect(body, Path::Root, &mut rest);
    Ok(Answer { vectors, model: None, usage, rest })
}

pub(super) fn write_answer(w: &mut Writer, answer: &Answer<'_>, reply: &Reply<'_>) {
    let write = |w: &mut Writer, vector: &Vector<'_>| {
        w.object(|w| {
            w.key("values");
            vector.write(w);
        });
    };
    w.object(|w| {
        match reply.shape {
            Shape::GeminiOne => answer.vectors.iter().take(1).for_each(|vector| {
                w.key("embedding");
                write(w, vector);
            }),
            _ => {
                w.key("embeddings").array(|w| answer.vectors.iter().for_each(|vector| write(w, vector)));
            }
        }
        if reply.usage.source != UsageSource::Estimated {
            w.key("usageMetadata").object(|w| {
                w.key("promptTokenCount").count(reply.usage.input);
            });
        }
    });
}
