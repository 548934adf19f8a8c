//! Anthropic's own requests, read and written back.

use super::*;

/// Reads a body and writes it for a target of the same dialect.
fn round(body: &Value) -> (Value, Vec<String>) {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let model = request.model.value().into_owned();
    let mut target = Target::new(Dialect::Anthropic, "anthropic", &model);
    target.stream = request.stream;
    encoded(&request, &target)
}

#[test]
fn everything_comes_back() {
    let body = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 2048,
        "stream": true,
        "system": [
            { "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral", "ttl": "1h" } },
            { "type": "text", "text": "Be kind." },
        ],
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?", "cache_control": { "type": "ephemeral" } },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } },
                { "type": "image", "source": { "type": "url", "url": "https://pictures.example/a.png" },
                  "transformations": { "oversized_image": "error" } },
                { "type": "image", "source": { "type": "file", "file_id": "file_1" } },
                { "type": "document", "title": "Terms", "context": "a contract", "citations": { "enabled": true },
                  "source": { "type": "base64", "media_type": "application/pdf", "data": "JVBERi0=" } },
                { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "plain" } },
                { "type": "document", "source": { "type": "content", "content": [
                    { "type": "text", "text": "one" }, { "type": "text", "text": "two" },
                ] } },
                { "type": "search_result", "source": "s", "title": "t", "content": [{ "type": "text", "text": "x" }] },
            ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm.", "signature": "EqQB" },
                { "type": "redacted_thinking", "data": "b64==" },
                { "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": { "query": "q" } },
                { "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [] },
                { "type": "text", "text": "A cat.", "citations": [
                    { "type": "char_location", "cited_text": "cat", "document_index": 0, "document_title": "Terms",
                      "start_char_index": 0, "end_char_index": 3 },
                ] },
                { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Bergen", "n": 1.50 },
                  "caller": { "type": "direct" } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    { "type": "text", "text": "no station" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } },
                ] },
                { "type": "text", "text": "Try again." },
            ] },
            { "role": "system", "content": "From now on, in Norwegian." },
            { "role": "user", "content": "Go." },
        ],
        "tools": [
            { "name": "weather", "description": "Says the weather.", "strict": true, "defer_loading": true,
              "input_schema": { "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } } },
              "cache_control": { "type": "ephemeral" } },
            { "type": "web_search_20250305", "name": "web_search", "max_uses": 3 },
        ],
        "tool_choice": { "type": "tool", "name": "weather", "disable_parallel_tool_use": true },
        "thinking": { "type": "enabled", "budget_tokens": 1024, "display": "omitted" },
        "output_config": {
            "effort": "high",
            "format": { "type": "json_schema", "schema": { "type": "object", "additionalProperties": false } },
            "task_budget": { "type": "tokens", "total": 1 },
        },
        "metadata": { "user_id": "u-1" },
        "service_tier": "standard_only",
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "container": "container_1",
        "context_management": { "edits": [] },
        "mcp_servers": [{ "type": "url", "name": "m", "url": "https://m.example" }],
        "inference_geo": "eu",
        "cache_control": { "type": "ephemeral" },
    });
    assert_eq!(round(&body), (body, Vec::new()));
}

#[test]
fn the_kinds_of_thinking_come_back() {
    for thinking in [
        json!({ "type": "adaptive", "display": "summarized" }),
        json!({ "type": "disabled" }),
        json!({ "type": "between_tools" }),
        json!({ "type": "adaptive", "display": "full", "block_binding": "x" }),
    ] {
        let body = json!({
            "model": "claude-opus-4-6", "max_tokens": 1, "thinking": thinking,
            "messages": [{ "role": "user", "content": "x" }],
        });
        assert_eq!(round(&body), (body, Vec::new()));
    }
}

