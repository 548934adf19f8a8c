//! `generationConfig`: how to draw, how long to think, what to write.

use super::super::read::{self, Member};
use super::super::schema;
use super::keep;
use crate::json::Node;
use crate::neutral::{Cap, DecodeError, Format, Given, Logprobs, Path, Request, Schema};

const OBJECT: &str = "generationConfig";
const THINKING: &str = "generationConfig.thinkingConfig";

/// The field in the client's document.
macro_rules! field {
    ($name:literal) => {
        concat!("generationConfig.", $name)
    };
}

/// Members that say something together.
#[derive(Default)]
struct Draft<'d, 'a> {
    mime: Option<Node<'d, 'a>>,
    /// `responseSchema`, in Google's own language.
    native: Option<Node<'d, 'a>>,
    /// `responseJsonSchema`
    json: Option<Node<'d, 'a>>,
    wants_logprobs: Option<bool>,
    logprobs: Option<Node<'d, 'a>>,
}

pub(super) fn read<'a>(node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    let mut draft = Draft::default();
    for member in read::members(node, OBJECT)? {
        let node = member.node;
        match &*member.name() {
            "candidateCount" => {
                const FIELD: &str = field!("candidateCount");
                request.choices = Some(Given::new(FIELD, read::count(node, FIELD)?));
            }
            "maxOutputTokens" => {
                const FIELD: &str = field!("maxOutputTokens");
                request.max_output = Some(Given::new(FIELD, read::count(node, FIELD)?));
            }
            "stopSequences" => {
                const FIELD: &str = field!("stopSequences");
                request.stop = Some(Given::new(FIELD, read::strings(node, FIELD)?));
            }
            "responseMimeType" => draft.mime = Some(node),
            "responseSchema" => draft.native = Some(node),
            "responseJsonSchema" => draft.json = Some(node),
            "responseLogprobs" => {
                draft.wants_logprobs = Some(read::boolean(node, field!("responseLogprobs"))?);
            }
            "logprobs" => draft.logprobs = Some(node),
            "thinkingConfig" => thinking(node, request)?,
            name => {
                if !sampling(name, node, request)? {
                    member.keep_under(OBJECT, Path::Root, &mut request.rest);
                }
            }
        }
    }
    format(&draft, request)?;
    logprobs(&draft, request)
}

fn sampling<'a>(name: &str, node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<bool, DecodeError> {
    let sampling = &mut request.sampling;
    let (slot, field) = match name {
        "temperature" => (&mut sampling.temperature, field!("temperature")),
        "topP" => (&mut sampling.top_p, field!("topP")),
        "topK" => (&mut sampling.top_k, field!("topK")),
        "presencePenalty" => (&mut sampling.presence_penalty, field!("presencePenalty")),
        "frequencyPenalty" => (&mut sampling.frequency_penalty, field!("frequencyPenalty")),
        "seed" => (&mut sampling.seed, field!("seed")),
        _ => return Ok(false),
    };
    *slot = Some(Given::new(field, read::number(node, field)?));
    Ok(true)
}

/// What the answer must look like. One of a list of words (`text/x.enum`) is of this dialect alone.
fn format<'a>(draft: &Draft<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    const MIME: &str = field!("responseMimeType");
    const NATIVE: &str = field!("responseSchema");
    const JSON: &str = field!("responseJsonSchema");
    let mime = draft.mime.map(|node| read::string(node, MIME)).transpose()?;
    let mime = mime.as_ref().map(crate::json::Text::value);
    let told = match (draft.native, draft.json) {
        (_, Some(node)) => {
            read::object(node, JSON)?;
            Some((JSON, Schema::from(node.raw())))
        }
        (Some(node), None) => {
            read::object(node, NATIVE)?;
            Some((NATIVE, schema::read(node)))
        }
        (None, None) => None,
    };
    let given = match (mime.as_deref(), told) {
        (None | Some("application/json"), Some((field, schema))) => {
            let format = Format::Schema { name: None, description: None, schema, strict: None };
            Given::new(field, format)
        }
        (Some("application/json"), None) => Given::new(MIME, Format::Json),
        (Some("text/plain"), None) => Given::new(MIME, Format::Text),
        (None, None) => return Ok(()),
        (Some(_), told) => {
            if let Some(node) = draft.mime {
                keep(request, MIME, node.raw());
            }
            if let Some((field, _)) = told {
                let node = if field == JSON { draft.json } else { draft.native };
                keep(request, field, node.map(Node::raw).unwrap_or_default());
            }
            return Ok(());
        }
    };
    request.format = Some(given);
    Ok(())
}

fn logprobs<'a>(draft: &Draft<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    const TOP: &str = field!("logprobs");
    let top = draft.logprobs.map(|node| read::count(node, TOP)).transpose()?;
    match (draft.wants_logprobs, draft.logprobs) {
        (Some(true), _) => {
            request.logprobs = Some(Given::new(field!("responseLogprobs"), Logprobs { top }));
        }
        (_, Some(node)) => keep(request, TOP, node.raw()),
        _ => {}
    }
    Ok(())
}

fn thinking<'a>(node: Node<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    for member in read::members(node, THINKING)? {
        let node = member.node;
        match &*member.name() {
            "includeThoughts" => {
                const FIELD: &str = field!("thinkingConfig.includeThoughts");
                request.thinking.shown = Some(Given::new(FIELD, read::boolean(node, FIELD)?));
            }
            "thinkingBudget" => {
                const FIELD: &str = field!("thinkingConfig.thinkingBudget");
                let cap = match read::number(node, FIELD)? {
                    "-1" => Cap::Free,
                    _ => Cap::Tokens(read::count(node, FIELD)?),
                };
                request.thinking.budget = Some(Given::new(FIELD, cap));
            }
            "thinkingLevel" => level(&member, request)?,
            _ => member.keep_under(THINKING, Path::Root, &mut request.rest),
        }
    }
    Ok(())
}

fn level<'a>(member: &Member<'_, 'a>, request: &mut Request<'a>) -> Result<(), DecodeError> {
    const FIELD: &str = field!("thinkingConfig.thinkingLevel");
    let word = read::string(member.node, FIELD)?;
    let word = word.value().to_ascii_lowercase();
    if word != "thinking_level_unspecified" {
        request.thinking.effort = Some(Given::new(FIELD, crate::json::Text::from(word)));
    }
    Ok(())
}
