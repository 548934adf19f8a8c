//! Requests of other dialects, for Google.

use super::*;

fn lost(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

#[test]
fn a_conversation_with_parallel_calls() {
    let mut failed = result("c2", vec![text("no station"), text("try later")]);
    if let Content::ToolResult(result) = &mut failed.content {
        result.failed = true;
    }
    let request = foreign(vec![
        said(Role::System, vec![text("Be brief.")]),
        said(Role::User, vec![text("Weather?"), text("")]),
        said(Role::Assistant, vec![text("Let me see.")]),
        said(Role::Assistant, vec![call("c1", Arguments::Quoted(Text::from(r#"{"city":"Bergen"}"#)))]),
        said(Role::Assistant, vec![call("c2", Arguments::Quoted(Text::from("")))]),
        said(Role::User, vec![result("c1", vec![text("rain")])]),
        said(Role::User, vec![text("Hurry."), failed]),
        said(Role::Developer, vec![text("From now on, in Norwegian.")]),
        said(Role::User, vec![block(Content::Refusal(Text::from("No.")))]),
    ]);
    let (written, losses) = encoded(&request, &target());
    assert_eq!(
        written,
        json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }, { "text": "From now on, in Norwegian." }] },
            "contents": [
                { "parts": [{ "text": "Weather?" }], "role": "user" },
                { "parts": [
                    { "text": "Let me see." },
                    { "functionCall": { "id": "c1", "name": "weather", "args": { "city": "Bergen" } } },
                    { "functionCall": { "id": "c2", "name": "weather", "args": {} } },
                ], "role": "model" },
                { "parts": [
                    { "functionResponse": { "id": "c1", "name": "weather", "response": { "result": "rain" } } },
                    { "functionResponse": { "id": "c2", "name": "weather",
                                            "response": { "error": "no station\n\ntry later" } } },
                ], "role": "user" },
                { "parts": [{ "text": "Hurry." }, { "text": "No." }], "role": "user" },
            ],
        })
    );
    assert_eq!(losses, lost(&[]));
    let (newer, _) = encoded(&request, &newer());
    let parts = &newer["contents"][1]["parts"];
    assert_eq!(parts[1]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[2].get("thoughtSignature"), None);
}

#[test]
fn no_stop_sequences_are_none() {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    request.stop = Some(Given::new("stop", Vec::new()));
    let (written, losses) = encoded(&request, &target());
    assert_eq!((written.get("generationConfig"), losses), (None, lost(&[])));
    request.stop = Some(Given::new("stop", vec![Text::from("a")]));
    assert_eq!(encoded(&request, &target()).0["generationConfig"]["stopSequences"], json!(["a"]));
}

#[test]
fn a_conversation_that_says_nothing_is_refused() {
    for turns in [Vec::new(), vec![said(Role::User, vec![text("")])]] {
        let error = encode_request(&foreign(turns), &target()).unwrap_err();
        assert_eq!(error.field, "messages");
    }
}

#[test]
fn a_conversation_that_the_model_begins_is_begun_by_the_user() {
    let opening = json!({ "parts": [{ "text": "Begin." }], "role": "user" });
    let request = foreign(vec![said(Role::Assistant, vec![text("Hi.")])]);
    let (written, _) = encoded(&request, &target());
    let contents = written["contents"].as_array().unwrap();
    assert_eq!((contents.len(), &contents[0]), (2, &opening));
    let only = foreign(vec![said(Role::System, vec![text("Tell a joke.")])]);
    assert_eq!(encoded(&only, &target()).0["contents"], json!([opening]));
}

#[test]
fn arguments_that_are_no_object_are_kept_inside_one() {
    let request = foreign(vec![
        said(Role::User, vec![text("x")]),
        said(Role::Assistant, vec![call("c1", Arguments::Quoted(Text::from("[1]")))]),
        said(Role::Assistant, vec![call("c2", Arguments::Free(Text::from("ls")))]),
    ]);
    let (written, losses) = encoded(&request, &target());
    let parts = &written["contents"][1]["parts"];
    assert_eq!(parts[0]["functionCall"]["args"], json!({ "input": "[1]" }));
    assert_eq!(parts[1]["functionCall"]["args"], json!({ "input": "ls" }));
    assert_eq!(losses, lost(&["messages[1].content[0].arguments"]));
}

#[test]
fn media_are_bytes_or_addresses_that_google_takes() {
    let png = Source::Base64(Text::from("iVBORw0KGgoAAA=="));
    let pdf = Media {
        source: Source::Base64(Text::from("JVBERi0=")),
        mime: Some(Text::from("application/pdf")),
        name: Some(Text::from("terms.pdf")),
        detail: None,
    };
    let plain =
        Media { source: Source::PlainText(Text::from("plain")), mime: None, name: None, detail: None };
    let file = Media { source: Source::File(Text::from("file_1")), mime: None, name: None, detail: None };
    let request = foreign(vec![said(
        Role::User,
        vec![
            picture(png),
            picture(Source::Url(Text::from("https://a.example/b.webp?x=1"))),
            picture(Source::Url(Text::from("https://a.example/b"))),
            picture(Source::Url(Text::from("http://a.example/c.png"))),
            block(Content::Document(pdf)),
            block(Content::Document(plain)),
            block(Content::Document(file)),
        ],
    )]);
    let places: Vec<_> = needs(&request, &target()).into_iter().map(|need| need.url).collect();
    assert_eq!(places, ["http://a.example/c.png"]);
    let error = encode_request(&request, &target()).unwrap_err();
    assert_eq!(error.field, "messages[1].content[0]");
    let old = Target::new(Dialect::Gemini, "google", "gemini-2.0-flash");
    assert_eq!(needs(&request, &old).len(), 3);

    let fetched = [("http://a.example/c.png".to_owned(), ("image/png".to_owned(), "AAAA".to_owned()))];
    let media = Resolved(fetched.into_iter().collect());
    let target = Target { media: &media, ..target() };
    assert!(needs(&request, &target).is_empty());
    let (written, losses) = encoded(&request, &target);
    assert_eq!(
        written["contents"][0]["parts"],
        json!([
            { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgoAAA==" } },
            { "fileData": { "mimeType": "image/webp", "fileUri": "https://a.example/b.webp?x=1" } },
            { "fileData": { "fileUri": "https://a.example/b" } },
            { "inlineData": { "mimeType": "image/png", "data": "AAAA" } },
            { "inlineData": { "mimeType": "application/pdf", "data": "JVBERi0=" } },
            { "text": "plain" },
        ])
    );
    assert_eq!(losses, lost(&["messages[1].content[0].file.filename", "messages[1].content[0]"]));
}

#[test]
fn pictures_of_results_stand_in_them_where_the_model_can_see_them() {
    let request = || {
        foreign(vec![
            said(Role::User, vec![text("x")]),
            said(Role::Assistant, vec![call("c1", Arguments::Object("{}"))]),
            said(
                Role::User,
                vec![result(
                    "c1",
                    vec![
                        text("a cat"),
                        picture(Source::Base64(Text::from("iVBORw0KGgo="))),
                        picture(Source::Url(Text::from("https://a.example/b.png"))),
                    ],
                )],
            ),
        ])
    };
    let inline = json!({ "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" } });
    let linked = json!({ "fileData": { "mimeType": "image/png", "fileUri": "https://a.example/b.png" } });
    let note = json!({ "text": "Result of tool call c1:" });
    let (written, losses) = encoded(&request(), &newer());
    let said = &written["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!((&said["response"], &said["parts"]), (&json!({ "result": "a cat" }), &json!([inline])));
    assert_eq!(written["contents"][3]["parts"], json!([note, linked]));
    assert_eq!(losses, lost(&[]));
    let (written, losses) = encoded(&request(), &target());
    assert_eq!(written["contents"][2]["parts"][0]["functionResponse"].get("parts"), None);
    assert_eq!(written["contents"][3]["parts"], json!([note, inline, linked]));
    assert_eq!(losses, lost(&[]));
}

#[test]
fn thoughts_go_back_to_who_thought_them() {
    let seal = |provider: &'static str, dialect| {
        Some(Seal::from_provider(Text::from("CikB"), SealKind::Signature, dialect, provider))
    };
    let thought = |seal, text: Vec<Text<'static>>| {
        block(Content::Reasoning(Reasoning { text, seal, ..Reasoning::default() }))
    };
    let mut signed = call("c1", Arguments::Object("{}"));
    if let Content::ToolCall(call) = &mut signed.content {
        call.seal = seal("google", Dialect::Gemini);
    }
    let request = foreign(vec![
        said(Role::User, vec![text("x")]),
        said(
            Role::Assistant,
            vec![
                thought(seal("google", Dialect::Gemini), vec![Text::from("a"), Text::from("b")]),
                thought(seal("google", Dialect::Gemini), Vec::new()),
                thought(seal("claude", Dialect::Anthropic), vec![Text::from("c")]),
                thought(None, vec![Text::from("d")]),
                block(Content::Opaque("{}")),
                signed,
            ],
        ),
    ]);
    let (written, losses) = encoded(&request, &newer());
    assert_eq!(
        written["contents"][1]["parts"],
        json!([
            { "text": "a\n\nb", "thought": true, "thoughtSignature": "CikB" },
            { "text": "", "thoughtSignature": "CikB" },
            { "functionCall": { "id": "c1", "name": "weather", "args": {} }, "thoughtSignature": "CikB" },
        ])
    );
    assert_eq!(losses, lost(&["messages[1].content[0]"]));
}

