//! Streams to clients, checked as the vendor's SDKs put them together.

use bytes::Bytes;
use pointsman_core::{Dialect, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::names;
use crate::UpstreamError;
use crate::json::{Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, BlockId, Choice, Citation, Content, Event, Finish, Head, Media,
    Path, Reason, Reasoning, Seal, SealKind, Source, ToolCall,
};
use crate::openai::responses::{StreamEncoder, encode_answer};

/// Writes the events of a stream.
struct Client {
    encoder: StreamEncoder,
    out: Writer,
}

impl Client {
    fn new(request: &Value) -> Self {
        let encoder = StreamEncoder::new(context(request));
        Self { encoder, out: Writer::default() }
    }

    fn event(&mut self, event: Event<'_>) -> &mut Self {
        self.encoder.event(event, &mut self.out);
        self
    }

    fn open(&mut self, block: BlockId, head: Head<'_>) -> &mut Self {
        self.event(Event::Open { block, choice: 0, head })
    }

    fn thought(&mut self, block: BlockId, id: Option<&'static str>, summary: bool) -> &mut Self {
        self.open(block, Head::Reasoning { id: id.map(Text::from), summary })
    }

    fn call(&mut self, block: BlockId, id: &'static str, name: &'static str) -> &mut Self {
        let (id, name) = (Text::from(id), Text::from(name));
        self.open(block, Head::ToolCall { id, item: None, name, custom: false })
    }

    fn delta(&mut self, block: BlockId, text: &str) -> &mut Self {
        self.event(Event::Delta { block, text: Text::from(text) })
    }

    fn seal(&mut self, block: BlockId, dialect: Dialect, data: &'static str) -> &mut Self {
        let seal = Seal::from_provider(Text::from(data), SealKind::Signature, dialect, "p");
        self.event(Event::Sealed { block, seal })
    }

    fn close(&mut self, block: BlockId) -> &mut Self {
        self.event(Event::Close { block })
    }

    fn end(&mut self, reason: Reason) -> &mut Self {
        self.event(Event::Finish { choice: 0, finish: Finish::new(reason) }).event(Event::End)
    }

    fn events(&mut self) -> Vec<(String, Value)> {
        events(&std::mem::take(&mut self.out).finish())
    }

    /// The answer as the SDKs put it together, and what was lost.
    fn answer(&mut self) -> (Value, Vec<String>) {
        let events = self.events();
        (assemble(&events), names(self.encoder.losses()))
    }
}

fn context(request: &Value) -> AnswerContext {
    AnswerContext {
        id: "abc".into(),
        model: "asked".into(),
        created: 7,
        request: Bytes::from(request.to_string()),
        ..AnswerContext::default()
    }
}

fn events(bytes: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let frames = text.strip_suffix("\n\n").unwrap().split("\n\n").filter(|frame| *frame != ": ping");
    frames
        .map(|frame| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
        })
        .collect()
}

/// The item that an event is about.
fn item_of<'a>(items: &'a mut [Value], event: &Value) -> &'a mut Value {
    let at = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
    let item = &mut items[at];
    assert_eq!(event["item_id"], item["id"], "{event}");
    item
}

/// The part of an item that an event is about.
fn part_of<'a>(item: &'a mut Value, list: &str, index: &Value) -> &'a mut Value {
    let at = usize::try_from(index.as_u64().unwrap()).unwrap();
    item[list].as_array_mut().unwrap().get_mut(at).unwrap()
}

fn push(item: &mut Value, list: &str, index: &Value, part: &Value) {
    if item.get(list).is_none() {
        item[list] = json!([]);
    }
    let parts = item[list].as_array_mut().unwrap();
    assert_eq!(index.as_u64(), Some(parts.len() as u64));
    parts.push(part.clone());
}

fn append(slot: &mut Value, delta: &Value) {
    *slot = (slot.as_str().unwrap().to_owned() + delta.as_str().unwrap()).into();
}

