//! Gemini's own requests, read and written back.

use super::*;

/// Reads a body and writes it for a target of the same dialect.
fn round_for(body: &Value, target: &Target<'_>) -> (Value, Vec<String>) {
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    encoded(&decode_request(&document, "gemini-2.5-flash", false).unwrap(), target)
}

fn round(body: &Value) -> (Value, Vec<String>) {
    round_for(body, &target())
}

pub(super) fn full() -> Value {
    json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }, { "text": "Be kind." }] },
        "contents": [
            { "role": "user", "parts": [
                { "text": "What is this?", "partMetadata": { "k": 1 } },
                { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=", "displayName": "a.png" },
                  "mediaResolution": { "level": "MEDIA_RESOLUTION_HIGH" } },
                { "inlineData": { "mimeType": "application/pdf", "data": "JVBERi0=" } },
                { "inlineData": { "mimeType": "audio/wav", "data": "UklGRg==", "newMember": true } },
                { "fileData": { "mimeType": "video/mp4", "fileUri": "https://films.example/a.mp4" },
                  "videoMetadata": { "startOffset": "1s", "fps": 0.5 } },
                { "fileData": { "fileUri": "https://www.youtube.com/watch?v=1" } },
                { "fileData": { "mimeType": "text/plain", "displayName": "notes",
                  "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc" } },
                { "fileData": { "mimeType": "image/jpeg", "fileUri": "gs://bucket/a.jpg" } },
            ] },
            { "role": "model", "parts": [
                { "text": "Let me see.", "thought": true },
                { "text": "I need the weather.", "thought": true, "thoughtSignature": "CikB" },
                { "text": "", "thought": true, "thoughtSignature": "Cic=" },
                { "text": "One moment.", "thoughtSignature": "CiQB" },
                { "text": "" , "thoughtSignature": "CiUB" },
                { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" }, "thoughtSignature": "CiYB" },
                { "inlineData": { "mimeType": "image/png", "data": "AAAA" }, "thought": true },
                { "executableCode": { "language": "PYTHON", "code": "1+1" }, "thoughtSignature": "CicB" },
                { "codeExecutionResult": { "outcome": "OUTCOME_OK", "output": "2\n" } },
                { "functionCall": { "id": "c1", "name": "weather", "args": { "city": "Bergen", "n": 1.50 } },
                  "thoughtSignature": "CigB" },
                { "functionCall": { "name": "weather", "args": { "id": 12345678901234567890u64 } } },
                { "functionCall": { "name": "time", "args": {}, "willContinue": false } },
                { "functionCall": { "id": "c4", "name": "weather", "args": {} } },
                { "functionCall": { "id": "c5", "name": "look", "args": {} } },
            ] },
            { "role": "user", "parts": [
                { "functionResponse": { "id": "c1", "name": "weather", "response": { "result": "rain" } } },
                { "functionResponse": { "name": "weather", "response": { "error": "no station" } } },
                { "functionResponse": { "name": "time", "response": { "output": "noon" }, "scheduling": "SILENT" } },
                { "functionResponse": { "id": "c4", "name": "weather", "response": { "degrees": 3, "sky": null } } },
                { "functionResponse": { "id": "c5", "name": "look", "response": { "seen": ["cat"] }, "parts": [
                    { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=", "displayName": "cat" } },
                    { "somethingNew": 1 },
                ] } },
            ] },
            { "role": "model", "parts": [{ "text": "It rains." }] },
            { "role": "user", "parts": [{ "text": "Go on." }], "newMember": [1] },
        ],
        "tools": [
            { "functionDeclarations": [
                { "name": "weather", "description": "Says the weather.",
                  "parameters": { "type": "OBJECT", "properties": { "city": { "type": "STRING", "nullable": true } },
                                  "propertyOrdering": ["city"] },
                  "response": { "type": "OBJECT" }, "behavior": "BLOCKING" },
                { "name": "time", "parametersJsonSchema": { "type": "object", "properties": { "z": { "const": 1 } } } },
                { "name": "look" },
              ], "googleMaps": { "enableWidget": true } },
            { "googleSearch": { "excludeDomains": ["a.example"] } },
            { "codeExecution": {} },
            { "urlContext": {}, "functionDeclarations": [{ "name": "last" }] },
        ],
        "toolConfig": {
            "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["weather", "time"],
                                       "streamFunctionCallArguments": false },
            "retrievalConfig": { "languageCode": "no" },
            "includeServerSideToolInvocations": true,
        },
        "generationConfig": {
            "temperature": 0.20, "topP": 0.9, "topK": 40, "candidateCount": 2, "maxOutputTokens": 512,
            "stopSequences": ["a", "b", "c", "d", "e", "f"],
            "responseMimeType": "application/json",
            "responseSchema": { "type": "ARRAY", "items": { "type": "INTEGER" }, "minItems": "1" },
            "presencePenalty": 0.1, "frequencyPenalty": -0.1, "seed": 7,
            "responseLogprobs": true, "logprobs": 3,
            "thinkingConfig": { "includeThoughts": true, "thinkingBudget": -1, "newMember": 1 },
            "responseModalities": ["TEXT", "IMAGE"],
            "speechConfig": { "languageCode": "no" },
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "imageConfig": { "aspectRatio": "1:1" },
            "enableEnhancedCivicAnswers": true,
        },
        "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE" }],
        "cachedContent": "cachedContents/1",
        "labels": { "team": "a" },
        "serviceTier": "flex",
        "store": false,
        "somethingNew": { "x": 1 },
    })
}

