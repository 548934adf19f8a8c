//! Streams, read and written: whole events in, whole events out.

use pointsman_core::{Dialect, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json::{Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, BlockId, Choice, Citation, Content, DecodeError, Event, Finish,
    Head, Path, Reason, Reasoning, Seal, SealKind, ToolCall,
};

/// Writes the events of a stream, and checks that their order is legal.
struct Client {
    encoder: StreamEncoder,
    out: Writer,
}

impl Client {
    fn new() -> Self {
        let context = AnswerContext { id: "abc".into(), model: "asked".into(), ..AnswerContext::default() };
        Self { encoder: StreamEncoder::new(context), out: Writer::default() }
    }

    fn event(&mut self, event: Event<'_>) -> &mut Self {
        self.encoder.event(event, &mut self.out);
        self
    }

    fn open(&mut self, block: BlockId, head: Head<'_>) -> &mut Self {
        self.event(Event::Open { block, choice: 0, head })
    }

    fn delta(&mut self, block: BlockId, text: &str) -> &mut Self {
        self.event(Event::Delta { block, text: Text::from(text) })
    }

    fn close(&mut self, block: BlockId) -> &mut Self {
        self.event(Event::Close { block })
    }

    fn call(&mut self, block: BlockId, id: &'static str) -> &mut Self {
        let name = Text::from("f");
        self.open(block, Head::ToolCall { id: Text::from(id), item: None, name, custom: false })
    }

    fn end(&mut self, reason: Reason) -> &mut Self {
        self.event(Event::Finish { choice: 0, finish: Finish::new(reason) }).event(Event::End)
    }

    /// The message as the vendor's SDK puts it together, and what was lost.
    fn message(&mut self) -> (Value, Vec<String>) {
        let losses = self.encoder.losses().iter().map(str::to_owned).collect();
        (assemble(&std::mem::take(&mut self.out).finish()), losses)
    }
}

fn events(bytes: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let frames = text.strip_suffix("\n\n").unwrap().split("\n\n");
    frames
        .map(|frame| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

/// What the vendor's SDK makes of the events. Fails on any that does not belong where it is.
fn assemble(bytes: &[u8]) -> Value {
    let mut message = Value::Null;
    let mut open: Option<(usize, String)> = None;
    let mut stopped = false;
    for (name, event) in events(bytes) {
        assert_eq!(event["type"], name.as_str());
        assert!(!stopped, "{name} after message_stop");
        assert_eq!(message.is_null(), name == "message_start", "{name}");
        let index = event["index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match name.as_str() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                assert!(open.is_none(), "two blocks open");
                let blocks = message["content"].as_array_mut().unwrap();
                assert_eq!(index, Some(blocks.len()));
                blocks.push(event["content_block"].clone());
                open = Some((index.unwrap(), String::new()));
            }
            "content_block_delta" => {
                let (at, input) = open.as_mut().unwrap();
                assert_eq!(index, Some(*at));
                let block = &mut message["content"][*at];
                let delta = &event["delta"];
                let mut append = |block_type: &str, member: &str| {
                    assert_eq!(block["type"], block_type);
                    let text = block[member].as_str().unwrap().to_owned() + delta[member].as_str().unwrap();
                    block[member] = text.into();
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => append("text", "text"),
                    "thinking_delta" => append("thinking", "thinking"),
                    "signature_delta" => append("thinking", "signature"),
                    "input_json_delta" => {
                        assert_eq!(block["type"], "tool_use");
                        input.push_str(delta["partial_json"].as_str().unwrap());
                    }
                    "citations_delta" => {
                        assert_eq!(block["type"], "text");
                        if block.get("citations").is_none() {
                            block["citations"] = json!([]);
                        }
                        block["citations"].as_array_mut().unwrap().push(delta["citation"].clone());
                    }
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" => {
                let (at, input) = open.take().unwrap();
                assert_eq!(index, Some(at));
                if !input.is_empty() {
                    message["content"][at]["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => {
                assert!(open.is_none());
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                message["usage"] = event["usage"].clone();
            }
            "message_stop" => stopped = true,
            "ping" => {}
            other => panic!("{other}"),
        }
    }
    assert!(stopped);
    message
}

/// What the decoder tells of these events, each as one line.
fn told(events: &[Value]) -> (Vec<String>, Result<(), DecodeError>) {
    let mut decoder = StreamDecoder::new("anthropic", "req1");
    let mut lines = Vec::new();
    let mut result = Ok(());
    for event in events {
        let data = event.to_string();
        result = decoder.frame(b"", data.as_bytes(), &mut |event| lines.push(line(&event)));
        if result.is_err() {
            break;
        }
    }
    (lines, result)
}

fn line(event: &Event<'_>) -> String {
    match event {
        Event::Start { id, model, .. } => format!("start {} {}", id.value(), model.value()),
        Event::Open { block, head, .. } => match head {
            Head::ToolCall { id, name, .. } => format!("open {block} call {} {}", id.value(), name.value()),
            Head::Text => format!("open {block} text"),
            Head::Reasoning { .. } => format!("open {block} reasoning"),
            Head::Opaque(raw) => format!("open {block} {raw}"),
            other => format!("open {block} {other:?}"),
        },
        Event::Delta { block, text } => format!("delta {block} {}", text.value()),
        Event::Cite { block, citation } => format!("cite {block} {}", citation.raw),
        Event::Sealed { block, seal } => format!("sealed {block} {:?} {}", seal.kind, seal.data.value()),
        Event::Close { block } => format!("close {block}"),
        Event::Finish { finish, .. } => format!("finish {:?}", finish.reason),
        Event::Usage(usage) => {
            let Usage { input, cached_input, cache_write, output, .. } = usage;
            format!("usage {input} {cached_input} {cache_write} {output}")
        }
        Event::ServiceTier(tier) => format!("tier {}", tier.value()),
        Event::Lost(name) => format!("lost {}", name.value()),
        Event::Error(error) => {
            format!("error {} {}", error.type_.as_deref().unwrap_or_default(), error.message)
        }
        Event::Ping => "ping".into(),
        Event::End => "end".into(),
        Event::Logprobs { .. } => "logprobs".into(),
    }
}

fn started() -> Value {
    json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2,
                   "output_tokens": 1, "service_tier": "standard" },
    } })
}

#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn start(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn delta(index: u64, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn finished(reason: &str) -> Value {
    json!({ "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null },
            "usage": { "output_tokens": 9 } })
}

