//! Requests.

use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::{encoded, target};
use crate::json::Document;
use crate::neutral::{Block, Content, Media, Message, Path, Quirks, Role, Source, Target, ToolResult};
use crate::openai::chat::{decode_request, encode_request, needs};

const FIXTURES: [(&str, &str); 5] = [
    ("full", include_str!("../../../../fixtures/openai-chat/requests/full.json")),
    ("tools", include_str!("../../../../fixtures/openai-chat/requests/tools.json")),
    ("legacy", include_str!("../../../../fixtures/openai-chat/requests/legacy.json")),
    ("media", include_str!("../../../../fixtures/openai-chat/requests/media.json")),
    ("reasoning", include_str!("../../../../fixtures/openai-chat/requests/reasoning.json")),
];

fn fixture(name: &str) -> &'static str {
    FIXTURES.iter().find(|(known, _)| *known == name).unwrap().1
}

/// `null` is absent, wherever it stands as a member that the dialect knows.
fn without_nulls(value: &mut Value) {
    if let Some(messages) = value["messages"].as_array_mut() {
        for message in messages {
            message.as_object_mut().unwrap().retain(|name, value| name == "content" || !value.is_null());
        }
    }
}

#[test]
fn the_same_dialect_keeps_every_member() {
    for (name, text) in FIXTURES {
        let streamed = Target { stream: name == "full", ..target() };
        let (mut seen, losses) = encoded(text, &streamed, |_| {});
        let mut expected: Value = serde_json::from_str(text).unwrap();
        without_nulls(&mut expected);
        without_nulls(&mut seen);
        assert_eq!(losses, Vec::<String>::new(), "{name}");
        assert_eq!(seen, expected, "{name}");
        // Numbers too long for a float are kept to the digit.
        assert!(name != "full" || text.contains("12345678901234567890"));
    }
}

#[test]
fn a_second_round_changes_nothing() {
    for (name, text) in FIXTURES {
        let (first, _) = encoded(text, &target(), |_| {});
        let (second, _) = encoded(&first.to_string(), &target(), |_| {});
        assert_eq!(first, second, "{name}");
    }
}

/// The same request as if it came from a client of another dialect.
fn foreign(name: &str, target: &Target<'_>) -> (Value, Vec<String>) {
    encoded(fixture(name), target, |request| request.dialect = Dialect::Anthropic)
}

#[test]
fn foreign_extensions_are_told_and_left_out() {
    let (body, losses) = foreign("full", &target());
    for name in ["vendor_knob", "logit_bias", "audio", "prediction", "verbosity", "web_search_options"] {
        assert!(losses.iter().any(|lost| lost == name), "{name} in {losses:?}");
        assert_eq!(body.get(name), None, "{name}");
    }
    for lost in ["messages[4].shoe_size", "messages[3].audio", "messages[3].citations"] {
        assert!(losses.iter().any(|known| known == lost), "{lost} in {losses:?}");
    }
    assert_eq!(body["max_completion_tokens"], 512);
    assert_eq!(body["messages"][3], json!({"role": "assistant", "content": "330 m"}));
}

#[test]
fn what_the_responses_dialect_shares_is_carried() {
    let text = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"prompt_cache_key":"k","text.verbosity":"low","truncation":"auto"}"#;
    let (body, losses) = encoded(text, &target(), |request| request.dialect = Dialect::OpenAiResponses);
    assert_eq!((&body["prompt_cache_key"], &body["verbosity"]), (&json!("k"), &json!("low")));
    assert_eq!(losses, ["truncation"]);
}

#[test]
fn quirks_rename_and_drop_members() {
    let quirks = Quirks {
        old_max_tokens: true,
        no_developer_role: true,
        drops: vec!["seed".into(), "stream_options".into()],
        renames: vec![("stop".into(), "stop_sequences".into())],
        ..Quirks::NONE
    };
    let target = Target { quirks: &quirks, stream: true, ..target() };
    let (body, losses) = foreign("full", &target);
    assert_eq!(body["max_tokens"], 512);
    assert_eq!(body["messages"][0]["role"], "system");
    assert_eq!(body["stop_sequences"], json!(["\n\n", "END"]));
    assert_eq!(body["stream"], true);
    assert_eq!((body.get("seed"), body.get("stream_options"), body.get("stop")), (None, None, None));
    assert!(losses.contains(&"seed".to_owned()));
}

