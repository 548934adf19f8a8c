//! Streams: what Google sends, told block by block; and what clients get.

use std::collections::BTreeMap;

use bytes::Bytes;
use pointsman_core::{Dialect, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::convert::{Relay, Translator, codec};
use crate::json::{Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Choice, Citation, Content, DecodeError, Event, Finish, Head,
    Media, Path, Reason, Reasoning, Seal, SealKind, Source, ToolCall,
};
use crate::sse::Framer;

/// What a stream says, one line a block, in the order in which blocks open; checks the order of events.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    open: BTreeMap<u32, usize>,
    next: u32,
    started: bool,
    ended: bool,
}

impl Told {
    fn event(&mut self, event: &Event<'_>) {
        assert!(!self.ended, "{event:?} behind the end");
        assert!(self.started || matches!(event, Event::Start { .. } | Event::Error(_)), "{event:?} first");
        match event {
            Event::Start { id, model, .. } => {
                assert!(!self.started);
                self.started = true;
                self.lines.push(format!("start {} {}", id.value(), model.value()));
            }
            Event::Open { block, choice, head } => {
                assert_eq!(*block, self.next);
                self.next += 1;
                self.open.insert(*block, self.lines.len());
                let head = match head {
                    Head::Text => "text ".to_owned(),
                    Head::Refusal => "refusal ".to_owned(),
                    Head::Reasoning { .. } => "thought ".to_owned(),
                    Head::ToolCall { id, name, .. } => format!("call {} {} ", id.value(), name.value()),
                    Head::Media(_) => "medium".to_owned(),
                    Head::Opaque(raw) => format!("opaque {raw}"),
                };
                self.lines.push(format!("{choice} {head}"));
            }
            Event::Delta { block, text } => {
                assert!(!text.is_empty());
                let at = self.open[block];
                self.lines[at].push_str(&text.value());
            }
            Event::Cite { block, citation } => {
                let at = self.open[block];
                self.lines[at].push_str(&format!(" [{}]", citation.url.as_ref().unwrap().value()));
            }
            Event::Sealed { block, seal } => {
                let at = self.open[block];
                self.lines[at].push_str(&format!(" <{}>", seal.for_client(Dialect::OpenAiChat).value()));
            }
            Event::Close { block } => drop(self.open.remove(block).unwrap()),
            Event::Logprobs { choice, raw } => self.lines.push(format!("{choice} logprobs {raw}")),
            Event::Finish { choice, finish } => {
                assert!(self.open.values().all(|at| !self.lines[*at].starts_with(&format!("{choice} "))));
                self.lines.push(format!("{choice} finish {:?}", finish.reason));
            }
            Event::Usage(usage) => {
                let last = self.lines.iter().rposition(|line| line.starts_with("usage"));
                if let Some(last) = last {
                    self.lines.remove(last);
                    self.open.values_mut().filter(|at| **at > last).for_each(|at| *at -= 1);
                }
                self.lines.push(format!("usage {} {}", usage.input, usage.output));
            }
            Event::ServiceTier(tier) => self.lines.push(format!("tier {}", tier.value())),
            Event::Lost(name) => self.lines.push(format!("lost {}", name.value())),
            Event::Ping => self.lines.push("ping".to_owned()),
            Event::Error(error) => {
                self.ended = true;
                self.lines.push(format!("error {}", error.message));
            }
            Event::End => {
                self.ended = true;
                self.lines.push("end".to_owned());
            }
        }
    }
}

fn try_tell(events: &[Value]) -> Result<Vec<String>, DecodeError> {
    let mut decoder = StreamDecoder::new("google", "r1");
    let mut told = Told::default();
    for event in events {
        decoder.frame(b"", event.to_string().as_bytes(), &mut |event| told.event(&event))?;
    }
    decoder.finish(&mut |event| told.event(&event))?;
    Ok(told.lines)
}

fn parts(parts: Value) -> Value {
    let mut event = json!({ "candidates": [{ "content": { "role": "model" } }] });
    event["candidates"][0]["content"]["parts"] = parts;
    event
}

fn stop() -> Value {
    json!({ "candidates": [{ "content": { "parts": [{ "text": "" }] }, "finishReason": "STOP" }] })
}

