//! Requests between this dialect and others.

use std::collections::HashMap;

use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::{decode_request, encoded, fixture, names, target, written};
use crate::convert::{Called, codec};
use crate::json::{Document, Text};
use crate::neutral::{
    Block, Content, Given, Media, Message, Path, Quirks, Reasoning, Request, Resolved, Role, Seal, SealKind,
    Source, Target,
};
use crate::openai::responses::{encode_request, needs};

/// A request of another dialect as a provider of this one gets it, and what was lost.
fn from(dialect: Dialect, body: &Value, target: &Target<'_>) -> (Value, Vec<String>) {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = codec(dialect).unwrap().decode_request(&document, Called::default()).unwrap();
    written(&request, target)
}

/// A request of this dialect as a provider of another gets it, and what was lost.
fn to(dialect: Dialect, body: &str, model: &str) -> (Value, Vec<String>) {
    let document = Document::read(body.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let encoded =
        codec(dialect).unwrap().encode_request(&request, &Target::new(dialect, "p", model)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), names(&encoded.losses))
}

fn user(text: &str) -> Value {
    json!({ "type": "message", "role": "user", "content": text })
}

#[test]
fn a_chat_becomes_items() {
    let body = json!({
        "model": "any",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "developer", "content": [{ "type": "text", "text": "Use metres." }] },
            { "role": "user", "name": "ada", "content": [
                { "type": "text", "text": "Look:" },
                { "type": "image_url", "image_url": { "url": "https://a.example/p.png", "detail": "high" } },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBO" } },
                { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE" } },
                { "type": "input_audio", "input_audio": { "data": "UklG", "format": "mp3" } },
            ] },
            { "role": "assistant", "content": "Two calls.", "tool_calls": [
                { "id": "call_a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } },
                { "id": "call_b", "type": "custom", "custom": { "name": "sh", "input": "ls\n" } },
            ] },
            { "role": "tool", "tool_call_id": "call_a", "content": "1" },
            { "role": "tool", "tool_call_id": "call_b", "content": [{ "type": "text", "text": "README" }] },
            { "role": "assistant", "content": null, "refusal": "I will not." },
            { "role": "user", "content": "Why?" },
        ],
        "tools": [
            { "type": "function", "function": { "name": "f", "description": "d", "parameters": { "type": "object" } } },
            { "type": "function", "function": { "name": "g", "strict": true } },
            { "type": "custom", "custom": { "name": "sh", "format": {
                "type": "grammar", "grammar": { "syntax": "regex", "definition": ".+" },
            } } },
        ],
        "tool_choice": { "type": "custom", "custom": { "name": "sh" } },
        "parallel_tool_calls": false,
        "response_format": { "type": "json_schema", "json_schema": { "schema": { "type": "object" }, "strict": true } },
        "verbosity": "low", "reasoning_effort": "minimal", "max_completion_tokens": 3, "temperature": 0.5,
        "top_p": 0.9, "seed": 7, "stop": "END", "frequency_penalty": 1, "n": 2, "logit_bias": { "1": 1 },
        "logprobs": true, "top_logprobs": 2, "user": "ada", "metadata": { "a": "b" }, "service_tier": "flex",
        "prompt_cache_key": "k", "safety_identifier": "s", "stream": true,
    });
    let (seen, losses) = from(Dialect::OpenAiChat, &body, &Target { stream: true, ..target() });
    assert_eq!(
        seen,
        json!({
            "model": "m",
            "input": [
                { "type": "message", "role": "system", "content": "Be brief." },
                { "type": "message", "role": "developer", "content": "Use metres." },
                { "type": "message", "role": "user", "content": [
                    { "type": "input_text", "text": "Look:" },
                    { "type": "input_image", "image_url": "https://a.example/p.png", "detail": "high" },
                    { "type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "auto" },
                    { "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE" },
                    { "type": "input_audio", "input_audio": { "data": "UklG", "format": "mp3" } },
                ] },
                { "type": "message", "role": "assistant", "content": "Two calls." },
                { "type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{\"x\":1}" },
                { "type": "custom_tool_call", "call_id": "call_b", "name": "sh", "input": "ls\n" },
                { "type": "function_call_output", "call_id": "call_a", "output": "1" },
                { "type": "custom_tool_call_output", "call_id": "call_b", "output": "README" },
                { "type": "message", "role": "assistant", "content": "I will not." },
                { "type": "message", "role": "user", "content": "Why?" },
            ],
            "tools": [
                // Elsewhere a schema is not taken to the letter unless it is asked for.
                { "type": "function", "name": "f", "description": "d", "parameters": { "type": "object" }, "strict": false },
                { "type": "function", "name": "g", "parameters": { "type": "object", "properties": {} }, "strict": true },
                { "type": "custom", "name": "sh", "format": { "type": "grammar", "syntax": "regex", "definition": ".+" } },
            ],
            "tool_choice": { "type": "custom", "name": "sh" },
            "parallel_tool_calls": false,
            "text": {
                "format": { "type": "json_schema", "name": "answer", "schema": { "type": "object" }, "strict": true },
                "verbosity": "low",
            },
            // The vendor takes no less.
            "max_output_tokens": 16,
            "temperature": 0.5,
            "top_p": 0.9,
            "reasoning": { "effort": "minimal" },
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
            "top_logprobs": 2,
            "user": "ada",
            "metadata": { "a": "b" },
            // Chat's own default.
            "store": false,
            "service_tier": "flex",
            "stream": true,
            "safety_identifier": "s",
            "prompt_cache_key": "k",
        })
    );
    let expected =
        ["messages[2].name", "max_completion_tokens", "stop", "n", "frequency_penalty", "seed", "logit_bias"];
    assert_eq!(losses, expected);
}

#[test]
fn anthropics_messages_become_items() {
    let body = json!({
        "model": "any", "max_tokens": 4096, "system": "Be brief.",
        "thinking": { "type": "enabled", "budget_tokens": 4096 },
        "metadata": { "user_id": "user_".to_owned() + &"x".repeat(100) },
        "tools": [
            { "name": "f", "input_schema": { "type": "object" }, "cache_control": { "type": "ephemeral" } },
            { "type": "web_search_20250305", "name": "web_search" },
        ],
        "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
        "stop_sequences": ["END"], "top_k": 5,
        "messages": [
            { "role": "user", "content": "Go." },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm.", "signature": "pm1.openai-responses.vendor.e.rs_1:gAAA" },
                { "type": "thinking", "thinking": "Own.", "signature": "c2ln" },
                { "type": "text", "text": "First " }, { "type": "text", "text": "second." },
                { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "x": 1 } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    { "type": "text", "text": "broken" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBO" } },
                ] },
                { "type": "text", "text": "Again?" },
                { "type": "document", "title": "t", "source": { "type": "text", "media_type": "text/plain", "data": "plain" } },
            ] },
        ],
    });
    let (seen, losses) = from(Dialect::Anthropic, &body, &target());
    assert_eq!(
        seen,
        json!({
            "model": "m",
            "instructions": "Be brief.",
            "input": [
                user("Go."),
                // The cipher comes back with the id to which it is bound, and with no plain thought.
                { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "Hm." }],
                  "encrypted_content": "gAAA" },
                { "type": "message", "role": "assistant", "content": "First second." },
                { "type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": "{\"x\":1}" },
                { "type": "function_call_output", "call_id": "toolu_1", "output": [
                    { "type": "input_text", "text": "broken" },
                    { "type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "auto" },
                ] },
                { "type": "message", "role": "user", "content": [
                    { "type": "input_text", "text": "Again?" }, { "type": "input_text", "text": "plain" },
                ] },
            ],
            "tools": [{ "type": "function", "name": "f", "parameters": { "type": "object" }, "strict": false }],
            "tool_choice": "required",
            "parallel_tool_calls": false,
            "max_output_tokens": 4096,
            "reasoning": { "effort": "low" },
            "include": ["reasoning.encrypted_content"],
            "safety_identifier": crate::neutral::ids::fit(&("user_".to_owned() + &"x".repeat(100))),
            "store": false,
        })
    );
    let expected = [
        "messages[1].content[1]",
        "messages[2].content[0].is_error",
        "messages[2].content[2].title",
        "tools[1]",
        "tools[0].cache_control",
        "stop_sequences",
        "top_k",
    ];
    assert_eq!(losses, expected);
}