#[test]
fn tools_are_one_group_with_their_schemas_whole() {
    let mut request = hello();
    let schema =
        r#"{"$schema":"x","type":"object","properties":{"a":{"type":["string","null"],"pattern":"^a"}}}"#;
    let mut first = function("a");
    first.kind = ToolKind::Function { schema: Some(schema.into()), strict: Some(false) };
    first.description = Some(Text::Escaped(r"a\nb"));
    first.cache = Some("{}");
    let mut free = function("free");
    free.kind = ToolKind::Custom { format: Some(r#"{"type":"grammar"}"#) };
    free.path = Path::Item("tools", 1);
    let mut bare = function("bare");
    bare.kind = ToolKind::Function { schema: None, strict: None };
    let mut server = function("web_search");
    (server.kind, server.path) = (ToolKind::Server("{}"), Path::Item("tools", 3));
    request.tools = vec![first, free, bare, server];
    let (written, losses) = encoded(&request, &target());
    let input =
        json!({ "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"] });
    assert_eq!(
        written["tools"],
        json!([{ "functionDeclarations": [
            { "name": "a", "description": "a\nb",
              "parametersJsonSchema": serde_json::from_str::<Value>(schema).unwrap() },
            { "name": "free", "parametersJsonSchema": input },
            { "name": "bare" },
        ] }])
    );
    assert_eq!(losses, lost(&["tools[3]", "tools[0].cache_control", "tools[1].custom.format"]));
    assert_eq!(written.get("toolConfig"), None);
}

#[test]
fn every_choice_of_tools_has_a_mode() {
    let config = |choice: Option<ToolChoice<'static>>, strict: bool| {
        let mut request = hello();
        let mut tool = function("a");
        tool.kind = ToolKind::Function { schema: None, strict: strict.then_some(true) };
        request.tools = vec![tool, function("b")];
        request.tool_choice = choice.map(|choice| Given::new("tool_choice", choice));
        let (written, losses) = encoded(&request, &target());
        assert_eq!(losses, lost(&[]));
        written["toolConfig"]["functionCallingConfig"].clone()
    };
    let names = || vec![Text::from("a"), Text::from("b")];
    assert_eq!(config(None, false), Value::Null);
    assert_eq!(config(None, true), json!({ "mode": "VALIDATED" }));
    assert_eq!(config(Some(ToolChoice::Auto), false), json!({ "mode": "AUTO" }));
    assert_eq!(config(Some(ToolChoice::Auto), true), json!({ "mode": "VALIDATED" }));
    assert_eq!(config(Some(ToolChoice::None), true), json!({ "mode": "NONE" }));
    assert_eq!(config(Some(ToolChoice::Required), true), json!({ "mode": "ANY" }));
    let named = ToolChoice::Named(Text::from("b"));
    assert_eq!(config(Some(named), false), json!({ "mode": "ANY", "allowedFunctionNames": ["b"] }));
    let among = |required| ToolChoice::Among { names: names(), required };
    assert_eq!(
        config(Some(among(true)), false),
        json!({ "mode": "ANY", "allowedFunctionNames": ["a", "b"] })
    );
    let free = config(Some(among(false)), false);
    assert_eq!(free, json!({ "mode": "VALIDATED", "allowedFunctionNames": ["a", "b"] }));

    let mut alone = hello();
    alone.tool_choice = Some(Given::new("tool_choice", ToolChoice::Required));
    assert_eq!(encoded(&alone, &target()).1, lost(&["tool_choice"]));
    alone.tool_choice = Some(Given::new("tool_choice", ToolChoice::None));
    assert_eq!(encoded(&alone, &target()).1, lost(&[]));
}