#[test]
fn every_event_is_told() {
    let citation = json!({ "type": "char_location", "cited_text": "c" });
    let (lines, result) = told(&[
        started(),
        json!({ "type": "ping" }),
        start(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "Hm" })),
        delta(0, json!({ "type": "signature_delta", "signature": "sig" })),
        stop(0),
        start(1, json!({ "type": "redacted_thinking", "data": "enc" })),
        stop(1),
        start(2, json!({ "type": "text", "text": "" })),
        delta(2, json!({ "type": "text_delta", "text": "a\n" })),
        delta(2, json!({ "type": "citations_delta", "citation": citation })),
        stop(2),
        start(3, json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "{\"q\":" })),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "1}" })),
        stop(3),
        start(4, json!({ "type": "compaction", "content": null })),
        delta(4, json!({ "type": "compaction_delta", "content": "sum" })),
        stop(4),
        start(5, json!({ "type": "tool_use", "id": "t", "name": "f", "input": {} })),
        delta(5, json!({ "type": "input_json_delta", "partial_json": "" })),
        delta(5, json!({ "type": "input_json_delta", "partial_json": "{\"a\":1}" })),
        stop(5),
        start(6, json!({ "type": "tool_use", "id": "u", "name": "g", "input": { "b": 2 } })),
        stop(6),
        json!({ "type": "news", "x": 1 }),
        finished("tool_use"),
        json!({ "type": "message_stop" }),
        json!({ "type": "message_stop" }),
    ]);
    let expected = [
        "start msg_1 claude",
        "usage 17 5 2 1",
        "tier standard",
        "ping",
        "open 0 reasoning",
        "delta 0 Hm",
        "sealed 0 Signature sig",
        "close 0",
        "open 1 reasoning",
        "sealed 1 Encrypted enc",
        "close 1",
        "open 2 text",
        "delta 2 a\n",
        r#"cite 2 {"type":"char_location","cited_text":"c"}"#,
        "close 2",
        r#"open 3 {"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}}"#,
        "close 3",
        r#"open 4 {"type":"compaction","content":"sum"}"#,
        "close 4",
        "open 5 call t f",
        r#"delta 5 {"a":1}"#,
        "close 5",
        "open 6 call u g",
        r#"delta 6 {"b":2}"#,
        "close 6",
        "lost news",
        "finish ToolCalls",
        // The counts of the start hold where the end does not repeat them.
        "usage 17 5 2 9",
        "end",
    ];
    assert_eq!((lines, result), (expected.map(str::to_owned).to_vec(), Ok(())));
}

