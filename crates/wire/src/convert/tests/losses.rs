//! What is lost, in the words of the client that said it.

use pointsman_core::Dialect::{self, Anthropic, Gemini, Ollama, OpenAiChat, OpenAiResponses};
use serde_json::{Value, json};

use super::{PROVIDER, codec_of};
use crate::convert::Called;
use crate::json::Document;
use crate::neutral::Target;

/// The request as a provider of this dialect gets it, and what is told to be lost; or why it is refused.
fn converted(from: Dialect, to: Dialect, body: &Value) -> Result<(Value, Vec<String>), String> {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let called = Called { model: "m", stream: false };
    let request = codec_of(from).decode_request(&document, called).map_err(|error| error.to_string())?;
    let model = if to == Anthropic { "claude-sonnet-4-5" } else { "m" };
    let encoded = codec_of(to).encode_request(&request, &Target::new(to, PROVIDER, model));
    let encoded = encoded.map_err(|error| error.to_string())?;
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    Ok((serde_json::from_slice(&encoded.body).unwrap(), losses))
}

/// What is lost of a request with this turn of a tool on its way to each other dialect.
fn lost_everywhere(from: Dialect, body: &Value) -> Vec<(Dialect, Vec<String>)> {
    let others = Dialect::ALL.into_iter().filter(|to| *to != from);
    others.map(|to| (to, converted(from, to, body).unwrap().1)).collect()
}

#[test]
fn a_name_that_no_call_has_stands_for_an_id_or_is_told() {
    let result = json!({ "name": "look", "response": { "result": "a cat" } });
    let body = json!({ "contents": [{ "role": "user", "parts": [{ "functionResponse": result }] }] });
    for to in [OpenAiChat, OpenAiResponses, Anthropic, Ollama] {
        let (written, losses) = converted(Gemini, to, &body).unwrap();
        assert_eq!(losses, Vec::<String>::new(), "{to}");
        assert!(written.to_string().contains("\"look\""), "{to}: {written}");
    }
    let (written, _) = converted(Gemini, Gemini, &body).unwrap();
    assert_eq!(written["contents"][0]["parts"][0]["functionResponse"], result);
    let mut both = body;
    both["contents"][0]["parts"][0]["functionResponse"]["id"] = json!("c1");
    let expected = vec!["contents[0].parts[0].functionResponse.name".to_owned()];
    for (to, losses) in lost_everywhere(Gemini, &both) {
        assert_eq!(losses, if to == Ollama { Vec::new() } else { expected.clone() }, "{to}");
    }
}

#[test]
fn older_results_keep_their_names() {
    let body = json!({ "model": "m", "messages": [
        { "role": "function", "name": "look", "content": "a cat" },
        { "role": "tool", "name": "hear", "content": "a dog" },
    ] });
    let (written, losses) = converted(OpenAiChat, OpenAiResponses, &body).unwrap();
    let ids: Vec<_> = written["input"].as_array().unwrap().iter().map(|item| &item["call_id"]).collect();
    assert_eq!((ids, losses), (vec![&json!("look"), &json!("hear")], Vec::new()));
    let (written, losses) = converted(OpenAiChat, OpenAiChat, &body).unwrap();
    assert_eq!((&written["messages"], losses), (&body["messages"], Vec::new()));
    let named = json!({ "model": "m", "input": [
        { "type": "function_call_output", "name": "look", "output": "a cat" },
        { "type": "function_call_output", "call_id": "c", "name": "hear", "output": "a dog" },
    ] });
    let (written, _) = converted(OpenAiResponses, OpenAiResponses, &named).unwrap();
    assert_eq!(written["input"], named["input"]);
    for (to, losses) in lost_everywhere(OpenAiResponses, &named) {
        let told = losses == ["input[1].name"];
        assert_eq!(told, !matches!(to, Gemini | Ollama), "{to}: {losses:?}");
    }
    let body =
        json!({ "model": "m", "messages": [{ "role": "tool", "tool_name": "look", "content": "a cat" }] });
    let (written, losses) = converted(Ollama, Ollama, &body).unwrap();
    assert_eq!((&written["messages"], losses), (&body["messages"], Vec::new()));
}

