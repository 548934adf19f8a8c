//! OpenAI's `POST /v1/embeddings`.

use pointsman_core::{Usage, UsageSource};

use super::{Answer, Input, Reply, Request, Said, Shape, Vector};
use crate::json::{Document, Kind, Node, Writer};
use crate::neutral::read::{count, needed, text};
use crate::neutral::{DecodeError, EncodeError, Encoded, Extension, Given, Losses, Path, Target, fields};

const INPUT: &str = "input";

pub(super) fn decode_request<'a>(document: &Document<'a>) -> Result<Request<'a>, DecodeError> {
    let mut body = fields(document.root(), Path::Root)?;
    needed(&mut body, "model", Path::Root)?;
    let Some(node) = body.take(INPUT) else {
        return Err(DecodeError::Missing { field: INPUT.to_owned() });
    };
    let dimensions = count(&mut body, "dimensions", "dimensions")?.map(|dimensions| dimensions.value);
    let mut inputs = read_inputs(node)?;
    inputs.iter_mut().for_each(|input| input.dimensions = dimensions);
    let base64 = match text(&mut body, "encoding_format", Path::Root)? {
        None => false,
        Some(word) if word == "float" => false,
        Some(word) if word == "base64" => true,
        Some(_) => return Err(DecodeError::wrong("encoding_format", "`float` or `base64`")),
    };
    let user = text(&mut body, "user", Path::Root)?.map(|user| Given::new("user", user));
    let mut rest = Vec::new();
    Extension::collect(body, Path::Root, &mut rest);
    Ok(Request { shape: Shape::OpenAi, inputs, base64, user, truncate: None, rest })
}

/// A text, a list of texts, a list of tokens, or a list of lists of tokens.
fn read_inputs<'a>(node: Node<'_, 'a>) -> Result<Vec<Input<'a>>, DecodeError> {
    let wrong = |path: Path| DecodeError::wrong(path, "a text, a list of tokens, or a list of these");
    let whole = Path::Field(INPUT);
    match node.kind() {
        Kind::String => {
            let said = Said::Text(node.text().into_iter().collect());
            Ok(vec![Input::new(said, whole)])
        }
        Kind::Array if is_tokens(node) => Ok(vec![Input::new(Said::Tokens(node.raw()), whole)]),
        Kind::Array => {
            let inputs = node.elements().enumerate().map(|(at, element)| {
                let path = Path::Item(INPUT, at as u32);
                match element.text() {
                    Some(text) => Ok(Input::new(Said::Text(vec![text]), path)),
                    None if is_tokens(element) => Ok(Input::new(Said::Tokens(element.raw()), path)),
                    None => Err(wrong(path)),
                }
            });
            let inputs: Vec<_> = inputs.collect::<Result<_, _>>()?;
            if inputs.is_empty() { Err(DecodeError::wrong(INPUT, "not empty")) } else { Ok(inputs) }
        }
        _ => Err(wrong(whole)),
    }
}

/// Whether this is a list of numbers and not empty.
fn is_tokens(node: Node<'_, '_>) -> bool {
    let mut elements = node.elements().peekable();
    elements.peek().is_some() && elements.all(|element| element.kind() == Kind::Number)
}

pub(super) fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let own = request.shape == Shape::OpenAi;
    let mut losses = Losses::default();
    let dimensions = request.dimensions()?;
    for input in request.inputs.iter().filter(|input| !matches!(input.said, Said::Tokens(_))) {
        input.texts()?;
    }
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.key("model").string(target.model).key(INPUT).array(|w| {
            for input in &request.inputs {
                match &input.said {
                    Said::Tokens(raw) => w.raw(raw),
                    _ => w.joined(input.texts().unwrap_or_default()),
                };
            }
        });
        if let Some(dimensions) = dimensions {
            match target.quirks.name("dimensions") {
                Some(name) => {
                    w.key(name).count(dimensions);
                }
                None => losses.field("dimensions"),
            }
        }
        if own && request.base64 {
            w.key("encoding_format").string("base64");
        }
        if let Some(user) = &request.user {
            w.key("user").text(&user.value);
        }
        if own {
            for extension in &request.rest {
                w.key(&extension.name.value()).raw(extension.raw);
            }
        }
    });
    request.lose_purposes(&mut losses);
    losses.given(request.truncate.as_ref());
    if !own {
        losses.extensions(&request.rest);
    }
    Ok(Encoded { body: writer.finish(), losses })
}

pub(super) fn decode_answer<'a>(document: &Document<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut body = fields(document.root(), Path::Root)?;
    let Some(data) = body.take("data").filter(|data| data.kind() == Kind::Array) else {
        return Err(DecodeError::wrong("data", "a list"));
    };
    let mut placed: Vec<Option<Vector<'a>>> = vec![None; data.elements().count()];
    for (at, node) in data.elements().enumerate() {
        let field = format!("data[{at}].embedding");
        let embedding = node.get("embedding").ok_or_else(|| DecodeError::Missing { field: field.clone() })?;
        let vector = Vector::read(embedding, &field)?;
        // Some servers answer in the order in which they were done.
        let index = node.get("index").map_or(Some(at as u64), Node::count);
        let place = index.and_then(|index| placed.get_mut(usize::try_from(index).ok()?));
        match place {
            Some(place) if place.is_none() => *place = Some(vector),
            _ => return Err(DecodeError::wrong(format!("data[{at}].index"), "the place of its input")),
        }
    }
    let usage = body.take("usage").and_then(|usage| {
        let input = usage.get("prompt_tokens").or_else(|| usage.get("total_tokens"))?.count()?;
        Some(Usage { input, source: UsageSource::Reported, ..Usage::default() })
    });
    let model = text(&mut body, "model", Path::Root)?;
    body.take("object");
    let mut rest = Vec::new();
    Extension::collect(body, Path::Root, &mut rest);
    Ok(Answer { vectors: placed.into_iter().flatten().collect(), model, usage, rest })
}

pub(super) fn write_answer(w: &mut Writer, answer: &Answer<'_>, reply: &Reply<'_>) {
    w.object(|w| {
        w.key("object").string("list").key("data").array(|w| {
            for (at, vector) in answer.vectors.iter().enumerate() {
                w.object(|w| {
                    w.key("object").string("embedding").key("index").count(at as u64).key("embedding");
                    if reply.base64 { vector.write_base64(w) } else { vector.write(w) }
                });
            }
        });
        w.key("model");
        match &answer.model {
            Some(model) => w.text(model),
            None => w.string(reply.model),
        };
        let tokens = reply.usage.input;
        w.key("usage").object(|w| {
            w.key("prompt_tokens").count(tokens).key("total_tokens").count(tokens);
        });
    });
}
