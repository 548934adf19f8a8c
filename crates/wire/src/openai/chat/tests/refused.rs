//! What models of this dialect refuse, from clients of others.

use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::encoded;
use crate::json::Text;
use crate::neutral::{Cap, Format, Given, Logprobs, Quirks, Request, Target, Thinking};

/// A request of this client's for this model, and what was lost.
fn asked(
    client: Dialect,
    target: &Target<'_>,
    change: impl FnOnce(&mut Request<'_>),
) -> (Value, Vec<String>) {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    encoded(body, target, |request| {
        request.dialect = client;
        change(request);
    })
}

fn named(model: &'static str) -> Target<'static> {
    Target::new(Dialect::OpenAiChat, "vendor", model)
}

fn lost(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

/// Says how to draw, where to stop, and asks for probabilities.
fn draw(request: &mut Request<'_>, temperature: &'static str) {
    request.sampling.temperature = Some(Given::new("temperature", temperature));
    request.sampling.top_p = Some(Given::new("top_p", "0.5"));
    request.sampling.frequency_penalty = Some(Given::new("frequencyPenalty", "0"));
    request.sampling.presence_penalty = Some(Given::new("presencePenalty", "0.1"));
    request.sampling.seed = Some(Given::new("seed", "7"));
    request.stop = Some(Given::new("stop_sequences", vec![Text::from("END")]));
    request.logprobs = Some(Given::new("responseLogprobs", Logprobs { top: Some(2) }));
}

#[test]
fn a_model_that_reasons_is_not_told_how_to_draw() {
    let all =
        ["temperature", "top_p", "frequency_penalty", "presence_penalty", "stop", "logprobs", "top_logprobs"];
    for model in ["gpt-5-mini", "openai/o3", "gpt-5.6-luna"] {
        let (body, losses) = asked(Dialect::Gemini, &named(model), |request| draw(request, "0.2"));
        assert!(all.iter().all(|name| body.get(name).is_none()), "{body}");
        assert_eq!(body["seed"], 7);
        let expected = ["stop_sequences", "temperature", "top_p", "presencePenalty", "responseLogprobs"];
        assert_eq!(losses, lost(&expected), "{model}");
        // The default says nothing.
        let (body, losses) = asked(Dialect::Gemini, &named(model), |request| draw(request, "1.0"));
        assert_eq!((body.get("temperature"), losses.contains(&"temperature".to_owned())), (None, false));
        // The vendor judges its own clients.
        let (body, losses) = asked(Dialect::OpenAiChat, &named(model), |request| draw(request, "0.2"));
        assert!(all.iter().all(|name| body.get(name).is_some()), "{body}");
        assert_eq!(losses, lost(&[]));
    }
    let (body, losses) = asked(Dialect::Gemini, &named("gpt-4.1"), |request| draw(request, "0.2"));
    assert!(all.iter().all(|name| body.get(name).is_some()), "{body}");
    assert_eq!(losses, lost(&[]));
}

#[test]
fn a_model_that_need_not_reason_is_told_how_to_draw_when_it_does_not() {
    let drawn = |effort: Option<&'static str>| {
        let (body, _) = asked(Dialect::Ollama, &named("gpt-5.2"), |request| {
            request.sampling.temperature = Some(Given::new("options.temperature", "0.2"));
            request.thinking.effort = effort.map(|effort| Given::new("think", Text::from(effort)));
        });
        body.get("temperature").is_some()
    };
    assert!(drawn(None) && drawn(Some("none")) && !drawn(Some("low")));
}

#[test]
fn efforts_are_those_that_the_model_knows() {
    let effort = |model, word| {
        let (body, losses) = asked(Dialect::Anthropic, &named(model), |request| {
            request.thinking.effort = Some(Given::new("output_config.effort", Text::from(word)));
        });
        (body["reasoning_effort"].clone(), losses)
    };
    let field = lost(&["output_config.effort"]);
    assert_eq!(effort("gpt-4.1", "max"), (Value::Null, field.clone()));
    assert_eq!(effort("gpt-5", "max"), (json!("high"), field.clone()));
    assert_eq!(effort("mistral-medium-latest", "max"), (json!("high"), field));
    assert_eq!(effort("gpt-5.6-luna", "max"), (json!("max"), lost(&[])));
    assert_eq!(effort("gpt-5.1", "minimal"), (json!("low"), lost(&[])));
    let (body, losses) = asked(Dialect::Anthropic, &named("gpt-4o"), |request| {
        request.thinking.budget = Some(Given::new("thinking.budget_tokens", Cap::Tokens(4_000)));
    });
    assert_eq!((body.get("reasoning_effort"), losses), (None, lost(&["thinking.budget_tokens"])));
}

#[test]
fn not_to_think_is_said_as_far_as_the_model_lets_it() {
    let off = |model| {
        let (body, losses) = asked(Dialect::Ollama, &named(model), |request| {
            request.thinking.on = Some(Given::new("think", false));
        });
        (body["reasoning_effort"].clone(), losses)
    };
    assert_eq!(off("gpt-5.2"), (json!("none"), lost(&[])));
    assert_eq!(off("gpt-5"), (json!("minimal"), lost(&["think"])));
    assert_eq!(off("gpt-4o"), (Value::Null, lost(&[])));
    assert_eq!(off("m"), (Value::Null, lost(&["think"])));
}

/// What a vendor with these members is told of thinking, and what was lost.
fn switched(extras: &[&'static str], thinking: Thinking<'static>) -> (Value, Vec<String>) {
    let quirks = Quirks { extras: extras.iter().map(|&extra| extra.into()).collect(), ..Quirks::NONE };
    let (mut body, losses) =
        asked(Dialect::Anthropic, &Target { quirks: &quirks, ..named("qwen-plus") }, |request| {
            request.thinking = thinking;
        });
    let members = body.as_object_mut().unwrap();
    members.retain(|name, _| name.contains("thinking") || name.contains("reasoning"));
    (body, losses)
}

#[test]
fn whoever_wants_thoughts_switches_them_on_where_there_is_a_switch() {
    let budget = |cap| Thinking { budget: Some(Given::new("thinking", cap)), ..Thinking::default() };
    let effort =
        |word| Thinking { effort: Some(Given::new("think", Text::from(word))), ..Thinking::default() };
    let (tokens, off) = (Cap::Tokens(4_000), Cap::Tokens(0));
    let qwen = ["enable_thinking", "thinking_budget"];
    let object = |word: &str| json!({ "type": word });
    for (extras, thinking, expected) in [
        (&qwen[..], budget(tokens), json!({ "enable_thinking": true, "thinking_budget": 4_000 })),
        (&qwen[..1], budget(tokens), json!({ "enable_thinking": true, "reasoning_effort": "low" })),
        (&qwen[..], budget(Cap::Free), json!({ "enable_thinking": true })),
        (&qwen[..], budget(off), json!({ "enable_thinking": false })),
        (&qwen[..], effort("high"), json!({ "enable_thinking": true, "reasoning_effort": "high" })),
        (&qwen[..], effort("none"), json!({ "enable_thinking": false })),
        (
            &["thinking"][..],
            budget(tokens),
            json!({ "thinking": object("enabled"), "reasoning_effort": "low" }),
        ),
        (&["thinking"][..], budget(Cap::Free), json!({ "thinking": object("enabled") })),
        (&["thinking"][..], budget(off), json!({ "thinking": object("disabled") })),
        // Vendors with such a switch have words of their own.
        (
            &["thinking"][..],
            effort("max"),
            json!({ "thinking": object("enabled"), "reasoning_effort": "max" }),
        ),
        (&[][..], budget(tokens), json!({ "reasoning_effort": "low" })),
        (&[][..], budget(Cap::Free), json!({})),
        (&qwen[..], Thinking::default(), json!({})),
    ] {
        let told = format!("{thinking:?}");
        assert_eq!(switched(extras, thinking), (expected, lost(&[])), "{extras:?} {told}");
    }
}

#[test]
fn a_long_name_of_a_user_becomes_a_digest() {
    let user = |client, name: String| {
        let (body, losses) = asked(client, &named("gpt-4.1"), |request| {
            request.user = Some(Given::new("user", Text::from(name)));
        });
        assert_eq!(losses, lost(&[]));
        body["user"].as_str().unwrap().to_owned()
    };
    let long = "u".repeat(65);
    let digest = user(Dialect::Anthropic, long.clone());
    assert!(digest.len() <= 64 && digest != long, "{digest}");
    assert_eq!(user(Dialect::Anthropic, long.clone()), digest);
    assert_ne!(user(Dialect::Anthropic, "v".repeat(190)), digest);
    assert_eq!(user(Dialect::Anthropic, "u".repeat(64)), "u".repeat(64));
    assert_eq!(user(Dialect::OpenAiChat, long.clone()), long);
}

#[test]
fn a_schema_that_was_always_obeyed_still_is() {
    let format = |client, model, schema: &'static str| {
        let (body, losses) = asked(client, &named(model), |request| {
            let schema =
                Format::Schema { name: None, description: None, schema: schema.into(), strict: None };
            request.format = Some(Given::new("format", schema));
        });
        (body["response_format"]["json_schema"].clone(), losses)
    };
    let open = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#;
    let loose = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
    let mut closed: Value = serde_json::from_str(open).unwrap();
    closed["additionalProperties"] = json!(false);
    let (written, losses) = format(Dialect::Ollama, "gpt-4.1", open);
    assert_eq!(written, json!({ "name": "answer", "schema": closed, "strict": true }));
    assert_eq!(losses, lost(&[]));
    let (written, losses) = format(Dialect::Ollama, "gpt-4.1", loose);
    assert_eq!((written.get("strict"), losses), (None, lost(&["format"])));
    // Elsewhere a schema is best effort unless it is said to be more, and other servers are not known.
    for (client, model) in [(Dialect::OpenAiResponses, "gpt-4.1"), (Dialect::Ollama, "llama-3.3-70b")] {
        let (written, losses) = format(client, model, open);
        assert_eq!((written.get("strict"), losses), (None, lost(&[])), "{client}");
    }
}