#[test]
fn instructions_in_pieces_stay_pieces() {
    let body = json!({
        "model": "any", "max_tokens": 100, "messages": [{ "role": "user", "content": "Go." }],
        "system": [
            { "type": "text", "text": "One." },
            { "type": "text", "text": "Two.", "cache_control": { "type": "ephemeral" } },
        ],
    });
    let (seen, losses) = from(Dialect::Anthropic, &body, &target());
    assert_eq!(
        seen["input"],
        json!([
            { "type": "message", "role": "system", "content": [
                { "type": "input_text", "text": "One." }, { "type": "input_text", "text": "Two." },
            ] },
            user("Go."),
        ])
    );
    assert_eq!((seen.get("instructions"), losses), (None, vec!["system[1].cache_control".to_owned()]));
}

#[test]
fn efforts_are_this_dialects_measure_of_thinking() {
    let reasoning = |thinking: Value| {
        let mut body =
            json!({ "model": "any", "max_tokens": 99999, "messages": [{ "role": "user", "content": "x" }] });
        body.as_object_mut().unwrap().extend(thinking.as_object().unwrap().clone());
        let (seen, losses) = from(Dialect::Anthropic, &body, &target());
        (seen["reasoning"].clone(), seen["include"].clone(), losses)
    };
    let include = json!(["reasoning.encrypted_content"]);
    let none = Vec::<String>::new;
    assert_eq!(
        reasoning(
            json!({ "thinking": { "type": "enabled", "budget_tokens": 20000, "display": "summarized" } })
        ),
        (json!({ "effort": "high", "summary": "auto" }), include.clone(), none())
    );
    assert_eq!(
        reasoning(json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": "max" } })),
        // Not every model knows more than that.
        (json!({ "effort": "high" }), include.clone(), vec!["output_config.effort".to_owned()])
    );
    assert_eq!(reasoning(json!({ "thinking": { "type": "adaptive" } })), (Value::Null, include, none()));
    // A model that cannot think refuses to be told not to.
    assert_eq!(
        reasoning(json!({ "thinking": { "type": "disabled" } })),
        (Value::Null, Value::Null, vec!["thinking.type".to_owned()])
    );
    assert_eq!(reasoning(json!({})), (Value::Null, Value::Null, none()));
    let known = Target { model: "gpt-5.1", ..target() };
    let body = json!({ "model": "any", "messages": [{ "role": "user", "content": "x" }] });
    let (seen, _) = from(Dialect::OpenAiChat, &body, &known);
    assert_eq!(seen["include"], json!(["reasoning.encrypted_content"]));
    let quirks = Quirks { drops: vec!["include".into(), "store".into()], ..Quirks::NONE };
    let (seen, losses) = from(Dialect::OpenAiChat, &body, &Target { quirks: &quirks, ..known });
    assert_eq!((seen, losses), (json!({ "model": "gpt-5.1", "input": [user("x")] }), none()));
}

#[test]
fn what_a_model_refuses_is_left_out() {
    let asked = |model, more: Value| {
        let mut body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "x" }] }] });
        body["generationConfig"] = more;
        from(Dialect::Gemini, &body, &Target { model, ..target() })
    };
    let lost = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("generationConfig.{name}")).collect()
    };
    let drawn = json!({ "temperature": 0.1, "topP": 0.5, "responseLogprobs": true, "logprobs": 2 });
    let (seen, losses) = asked("gpt-5-mini", drawn.clone());
    for name in ["temperature", "top_p", "top_logprobs"] {
        assert_eq!(seen.get(name), None, "{name}");
    }
    assert_eq!(seen["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(losses, lost(&["temperature", "topP", "responseLogprobs"]));
    let (seen, losses) = asked("gpt-4.1", drawn.clone());
    assert_eq!((&seen["temperature"], &seen["top_logprobs"], losses), (&json!(0.1), &json!(2), vec![]));
    let mut thoughtful = drawn;
    thoughtful["thinkingConfig"] = json!({ "thinkingBudget": 9000, "includeThoughts": true });
    let (seen, losses) = asked("gpt-4.1", thoughtful);
    assert_eq!((seen.get("reasoning"), &seen["include"]), (None, &json!(["message.output_text.logprobs"])));
    assert_eq!(losses, lost(&["thinkingConfig.thinkingBudget", "thinkingConfig.includeThoughts"]));
    let (seen, losses) = asked("o3", json!({ "thinkingConfig": { "thinkingBudget": 0 } }));
    assert_eq!(seen["reasoning"], json!({ "effort": "low" }));
    assert_eq!(losses, lost(&["thinkingConfig.thinkingBudget"]));
}

#[test]
fn a_schema_that_was_always_obeyed_still_is() {
    let format = |schema: Value| {
        let body =
            json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "format": schema });
        let (seen, losses) = from(Dialect::Ollama, &body, &Target { model: "gpt-4.1", ..target() });
        (seen["text"]["format"].clone(), losses)
    };
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let (seen, losses) = format(schema.clone());
    assert_eq!(seen, json!({ "type": "json_schema", "name": "answer", "schema": schema, "strict": true }));
    assert_eq!(losses, Vec::<String>::new());
    let (seen, losses) = format(json!({ "type": "object", "additionalProperties": true }));
    assert_eq!((seen.get("strict"), losses), (None, vec!["format".to_owned()]));
}

