//! Requests of other dialects, written for Anthropic.

use super::*;

fn texts(texts: &[&str]) -> Value {
    texts.iter().map(|text| json!({ "type": "text", "text": text })).collect()
}

#[test]
fn a_plain_request_is_as_small_as_it_can_be() {
    let request = foreign(vec![said(Role::User, vec![text("Hello")])]);
    let expected = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 4096,
        "messages": [{ "role": "user", "content": "Hello" }],
    });
    assert_eq!(encoded(&request, &target()), (expected, Vec::new()));
    let (limited, _) = encoded(&request, &Target { max_output: Some(64_000), stream: true, ..target() });
    assert_eq!((&limited["max_tokens"], &limited["stream"]), (&json!(64_000), &json!(true)));
}

#[test]
fn turns_alternate_and_results_come_first() {
    let request = foreign(vec![
        said(Role::System, vec![text("One.")]),
        said(Role::Developer, vec![text("Two.")]),
        said(Role::User, vec![text("a")]),
        said(Role::User, vec![text(" \n"), text("b")]),
        said(Role::Assistant, vec![text(""), call("c1", Arguments::Quoted(Text::Escaped(r#"{\"n\":1}"#)))]),
        said(Role::Assistant, vec![call("c2", Arguments::Quoted(Text::from("")))]),
        said(Role::User, vec![text("and hurry")]),
        said(Role::User, vec![result("c1", vec![text("rain")])]),
        said(Role::User, vec![result("c2", vec![])]),
        said(Role::System, vec![text("Three.")]),
        said(Role::Assistant, vec![text("It rains, \n ")]),
    ]);
    let (written, losses) = encoded(&request, &target());
    assert_eq!(written["system"], texts(&["One.", "Two.", "Three."]));
    assert_eq!(
        written["messages"],
        json!([
            { "role": "user", "content": texts(&["a", "b"]) },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "c1", "name": "weather", "input": { "n": 1 } },
                { "type": "tool_use", "id": "c2", "name": "weather", "input": {} },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1", "content": "rain" },
                { "type": "tool_result", "tool_use_id": "c2" },
                { "type": "text", "text": "and hurry" },
            ] },
            { "role": "assistant", "content": "It rains," },
        ])
    );
    // Only the blank text is gone.
    assert_eq!(losses, ["messages[0]"]);
}

#[test]
fn a_conversation_begins_with_the_user() {
    let request = foreign(vec![said(Role::System, vec![text("Say hello.")])]);
    let (written, _) = encoded(&request, &target());
    assert_eq!(written["messages"], json!([{ "role": "user", "content": "Begin." }]));
    let request = foreign(vec![said(Role::Assistant, vec![text("Hi.")]), said(Role::User, vec![text("x")])]);
    let (written, _) = encoded(&request, &target());
    assert_eq!(written["messages"][0]["role"], "user");
    assert_eq!(written["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn no_stop_sequences_are_none() {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    for (stop, written, told) in [
        (vec![], Value::Null, false),
        (vec![Text::from(" ")], Value::Null, true),
        (vec![Text::from(" "), Text::from("a")], json!(["a"]), true),
    ] {
        request.stop = Some(Given::new("stop", stop));
        let (seen, losses) = encoded(&request, &target());
        assert_eq!((&seen["stop_sequences"], !losses.is_empty()), (&written, told));
    }
}

#[test]
fn a_conversation_that_says_nothing_is_refused() {
    for turns in [
        Vec::new(),
        vec![said(Role::User, vec![text("")])],
        vec![said(Role::Assistant, Vec::new()), said(Role::User, Vec::new())],
    ] {
        let error = encode_request(&foreign(turns), &target()).unwrap_err();
        assert_eq!(error.field, "messages");
        assert!(error.problem.starts_with("must hold at least one message"), "{error}");
    }
}

#[test]
fn a_model_that_does_not_go_on_from_a_begun_answer_is_not_asked_to() {
    let request = foreign(vec![said(Role::User, vec![text("x")]), said(Role::Assistant, vec![text("He")])]);
    let error = encode_request(&request, &newer()).unwrap_err();
    assert!(error.to_string().starts_with("`messages` ends with what the assistant says"), "{error}");
    let (written, _) = encoded(&request, &target());
    assert_eq!(written["messages"][1], json!({ "role": "assistant", "content": "He" }));
    let counting = Target { counts: true, ..newer() };
    assert_eq!(encoded(&request, &counting).0["messages"][1]["role"], "assistant");
    // Of another vendor's model nothing is known.
    let other = Target::new(Dialect::Anthropic, "minimax", "MiniMax-M2");
    assert_eq!(encoded(&request, &other).0["messages"][1]["role"], "assistant");
}

#[test]
fn later_instructions_stand_behind_the_user_where_the_model_takes_them() {
    let turns = |later: Vec<Message<'static>>| {
        let mut turns = vec![
            said(Role::System, vec![text("S")]),
            said(Role::Developer, vec![text("D")]),
            said(Role::User, vec![text("a")]),
        ];
        turns.extend(later);
        foreign(turns)
    };
    let model = Target::new(Dialect::Anthropic, "anthropic", "claude-opus-4-8");
    let turn_of = |role, words: &'static str| said(role, vec![text(words)]);
    // Before what the user says next, between turns of the model, and at the end.
    let request = turns(vec![
        turn_of(Role::Assistant, "b"),
        turn_of(Role::System, "m"),
        turn_of(Role::Developer, "n"),
        turn_of(Role::User, "c"),
        turn_of(Role::Assistant, "d"),
        turn_of(Role::System, "o"),
        turn_of(Role::Assistant, "e"),
        turn_of(Role::User, "f"),
        turn_of(Role::System, "p"),
    ]);
    let (written, losses) = encoded(&request, &model);
    let turn = |role: &str, content: Value| json!({ "role": role, "content": content });
    assert_eq!(
        written["messages"],
        json!([
            turn("user", json!("a")),
            turn("assistant", json!("b")),
            turn("user", json!("c")),
            turn("system", texts(&["m", "n"])),
            turn("assistant", texts(&["d", "e"])),
            turn("user", json!("f")),
            turn("system", json!("p")),
        ])
    );
    // Nothing of the user's is behind the last turn of the model: the vendor has no place there.
    assert_eq!(written["system"], texts(&["S", "D", "o"]));
    assert_eq!(losses, Vec::<String>::new());
    // What is said last is to be answered, whoever says it.
    let last = turns(vec![turn_of(Role::Assistant, "b"), turn_of(Role::System, "Sum it up.")]);
    for model in ["claude-opus-4-8", "claude-opus-4-6", "claude-3-5-haiku-latest"] {
        let (written, _) = encoded(&last, &named(model));
        assert_eq!(written["messages"][2], json!({ "role": "user", "content": "Sum it up." }), "{model}");
        assert_eq!(written["system"], texts(&["S", "D"]), "{model}");
    }
    let (older, _) = encoded(&request, &Target::new(Dialect::Anthropic, "anthropic", "claude-opus-4-7"));
    assert_eq!(older["system"].as_array().unwrap().len(), 6);
    assert_eq!(older["messages"].as_array().unwrap().len(), 5);
}

#[test]
fn arguments_that_are_no_object_are_kept_inside_one() {
    let free = Arguments::Free(Text::from("ls"));
    let broken = Arguments::Quoted(Text::from("[1"));
    let request = foreign(vec![
        said(Role::User, vec![text("x")]),
        said(Role::Assistant, vec![call("tool.1", free), call("b", broken)]),
    ]);
    let (written, losses) = encoded(&request, &target());
    let calls = &written["messages"][1]["content"];
    // The dot is not in the vendor's alphabet; an answer's client hands the id back, and gets its own.
    assert_eq!(
        calls[0],
        json!({ "type": "tool_use", "id": "tool_x2e1", "name": "weather", "input": { "input": "ls" } })
    );
    assert_eq!(calls[1]["input"], json!({ "input": "[1" }));
    assert_eq!(losses, ["messages[1].content[0].arguments"]);
}

#[test]
fn sampling_stays_within_the_vendors_ranges() {
    let sampled = |temperature: &'static str, top_p: Option<&'static str>| {
        let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
        request.sampling.temperature = Some(Given::new("temperature", temperature));
        request.sampling.top_p = top_p.map(|value| Given::new("top_p", value));
        let (written, losses) = encoded(&request, &target());
        let number = |name: &str| written.get(name).map(ToString::to_string);
        (number("temperature"), number("top_p"), losses)
    };
    assert_eq!(sampled("0.20", None), (Some("0.20".to_owned()), None, vec![]));
    assert_eq!(sampled("1.0", Some("1")), (None, None, vec![]));
    assert_eq!(sampled("1.7", None), (Some("1".to_owned()), None, vec!["temperature".to_owned()]));
    assert_eq!(sampled("0.2", Some("0.5")), (Some("0.2".to_owned()), None, vec!["top_p".to_owned()]));
    assert_eq!(sampled("1", Some("0.5")), (None, Some("0.5".to_owned()), vec![]));
}

#[test]
fn what_has_no_place_is_declared() {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    request.messages[0].name = Some(Text::from("ann"));
    for (slot, field) in [
        (&mut request.sampling.min_p, "min_p"),
        (&mut request.sampling.frequency_penalty, "frequency_penalty"),
        (&mut request.sampling.presence_penalty, "presence_penalty"),
        (&mut request.sampling.repeat_penalty, "repeat_penalty"),
        (&mut request.sampling.seed, "seed"),
    ] {
        *slot = Some(Given::new(field, "1"));
    }
    request.logprobs = Some(Given::new("logprobs", Logprobs { top: None }));
    request.choices = Some(Given::new("n", 2));
    request.metadata = Some(Given::new("metadata", "{}"));
    request.store = Some(Given::new("store", true));
    request.service_tier = Some(Given::new("service_tier", Text::from("flex")));
    request.format = Some(Given::new("response_format", Format::Json));
    request.stop = Some(Given::new("stop", vec![Text::from("\n"), Text::from("END")]));
    request.user = Some(Given::new("user", Text::from("u")));
    let name = Text::from("logit_bias");
    request.rest.push(crate::neutral::Extension { path: Path::Root, name, raw: "{}" });
    let mut server = function("web_search");
    server.kind = ToolKind::Server(r#"{"type":"web_search"}"#);
    request.tools.push(server);
    let (written, mut losses) = encoded(&request, &target());
    losses.sort();
    let expected = [
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "messages[0].name",
        "metadata",
        "min_p",
        "n",
        "presence_penalty",
        "repeat_penalty",
        "response_format",
        "seed",
        "service_tier",
        "stop",
        "store",
        "tools[0]",
    ];
    assert_eq!(losses, expected);
    assert_eq!(
        written,
        json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 4096,
            "stop_sequences": ["END"],
            "metadata": { "user_id": "u" },
            "messages": [{ "role": "user", "content": "x" }],
        })
    );
    request.previous = Some(Given::new("previous_response_id", Text::from("r")));
    let error = encode_request(&request, &target()).unwrap_err();
    assert_eq!(
        error,
        EncodeError { field: "previous_response_id".into(), problem: "must be resolved first" }
    );
}

#[test]
fn tool_choices_have_their_counterparts() {
    let chosen = |choice: Option<ToolChoice<'static>>, parallel: Option<bool>| {
        let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
        request.tools = vec![function("a"), function("b")];
        request.tool_choice = choice.map(|choice| Given::new("tool_choice", choice));
        request.parallel_tool_calls = parallel.map(|on| Given::new("parallel_tool_calls", on));
        let (written, losses) = encoded(&request, &target());
        assert_eq!(losses, Vec::<String>::new());
        (written.get("tool_choice").cloned().unwrap_or_default(), written["tools"].as_array().unwrap().len())
    };
    assert_eq!(chosen(None, Some(true)), (Value::Null, 2));
    assert_eq!(chosen(None, Some(false)), (json!({ "type": "auto", "disable_parallel_tool_use": true }), 2));
    assert_eq!(chosen(Some(ToolChoice::Required), None), (json!({ "type": "any" }), 2));
    assert_eq!(chosen(Some(ToolChoice::None), Some(false)), (json!({ "type": "none" }), 2));
    let named = ToolChoice::Named(Text::from("b"));
    assert_eq!(chosen(Some(named), None), (json!({ "type": "tool", "name": "b" }), 2));
    let among = ToolChoice::Among { names: vec![Text::from("b")], required: true };
    assert_eq!(chosen(Some(among), None), (json!({ "type": "any" }), 1));
}