#[test]
fn what_stands_beside_results_and_items_is_told() {
    let body = json!({ "model": "m", "input": [
        { "type": "message", "id": "msg_1", "role": "user", "content": "x" },
        { "type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "id": "fco_1", "call_id": "c", "output": "y", "caller": { "a": 1 } },
    ] });
    for (to, mut losses) in lost_everywhere(OpenAiResponses, &body) {
        losses.sort();
        let expected = ["input[0].id", "input[1].id", "input[2].caller", "input[2].id"];
        assert_eq!(losses, expected, "{to}");
    }
}

#[test]
fn tools_of_another_type_are_told() {
    let tool =
        json!({ "type": "other", "function": { "name": "f", "parameters": {}, "deep": 1 }, "beside": 2 });
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "tools": [tool] });
    for to in [OpenAiChat, OpenAiResponses, Anthropic, Gemini] {
        let (_, mut losses) = converted(Ollama, to, &body).unwrap();
        losses.sort();
        assert_eq!(losses, ["tools[0].beside", "tools[0].function.deep", "tools[0].type"], "{to}");
    }
    let (written, losses) = converted(Ollama, Ollama, &body).unwrap();
    assert_eq!((&written["tools"][0], losses), (&tool, Vec::new()));
}

#[test]
fn limits_without_end_say_nothing_and_odd_ones_are_told() {
    let with = |limit: Value| {
        let messages = json!([{ "role": "user", "content": "x" }]);
        let body = json!({ "model": "m", "messages": messages, "options": { "num_predict": limit } });
        converted(Ollama, OpenAiChat, &body)
    };
    let limited = |limit: Value| {
        let (written, losses) = with(limit).unwrap();
        (written["max_completion_tokens"].as_u64(), losses)
    };
    assert_eq!(limited(json!(5)), (Some(5), Vec::new()));
    assert_eq!(limited(json!(-1)), (None, Vec::new()));
    assert_eq!(limited(json!(-2)), (None, Vec::new()));
    assert_eq!(limited(json!(-3)), (None, vec!["options.num_predict".to_owned()]));
    assert_eq!(with(json!("x")).unwrap_err(), "`options.num_predict` must be a number");
}

#[test]
fn the_type_of_a_picture_is_told_where_its_bytes_say_another() {
    let with = |mime: &str, data: &str| {
        let source = json!({ "type": "base64", "media_type": mime, "data": data });
        let block = json!({ "type": "image", "source": source });
        let body =
            json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": [block] }] });
        converted(Anthropic, Ollama, &body).unwrap().1
    };
    assert_eq!(with("image/png", "iVBORw0KGgo="), Vec::<String>::new());
    assert_eq!(with("image/jpg", "/9j/4AAQ"), Vec::<String>::new());
    assert_eq!(with("image/bmp", "Qk0="), ["messages[0].content[0].media_type"]);
}

#[test]
fn names_details_and_types_of_media_are_told() {
    let parts = json!([
        { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=", "displayName": "a.png" } },
        { "fileData": { "mimeType": "image/png", "fileUri": "https://a.example/a.png" } },
    ]);
    let body = json!({ "contents": [{ "role": "user", "parts": parts }] });
    for to in [OpenAiChat, OpenAiResponses, Anthropic] {
        let expected =
            ["contents[0].parts[0].inlineData.displayName", "contents[0].parts[1].fileData.mimeType"];
        assert_eq!(converted(Gemini, to, &body).unwrap().1, expected, "{to}");
    }
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low" } });
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [picture] }] });
    for to in [Anthropic, Gemini, Ollama] {
        let losses = converted(OpenAiChat, to, &body).unwrap().1;
        assert_eq!(losses, ["messages[0].content[0].image_url.detail"], "{to}");
    }
}

#[test]
fn a_part_of_a_result_is_named_where_it_stands() {
    let with = |part: Value| {
        let result = json!({ "name": "f", "response": {}, "parts": [{ "text": "x" }, part] });
        let body = json!({ "contents": [{ "parts": [{ "text": "y" }, { "functionResponse": result }] }] });
        converted(Gemini, OpenAiChat, &body).unwrap_err()
    };
    let place = "contents[0].parts[1].functionResponse.parts[1]";
    assert_eq!(
        with(json!({ "inlineData": { "mimeType": "x" } })),
        format!("`{place}.inlineData.data` is missing")
    );
    assert_eq!(with(json!({ "text": 1 })), format!("`{place}.text` must be a string"));
}

