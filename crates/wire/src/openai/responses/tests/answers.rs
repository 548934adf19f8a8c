//! Whole answers.

use bytes::Bytes;
use pointsman_core::{Dialect, Usage, UsageSource};
use serde_json::{Value, json};

use super::names;
use crate::json::{Document, Text};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, Choice, Citation, Content, DecodeError, Finish, Media, Origin,
    Path, Reason, Reasoning, Seal, SealKind, Source, ToolCall,
};
use crate::openai::responses::{decode_answer, encode_answer};
use crate::{anthropic, openai::chat};

const FULL: &str = include_str!("../../../../fixtures/openai-responses/answers/full.json");
const ORIGIN: Origin<'static> = Origin { provider: "openai", id: "req1" };

fn context(request: &Value) -> AnswerContext {
    AnswerContext {
        id: "abc".into(),
        model: "asked".into(),
        created: 7,
        request: Bytes::from(request.to_string()),
        ..AnswerContext::default()
    }
}

fn written(answer: &Answer<'_>, request: &Value) -> (Value, Vec<String>) {
    let encoded = encode_answer(answer, &context(request));
    let text = String::from_utf8(encoded.body).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (body, names(&encoded.losses))
}

/// What becomes of the answer on its way through the neutral form.
fn through(body: &Value, request: &Value) -> (Value, Vec<String>) {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    written(&answer, request)
}