/// The blocks of a stream of these parts.
fn blocks(events: &[Value]) -> Vec<String> {
    let mut events: Vec<Value> = events.iter().cloned().map(parts).collect();
    events.push(stop());
    let mut lines = try_tell(&events).unwrap();
    assert_eq!(lines.remove(0), "start  ");
    assert_eq!(lines.pop().unwrap(), "end");
    lines
}

#[test]
fn a_stream_is_told_block_by_block() {
    let usage = |output: u64| json!({ "promptTokenCount": 9, "candidatesTokenCount": output });
    let mut first = parts(json!([{ "text": "Hm", "thought": true }]));
    first["responseId"] = json!("r");
    first["modelVersion"] = json!("gemini-x");
    first["usageMetadata"] = usage(1);
    let mut last = parts(json!([{ "text": "lo" }, { "functionCall": { "name": "f", "args": { "a": 1 } } }]));
    last["candidates"][0]["finishReason"] = json!("STOP");
    last["candidates"][0]["safetyRatings"] = json!([]);
    last["usageMetadata"] = usage(7);
    last["usageMetadata"]["serviceTier"] = json!("flex");
    let told = try_tell(&[
        first,
        parts(json!([{ "text": ".", "thought": true, "thoughtSignature": "CikA" }, { "text": "Hel" }])),
        last,
    ]);
    assert_eq!(
        told.unwrap(),
        [
            "start r gemini-x",
            "0 thought Hm. <pm1.gemini.google.s.CikA>",
            "0 text Hello",
            r#"0 call call_r1_0 f {"a":1}"#,
            "lost candidates[].safetyRatings",
            "0 finish ToolCalls",
            "usage 9 7",
            "tier flex",
            "end",
        ]
    );
}

#[test]
fn signatures_sit_on_any_part() {
    let signed =
        |text: &str, thought: bool| json!([{ "text": text, "thought": thought, "thoughtSignature": "Ci" }]);
    let seal = "<pm1.gemini.google.s.Ci>";
    assert_eq!(
        blocks(&[json!([{ "text": "a", "thought": true }]), signed("", true), json!([{ "text": "b" }])]),
        [format!("0 thought a {seal}"), "0 text b".into(), "0 finish Stop".into()]
    );
    // Google's own way: the proof of a text comes behind it.
    assert_eq!(
        blocks(&[json!([{ "text": "a" }]), signed("", false), json!([{ "text": "b" }])]),
        ["0 text a".into(), format!("0 thought  {seal}"), "0 text b".into(), "0 finish Stop".to_owned()]
    );
    let call = json!([{ "functionCall": { "id": "1", "name": "f" }, "thoughtSignature": "Ci" }]);
    assert_eq!(blocks(&[call]), [format!("0 call 1 f {{}} {seal}"), "0 finish ToolCalls".into()]);
    let image =
        json!([{ "inlineData": { "mimeType": "image/png", "data": "AAAA" }, "thoughtSignature": "Ci" }]);
    assert_eq!(
        blocks(&[image]),
        ["0 medium".into(), format!("0 thought  {seal}"), "0 finish Stop".to_owned()]
    );
}

