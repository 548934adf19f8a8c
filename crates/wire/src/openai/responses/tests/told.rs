//! Streams of providers: what is told of their events, however they are cut and whatever they leave out.

use bytes::Bytes;
use pointsman_core::{Dialect, Usage, UsageSource};
use serde_json::{Value, json};

use crate::convert::{Translator, Watch, codec};
use crate::neutral::{AnswerContext, Content, DecodeError, Event, Head, Media};
use crate::openai::responses::StreamDecoder;

/// What the decoder tells of these events, each as one line.
pub(super) fn told(events: &[Value]) -> (Vec<String>, Result<(), DecodeError>) {
    let mut decoder = StreamDecoder::new("openai", "req1");
    let mut lines = Vec::new();
    for event in events {
        let name = event["type"].as_str().unwrap_or_default();
        let result = decoder.frame(name.as_bytes(), event.to_string().as_bytes(), &mut |event| {
            lines.push(line(&event));
        });
        if result.is_err() {
            return (lines, result);
        }
    }
    let result = decoder.finish(&mut |event| lines.push(line(&event)));
    (lines, result)
}

fn line(event: &Event<'_>) -> String {
    match event {
        Event::Start { id, model, created } => {
            format!("start {} {} {}", id.value(), model.value(), created.unwrap_or_default())
        }
        Event::Open { block, choice: 0, head } => match head {
            Head::Text => format!("open {block} text"),
            Head::Refusal => format!("open {block} refusal"),
            Head::Reasoning { id, summary } => {
                let id = id.as_ref().map(|id| id.value().into_owned()).unwrap_or_default();
                format!("open {block} {} {id}", if *summary { "summary" } else { "thought" })
            }
            Head::ToolCall { id, item, name, custom } => {
                let item = item.as_ref().map(|item| item.value().into_owned()).unwrap_or_default();
                let kind = if *custom { "custom" } else { "call" };
                format!("open {block} {kind} {} {item} {}", id.value(), name.value())
            }
            Head::Opaque(raw) => format!("open {block} {raw}"),
            Head::Media(Content::Image(Media { .. })) => format!("open {block} image"),
            Head::Media(_) => format!("open {block} medium"),
        },
        Event::Open { choice, .. } => format!("open in choice {choice}"),
        Event::Delta { block, text } => format!("{block} {}", text.value()),
        Event::Cite { block, citation } => format!("cite {block} {}", citation.raw),
        Event::Sealed { block, seal } => format!("seal {block} {:?} {}", seal.kind, seal.data.value()),
        Event::Close { block } => format!("close {block}"),
        Event::Logprobs { choice, raw } => format!("logprobs {choice} {raw}"),
        Event::Finish { choice, finish } => {
            let raw = finish.raw.as_ref().map(|raw| raw.value().into_owned()).unwrap_or_default();
            format!("finish {choice} {:?} {raw}", finish.reason)
        }
        Event::Usage(usage) => format!("usage {} {}", usage.input, usage.output),
        Event::ServiceTier(tier) => format!("tier {}", tier.value()),
        Event::Lost(name) => format!("lost {}", name.value()),
        Event::Ping => "ping".to_owned(),
        Event::Error(error) => format!("error {} {}", error.code.clone().unwrap_or_default(), error.message),
        Event::End => "end".to_owned(),
    }
}

fn created() -> Value {
    let response =
        json!({ "id": "resp_1", "model": "gpt", "created_at": 5, "status": "in_progress", "output": [] });
    json!({ "type": "response.created", "sequence_number": 0, "response": response })
}

fn with(mut event: Value, name: &str, member: Value) -> Value {
    event[name] = member;
    event
}

fn added(at: u64, item: Value) -> Value {
    with(json!({ "type": "response.output_item.added", "output_index": at }), "item", item)
}

fn done(at: u64, item: Value) -> Value {
    with(json!({ "type": "response.output_item.done", "output_index": at }), "item", item)
}

fn event(kind: &str, at: u64, members: Value) -> Value {
    let event = json!({ "type": format!("response.{kind}"), "output_index": at, "item_id": "x" });
    let Value::Object(members) = members else { panic!("{members}") };
    members.into_iter().fold(event, |event, (name, member)| with(event, &name, member))
}

