//! Ollama's requests, answers and streams: kept whole in their own dialect, and what of others they carry.

use pointsman_core::{Dialect, ErrorCode, PublicError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json::{Document, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Choice, Content, EncodeError, Encoded, Event, Given, Media,
    Message, Origin, Path, Reasoning, Request, Role, Seal, SealKind, Source, Target, ToolCall, ToolChoice,
};

const FULL: &str = r#"{
  "model": "qwen3:8b", "stream": false, "think": "high", "keep_alive": "5m",
  "format": {"type": "object", "properties": {"n": {"type": "integer"}}},
  "options": {"temperature": 0.20, "top_k": 40, "seed": 7, "num_predict": 128, "stop": ["END"], "num_ctx": 8192},
  "logprobs": true, "top_logprobs": 3,
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is on this picture?", "images": ["/9j/4AAQSkZJRg=="]},
    {"role": "assistant", "content": "", "thinking": "I need the tool.",
     "tool_calls": [{"id": "call_a", "function": {"name": "look", "arguments": {"id": 12345678901234567890, "x": 1.50}}}]},
    {"role": "tool", "content": "a cat\n\"black\"", "tool_name": "look", "tool_call_id": "call_a"}
  ],
  "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.",
    "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}}}}]
}"#;

fn decoded(text: &str) -> Document<'_> {
    Document::read(text.as_bytes()).unwrap()
}

fn value(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

fn target() -> Target<'static> {
    Target::new(Dialect::Ollama, "local", "qwen3:8b")
}

#[test]
fn a_full_request_comes_back_as_it_was() {
    let document = decoded(FULL);
    let request = decode_request(&document).unwrap();
    let encoded = encode_request(&request, &target()).unwrap();
    assert!(encoded.losses.is_empty(), "{:?}", encoded.losses);
    assert_eq!(value(&encoded), serde_json::from_str::<Value>(FULL).unwrap());
    let text = String::from_utf8(encoded.body).unwrap();
    assert!(text.contains("12345678901234567890") && text.contains("1.50"), "numbers stay as they stand");
}

