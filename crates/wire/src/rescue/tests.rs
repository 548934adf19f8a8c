//! Answers that break off anywhere and are gone on with, for clients and providers of several dialects.

mod calls;
mod cuts;
mod looks;

use bytes::Bytes;
use pointsman_core::{Dialect, Usage, UsageSource};
use serde_json::Value;

use super::{Before, Manner, Plan, Rejoin, Shown, Terms};
use crate::convert::{Codec, Frames, Relay, Translator, Watch, codec};
use crate::json::{Text, Writer};
use crate::neutral::{AnswerContext, Event, Finish, Head, Reason};
use crate::openai::stream::{StreamObserver, StreamRules};
use crate::sse::Framer;

/// The dialects of clients whose answers are gone on with.
const CLIENTS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic];

/// What an answer says.
#[derive(Clone, Debug, Default)]
struct Script<'s> {
    thoughts: &'s [&'s str],
    text: Vec<&'s str>,
    /// Name and arguments in pieces.
    calls: &'s [(&'s str, &'s [&'s str])],
}

impl<'s> Script<'s> {
    fn text(pieces: &[&'s str]) -> Self {
        Self { text: pieces.to_vec(), ..Self::default() }
    }
}

fn known(dialect: Dialect) -> &'static dyn Codec {
    codec(dialect).unwrap()
}

