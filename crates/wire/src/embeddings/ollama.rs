//! Ollama's `POST /api/embed`, and the older `POST /api/embeddings` for one text.

use pointsman_core::{Dialect, Usage, UsageSource};

use super::{Answer, Input, Reply, Request, Said, Shape, Vector};
use crate::json::{Document, Kind, Node, Writer};
use crate::neutral::read::{count, flag, needed, text};
use crate::neutral::{DecodeError, EncodeError, Encoded, Extension, Losses, Path, Target, fields};

const INPUT: &str = "input";
const PROMPT: &str = "prompt";

pub(super) fn decode_request<'a>(shape: Shape, document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut body = fields(document.root(), Path::Root)?;
    needed(&mut body, "model", Path::Root)?;
    let inputs = match shape {
        Shape::OllamaOne => {
            let prompt = needed(&mut body, PROMPT, Path::Root)?;
            vec![Input::new(Said::Text(vec![prompt]), Path::Field(PROMPT))]
        }
        _ => {
            let node = body.take(INPUT).ok_or_else(|| DecodeError::Missing { field: INPUT.to_owned() })?;
            let mut inputs = read_inputs(node)?;
            let dimensions = count(&mut body, "dimensions", "dimensions")?.map(|dimensions| dimensions.value);
            inputs.iter_mut().for_each(|input| input.dimensions = dimensions);
            inputs
        }
    };
    let truncate = flag(&mut body, "truncate", "truncate")?;
    let mut rest = Vec::new();
    Extension::collect(body, Path::Root, &mut rest);
    Ok(Request { shape, inputs, base64: false, user: None, truncate, rest })
}

fn read_inputs<'a>(node: Node<'_, 'a>) -> Result<Vec<Input<'a>>, DecodeError> {
    let input = |node: Node<'_, 'a>, path: Path| match node.text() {
        Some(text) => Ok(Input::new(Said::Text(vec![text]), path)),
        None => Err(DecodeError::wrong(path, "a text, or a list of texts")),
    };
    match node.kind() {
        Kind::Array => {
            let elements = node.elements().enumerate();
            elements.map(|(at, node)| input(node, Path::Item(INPUT, at as u32))).collect()
        }
        _ => input(node, Path::Field(INPUT)).map(|input| vec![input]),
    }
}

pub(super) fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let own = request.shape.dialect() == Dialect::Ollama;
    let dimensions = request.dimensions()?;
    let texts: Vec<_> = request.inputs.iter().map(Input::texts).collect::<Result<_, _>>()?;
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.key("model").string(target.model).key(INPUT).array(|w| {
            for texts in texts {
                w.joined(texts);
            }
        });
        if let Some(dimensions) = dimensions {
            w.key("dimensions").count(dimensions);
        }
        if let Some(truncate) = &request.truncate {
            w.key("truncate").bool(truncate.value);
        }
        if own {
            for extension in &request.rest {
                w.key(&extension.name.value()).raw(extension.raw);
            }
        }
    });
    let mut losses = Losses::default();
    request.lose_purposes(&mut losses);
    losses.given(request.user.as_ref());
    if !own {
        losses.extensions(&request.rest);
    }
    Ok(Encoded { body: writer.finish(), losses })
}

pub(super) fn decode_answer<'a>(shape: Shape, document: &Document<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut body = fields(document.root(), Path::Root)?;
    let vectors = match shape {
        Shape::OllamaOne => {
            let field = "embedding";
            let node = body.take(field).ok_or_else(|| DecodeError::Missing { field: field.to_owned() })?;
            vec![Vector::read(node, field)?]
        }
        _ => {
            let list = body.take("embeddings").filter(|list| list.kind() == Kind::Array);
            let list = list.ok_or_else(|| DecodeError::wrong("embeddings", "a list"))?;
            let vectors = list.elements().enumerate();
            vectors
                .map(|(at, node)| Vector::read(node, &format!("embeddings[{at}]")))
                .collect::<Result<_, _>>()?
        }
    };
    let usage = body.take("prompt_eval_count").and_then(Node::count).map(|input| Usage {
        input,
        source: UsageSource::Reported,
        ..Usage::default()
    });
    let model = text(&mut body, "model", Path::Root)?;
    // Lengths of time that no other dialect tells.
    for name in ["total_duration", "load_duration"] {
        body.take(name);
    }
    let mut rest = Vec::new();
    Extension::collect(body, Path::Root, &mut rest);
    Ok(Answer { vectors, model, usage, rest })
}

pub(super) fn write_answer(w: &mut Writer, answer: &Answer<'_>, reply: &Reply<'_>) {
    w.object(|w| {
        if reply.shape == Shape::OllamaOne {
            for vector in answer.vectors.iter().take(1) {
                w.key("embedding");
                vector.write(w);
            }
            return;
        }
        w.key("model");
        match &answer.model {
            Some(model) => w.text(model),
            None => w.string(reply.model),
        };
        w.key("embeddings").array(|w| answer.vectors.iter().for_each(|vector| vector.write(w)));
        w.key("prompt_eval_count").count(reply.usage.input);
    });
}