/// What the vendor's SDKs make of the events, from their pieces; the wholes must say the same. Fails on any
/// event that does not belong where it is.
fn assemble(events: &[(String, Value)]) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut done: Vec<bool> = Vec::new();
    let mut last = Value::Null;
    for (number, (name, event)) in events.iter().enumerate() {
        assert_eq!(event["type"], name.as_str());
        assert_eq!(event["sequence_number"], number);
        assert!(last.is_null(), "{name} after the end");
        if let Some(at) = event["output_index"].as_u64().filter(|_| name != "response.output_item.added") {
            assert!(!done[usize::try_from(at).unwrap()], "{name} after its item was done");
        }
        let (content, summary) = (&event["content_index"], &event["summary_index"]);
        match name.as_str() {
            "response.created" | "response.in_progress" => {
                assert_eq!((number, &event["response"]["status"]), (number.min(1), &json!("in_progress")));
                assert_eq!(
                    (&event["response"]["output"], &event["response"]["usage"]),
                    (&json!([]), &Value::Null)
                );
            }
            "response.output_item.added" => {
                assert_eq!(event["output_index"], items.len());
                items.push(event["item"].clone());
                done.push(false);
            }
            "response.content_part.added" => {
                push(item_of(&mut items, event), "content", content, &event["part"]);
            }
            "response.reasoning_summary_part.added" => {
                push(item_of(&mut items, event), "summary", summary, &event["part"]);
            }
            "response.output_text.delta" => {
                let part = part_of(item_of(&mut items, event), "content", content);
                append(&mut part["text"], &event["delta"]);
                let new = event["logprobs"].as_array().unwrap().clone();
                part["logprobs"].as_array_mut().unwrap().extend(new);
            }
            "response.refusal.delta" => {
                append(
                    &mut part_of(item_of(&mut items, event), "content", content)["refusal"],
                    &event["delta"],
                );
            }
            "response.reasoning_text.delta" => {
                append(&mut part_of(item_of(&mut items, event), "content", content)["text"], &event["delta"]);
            }
            "response.reasoning_summary_text.delta" => {
                append(&mut part_of(item_of(&mut items, event), "summary", summary)["text"], &event["delta"]);
            }
            "response.function_call_arguments.delta" => {
                append(&mut item_of(&mut items, event)["arguments"], &event["delta"]);
            }
            "response.custom_tool_call_input.delta" => {
                append(&mut item_of(&mut items, event)["input"], &event["delta"]);
            }
            "response.output_text.annotation.added" => {
                let part = part_of(item_of(&mut items, event), "content", content);
                push(part, "annotations", &event["annotation_index"], &event["annotation"]);
            }
            "response.output_text.done" => {
                let part = part_of(item_of(&mut items, event), "content", content);
                assert_eq!(event["text"], part["text"]);
                // Those that came late are told with the whole.
                part["logprobs"] = event["logprobs"].clone();
            }
            "response.reasoning_text.done" => {
                let part = part_of(item_of(&mut items, event), "content", content);
                assert_eq!(event["text"], part["text"]);
            }
            "response.reasoning_summary_text.done" => {
                let part = part_of(item_of(&mut items, event), "summary", summary);
                assert_eq!(event["text"], part["text"]);
            }
            "response.refusal.done" => {
                let part = part_of(item_of(&mut items, event), "content", content);
                assert_eq!(event["refusal"], part["refusal"]);
            }
            "response.content_part.done" => {
                assert_eq!(event["part"], *part_of(item_of(&mut items, event), "content", content));
            }
            "response.reasoning_summary_part.done" => {
                assert_eq!(event["part"], *part_of(item_of(&mut items, event), "summary", summary));
            }
            "response.function_call_arguments.done" => {
                assert_eq!(event["arguments"], item_of(&mut items, event)["arguments"]);
            }
            "response.custom_tool_call_input.done" => {
                assert_eq!(event["input"], item_of(&mut items, event)["input"]);
            }
            "response.output_item.done" => {
                let at = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
                let (item, whole) = (&mut items[at], &event["item"]);
                for told in ["content", "summary", "arguments", "input", "id", "type", "call_id", "name"] {
                    assert_eq!(item[told], whole[told], "{told}");
                }
                assert_ne!(whole["status"], "in_progress");
                *item = whole.clone();
                done[at] = true;
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                last = event["response"].clone();
                let status = name.strip_prefix("response.").unwrap();
                assert_eq!((&last["status"], &last["id"]), (&json!(status), &events[0].1["response"]["id"]));
                if status == "failed" {
                    let open = items.iter_mut().zip(&done).filter(|(_, done)| !**done);
                    open.for_each(|(item, _)| item["status"] = "incomplete".into());
                } else {
                    assert!(done.iter().all(|done| *done));
                }
                assert_eq!(last["output"], json!(items));
            }
            "error" => {}
            other => panic!("{other}"),
        }
    }
    assert!(!last.is_null(), "no end");
    last
}