fn context(id: &str) -> AnswerContext {
    AnswerContext {
        id: id.to_owned(),
        model: "m".to_owned(),
        created: 1_700_000_000,
        stream_usage: true,
        json_array: false,
        request: Bytes::from_static(br#"{"model":"m"}"#),
    }
}

/// A provider's stream.
fn stream(dialect: Dialect, id: &str, script: &Script<'_>) -> Vec<u8> {
    let mut encoder = known(dialect).encoder(context(id));
    let mut out = Writer::default();
    let mut say = |event| encoder.event(event, &mut out);
    say(Event::Start { id: Text::from(format!("id-{id}")), model: Text::from("real"), created: Some(1) });
    let mut block = 0;
    for (head, pieces) in [
        (Head::Reasoning { id: None, summary: false }, script.thoughts),
        (Head::Text, script.text.as_slice()),
    ] {
        if !pieces.is_empty() {
            say(Event::Open { block, choice: 0, head });
            pieces.iter().for_each(|piece| say(Event::Delta { block, text: Text::from(*piece) }));
            say(Event::Close { block });
            block += 1;
        }
    }
    for (name, pieces) in script.calls {
        let call = Text::from(format!("call_{id}_{block}"));
        say(Event::Open {
            block,
            choice: 0,
            head: Head::ToolCall { id: call, item: None, name: Text::from(*name), custom: false },
        });
        pieces.iter().for_each(|piece| say(Event::Delta { block, text: Text::from(*piece) }));
        say(Event::Close { block });
        block += 1;
    }
    let reason = if script.calls.is_empty() { Reason::Stop } else { Reason::ToolCalls };
    say(Event::Finish { choice: 0, finish: Finish::new(reason) });
    let output = (script.text.len() + script.thoughts.len()) as u64;
    say(Event::Usage(Usage { input: 100, output, source: UsageSource::Reported, ..Usage::default() }));
    say(Event::End);
    out.finish()
}

/// How the first provider's stream reaches its client.
fn relay(client: Dialect, upstream: Dialect) -> Relay {
    if client != upstream {
        let (from, to) = (known(upstream), known(client));
        return Relay::Translate(Box::new(Translator::new((from, "a"), (to, context("req")), 1)));
    }
    if client == Dialect::OpenAiChat {
        let rules = StreamRules { operation: pointsman_core::Operation::Chat, strip_usage: false };
        return Relay::Observe(StreamObserver::new(rules));
    }
    Relay::Watch(Box::new(Watch::new(known(client), "a", 1)))
}

/// What the client is shown of a stream that is cut behind `bytes`, and whether that was all.
fn shown_of(client: Dialect, upstream: Dialect, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut relay = relay(client, upstream);
    let mut out = Vec::new();
    for chunk in bytes.chunks(97) {
        relay.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    (out.concat(), relay.observed().complete())
}

/// The client's record of what it was shown.
fn read_back(client: Dialect, shown: &[u8]) -> Shown {
    let mut read = Shown::new(known(client), context("req"));
    // In two pieces, as they are read where there is much.
    let half = shown.len() / 2;
    let cut = shown[..half].windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at + 2);
    read.read(&shown[..cut]).unwrap();
    read.read(&shown[cut..]).unwrap();
    read
}

/// What the client gets of the one who goes on.
fn rejoined(upstream: Dialect, shown: &Shown, manner: Option<Manner>, bytes: &[u8]) -> (Vec<u8>, Rejoin) {
    let terms = Terms::default();
    let before = Before { prompt: None, output: shown.said().deltas(), added: shown.said().deltas() };
    let plan = Plan { manner, terms: &terms, choices: 1, before };
    rejoined_by(upstream, shown, &plan, bytes)
}

fn rejoined_by(upstream: Dialect, shown: &Shown, plan: &Plan<'_>, bytes: &[u8]) -> (Vec<u8>, Rejoin) {
    let mut rejoin = Rejoin::new((known(upstream), "b", "req2"), shown, plan);
    let mut out = Vec::new();
    for chunk in bytes.chunks(61) {
        rejoin.push(&Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    rejoin.finish(&mut out).unwrap();
    if !rejoin.observed().done {
        rejoin.conclude(&mut out);
    }
    (out.concat(), rejoin)
}

/// The events of a client's stream.
fn events(stream: &[u8]) -> Vec<Value> {
    let mut framer = Framer::default();
    let events = framer.events(stream).unwrap();
    assert!(framer.finish().is_none(), "half an event: {}", String::from_utf8_lossy(stream));
    let data = events.iter().filter(|event| event.data != b"[DONE]");
    data.map(|event| serde_json::from_slice(&event.data).unwrap()).collect()
}

/// The stream as its client understands it, which must be one whole answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    text: String,
    thoughts: String,
    calls: Vec<(String, String)>,
    input: u64,
    output: u64,
}

fn understood(client: Dialect, stream: &[u8]) -> Answer {
    let mut answer = Answer::default();
    let mut decoder = known(client).decoder("gateway", "req");
    let (mut starts, mut ends) = (0, 0);
    let mut blocks: Vec<(u32, usize)> = Vec::new();
    let mut frames = Frames::new(known(client).streams_lines());
    let mut note = |event: Event<'_>| match event {
        Event::Start { .. } => starts += 1,
        Event::Open { block, head, .. } => {
            let kind = match head {
                Head::Text => 0,
                Head::Reasoning { .. } => 1,
                Head::ToolCall { name, .. } => {
                    answer.calls.push((name.value().into_owned(), String::new()));
                    1 + answer.calls.len()
                }
                other => panic!("{other:?}"),
            };
            blocks.push((block, kind));
        }
        Event::Delta { block, text } => match blocks.iter().find(|(id, _)| *id == block).unwrap().1 {
            0 => answer.text.push_str(&text.value()),
            1 => answer.thoughts.push_str(&text.value()),
            call => answer.calls[call - 2].1.push_str(&text.value()),
        },
        Event::Usage(usage) => (answer.input, answer.output) = (usage.input, usage.output),
        Event::End => ends += 1,
        Event::Error(error) => panic!("{error:?}"),
        _ => {}
    };
    while let Some(piece) = frames.next(stream).unwrap() {
        let Some((name, data)) = frames.read(stream, &piece) else { continue };
        decoder.frame(name, data, &mut note).unwrap_or_else(|error| {
            panic!("{error}: {} of {}", String::from_utf8_lossy(data), String::from_utf8_lossy(stream))
        });
    }
    decoder.finish(&mut note).unwrap();
    assert_eq!((starts, ends), (1, 1), "{}", String::from_utf8_lossy(stream));
    answer
}