#[test]
fn everything_comes_back() {
    assert_eq!(round(&full()), (full(), Vec::new()));
    // Numbers stay as they stand.
    let text = full().to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document, "m", true).unwrap();
    assert!(request.stream && request.model == "m");
    let body = String::from_utf8(encode_request(&request, &target()).unwrap().body).unwrap();
    assert!(body.contains("12345678901234567890"), "{body}");
}

/// Every member under its other spelling.
fn snaked(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| {
                    let mut snake = String::new();
                    for letter in key.chars() {
                        if letter.is_ascii_uppercase() {
                            snake.push('_');
                        }
                        snake.push(letter.to_ascii_lowercase());
                    }
                    (snake, snaked(value))
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(snaked).collect()),
        other => other,
    }
}

#[test]
fn the_other_spelling_is_read_too() {
    let body = json!({
        "systemInstruction": { "parts": [{ "text": "x" }] },
        "contents": [
            { "role": "user", "parts": [{ "inlineData": { "mimeType": "image/png", "data": "AAAA" } }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "f", "args": {} }, "thoughtSignature": "Ci" }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": { "a": 1 } } },
                                        { "fileData": { "mimeType": "image/png", "fileUri": "gs://x" } }] },
        ],
        "tools": [{ "functionDeclarations": [{ "name": "f", "parametersJsonSchema": { "type": "object" } }] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["f"] } },
        "generationConfig": {
            "topP": 0.5, "topK": 3, "candidateCount": 2, "maxOutputTokens": 5, "stopSequences": ["x"],
            "responseMimeType": "application/json", "responseJsonSchema": { "type": "object" },
            "presencePenalty": 1, "frequencyPenalty": 1, "responseLogprobs": true,
            "thinkingConfig": { "includeThoughts": false, "thinkingLevel": "LOW" },
        },
        "serviceTier": "standard",
    });
    assert_eq!(round(&snaked(body.clone())), (body, Vec::new()));
}

#[test]
fn one_value_may_stand_where_a_list_is_due() {
    let short = json!({
        "system_instruction": { "role": "system", "parts": { "text": "x" } },
        "contents": { "parts": { "text": "y" } },
        "tools": { "function_declarations": { "name": "f" } },
        "generationConfig": { "stopSequences": "z" },
    });
    let whole = json!({
        "systemInstruction": { "parts": [{ "text": "x" }] },
        "contents": [{ "role": "user", "parts": [{ "text": "y" }] }],
        "tools": [{ "functionDeclarations": [{ "name": "f" }] }],
        "generationConfig": { "stopSequences": ["z"] },
    });
    assert_eq!(round(&short), (whole, Vec::new()));
}

#[test]
fn an_instruction_may_have_a_role() {
    let body = |role: &str| {
        json!({ "systemInstruction": { "parts": [{ "text": "x" }], "role": role },
                "contents": [{ "role": "user", "parts": [{ "text": "y" }] }] })
    };
    assert_eq!(round(&body("odd")), (body("odd"), Vec::new()));
    assert!(round(&body("user")).0["systemInstruction"].get("role").is_none());
}

#[test]
fn a_count_may_wrap_its_request() {
    let contents = json!([{ "role": "user", "parts": [{ "text": "y" }] }]);
    let body = json!({ "generateContentRequest": { "model": "models/m", "contents": contents } });
    assert_eq!(round(&body), (json!({ "contents": contents }), Vec::new()));
}

#[test]
fn every_mode_of_calling_comes_back() {
    for calling in [
        json!({ "mode": "AUTO" }),
        json!({ "mode": "NONE" }),
        json!({ "mode": "NONE", "allowedFunctionNames": ["a"] }),
        json!({ "mode": "ANY" }),
        json!({ "mode": "ANY", "allowedFunctionNames": ["a"] }),
        json!({ "mode": "VALIDATED" }),
        json!({ "mode": "VALIDATED", "allowedFunctionNames": ["a", "b"] }),
        json!({ "mode": "AUTO", "allowedFunctionNames": ["a"] }),
        json!({ "mode": "MODE_UNSPECIFIED", "allowedFunctionNames": ["a"] }),
    ] {
        let body = json!({
            "contents": [{ "role": "user", "parts": [{ "text": "y" }] }],
            "tools": [{ "functionDeclarations": [{ "name": "a" }] }],
            "toolConfig": { "functionCallingConfig": calling },
        });
        assert_eq!(round(&body), (body, Vec::new()));
    }
}