#[test]
fn it_streams_unless_told_otherwise() {
    let document = decoded(r#"{"model": "m", "messages": []}"#);
    assert!(decode_request(&document).unwrap().stream);
    assert!(!decode_request(&decoded(FULL)).unwrap().stream);
}

#[test]
fn wrong_types_are_named_with_their_place() {
    let error = |text| decode_request(&decoded(text)).unwrap_err().to_string();
    assert_eq!(error(r#"{"messages": []}"#), "`model` is missing");
    assert_eq!(error(r#"{"model": "m", "messages": [{"role": 1}]}"#), "`messages[0].role` must be a string");
    assert_eq!(
        error(r#"{"model": "m", "messages": [{"role": "owner"}]}"#),
        "`messages[0].role` must be system, user, assistant or tool"
    );
    assert_eq!(error(r#"{"model": "m", "options": {"top_k": "x"}}"#), "`options.top_k` must be a number");
    let call = r#"{"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 1}}]}]}"#;
    assert_eq!(error(call), "`messages[0].tool_calls[0].function.arguments` must be an object");
}

fn foreign(blocks: Vec<Block<'static>>) -> Request<'static> {
    let mut request = Request::new(Dialect::Anthropic, Text::from("m"));
    request.messages.push(Message::new(Role::Assistant, Path::Item("messages", 0), blocks));
    request
}

fn at(content: Content<'static>) -> Block<'static> {
    Block::new(content, Path::Part("messages", 0, "content", 0))
}

#[test]
fn what_has_no_place_is_declared() {
    let seal = Seal::from_client(Text::from("sig"), SealKind::Signature, Dialect::Anthropic);
    let thoughts = Reasoning { text: vec![Text::from("hm")], seal: Some(seal), ..Reasoning::default() };
    let mut request = foreign(vec![at(Content::Reasoning(thoughts)), at(Content::Opaque("{}"))]);
    request.tool_choice = Some(Given::new("tool_choice", ToolChoice::Required));
    request.store = Some(Given::new("store", true));
    request.thinking.effort = Some(Given::new("effort", Text::from("low")));
    let encoded = encode_request(&request, &target()).unwrap();
    let expected =
        ["messages[0].content[0].signature", "messages[0].content[0]", "effort", "tool_choice", "store"];
    assert_eq!(encoded.losses.iter().collect::<Vec<_>>(), expected);
    let value = value(&encoded);
    assert_eq!(value["messages"][0], json!({"role": "assistant", "content": "", "thinking": "hm"}));
    assert_eq!(value["think"], json!(true));
}

#[test]
fn a_conversation_that_says_nothing_is_refused() {
    let error = encode_request(&foreign(Vec::new()), &target()).unwrap_err();
    assert!(error.to_string().contains("must hold at least one message"), "{error}");
    // Ollama's own clients load a model so.
    let own = decode_request(&decoded(r#"{"model":"m","messages":[]}"#)).map(|_| ());
    assert_eq!(own, Ok(()));
}

#[test]
fn pictures_must_be_here_and_documents_cannot_be_said() {
    let media = |source| Media { source, mime: None, name: None, detail: None };
    let by_url = foreign(vec![at(Content::Image(media(Source::Url(Text::from("https://a.test/x.png")))))]);
    assert_eq!(needs(&by_url, &target()).len(), 1);
    let EncodeError { field, problem } = encode_request(&by_url, &target()).unwrap_err();
    assert_eq!(field, "messages[0].content[0]");
    assert!(problem.contains("base64"), "{problem}");
    let document = foreign(vec![at(Content::Document(media(Source::Base64(Text::from("JVBERi0=")))))]);
    assert!(encode_request(&document, &target()).is_err());
}

#[test]
fn a_choice_of_none_hides_the_tools() {
    let document = decoded(FULL);
    let mut request = decode_request(&document).unwrap();
    request.tool_choice = Some(Given::new("tool_choice", ToolChoice::None));
    let encoded = encode_request(&request, &target()).unwrap();
    assert!(encoded.losses.is_empty());
    assert!(value(&encoded).get("tools").is_none());
}

const ORIGIN: Origin<'static> = Origin { provider: "local", id: "req1" };

#[test]
fn an_answer_keeps_thoughts_calls_and_counts() {
    let text = r#"{"model": "qwen3:8b", "created_at": "2026-01-01T00:00:00Z", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": "", "thinking": "hm",
          "tool_calls": [{"function": {"name": "f", "arguments": {"a": "\u00e9"}}}]},
        "total_duration": 5, "prompt_eval_count": 26, "eval_count": 9, "new_field": 1}"#;
    let document = decoded(text);
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.output), (26, 9));
    let choice = &answer.choices[0];
    assert_eq!(choice.finish.as_ref().unwrap().reason, Reason::ToolCalls);
    let Content::ToolCall(call) = &choice.blocks[1].content else { panic!("{choice:?}") };
    assert_eq!(call.id, "call_req1_0");
    assert!(matches!(call.arguments, Arguments::Object(r#"{"a": "\u00e9"}"#)));
    assert_eq!(answer.rest[0].place(), "new_field");
    let context = AnswerContext { created: 1_767_225_600, ..AnswerContext::default() };
    let encoded = encode_answer(&answer, &context);
    let value = value(&encoded);
    assert_eq!(value["message"]["tool_calls"][0]["function"]["arguments"], json!({"a": "é"}));
    assert_eq!(value["created_at"], "2026-01-01T00:00:00Z");
    assert_eq!(encoded.losses.iter().collect::<Vec<_>>(), ["new_field"]);
}

#[test]
fn a_count_that_cannot_be_is_none() {
    let text = r#"{"model": "m", "done": true, "message": {"role": "assistant", "content": "x"},
        "prompt_eval_count": 1000000001, "eval_count": 18446744073709551615}"#;
    assert_eq!(decode_answer(&decoded(text), &ORIGIN).unwrap().usage, None);
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in ["{}", "[]", r#"{"message": 1}"#, r#"{"error": "no"}"#, r#"{"message": {"content": 1}}"#] {
        assert!(decode_answer(&decoded(text), &ORIGIN).is_err(), "{text}");
    }
}

#[test]
fn what_other_libraries_take_for_the_end_of_a_line_is_escaped_in_a_line() {
    let text = "a\u{2028}b\u{2029}c\u{85}d\u{e9}";
    let mut choice = Choice::default();
    choice.blocks.push(Block::new(Content::text(Text::from(text)), Path::Root));
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let stream = String::from_utf8(streamed(answer)).unwrap();
    assert!(stream.contains(r"a\u2028b\u2029c\u0085dé"), "{stream}");
    assert_eq!(heard(stream.as_bytes()).1, text);
}

#[test]
fn pieces_of_what_the_model_said_are_one_turn() {
    let call = |id: &'static str| {
        let call = ToolCall {
            id: Text::from(id),
            item: None,
            name: Text::from("look"),
            arguments: Arguments::Object("{}"),
            seal: None,
        };
        Content::ToolCall(call)
    };
    let thought = Content::Reasoning(Reasoning { text: vec![Text::from("hm")], ..Reasoning::default() });
    let mut request = Request::new(Dialect::OpenAiResponses, Text::from("m"));
    for (role, content) in [
        (Role::User, Content::text(Text::from("hello"))),
        (Role::Assistant, thought),
        (Role::Assistant, Content::text(Text::from("let me see"))),
        (Role::Assistant, call("a")),
        (Role::Assistant, call("b")),
        (Role::Assistant, Content::text(Text::from("more"))),
    ] {
        request.messages.push(Message::new(role, Path::Root, vec![Block::new(content, Path::Root)]));
    }
    let encoded = value(&encode_request(&request, &target()).unwrap());
    let messages = encoded["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[1]["thinking"], "hm");
    assert_eq!(messages[1]["content"], "let me see");
    assert_eq!(messages[1]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(messages[2]["content"], "more");
}

fn streamed(answer: Answer<'_>) -> Vec<u8> {
    let mut encoder = StreamEncoder::new(AnswerContext { model: "m".into(), ..AnswerContext::default() });
    let mut out = Writer::default();
    answer.into_events(|event| encoder.event(event, &mut out));
    out.finish()
}

/// Thoughts, text and arguments of a stream, and how it ended.
fn heard(stream: &[u8]) -> (String, String, Vec<String>, bool) {
    let mut decoder = StreamDecoder::new("local", "req1");
    let (mut thoughts, mut said, mut calls, mut ended) = (String::new(), String::new(), Vec::new(), false);
    let mut kinds = Vec::new();
    for line in stream.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let sink = &mut |event: Event<'_>| match event {
            Event::Open { head, .. } => {
                if let crate::neutral::Head::ToolCall { .. } = head {
                    calls.push(String::new());
                }
                kinds.push(format!("{head:?}"));
            }
            Event::Delta { block, text } => match kinds[block as usize].get(..4).unwrap() {
                "Text" => said.push_str(&text.value()),
                "Reas" => thoughts.push_str(&text.value()),
                _ => calls.last_mut().unwrap().push_str(&text.value()),
            },
            Event::End => ended = true,
            _ => {}
        };
        decoder.frame(b"", line, sink).unwrap();
    }
    (thoughts, said, calls, ended)
}

proptest! {
    #[test]
    fn a_streamed_answer_says_what_the_whole_one_says(
        thoughts in ".{0,20}", said in ".{0,20}", argument in any::<String>(),
    ) {
        let arguments = json!({ "a": argument }).to_string();
        let call = ToolCall {
            id: Text::from("call_1"),
            item: None,
            name: Text::from("f"),
            arguments: Arguments::Quoted(Text::from(arguments)),
            seal: None,
        };
        let reasoning = Reasoning { text: vec![Text::from(thoughts.clone())], ..Reasoning::default() };
        let blocks = vec![
            at(Content::Reasoning(reasoning)),
            at(Content::text(Text::from(said.clone()))),
            at(Content::ToolCall(call)),
        ];
        let choice = Choice { blocks, finish: Some(Finish::new(Reason::ToolCalls)), ..Choice::default() };
        let stream = streamed(Answer { choices: vec![choice], ..Answer::default() });
        let (heard_thoughts, heard_said, calls, ended) = heard(&stream);
        prop_assert_eq!((heard_thoughts, heard_said, ended), (thoughts, said, true));
        // Some characters are escaped on the way, because clients' libraries end lines at them.
        let calls: Vec<Value> = calls.iter().map(|call| serde_json::from_str(call).unwrap()).collect();
        prop_assert_eq!(calls, vec![json!({ "a": argument })]);
    }
}

#[test]
fn a_stream_that_reports_an_error_ends_with_it() {
    let mut decoder = StreamDecoder::new("local", "req1");
    let mut events = Vec::new();
    let mut sink = |event: Event<'_>| events.push(format!("{event:?}"));
    decoder.frame(b"", br#"{"model":"m","message":{"content":"a"},"done":false}"#, &mut sink).unwrap();
    decoder.frame(b"", br#"{"error":"out of memory"}"#, &mut sink).unwrap();
    assert!(events.last().unwrap().contains("out of memory"), "{events:?}");
    // What follows is nobody's.
    decoder.frame(b"", b"{", &mut |event| panic!("{event:?}")).unwrap();
    for line in [&b"{\"message\": 3}"[..], b"{"] {
        let mut decoder = StreamDecoder::new("local", "req1");
        assert!(decoder.frame(b"", line, &mut |_| {}).is_err());
    }
}

#[test]
fn errors_are_texts() {
    let error = PublicError::new(ErrorCode::ModelNotFound, "no model `x`").at("model");
    let document: Value = serde_json::from_slice(&render_error(&error, "id1", &[])).unwrap();
    let expected =
        json!({"error": "no model `x`", "code": "model_not_found", "param": "model", "request_id": "id1"});
    assert_eq!(document, expected);
    assert!(render_stream_error(&error, "", &[]).ends_with(b"}\n"));
    assert_eq!(parse_error(br#"{"error":"model \"x\" not found"}"#).message, "model \"x\" not found");
}

#[test]
fn pictures_are_called_by_what_they_are() {
    for (base64, expected) in [
        ("/9j/2wCEAAEB", "image/jpeg"),
        ("/9j/7gAOQWRv", "image/jpeg"),
        ("R0lGODlhAQAB", "image/gif"),
        ("UklGRiQAAABX", "image/webp"),
        ("iVBORw0KGgoA", "image/png"),
        // Most are.
        ("JVBERi0xLjcK", "image/png"),
        ("", "image/png"),
    ] {
        let picture = json!({ "role": "user", "content": "x", "images": [base64] }).to_string();
        let body = format!(r#"{{"model":"m","messages":[{picture}]}}"#);
        let document = Document::read(body.as_bytes()).unwrap();
        let request = decode_request(&document).unwrap();
        let mime = request.messages.iter().flat_map(|message| &message.blocks).find_map(|block| {
            let Content::Image(media) = &block.content else { return None };
            media.mime.as_ref().map(|mime| mime.value().into_owned())
        });
        assert_eq!(mime.as_deref(), Some(expected), "{base64}");
    }
}