#[test]
fn tools_of_all_kinds() {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    let mut strict = function("strict");
    let schema = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1}},"required":["n"]}"#;
    strict.kind = ToolKind::Function { schema: Some(schema.into()), strict: Some(true) };
    strict.description = Some(Text::Escaped(r"a\nb"));
    let mut bare = function("bare");
    bare.kind = ToolKind::Function { schema: None, strict: Some(false) };
    let mut free = function("free");
    free.kind = ToolKind::Custom { format: Some(r#"{"type":"grammar"}"#) };
    request.tools = vec![strict, bare, free];
    let (written, losses) = encoded(&request, &target());
    assert_eq!(
        written["tools"],
        json!([
            { "name": "strict", "description": "a\nb", "strict": true, "input_schema": {
                "type": "object",
                "properties": { "n": { "type": "integer", "description": "{minimum: 1}" } },
                "required": ["n"],
                "additionalProperties": false,
            } },
            { "name": "bare", "input_schema": { "type": "object", "properties": {} } },
            { "name": "free", "input_schema": {
                "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"],
            } },
        ])
    );
    assert_eq!(losses, ["tools[0].function.parameters.minimum", "tools[0].custom.format"]);
}

#[test]
fn a_schema_carries_its_name() {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    let schema = |schema: &'static str| Format::Schema {
        name: Some(Text::from("person")),
        description: None,
        schema: schema.into(),
        strict: Some(true),
    };
    request.format = Some(Given::new("response_format", schema(r#"{"type":"object"}"#)));
    let (written, losses) = encoded(&request, &target());
    let expected = json!({ "title": "person", "type": "object", "additionalProperties": false });
    assert_eq!(written["output_config"], json!({ "format": { "type": "json_schema", "schema": expected } }));
    assert_eq!(losses, Vec::<String>::new());
    request.format = Some(Given::new("response_format", schema(r#"{"type":"object","title":"P"}"#)));
    assert_eq!(encoded(&request, &target()).1, ["response_format.json_schema.name"]);
}

fn thinking(
    effort: &'static str,
    target: &Target<'_>,
    change: impl FnOnce(&mut Request<'static>),
) -> (Value, Vec<String>) {
    let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
    request.thinking.effort = Some(Given::new("reasoning_effort", Text::from(effort)));
    change(&mut request);
    encoded(&request, target)
}

#[test]
fn efforts_become_budgets_for_earlier_models() {
    let (written, losses) = thinking("high", &target(), |_| {});
    assert_eq!(written["thinking"], json!({ "type": "enabled", "budget_tokens": 24_576 }));
    assert_eq!(written["max_tokens"], 24_576 + 4_096);
    assert_eq!(losses, Vec::<String>::new());
    // The limit is the client's; the budget stays below it.
    let (written, _) = thinking("high", &target(), |r| r.max_output = Some(Given::new("max_tokens", 2_000)));
    assert_eq!(
        (&written["thinking"]["budget_tokens"], &written["max_tokens"]),
        (&json!(1_999), &json!(2_000))
    );
    let (written, losses) =
        thinking("low", &target(), |r| r.max_output = Some(Given::new("max_tokens", 500)));
    assert_eq!((written.get("thinking"), losses), (None, vec!["reasoning_effort".to_owned()]));
    let (written, _) = thinking("none", &target(), |_| {});
    assert_eq!(written.get("thinking"), None);
    // Where nothing says how much the model writes, no number is too large to be asked for.
    let (written, losses) = thinking("high", &target(), |request| {
        request.thinking.budget = Some(Given::new("thinking_budget", Cap::Tokens(u64::MAX)));
    });
    assert_eq!(written["thinking"]["budget_tokens"], 120_000);
    assert_eq!((&written["max_tokens"], &losses[0]), (&json!(124_096), &"thinking_budget".to_owned()));
}

#[test]
fn efforts_stay_efforts_for_later_models() {
    for (said, effort) in [("minimal", "low"), ("medium", "medium"), ("max", "max")] {
        let (written, losses) = thinking(said, &newer(), |_| {});
        assert_eq!(written["thinking"], json!({ "type": "adaptive" }));
        assert_eq!(written["output_config"], json!({ "effort": effort }));
        assert_eq!(losses, Vec::<String>::new());
    }
    // This word came with the next version.
    let (written, losses) = thinking("xhigh", &newer(), |_| {});
    assert_eq!((&written["output_config"]["effort"], losses), (&json!("high"), lost(&["reasoning_effort"])));
    let (written, losses) = thinking("enormous", &newer(), |_| {});
    assert_eq!((written.get("thinking"), losses), (None, lost(&["reasoning_effort"])));
    let (written, losses) = thinking("xhigh", &named("claude-opus-4-7"), |_| {});
    assert_eq!((&written["output_config"]["effort"], losses), (&json!("xhigh"), lost(&[])));
    let (written, _) = thinking("none", &newer(), |_| {});
    assert_eq!(written["thinking"], json!({ "type": "disabled" }));
    let (written, _) = thinking("low", &newer(), |request| {
        request.thinking.effort = None;
        request.thinking.budget = Some(Given::new("thinkingConfig.thinkingBudget", Cap::Tokens(9_000)));
        request.thinking.shown = Some(Given::new("thinkingConfig.includeThoughts", true));
    });
    assert_eq!(written["thinking"], json!({ "type": "adaptive", "display": "summarized" }));
    assert_eq!(written["output_config"], json!({ "effort": "medium" }));
}

#[test]
fn to_think_is_enough_where_no_measure_is_given() {
    let on = |request: &mut Request<'static>| {
        request.thinking.effort = None;
        request.thinking.on = Some(Given::new("enable_thinking", true));
    };
    let free = |request: &mut Request<'static>| {
        request.thinking.effort = None;
        request.thinking.budget = Some(Given::new("thinkingConfig.thinkingBudget", Cap::Free));
    };
    for (written, losses) in [thinking("", &newer(), on), thinking("", &newer(), free)] {
        assert_eq!((&written["thinking"], losses), (&json!({ "type": "adaptive" }), lost(&[])));
        assert_eq!(written.get("output_config"), None);
    }
    let earlier = json!({ "type": "enabled", "budget_tokens": 8_192 });
    for (written, losses) in [thinking("", &target(), on), thinking("", &target(), free)] {
        assert_eq!((&written["thinking"], losses), (&earlier, lost(&[])));
    }
}

#[test]
fn tiers_have_anthropics_words() {
    for (tier, word) in [
        ("auto", Some("auto")),
        ("priority", Some("auto")),
        ("default", Some("standard_only")),
        ("standard", Some("standard_only")),
        ("flex", None),
    ] {
        let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
        request.service_tier = Some(Given::new("service_tier", Text::from(tier)));
        let (written, losses) = encoded(&request, &target());
        assert_eq!(written.get("service_tier").and_then(Value::as_str), word, "{tier}");
        assert_eq!(losses.is_empty(), word.is_some(), "{tier}");
    }
}

#[test]
fn thinking_gives_way_to_what_the_vendor_refuses_beside_it() {
    let (written, losses) = thinking("low", &target(), |request| {
        request.sampling.temperature = Some(Given::new("temperature", "0.3"));
        request.sampling.top_k = Some(Given::new("top_k", "5"));
    });
    assert_eq!((written.get("temperature"), written.get("top_k")), (None, None));
    assert_eq!(losses, ["temperature", "top_k"]);
    for (top_p, kept) in [("0.94", false), ("0.95", true), ("0.99", true)] {
        let top_p =
            |request: &mut Request<'static>| request.sampling.top_p = Some(Given::new("top_p", top_p));
        let (written, losses) = thinking("low", &target(), top_p);
        assert_eq!((written.get("top_p").is_some(), losses.is_empty()), (kept, kept));
    }
    let (written, losses) = thinking("low", &target(), |request| {
        request.tools = vec![function("a")];
        request.tool_choice = Some(Given::new("tool_choice", ToolChoice::Required));
    });
    assert_eq!((written.get("thinking"), losses), (None, vec!["reasoning_effort".to_owned()]));
    // The thoughts before this call were another provider's.
    let loop_of_tools = |request: &mut Request<'static>| {
        request.messages.push(said(Role::Assistant, vec![call("c", Arguments::Object("{}"))]));
        request.messages.push(said(Role::User, vec![result("c", vec![])]));
    };
    let (written, losses) = thinking("low", &target(), loop_of_tools);
    assert_eq!((written.get("thinking"), losses), (None, vec!["reasoning_effort".to_owned()]));
    let (written, losses) = thinking("low", &newer(), loop_of_tools);
    assert_eq!((&written["thinking"]["type"], losses), (&json!("adaptive"), vec![]));
}

fn named(model: &'static str) -> Target<'static> {
    Target::new(Dialect::Anthropic, "anthropic", model)
}

fn lost(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

#[test]
fn models_that_refuse_sampling_are_not_sent_any() {
    let drawn = |model, own, numbers: [&'static str; 3]| {
        let mut request = foreign(vec![said(Role::User, vec![text("x")])]);
        if own {
            request.dialect = Dialect::Anthropic;
        }
        let [temperature, top_p, top_k] = numbers;
        request.sampling.temperature = Some(Given::new("temperature", temperature));
        request.sampling.top_p = Some(Given::new("top_p", top_p));
        request.sampling.top_k = Some(Given::new("top_k", top_k));
        let (written, losses) = encoded(&request, &named(model));
        let sent: Vec<_> = ["temperature", "top_p", "top_k"]
            .into_iter()
            .filter(|name| written.get(name).is_some())
            .collect();
        (sent, losses)
    };
    for model in ["claude-opus-4-7", "anthropic/claude-sonnet-5", "claude-fable-5", "claude-haiku-5-5"] {
        let all = lost(&["temperature", "top_p", "top_k"]);
        assert_eq!(drawn(model, false, ["0.2", "0.97", "40"]), (vec![], all), "{model}");
        // These say the default.
        assert_eq!(drawn(model, false, ["1", "1.0", "40"]), (vec![], lost(&["top_k"])), "{model}");
        // The vendor judges its own clients.
        let sent = vec!["temperature", "top_p", "top_k"];
        assert_eq!(drawn(model, true, ["0.2", "0.5", "40"]), (sent, lost(&[])), "{model}");
    }
    let (sent, losses) = drawn("claude-opus-4-6", false, ["0.2", "1", "40"]);
    assert_eq!((sent, losses), (vec!["temperature", "top_k"], lost(&[])));
}

#[test]
fn thinking_is_switched_off_as_far_as_the_model_lets_it() {
    let off = |model, change: fn(&mut Request<'static>)| {
        let (written, losses) = thinking("none", &named(model), change);
        (written["thinking"]["type"].clone(), written["output_config"]["effort"].clone(), losses)
    };
    let by_effort: fn(&mut Request<'static>) = |_| {};
    for model in ["claude-opus-4-8", "claude-opus-5", "claude-haiku-5-5"] {
        assert_eq!(off(model, by_effort), (json!("disabled"), Value::Null, lost(&[])), "{model}");
    }
    let between = off("claude-sonnet-5-5", by_effort);
    assert_eq!(between, (json!("between_tools"), Value::Null, lost(&[])));
    for model in ["claude-opus-5-5", "claude-fable-5", "claude-fable-5-1", "claude-mythos-preview"] {
        let expected = (Value::Null, json!("low"), lost(&["reasoning_effort"]));
        assert_eq!(off(model, by_effort), expected, "{model}");
    }
    let by_switch = off("claude-opus-5-5", |request| {
        request.thinking.effort = None;
        request.thinking.on = Some(Given::new("think", false));
    });
    assert_eq!(by_switch, (Value::Null, json!("low"), lost(&["think"])));
    let by_budget = off("claude-opus-5-5", |request| {
        request.thinking.effort = None;
        request.thinking.budget = Some(Given::new("thinkingConfig.thinkingBudget", Cap::Tokens(0)));
    });
    assert_eq!(by_budget, (Value::Null, json!("low"), lost(&["thinkingConfig.thinkingBudget"])));
}

#[test]
fn models_that_refuse_forced_tools_are_left_to_choose() {
    let chosen = |model, choice: ToolChoice<'static>| {
        let (written, losses) = thinking("high", &named(model), |request| {
            request.tools = vec![function("a"), function("b")];
            request.tool_choice = Some(Given::new("tool_choice", choice));
        });
        (written["tool_choice"].clone(), written["thinking"]["type"].clone(), losses)
    };
    for model in ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-1"] {
        let free = (json!({ "type": "auto" }), json!("adaptive"), lost(&["tool_choice"]));
        assert_eq!(chosen(model, ToolChoice::Required), free, "{model}");
        assert_eq!(chosen(model, ToolChoice::Named(Text::from("a"))), free, "{model}");
        let (none, _, losses) = chosen(model, ToolChoice::None);
        assert_eq!((none, losses), (json!({ "type": "none" }), lost(&[])), "{model}");
    }
    for model in ["claude-opus-5", "claude-fable-5", "claude-haiku-5-5"] {
        let (choice, ..) = chosen(model, ToolChoice::Required);
        assert_eq!(choice, json!({ "type": "any" }), "{model}");
    }
}

#[test]
fn own_thoughts_go_back_and_others_do_not() {
    let thought = |text: &'static str, seal: Option<Seal<'static>>| {
        let text = if text.is_empty() { vec![] } else { vec![Text::from(text), Text::from("b")] };
        block(Content::Reasoning(Reasoning { text, seal, ..Reasoning::default() }))
    };
    let seal =
        |kind, provider| Some(Seal::from_provider(Text::from("sig"), kind, Dialect::Anthropic, provider));
    let request = foreign(vec![
        said(Role::User, vec![text("x")]),
        said(
            Role::Assistant,
            vec![
                thought("a", seal(SealKind::Signature, "anthropic")),
                thought("", seal(SealKind::Encrypted, "anthropic")),
                thought("c", seal(SealKind::Signature, "elsewhere")),
                thought("d", None),
                text("y"),
            ],
        ),
        said(Role::User, vec![text("z")]),
    ]);
    let (written, losses) = encoded(&request, &target());
    assert_eq!(
        written["messages"][1]["content"],
        json!([
            { "type": "thinking", "thinking": "a\n\nb", "signature": "sig" },
            { "type": "redacted_thinking", "data": "sig" },
            { "type": "text", "text": "y" },
        ])
    );
    assert_eq!(losses, ["messages[1].content[0]"]);
}

fn media(source: Source<'static>, mime: Option<&'static str>) -> Media<'static> {
    Media { source, mime: mime.map(Text::from), name: None, detail: None }
}

#[test]
fn media_find_their_places() {
    let url = |url| Source::Url(Text::from(url));
    let pdf =
        Media { name: Some(Text::from("a.pdf")), ..media(Source::Base64(Text::from("JVBERi0=")), None) };
    let request = foreign(vec![said(
        Role::User,
        vec![
            block(Content::Image(media(Source::Base64(Text::from("/9j/AA")), None))),
            block(Content::Image(media(Source::Base64(Text::from("AA")), Some("image/jpg")))),
            block(Content::Image(media(url("https://p.example/a.png"), None))),
            block(Content::Image(media(url("http://p.example/a.png"), None))),
            block(Content::Document(pdf)),
            block(Content::Document(media(
                Source::Base64(Text::from("aGk=")),
                Some("text/csv; charset=utf-8"),
            ))),
            block(Content::Document(media(Source::PlainText(Text::from("hi")), None))),
            block(Content::Document(media(url("https://p.example/a.csv"), Some("text/csv")))),
        ],
    )]);
    let needed = needs(&request, &target());
    let urls: Vec<_> = needed.iter().map(|need| need.url.as_str()).collect();
    assert_eq!(urls, ["http://p.example/a.png", "https://p.example/a.csv"]);
    assert!(encode_request(&request, &target()).is_err());
    let mut resolved = Resolved::default();
    resolved.0.insert(urls[0].to_owned(), ("image/png".into(), "iVBO".into()));
    resolved.0.insert(urls[1].to_owned(), ("text/csv".into(), "Yyxk".into()));
    let target = Target { media: &resolved, ..target() };
    assert_eq!(needs(&request, &target), []);
    let (written, losses) = encoded(&request, &target);
    let base64 = |mime: &str, data: &str| json!({ "type": "base64", "media_type": mime, "data": data });
    let plain = |data: &str| json!({ "type": "text", "media_type": "text/plain", "data": data });
    assert_eq!(
        written["messages"][0]["content"],
        json!([
            { "type": "image", "source": base64("image/jpeg", "/9j/AA") },
            { "type": "image", "source": base64("image/jpeg", "AA") },
            { "type": "image", "source": { "type": "url", "url": "https://p.example/a.png" } },
            { "type": "image", "source": base64("image/png", "iVBO") },
            { "type": "document", "source": base64("application/pdf", "JVBERi0="), "title": "a.pdf" },
            { "type": "document", "source": plain("hi") },
            { "type": "document", "source": plain("hi") },
            { "type": "document", "source": plain("c,d") },
        ])
    );
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn media_without_a_place_are_declared() {
    let sound = media(Source::Base64(Text::from("AA")), Some("audio/wav"));
    let file = media(Source::File(Text::from("file-1")), None);
    let detailed =
        Media { detail: Some(Text::from("low")), ..media(Source::Base64(Text::from("/9j/")), None) };
    let mut blocks = vec![text("x")];
    let contents = [
        Content::Audio(sound.clone()),
        Content::Video(sound),
        Content::Image(file.clone()),
        Content::Document(file),
        Content::Opaque(r#"{"type":"odd"}"#),
        Content::Image(detailed),
    ];
    for (at, content) in (0u32..).zip(contents) {
        blocks.push(Block::new(content, Path::Part("messages", 0, "content", at)));
    }
    let (written, losses) = encoded(&foreign(vec![said(Role::User, blocks)]), &target());
    assert_eq!(written["messages"][0]["content"].as_array().unwrap().len(), 2);
    let place = |at: u32| format!("messages[0].content[{at}]");
    let expected =
        [place(0), place(1), place(2), place(3), place(4), format!("{}.image_url.detail", place(5))];
    assert_eq!(losses, expected);
}

#[test]
fn a_result_may_be_an_object() {
    let mut answer = result("c", vec![]);
    if let Content::ToolResult(result) = &mut answer.content {
        (result.object, result.failed) = (Some(r#"{"temp": 3}"#), true);
    }
    let request = foreign(vec![said(Role::User, vec![answer])]);
    let (written, _) = encoded(&request, &target());
    assert_eq!(
        written["messages"][0]["content"],
        json!([{ "type": "tool_result", "tool_use_id": "c", "content": "{\"temp\": 3}", "is_error": true }])
    );
}

#[test]
fn citations_of_others_are_not_sent() {
    let citation = Citation {
        url: Some(Text::from("https://a.example")),
        title: None,
        quote: None,
        span: Some((0, 1)),
        raw: r#"{"type":"url_citation"}"#,
    };
    let cited = block(Content::Text { text: Text::from("y"), citations: vec![citation.clone()] });
    let request = foreign(vec![
        said(Role::User, vec![text("x")]),
        said(Role::Assistant, vec![cited]),
        said(Role::User, vec![text("z")]),
    ]);
    let (written, losses) = encoded(&request, &target());
    assert_eq!(written["messages"][1]["content"], json!([{ "type": "text", "text": "y" }]));
    assert_eq!(losses, ["messages[1].content[0].citations"]);
    // What a client got in its place is not sent either: only Anthropic can make such an index.
    let mut form = Writer::default();
    assert!(answer::write_citation(&mut form, &citation));
    let form: Value = serde_json::from_slice(&form.finish()).unwrap();
    assert_eq!((&form["type"], &form["encrypted_index"]), (&json!("web_search_result_location"), &json!("")));
    let body = json!({ "model": "c", "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": [{ "type": "text", "text": "y", "citations": [form] }] },
    ] });
    let text = body.to_string();
    let document = Document::read(text.as_bytes()).unwrap();
    let (written, losses) = encoded(&decode_request(&document).unwrap(), &target());
    assert_eq!(written["messages"][1]["content"], json!([{ "type": "text", "text": "y" }]));
    assert_eq!(losses, ["messages[1].content[0].citations"]);
}

#[test]
fn pictures_are_called_by_what_they_are() {
    let called = |client, mime: &'static str, data: &'static str| {
        let picture = Content::Image(media(Source::Base64(Text::from(data)), Some(mime)));
        let mut request = foreign(vec![said(Role::User, vec![block(picture)])]);
        request.dialect = client;
        let (written, losses) = encoded(&request, &target());
        assert_eq!(losses, Vec::<String>::new());
        written["messages"][0]["content"][0]["source"]["media_type"].clone()
    };
    // The vendor looks at the bytes, and refuses another name for them.
    assert_eq!(called(Dialect::OpenAiChat, "image/png", "/9j/2wCEAAEB"), "image/jpeg");
    assert_eq!(called(Dialect::OpenAiChat, "image/png", "iVBORw0KGgoA"), "image/png");
    assert_eq!(called(Dialect::OpenAiChat, "image/webp", "AAAA"), "image/webp");
    assert_eq!(called(Dialect::Anthropic, "image/png", "/9j/2wCEAAEB"), "image/png");
}