#[test]
fn formats_that_the_neutral_form_does_not_know_come_back() {
    for config in [
        json!({ "responseMimeType": "text/plain" }),
        json!({ "responseMimeType": "application/json" }),
        json!({ "responseMimeType": "text/x.enum", "responseSchema": { "type": "STRING", "enum": ["a"] } }),
        json!({ "responseMimeType": "text/x.enum", "responseJsonSchema": { "enum": ["a"] } }),
        json!({ "logprobs": 2 }),
        json!({ "thinkingConfig": { "thinkingBudget": 0 } }),
        json!({ "thinkingConfig": { "newMember": 1 } }),
    ] {
        let body = json!({
            "contents": [{ "role": "user", "parts": [{ "text": "y" }] }],
            "generationConfig": config,
        });
        assert_eq!(round(&body), (body, Vec::new()));
    }
}

/// A signature as a client has it from an answer of another provider.
fn tagged(provider: &'static str, dialect: Dialect, kind: SealKind, data: &'static str) -> String {
    let seal = Seal::from_provider(Text::from(data), kind, dialect, provider);
    signature::for_client(&seal).value().into_owned()
}

#[test]
fn a_seal_reaches_only_its_maker() {
    let own = tagged("google", Dialect::Gemini, SealKind::Signature, "CikB");
    let other = tagged("claude", Dialect::Anthropic, SealKind::Signature, "EqQB");
    let body = json!({ "contents": [{ "role": "model", "parts": [
        { "text": "a", "thought": true, "thoughtSignature": own },
        { "text": "b", "thought": true, "thoughtSignature": other },
        { "text": "c", "thoughtSignature": other },
        { "functionCall": { "name": "f", "args": {} }, "thoughtSignature": other },
        { "functionCall": { "name": "f", "args": {} }, "thoughtSignature": own },
    ] }] });
    let (written, losses) = round(&body);
    assert_eq!(
        written["contents"][0]["parts"],
        json!([
            { "text": "a", "thought": true, "thoughtSignature": "CikB" },
            { "text": "c" },
            { "functionCall": { "name": "f", "args": {} } },
            { "functionCall": { "name": "f", "args": {} }, "thoughtSignature": "CikB" },
        ])
    );
    let lost = [
        "contents[0].parts[1]",
        "contents[0].parts[2].thoughtSignature",
        "contents[0].parts[3].thoughtSignature",
    ];
    assert_eq!(losses, lost);
    // The third generation refuses a step whose first call is not signed.
    let (written, _) = round_for(&body, &newer());
    let first = &written["contents"][0]["parts"][2];
    assert_eq!(first["thoughtSignature"], "skip_thought_signature_validator");
}

#[test]
fn a_stream_that_a_client_kept_in_pieces_is_put_together() {
    let seal = tagged("claude", Dialect::Anthropic, SealKind::Signature, "EqQB");
    let model = |part: Value| json!({ "role": "model", "parts": [part] });
    let body = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "Hi." }] },
        model(json!({ "text": "I ", "thought": true })),
        model(json!({ "text": "think.", "thought": true })),
        model(json!({ "text": "", "thought": true, "thoughtSignature": seal })),
        model(json!({ "text": "He" })),
        model(json!({ "text": "llo" })),
        model(json!({ "text": "\n" })),
        model(json!({ "text": "signed", "thoughtSignature": "CikB" })),
        model(json!({ "functionCall": { "name": "f", "args": {} } })),
        model(json!({ "text": "" })),
        { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": { "result": "1" } } }] },
    ] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let request = decode_request(&document, "m", false).unwrap();
    let turns: Vec<_> = request.messages.iter().map(|message| message.blocks.len()).collect();
    assert_eq!(turns, [1, 6, 1], "{request:?}");
    let blocks = &request.messages[1].blocks;
    let Content::Reasoning(thought) = &blocks[0].content else { panic!("{blocks:?}") };
    assert_eq!(thought.summary, [Text::from("I think.")]);
    assert_eq!(thought.seal.as_ref().unwrap().data, "EqQB");
    assert!(matches!(&blocks[1].content, Content::Text { text, .. } if *text == "Hello\n"), "{blocks:?}");
    assert!(matches!(&blocks[2].content, Content::Text { text, .. } if *text == "signed"));
    assert!(matches!(&blocks[4].content, Content::ToolCall(call) if call.id == "call_0"));
    // Anthropic gets its thought back to the letter.
    let claude = Target::new(Dialect::Anthropic, "claude", "claude-opus-4-6");
    let encoded = crate::anthropic::encode_request(&request, &claude).unwrap();
    let value: Value = serde_json::from_slice(&encoded.body).unwrap();
    let said = &value["messages"][1]["content"];
    assert_eq!(said[0], json!({ "type": "thinking", "thinking": "I think.", "signature": "EqQB" }));
    assert_eq!(said[1], json!({ "type": "text", "text": "Hello\n" }));
}

