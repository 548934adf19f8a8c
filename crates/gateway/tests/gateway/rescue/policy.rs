//! What a route wants, what cannot be gone on with, and what comes of those who refuse.

use bytes::Bytes;
use pointsman_core::record::Joined;
use pointsman_core::{Dialect, ErrorCode, Outcome};
use pointsman_testkit::mock::{Answer, Cut, Received};
use serde_json::{Value, json};

use super::story::*;
use crate::harness::*;

/// The story breaks off in the middle; what the client gets, and how often the second provider was asked.
async fn cut_story(
    yaml: &str,
    client: Dialect,
    more: Value,
) -> (String, usize, pointsman_core::RequestRecord) {
    let world = start(yaml);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let events = told(client, "alpha", &PIECES, PROMPT);
    alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
    goes_on(&beta, client, "");
    let mut stream = world.client().await.open(ask(client, "tale", more)).await;
    let text = stream.rest().await;
    let record = world.record().await;
    world.assert_at_rest();
    (text, beta.received().len(), record)
}

/// The stream ends with an error in the client's dialect, and in no other way.
#[track_caller]
fn assert_told(client: Dialect, stream: &str, reason: &str) {
    assert!(stream.contains("stream_interrupted") || stream.contains("\"error\""), "{stream}");
    assert!(stream.contains(reason), "{stream}");
    for end in ["[DONE]", "message_stop", "response.completed"] {
        assert!(!stream.contains(end), "{client}: {stream}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_may_want_the_error() {
    for client in DIALECTS {
        let yaml = two(client, client, ", on_interrupt: error");
        let (text, asked, record) = cut_story(&yaml, client, json!({})).await;
        assert_told(client, &text, "the stream broke off");
        assert_eq!((asked, record.outcome), (0, Outcome::Reset));
        assert_eq!(record.error, Some(ErrorCode::StreamInterrupted));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_may_only_restart_what_was_not_shown() {
    for client in DIALECTS {
        let yaml = two(client, client, ", on_interrupt: restart");
        let (text, asked, record) = cut_story(&yaml, client, json!({})).await;
        assert_told(client, &text, "only restarts");
        assert_eq!((asked, record.outcome), (0, Outcome::Reset));
    }
    // A call that was held back was not shown.
    let world = start(&two(Dialect::OpenAiChat, Dialect::OpenAiChat, ", on_interrupt: restart"));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let call = json!({"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\"a\":"}}]}}]});
    alpha.script([Answer::sse([Bytes::from(format!("data: {call}\n\n"))])]);
    goes_on(&beta, Dialect::OpenAiChat, "");
    let mut stream = world.client().await.open(ask(Dialect::OpenAiChat, "tale", json!({}))).await;
    assert_eq!(heard(Dialect::OpenAiChat, &stream.rest().await).text, whole());
    let sent = beta.received()[0].json();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 1, "the client's own request: {sent}");
    let record = world.record().await;
    assert_eq!(record.attempts[1].joint.unwrap().how, Joined::Anew);
}

#[tokio::test(start_paused = true)]
async fn several_choices_log_probabilities_and_sound_are_not_gone_on_with() {
    let yaml = two(Dialect::OpenAiChat, Dialect::OpenAiChat, "");
    for (more, reason) in [
        (json!({"n": 2}), "several choices"),
        (json!({"logprobs": true}), "log probabilities"),
        (json!({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}), "audio"),
    ] {
        let (text, asked, record) = cut_story(&yaml, Dialect::OpenAiChat, more).await;
        assert_told(Dialect::OpenAiChat, &text, reason);
        assert_eq!((asked, record.outcome), (0, Outcome::Reset));
    }
}