#[test]
fn usage_is_always_asked_for_in_streams() {
    let target = Target { stream: true, ..target() };
    let (body, _) = encoded(r#"{"model":"m","messages":[]}"#, &target, |_| {});
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
}

#[test]
fn thoughts_go_where_a_vendor_has_a_place_for_them() {
    let (body, losses) = foreign("reasoning", &target());
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "391"}));
    assert!(losses.contains(&"messages[1].reasoning_content[0]".to_owned()), "{losses:?}");
    assert!(losses.contains(&"top_k".to_owned()));
    assert_eq!(body["reasoning_effort"], "low");

    let extras = ["reasoning_content", "top_k", "min_p", "repetition_penalty", "enable_thinking"];
    let quirks = Quirks { extras: extras.map(Into::into).to_vec(), ..Quirks::NONE };
    let (body, losses) = foreign("reasoning", &Target { quirks: &quirks, ..target() });
    assert_eq!(body["messages"][1]["reasoning_content"], "17 * 20 + 17 * 3");
    assert_eq!((&body["top_k"], &body["enable_thinking"]), (&json!(40), &json!(true)));
    assert_eq!(body["repetition_penalty"], 1.1);
    assert!(!losses.contains(&"top_k".to_owned()));
}

#[test]
fn a_proof_reaches_only_its_maker() {
    let tagged = r#"{"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"why",
        "reasoning_details":[{"type":"reasoning.text","signature":"pm1.openai-chat.vendor.s.EqQB","index":0}],
        "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},
        "extra_content":{"google":{"thought_signature":"pm1.gemini.google.s.c2ln"}}}]}]}"#;
    let (body, losses) = encoded(tagged, &target(), |_| {});
    let detail = &body["messages"][0]["reasoning_details"][0];
    assert_eq!((&detail["signature"], &detail["text"]), (&json!("EqQB"), &json!("why")));
    assert_eq!(body["messages"][0]["tool_calls"][0].get("extra_content"), None);
    assert_eq!(losses, ["messages[0].tool_calls[0].signature"]);

    let other = Target::new(Dialect::OpenAiChat, "other", "m");
    let (body, losses) = encoded(tagged, &other, |_| {});
    assert_eq!(body["messages"][0]["reasoning_details"][0].get("signature"), None);
    assert_eq!(losses, ["messages[0].reasoning_details[0].signature", "messages[0].tool_calls[0].signature"]);
}

#[test]
fn results_of_tools_are_messages_right_behind_the_calls() {
    let text = |text: &'static str, at| {
        Block::new(Content::text(text.into()), Path::Part("messages", 1, "content", at))
    };
    let picture = Media {
        source: Source::Base64("iVBO".into()),
        mime: Some("image/png".into()),
        name: None,
        detail: None,
    };
    let result = |id: &'static str, content| {
        let result = ToolResult {
            id: id.into(),
            name: None,
            content,
            object: None,
            failed: id == "b",
            custom: false,
            own_name: false,
        };
        Block::new(Content::ToolResult(result), Path::Part("messages", 1, "content", 1))
    };
    let (body, losses) = encoded(r#"{"model":"m","messages":[]}"#, &target(), |request| {
        request.dialect = Dialect::Anthropic;
        let path = Path::Item("messages", 1);
        let image = Block::new(Content::Image(picture), path);
        let blocks = vec![
            text("first", 0),
            result("a", vec![text("one", 0), image]),
            result("b", vec![text("bad", 0)]),
        ];
        request.messages.push(Message::new(Role::User, path, blocks));
        request.messages.push(Message::new(Role::User, path, vec![result("c", Vec::new())]));
    });
    let expected = json!([
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "content": "bad"},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "user", "content": [
            {"type": "text", "text": "Result of tool call a:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
        ]},
        {"role": "user", "content": "first"},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(losses, ["messages[1].content[1].is_error"]);
}

