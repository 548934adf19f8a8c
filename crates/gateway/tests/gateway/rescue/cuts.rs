//! Cut anywhere, in any dialect: the client sees one answer.

use bytes::Bytes;
use pointsman_core::record::Joined;
use pointsman_core::{Dialect, Outcome, Phase, UsageSource};
use pointsman_testkit::mock::{Answer, Cut};
use serde_json::json;
use tokio::time::Instant;

use super::story::*;
use crate::harness::*;

/// Asks for the story; the first provider's stream ends so. Answers how far it came, and what the client heard.
async fn broken_off(
    client: Dialect,
    (first, second): (Dialect, Dialect),
    answer: Answer,
    outcome: &str,
) -> (String, pointsman_core::RequestRecord) {
    let world = start(&two(first, second, ""));
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([answer]);
    goes_on(&beta, second, "");
    let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
    assert_eq!((stream.status, stream.header("x-pointsman-provider")), (200, Some("alpha")));
    let text = stream.rest().await;
    let heard = heard(client, &text);
    assert_eq!(heard.text, whole(), "{client} {first} {second}: {text}");
    assert!(first != client || heard.model == "model-alpha", "{heard:?}");
    assert_eq!(beta.received().len(), 1);
    let body = beta.received()[0].json();
    let (said, told) = so_far(second, &body).unwrap_or_default();
    assert!(whole().starts_with(&said), "{said}");
    assert_eq!(told, second == Dialect::OpenAiResponses, "{body}");
    let left = 100 - (PIECES.len() - rest_behind(&said).len()) as u64;
    let most = ["max_tokens", "max_completion_tokens", "max_output_tokens"].map(|name| body[name].as_u64());
    assert_eq!(most.into_iter().flatten().next(), Some(left), "{body}");

    let record = world.record().await;
    assert_eq!((record.outcome, record.status, record.error), (Outcome::Success, 200, None));
    let attempts: Vec<_> = record.attempts.iter().map(|a| (&*a.provider, a.outcome.as_str())).collect();
    assert_eq!(attempts, [("alpha", outcome), ("beta", "success")], "{client} {first} {second}");
    let shown = (PIECES.len() - rest_behind(&said).len()) as u64;
    assert_eq!(record.attempts[0].usage.output, shown, "one token each");
    assert_eq!(record.attempts[1].usage.output, PIECES.len() as u64 - shown);
    assert_eq!(record.attempts[1].usage.source, UsageSource::Reported);
    assert_eq!(record.usage.output, PIECES.len() as u64, "as if it had not broken off");
    assert_eq!((heard.output, heard.input), (record.usage.output, record.usage.input));
    assert_eq!(record.response_bytes, text.len() as u64);
    let joint = record.attempts[1].joint.unwrap();
    assert_eq!(joint.at_chars, said.chars().count() as u64);
    assert_eq!(joint.how, if told { Joined::Instructed } else { Joined::Prefill });
    assert_eq!(record.attempts[0].joint, None);
    world.assert_at_rest();
    (text, record)
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_whole_whatever_anybody_speaks_and_wherever_it_breaks_off() {
    for client in DIALECTS {
        for first in DIALECTS {
            for second in DIALECTS {
                let events = told(first, "alpha", &PIECES, PROMPT);
                let places = [
                    place(&events, PIECES[3], 2),
                    // Inside a character, of an event that is then not whole.
                    place(&events, "rich", 0) - 1,
                    // Between two events.
                    place(&events, PIECES[4], 0) + PIECES[4].len() + end_of_event(&events, PIECES[4]),
                    place(&events, PIECES[7], 5),
                ];
                for (number, at) in places.into_iter().enumerate() {
                    let end = [Cut::Reset, Cut::Close][number % 2];
                    broken_off(client, (first, second), cut(&events, at, end), "reset").await;
                }
            }
        }
    }
}

/// Bytes from the end of a piece to the end of its event.
fn end_of_event(events: &[Bytes], piece: &str) -> usize {
    let bytes = events.concat();
    let at = place(events, piece, piece.len());
    bytes[at..].windows(2).position(|pair| pair == b"\n\n").unwrap() + 2
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_is_gone_on_with_at_the_limit() {
    for client in DIALECTS {
        let events = told(client, "alpha", &PIECES, PROMPT);
        let answer = cut(&events, place(&events, PIECES[5], 0), Cut::Hang);
        let started = Instant::now();
        let (_, record) = broken_off(client, (client, client), answer, "timeout").await;
        assert_elapsed(started, secs(5));
        assert_eq!(record.attempts[0].outcome, Outcome::Timeout(Phase::BetweenChunks));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_stream_and_a_broken_frame_are_cuts() {
    for first in DIALECTS {
        let mut events = told(first, "alpha", &PIECES, PROMPT);
        let error = match first {
            Dialect::Anthropic => {
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"
            }
            Dialect::OpenAiResponses => {
                "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"fell over\",\"sequence_number\":9}\n\n"
            }
            _ => "data: {\"error\":{\"message\":\"fell over\",\"type\":\"server_error\"}}\n\n",
        };
        events.insert(6, Bytes::from(error));
        let outcome = if first == Dialect::Anthropic { "overloaded" } else { "upstream_fault" };
        broken_off(Dialect::OpenAiChat, (first, Dialect::Anthropic), Answer::sse(events), outcome).await;

        // A damaged piece of the answer would leave a hole.
        let mut events = told(first, "alpha", &PIECES, PROMPT);
        let damaged = Bytes::from("data: {\"type\":\"x\",\"choices\":[{\"delta\":{\"content\":\"lo\n\n");
        events.insert(6, damaged);
        broken_off(Dialect::OpenAiChat, (first, Dialect::Anthropic), Answer::sse(events), "malformed").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_second_one_says_again_is_not_shown() {
    for client in DIALECTS {
        for opener in
            ["Sure, continuing: there lived a \u{1f642} \"king\"", "there lived a\n\u{1f642} \"king\""]
        {
            let world = start(&two(client, client, ""));
            let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
            let events = told(client, "alpha", &PIECES, PROMPT);
            alpha.script([cut(&events, place(&events, PIECES[4], 0), Cut::Reset)]);
            goes_on(&beta, client, opener);
            let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
            let heard = heard(client, &stream.rest().await);
            assert_eq!(heard.text, whole());
            assert_eq!(heard.output, PIECES.len() as u64, "what was said twice is not the client's");
            let record = world.record().await;
            assert!(record.attempts[1].joint.unwrap().dropped_chars >= 22);
            assert_eq!(record.attempts[1].usage.output, 5, "but it is paid for");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_break_off_again_and_again() {
    let yaml = two(Dialect::OpenAiChat, Dialect::Anthropic, "");
    let yaml = yaml.replace("routes:", "  gamma: { base_url: 'http://gamma.test/v1', models: [m], include_usage: true, prefill: message }\nroutes:")
        .replace("beta/m]", "beta/m, gamma/m]");
    for client in DIALECTS {
        let world = start(&yaml);
        let [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map(|name| world.upstream(name));
        let events = told(Dialect::OpenAiChat, "alpha", &PIECES, PROMPT);
        alpha.script([cut(&events, place(&events, PIECES[2], 0), Cut::Reset)]);
        let more = told(Dialect::Anthropic, "beta", &PIECES[2..], PROMPT + 2);
        beta.script([cut(&more, place(&more, PIECES[5], 0), Cut::Close)]);
        goes_on(&gamma, Dialect::OpenAiChat, "");
        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
        let heard = heard(client, &stream.rest().await);
        assert_eq!((heard.text, heard.output), (whole(), PIECES.len() as u64));
        let record = world.record().await;
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["reset", "reset", "success"]);
        let outputs: Vec<_> = record.attempts.iter().map(|attempt| attempt.usage.output).collect();
        assert_eq!(outputs, [2, 3, 3]);
        assert_eq!(so_far(Dialect::OpenAiChat, &gamma.received()[0].json()).unwrap().0, PIECES[..5].concat());
        world.assert_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_missing_is_made_up_for() {
    for client in DIALECTS.into_iter().filter(|client| *client != Dialect::OpenAiResponses) {
        for end in [Cut::Close, Cut::Reset] {
            let world = start(&two(client, client, ""));
            let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
            let events = told(client, "alpha", &PIECES, PROMPT);
            alpha.script([Answer::sse(events.clone()).cut_after_parts(events.len() - 1, end)]);
            let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
            let text = stream.rest().await;
            assert_eq!(text.as_bytes(), events.concat(), "{client}");
            assert_eq!(beta.received().len(), 0);
            assert_eq!(world.record().await.outcome, Outcome::Success);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_damaged_event_that_says_nothing_is_passed_over() {
    for client in DIALECTS {
        let world = start(&two(client, client, ""));
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let clean = told(client, "alpha", &PIECES, PROMPT);
        let mut events = clean.clone();
        events.insert(6, Bytes::from_static(b"data: {nonsense\n\n"));
        alpha.script([Answer::sse(events.clone())]);
        let mut stream = world.client().await.open(ask(client, "alpha/m", json!({}))).await;
        assert_eq!(stream.rest().await.as_bytes(), clean.concat(), "{client}");
        assert_eq!(world.record().await.outcome, Outcome::Success);
        // The second one is no accident any more.
        events.insert(8, Bytes::from_static(b"data: {nonsense\n\n"));
        alpha.script([Answer::sse(events)]);
        goes_on(&beta, client, "");
        let mut stream = world.client().await.open(ask(client, "tale", json!({}))).await;
        assert_eq!(heard(client, &stream.rest().await).text, whole());
        assert_eq!(world.records(2).await[1].attempts[0].outcome, Outcome::Malformed);
    }
}
