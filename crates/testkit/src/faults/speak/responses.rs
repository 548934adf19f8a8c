//! OpenAI's responses.

use super::{End, Event, Part, Reply, named};
use crate::faults::text::Kind;
use crate::openai::Tokens;

const CREATED: u64 = 1_700_000_000;

fn usage(tokens: Tokens) -> String {
    let Tokens { input, output } = tokens;
    let total = input + output;
    format!(
        r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{total}}}"#
    )
}

/// The answer with these items; `whole`: it has ended.
fn response(reply: &Reply, output: &str, whole: bool) -> String {
    let (status, details) = match (&reply.end, whole) {
        (_, false) => ("in_progress", "null"),
        (End::Length, true) => ("incomplete", r#"{"reason":"max_output_tokens"}"#),
        (_, true) => ("completed", "null"),
    };
    let usage = if whole { usage(reply.tokens) } else { "null".to_owned() };
    format!(
        r#"{{"id":"resp_{}","object":"response","created_at":{CREATED},"status":"{status}","background":false,"error":null,"incomplete_details":{details},"instructions":null,"max_output_tokens":null,"model":"{}","output":[{output}],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{{"effort":null,"summary":null}},"store":false,"temperature":1.0,"text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":{usage},"user":null,"metadata":{{}}}}"#,
        reply.tag, reply.model,
    )
}

fn item(reply: &Reply, text: Option<&str>) -> String {
    let (status, tag) = (if text.is_some() { status(reply) } else { "in_progress" }, &reply.tag);
    match reply.kind {
        Kind::Tool => format!(
            r#"{{"type":"function_call","id":"fc_{tag}","status":"{status}","arguments":"{}","call_id":"call_{}","name":"weather"}}"#,
            text.unwrap_or_default(),
            reply.seed,
        ),
        _ => {
            let content = text.map(part).unwrap_or_default();
            format!(
                r#"{{"type":"message","id":"msg_{tag}","status":"{status}","role":"assistant","content":[{content}]}}"#
            )
        }
    }
}

fn status(reply: &Reply) -> &'static str {
    if reply.end == End::Length { "incomplete" } else { "completed" }
}

fn part(text: &str) -> String {
    format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":"{text}"}}"#)
}

pub(super) fn plain(reply: &Reply) -> String {
    response(reply, &item(reply, Some(&reply.text())), true)
}

/// Writes events, numbered.
struct Events {
    events: Vec<Event>,
}

impl Events {
    fn add(&mut self, part: Part, name: &str, inside: &str) {
        let number = self.events.len();
        let data = format!(r#"{{"type":"{name}","sequence_number":{number},{inside}}}"#);
        self.events.push(Event::new(part, named(name, &data)));
    }
}

pub(super) fn events(reply: &Reply) -> Vec<Event> {
    let mut out = Events { events: Vec::new() };
    let begun = format!(r#""response":{}"#, response(reply, "", false));
    out.add(Part::Opening, "response.created", &begun);
    out.add(Part::Opening, "response.in_progress", &begun);
    out.add(
        Part::Opening,
        "response.output_item.added",
        &format!(r#""output_index":0,"item":{}"#, item(reply, None)),
    );
    let text = reply.text();
    if reply.kind == Kind::Tool {
        call(reply, &text, &mut out);
    } else {
        message(reply, &text, &mut out);
    }
    let whole = item(reply, Some(&text));
    out.add(Part::Closing, "response.output_item.done", &format!(r#""output_index":0,"item":{whole}"#));
    let name = if reply.end == End::Length { "response.incomplete" } else { "response.completed" };
    out.add(Part::Closing, name, &format!(r#""response":{}"#, response(reply, &whole, true)));
    out.events
}

fn message(reply: &Reply, text: &str, out: &mut Events) {
    let place = format!(r#""item_id":"msg_{}","output_index":0,"content_index":0"#, reply.tag);
    out.add(Part::Opening, "response.content_part.added", &format!(r#"{place},"part":{}"#, part("")));
    for piece in &reply.pieces {
        let inside = format!(r#"{place},"delta":"{piece}","logprobs":[]"#);
        out.add(Part::Text, "response.output_text.delta", &inside);
    }
    let whole = format!(r#"{place},"text":"{text}","logprobs":[]"#);
    out.add(Part::Closing, "response.output_text.done", &whole);
    out.add(Part::Closing, "response.content_part.done", &format!(r#"{place},"part":{}"#, part(text)));
}

fn call(reply: &Reply, text: &str, out: &mut Events) {
    let place = format!(r#""item_id":"fc_{}","output_index":0"#, reply.tag);
    for piece in &reply.pieces {
        let inside = format!(r#"{place},"delta":"{piece}""#);
        out.add(Part::Text, "response.function_call_arguments.delta", &inside);
    }
    let whole = format!(r#"{place},"name":"weather","arguments":"{text}""#);
    out.add(Part::Closing, "response.function_call_arguments.done", &whole);
}
