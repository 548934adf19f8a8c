//! What an answer repeats of its request, as the vendor does: clients read some of it as always there.

use crate::json::{Document, Fields, Node, Text, Writer};
use crate::neutral::{Extension, Path};

/// The members, with what stands there where the request says nothing: the vendor's defaults.
const MEMBERS: [(&str, &str); 19] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
    ("metadata", "{}"),
];

/// Members that are repeated only where the request has them.
const OPTIONAL: [&str; 10] = [
    "conversation",
    "prompt",
    "prompt_cache_retention",
    "prompt_cache_options",
    "frequency_penalty",
    "presence_penalty",
    "context_management",
    "access_programs",
    "image",
    "service_tier",
];

/// Whether an answer's member repeats the request.
pub(super) fn repeats(name: &str) -> bool {
    MEMBERS.iter().any(|(known, _)| *known == name) || OPTIONAL.contains(&name)
}

/// Writes the members: as the provider's own answer has them, or else as the client's request does.
/// `tier`: the class that was used, if it is known.
pub(super) fn write(w: &mut Writer, request: &[u8], own: &[Extension<'_>], tier: Option<&Text<'_>>) {
    let document = Document::read(request).ok();
    let asked = |name: &str| document.as_ref().and_then(|document| document.root().get(name));
    let told = |name: &str| own.iter().find(|own| own.path == Path::Root && own.name == name);
    for (name, usual) in MEMBERS {
        w.key(name);
        match (told(name), asked(name)) {
            (Some(told), _) => {
                w.raw(told.raw);
            }
            (None, Some(node)) => member(w, name, node),
            (None, None) => {
                w.raw(usual);
            }
        }
    }
    for name in OPTIONAL {
        match (told(name), asked(name)) {
            _ if name == "service_tier" && tier.is_some() => {}
            (Some(told), _) => {
                w.key(name).raw(told.raw);
            }
            (None, Some(node)) => {
                w.key(name);
                member(w, name, node);
            }
            (None, None) => {}
        }
    }
    if let Some(tier) = tier {
        w.key("service_tier").text(tier);
    }
}

/// A member of the request as an answer has it: some are fuller there.
fn member(w: &mut Writer, name: &str, node: Node<'_, '_>) {
    match (name, node.fields()) {
        ("reasoning", Some(fields)) => filled(w, fields, &[("effort", "null"), ("summary", "null")]),
        ("text", Some(fields)) => filled(w, fields, &[("format", r#"{"type":"text"}"#)]),
        ("conversation", None) => {
            w.object(|w| {
                w.key("id").raw(node.raw());
            });
        }
        _ => {
            w.raw(node.raw());
        }
    }
}

fn filled(w: &mut Writer, fields: Fields<'_, '_>, usual: &[(&str, &str)]) {
    w.object(|w| {
        for (name, value) in usual.iter().filter(|(name, _)| fields.peek(name).is_none()) {
            w.key(name).raw(value);
        }
        for (name, value) in fields.rest() {
            w.text(&name).frame(b":").raw(value.raw());
        }
    });
}