#[test]
fn options_have_their_place_or_are_declared() {
    let mut request = hello();
    let sampling = &mut request.sampling;
    sampling.temperature = Some(Given::new("temperature", "0.7"));
    sampling.top_p = Some(Given::new("top_p", "0.9"));
    sampling.top_k = Some(Given::new("top_k", "40"));
    sampling.min_p = Some(Given::new("min_p", "0.1"));
    sampling.frequency_penalty = Some(Given::new("frequency_penalty", "1"));
    sampling.presence_penalty = Some(Given::new("presence_penalty", "2"));
    sampling.repeat_penalty = Some(Given::new("repeat_penalty", "1.1"));
    sampling.seed = Some(Given::new("seed", "7"));
    request.max_output = Some(Given::new("max_tokens", 99));
    request.stop = Some(Given::new("stop", ["a", "b", "c", "d", "e", "f"].map(Text::from).to_vec()));
    request.choices = Some(Given::new("n", 2));
    request.logprobs = Some(Given::new("logprobs", Logprobs { top: Some(3) }));
    request.parallel_tool_calls = Some(Given::new("parallel_tool_calls", false));
    request.user = Some(Given::new("user", Text::from("u")));
    request.metadata = Some(Given::new("metadata", "{}"));
    request.service_tier = Some(Given::new("service_tier", Text::from("scale")));
    request.store = Some(Given::new("store", true));
    let (written, losses) = encoded(&request, &target());
    assert_eq!(
        written["generationConfig"],
        json!({
            "temperature": 0.7, "topP": 0.9, "topK": 40, "seed": 7,
            "maxOutputTokens": 99, "candidateCount": 2, "stopSequences": ["a", "b", "c", "d", "e"],
            "responseLogprobs": true, "logprobs": 3,
        })
    );
    let expected = [
        "user",
        "parallel_tool_calls",
        "min_p",
        "repeat_penalty",
        "frequency_penalty",
        "presence_penalty",
        "stop",
        "metadata",
        "service_tier",
        "store",
    ];
    assert_eq!(losses, lost(&expected));
}