#[test]
fn the_neutral_form_has_what_others_need() {
    let body = r#"{
        "model": "c", "max_tokens": 9, "system": "Be \"brief\".",
        "messages": [{"role": "user", "content": "a\u00e9\n"}, {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_x2e1", "name": "f", "input": {"a": 1.0}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_x2e1", "content": "r"}]}],
        "thinking": {"type": "adaptive"}, "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "metadata": {"user_id": "u", "other": 1}, "top_k": 5
    }"#;
    let document = Document::read(body.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let [system, user, assistant, results] = request.messages.as_slice() else { panic!("{request:?}") };
    assert_eq!((system.role, user.role, assistant.role), (Role::System, Role::User, Role::Assistant));
    // Texts stay as they stand in the client's body.
    assert!(matches!(&user.blocks[0].content, Content::Text { text: Text::Escaped(r"a\u00e9\n"), .. }));
    let Content::ToolCall(call) = &assistant.blocks[0].content else { panic!() };
    assert_eq!(call.id, "call.1");
    assert!(matches!(call.arguments, Arguments::Object(r#"{"a": 1.0}"#)));
    let Content::ToolResult(result) = &results.blocks[0].content else { panic!() };
    assert_eq!((&result.id, result.name.as_ref()), (&call.id, Some(&Text::from("f"))));
    assert_eq!(request.thinking.budget, Some(Given::new("thinking.type", Cap::Free)));
    assert_eq!(request.tool_choice, Some(Given::new("tool_choice", ToolChoice::Required)));
    let parallel = Given::new("tool_choice.disable_parallel_tool_use", false);
    assert_eq!(request.parallel_tool_calls, Some(parallel));
    assert_eq!(request.user, Some(Given::new("metadata.user_id", Text::from("u"))));
    let places: Vec<_> = request.rest.iter().map(crate::neutral::Extension::place).collect();
    assert_eq!(places, ["metadata.other"]);
}

#[test]
fn a_body_for_count_tokens_is_read_too() {
    let text = r#"{"model": "c", "messages": [{"role": "user", "content": "x"}]}"#;
    let document = Document::read(text.as_bytes()).unwrap();
    assert_eq!(decode_request(&document).unwrap().max_output, None);
}

#[test]
fn proofs_of_other_providers_are_taken_out_and_declared() {
    let foreign =
        Seal::from_provider(Text::from("xyz"), SealKind::Encrypted, Dialect::OpenAiResponses, "openai");
    let tag = foreign.for_client(Dialect::Anthropic).into_value().into_owned();
    let body = json!({
        "model": "c", "max_tokens": 2048,
        "messages": [
            { "role": "user", "content": "x" },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "A summary.", "signature": tag },
                { "type": "tool_use", "id": "t", "name": "f", "input": {} },
            ] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t" }] },
        ],
        "thinking": { "type": "enabled", "budget_tokens": 1024 },
    });
    let (written, losses) = round(&body);
    assert_eq!(
        written["messages"][1]["content"],
        json!([{ "type": "tool_use", "id": "t", "name": "f", "input": {} }])
    );
    // Without the thoughts before the call, the vendor would refuse to think.
    assert_eq!(written.get("thinking"), None);
    assert_eq!(losses, ["messages[1].content[0]", "thinking.budget_tokens"]);
    // Its maker gets it back, whatever the place.
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let Content::Reasoning(Reasoning { seal: Some(seal), .. }) = &request.messages[1].blocks[0].content
    else {
        panic!()
    };
    assert_eq!((seal.kind, &seal.data), (SealKind::Encrypted, &Text::from("xyz")));
    assert!(seal.is_for(&Target::new(Dialect::OpenAiResponses, "openai", "gpt")));
}

#[test]
fn a_calls_proof_comes_back_to_its_call() {
    let proof = Seal::from_provider(Text::from("c2ln"), SealKind::Signature, Dialect::Gemini, "google");
    let answer = Answer {
        choices: vec![Choice {
            blocks: vec![block(Content::ToolCall(ToolCall {
                id: Text::from("call_1"),
                item: None,
                name: Text::from("f"),
                arguments: Arguments::Object("{}"),
                seal: Some(proof),
            }))],
            ..Choice::default()
        }],
        ..Answer::default()
    };
    let said: Value =
        serde_json::from_slice(&encode_answer(&answer, &AnswerContext::default()).body).unwrap();
    let body = json!({ "model": "c", "messages": [{ "role": "assistant", "content": said["content"] }] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let [Block { content: Content::ToolCall(call), .. }] = request.messages[0].blocks.as_slice() else {
        panic!("{request:?}")
    };
    let seal = call.seal.as_ref().unwrap();
    assert!(seal.is_for(&Target::new(Dialect::Gemini, "google", "gemini")));
    assert_eq!(seal.data, "c2ln");
}

#[test]
fn what_is_wrong_is_named_in_the_clients_words() {
    let with = |field: &str, value: Value| {
        let mut body = json!({ "model": "c", "messages": [{ "role": "user", "content": "x" }] });
        body[field] = value;
        refused(&body)
    };
    assert_eq!(refused(&json!([])), "`body` must be an object");
    assert_eq!(refused(&json!({ "messages": [] })), "`model` is missing");
    assert_eq!(refused(&json!({ "model": "c" })), "`messages` is missing");
    assert_eq!(with("messages", json!("x")), "`messages` must be an array");
    let role = json!([{ "role": "tool", "content": "x" }]);
    assert_eq!(with("messages", role), "`messages[0].role` must be `user`, `assistant` or `system`");
    assert_eq!(with("messages", json!([{ "role": "user" }])), "`messages[0].content` is missing");
    let part = |part: Value| with("messages", json!([{ "role": "user", "content": [part] }]));
    assert_eq!(part(json!({})), "`messages[0].content[0].type` is missing");
    assert_eq!(part(json!({ "type": "text" })), "`messages[0].content[0].text` is missing");
    let image = json!({ "type": "image", "source": { "type": "base64", "data": 1 } });
    assert_eq!(part(image), "`messages[0].content[0].source.data` must be a string");
    let call = json!({ "type": "tool_use", "id": "i", "name": "n", "input": "{}" });
    assert_eq!(part(call), "`messages[0].content[0].input` must be an object");
    assert_eq!(with("system", json!(1)), "`system` must be a string or an array of blocks");
    assert_eq!(with("max_tokens", json!("9")), "`max_tokens` must be a whole number");
    assert_eq!(with("temperature", json!("hot")), "`temperature` must be a number");
    assert_eq!(with("stream", json!(1)), "`stream` must be true or false");
    assert_eq!(with("stop_sequences", json!([1])), "`stop_sequences` must be an array of strings");
    let choice = with("tool_choice", json!({ "type": "some" }));
    assert_eq!(choice, "`tool_choice.type` must be `auto`, `any`, `tool` or `none`");
    assert_eq!(with("thinking", json!({ "type": "enabled" })), "`thinking.budget_tokens` is missing");
    assert_eq!(with("tools", json!([{ "input_schema": {} }])), "`tools[0].name` is missing");
}

#[test]
fn fields_that_the_provider_refuses_are_left_out_and_declared() {
    let text =
        r#"{"model": "c", "messages": [{"role": "user", "content": "x"}], "top_k": 5, "speed": "fast"}"#;
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let quirks = Quirks { drops: vec!["top_k".into(), "speed".into()], ..Quirks::NONE };
    let (written, losses) = encoded(&request, &Target { quirks: &quirks, ..target() });
    assert_eq!((written.get("top_k"), written.get("speed")), (None, None));
    assert_eq!(losses, ["top_k", "speed"]);
}
