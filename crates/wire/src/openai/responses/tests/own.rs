//! Requests of this dialect's own clients.

use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::*;
use crate::neutral::{Arguments, Content, Quirks, SealKind};

/// `null` is absent.
fn without_nulls(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
}

#[test]
fn the_same_dialect_keeps_every_member() {
    for (name, text) in FIXTURES {
        let streamed = Target { stream: text.contains("\"stream\": true"), ..target() };
        let (seen, losses) = encoded(text, &streamed, |_| {});
        let mut expected: Value = serde_json::from_str(text).unwrap();
        without_nulls(&mut expected);
        assert_eq!(losses, Vec::<String>::new(), "{name}");
        assert_eq!(seen, expected, "{name}");
    }
    // Numbers keep their digits.
    let document = Document::read(fixture("full").as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let body = String::from_utf8(encode_request(&request, &target()).unwrap().body).unwrap();
    assert!(body.contains("\"seed\":12345678901234567890") && body.contains("\"temperature\":0.70"));
}

#[test]
fn a_second_round_changes_nothing() {
    for (name, text) in FIXTURES {
        let (first, _) = encoded(text, &target(), |_| {});
        let (second, _) = encoded(&first.to_string(), &target(), |_| {});
        assert_eq!(first, second, "{name}");
    }
}

#[test]
fn an_input_may_be_a_string() {
    let (body, losses) =
        encoded(r#"{"model":"any","input":"h\u00e9 \"you\"","instructions":"x"}"#, &target(), |_| {});
    assert_eq!(body, json!({ "model": "m", "input": "hé \"you\"", "instructions": "x" }));
    assert_eq!(losses, Vec::<String>::new());
    let (body, _) = encoded(r#"{"model":"any","previous_response_id":"resp_1"}"#, &target(), |_| {});
    assert_eq!(body, json!({ "model": "m", "previous_response_id": "resp_1" }));
    let (body, _) = encoded(r#"{"prompt":{"id":"pmpt_1"}}"#, &target(), |_| {});
    assert_eq!(body, json!({ "model": "m", "prompt": { "id": "pmpt_1" } }));
}

#[test]
fn easy_messages_are_messages() {
    let body = r#"{"model":"m","input":[{"role":"user","content":"a"},
        {"role":"assistant","content":[{"type":"output_text","text":"b"}]},{"id":"msg_7"}]}"#;
    let (body, losses) = encoded(body, &target(), |_| {});
    assert_eq!(
        body["input"],
        json!([
            { "type": "message", "role": "user", "content": "a" },
            { "type": "message", "role": "assistant", "content": [
                { "type": "output_text", "text": "b", "annotations": [] },
            ] },
            { "id": "msg_7" },
        ])
    );
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn ids_of_calls_and_of_items_are_apart() {
    let document = Document::read(fixture("tools").as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let calls: Vec<_> = request.messages[1..4]
        .iter()
        .map(|message| match &message.blocks[0].content {
            Content::ToolCall(call) => (
                call.id.value().into_owned(),
                call.item.as_ref().map(|item| item.value().into_owned()),
                matches!(call.arguments, Arguments::Free(_)),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected =
        [("call_a", Some("fc_1"), false), ("call_b", None, false), ("call_c", Some("ctc_1"), true)];
    assert_eq!(calls, expected.map(|(id, item, custom)| (id.to_owned(), item.map(str::to_owned), custom)));
    let results: Vec<_> = request.messages[4..]
        .iter()
        .map(|message| match &message.blocks[0].content {
            Content::ToolResult(result) => {
                (result.name.as_ref().unwrap().value().into_owned(), result.custom, result.content.len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [("weather", false, 1), ("weather", false, 3), ("shell", true, 1)];
    assert_eq!(results, expected.map(|(name, custom, parts)| (name.to_owned(), custom, parts)));
}

#[test]
fn what_the_provider_holds_is_named_so_that_no_other_is_asked() {
    let held = |body: Value| {
        let body = body.to_string();
        let document = Document::read(body.as_bytes()).unwrap();
        let previous = decode_request(&document).unwrap().previous.unwrap();
        (previous.field, previous.value.value().into_owned())
    };
    assert_eq!(held(json!({ "model": "m", "previous_response_id": "resp_1" })).1, "resp_1");
    let named = held(json!({ "model": "m", "conversation": "conv_1" }));
    assert_eq!(named, ("conversation", "conv_1".to_owned()));
    let object = held(json!({ "model": "m", "conversation": { "id": "conv_2" } }));
    assert_eq!(object, ("conversation", "conv_2".to_owned()));
    let item = json!({ "model": "m", "input": [{ "type": "item_reference", "id": "rs_1" }] });
    assert_eq!(held(item), ("input", "rs_1".to_owned()));
    let (body, _) = encoded(r#"{"model":"m","conversation":"conv_1"}"#, &target(), |_| {});
    assert_eq!(body, json!({ "model": "m", "conversation": "conv_1" }));
}

#[test]
fn a_cipher_reaches_only_its_maker() {
    let thought = |id: Option<&str>, cipher: &str| {
        let mut item = json!({ "type": "reasoning", "summary": [], "encrypted_content": cipher });
        if let Some(id) = id {
            item["id"] = id.into();
        }
        item
    };
    let body = json!({ "model": "m", "input": [
        thought(Some("rs_1"), "gAAAA"),
        thought(Some("rs_pm1_abc_0"), "pm1.openai-responses.vendor.e.rs_2:gBBBB"),
        thought(None, "pm1.openai-responses.other.e.rs_3:gCCCC"),
        thought(Some("rs_4"), "pm1.anthropic.vendor.s.c2ln"),
        { "type": "reasoning", "id": "rs_pm1_abc_1", "summary": [{ "type": "summary_text", "text": "hm" }] },
        { "type": "message", "role": "user", "content": "go on" },
    ] });
    let (body, losses) = encoded(&body.to_string(), &target(), |_| {});
    assert_eq!(
        body["input"],
        json!([
            { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA" },
            // The id to which the cipher is bound comes back with it.
            { "type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBBBB" },
            { "type": "message", "role": "user", "content": "go on" },
        ])
    );
    assert_eq!(losses, ["input[2]", "input[3]", "input[4]"]);
}

#[test]
fn ids_that_were_made_here_reach_nobody() {
    let body = json!({ "model": "m", "input": [
        { "type": "message", "role": "assistant", "id": "msg_pm1_abc_0", "status": "completed", "content": "hi" },
        { "type": "function_call", "id": "fc_pm1_abc_1", "status": "completed", "call_id": "c", "name": "f",
          "arguments": "{}" },
        { "type": "function_call_output", "call_id": "c", "output": "1" },
    ] });
    let text = body.to_string();
    assert!(crate::neutral::may_hold_tag(text.as_bytes()));
    let (body, losses) = encoded(&text, &target(), |_| {});
    assert_eq!(
        body["input"],
        json!([
            { "type": "message", "role": "assistant", "content": "hi" },
            { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c", "output": "1" },
        ])
    );
    assert_eq!(losses, Vec::<String>::new());
}

/// The calls of the request, and the proof of each.
fn proofs(items: &Value) -> Vec<(String, Option<String>)> {
    let body = json!({ "model": "m", "input": items }).to_string();
    let document = Document::read(body.as_bytes()).unwrap();
    let request = decode_request(&document).unwrap();
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    blocks
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) => {
                let proof = call.seal.as_ref().map(|seal| {
                    assert_eq!((seal.kind, seal.dialect), (SealKind::Signature, Dialect::Gemini));
                    seal.data.value().into_owned()
                });
                Some((call.id.value().into_owned(), proof))
            }
            Content::Reasoning(thought) => {
                Some(("thought".to_owned(), thought.seal.as_ref().map(|seal| seal.data.value().into_owned())))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a_call_gets_its_proof_back() {
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" });
    let proof = |id: Option<&str>, data: &str| {
        let seal = format!("pm1.gemini.google.s.{data}");
        let mut item = json!({ "type": "reasoning", "summary": [], "encrypted_content": seal });
        if let Some(id) = id {
            item["id"] = id.into();
        }
        item
    };
    let pair = |id: &str, proof: Option<&str>| (id.to_owned(), proof.map(str::to_owned));
    let (a, b) = (proof(Some("rs_pm1_a"), "AA"), proof(Some("rs_pm1_b"), "BB"));
    let both = [pair("a", Some("AA")), pair("b", Some("BB"))];
    assert_eq!(proofs(&json!([call("a"), call("b"), a, b])), both);
    // Without ids the order tells.
    let (a, b) = (proof(None, "AA"), proof(None, "BB"));
    assert_eq!(proofs(&json!([call("a"), a, call("b"), b])), both);
    // One whose call is not there is a thought.
    let lone = proof(Some("rs_pm1_zzz"), "ZZ");
    assert_eq!(proofs(&json!([call("a"), lone])), [pair("a", None), pair("thought", Some("ZZ"))]);
}

#[test]
fn quirks_rename_and_drop_members() {
    let quirks = Quirks {
        drops: vec!["store".into(), "include".into(), "truncation".into()],
        renames: vec![("max_output_tokens".into(), "max_tokens".into())],
        ..Quirks::NONE
    };
    let (body, losses) = encoded(fixture("full"), &Target { quirks: &quirks, ..target() }, |_| {});
    assert_eq!(body["max_tokens"], 5);
    for name in ["store", "include", "truncation", "max_output_tokens", "stream"] {
        assert_eq!(body.get(name), None, "{name}");
    }
    assert_eq!(losses, ["include", "store", "truncation"]);
}

#[test]
fn wrong_requests_are_named() {
    let refused = |body: Value| {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        decode_request(&document).unwrap_err().to_string()
    };
    let item = |item: Value| refused(json!({ "model": "m", "input": [item] }));
    for (body, expected) in [
        (json!([]), "`body` must be an object"),
        (json!({ "input": "x" }), "`model` is missing"),
        (json!({ "model": 1, "input": "x" }), "`model` must be a string"),
        (json!({ "model": "m" }), "`input` is missing"),
        (json!({ "model": "m", "input": 1 }), "`input` must be a string or a list of items"),
        (json!({ "model": "m", "input": "x", "instructions": [] }), "`instructions` must be a string"),
        (json!({ "model": "m", "input": "x", "tools": {} }), "`tools` must be a list"),
        (json!({ "model": "m", "input": "x", "tools": [{}] }), "`tools[0].type` is missing"),
        (
            json!({ "model": "m", "input": "x", "tools": [{ "type": "function" }] }),
            "`tools[0].name` is missing",
        ),
        (
            json!({ "model": "m", "input": "x", "tools": [{ "type": "function", "name": "f", "parameters": 1 }] }),
            "`tools[0].parameters` must be a JSON Schema",
        ),
        (
            json!({ "model": "m", "input": "x", "tools": [{ "type": "function", "name": "f", "strict": 1 }] }),
            "`tools[0].strict` must be true or false",
        ),
        (
            json!({ "model": "m", "input": "x", "tool_choice": "some" }),
            "`tool_choice` must be `auto`, `none`, `required`, or an object that names a tool",
        ),
        (json!({ "model": "m", "input": "x", "text": 1 }), "`text` must be an object"),
        (
            json!({ "model": "m", "input": "x", "text": { "format": {} } }),
            "`text.format.type` must be a string",
        ),
        (
            json!({ "model": "m", "input": "x", "text": { "format": { "type": "json_schema" } } }),
            "`text.format.schema` must be a JSON Schema",
        ),
        (json!({ "model": "m", "input": "x", "reasoning": "low" }), "`reasoning` must be an object"),
        (
            json!({ "model": "m", "input": "x", "reasoning": { "effort": 1 } }),
            "`reasoning.effort` must be a string",
        ),
        (json!({ "model": "m", "input": "x", "include": "all" }), "`include` must be a list of strings"),
        (json!({ "model": "m", "input": "x", "include": [1] }), "`include` must be a list of strings"),
        (json!({ "model": "m", "input": "x", "temperature": "hot" }), "`temperature` must be a number"),
        (
            json!({ "model": "m", "input": "x", "max_output_tokens": -1 }),
            "`max_output_tokens` must be a whole number",
        ),
        (json!({ "model": "m", "input": "x", "metadata": [] }), "`metadata` must be an object"),
        (
            json!({ "model": "m", "conversation": 1 }),
            "`conversation` must be an id, or an object with an `id`",
        ),
        (json!({ "model": "m", "input": "x", "stop": 1 }), "`stop` must be a string or a list of strings"),
        (json!({ "model": "m", "input": "x", "stream": "yes" }), "`stream` must be true or false"),
    ] {
        assert_eq!(refused(body.clone()), expected, "{body}");
    }
    for (body, expected) in [
        (json!({}), "`input[0].type` is missing"),
        (json!("x"), "`input[0]` must be an object"),
        (json!({ "type": "message", "content": "x" }), "`input[0].role` is missing"),
        (
            json!({ "role": "tool", "content": "x" }),
            "`input[0].role` must be `user`, `assistant`, `system` or `developer`",
        ),
        (json!({ "role": "user" }), "`input[0].content` is missing"),
        (json!({ "role": "user", "content": 1 }), "`input[0].content` must be a string or a list of parts"),
        (json!({ "role": "user", "content": [{}] }), "`input[0].content[0].type` is missing"),
        (
            json!({ "role": "user", "content": [{ "type": "input_text" }] }),
            "`input[0].content[0].text` is missing",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "input_audio" }] }),
            "`input[0].content[0].input_audio` is missing",
        ),
        (json!({ "type": "function_call", "call_id": "c" }), "`input[0].name` is missing"),
        (
            json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": 1 }),
            "`input[0].arguments` must be a string",
        ),
        (json!({ "type": "custom_tool_call", "name": "f" }), "`input[0].input` is missing"),
        (json!({ "type": "function_call_output", "output": "" }), "`input[0].call_id` is missing"),
        (
            json!({ "type": "function_call_output", "call_id": "c", "output": 1 }),
            "`input[0].output` must be a string or a list of parts",
        ),
        (
            json!({ "type": "reasoning", "summary": [], "encrypted_content": 1 }),
            "`input[0].encrypted_content` must be a string",
        ),
    ] {
        assert_eq!(item(body.clone()), expected, "{body}");
    }
}

#[test]
fn odd_thoughts_are_kept_whole() {
    let body = json!({ "model": "m", "input": [
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_picture", "image": "x" }] },
        { "type": "reasoning", "id": "rs_2", "summary": "short" },
    ] });
    let (seen, losses) = encoded(&body.to_string(), &target(), |_| {});
    assert_eq!((&seen["input"], losses), (&body["input"], Vec::<String>::new()));
}