#[test]
fn what_is_usual_is_no_loss() {
    let mut request = hello();
    request.choices = Some(Given::new("n", 1));
    request.parallel_tool_calls = Some(Given::new("parallel_tool_calls", true));
    request.store = Some(Given::new("store", false));
    request.service_tier = Some(Given::new("service_tier", Text::from("auto")));
    request.format = Some(Given::new("response_format", Format::Text));
    let (written, losses) = encoded(&request, &target());
    let expected = json!({ "contents": [{ "parts": [{ "text": "Hello." }], "role": "user" }] });
    assert_eq!((written, losses), (expected, lost(&[])));
    request.service_tier = Some(Given::new("service_tier", Text::from("default")));
    assert_eq!(encoded(&request, &target()).0["serviceTier"], "standard");
}

#[test]
fn formats_carry_their_schema_and_its_name() {
    let config = |format: Format<'static>| {
        let mut request = hello();
        request.format = Some(Given::new("response_format", format));
        let (written, losses) = encoded(&request, &target());
        (written["generationConfig"].clone(), losses)
    };
    let schema = |schema: &'static str| Format::Schema {
        name: Some(Text::from("person")),
        description: None,
        schema: schema.into(),
        strict: Some(true),
    };
    let json_mime = "application/json";
    assert_eq!(config(Format::Json), (json!({ "responseMimeType": json_mime }), lost(&[])));
    let titled = json!({ "title": "person", "type": "object" });
    let expected = json!({ "responseMimeType": json_mime, "responseJsonSchema": titled });
    assert_eq!(config(schema(r#"{"type":"object"}"#)), (expected, lost(&[])));
    let (_, losses) = config(schema(r#"{"title":"P"}"#));
    assert_eq!(losses, lost(&["response_format.json_schema.name"]));
    let loose = Format::Schema { name: None, description: None, schema: "{}".into(), strict: Some(false) };
    assert_eq!(config(loose).1, lost(&["response_format.json_schema.strict"]));
    assert_eq!(config(Format::Other("{}")), (Value::Null, lost(&["response_format"])));
}

#[test]
fn thinking_is_said_in_the_models_measure() {
    let mut request = hello();
    request.dialect = Dialect::Anthropic;
    request.thinking.budget = Some(Given::new("thinking.budget_tokens", Cap::Tokens(5_000)));
    let config = |request: &Request<'_>, target: &Target<'_>| {
        encoded(request, target).0["generationConfig"]["thinkingConfig"].clone()
    };
    assert_eq!(config(&request, &target()), json!({ "includeThoughts": true, "thinkingBudget": 5000 }));
    assert_eq!(config(&request, &newer()), json!({ "includeThoughts": true, "thinkingLevel": "MEDIUM" }));
    request.thinking.budget = Some(Given::new("thinking.type", Cap::Free));
    assert_eq!(config(&request, &target()), json!({ "includeThoughts": true, "thinkingBudget": -1 }));
}

#[test]
fn what_has_no_place_at_all_is_declared() {
    let mut first = text("x");
    first.cache = Some("{}");
    if let Content::Text { citations, .. } = &mut first.content {
        citations.push(Citation { url: None, title: None, quote: None, span: None, raw: "{}" });
    }
    let mut message = said(Role::User, vec![first]);
    message.name = Some(Text::from("Ann"));
    message.id = Some(Text::from("msg_1"));
    let mut request = foreign(vec![message]);
    request.previous = Some(Given::new("previous_response_id", Text::from("resp_1")));
    assert_eq!(encode_request(&request, &target()).unwrap_err().field, "previous_response_id");
    request.previous = None;
    let expected =
        ["messages[0].name", "messages[0].id", "messages[0].citations", "messages[0].cache_control"];
    assert_eq!(encoded(&request, &target()).1, lost(&expected));
}

#[test]
fn penalties_are_not_for_recent_models() {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    request.sampling.frequency_penalty = Some(Given::new("frequency_penalty", "0"));
    request.sampling.presence_penalty = Some(Given::new("presence_penalty", "0.5"));
    for target in [target(), newer()] {
        let (written, losses) = encoded(&request, &target);
        assert_eq!((written.get("generationConfig"), losses), (None, lost(&["presence_penalty"])));
    }
    let older = Target::new(Dialect::Gemini, "google", "gemini-2.0-flash");
    let (written, losses) = encoded(&request, &older);
    let expected = json!({ "frequencyPenalty": 0, "presencePenalty": 0.5 });
    assert_eq!((&written["generationConfig"], losses), (&expected, lost(&[])));
}

#[test]
fn models_before_the_third_generation_call_tools_or_answer_by_a_format() {
    let schema = || Format::Schema {
        name: None,
        description: None,
        schema: r#"{"type":"object"}"#.into(),
        strict: None,
    };
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    for format in [Format::Json, schema()] {
        request.format = Some(Given::new("response_format", format));
        request.tools = vec![function("f")];
        let (written, losses) = encoded(&request, &target());
        assert_eq!((written.get("generationConfig"), losses), (None, lost(&["response_format"])));
        let (written, losses) = encoded(&request, &newer());
        assert_eq!(written["generationConfig"]["responseMimeType"], "application/json");
        assert_eq!(losses, lost(&[]));
        request.tools.clear();
        let (written, losses) = encoded(&request, &target());
        assert_eq!(written["generationConfig"]["responseMimeType"], "application/json");
        assert_eq!(losses, lost(&[]));
    }
}
