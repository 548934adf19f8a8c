//! Turns whose order matters to a vendor, through dialects that have none.

use bytes::Bytes;
use pointsman_core::Dialect::{self, Anthropic, Gemini, Ollama, OpenAiChat, OpenAiResponses};
use serde_json::{Value, json};

use super::{PROVIDER, codec_of};
use crate::convert::{Called, Translator};
use crate::json::Document;
use crate::neutral::{AnswerContext, Origin, Quirks, Target};

/// What Claude answers with thoughts between its text and its calls.
fn content() -> Value {
    json!([
        { "type": "thinking", "thinking": "A", "signature": "sig-a" },
        { "type": "text", "text": "Zuerst schön, " },
        { "type": "thinking", "thinking": "B", "signature": "sig-b" },
        { "type": "text", "text": "dann gut." },
        { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "n": 1 } },
        { "type": "redacted_thinking", "data": "cipher-c" },
        { "type": "tool_use", "id": "toolu_2", "name": "g", "input": {} },
    ])
}

fn whole_answer() -> Value {
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-6",
            "content": content(), "stop_reason": "tool_use", "stop_sequence": null, "usage": usage })
}

/// The message of the assistant as an OpenAI client has it from the whole answer.
fn message() -> Value {
    let body = whole_answer().to_string();
    let document = Document::read(body.as_bytes()).unwrap();
    let answer =
        codec_of(Anthropic).decode_answer(&document, &Origin { provider: PROVIDER, id: "r" }).unwrap();
    let encoded = codec_of(OpenAiChat).encode_answer(&answer, &AnswerContext::default());
    let answer: Value = serde_json::from_slice(&encoded.body).unwrap();
    answer["choices"][0]["message"].clone()
}

/// The same as it puts it together from the stream.
fn message_from_stream() -> Value {
    let mut events = vec![json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-6", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 } } })];
    for (index, block) in content().as_array().unwrap().iter().enumerate() {
        let (mut start, mut deltas) = (block.clone(), Vec::new());
        match block["type"].as_str().unwrap() {
            "thinking" => {
                start = json!({ "type": "thinking", "thinking": "", "signature": "" });
                deltas.push(json!({ "type": "thinking_delta", "thinking": block["thinking"] }));
                deltas.push(json!({ "type": "signature_delta", "signature": block["signature"] }));
            }
            "text" => {
                start = json!({ "type": "text", "text": "" });
                deltas.push(json!({ "type": "text_delta", "text": block["text"] }));
            }
            "tool_use" => {
                start["input"] = json!({});
                let input = block["input"].to_string();
                deltas.push(json!({ "type": "input_json_delta", "partial_json": input }));
            }
            _ => {}
        }
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
        for delta in deltas {
            events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    events.push(
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null },
        "usage": { "output_tokens": 9 } }),
    );
    events.push(json!({ "type": "message_stop" }));
    let mut translator =
        Translator::new((codec_of(Anthropic), PROVIDER), (codec_of(OpenAiChat), AnswerContext::default()), 1);
    let mut out = Vec::new();
    for event in events {
        let frame = format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        translator.push(&Bytes::from(frame), &mut out).unwrap();
    }
    translator.finish(&mut out).unwrap();
    let text = String::from_utf8(out.concat()).unwrap();
    let (mut said, mut details, mut calls) = (String::new(), Vec::new(), Vec::<Value>::new());
    for data in text.split("\n\n").filter_map(|frame| frame.strip_prefix("data: ")) {
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { continue };
        let delta = &chunk["choices"][0]["delta"];
        said.push_str(delta["content"].as_str().unwrap_or_default());
        details.extend(delta["reasoning_details"].as_array().cloned().unwrap_or_default());
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let more = piece["function"]["arguments"].as_str().unwrap_or_default().to_owned();
            if piece.get("id").is_some() {
                calls.push(piece.clone());
            }
            let call = &mut calls[usize::try_from(piece["index"].as_u64().unwrap()).unwrap()]["function"];
            if piece.get("id").is_none() {
                call["arguments"] = json!(call["arguments"].as_str().unwrap().to_owned() + &more);
            }
        }
    }
    json!({ "role": "assistant", "content": said, "reasoning_details": details, "tool_calls": calls })
}

