//! Anthropic's messages.

use super::{End, Event, Part, Reply, escaped, named};
use crate::faults::text::Kind;

/// `stop_reason` and `stop_sequence`.
fn stop(reply: &Reply) -> String {
    match (&reply.end, reply.kind) {
        (End::Length, _) => r#""stop_reason":"max_tokens","stop_sequence":null"#.to_owned(),
        (End::Stop(text), _) => {
            format!(r#""stop_reason":"stop_sequence","stop_sequence":"{}""#, escaped(text))
        }
        (End::Whole, Kind::Tool) => r#""stop_reason":"tool_use","stop_sequence":null"#.to_owned(),
        (End::Whole, _) => r#""stop_reason":"end_turn","stop_sequence":null"#.to_owned(),
    }
}

fn usage(input: u64, output: u64) -> String {
    format!(
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output},"service_tier":"standard"}}"#
    )
}

fn message(reply: &Reply, content: &str, stop: &str, output: u64) -> String {
    format!(
        r#"{{"id":"msg_{}","type":"message","role":"assistant","model":"{}","content":[{content}],{stop},"usage":{}}}"#,
        reply.tag,
        reply.model,
        usage(reply.tokens.input, output),
    )
}

/// The block, with its text or input.
fn block(reply: &Reply, text: &str, input: &str) -> String {
    match reply.kind {
        Kind::Tool => {
            format!(r#"{{"type":"tool_use","id":"toolu_{}","name":"weather","input":{input}}}"#, reply.seed)
        }
        _ => format!(r#"{{"type":"text","text":"{text}"}}"#),
    }
}

pub(super) fn plain(reply: &Reply) -> String {
    let text = reply.text();
    // The arguments themselves are JSON.
    let input = serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| "{}".to_owned());
    message(reply, &block(reply, &text, &input), &stop(reply), reply.tokens.output)
}

pub(super) fn events(reply: &Reply) -> Vec<Event> {
    let event = |part, name: &str, inside: &str| {
        Event::new(part, named(name, &format!(r#"{{"type":"{name}",{inside}}}"#)))
    };
    let begun = message(reply, "", r#""stop_reason":null,"stop_sequence":null"#, 1);
    let opened = format!(r#""index":0,"content_block":{}"#, block(reply, "", "{}"));
    let mut events = vec![
        event(Part::Opening, "message_start", &format!(r#""message":{begun}"#)),
        event(Part::Opening, "content_block_start", &opened),
        Event::new(Part::Opening, named("ping", r#"{"type": "ping"}"#)),
    ];
    for piece in &reply.pieces {
        let delta = match reply.kind {
            Kind::Tool => format!(r#"{{"type":"input_json_delta","partial_json":"{piece}"}}"#),
            _ => format!(r#"{{"type":"text_delta","text":"{piece}"}}"#),
        };
        events.push(event(Part::Text, "content_block_delta", &format!(r#""index":0,"delta":{delta}"#)));
    }
    let last = format!(r#""delta":{{{}}},"usage":{{"output_tokens":{}}}"#, stop(reply), reply.tokens.output);
    events.push(event(Part::Closing, "content_block_stop", r#""index":0"#));
    events.push(event(Part::Closing, "message_delta", &last));
    events.push(Event::new(Part::Sentinel, named("message_stop", r#"{"type":"message_stop"}"#)));
    events
}