#[test]
fn an_error_ends_the_stream() {
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let (lines, result) = told(&[started(), error, finished("end_turn")]);
    assert_eq!(lines.last().map(String::as_str), Some("error overloaded_error Overloaded"));
    assert_eq!((lines.len(), result), (4, Ok(())));
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    let text = start(0, json!({ "type": "text", "text": "" }));
    let end = |events: &[Value]| {
        let mut decoder = StreamDecoder::new("anthropic", "req1");
        let mut lines = Vec::new();
        for event in events {
            let data = event.to_string();
            decoder.frame(b"", data.as_bytes(), &mut |event| lines.push(line(&event))).unwrap();
        }
        decoder.finish(&mut |event| lines.push(line(&event))).unwrap();
        decoder.finish(&mut |event| lines.push(line(&event))).unwrap();
        lines.into_iter().filter(|line| line == "end" || line.starts_with("close")).collect::<Vec<_>>()
    };
    assert_eq!(end(&[started(), text.clone()]), Vec::<String>::new());
    // All is said but `message_stop`; the block that was left open is closed.
    assert_eq!(end(&[started(), text, finished("end_turn")]), ["close 0", "end"]);
}

#[test]
fn hostile_events_are_refused() {
    let refused = |event: Value| told(&[started(), event]).1.unwrap_err().to_string();
    assert_eq!(refused(json!([])), "`type` must be a string");
    assert_eq!(refused(json!({ "type": 1 })), "`type` must be a string");
    assert_eq!(refused(started()), "`type` must be something else than a second `message_start`");
    assert_eq!(refused(json!({ "type": "content_block_start", "index": 0 })), "`content_block` is missing");
    assert_eq!(refused(start(0, json!({}))), "`content_block.type` must be a string");
    assert_eq!(refused(start(0, json!({ "type": "tool_use" }))), "`content_block.name` is missing");
    assert_eq!(
        refused(delta(0, json!({ "type": "text_delta" }))),
        "`index` must be the number of an open block"
    );
    assert_eq!(refused(stop(7)), "`index` must be the number of an open block");
    assert_eq!(refused(json!({ "type": "message_stop" })), "`stop_reason` is missing");
    let text = start(0, json!({ "type": "text", "text": "" }));
    let twice = told(&[started(), text.clone(), text.clone()]).1.unwrap_err().to_string();
    assert_eq!(twice, "`index` must be the number of no open block");
    let wrong = delta(0, json!({ "type": "text_delta", "text": 1 }));
    assert_eq!(told(&[text, wrong]).1.unwrap_err().to_string(), "`delta.text` must be a string");
    let mut decoder = StreamDecoder::new("p", "i");
    let cut = decoder.frame(b"", br#"{"type":"ping""#, &mut |_| {});
    assert!(matches!(cut, Err(DecodeError::Json(_))));
}

#[test]
fn interleaved_calls_keep_their_arguments_apart() {
    let mut client = Client::new();
    client.event(Event::Start { id: Text::from("m"), model: Text::from("x"), created: None });
    client.open(0, Head::Text).delta(0, "I ");
    client.call(1, "a").call(2, "b");
    client.delta(1, "{\"n\"").delta(2, "{\"m\"").delta(0, "call.").delta(1, ":1}").delta(2, ":2}");
    client.close(2).call(3, "c").close(0).close(1).delta(3, "{}").close(3);
    let (message, losses) = client.end(Reason::ToolCalls).message();
    let call = |id: &str, input: Value| json!({ "type": "tool_use", "id": id, "name": "f", "input": input });
    assert_eq!(
        message["content"],
        json!([
            { "type": "text", "text": "I " },
            call("a", json!({ "n": 1 })),
            call("b", json!({ "m": 2 })),
            { "type": "text", "text": "call." },
            call("c", json!({})),
        ])
    );
    assert_eq!((&message["stop_reason"], losses), (&json!("tool_use"), vec![]));
}

#[test]
fn blocks_that_nobody_closed_are_closed() {
    let mut client = Client::new();
    client.call(0, "a").call(1, "b").delta(1, "{}").open(2, Head::Text).delta(2, "x").call(3, "c");
    let (message, _) = client.end(Reason::Stop).message();
    let kinds: Vec<_> = message["content"].as_array().unwrap().iter().map(|b| b["type"].clone()).collect();
    assert_eq!(kinds, ["tool_use", "tool_use", "text", "tool_use"]);
    assert_eq!((&message["id"], &message["model"]), (&json!("msg_abc"), &json!("asked")));
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn thoughts_proofs_and_ciphers_have_their_blocks() {
    let reasoning = || Head::Reasoning { id: None, summary: false };
    let seal = |kind, data: &'static str| Seal::from_provider(Text::from(data), kind, Dialect::Gemini, "g");
    let mut client = Client::new();
    client
        .open(0, reasoning())
        .delta(0, "Hm.")
        .event(Event::Sealed { block: 0, seal: seal(SealKind::Signature, "s") });
    client.close(0);
    client
        .open(1, reasoning())
        .event(Event::Sealed { block: 1, seal: seal(SealKind::Encrypted, "e") })
        .close(1);
    client.open(2, reasoning()).close(2).open(3, Head::Text).close(3);
    client
        .call(4, "a")
        .delta(4, "{}")
        .event(Event::Sealed { block: 4, seal: seal(SealKind::Signature, "c") });
    client
        .call(5, "b")
        .event(Event::Sealed { block: 5, seal: seal(SealKind::Signature, "d") })
        .close(5)
        .close(4);
    let (message, _) = client.end(Reason::ToolCalls).message();
    let call = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
    let kept = |data: &str| json!({ "type": "redacted_thinking", "data": format!("pm1.gemini.g.{data}") });
    assert_eq!(
        message["content"],
        json!([
            { "type": "thinking", "thinking": "Hm.", "signature": "pm1.gemini.g.s.s" },
            kept("e.e"),
            call("a"),
            kept("s.c"),
            call("b"),
            kept("s.d"),
        ])
    );
}

#[test]
fn free_text_is_put_inside_an_object() {
    let mut client = Client::new();
    let (id, name) = (Text::from("call.1"), Text::from("shell"));
    client.open(0, Head::ToolCall { id, item: None, name, custom: true });
    client
        .delta(0, "echo \"a\"\n")
        .event(Event::Delta { block: 0, text: Text::Escaped(r#"\u00e9\"\\"#) })
        .close(0);
    let (message, _) = client.end(Reason::ToolCalls).message();
    let call = &message["content"][0];
    assert_eq!(call["input"], json!({ "input": "echo \"a\"\né\"\\" }));
    assert_eq!(call["id"], "call_x2e1");
}

#[test]
fn what_has_no_place_in_the_stream_is_declared() {
    let mut client = Client::new();
    let media = crate::neutral::Media {
        source: crate::neutral::Source::Base64(Text::from("AA")),
        mime: None,
        name: None,
        detail: None,
    };
    client.open(0, Head::Media(Content::Image(media))).close(0);
    client.open(1, Head::Opaque(r#"{"type":"web_search_call"}"#)).close(1);
    client.event(Event::Open { block: 2, choice: 1, head: Head::Text }).delta(2, "x").close(2);
    client.event(Event::Logprobs { choice: 0, raw: "{}" }).event(Event::ServiceTier(Text::from("flex")));
    client.event(Event::Lost(Text::from("odd"))).event(Event::Ping);
    let (message, losses) = client.end(Reason::Other).message();
    assert_eq!(message["content"], json!([]));
    let expected =
        ["content.image", "content", "choices[1]", "logprobs", "service_tier", "odd", "stop_reason"];
    assert_eq!(losses, expected);
}

#[test]
fn an_upstream_error_ends_the_clients_stream() {
    let mut client = Client::new();
    client.event(Event::Start { id: Text::from("m"), model: Text::from("x"), created: None });
    let told = crate::UpstreamError {
        message: "slow down".into(),
        type_: Some("rate_limit_error".into()),
        ..crate::UpstreamError::default()
    };
    client.event(Event::Error(told)).event(Event::End);
    let events = events(&std::mem::take(&mut client.out).finish());
    let expected =
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "slow down" } });
    assert_eq!(events.last(), Some(&("error".to_owned(), expected)));
    assert_eq!(events.len(), 2);
}

#[test]
fn usage_is_told_at_the_end_in_the_dialects_meaning() {
    let mut client = Client::new();
    client.event(Event::Usage(Usage { input: 1, output: 1, ..Usage::default() }));
    client.event(Event::Usage(Usage {
        input: 100,
        cached_input: 30,
        cache_write: 20,
        output: 7,
        ..Usage::default()
    }));
    client.event(Event::ServiceTier(Text::from("default")));
    let (message, _) = client.end(Reason::Stop).message();
    let usage = &message["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(50), &json!(30)));
    assert_eq!((&usage["cache_creation_input_tokens"], &usage["output_tokens"]), (&json!(20), &json!(7)));
    assert_eq!(usage["service_tier"], "standard");
}

/// Blocks as a provider of this dialect gives them.
fn blocks() -> impl Strategy<Value = Vec<(u8, String)>> {
    proptest::collection::vec((0u8..5, ".{1,12}"), 0..6)
}

fn answer<'a>(parts: &'a [(u8, String)], inputs: &'a [String]) -> Answer<'a> {
    let path = Path::Root;
    let parts = parts.iter().zip(inputs);
    let blocks = parts.enumerate().map(|(at, ((kind, text), input))| {
        let text = || Text::from(text.as_str());
        let seal = |kind| Some(Seal::from_provider(text(), kind, Dialect::Anthropic, "p"));
        let content = match kind {
            0 => Content::text(text()),
            1 => Content::Reasoning(Reasoning {
                text: vec![text()],
                seal: seal(SealKind::Signature),
                ..Reasoning::default()
            }),
            2 => Content::Reasoning(Reasoning { seal: seal(SealKind::Encrypted), ..Reasoning::default() }),
            3 => Content::ToolCall(ToolCall {
                id: Text::from(format!("toolu_{at}")),
                item: None,
                name: Text::from("f"),
                arguments: Arguments::Object(input),
                seal: None,
            }),
            _ => Content::Text {
                text: text(),
                citations: vec![Citation {
                    url: None,
                    title: None,
                    quote: None,
                    span: None,
                    raw: r#"{"type":"page_location"}"#,
                }],
            },
        };
        Block::new(content, path)
    });
    let blocks = blocks.collect();
    Answer {
        id: Text::from("msg_1"),
        choices: vec![Choice { blocks, finish: Some(Finish::new(Reason::Stop)), ..Choice::default() }],
        ..Answer::default()
    }
}

/// The lines of a stream from the first block on, with deltas of one block joined. Tags are cut off.
fn lines_of(bytes: &[u8]) -> Vec<String> {
    let mut decoder = StreamDecoder::new("p", "i");
    let mut lines: Vec<String> = Vec::new();
    for (name, data) in events(bytes) {
        let data = data.to_string();
        decoder
            .frame(name.as_bytes(), data.as_bytes(), &mut |event| {
                if !matches!(event, Event::Start { .. } | Event::Usage(_)) {
                    lines.push(
                        line(&event).replace("pm1.anthropic.p.s.", "").replace("pm1.anthropic.p.e.", ""),
                    );
                }
            })
            .unwrap();
    }
    lines
}

proptest! {
    /// What is written as a stream reads as the same blocks.
    #[test]
    fn a_stream_reads_as_what_was_written(parts in blocks()) {
        let inputs: Vec<String> = parts.iter().map(|(_, text)| json!({ "t": text }).to_string()).collect();
        let mut expected = Vec::new();
        answer(&parts, &inputs).into_events(|event| {
            if !matches!(event, Event::Start { .. } | Event::Usage(_)) {
                expected.push(line(&event));
            }
        });
        let mut client = Client::new();
        answer(&parts, &inputs).into_events(|event| {
            client.event(event);
        });
        let bytes = std::mem::take(&mut client.out).finish();
        if parts.iter().any(|(kind, _)| *kind == 3) {
            // A call that came with "stop" is told so that clients run it.
            expected.iter_mut().filter(|line| *line == "finish Stop").for_each(|line| *line = "finish ToolCalls".into());
        }
        prop_assert_eq!(lines_of(&bytes), expected);
        // And it is a message that the vendor's SDK can put together.
        assemble(&bytes);
    }

    /// Pieces of several blocks in any order: the order of events is legal and no piece is mixed up.
    #[test]
    fn interleaved_pieces_stay_in_their_blocks(
        calls in proptest::collection::vec(any::<bool>(), 1..5),
        steps in proptest::collection::vec((0usize..5, any::<bool>()), 0..40),
    ) {
        let mut client = Client::new();
        let mut said = vec![0usize; calls.len()];
        let mut open = vec![None::<bool>; calls.len()];
        let begin = |client: &mut Client, at: usize, open: &mut Vec<Option<bool>>| {
            if open[at].is_none() {
                let block = u32::try_from(at).unwrap();
                if calls[at] { client.call(block, "x").delta(block, "[0"); } else { client.open(block, Head::Text); }
                open[at] = Some(true);
            }
        };
        for (at, close) in steps {
            let at = at % calls.len();
            let block = u32::try_from(at).unwrap();
            begin(&mut client, at, &mut open);
            if open[at] == Some(true) {
                said[at] += 1;
                let piece = if calls[at] { format!(",{at}") } else { format!("{at};") };
                client.delta(block, &piece);
                if close && !calls[at] {
                    client.close(block);
                    open[at] = Some(false);
                }
            }
        }
        for (at, call) in calls.iter().enumerate() {
            begin(&mut client, at, &mut open);
            let block = u32::try_from(at).unwrap();
            if *call { client.delta(block, "]"); }
            client.close(block);
        }
        let (message, _) = client.end(Reason::Stop).message();
        let mut texts = String::new();
        let mut seen = vec![0usize; calls.len()];
        for block in message["content"].as_array().unwrap() {
            if let Some(text) = block["text"].as_str() {
                texts.push_str(text);
                continue;
            }
            let numbers: Vec<usize> = serde_json::from_value(block["input"].clone()).unwrap();
            let own = numbers.get(1).copied();
            prop_assert!(numbers.iter().skip(1).all(|number| Some(*number) == own));
            if let Some(own) = own { seen[own] += numbers.len() - 1; }
        }
        for piece in texts.split_terminator(';') {
            seen[piece.parse::<usize>().unwrap()] += 1;
        }
        prop_assert_eq!(seen, said);
    }
}