#[test]
fn events_come_in_the_vendors_order() {
    let mut client = Client::new(&json!({}));
    client.event(Event::Start { id: Text::from("resp_1"), model: Text::from("gpt"), created: Some(5) });
    client.thought(0, Some("rs_1"), true).delta(0, "Hm").delta(0, ".").close(0);
    client.open(1, Head::Text).delta(1, "Two").delta(1, " calls.").close(1);
    client.call(2, "call_a", "f").delta(2, "{\"x\":").delta(2, "1}").close(2);
    client.open(3, Head::Refusal).delta(3, "No.").close(3);
    client.event(Event::Ping).event(Event::Usage(Usage { input: 3, output: 2, ..Usage::default() }));
    client.event(Event::ServiceTier(Text::from("flex"))).end(Reason::ToolCalls);
    let events = client.events();
    let names: Vec<_> = events.iter().map(|(name, _)| name.strip_prefix("response.").unwrap()).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names, expected);
    let answer = assemble(&events);
    assert_eq!(
        (&answer["id"], &answer["model"], &answer["created_at"]),
        (&json!("resp_1"), &json!("gpt"), &json!(5))
    );
    assert_eq!((&answer["usage"]["total_tokens"], &answer["service_tier"]), (&json!(5), &json!("flex")));
    assert_eq!(answer["output"][2]["id"], "fc_pm1_abc_2");
    assert_eq!((&answer["tools"], &answer["parallel_tool_calls"]), (&json!([]), &json!(true)));
}

#[test]
fn blocks_that_interleave_are_items_side_by_side() {
    let mut client = Client::new(&json!({}));
    client.event(Event::Start { id: Text::from("x"), model: Text::from("m"), created: None });
    client.open(0, Head::Text).delta(0, "a");
    client.call(1, "call_a", "f").call(2, "call_b", "g");
    client.delta(2, "{\"b\":").delta(1, "{\"a\":").delta(0, "b").delta(2, "2}").delta(1, "1}");
    client.close(2).close(0).close(1).open(3, Head::Text).delta(3, "c").end(Reason::ToolCalls);
    let (answer, losses) = client.answer();
    let output = answer["output"].as_array().unwrap();
    let told: Vec<_> = output
        .iter()
        .map(|item| {
            (item["call_id"].as_str(), item["arguments"].as_str(), item["content"][0]["text"].as_str())
        })
        .collect();
    let expected = [
        (None, None, Some("ab")),
        (Some("call_a"), Some("{\"a\":1}"), None),
        (Some("call_b"), Some("{\"b\":2}"), None),
        (None, None, Some("c")),
    ];
    assert_eq!((told, losses), (expected.to_vec(), vec![]));
    assert_eq!((&answer["id"], &answer["status"]), (&json!("resp_abc"), &json!("completed")));
}

