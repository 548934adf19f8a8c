//! OpenAI's chat completions.

use super::{End, Event, Part, Reply};
use crate::faults::text::Kind;

const CREATED: u64 = 1_700_000_000;

fn finish(reply: &Reply) -> &'static str {
    match (&reply.end, reply.kind) {
        (End::Length, _) => "length",
        (_, Kind::Tool) => "tool_calls",
        _ => "stop",
    }
}

fn usage(reply: &Reply) -> String {
    reply.tokens.to_json().to_string()
}

pub(super) fn plain(reply: &Reply) -> String {
    let (text, seed) = (reply.text(), reply.seed);
    let message = match reply.kind {
        Kind::Tool => format!(
            r#"{{"role":"assistant","content":null,"refusal":null,"tool_calls":[{{"id":"call_{seed}","type":"function","function":{{"name":"weather","arguments":"{text}"}}}}]}}"#
        ),
        _ => format!(r#"{{"role":"assistant","content":"{text}","refusal":null}}"#),
    };
    format!(
        r#"{{"id":"chatcmpl-{}","object":"chat.completion","created":{CREATED},"model":"{}","choices":[{{"index":0,"message":{message},"logprobs":null,"finish_reason":"{}"}}],"usage":{}}}"#,
        reply.tag,
        reply.model,
        finish(reply),
        usage(reply),
    )
}

pub(super) fn events(reply: &Reply) -> Vec<Event> {
    let unsaid = if reply.tells_usage { r#","usage":null"# } else { "" };
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-{}\",\"object\":\"chat.completion.chunk\",\"created\":{CREATED},\
             \"model\":\"{}\",\"choices\":[{choices}]{usage}}}\n\n",
            reply.tag, reply.model,
        )
    };
    let delta = |delta: &str, finish: &str| {
        let choice = format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}"#);
        chunk(&choice, unsaid)
    };
    let mut events = vec![Event::new(Part::Opening, delta(r#"{"role":"assistant","content":""}"#, "null"))];
    if reply.kind == Kind::Tool {
        let call = format!(
            r#"{{"tool_calls":[{{"index":0,"id":"call_{}","type":"function","function":{{"name":"weather","arguments":""}}}}]}}"#,
            reply.seed
        );
        events.push(Event::new(Part::Opening, delta(&call, "null")));
    }
    for piece in &reply.pieces {
        let inside = match reply.kind {
            Kind::Tool => {
                format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{piece}"}}}}]}}"#)
            }
            _ => format!(r#"{{"content":"{piece}"}}"#),
        };
        events.push(Event::new(Part::Text, delta(&inside, "null")));
    }
    events.push(Event::new(Part::Closing, delta("{}", &format!("\"{}\"", finish(reply)))));
    if reply.tells_usage {
        let usage = format!(",\"usage\":{}", usage(reply));
        events.push(Event::new(Part::Closing, chunk("", &usage)));
    }
    events.push(Event::new(Part::Sentinel, "data: [DONE]\n\n".to_owned()));
    events
}
