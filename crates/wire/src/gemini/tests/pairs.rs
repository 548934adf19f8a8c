//! Gemini's requests for other dialects, and those of other dialects for Gemini and back.

use super::*;

fn openai() -> Target<'static> {
    Target::new(Dialect::OpenAiChat, "openai", "gpt-5")
}

fn anthropic() -> Target<'static> {
    Target::new(Dialect::Anthropic, "claude", "claude-opus-4-6")
}

/// What a client of Gemini's says, with tools, a picture and thoughts of Google's.
fn body() -> Value {
    json!({
        "system_instruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [
            { "role": "user", "parts": [
                { "text": "Weather?" },
                { "inline_data": { "mime_type": "image/png", "data": "iVBORw0KGgo_-A" } },
            ] },
            { "role": "model", "parts": [
                { "text": "Hm.", "thought": true, "thoughtSignature": "CikB" },
                { "functionCall": { "name": "weather", "args": { "city": "Bergen" } }, "thoughtSignature": "CikC" },
                { "functionCall": { "name": "weather", "args": { "city": "Oslo" } } },
            ] },
            { "role": "function", "parts": [
                { "functionResponse": { "name": "weather", "response": { "output": "rain" } } },
                { "functionResponse": { "name": "weather", "response": { "error": "no station" } } },
            ] },
        ],
        "tools": [{ "functionDeclarations": [
            { "name": "weather", "description": "d", "parameters": {
                "type": "OBJECT",
                "properties": { "city": { "type": "STRING", "nullable": true } },
                "required": ["city"],
            } },
        ] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY" } },
        "generationConfig": {
            "maxOutputTokens": 2048, "topK": 40,
            "responseMimeType": "application/json",
            "responseSchema": { "type": "OBJECT", "properties": { "a": { "type": "INTEGER" } } },
        },
        "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE" }],
    })
}

fn for_others(
    target: &Target<'_>,
    encode: impl Fn(&Request<'_>, &Target<'_>) -> crate::neutral::Encoded,
) -> (Value, Vec<String>) {
    let text = body().to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document, "asked", false).unwrap();
    let encoded = encode(&request, target);
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

#[test]
fn openai_chat_gets_all_it_has_a_place_for() {
    let encode = |request: &Request<'_>, target: &Target<'_>| {
        crate::openai::chat::encode_request(request, target).unwrap()
    };
    let (written, losses) = for_others(&openai(), encode);
    let call = |id: &str, city: &str| {
        let arguments = json!({ "city": city }).to_string();
        json!({ "id": id, "type": "function", "function": { "name": "weather", "arguments": arguments } })
    };
    assert_eq!(
        written["messages"],
        json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "Weather?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo/+A==" } },
            ] },
            { "role": "assistant", "content": null,
              "tool_calls": [call("call_0", "Bergen"), call("call_1", "Oslo")] },
            { "role": "tool", "tool_call_id": "call_0", "content": "rain" },
            { "role": "tool", "tool_call_id": "call_1", "content": "no station" },
        ])
    );
    let schema = json!({
        "type": "object",
        "properties": { "city": { "type": ["string", "null"] } },
        "required": ["city"],
    });
    assert_eq!(written["tools"][0]["function"]["parameters"], schema);
    assert_eq!(written["tool_choice"], "required");
    assert_eq!(
        written["response_format"]["json_schema"]["schema"],
        json!({ "type": "object", "properties": { "a": { "type": "integer" } } })
    );
    let mut losses = losses;
    losses.sort();
    let expected = [
        "contents[1].parts[0]",
        "contents[1].parts[1].thoughtSignature",
        "contents[2].parts[1].is_error",
        // Not all of its properties must be there, which OpenAI wants where it obeys to the letter.
        "generationConfig.responseSchema",
        "generationConfig.topK",
        "safetySettings",
    ];
    assert_eq!(losses, expected);
}

#[test]
fn anthropic_gets_all_it_has_a_place_for() {
    let encode = |request: &Request<'_>, target: &Target<'_>| {
        crate::anthropic::encode_request(request, target).unwrap()
    };
    let (written, _) = for_others(&anthropic(), encode);
    assert_eq!(
        written["messages"],
        json!([
            { "role": "user", "content": [
                { "type": "text", "text": "Weather?" },
                { "type": "image",
                  "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo/+A==" } },
            ] },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "call_0", "name": "weather", "input": { "city": "Bergen" } },
                { "type": "tool_use", "id": "call_1", "name": "weather", "input": { "city": "Oslo" } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "call_0", "content": "rain" },
                { "type": "tool_result", "tool_use_id": "call_1", "content": "no station", "is_error": true },
            ] },
        ])
    );
    assert_eq!(written["tools"][0]["input_schema"]["properties"]["city"]["type"], json!(["string", "null"]));
    assert_eq!((&written["max_tokens"], &written["tool_choice"]["type"]), (&json!(2048), &json!("any")));
}