/// A request of another dialect with these turns.
fn turns(messages: Vec<Message<'static>>) -> Request<'static> {
    let mut request = Request::new(Dialect::OpenAiChat, Text::from("any"));
    request.messages = messages;
    request
}

fn said(role: Role, content: Content<'static>) -> Message<'static> {
    let path = Path::Part("messages", 0, "content", 0);
    Message::new(role, Path::Item("messages", 0), vec![Block::new(content, path)])
}

#[test]
fn sounds_are_fetched_and_the_rest_is_named_by_its_address() {
    let medium = |url: &'static str| Media {
        source: Source::Url(Text::from(url)),
        mime: None,
        name: None,
        detail: None,
    };
    let request = turns(vec![
        said(Role::User, Content::Audio(medium("https://a.example/s"))),
        said(Role::User, Content::Document(medium("https://a.example/d"))),
        said(Role::User, Content::Video(medium("https://a.example/v"))),
    ]);
    let need = needs(&request, &target());
    assert_eq!(need.iter().map(|need| need.url.as_str()).collect::<Vec<_>>(), ["https://a.example/s"]);
    let error = encode_request(&request, &target()).unwrap_err();
    assert_eq!(error.field, "messages[0].content[0]");
    let fetched = ("audio/x-wav".to_owned(), "UklG".to_owned());
    let media = Resolved(HashMap::from([("https://a.example/s".to_owned(), fetched)]));
    let target = Target { media: &media, ..target() };
    assert_eq!(needs(&request, &target), []);
    let (seen, losses) = written(&request, &target);
    assert_eq!(
        seen["input"],
        json!([
            { "type": "message", "role": "user", "content": [
                { "type": "input_audio", "input_audio": { "data": "UklG", "format": "wav" } },
            ] },
            { "type": "message", "role": "user", "content": [
                { "type": "input_file", "file_url": "https://a.example/d" },
            ] },
        ])
    );
    assert_eq!(losses, ["messages[0].content[0]"]);
}

#[test]
fn plain_thoughts_go_only_where_a_server_takes_them() {
    let thought = Reasoning { text: vec![Text::from("Hm.")], ..Reasoning::default() };
    let sealed = Reasoning {
        id: Some(Text::from("rs_1")),
        summary: vec![Text::from("S.")],
        seal: Some(Seal::from_client(Text::from("gAAA"), SealKind::Encrypted, Dialect::OpenAiResponses)),
        ..Reasoning::default()
    };
    let request = turns(vec![
        said(Role::Assistant, Content::Reasoning(thought)),
        said(Role::Assistant, Content::Reasoning(sealed)),
    ]);
    let cipher = json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
        "summary": [{ "type": "summary_text", "text": "S." }] });
    let (seen, losses) = written(&request, &target());
    assert_eq!(
        (&seen["input"], &seen["include"]),
        (&json!([cipher]), &json!(["reasoning.encrypted_content"]))
    );
    assert_eq!(losses, ["messages[0].content[0]"]);
    let quirks = Quirks { extras: vec!["reasoning_content".into(), "stop".into()], ..Quirks::NONE };
    let mut request = request;
    request.stop = Some(Given::new("stop", vec![Text::from("END")]));
    let (seen, losses) = written(&request, &Target { quirks: &quirks, ..target() });
    let plain = json!({ "type": "reasoning", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm." }] });
    assert_eq!((&seen["input"], &seen["stop"]), (&json!([plain, cipher]), &json!(["END"])));
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn long_ids_of_calls_are_cut_alike_in_call_and_result() {
    let long = "c".repeat(65);
    let body = json!({ "model": "any", "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "tool_calls": [
            { "id": long, "type": "function", "function": { "name": "f", "arguments": "{}" } },
            { "id": "call.1/x", "type": "function", "function": { "name": "f", "arguments": "{}" } },
        ] },
        { "role": "tool", "tool_call_id": long, "content": "1" },
        { "role": "tool", "tool_call_id": "call.1/x", "content": "2" },
    ] });
    let (seen, _) = from(Dialect::OpenAiChat, &body, &target());
    let id = seen["input"][1]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64 && seen["input"][3]["call_id"] == id);
    assert_eq!(
        (&seen["input"][2]["call_id"], &seen["input"][4]["call_id"]),
        (&json!("call.1/x"), &json!("call.1/x"))
    );
}