#[test]
fn texts_in_a_row_are_parts_of_one_message() {
    let mut client = Client::new(&json!({}));
    client.open(0, Head::Text).delta(0, "é").event(Event::Cite {
        block: 0,
        citation: Citation {
            url: Some(Text::from("https://a.example")),
            title: Some(Text::from("A")),
            quote: None,
            span: None,
            raw: r#"{"type":"web_search_result_location"}"#,
        },
    });
    let raw = r#"{"type":"file_path","file_id":"f","index":1}"#;
    let own = Citation { url: None, title: None, quote: None, span: None, raw };
    client.event(Event::Cite { block: 0, citation: own });
    let raw = r#"{"type":"page_location"}"#;
    let lost = Citation { url: None, title: None, quote: None, span: None, raw };
    client.event(Event::Cite { block: 0, citation: lost });
    client
        .close(0)
        .open(1, Head::Text)
        .close(1)
        .open(2, Head::Text)
        .delta(2, "b")
        .close(2)
        .end(Reason::Length);
    let (answer, losses) = client.answer();
    let source = json!({ "type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1 });
    assert_eq!(
        answer["output"],
        json!([{
            "id": "msg_pm1_abc_0", "type": "message", "status": "incomplete", "role": "assistant", "content": [
                { "type": "output_text", "text": "é", "logprobs": [], "annotations": [
                    source, { "type": "file_path", "file_id": "f", "index": 1 },
                ] },
                { "type": "output_text", "text": "b", "annotations": [], "logprobs": [] },
            ],
        }])
    );
    assert_eq!(
        (&answer["status"], &answer["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    assert_eq!((&answer["model"], losses), (&json!("asked"), vec!["citations".to_owned()]));
}

#[test]
fn thoughts_and_their_ciphers_are_items() {
    let mut client = Client::new(&json!({}));
    client.thought(0, None, false).delta(0, "Hm.").seal(0, Dialect::Anthropic, "c2ln").close(0);
    client.thought(1, None, true).seal(1, Dialect::Anthropic, "cmVk").close(1);
    // Both sides of one thought are one item.
    client.thought(2, Some("rs_7"), true).delta(2, "S").thought(3, Some("rs_7"), false).delta(3, "T");
    client.close(2).close(3);
    client.thought(4, Some("rs_8"), true).close(4);
    client.end(Reason::Stop);
    let (answer, losses) = client.answer();
    assert_eq!(
        answer["output"],
        json!([
            { "id": "rs_pm1_abc_0", "type": "reasoning", "summary": [],
              "content": [{ "type": "reasoning_text", "text": "Hm." }],
              "encrypted_content": "pm1.anthropic.p.s.c2ln" },
            { "id": "rs_pm1_abc_1", "type": "reasoning", "summary": [], "encrypted_content": "pm1.anthropic.p.s.cmVk" },
            { "id": "rs_7", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "S" }],
              "content": [{ "type": "reasoning_text", "text": "T" }] },
        ])
    );
    assert_eq!(losses, Vec::<String>::new());
    let mut client = Client::new(&json!({ "reasoning": { "summary": "auto" } }));
    client.thought(0, None, false).delta(0, "Hm.").close(0).end(Reason::Stop);
    let (answer, _) = client.answer();
    assert_eq!(answer["output"][0]["summary"], json!([{ "type": "summary_text", "text": "Hm." }]));
}

#[test]
fn the_proof_of_a_call_stands_behind_it() {
    let mut client = Client::new(&json!({}));
    client.call(0, "call_a", "f").seal(0, Dialect::Gemini, "cHJv").close(0).end(Reason::ToolCalls);
    let (answer, losses) = client.answer();
    let output = &answer["output"];
    assert_eq!((&output[0]["arguments"], &output[1]["id"]), (&json!("{}"), &json!("rs_pm1_call_a")));
    assert_eq!(output[1]["encrypted_content"], "pm1.gemini.p.s.cHJv");
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn a_custom_tool_gets_its_text_out_of_the_object() {
    let mut client = Client::new(&json!({ "tools": [{ "type": "custom", "name": "apply_patch" }] }));
    client
        .call(0, "call_a", "apply_patch")
        .delta(0, "{\"input\":\"***")
        .delta(0, " \\\"B\\\"\\n\"}")
        .close(0);
    let (id, name) = (Text::from("call_b"), Text::from("apply_patch"));
    client.open(1, Head::ToolCall { id, item: Some(Text::from("ctc_9")), name, custom: true });
    client.delta(1, "*** ").delta(1, "C").close(1).end(Reason::ToolCalls);
    let (answer, _) = client.answer();
    let told: Vec<_> = answer["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (item["id"].as_str().unwrap(), item["type"].as_str().unwrap(), item["input"].as_str().unwrap())
        })
        .collect();
    let expected =
        [("ctc_pm1_abc_0", "custom_tool_call", "*** \"B\"\n"), ("ctc_9", "custom_tool_call", "*** C")];
    assert_eq!(told, expected);
}

#[test]
fn media_and_blocks_of_their_own_are_whole_items() {
    let mut client = Client::new(&json!({}));
    let image = |source| Head::Media(Content::Image(Media { source, mime: None, name: None, detail: None }));
    client.open(0, image(Source::Base64(Text::from("iVBO")))).close(0);
    client.open(1, image(Source::Url(Text::from("https://a.example")))).close(1);
    client.open(2, Head::Opaque(r#"{"type":"web_search_call","id":"ws_1"}"#)).close(2);
    client.open(3, Head::Opaque(r#"{"type":"server_tool_use"}"#)).close(3);
    client.event(Event::Open { block: 4, choice: 1, head: Head::Text }).delta(4, "other").close(4);
    client.event(Event::Finish { choice: 1, finish: Finish::new(Reason::Stop) });
    client
        .event(Event::Lost(Text::from("x")))
        .event(Event::ServiceTier(Text::from("batch")))
        .end(Reason::Other);
    let (answer, losses) = client.answer();
    assert_eq!(
        answer["output"],
        json!([
            { "id": "ig_pm1_abc_0", "type": "image_generation_call", "status": "completed", "result": "iVBO" },
            { "type": "web_search_call", "id": "ws_1" },
        ])
    );
    assert_eq!(losses, ["content", "choices[1]", "x", "service_tier", "finish_reason"]);
}

#[test]
fn log_probabilities_come_with_their_piece_where_they_are_asked_for() {
    let logprobs = r#"{"content":[{"token":"a","bytes":[97],"logprob":-1,"top_logprobs":[]}]}"#;
    let entry = json!({ "token": "a", "bytes": [97], "logprob": -1, "top_logprobs": [] });
    for asked in [true, false] {
        let request = json!({ "include": if asked { vec!["message.output_text.logprobs"] } else { vec![] } });
        let mut client = Client::new(&request);
        client.open(0, Head::Text).delta(0, "a").event(Event::Logprobs { choice: 0, raw: logprobs });
        client.delta(0, "b").close(0).end(Reason::Stop);
        let events = client.events();
        let deltas: Vec<_> = events.iter().filter(|(name, _)| name == "response.output_text.delta").collect();
        let told = if asked { json!([entry]) } else { json!([]) };
        assert_eq!((&deltas[0].1["logprobs"], &deltas[1].1["logprobs"]), (&told, &json!([])));
        assert_eq!(assemble(&events)["output"][0]["content"][0]["logprobs"], json!([entry]));
    }
    let mut client = Client::new(&json!({}));
    client.event(Event::Logprobs { choice: 0, raw: logprobs }).end(Reason::Stop);
    assert_eq!(client.answer().1, ["logprobs"]);
}

#[test]
fn an_error_ends_the_stream_with_all_that_was_said() {
    let mut client = Client::new(&json!({}));
    client.open(0, Head::Text).delta(0, "half");
    let error = UpstreamError {
        message: "gone".into(),
        code: Some("server_error".into()),
        ..UpstreamError::default()
    };
    client.event(Event::Error(error)).delta(0, "more").event(Event::End);
    let events = client.events();
    let (name, event) = &events[events.len() - 2];
    assert_eq!(
        (name.as_str(), &event["message"], &event["error"]["code"]),
        ("error", &json!("gone"), &json!("server_error"))
    );
    let answer = assemble(&events);
    assert_eq!(answer["error"], json!({ "code": "server_error", "message": "gone" }));
    assert_eq!(answer["output"][0]["content"][0]["text"], "half");
}

#[test]
fn a_stream_without_its_beginning_or_with_open_blocks_is_whole() {
    let (answer, _) = Client::new(&json!({})).event(Event::End).answer();
    assert_eq!((&answer["output"], &answer["status"]), (&json!([]), &json!("completed")));
    let mut client = Client::new(&json!({}));
    client
        .open(0, Head::Text)
        .delta(0, "a")
        .call(1, "c", "f")
        .delta(1, "{}")
        .thought(2, None, true)
        .delta(2, "t");
    let (answer, _) = client.event(Event::End).answer();
    assert_eq!(answer["output"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_summary_in_parts_is_one_text_in_a_stream() {
    let parts = || vec![Text::from("A"), Text::from("B")];
    let streamed = |thought: Reasoning<'static>| {
        let blocks = vec![block(Content::Reasoning(thought))];
        let choice = Choice { blocks, finish: Some(Finish::new(Reason::Stop)), ..Choice::default() };
        let mut client = Client::new(&json!({}));
        Answer { choices: vec![choice], ..Answer::default() }.into_events(|event| {
            client.event(event);
        });
        let (answer, losses) = client.answer();
        (answer["output"][0].clone(), losses)
    };
    let (item, losses) = streamed(Reasoning { summary: parts(), ..Reasoning::default() });
    assert_eq!((&item["summary"][0]["text"], losses), (&json!("A\n\nB"), vec![]));
    let (item, losses) = streamed(Reasoning { summary: parts(), text: parts(), ..Reasoning::default() });
    assert_eq!((&item["content"][0]["text"], losses), (&json!("AB"), vec!["summary".to_owned()]));
}

fn block(content: Content<'static>) -> Block<'static> {
    Block::new(content, Path::Root)
}

/// Any block that both forms of an answer can say alike.
fn any_block() -> impl Strategy<Value = Block<'static>> {
    let text = ".{1,12}";
    let call = |custom: bool, input: String| {
        let (id, name) = (Text::from("call_1"), Text::from("f"));
        let arguments =
            if custom { Arguments::Free(Text::from(input)) } else { Arguments::Quoted(Text::from(input)) };
        block(Content::ToolCall(ToolCall { id, item: None, name, arguments, seal: None }))
    };
    prop_oneof![
        text.prop_map(|text| block(Content::text(Text::from(text)))),
        text.prop_map(|text| block(Content::Refusal(Text::from(text)))),
        (text, any::<bool>()).prop_map(|(text, summary)| {
            let (mut thought, text) = (Reasoning::default(), vec![Text::from(text)]);
            *(if summary { &mut thought.summary } else { &mut thought.text }) = text;
            block(Content::Reasoning(thought))
        }),
        (any::<bool>(), text).prop_map(move |(custom, input)| call(custom, input)),
        Just(block(Content::Opaque(r#"{"type":"web_search_call","id":"ws_1"}"#))),
    ]
}

proptest! {
    /// A streamed answer, put together, is the whole one.
    #[test]
    fn a_stream_tells_what_the_whole_tells(
        blocks in prop::collection::vec(any_block(), 0..8),
        reason in prop::sample::select(vec![Reason::Stop, Reason::Length, Reason::ContentFilter]),
    ) {
        let choice = Choice { blocks, finish: Some(Finish::new(reason)), ..Choice::default() };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let encoded = encode_answer(&answer, &context(&json!({})));
        let whole: Value = serde_json::from_slice(&encoded.body).unwrap();
        let mut client = Client::new(&json!({}));
        answer.into_events(|event| {
            client.event(event);
        });
        prop_assert_eq!(client.answer().0, whole);
    }
}

#[test]
fn whatever_is_told_again_at_the_end_is_counted() {
    let long = "x".repeat((64 << 20) + 1);
    let text = || Text::from(long.as_str());
    let seal = || Seal::from_provider(text(), SealKind::Encrypted, Dialect::Anthropic, "a");
    let cited = Citation { url: None, title: None, quote: None, span: None, raw: &long };
    let picture = Media { source: Source::Base64(text()), mime: None, name: None, detail: None };
    for event in [
        Event::Delta { block: 0, text: text() },
        Event::Cite { block: 0, citation: cited },
        Event::Sealed { block: 0, seal: seal() },
        Event::Logprobs { choice: 0, raw: &long },
        Event::Open { block: 1, choice: 0, head: Head::Opaque(&long) },
        Event::Open { block: 1, choice: 0, head: Head::Media(Content::Image(picture)) },
    ] {
        let mut client = Client::new(&json!({}));
        client.event(Event::Start { id: Text::default(), model: Text::default(), created: None });
        client.event(event);
        let told = String::from_utf8(client.out.finish()).unwrap();
        assert!(told.contains("too long to be told again"), "{}", &told[..told.len().min(400)]);
    }
}