#[test]
fn what_the_model_said_in_several_turns_is_one_message() {
    let body = r#"{"model":"m","messages":[
        {"role":"assistant","content":"a"},
        {"role":"assistant","content":"b","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]}]}"#;
    let (body, _) = encoded(body, &target(), |request| request.dialect = Dialect::OpenAiResponses);
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(body["messages"][0]["content"], "ab");
    assert_eq!(body["messages"][0]["tool_calls"][1]["id"], "2");
}

#[test]
fn documents_at_addresses_must_be_fetched_first() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":[
        {"type":"file","file":{"file_data":"https://a.example/a.pdf","filename":"a.pdf"}},
        {"type":"file","file":{"file_data":"data:text/plain;base64,aGk="}}]}]}"#;
    let document = Document::read(body.as_bytes()).unwrap();
    let mut request = decode_request(&document).unwrap();
    request.dialect = Dialect::Anthropic;
    let needed = needs(&request, &target());
    assert_eq!((needed.len(), needed[0].url.as_str()), (1, "https://a.example/a.pdf"));
    assert_eq!(needed[0].path.to_string(), "messages[0].content[0]");
    assert_eq!(encode_request(&request, &target()).unwrap_err().field, "messages[0].content[0]");

    let fetched = [(needed[0].url.clone(), ("application/pdf".to_owned(), "JVBE".to_owned()))];
    let media = crate::neutral::Resolved(fetched.into_iter().collect());
    let encoded = encode_request(&request, &Target { media: &media, ..target() }).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let expected = json!([
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "text", "text": "hi"},
    ]);
    assert_eq!(body["messages"][0]["content"], expected);
}

#[test]
fn calls_and_results_of_the_older_form_are_joined() {
    let document = Document::read(fixture("legacy").as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let Content::ToolCall(call) = &request.messages[1].blocks[0].content else { panic!() };
    let Content::ToolResult(result) = &request.messages[2].blocks[0].content else { panic!() };
    assert_eq!((&call.id, &result.id), (&"call_0".into(), &"call_0".into()));
    let (body, _) = foreign("legacy", &target());
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], "call_0");
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "call_0", "content": "4"}));
    assert_eq!(body["tools"][0]["function"]["name"], "weather");
    assert_eq!(body["tool_choice"], json!({"type": "function", "function": {"name": "weather"}}));
}

#[test]
fn wrong_types_are_named_with_their_place() {
    let cases = [
        (r"[]", "body"),
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (r#"{"model":"m","messages":[1]}"#, "messages[0]"),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
        (r#"{"model":"m","messages":[{"role":"king","content":""}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, "messages[0].content"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "messages[0].content[0].text",
        ),
        (r#"{"model":"m","messages":[{"role":"tool","content":""}]}"#, "messages[0].tool_call_id"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}"#,
            "messages[0].tool_calls[0].function.name",
        ),
        (r#"{"model":"m","messages":[],"temperature":"hot"}"#, "temperature"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens"),
        (r#"{"model":"m","messages":[],"stop":[1]}"#, "stop"),
        (r#"{"model":"m","messages":[],"tools":[{"type":"function"}]}"#, "tools[0].function"),
        (r#"{"model":"m","messages":[],"tool_choice":"perhaps"}"#, "tool_choice"),
        (
            r#"{"model":"m","messages":[],"response_format":{"type":"json_schema"}}"#,
            "response_format.json_schema",
        ),
    ];
    for (body, field) in cases {
        let document = Document::read(body.as_bytes()).unwrap();
        assert_eq!(decode_request(&document).unwrap_err().field(), Some(field), "{body}");
    }
}

#[test]
fn texts_are_moved_as_they_are_escaped() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a\u00e9\ud83d\/\n"}]}"#;
    let document = Document::read(body.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let encoded = encode_request(&request, &target()).unwrap();
    assert_eq!(String::from_utf8(encoded.body).unwrap(), body);
}