#[test]
fn names_of_tools_that_are_not_there_are_told() {
    let tools = json!([{ "functionDeclarations": [{ "name": "f" }, { "name": "g" }] }]);
    let with = |names: Value| {
        let config = json!({ "functionCallingConfig": { "allowedFunctionNames": names } });
        let contents = json!([{ "parts": [{ "text": "x" }] }]);
        let body = json!({ "contents": contents, "tools": tools, "toolConfig": config });
        converted(Gemini, Anthropic, &body).unwrap()
    };
    let told = |losses: &[String]| losses.iter().any(|lost| lost == "toolConfig.functionCallingConfig");
    let (written, losses) = with(json!(["f"]));
    assert_eq!(written["tools"].as_array().map(Vec::len), Some(1));
    assert!(!told(&losses), "{losses:?}");
    let (written, losses) = with(json!(["f", "h"]));
    assert_eq!(written["tools"].as_array().map(Vec::len), Some(1));
    assert!(told(&losses), "{losses:?}");
    // Without tools, there is no choice either.
    let (written, losses) = with(json!(["h"]));
    assert_eq!((written.get("tools"), written.get("tool_choice")), (None, None));
    assert!(told(&losses), "{losses:?}");
}

#[test]
fn schemas_lose_in_their_own_places() {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } } });
    let tool =
        json!({ "type": "function", "function": { "name": "f", "strict": true, "parameters": schema } });
    let format =
        json!({ "type": "json_schema", "json_schema": { "name": "n", "strict": false, "schema": schema } });
    let messages = json!([{ "role": "user", "content": "x" }]);
    let body = json!({ "model": "m", "messages": messages, "tools": [tool], "response_format": format });
    let mut losses = converted(OpenAiChat, Anthropic, &body).unwrap().1;
    losses.sort();
    let expected = [
        "response_format.json_schema.schema.minimum",
        "response_format.json_schema.strict",
        "tools[0].function.parameters.minimum",
    ];
    assert_eq!(losses, expected);
    let losses = converted(OpenAiChat, Ollama, &body).unwrap().1;
    let expected = [
        "tools[0].function.strict",
        "response_format.json_schema.name",
        "response_format.json_schema.strict",
    ];
    assert_eq!(losses, expected);
    let config =
        json!({ "responseSchema": { "type": "OBJECT", "additionalProperties": { "type": "STRING" } } });
    let body = json!({ "contents": [{ "parts": [{ "text": "x" }] }], "generationConfig": config });
    let losses = converted(Gemini, Anthropic, &body).unwrap().1;
    assert_eq!(losses, ["generationConfig.responseSchema.additionalProperties"]);
}

#[test]
fn an_effort_that_the_limit_cuts_is_told() {
    let with = |limit: u64| {
        let messages = json!([{ "role": "user", "content": "x" }]);
        let body =
            json!({ "model": "m", "messages": messages, "reasoning_effort": "high", "max_tokens": limit });
        converted(OpenAiChat, Anthropic, &body).unwrap()
    };
    assert_eq!(with(30_000).1, Vec::<String>::new());
    let (written, losses) = with(2_000);
    assert_eq!(
        (&written["thinking"]["budget_tokens"], losses),
        (&json!(1_999), vec!["reasoning_effort".to_owned()])
    );
}

#[test]
fn a_file_that_only_its_provider_knows_has_no_name_beside_its_id() {
    let file = json!({ "type": "input_file", "file_id": "file-1", "filename": "a.pdf" });
    let body = json!({ "model": "m", "input": [{ "role": "user", "content": [file] }] });
    let (written, losses) = converted(OpenAiResponses, OpenAiChat, &body).unwrap();
    assert_eq!(written["messages"][0]["content"][0]["file"], json!({ "file_id": "file-1" }));
    assert_eq!(losses, ["input[0].content[0].filename"]);
}