#[test]
fn codex_talks_to_a_chat_model() {
    let (seen, losses) = to(Dialect::OpenAiChat, fixture("codex"), "m");
    let messages = seen["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    let expected = ["system", "developer", "user", "user", "assistant", "tool", "assistant", "tool"];
    assert_eq!(roles, expected);
    assert_eq!(
        messages[4]["tool_calls"][0]["function"]["arguments"],
        "{\"cmd\":\"cat README.md\",\"yield_time_ms\":1000}"
    );
    assert_eq!(messages[6]["content"], "I will patch it.");
    let patch = &messages[6]["tool_calls"][0];
    assert_eq!((&patch["id"], &patch["type"]), (&json!("call_patch"), &json!("custom")));
    assert!(patch["custom"]["input"].as_str().unwrap().contains("+# The \"project\"\n"));
    assert_eq!(messages[7]["tool_call_id"], "call_patch");
    assert_eq!((&seen["reasoning_effort"], &seen["verbosity"]), (&json!("medium"), &json!("low")));
    assert_eq!((&seen["prompt_cache_key"], &seen["store"]), (&json!("0197-session"), &json!(false)));
    let expected = ["input[3]", "input[6]", "input[7].phase", "tools[2]", "reasoning.summary", "include"];
    let mut losses = losses;
    losses.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(losses, expected);
}

#[test]
fn codex_talks_to_claude() {
    let (seen, losses) = to(Dialect::Anthropic, fixture("codex"), "claude-opus-4-6");
    assert_eq!(seen["system"].as_array().map(Vec::len), Some(2));
    let messages = seen["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 5);
    assert_eq!(messages[1]["content"][0]["input"], json!({ "cmd": "cat README.md", "yield_time_ms": 1000 }));
    let patch = &messages[3]["content"][1];
    assert_eq!((&patch["type"], &patch["id"]), (&json!("tool_use"), &json!("call_patch")));
    assert!(patch["input"]["input"].as_str().unwrap().starts_with("*** Begin Patch\n"));
    assert_eq!(messages[4]["content"][0]["tool_use_id"], "call_patch");
    assert_eq!(seen["tools"][1]["input_schema"]["required"], json!(["input"]));
    assert_eq!(seen["thinking"], json!({ "type": "adaptive", "display": "summarized" }));
    for lost in ["input[3]", "input[6]", "tools[2]", "tools[1].format", "text.verbosity"] {
        assert!(losses.iter().any(|known| known == lost), "{lost} in {losses:?}");
    }
}

#[test]
fn media_and_tools_reach_other_dialects() {
    let (seen, losses) = to(Dialect::OpenAiChat, fixture("tools"), "m");
    let messages = seen["messages"].as_array().unwrap();
    assert_eq!(messages[1]["tool_calls"].as_array().map(Vec::len), Some(3));
    assert_eq!(messages[3]["content"], "a map:");
    assert_eq!(messages[5]["content"][1]["image_url"]["url"], "data:image/png;base64,iVBO");
    assert_eq!(seen["tool_choice"]["allowed_tools"]["mode"], "required");
    // There the grammar is an object of its own.
    let grammar = json!({ "type": "grammar", "grammar": { "syntax": "regex", "definition": ".+" } });
    assert_eq!(seen["tools"][1]["custom"]["format"], grammar);
    for lost in ["tools[2]", "tools[3]", "tools[0].defer_loading", "input[2].namespace"] {
        assert!(losses.iter().any(|known| known == lost), "{lost} in {losses:?}");
    }
    let (seen, _) = to(Dialect::Anthropic, fixture("media"), "claude-opus-4-6");
    let kinds: Vec<_> = seen["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| (block["type"].as_str().unwrap(), block["source"]["type"].as_str().unwrap_or_default()))
        .collect();
    let expected =
        [("text", ""), ("image", "url"), ("image", "base64"), ("document", "base64"), ("document", "url")];
    assert_eq!(kinds, expected);
}

#[test]
fn there_and_back_again() {
    // What OpenAI chat can carry comes back from it.
    let (chat, _) = to(Dialect::OpenAiChat, fixture("tools"), "m");
    let (back, _) = from(Dialect::OpenAiChat, &chat, &target());
    let (own, _) = encoded(fixture("tools"), &target(), |_| {});
    let calls = |body: &Value| -> Vec<Value> {
        let items = body["input"].as_array().unwrap().iter();
        let calls = items.filter(|item| item["type"].as_str().unwrap().contains("call"));
        calls.map(|item| json!([item["type"], item["call_id"], item["arguments"], item["input"]])).collect()
    };
    assert_eq!(calls(&back), calls(&own));
    assert_eq!(back["tools"][0]["parameters"], own["tools"][0]["parameters"]);
    assert_eq!(back["tools"][1]["format"], own["tools"][1]["format"]);
    assert_eq!(back["tool_choice"], own["tool_choice"]);
}
