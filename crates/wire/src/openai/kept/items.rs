//! Items of requests and answers.

use std::collections::HashMap;

use super::{MADE, PREFIX};
use crate::json::{Document, JsonError, Kind, Node, Text, Writer};

/// The id that this item stands for, where that is all it has.
pub(super) fn reference(node: Node<'_, '_>) -> Option<String> {
    let id = node.get("id")?.text()?;
    let named = match node.get("type").and_then(Node::text) {
        Some(kind) => kind == "item_reference",
        None => node.get("role").is_none() && node.get("call_id").is_none(),
    };
    named.then(|| id.into_value().into_owned())
}

/// The same, where the id was made here.
fn made_reference(item: Node<'_, '_>) -> Option<String> {
    reference(item).filter(|id| is_made(id))
}

fn is_made(id: &str) -> bool {
    id.split_once('_').is_some_and(|(_, rest)| rest.starts_with(MADE))
}

/// The answer that an id of an item was made for; `None` where it was made elsewhere, or does not tell.
#[must_use]
pub fn made_by(item: &str) -> Option<String> {
    let made = item.split_once('_')?.1.strip_prefix(MADE)?;
    let (answer, _) = made.rsplit_once('_')?;
    Some(format!("{PREFIX}{answer}"))
}

/// A request's own items as they are kept: each with a type and an id, texts as lists of parts. `answer` is
/// the id of its answer.
///
/// # Errors
/// The request is not JSON.
pub fn input_items(request: &[u8], answer: &str) -> Result<Vec<u8>, JsonError> {
    let document = Document::read(request)?;
    let mut writer = Writer::with_capacity(request.len() + 64);
    writer.array(|w| {
        let Some(input) = document.root().get("input") else { return };
        if let Some(text) = input.text() {
            w.object(|w| {
                w.key("type").string("message").key("id").string(&made("message", answer, 0));
                w.key("status").string("completed").key("role").string("user");
                content(w, "user", &text);
            });
            return;
        }
        for (at, item) in input.elements().enumerate() {
            match item.kind() {
                Kind::Object => kept(w, item, answer, at),
                _ => {
                    w.raw(item.raw());
                }
            }
        }
    });
    Ok(writer.finish())
}

fn kept(w: &mut Writer, item: Node<'_, '_>, answer: &str, at: usize) {
    let kind = item.get("type").and_then(Node::text);
    let kind = kind.map_or_else(|| "message".to_owned(), |kind| kind.into_value().into_owned());
    let role = item.get("role").and_then(Node::text).map(|role| role.into_value().into_owned());
    w.object(|w| {
        if item.get("type").is_none() {
            w.key("type").string(&kind);
        }
        if item.get("id").is_none() {
            w.key("id").string(&made(&kind, answer, at));
        }
        if item.get("status").is_none()
            && matches!(&*kind, "message" | "function_call" | "function_call_output")
        {
            w.key("status").string("completed");
        }
        for (name, value) in item.members().filter(|(_, value)| !value.is_null()) {
            match value.text() {
                Some(text) if name == "content" && kind == "message" => {
                    content(w, role.as_deref().unwrap_or_default(), &text);
                }
                _ => {
                    w.key(&name.value()).raw(value.raw());
                }
            }
        }
    });
}

/// `"content"` of a message that was given as one text.
fn content(w: &mut Writer, role: &str, text: &Text<'_>) {
    w.key("content").array(|w| {
        w.object(|w| {
            if role == "assistant" {
                w.key("type").string("output_text").key("text").text(text).key("annotations").array(|_| {});
            } else {
                w.key("type").string("input_text").key("text").text(text);
            }
        });
    });
}

fn made(kind: &str, answer: &str, at: usize) -> String {
    let prefix = match kind {
        "message" => "msg",
        "reasoning" => "rs",
        "function_call" | "function_call_output" => "fc",
        "custom_tool_call" | "custom_tool_call_output" => "ctc",
        _ => "item",
    };
    format!("{prefix}_{MADE}{}_in{at}", answer.strip_prefix(PREFIX).unwrap_or(answer))
}

/// A request with its conversation in front: `earlier` has the items and the answer of each request before,
/// the oldest first; `named` the answers that items are looked up in which the request only names. The
/// answer that it goes on from is no longer named, if its conversation is there.
///
/// # Errors
/// The request is not JSON, or an item cannot be found.
pub fn resumed(
    request: &[u8],
    earlier: &[(&[u8], &[u8])],
    named: &[(&[u8], &[u8])],
) -> Result<Vec<u8>, ResumeError> {
    let document = Document::read(request)?;
    let input = document.root().get("input");
    let names = input.is_some_and(|input| input.elements().any(|item| made_reference(item).is_some()));
    let known = if names { Known::read(earlier.iter().chain(named))? } else { Known::default() };
    let capacity: usize = earlier.iter().map(|(input, answer)| input.len() + answer.len()).sum();
    let mut writer = Writer::with_capacity(request.len() + capacity);
    let mut missing = None;
    let write_input = |w: &mut Writer, missing: &mut Option<String>| {
        w.key("input").array(|w| {
            for (input, answer) in earlier {
                copy(w, input, None);
                copy(w, answer, Some("output"));
            }
            match input.map(|input| (input, input.text())) {
                None => {}
                Some((_, Some(text))) => {
                    w.object(|w| {
                        w.key("role").string("user").key("content").text(&text);
                    });
                }
                Some((input, None)) => {
                    for item in input.elements() {
                        let raw = match made_reference(item) {
                            Some(id) => known.find(&id).unwrap_or_else(|| {
                                missing.get_or_insert(id);
                                "null"
                            }),
                            None => item.raw(),
                        };
                        w.raw(raw);
                    }
                }
            }
        });
    };
    writer.object(|w| {
        for (name, value) in document.root().members() {
            match &*name.value() {
                "input" => {}
                "previous_response_id" if !earlier.is_empty() => {}
                name => {
                    w.key(name).raw(value.raw());
                }
            }
        }
        write_input(w, &mut missing);
    });
    match missing {
        None => Ok(writer.finish()),
        Some(id) => Err(ResumeError::Missing(id)),
    }
}

/// Why a conversation cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// Something is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// An item that is only named is in none of the answers.
    #[error("Item with id '{0}' not found.")]
    Missing(String),
}

/// Copies the elements of an array, which is the document itself or a member of it.
fn copy(w: &mut Writer, text: &[u8], member: Option<&str>) {
    // What is kept was JSON when it was kept.
    let Ok(document) = Document::read(text) else { return };
    let list = member.map_or(Some(document.root()), |name| document.root().get(name));
    for item in list.into_iter().flat_map(Node::elements) {
        w.raw(item.raw());
    }
}

/// Items by their ids.
#[derive(Default)]
struct Known(HashMap<String, String>);

impl Known {
    fn read<'t>(kept: impl Iterator<Item = &'t (&'t [u8], &'t [u8])>) -> Result<Self, JsonError> {
        let mut known = HashMap::new();
        for (input, answer) in kept {
            for (text, member) in [(input, None), (answer, Some("output"))] {
                let document = Document::read(text)?;
                let list = member.map_or(Some(document.root()), |name| document.root().get(name));
                for item in list.into_iter().flat_map(Node::elements) {
                    if let Some(id) = item.get("id").and_then(Node::text) {
                        known.insert(id.into_value().into_owned(), item.raw().to_owned());
                    }
                }
            }
        }
        Ok(Self(known))
    }

    fn find(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}