/// The second step of an agent: the message, and what its tools answered.
fn second_step(message: &Value, target: &Target<'_>) -> Value {
    let body = json!({ "model": "m", "reasoning_effort": "high", "messages": [
        { "role": "user", "content": "go" },
        message,
        { "role": "tool", "tool_call_id": "toolu_1", "content": "one" },
        { "role": "tool", "tool_call_id": "toolu_2", "content": "two" },
    ] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = codec_of(OpenAiChat).decode_request(&document, Called::default()).unwrap();
    let encoded = codec_of(target.dialect).encode_request(&request, target).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

#[test]
fn claude_gets_its_thoughts_back_where_they_stood() {
    let target = Target::new(Anthropic, PROVIDER, "claude-opus-4-6");
    for message in [message(), message_from_stream()] {
        let again = second_step(&message, &target);
        assert_eq!(again["messages"][1]["content"], content(), "{message}");
    }
}

#[test]
fn a_provider_of_the_clients_own_dialect_gets_the_text_whole() {
    let target = Target::new(OpenAiChat, "other", "gpt-4o");
    let message = message();
    let again = second_step(&message, &target);
    assert_eq!(again["messages"][1]["content"], message["content"]);
    assert_eq!(again["messages"][1]["tool_calls"], message["tool_calls"]);
    // Vendors that want thoughts before calls get the words of those that Claude sealed.
    let quirks = Quirks { extras: vec!["reasoning_content".into()], ..Quirks::NONE };
    let again = second_step(&message, &Target { quirks: &quirks, ..target });
    assert_eq!(again["messages"][1]["reasoning_content"], "AB", "{again}");
    assert_eq!(again["messages"][1].get("reasoning_details"), None);
}

/// The messages that a provider of OpenAI's chat dialect gets of this request.
fn chat(from: Dialect, body: &Value, target: &Target<'_>) -> Value {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = codec_of(from).decode_request(&document, Called::default()).unwrap();
    let encoded = codec_of(OpenAiChat).encode_request(&request, target).unwrap();
    serde_json::from_slice::<Value>(&encoded.body).unwrap()["messages"].clone()
}

#[test]
fn nothing_stands_between_calls_and_their_results() {
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" });
    let result = |id: &str| json!({ "type": "function_call_output", "call_id": id, "output": id });
    let said = |role: &str, text: &str| json!({ "role": role, "content": text });
    let body = json!({ "model": "m", "input": [
        said("developer", "d"), result("lone"), said("user", "go"), call("a"), call("b"), result("a"),
        said("developer", "be brief"), said("user", "and hurry"), result("b"), said("assistant", "done"),
    ] });
    let messages = chat(OpenAiResponses, &body, &Target::new(OpenAiChat, "other", "gpt-4o"));
    let told = messages.as_array().unwrap().iter().map(|message| {
        let id = message["tool_call_id"].as_str().or(message["content"].as_str()).unwrap_or("calls");
        format!("{} {id}", message["role"].as_str().unwrap())
    });
    let expected = [
        "developer d",
        "tool lone",
        "user go",
        "assistant calls",
        "tool a",
        "tool b",
        "developer be brief",
        "user and hurry",
        "assistant done",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn thoughts_before_a_call_go_back_to_vendors_that_want_them() {
    let quirks = Quirks { extras: vec!["thinking".into(), "reasoning_content".into()], ..Quirks::NONE };
    let target = Target { quirks: &quirks, ..Target::new(OpenAiChat, "deepseek", "deepseek-v4-pro") };
    let thought = json!({ "type": "thinking", "thinking": "Hm.", "signature": "" });
    let call = json!({ "type": "tool_use", "id": "a", "name": "f", "input": {} });
    let result = json!({ "type": "tool_result", "tool_use_id": "a", "content": "x" });
    let mut said = vec![json!("Hm."), json!(" "), Value::Null];
    for content in [json!([thought, call]), json!([call]), json!("just text")] {
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [
            { "role": "user", "content": "go" }, { "role": "assistant", "content": content },
            { "role": "user", "content": [result] },
        ] });
        let messages = chat(Anthropic, &body, &target);
        assert_eq!(messages[1]["reasoning_content"], said.remove(0), "{messages}");
        // Nobody else is told of it.
        let others = chat(Anthropic, &body, &Target::new(OpenAiChat, "other", "gpt-4o"));
        assert_eq!(others[1].get("reasoning_content"), None);
    }
}

/// Tens of thousands of whatever was once looked for in a list: what takes minutes then is a moment now.
#[test]
fn long_lists_are_walked_once() {
    const MANY: usize = 20_000;
    let picture =
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBO" } });
    let pictures = json!({ "model": "m", "max_tokens": 9, "messages": [
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "a", "name": "f", "input": {} }] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "a", "content": vec![picture; MANY] }] },
    ] });
    let properties: serde_json::Map<_, _> = (0..MANY).map(|at| (format!("p{at}"), json!({}))).collect();
    let order: Vec<_> = (0..MANY).rev().map(|at| format!("p{at}")).collect();
    let schema = json!({ "type": "OBJECT", "properties": properties, "propertyOrdering": order });
    let ordered = json!({ "contents": [{ "role": "user", "parts": [{ "text": "x" }] }],
        "tools": [{ "functionDeclarations": [{ "name": "f", "parameters": schema }] }] });
    let odd: serde_json::Map<_, _> = (0..MANY).map(|at| (format!("m{at}"), json!(0))).collect();
    let mut detail = json!({ "type": "reasoning.text", "text": "x", "index": 0 });
    detail.as_object_mut().unwrap().extend(odd);
    let seal = |at: usize| json!({ "type": "reasoning.encrypted", "data": "x", "id": format!("c{at}") });
    let call = |at: usize| json!({ "id": format!("c{at}"), "type": "custom", "custom": { "name": "sh", "input": "x" } });
    let result = |at: usize| json!({ "role": "tool", "tool_call_id": format!("c{at}"), "content": "x" });
    let mut messages = vec![
        json!({ "role": "user", "content": "x" }),
        json!({ "role": "assistant", "content": "x", "reasoning_details": [detail.clone(), detail] }),
        json!({ "role": "assistant", "content": null,
            "reasoning_details": (0..MANY).map(seal).collect::<Vec<_>>(),
            "tool_calls": (0..MANY).rev().map(call).collect::<Vec<_>>() }),
    ];
    messages.extend((0..MANY).map(result));
    let tools: Vec<_> =
        (0..MANY).map(|at| json!({ "type": "custom", "custom": { "name": format!("t{at}") } })).collect();
    let names: Vec<_> =
        (0..MANY).map(|at| json!({ "type": "custom", "custom": { "name": format!("t{at}") } })).collect();
    let choice = json!({ "type": "allowed_tools", "allowed_tools": { "mode": "auto", "tools": names } });
    let chat = json!({ "model": "m", "messages": messages, "tools": tools, "tool_choice": choice });
    let address =
        |at: usize| json!({ "type": "input_image", "image_url": format!("https://a.example/{at}.png") });
    let addresses = json!({ "model": "m", "input": [
        { "role": "user", "content": (0..MANY).map(address).collect::<Vec<_>>() }] });
    for (from, body) in
        [(Anthropic, pictures), (Gemini, ordered), (OpenAiChat, chat), (OpenAiResponses, addresses)]
    {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let request = codec_of(from).decode_request(&document, Called::default()).unwrap();
        for to in
            [Anthropic, Gemini, OpenAiChat, OpenAiResponses, Ollama].into_iter().filter(|to| *to != from)
        {
            let target = Target::new(to, PROVIDER, "claude-opus-4-6");
            let needs = codec_of(to).needs(&request, &target);
            // Addresses that this provider does not take, or pictures in what it takes as text alone.
            let said = codec_of(to).encode_request(&request, &target).is_ok();
            assert!(said || !needs.is_empty() || to == Ollama, "{from} to {to}");
        }
    }
}