#[test]
fn googles_own_thoughts_stay_in_their_parts() {
    let body = json!({ "contents": [{ "role": "model", "parts": [
        { "text": "a", "thought": true },
        { "text": "b", "thought": true, "thoughtSignature": "CikB" },
    ] }] });
    assert_eq!(round(&body), (body, Vec::new()));
}

#[test]
fn wrong_types_are_named_with_their_place() {
    assert_eq!(refused(&json!([])), "`body` must be an object");
    assert_eq!(refused(&json!({})), "`contents` is missing");
    assert_eq!(refused(&json!({ "contents": "Hi" })), "`contents` must be a list of objects");
    assert_eq!(
        refused(&json!({ "contents": [{ "role": "assistant", "parts": [] }] })),
        "`contents[0].role` must be `user`, `model` or `function`"
    );
    assert_eq!(
        refused(&json!({ "contents": [{ "parts": ["x"] }] })),
        "`contents[0].parts[0]` must be an object"
    );
    let part = |part: Value| refused(&json!({ "contents": [{ "parts": [part] }] }));
    let place = "`contents[0].parts[0]";
    assert_eq!(part(json!({ "text": 1 })), format!("{place}.text` must be a string"));
    assert_eq!(part(json!({ "functionCall": {} })), format!("{place}.functionCall.name` is missing"));
    assert_eq!(
        part(json!({ "functionCall": { "name": "f", "args": [] } })),
        format!("{place}.functionCall.args` must be an object")
    );
    assert_eq!(
        part(json!({ "functionResponse": { "name": "f", "response": "x" } })),
        format!("{place}.functionResponse.response` must be an object")
    );
    assert_eq!(
        part(json!({ "inlineData": { "mimeType": "a" } })),
        format!("{place}.inlineData.data` is missing")
    );
    assert_eq!(part(json!({ "fileData": {} })), format!("{place}.fileData.fileUri` is missing"));
    let with = |name: &str, value: Value| {
        let mut body = json!({ "contents": [] });
        body[name] = value;
        refused(&body)
    };
    assert_eq!(
        with("generationConfig", json!({ "topK": "many" })),
        "`generationConfig.topK` must be a number"
    );
    assert_eq!(
        with("generationConfig", json!({ "thinkingConfig": { "thinkingBudget": -2 } })),
        "`generationConfig.thinkingConfig.thinkingBudget` must be a whole number"
    );
    assert_eq!(
        with("generationConfig", json!({ "responseSchema": "x" })),
        "`generationConfig.responseSchema` must be an object"
    );
    assert_eq!(
        with("tools", json!([{ "functionDeclarations": [{}] }])),
        "`tools[0].functionDeclarations[0].name` is missing"
    );
    assert_eq!(
        with("toolConfig", json!({ "functionCallingConfig": { "mode": "SOMETIMES" } })),
        "`toolConfig.functionCallingConfig.mode` must be `AUTO`, `ANY`, `NONE` or `VALIDATED`"
    );
    assert_eq!(with("systemInstruction", json!("x")), "`systemInstruction` must be an object");
}

#[test]
fn what_a_client_says_goes_through_to_any_model() {
    // Files of Google's, addresses and levels are the provider's to judge.
    let body = json!({
        "contents": [{ "role": "user", "parts": [
            { "fileData": { "fileUri": "http://plain.example/a.png" } },
            { "text": "" },
        ] }],
        "generationConfig": { "thinkingConfig": { "thinkingLevel": "HIGH", "thinkingBudget": 5 } },
    });
    let old = Target::new(Dialect::Gemini, "google", "gemini-1.5-pro");
    assert_eq!(round_for(&body, &old), (body, Vec::new()));
}

#[test]
fn quirks_drop_and_rename() {
    let quirks = Quirks {
        drops: vec!["labels".into(), "seed".into(), "cachedContent".into()],
        renames: vec![("topK".into(), "top_k".into())],
        ..Quirks::NONE
    };
    let target = Target { quirks: &quirks, ..target() };
    let (written, losses) = round_for(&full(), &target);
    assert_eq!(losses, ["generationConfig.seed", "labels", "cachedContent"]);
    assert_eq!(written["generationConfig"]["top_k"], 40);
    for gone in ["labels", "cachedContent"] {
        assert!(written.get(gone).is_none());
    }
}