fn one(blocks: Vec<Block<'static>>, reason: Reason) -> Answer<'static> {
    let finish = Some(Finish::new(reason));
    Answer { choices: vec![Choice { blocks, finish, ..Choice::default() }], ..Answer::default() }
}

fn block(content: Content<'static>) -> Block<'static> {
    Block::new(content, Path::Item("content", 0))
}

fn text(text: &'static str) -> Block<'static> {
    block(Content::text(Text::from(text)))
}

fn call(name: &'static str, arguments: Arguments<'static>) -> Block<'static> {
    let (id, name) = (Text::from("call_1"), Text::from(name));
    block(Content::ToolCall(ToolCall { id, item: None, name, arguments, seal: None }))
}

#[test]
fn an_answer_comes_back() {
    let mut expected: Value = serde_json::from_str(FULL).unwrap();
    let (seen, losses) = through(&expected, &json!({}));
    // A cipher is tagged, and bound to its id.
    expected["output"][0]["encrypted_content"] = "pm1.openai-responses.openai.e.rs_1:gAAAA==".into();
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(seen, expected);
}

#[test]
fn an_answer_means_what_it_says() {
    let document = Document::read(FULL.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let usage = Usage {
        input: 100,
        cached_input: 60,
        cache_write: 10,
        output: 50,
        reasoning: 20,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!((answer.id.value(), answer.created), ("resp_1".into(), Some(1_741_476_542)));
    let [choice] = answer.choices.as_slice() else { panic!() };
    assert_eq!(choice.finish.as_ref().map(|finish| finish.reason), Some(Reason::ToolCalls));
    let kinds: Vec<_> = choice
        .blocks
        .iter()
        .map(|block| match &block.content {
            Content::Reasoning(thought) => format!("reasoning {}", thought.summary.len()),
            Content::Text { text, citations } => format!("text {} {}", text.value(), citations.len()),
            Content::Refusal(text) => format!("refusal {}", text.value()),
            Content::ToolCall(call) => {
                let item = call.item.as_ref().unwrap();
                format!("call {} {} {}", call.id.value(), item.value(), call.name.value())
            }
            Content::Opaque(raw) => {
                let item: Value = serde_json::from_str(raw).unwrap();
                format!("opaque {}", item["type"].as_str().unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        "reasoning 2",
        "opaque web_search_call",
        "text Let me see. 0",
        "text 330 m 1",
        "refusal No more.",
        "opaque output_hologram",
        "call call_1 fc_1 weather",
        "call call_2 ctc_1 shell",
        "opaque novelty",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn clients_of_other_dialects_miss_nothing_that_they_could_have() {
    let document = Document::read(FULL.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let encoded = chat::encode_answer(&answer, &context(&json!({})));
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], "Let me see.330 m");
    assert_eq!(message["refusal"], "No more.");
    assert_eq!(message["reasoning_content"], "First.Second.");
    assert_eq!(message["reasoning_details"][1]["data"], "pm1.openai-responses.openai.e.rs_1:gAAAA==");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"city\":\"Oslo\"}");
    assert_eq!(message["tool_calls"][1]["custom"]["input"], "ls\n");
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 60);
    // What repeats the request is no loss, and neither are ids.
    let expected = [
        "output[1]",
        "output[2].phase",
        "output[3].status",
        "output[3].content[2]",
        "output[6]",
        "completed_at",
        "tool_usage",
    ];
    assert_eq!(names(&encoded.losses), expected);

    let encoded = anthropic::encode_answer(&answer, &context(&json!({})));
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(
        body["content"][0],
        json!({
            "type": "thinking",
            "thinking": "First.\n\nSecond.",
            "signature": "pm1.openai-responses.openai.e.rs_1:gAAAA==",
        })
    );
    // Anthropic's input excludes what the cache read and wrote.
    assert_eq!(body["usage"]["input_tokens"], 30);
}

#[test]
fn why_an_answer_ended_is_told_both_ways() {
    let message = json!({ "type": "message", "content": [{ "type": "output_text", "text": "x" }] });
    for (status, why, reason) in [
        ("completed", None, Reason::Stop),
        ("incomplete", Some("max_output_tokens"), Reason::Length),
        ("incomplete", Some("content_filter"), Reason::ContentFilter),
    ] {
        let details = why.map(|why| json!({ "reason": why }));
        let body = json!({ "status": status, "incomplete_details": details, "output": [message] });
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let answer = decode_answer(&document, &ORIGIN).unwrap();
        let finish = answer.choices[0].finish.as_ref().unwrap();
        assert_eq!(
            (finish.reason, finish.raw.as_ref().unwrap().value()),
            (reason, why.unwrap_or(status).into())
        );
        let (seen, losses) = written(&answer, &json!({}));
        assert_eq!((&seen["status"], &seen["incomplete_details"]), (&json!(status), &json!(details)));
        assert_eq!(losses, Vec::<String>::new());
    }
    let of = |body: Value| {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        decode_answer(&document, &ORIGIN).unwrap().choices.remove(0).finish.map(|finish| finish.reason)
    };
    let refusal = json!({ "type": "message", "content": [{ "type": "refusal", "refusal": "no" }] });
    assert_eq!(of(json!({ "status": "completed", "output": [refusal] })), Some(Reason::Refusal));
    let steered = json!({ "reason": "steered" });
    let steered = json!({ "status": "incomplete", "incomplete_details": steered, "output": [] });
    assert_eq!(of(steered), Some(Reason::Other));
    assert_eq!(of(json!({ "status": "cancelled", "output": [message] })), Some(Reason::Other));
    for status in ["queued", "in_progress"] {
        let body = json!({ "status": status, "output": [] });
        assert_eq!(of(body), None);
    }
    for (reason, blurred) in [
        (Reason::StopSequence, false),
        (Reason::ContextLength, false),
        (Reason::Pause, true),
        (Reason::Malformed, true),
        (Reason::Other, true),
    ] {
        let (seen, losses) = written(&one(vec![text("x")], reason), &json!({}));
        let cut = reason == Reason::ContextLength;
        assert_eq!(seen["status"], if cut { "incomplete" } else { "completed" }, "{reason:?}");
        assert_eq!(losses.contains(&"finish_reason".to_owned()), blurred, "{reason:?}");
    }
    // A refusal that says so is whole; one that does not was filtered.
    let (seen, _) = written(&one(vec![text("x")], Reason::Refusal), &json!({}));
    assert_eq!(seen["incomplete_details"]["reason"], "content_filter");
    let (seen, _) =
        written(&one(vec![block(Content::Refusal(Text::from("no")))], Reason::Refusal), &json!({}));
    assert_eq!(seen["status"], "completed");
}

#[test]
fn an_answer_repeats_its_request() {
    let request = json!({
        "model": "m", "input": "x", "stream": false, "include": ["reasoning.encrypted_content"],
        "instructions": "Be brief.", "reasoning": { "effort": "high" }, "text": { "verbosity": "low" },
        "conversation": "conv_1", "tools": [{ "type": "custom", "name": "t" }], "tool_choice": "required",
        "metadata": { "a": "b" }, "store": false, "temperature": 0.5, "user": null, "service_tier": "flex",
    });
    let (seen, losses) = written(&one(vec![text("x")], Reason::Stop), &request);
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(
        seen,
        json!({
            "id": "resp_abc", "object": "response", "created_at": 7, "status": "completed",
            "incomplete_details": null, "error": null, "model": "asked",
            "output": [{
                "id": "msg_pm1_abc_0", "type": "message", "status": "completed", "role": "assistant",
                "content": [{ "type": "output_text", "text": "x", "annotations": [], "logprobs": [] }],
            }],
            "background": false, "instructions": "Be brief.", "max_output_tokens": null,
            "max_tool_calls": null, "parallel_tool_calls": true, "previous_response_id": null,
            "prompt_cache_key": null, "reasoning": { "summary": null, "effort": "high" },
            "safety_identifier": null, "store": false, "temperature": 0.5,
            "text": { "format": { "type": "text" }, "verbosity": "low" }, "tool_choice": "required",
            "tools": [{ "type": "custom", "name": "t" }], "top_logprobs": 0, "top_p": 1.0,
            "truncation": "disabled", "user": null, "metadata": { "a": "b" },
            "conversation": { "id": "conv_1" }, "service_tier": "flex", "usage": null,
        })
    );
}

#[test]
fn an_answer_of_another_dialect_is_written_whole() {
    let seal = |kind| Seal::from_provider(Text::from("c2ln"), kind, Dialect::Anthropic, "claude");
    let thought = Reasoning {
        text: vec![Text::from("Hm.")],
        seal: Some(seal(SealKind::Signature)),
        ..Reasoning::default()
    };
    let cite = |url: Option<&'static str>, raw: &'static str| Citation {
        url: url.map(Text::from),
        title: None,
        quote: None,
        span: None,
        raw,
    };
    let cited = Content::Text {
        text: Text::Escaped("\\u00e9t\\n"),
        citations: vec![
            cite(Some("https://a.example"), r#"{"type":"web_search_result_location"}"#),
            cite(None, r#"{"type":"page_location"}"#),
        ],
    };
    let image = |source| Media { source, mime: None, name: None, detail: None };
    let proved = ToolCall {
        id: Text::from("call_2"),
        item: None,
        name: Text::from("f"),
        arguments: Arguments::Object(r#"{"a":1}"#),
        seal: Some(Seal::from_provider(Text::from("cHJv"), SealKind::Signature, Dialect::Gemini, "google")),
    };
    let blocks = vec![
        block(Content::Reasoning(thought)),
        text("a"),
        block(cited),
        call("f", Arguments::Quoted(Text::default())),
        block(Content::ToolCall(proved)),
        block(Content::Image(image(Source::Base64(Text::from("iVBO"))))),
        block(Content::Image(image(Source::Url(Text::from("https://a.example"))))),
        block(Content::Opaque(r#"{"type":"server_tool_use"}"#)),
        block(Content::Opaque(r#"{"type":"web_search_call","id":"ws_1"}"#)),
        text("b"),
    ];
    let mut answer = one(blocks, Reason::ToolCalls);
    answer.id = Text::from("msg_01");
    answer.service_tier = Some(Text::from("batch"));
    answer.usage = Some(Usage { input: 100, cached_input: 60, output: 5, reasoning: 2, ..Usage::default() });
    answer.choices.push(Choice { index: 1, ..Choice::default() });
    let (seen, losses) = written(&answer, &json!({}));
    let message = |id: &str, content: Value| json!({ "id": id, "type": "message", "status": "completed", "role": "assistant", "content": content });
    let said = |text: &str, annotations: Value| json!({ "type": "output_text", "text": text, "annotations": annotations, "logprobs": [] });
    let source = json!([{
        "type": "url_citation", "url": "https://a.example", "title": "", "start_index": 0, "end_index": 3,
    }]);
    assert_eq!(
        seen["output"],
        json!([
            { "id": "rs_pm1_abc_0", "type": "reasoning", "summary": [],
              "content": [{ "type": "reasoning_text", "text": "Hm." }],
              "encrypted_content": "pm1.anthropic.claude.s.c2ln" },
            message("msg_pm1_abc_1", json!([said("a", json!([])), said("ét\n", source)])),
            { "id": "fc_pm1_abc_2", "type": "function_call", "status": "completed", "call_id": "call_1",
              "name": "f", "arguments": "{}" },
            { "id": "fc_pm1_abc_3", "type": "function_call", "status": "completed", "call_id": "call_2",
              "name": "f", "arguments": "{\"a\":1}" },
            { "id": "rs_pm1_call_2", "type": "reasoning", "summary": [],
              "encrypted_content": "pm1.gemini.google.s.cHJv" },
            { "id": "ig_pm1_abc_5", "type": "image_generation_call", "status": "completed", "result": "iVBO" },
            { "type": "web_search_call", "id": "ws_1" },
            message("msg_pm1_abc_7", json!([said("b", json!([]))])),
        ])
    );
    // Only ids of this dialect's form can be asked for later.
    assert_eq!(seen["id"], "resp_abc");
    assert_eq!(
        seen["usage"],
        json!({
            "input_tokens": 100, "input_tokens_details": { "cached_tokens": 60, "cache_write_tokens": 0 },
            "output_tokens": 5, "output_tokens_details": { "reasoning_tokens": 2 }, "total_tokens": 105,
        })
    );
    assert_eq!(losses, ["choices[1]", "service_tier", "content[0].citations", "content[0]"]);
}

#[test]
fn thoughts_are_summaries_where_those_are_asked_for() {
    let thought = Reasoning { text: vec![Text::from("Hm.")], ..Reasoning::default() };
    let answer = one(vec![block(Content::Reasoning(thought)), text("x")], Reason::Stop);
    let (seen, _) = written(&answer, &json!({ "reasoning": { "summary": "auto" } }));
    assert_eq!(
        seen["output"][0],
        json!({ "id": "rs_pm1_abc_0", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "Hm." }] })
    );
}

#[test]
fn a_custom_tool_gets_its_text_out_of_the_object() {
    let request = json!({ "tools": [{ "type": "custom", "name": "apply_patch" }] });
    for (arguments, expected) in [
        (Arguments::Object(r#"{"input":"*** \"Begin\"\n"}"#), "*** \"Begin\"\n"),
        (Arguments::Quoted(Text::Escaped(r#"{\"input\":\"x\"}"#)), "x"),
        (Arguments::Quoted(Text::from("*** bare")), "*** bare"),
        (Arguments::Object(r#"{"patch":"x"}"#), r#"{"patch":"x"}"#),
        (Arguments::Free(Text::from("{\"input\":1}")), "{\"input\":1}"),
    ] {
        let (seen, _) = written(&one(vec![call("apply_patch", arguments)], Reason::ToolCalls), &request);
        let item = &seen["output"][0];
        assert_eq!((&item["type"], &item["input"]), (&json!("custom_tool_call"), &json!(expected)));
        assert_eq!(item["id"], "ctc_pm1_abc_0");
    }
}

#[test]
fn log_probabilities_stand_beside_their_texts() {
    let entry = |token: &str| json!({ "token": token, "bytes": token.as_bytes(), "logprob": -0.5, "top_logprobs": [] });
    let part = |text: &str, entries: Vec<Value>| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": entries });
    let content =
        json!([part("ab", vec![entry("a"), entry("b")]), part("é c", vec![entry("é"), entry(" c")]),]);
    let body = json!({ "id": "resp_1", "created_at": 1, "model": "m", "status": "completed", "output": [
        { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content },
    ] });
    let (seen, losses) = through(&body, &json!({}));
    assert_eq!((&seen["output"], losses), (&body["output"], Vec::<String>::new()));
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let encoded = chat::encode_answer(&answer, &context(&json!({})));
    let chat: Value = serde_json::from_slice(&encoded.body).unwrap();
    let tokens = json!({ "content": [entry("a"), entry("b"), entry("é"), entry(" c")] });
    assert_eq!((&chat["choices"][0]["logprobs"], names(&encoded.losses)), (&tokens, vec![]));
    let silent = Answer {
        choices: vec![Choice { logprobs: Some("{\"content\":[]}".into()), ..Choice::default() }],
        ..Answer::default()
    };
    assert_eq!(written(&silent, &json!({})).1, ["logprobs"]);
}

#[test]
fn an_answer_in_the_background_stays_one() {
    let body =
        json!({ "id": "resp_1", "object": "response", "status": "queued", "output": [], "model": "m" });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    assert!(answer.choices[0].finish.is_none());
}

#[test]
fn hostile_answers_are_refused() {
    let refused = |body: Value| {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        decode_answer(&document, &ORIGIN).unwrap_err()
    };
    let missing = |field: &str| DecodeError::Missing { field: field.into() };
    let item = |item: Value| refused(json!({ "output": [item] }));
    assert_eq!(refused(json!([])), DecodeError::wrong("body", "an object"));
    assert_eq!(refused(json!({})), missing("output"));
    assert_eq!(refused(json!({ "object": "list" })), DecodeError::wrong("object", "`response`"));
    assert_eq!(refused(json!({ "error": { "message": "x" } })), DecodeError::wrong("error", "absent"));
    assert_eq!(
        refused(json!({ "status": "failed", "output": [] })),
        DecodeError::wrong("status", "`completed` or `incomplete`")
    );
    assert_eq!(refused(json!({ "output": "x" })), DecodeError::wrong("output", "a list of items"));
    assert_eq!(
        refused(json!({ "status": "completed", "output": [] })),
        DecodeError::wrong("output", "a list of at least one item")
    );
    assert_eq!(item(json!("x")), DecodeError::wrong("output[0]", "an object"));
    assert_eq!(item(json!({})), missing("output[0].type"));
    assert_eq!(item(json!({ "type": "message" })), missing("output[0].content"));
    assert_eq!(
        item(json!({ "type": "message", "content": [{ "type": "output_text" }] })),
        missing("output[0].content[0].text")
    );
    assert_eq!(
        item(
            json!({ "type": "message", "content": [{ "type": "output_text", "text": "x", "annotations": 1 }] })
        ),
        DecodeError::wrong("output[0].content[0].annotations", "a list")
    );
    assert_eq!(item(json!({ "type": "function_call", "call_id": "c" })), missing("output[0].name"));
    assert_eq!(
        item(json!({ "type": "function_call", "call_id": "c", "name": "f" })),
        missing("output[0].arguments")
    );
    let nameless = json!({ "output": [
        { "type": "function_call", "name": "f", "arguments": "{}" },
        { "type": "custom_tool_call", "name": "g", "input": "x" },
    ], "usage": { "input_tokens": -1 } });
    let text = nameless.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let answer = decode_answer(&document, &ORIGIN).unwrap();
    let ids: Vec<_> = answer.choices[0]
        .blocks
        .iter()
        .map(|block| match &block.content {
            Content::ToolCall(call) => call.id.value().into_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((ids, answer.usage), (vec!["call_req1_0".to_owned(), "call_req1_1".to_owned()], None));
}