#[test]
fn parts_of_googles_own_are_kept_whole() {
    let code = json!([{ "executableCode": { "code": "1" } }, { "text": "x", "partMetadata": {} }]);
    assert_eq!(
        blocks(&[code]),
        [r#"0 opaque {"executableCode":{"code":"1"}}"#, "lost partMetadata", "0 text x", "0 finish Stop"]
    );
    // Vertex AI may send arguments in pieces, if it is asked to; what they are is not read.
    let piece = |call: Value| json!([{ "functionCall": call }]);
    assert_eq!(
        blocks(&[
            piece(json!({ "name": "f", "willContinue": true })),
            piece(
                json!({ "partialArgs": [{ "jsonPath": "$.a", "stringValue": "x" }], "willContinue": true })
            ),
            piece(json!({})),
        ]),
        [
            "lost functionCall.willContinue",
            "0 call call_r1_0 f {}",
            "lost candidates[].functionCall.partialArgs",
            "0 finish ToolCalls",
        ]
    );
}

#[test]
fn candidates_end_each_for_itself() {
    let candidate = |index: u64, text: &str, reason: Value| json!({ "candidates": [{ "index": index, "content": { "parts": [{ "text": text }] }, "finishReason": reason }] });
    let null = || Value::Null;
    let told = try_tell(&[
        candidate(0, "a", null()),
        candidate(1, "b", null()),
        candidate(0, "c", json!("MAX_TOKENS")),
    ]);
    assert_eq!(
        told.unwrap(),
        ["start  ", "0 text ac", "1 text b", "0 finish Length"],
        "the other has no end"
    );
    let told = try_tell(&[candidate(0, "a", json!("STOP")), candidate(0, "late", json!("STOP"))]);
    assert_eq!(told.unwrap(), ["start  ", "0 text a", "0 finish Stop", "end"]);
}

#[test]
fn a_blocked_prompt_is_a_whole_answer() {
    let told = try_tell(&[json!({ "promptFeedback": { "blockReason": "SAFETY" } })]);
    assert_eq!(told.unwrap(), ["start  ", "lost promptFeedback", "0 finish ContentFilter", "end"]);
    let told = try_tell(&[json!({ "promptFeedback": {} }), parts(json!([{ "text": "a" }])), stop()]);
    assert_eq!(told.unwrap().last().unwrap(), "end");
}

#[test]
fn sources_and_probabilities_are_told() {
    let mut last = parts(json!([{ "text": "rain" }]));
    last["candidates"][0]["finishReason"] = json!("STOP");
    last["candidates"][0]["groundingMetadata"] =
        json!({ "groundingChunks": [{ "web": { "uri": "https://a.example" } }] });
    last["candidates"][0]["logprobsResult"] =
        json!({ "chosenCandidates": [{ "token": "rain", "logProbability": -1 }] });
    let told = try_tell(&[last]).unwrap();
    assert!(told.contains(&"0 text rain [https://a.example]".to_owned()), "{told:?}");
    assert!(
        told.iter().any(|line| line.starts_with(r#"0 logprobs {"content":[{"token":"rain","logprob":-1"#))
    );
}

#[test]
fn errors_end_a_stream_wherever_they_stand() {
    let error = json!({ "error": { "code": 503, "message": "overloaded", "status": "UNAVAILABLE" } });
    for error in [error.clone(), json!([error])] {
        let told = try_tell(&[parts(json!([{ "text": "a" }])), error, parts(json!([{ "text": "b" }]))]);
        assert_eq!(told.unwrap(), ["start  ", "0 text a", "error overloaded"]);
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for hostile in [
        json!([]),
        json!(3),
        json!({ "candidates": 3 }),
        json!({ "candidates": [3] }),
        json!({ "candidates": [{ "content": [] }] }),
        json!({ "candidates": [{ "content": { "parts": 1 } }] }),
        json!({ "candidates": [{ "content": { "parts": [{ "text": {} }] } }] }),
        json!({ "candidates": [{ "content": { "parts": [{ "functionCall": {} }] } }] }),
        json!({ "candidates": [{ "finishReason": 3 }] }),
    ] {
        assert!(try_tell(std::slice::from_ref(&hostile)).is_err(), "{hostile}");
    }
    let mut decoder = StreamDecoder::new("google", "r1");
    assert!(decoder.frame(b"", b"{", &mut |_| {}).is_err());
    let crowd: Vec<Value> = (0..300).map(|index| json!({ "candidates": [{ "index": index }] })).collect();
    assert!(try_tell(&crowd).is_err());
    assert_eq!(try_tell(&[json!({ "usageMetadata": {} })]).unwrap(), ["start  "], "nothing was answered");
}

/// A stream as it is on the wire.
fn wire(events: &[Value]) -> Vec<u8> {
    events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect::<String>().into_bytes()
}

fn example() -> Vec<Value> {
    vec![
        parts(json!([{ "text": "Hm — \u{1F914}", "thought": true }])),
        parts(json!([{ "text": "Ja\n\"so\"" }])),
        parts(
            json!([{ "functionCall": { "id": "c1", "name": "f", "args": { "x": [1, "ø"] } }, "thoughtSignature": "Ci" }]),
        ),
        json!({
            "candidates": [{ "content": { "parts": [{ "text": "" }] }, "finishReason": "STOP" }],
            "usageMetadata": { "promptTokenCount": 5, "candidatesTokenCount": 6, "totalTokenCount": 11 },
        }),
    ]
}

fn translated(to: Dialect, chunks: &[&[u8]]) -> Vec<u8> {
    let context =
        AnswerContext { id: "i".into(), model: "m".into(), stream_usage: true, ..AnswerContext::default() };
    let codec = |dialect| codec(dialect).unwrap();
    let translator = Translator::new((codec(Dialect::Gemini), "google"), (codec(to), context), 1);
    let mut relay = Relay::Translate(Box::new(translator));
    let mut out = Vec::new();
    for chunk in chunks {
        relay.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    relay.finish(&mut out).unwrap();
    assert!(relay.observed().done);
    out.concat()
}

#[test]
fn a_stream_means_the_same_however_it_is_cut() {
    let whole = wire(&example());
    for dialect in Dialect::ALL {
        let expected = translated(dialect, &[&whole]);
        for cut in 0..=whole.len() {
            let (before, after) = whole.split_at(cut);
            assert_eq!(translated(dialect, &[before, after]), expected, "{dialect} at {cut}");
        }
    }
}

#[test]
fn an_error_outside_of_events_is_found_however_it_is_cut() {
    let mut whole = wire(&[parts(json!([{ "text": "a" }]))]);
    whole.extend_from_slice(
        b"{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"overloaded\"\n  }\n}\n",
    );
    for cut in 0..=whole.len() {
        let context = AnswerContext::default();
        let gemini = codec(Dialect::Gemini).unwrap();
        let mut translator = Translator::new((gemini, "google"), (gemini, context), 1);
        let (before, after) = whole.split_at(cut);
        let mut out = Vec::new();
        for chunk in [before, after] {
            translator.push(&Bytes::copy_from_slice(chunk), &mut out).unwrap();
        }
        translator.finish(&mut out).unwrap();
        let error = translator.observed().error.as_ref();
        assert_eq!(error.map(|error| error.message.as_str()), Some("overloaded"), "at {cut}");
    }
}

struct Client {
    encoder: StreamEncoder,
    out: Writer,
}

impl Client {
    fn new(json_array: bool) -> Self {
        let context =
            AnswerContext { id: "abc".into(), model: "asked".into(), json_array, ..AnswerContext::default() };
        Self { encoder: StreamEncoder::new(context), out: Writer::default() }
    }

    fn event(&mut self, event: Event<'_>) -> &mut Self {
        self.encoder.event(event, &mut self.out);
        self
    }

    fn finish(self) -> (Vec<u8>, Vec<String>) {
        let losses = self.encoder.losses().iter().map(str::to_owned).collect();
        (self.out.finish(), losses)
    }
}

/// The events on the wire.
fn events(stream: &[u8]) -> Vec<Value> {
    let mut framer = Framer::default();
    let events = framer.events(stream).unwrap();
    events.iter().map(|event| serde_json::from_slice(&event.data).unwrap()).collect()
}

fn tell_all(client: &mut Client) {
    let text = |text: &'static str| Text::from(text);
    let seal = || Seal::from_provider(Text::from("EqQB"), SealKind::Signature, Dialect::Anthropic, "claude");
    let citation = Citation {
        url: Some(text("https://a.example")),
        title: None,
        quote: Some(text("rain")),
        span: None,
        raw: "{}",
    };
    let head = |name: &'static str| Head::ToolCall {
        id: Text::from(name),
        item: None,
        name: Text::from("f"),
        custom: false,
    };
    client
        .event(Event::Ping)
        .event(Event::Start { id: text("id1"), model: text("claude"), created: None })
        .event(Event::Open { block: 0, choice: 0, head: Head::Reasoning { id: None, summary: false } })
        .event(Event::Delta { block: 0, text: text("Hm") })
        .event(Event::Sealed { block: 0, seal: seal() })
        .event(Event::Close { block: 0 })
        .event(Event::Open { block: 1, choice: 0, head: Head::Text })
        .event(Event::Delta { block: 1, text: Text::Escaped(r"it\nrains") })
        .event(Event::Cite { block: 1, citation })
        .event(Event::Close { block: 1 })
        .event(Event::Open { block: 2, choice: 0, head: head("c1") })
        .event(Event::Open { block: 3, choice: 0, head: head("c2") })
        .event(Event::Delta { block: 2, text: text(r#"{"a""#) })
        .event(Event::Delta { block: 3, text: text("") })
        .event(Event::Delta { block: 2, text: text(":1}") })
        .event(Event::Sealed { block: 3, seal: seal() })
        .event(Event::Close { block: 2 })
        .event(Event::Close { block: 3 })
        .event(Event::Finish { choice: 0, finish: Finish::new(Reason::ToolCalls) })
        .event(Event::Usage(Usage { input: 5, output: 7, reasoning: 2, ..Usage::default() }))
        .event(Event::ServiceTier(text("priority")))
        .event(Event::End)
        .event(Event::End);
}

fn told() -> Vec<Value> {
    // `pm1.anthropic.claude.s.EqQB` as bytes.
    let tag = "cG0xLmFudGhyb3BpYy5jbGF1ZGUucy5FcVFC";
    let chunk = |part: Value| {
        json!({
            "candidates": [{ "content": { "parts": [part], "role": "model" }, "index": 0 }],
            "modelVersion": "claude",
            "responseId": "id1",
        })
    };
    let mut last = chunk(json!({ "text": "" }));
    last["candidates"][0]["finishReason"] = json!("STOP");
    last["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{ "web": { "uri": "https://a.example" } }],
        "groundingSupports": [{ "segment": { "text": "rain" }, "groundingChunkIndices": [0] }],
    });
    last["usageMetadata"] = json!({
        "promptTokenCount": 5, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 12,
        "serviceTier": "priority",
    });
    vec![
        chunk(json!({ "text": "Hm", "thought": true })),
        chunk(json!({ "text": "", "thought": true, "thoughtSignature": tag })),
        chunk(json!({ "text": "it\nrains" })),
        chunk(json!({ "functionCall": { "id": "c1", "name": "f", "args": { "a": 1 } } })),
        chunk(json!({ "functionCall": { "id": "c2", "name": "f", "args": {} }, "thoughtSignature": tag })),
        last,
    ]
}

#[test]
fn every_event_is_told_in_googles_way() {
    let mut client = Client::new(false);
    tell_all(&mut client);
    let (stream, losses) = client.finish();
    assert_eq!(events(&stream), told());
    assert!(stream.starts_with(b"data: {") && stream.ends_with(b"}\r\n\r\n"));
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn an_array_has_the_same_elements_and_an_end() {
    let mut client = Client::new(true);
    tell_all(&mut client);
    let (stream, _) = client.finish();
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&stream).unwrap(), told());
    assert!(stream.starts_with(b"[{") && stream.ends_with(b"}]"));
    assert_eq!(stream.windows(4).filter(|window| window == b"},\r\n").count(), 5);
    // However little was said.
    let mut silent = Client::new(true);
    silent.event(Event::End);
    let (stream, _) = silent.finish();
    let array: Vec<Value> = serde_json::from_slice(&stream).unwrap();
    assert_eq!(array[0]["candidates"][0]["finishReason"], "STOP");
    assert_eq!((&array[0]["modelVersion"], &array[0]["responseId"]), (&json!("asked"), &json!("abc")));
}

#[test]
fn an_array_may_be_written_in_pieces() {
    let mut encoder = StreamEncoder::new(AnswerContext { json_array: true, ..AnswerContext::default() });
    let mut stream = Vec::new();
    for event in [
        Event::Open { block: 0, choice: 0, head: Head::Text },
        Event::Delta { block: 0, text: Text::from("a") },
        Event::Delta { block: 0, text: Text::from("b") },
        Event::End,
    ] {
        let mut out = Writer::default();
        encoder.event(event, &mut out);
        stream.extend(out.finish());
    }
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&stream).unwrap().len(), 3);
}

#[test]
fn candidates_media_and_what_has_no_place() {
    let mut client = Client::new(false);
    let image = |source| {
        Content::Image(Media { source, mime: Some(Text::from("image/png")), name: None, detail: None })
    };
    client
        .event(Event::Open {
            block: 0,
            choice: 1,
            head: Head::Media(image(Source::Base64(Text::from("AAAA")))),
        })
        .event(Event::Close { block: 0 })
        .event(Event::Open {
            block: 1,
            choice: 0,
            head: Head::Media(image(Source::PlainText(Text::from("x")))),
        })
        .event(Event::Open { block: 2, choice: 0, head: Head::Opaque(r#"{"executableCode":{}}"#) })
        .event(Event::Open { block: 3, choice: 0, head: Head::Opaque(r#"{"type":"x"}"#) })
        .event(Event::Open {
            block: 4,
            choice: 0,
            head: Head::ToolCall { id: Text::from("c"), item: None, name: Text::from("f"), custom: true },
        })
        .event(Event::Delta { block: 4, text: Text::from("ls") })
        .event(Event::Logprobs { choice: 0, raw: r#"{"content":[{"token":"a","logprob":-1}]}"# })
        .event(Event::Lost(Text::from("audio")))
        .event(Event::Finish { choice: 1, finish: Finish::new(Reason::Pause) })
        .event(Event::Finish { choice: 0, finish: Finish::new(Reason::Length) })
        .event(Event::End);
    let (stream, losses) = client.finish();
    let events = events(&stream);
    let part = |at: usize| &events[at]["candidates"][0]["content"]["parts"][0];
    assert_eq!(events[0]["candidates"][0]["index"], 1);
    assert_eq!(part(0), &json!({ "inlineData": { "mimeType": "image/png", "data": "AAAA" } }));
    assert_eq!(part(1), &json!({ "text": "x" }));
    assert_eq!(part(2), &json!({ "executableCode": {} }));
    assert_eq!(events[3]["candidates"][0]["logprobsResult"]["chosenCandidates"][0]["logProbability"], -1);
    assert_eq!(part(4), &json!({ "functionCall": { "id": "c", "name": "f", "args": { "input": "ls" } } }));
    let ends: Vec<_> =
        events[5]["candidates"].as_array().unwrap().iter().map(|one| &one["finishReason"]).collect();
    assert_eq!(ends, ["STOP", "MAX_TOKENS"]);
    assert_eq!(losses, ["content", "audio", "finish_reason"]);
}

proptest! {
    #[test]
    fn what_is_streamed_reads_back(
        thought in ".{0,20}", said in ".{1,20}", argument in any::<String>(), signed in any::<bool>(),
    ) {
        let arguments = json!({ "a": argument }).to_string();
        let at = Path::Root;
        let seal = Seal::from_provider(Text::from("EqQB"), SealKind::Signature, Dialect::Anthropic, "claude");
        let reasoning = Reasoning {
            text: vec![Text::from(thought.as_str())],
            seal: signed.then_some(seal),
            ..Reasoning::default()
        };
        let call = ToolCall {
            id: Text::from("c1"),
            item: None,
            name: Text::from("f"),
            arguments: Arguments::Quoted(Text::from(arguments.as_str())),
            seal: None,
        };
        let blocks = vec![
            Block::new(Content::Reasoning(reasoning), at),
            Block::new(Content::text(Text::from(said.as_str())), at),
            Block::new(Content::ToolCall(call), at),
        ];
        let choice = Choice { blocks, finish: Some(Finish::new(Reason::ToolCalls)), ..Choice::default() };
        let mut client = Client::new(false);
        Answer { choices: vec![choice], ..Answer::default() }.into_events(|event| {
            client.event(event);
        });
        let (stream, losses) = client.finish();
        prop_assert!(losses.is_empty());
        // As one client keeps it: each event a turn of the model.
        let contents: Vec<Value> =
            events(&stream).iter().map(|event| event["candidates"][0]["content"].clone()).collect();
        let body = json!({ "contents": contents }).to_string();
        let document = crate::json::Document::read(body.as_bytes()).unwrap();
        let request = super::super::decode_request(&document, "m", false).unwrap();
        let blocks: Vec<&Block<'_>> = request.messages.iter().flat_map(|message| &message.blocks).collect();
        let mut heard = (String::new(), String::new(), String::new(), 0);
        for block in blocks {
            match &block.content {
                Content::Reasoning(reasoning) => {
                    reasoning.summary.iter().for_each(|text| heard.0.push_str(&text.value()));
                    heard.3 += usize::from(reasoning.seal.as_ref().is_some_and(|seal| seal.data == "EqQB"));
                }
                Content::Text { text, .. } => heard.1.push_str(&text.value()),
                Content::ToolCall(call) => {
                    let mut writer = Writer::default();
                    call.arguments.write_object(&mut writer).unwrap();
                    heard.2 = String::from_utf8(writer.finish()).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(heard, (thought, said, arguments, usize::from(signed)));
    }
}