/// Reads a body of another dialect, writes it for Google, reads that as a Gemini client's, and writes it in the
/// first dialect again.
fn there_and_back(
    text: &str,
    decode: impl for<'a> Fn(&Document<'a>) -> Request<'a>,
    encode: impl Fn(&Request<'_>) -> Vec<u8>,
) -> (Value, Vec<String>) {
    let document = Document::read(text.as_bytes()).unwrap();
    let there = encode_request(&decode(&document), &newer()).unwrap();
    let losses = there.losses.iter().map(str::to_owned).collect();
    let document = Document::read(&there.body).unwrap();
    let back = decode_request(&document, "m", false).unwrap();
    (serde_json::from_slice(&encode(&back)).unwrap(), losses)
}

#[test]
fn openai_chat_comes_back() {
    let body = json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "Weather?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } },
                { "type": "input_audio", "input_audio": { "data": "UklGRg==", "format": "wav" } },
            ] },
            { "role": "assistant", "content": "One moment.", "tool_calls": [
                { "id": "call_a", "type": "function", "function": { "name": "weather", "arguments": "{\"n\": 1.50}" } },
                { "id": "call_b", "type": "function", "function": { "name": "time", "arguments": "{}" } },
            ] },
            { "role": "tool", "tool_call_id": "call_a", "content": "rain \"heavy\"" },
            { "role": "tool", "tool_call_id": "call_b", "content": "{\"hour\": 12}" },
            { "role": "user", "content": "Thanks." },
        ],
        "tools": [
            { "type": "function", "function": { "name": "weather", "description": "d",
              "parameters": { "type": "object", "properties": { "n": { "type": "number", "minimum": 0 } } } } },
            { "type": "function", "function": { "name": "time" } },
        ],
        "tool_choice": { "type": "function", "function": { "name": "weather" } },
        "response_format": { "type": "json_schema", "json_schema": { "name": "answer", "schema": {
            "title": "answer", "type": "object", "additionalProperties": false } } },
        "max_completion_tokens": 99, "temperature": 0.25, "top_p": 0.5, "seed": 7, "n": 2, "stop": ["END"],
        "logprobs": true, "top_logprobs": 2,
        "service_tier": "flex",
    });
    let (back, losses) = there_and_back(
        &body.to_string(),
        |document| crate::openai::chat::decode_request(document).unwrap(),
        |request| {
            crate::openai::chat::encode_request(request, &Target { model: "m", ..openai() }).unwrap().body
        },
    );
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(back, body);
}

#[test]
fn anthropic_comes_back() {
    let seal = "pm1.gemini.google.s.CikB";
    let body = json!({
        "model": "m",
        "max_tokens": 2048,
        "system": "Be brief.",
        "messages": [
            { "role": "user", "content": "Weather?" },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm.", "signature": seal },
                { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Bergen" } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    { "type": "text", "text": "no station" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } },
                ] },
                { "type": "text", "text": "Try again." },
            ] },
        ],
        "tools": [{ "name": "weather", "input_schema": { "type": "object" } }],
    });
    let (back, losses) = there_and_back(
        &body.to_string(),
        |document| crate::anthropic::decode_request(document).unwrap(),
        |request| {
            crate::anthropic::encode_request(request, &Target { model: "m", ..anthropic() }).unwrap().body
        },
    );
    assert_eq!(losses, Vec::<String>::new());
    let mut expected = body;
    // Google read its own thought; Anthropic is not told it.
    expected["messages"][1]["content"].as_array_mut().unwrap().remove(0);
    assert_eq!(back, expected);
}

#[test]
fn thoughts_of_google_travel_through_a_chat_client() {
    // An answer of Google's, as a chat client gets it and hands it back.
    let answer = json!({ "candidates": [{
        "content": { "parts": [
            { "text": "Hm.", "thought": true, "thoughtSignature": "CikA" },
            { "text": "One moment." },
            { "functionCall": { "id": "c1", "name": "f", "args": {} }, "thoughtSignature": "CikB" },
        ] },
        "finishReason": "STOP",
    }] })
    .to_string();
    let document = Document::read(answer.as_bytes()).unwrap();
    let decoded = decode_answer(&document, &Origin { provider: "google", id: "r" }).unwrap();
    let told = crate::openai::chat::encode_answer(&decoded, &AnswerContext::default());
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    let history = json!({ "model": "m", "messages": [
        { "role": "user", "content": "x" }, told["choices"][0]["message"],
        { "role": "tool", "tool_call_id": "c1", "content": "1" },
    ] })
    .to_string();
    let document = Document::read(history.as_bytes()).unwrap();
    let request = crate::openai::chat::decode_request(&document).unwrap();
    let (written, losses) = encoded(&request, &newer());
    assert_eq!(
        written["contents"][1]["parts"],
        json!([
            { "text": "Hm.", "thought": true, "thoughtSignature": "CikA" },
            { "text": "One moment." },
            { "functionCall": { "id": "c1", "name": "f", "args": {} }, "thoughtSignature": "CikB" },
        ])
    );
    assert_eq!(losses, Vec::<String>::new());
}