fn completed(response: Value) -> Value {
    with(json!({ "type": "response.completed" }), "response", response)
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A stream of all kinds of items, as the vendor writes it.
pub(super) fn full() -> Vec<Value> {
    let token = json!({ "token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": [] });
    let source = json!({ "type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2 });
    let message = |text: &str| {
        let part = json!({ "type": "output_text", "text": text, "annotations": [source], "logprobs": [] });
        json!({ "type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part] })
    };
    let search = json!({ "type": "web_search_call", "id": "ws_1", "status": "completed" });
    let call = json!({ "type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1", "name": "f",
        "arguments": "{\"x\":1}" });
    let custom = json!({ "type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "sh", "input": "ls\n" });
    let thought = json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA", "content": [
        { "type": "reasoning_text", "text": "T" },
    ], "summary": [{ "type": "summary_text", "text": "A" }, { "type": "summary_text", "text": "B" }] });
    vec![
        created(),
        json!({ "type": "response.in_progress", "response": { "id": "resp_1" } }),
        added(0, json!({ "type": "reasoning", "id": "rs_1", "summary": [] })),
        event(
            "reasoning_summary_part.added",
            0,
            json!({ "summary_index": 0, "part": { "type": "summary_text", "text": "" } }),
        ),
        event("reasoning_summary_text.delta", 0, json!({ "summary_index": 0, "delta": "A" })),
        event("reasoning_summary_text.done", 0, json!({ "summary_index": 0, "text": "A" })),
        event(
            "reasoning_summary_part.done",
            0,
            json!({ "summary_index": 0, "part": { "type": "summary_text", "text": "A" } }),
        ),
        event("reasoning_summary_text.delta", 0, json!({ "summary_index": 1, "delta": "B" })),
        event("reasoning_summary_text.done", 0, json!({ "summary_index": 1, "text": "B" })),
        event(
            "content_part.added",
            0,
            json!({ "content_index": 0, "part": { "type": "reasoning_text", "text": "" } }),
        ),
        event("reasoning_text.delta", 0, json!({ "content_index": 0, "delta": "T" })),
        event("reasoning_text.done", 0, json!({ "content_index": 0, "text": "T" })),
        event(
            "content_part.done",
            0,
            json!({ "content_index": 0, "part": { "type": "reasoning_text", "text": "T" } }),
        ),
        done(0, thought),
        added(1, json!({ "type": "web_search_call", "id": "ws_1", "status": "in_progress" })),
        event("web_search_call.in_progress", 1, json!({})),
        event("web_search_call.searching", 1, json!({})),
        event("web_search_call.completed", 1, json!({})),
        done(1, search),
        added(
            2,
            json!({ "type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": [] }),
        ),
        event("content_part.added", 2, json!({ "content_index": 0, "part": text_part("") })),
        event(
            "output_text.delta",
            2,
            json!({ "content_index": 0, "delta": "Hi", "logprobs": [token], "obfuscation": "x" }),
        ),
        event("output_text.delta", 2, json!({ "content_index": 0, "delta": " é", "logprobs": [] })),
        event(
            "output_text.annotation.added",
            2,
            json!({ "content_index": 0, "annotation_index": 0, "annotation": source }),
        ),
        event("output_text.done", 2, json!({ "content_index": 0, "text": "Hi é", "logprobs": [] })),
        event("content_part.done", 2, json!({ "content_index": 0, "part": message("Hi é")["content"][0] })),
        done(2, message("Hi é")),
        added(
            3,
            json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "" }),
        ),
        added(
            4,
            json!({ "type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "sh", "input": "" }),
        ),
        event("function_call_arguments.delta", 3, json!({ "delta": "{\"x\":" })),
        event("custom_tool_call_input.delta", 4, json!({ "delta": "ls\n" })),
        event("function_call_arguments.delta", 3, json!({ "delta": "1}" })),
        event("function_call_arguments.done", 3, json!({ "arguments": "{\"x\":1}" })),
        done(3, call),
        event("custom_tool_call_input.done", 4, json!({ "input": "ls\n" })),
        done(4, custom),
        completed(json!({
            "id": "resp_1", "status": "completed", "output": [], "service_tier": "default",
            "usage": {
                "input_tokens": 10, "input_tokens_details": { "cached_tokens": 4 },
                "output_tokens": 6, "output_tokens_details": { "reasoning_tokens": 2 }, "total_tokens": 16,
            },
        })),
    ]
}

#[test]
fn all_that_is_said_is_told_once() {
    let (lines, result) = told(&full());
    let expected = [
        "start resp_1 gpt 5",
        "open 0 summary rs_1",
        "0 A",
        "0 \n\n",
        "0 B",
        "open 1 thought rs_1",
        "1 T",
        "seal 0 Encrypted rs_1:gAAA",
        "close 0",
        "close 1",
        r#"open 2 {"type":"web_search_call","id":"ws_1","status":"completed"}"#,
        "close 2",
        "open 3 text",
        "3 Hi",
        r#"logprobs 0 {"content":[{"token":"Hi","bytes":[72,105],"logprob":-0.5,"top_logprobs":[]}]}"#,
        "3  é",
        r#"cite 3 {"type":"url_citation","url":"https://a.example","title":"A","start_index":0,"end_index":2}"#,
        "close 3",
        "open 4 call call_1 fc_1 f",
        "open 5 custom call_2 ctc_1 sh",
        "4 {\"x\":",
        "5 ls\n",
        "4 1}",
        "close 4",
        "close 5",
        "finish 0 ToolCalls completed",
        "usage 10 6",
        "tier default",
        "end",
    ];
    assert_eq!((lines, result), (expected.map(str::to_owned).to_vec(), Ok(())));
}

#[test]
fn what_is_told_only_in_the_end_is_told() {
    let message = json!({ "type": "message", "id": "msg_1", "phase": "final_answer", "content": [
        text_part("a"), { "type": "refusal", "refusal": "no" }, { "type": "output_hologram" },
    ] });
    let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [
        { "type": "summary_text", "text": "A" }, { "type": "summary_text", "text": "B" },
    ], "encrypted_content": "gA" });
    let sealed = json!({ "type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gB" });
    let call = json!({ "type": "function_call", "name": "f", "arguments": "{}" });
    let custom = json!({ "type": "custom_tool_call", "call_id": "c", "name": "g", "input": "x" });
    let lines = [
        "start resp_1 gpt 5",
        "open 0 summary rs_1",
        "0 A",
        "0 \n\n",
        "0 B",
        "seal 0 Encrypted rs_1:gA",
        "close 0",
        "open 1 summary rs_2",
        "seal 1 Encrypted rs_2:gB",
        "close 1",
        "open 2 text",
        "2 a",
        "close 2",
        "open 3 refusal",
        "3 no",
        "close 3",
        "lost output[].phase",
        "open 4 call call_req1_3  f",
        "4 {}",
        "close 4",
        "open 5 custom c  g",
        "5 x",
        "close 5",
        "finish 0 ToolCalls completed",
        "end",
    ];
    let items = [thought, sealed, message, call, custom];
    let mut events = vec![created()];
    events.extend((0u64..).zip(&items).map(|(at, item)| done(at, item.clone())));
    events.push(completed(json!({ "status": "completed" })));
    assert_eq!(told(&events), (lines.map(str::to_owned).to_vec(), Ok(())));
    // Or all of it with the end of the answer.
    let events = [created(), completed(json!({ "status": "completed", "output": items }))];
    assert_eq!(told(&events), (lines.map(str::to_owned).to_vec(), Ok(())));
    // Or with the ends of parts.
    let events = [
        event("output_text.done", 0, json!({ "content_index": 0, "text": "a" })),
        event("refusal.done", 0, json!({ "content_index": 1, "refusal": "no" })),
        event(
            "reasoning_summary_text.done",
            1,
            json!({ "item_id": "rs_1", "summary_index": 0, "text": "S" }),
        ),
        added(2, json!({ "type": "function_call", "call_id": "c", "name": "f" })),
        event("function_call_arguments.done", 2, json!({ "arguments": "{}" })),
    ];
    let expected = [
        "start   0",
        "open 0 text",
        "0 a",
        "open 1 refusal",
        "1 no",
        "open 2 summary rs_1",
        "2 S",
        "open 3 call c  f",
        "3 {}",
    ];
    assert_eq!(told(&events).0, expected);
}

#[test]
fn items_are_known_by_their_place_whatever_their_ids() {
    let events = [
        created(),
        added(0, json!({ "type": "message", "id": "one", "content": [] })),
        event("output_text.delta", 0, json!({ "item_id": "two", "content_index": 0, "delta": "a" })),
        done(0, json!({ "type": "message", "id": "three", "content": [text_part("a")] })),
        json!({ "type": "response.incomplete", "response": {
            "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" },
        } }),
    ];
    let expected =
        ["start resp_1 gpt 5", "open 0 text", "0 a", "close 0", "finish 0 Length max_output_tokens", "end"];
    assert_eq!(told(&events), (expected.map(str::to_owned).to_vec(), Ok(())));
}

#[test]
fn unknown_events_are_lost_once_and_progress_is_none() {
    let events = [
        created(),
        json!({ "type": "response.hologram.delta" }),
        json!({ "type": "response.hologram.delta" }),
        event("code_interpreter_call_code.delta", 0, json!({ "delta": "1" })),
        event("mcp_list_tools.completed", 0, json!({})),
        event("image_generation_call.partial_image", 0, json!({})),
        json!({ "type": "keepalive", "sequence_number": 3 }),
    ];
    assert_eq!(told(&events).0, ["start resp_1 gpt 5", "lost response.hologram.delta", "ping"]);
}

#[test]
fn a_failure_ends_the_stream() {
    let inner = json!({ "code": "server_error", "message": "boom" });
    let failed = json!({ "type": "response.failed", "response": { "status": "failed", "error": inner } });
    let flat = json!({ "type": "error", "code": "server_error", "message": "boom", "param": null });
    let nested = json!({ "type": "error", "error": inner });
    let bare = json!({ "error": inner });
    for failure in [failed, flat, nested, bare] {
        let (lines, result) = told(&[created(), failure, completed(json!({}))]);
        assert_eq!(
            (lines, result),
            (vec!["start resp_1 gpt 5".to_owned(), "error server_error boom".to_owned()], Ok(()))
        );
    }
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    let whole = full();
    let (lines, result) = told(&whole[..whole.len() - 1]);
    assert_eq!((lines.last().map(String::as_str), result), (Some("close 5"), Ok(())));
    let mut decoder = StreamDecoder::new("p", "r");
    assert!(decoder.frame(b"", b"[DONE]", &mut |event| panic!("{event:?}")).is_ok());
    let cut = decoder.frame(b"", br#"{"type":"response.created","#, &mut |_| {});
    assert!(matches!(cut, Err(DecodeError::Json(_))));
}

#[test]
fn hostile_streams_are_refused() {
    let refused = |event: Value| told(&[created(), event]).1.unwrap_err().to_string();
    for (event, expected) in [
        (json!([]), "`type` must be a string"),
        (json!({ "type": 1 }), "`type` must be a string"),
        (json!({ "type": "response.output_item.added", "output_index": 0 }), "`item` is missing"),
        (added(0, json!({})), "`item.type` must be a string"),
        (added(0, json!({ "type": "function_call" })), "`item.name` is missing"),
        (
            json!({ "type": "response.output_item.added", "item": { "type": "message" } }),
            "`output_index` must be a whole number",
        ),
        (done(0, json!("x")), "`item` must be an object"),
        (done(0, json!({ "type": "function_call", "name": "f" })), "`item.arguments` is missing"),
        (event("output_text.delta", 0, json!({})), "`delta` must be a string"),
        (
            event("output_text.delta", 0, json!({ "output_index": -1, "delta": "x" })),
            "`output_index` must be a whole number",
        ),
        (event("output_text.done", 0, json!({ "text": 1 })), "`text` must be a string"),
        (
            event("function_call_arguments.delta", 7, json!({ "delta": "x" })),
            "`output_index` must be the number of an open call",
        ),
        (event("content_part.added", 0, json!({})), "`part` is missing"),
        (event("content_part.added", 0, json!({ "part": {} })), "`part.type` must be a string"),
        (event("output_text.annotation.added", 0, json!({})), "`annotation` is missing"),
        (json!({ "type": "response.completed" }), "`response` is missing"),
        (completed(json!({ "status": "failed" })), "`status` must be `completed` or `incomplete`"),
    ] {
        assert_eq!(refused(event.clone()), expected, "{event}");
    }
    let many: Vec<_> = (0..5_000).map(|at| added(at, json!({ "type": "message" }))).collect();
    assert_eq!(told(&many).1.unwrap_err().to_string(), "`output_index` must be one of a few");
    // Pieces of another kind of item are passed over.
    let odd = [
        added(0, json!({ "type": "function_call", "name": "f" })),
        event("output_text.delta", 0, json!({ "delta": "x" })),
        event("reasoning_text.delta", 0, json!({ "delta": "x" })),
    ];
    assert_eq!(told(&odd), (vec!["start   0".to_owned(), "open 0 call call_req1_0  f".to_owned()], Ok(())));
}

/// A stream of a few events of each kind.
fn short() -> Vec<Value> {
    let kinds = ["created", "summary_text.delta", "output_text.delta", "delta", "item.added", "item.done"];
    let wanted = |event: &Value| {
        let kind = event["type"].as_str().unwrap();
        kind.ends_with("completed") && !kind.contains("search")
            || kinds.iter().any(|known| kind.ends_with(known))
    };
    full().into_iter().filter(wanted).collect()
}

fn bytes(events: Vec<Value>) -> Vec<u8> {
    let frames = events
        .into_iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    frames.collect::<String>().into_bytes()
}

/// The stream, cut in two, as a client of another dialect gets it.
fn translated(to: Dialect, bytes: &[u8], cut: usize) -> (Vec<u8>, Vec<String>) {
    let context =
        AnswerContext { id: "abc".into(), created: 7, stream_usage: true, ..AnswerContext::default() };
    let from = (codec(Dialect::OpenAiResponses).unwrap(), "openai");
    let mut translator = Translator::new(from, (codec(to).unwrap(), context), 1);
    let mut out = Vec::new();
    let (before, after) = bytes.split_at(cut);
    for chunk in [before, after] {
        translator.push(&Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    translator.finish(&mut out).unwrap();
    assert!(translator.observed().done && translator.observed().finished);
    (out.concat(), translator.losses().iter().map(str::to_owned).collect())
}

#[test]
fn every_cut_tells_the_same() {
    let bytes = bytes(short());
    for dialect in [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::OpenAiResponses] {
        let whole = translated(dialect, &bytes, 0);
        for cut in 1..bytes.len() {
            assert_eq!(translated(dialect, &bytes, cut), whole, "{dialect} at {cut}");
        }
        let text = String::from_utf8(whole.0).unwrap();
        assert!(text.contains("ls\\") && text.contains("rs_1:gAAA"), "{text}");
    }
}

#[test]
fn a_stream_comes_back_through_the_neutral_form() {
    let (out, losses) = translated(Dialect::OpenAiResponses, &bytes(full()), 100);
    let text = String::from_utf8(out).unwrap();
    let last = text.trim_end().rsplit_once("data: ").unwrap().1;
    let event: Value = serde_json::from_str(last).unwrap();
    let output = &event["response"]["output"];
    let summary = json!([{ "type": "summary_text", "text": "A\n\nB" }]);
    assert_eq!((&output[0]["summary"], &output[0]["content"][0]["text"]), (&summary, &json!("T")));
    assert_eq!(
        (&output[0]["id"], &output[3]["id"], &output[4]["id"]),
        (&json!("rs_1"), &json!("fc_1"), &json!("ctc_1"))
    );
    assert_eq!(output[0]["encrypted_content"], "pm1.openai-responses.openai.e.rs_1:gAAA");
    assert_eq!(output[1], json!({ "type": "web_search_call", "id": "ws_1", "status": "completed" }));
    assert_eq!(output[2]["content"][0]["annotations"][0]["url"], "https://a.example");
    assert_eq!(output[2]["content"][0]["logprobs"][0]["token"], "Hi");
    assert_eq!((&output[3]["arguments"], &output[4]["input"]), (&json!("{\"x\":1}"), &json!("ls\n")));
    assert_eq!(event["response"]["usage"]["input_tokens_details"]["cached_tokens"], 4);
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn the_same_dialect_is_only_watched() {
    let mut watch = Watch::new(codec(Dialect::OpenAiResponses).unwrap(), "openai", 1);
    let mut out = Vec::new();
    let bytes = bytes(full());
    for chunk in bytes.chunks(7) {
        watch.push(&Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    watch.finish(&mut out).unwrap();
    assert_eq!(out.concat(), bytes);
    let observed = watch.observed();
    assert!(observed.committed && observed.done && observed.finished);
    let usage = Usage {
        input: 10,
        cached_input: 4,
        output: 6,
        reasoning: 2,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    assert_eq!(observed.usage, Some(usage));
    assert_eq!(observed.finish_reason.as_deref(), Some("completed"));
}
