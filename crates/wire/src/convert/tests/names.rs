//! Tools whose names a provider does not take, there and back.

use std::sync::Arc;

use bytes::Bytes;
use pointsman_core::Dialect::{self, Anthropic, Gemini, Ollama, OpenAiChat, OpenAiResponses};
use serde_json::{Value, json};

use super::{PROVIDER, codec_of};
use crate::convert::{Called, Translator};
use crate::json::Document;
use crate::neutral::{AnswerContext, Origin, Target, ToolNames};

const NAME: &str = "ns.tool:go";

/// A conversation with that tool, and what it is called at `to`.
fn asked(to: Dialect) -> (Value, ToolNames) {
    let call = json!({ "functionCall": { "name": NAME, "args": {} } });
    let result = json!({ "functionResponse": { "name": NAME, "response": { "result": "x" } } });
    let body = json!({
        "contents": [
            { "role": "user", "parts": [{ "text": "go" }] },
            { "role": "model", "parts": [call] },
            { "role": "user", "parts": [result] },
        ],
        "tools": [{ "functionDeclarations": [{ "name": NAME }, { "name": "plain" }] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": [NAME] } },
    });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let mut request =
        codec_of(Gemini).decode_request(&document, Called { model: "m", stream: false }).unwrap();
    let names = ToolNames::fit(&mut request, to);
    let target = Target::new(to, PROVIDER, "m");
    let encoded = codec_of(to).encode_request(&request, &target).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), names)
}

#[test]
fn a_name_fits_wherever_it_stands() {
    for (to, places) in [
        (
            OpenAiChat,
            vec![
                "/tools/0/function/name",
                "/messages/1/tool_calls/0/function/name",
                "/tool_choice/function/name",
            ],
        ),
        (OpenAiResponses, vec!["/tools/0/name", "/input/1/name", "/tool_choice/name"]),
        (Anthropic, vec!["/tools/0/name", "/messages/1/content/0/name", "/tool_choice/name"]),
    ] {
        let (written, names) = asked(to);
        for place in places {
            let name = written.pointer(place).unwrap_or_else(|| panic!("{to} {place}: {written}"));
            let name = name.as_str().unwrap();
            assert!(name.starts_with("ns_tool_go_") && name.len() == 19, "{to} {place}: {name}");
        }
        assert!(!written.to_string().contains(NAME), "{to}: {written}");
        assert!(!names.is_empty());
    }
    let (written, names) = asked(Ollama);
    assert_eq!((&written["tools"][0]["function"]["name"], names.is_empty()), (&json!(NAME), true));
}

#[test]
fn the_client_is_told_its_own_name() {
    let (written, names) = asked(OpenAiChat);
    let name = &written["tools"][0]["function"]["name"];
    let calls = json!([{ "index": 0, "id": "c", "type": "function", "function": { "name": name, "arguments": "{}" } }]);
    let body = json!({ "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        { "index": 0, "message": { "role": "assistant", "content": null, "tool_calls": calls }, "finish_reason": "tool_calls" }] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let mut answer =
        codec_of(OpenAiChat).decode_answer(&document, &Origin { provider: PROVIDER, id: "r" }).unwrap();
    names.restore(&mut answer);
    let told = codec_of(Gemini).encode_answer(&answer, &AnswerContext::default());
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(told["candidates"][0]["content"]["parts"][0]["functionCall"]["name"], NAME);

    let chunk = json!({ "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        { "index": 0, "delta": { "role": "assistant", "tool_calls": calls }, "finish_reason": "tool_calls" }] });
    let names = Arc::new(names);
    let to = (codec_of(Gemini), AnswerContext::default());
    let mut translator = Translator::new((codec_of(OpenAiChat), PROVIDER), to, 1).restoring(Some(&names));
    let mut out = Vec::new();
    translator.push(&Bytes::from(format!("data: {chunk}\n\ndata: [DONE]\n\n")), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    let told = String::from_utf8(out.concat()).unwrap();
    assert!(told.contains(r#""functionCall":{"id":"c","name":"ns.tool:go","args":{}}"#), "{told}");
}