#[tokio::test(start_paused = true)]
async fn thoughts_that_broke_off_are_thought_anew() {
    let world = start(&two(Dialect::OpenAiChat, Dialect::OpenAiChat, ""));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let thought = json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": {"reasoning_content": "Let me see"}}]});
    alpha.script([Answer::sse([Bytes::from(format!("data: {thought}\n\n"))])]);
    goes_on(&beta, Dialect::OpenAiChat, "");
    let mut stream = world.client().await.open(ask(Dialect::OpenAiChat, "tale", json!({}))).await;
    let heard = heard(Dialect::OpenAiChat, &stream.rest().await);
    assert_eq!((&*heard.text, &*heard.id), (&*whole(), "a"));
    assert_eq!(beta.received()[0].json()["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_refuses_to_go_on_by_itself_is_told_to_and_the_client_never_hears_of_it() {
    for client in DIALECTS {
        let world = start(&two(client, Dialect::Anthropic, ""));
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let events = told(client, "alpha", &PIECES, PROMPT);
        alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
        let refusal = json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "This model does not support assistant message prefill."}});
        beta.script([Answer::status(400, &refusal)]);
        goes_on(&beta, Dialect::Anthropic, "");
        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
        let text = stream.rest().await;
        assert_eq!(heard(client, &text).text, whole());
        assert!(!text.contains("prefill"), "{text}");
        let told: Vec<bool> =
            beta.received().iter().map(|sent| so_far(Dialect::Anthropic, &sent.json()).unwrap().1).collect();
        assert_eq!(told, [false, true]);
        let record = world.record().await;
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["reset", "client_fault", "success"]);
        assert_eq!(record.attempts[2].joint.unwrap().how, Joined::Instructed);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_goes_on_all_are_named_and_nothing_looks_whole() {
    for client in DIALECTS {
        let world = start(&two(client, client, ""));
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let events = told(client, "alpha", &PIECES, PROMPT);
        alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
        beta.otherwise(|_: &Received| Answer::error(400, "I will not"));
        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
        let text = stream.rest().await;
        assert_told(client, &text, "beta/m");
        assert!(text.contains("alpha/m"), "{text}");
        let record = world.record().await;
        assert_eq!((record.outcome, record.error), (Outcome::Reset, Some(ErrorCode::StreamInterrupted)));
        assert_eq!(record.usage.output, 4, "what the client has");
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_structured_answer_goes_on_only_where_the_model_does_so_by_itself() {
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {
        "type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}}});
    let pieces = ["{\"a\":", " \"x\",", " \"b\":", " 1}"];
    for (prefill, rest, whole) in [(true, " 1}", true), (true, " true}", false), (false, " 1}", false)] {
        let yaml = two(Dialect::OpenAiChat, Dialect::OpenAiChat, "");
        let yaml = if prefill { yaml } else { yaml.replace("prefill: message", "prefill: off") };
        let world = start(&yaml);
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let events = told(Dialect::OpenAiChat, "alpha", &pieces, PROMPT);
        alpha.script([cut(&events, place(&events, pieces[2], 0), Cut::Reset)]);
        beta.script([Answer::sse(told(Dialect::OpenAiChat, "beta", &[pieces[2], rest], PROMPT))]);
        let asked = ask(Dialect::OpenAiChat, "tale", json!({"response_format": schema}));
        let mut stream = world.client().await.open(asked).await;
        let text = stream.rest().await;
        if whole {
            assert_eq!(heard(Dialect::OpenAiChat, &text).text, pieces.concat());
        } else {
            assert_told(Dialect::OpenAiChat, &text, if prefill { "schema" } else { "structured answer" });
            assert!(!text.contains("\"finish_reason\":\"stop\""), "{text}");
        }
        assert_eq!(beta.received().len(), usize::from(prefill));
        world.record().await;
    }
}

#[tokio::test(start_paused = true)]
async fn vendors_are_told_in_their_own_words() {
    for (word, check) in [
        ("prefix", json!({"role": "assistant", "content": PIECES[..4].concat(), "prefix": true})),
        ("partial", json!({"role": "assistant", "content": PIECES[..4].concat(), "partial": true})),
        ("continue_final_message", json!({"role": "assistant", "content": PIECES[..4].concat()})),
    ] {
        let yaml = two(Dialect::OpenAiChat, Dialect::OpenAiChat, "")
            .replace("prefill: message", &format!("prefill: {word}"));
        let world = start(&yaml);
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let events = told(Dialect::OpenAiChat, "alpha", &PIECES, PROMPT);
        alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
        goes_on(&beta, Dialect::OpenAiChat, "");
        let mut stream =
            world.client().await.open(ask(Dialect::OpenAiChat, "tale", json!({"stop": ["END"]}))).await;
        assert_eq!(heard(Dialect::OpenAiChat, &stream.rest().await).text, whole());
        let sent = beta.received()[0].json();
        assert_eq!(sent["messages"][1], check, "{word}");
        assert_eq!((&sent["stop"], &sent["max_tokens"]), (&json!(["END"]), &json!(96)));
        assert_eq!(sent["continue_final_message"] == true, word == "continue_final_message");
        assert_eq!(sent["add_generation_prompt"] == false, word == "continue_final_message");
    }
}
