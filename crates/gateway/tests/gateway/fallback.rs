//! Retry, exhaustion, and whose words an error repeats.

use std::time::Duration;

use pointsman_core::{ErrorCode, Outcome, Phase};
use pointsman_testkit::mock::{Answer, Cut};
use pointsman_testkit::openai::{Tokens, chat_answer};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 5, output: 2 };

/// One provider, several tries.
const PATIENT: &str = r"
providers:
  alpha:
    base_url: http://alpha.test/v1
    models: [m]
    timeouts: { total: 60s }
routes:
  again: { model: alpha/m, retry: { attempts: 5, base: 100ms, cap: 300ms } }
  hurried: { model: alpha/m, timeouts: { total: 3s } }
";

#[tokio::test(start_paused = true)]
async fn the_clients_own_faults_are_relayed_as_they_are() {
    for status in [400, 404, 413, 422] {
        let world = start(TWO);
        let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
        let body = "{ \"error\" : {\"message\":\"bad temperature\",\"type\":\"invalid_request_error\",\
                    \"param\":\"temperature\",\"code\":null}, \"more\": 1e400 }";
        alpha.script([Answer::new(status, "application/json", body).header("x-request-id", "up-9")]);
        let reply = world.chat("both").await;
        assert_eq!((reply.status, &reply.body[..]), (status, body.as_bytes()));
        assert_eq!(reply.header("x-request-id"), Some("up-9"));
        assert_eq!(reply.header("x-pointsman-provider"), Some("alpha"));
        assert_eq!(reply.header("x-pointsman-attempts"), Some("1"));
        assert_eq!((alpha.received().len(), beta.received().len()), (1, 0), "no retry, no fallback");
        let record = world.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::ClientFault, status));
        assert_eq!(record.error, Some(ErrorCode::UpstreamRejected));
        assert_eq!(record.response_bytes, body.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_request_is_refused_plainly() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::error(400, "no such tool")]);
    let reply = world.send(streamed("both")).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "no such tool"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test(start_paused = true)]
async fn refusals_that_clients_cannot_read_are_put_in_their_shape() {
    let world = start(TWO);
    let alpha = world.upstream("alpha");
    alpha.script([
        Answer::new(400, "text/html", "<h1>Bad Request</h1>"),
        Answer::status(422, &json!({"detail": [{"loc": ["body", "n"], "msg": "too big"}]})),
        Answer::new(404, "text/plain", ""),
    ]);
    let reply = world.chat("both").await;
    reply.assert_error(400, "upstream_rejected", None);
    assert!(reply.message().contains("Bad Request"), "{}", reply.message());
    let reply = world.chat("both").await;
    assert_eq!((reply.status, reply.message().as_str()), (422, "too big"));
    let reply = world.chat("both").await;
    assert_eq!(reply.status, 404);
    assert!(!reply.message().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_clients_fault_inside_a_good_status_is_the_clients_fault() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let error = json!({"error": {"message": "too long", "code": "context_length_exceeded"}});
    alpha.script([Answer::json(&error)]);
    let reply = world.chat("both").await;
    assert_eq!(reply.status, 400, "{:?}", reply.body);
    assert!(reply.message().contains("too long"), "{}", reply.message());
    assert_eq!(beta.received().len(), 0);
    assert_eq!(world.record().await.outcome, Outcome::ContextTooLong);
}

#[tokio::test(start_paused = true)]
async fn exhaustion_names_every_attempt() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.script([Answer::rate_limited(Some(7))]);
    beta.script([Answer::error(500, "boom"), Answer::nothing(Cut::Reset)]);
    let reply = world.chat("both").await;
    reply.assert_error(429, "upstream_rate_limited", None);
    assert_eq!(reply.header("retry-after"), Some("7"));
    assert_eq!(reply.header("x-pointsman-attempts"), Some("3"));
    let message = reply.message();
    for part in [
        "3 attempts",
        "1. alpha/m: status 429, too many requests",
        "2. beta/m: status 500, boom",
        "3. beta/m: the connection broke",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    let attempts = reply.error()["attempts"].clone();
    assert_eq!(
        attempts,
        json!([
            {"provider": "alpha", "model": "m", "outcome": "rate_limited", "status": 429},
            {"provider": "beta", "model": "m", "outcome": "upstream_fault", "status": 500},
            {"provider": "beta", "model": "m", "outcome": "reset", "status": null},
        ])
    );
    let record = world.record().await;
    assert_eq!(reply.error()["request_id"], record.id.to_string());
    assert_eq!((record.outcome, record.status), (Outcome::RateLimited { retry_after: Some(secs(7)) }, 429));
    assert_eq!(record.error, Some(ErrorCode::UpstreamRateLimited));
    assert_eq!(record.overhead_us, 0, "pauses between attempts are no overhead");
    world.assert_at_rest();
}

/// An answer, and the status, code and `Retry-After` that a client gets for it.
type Ending = (fn() -> Answer, u16, &'static str, Option<&'static str>);

#[tokio::test(start_paused = true)]
async fn the_cause_decides_the_status() {
    let cases: [Ending; 6] = [
        (|| Answer::rate_limited(Some(70)), 429, "upstream_rate_limited", Some("70")),
        (|| Answer::error(503, "x").header("retry-after", "61"), 503, "upstream_overloaded", Some("61")),
        (|| Answer::error(500, "x"), 502, "upstream_unavailable", None),
        (|| Answer::error(504, "x"), 504, "upstream_timeout", None),
        (|| Answer::json(&json!([])), 502, "upstream_malformed", None),
        (|| Answer::error(401, "your key sk-alpha is wrong"), 502, "upstream_unauthorized", None),
    ];
    for (answer, status, code, retry_after) in cases {
        let world = start(TWO);
        world.upstream("alpha").otherwise(move |_| answer());
        for request in [chat("alpha/m"), streamed("alpha/m")] {
            let reply = world.send(request).await;
            reply.assert_error(status, code, None);
            assert_eq!(reply.header("retry-after"), retry_after, "{code}");
            assert!(!reply.message().contains("sk-alpha"), "words about our credentials stay here");
            // What was tried again here need not be tried again by the client's library.
            let enough =
                ["upstream_unauthorized", "upstream_unavailable", "upstream_malformed"].contains(&code);
            assert_eq!(reply.header("x-should-retry"), enough.then_some("false"), "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_candidate_is_tried_again_within_its_pauses() {
    for round in 0..5 {
        let world = start(PATIENT);
        let alpha = world.upstream("alpha");
        alpha.script(std::iter::repeat_n(Answer::error(500, "x"), 4));
        let reply = world.chat("again").await;
        assert_eq!((reply.status, reply.header("x-pointsman-attempts")), (200, Some("5")), "{round}");
        let received = alpha.received();
        let pauses: Vec<_> = received.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        let limits = [100, 200, 300, 300].map(|ms| Duration::from_millis(ms + 2));
        assert!(pauses.iter().zip(limits).all(|(pause, limit)| *pause <= limit), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause > Duration::from_millis(10)), "{pauses:?}");
        let record = world.record().await;
        assert_eq!((record.attempts.len(), record.overhead_us), (5, 0));
        assert!(received.iter().all(|request| request.body == received[0].body), "the same bytes each time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_providers_wish_is_kept_where_it_fits() {
    let world = start(PATIENT);
    let alpha = world.upstream("alpha");
    alpha.script([Answer::rate_limited(Some(20)), Answer::chat("m", "late", TOKENS)]);
    let started = Instant::now();
    let reply = world.chat("again").await;
    assert_eq!(reply.json(), chat_answer("m", "late", TOKENS));
    let elapsed = started.elapsed();
    assert!(elapsed >= secs(20) && elapsed <= secs(20) + Duration::from_millis(102), "{elapsed:?}");

    // A wish that does not fit into the deadline ends the request at once.
    alpha.script([Answer::rate_limited(Some(20))]);
    let started = Instant::now();
    let reply = world.chat("hurried").await;
    reply.assert_error(429, "upstream_rate_limited", None);
    assert_eq!(reply.header("retry-after"), Some("20"));
    assert_elapsed(started, secs(0));
}

#[tokio::test(start_paused = true)]
async fn a_date_as_retry_after_is_understood() {
    let world = start(TWO);
    // START_UNIX and 100 seconds: more than the deadline leaves.
    let date = "Mon, 21 Sep 2026 14:15:00 GMT";
    world.upstream("alpha").otherwise(move |_| Answer::rate_limited(None).header("retry-after", date));
    let reply = world.send(chat("alpha/m")).await;
    assert_eq!(reply.header("retry-after"), Some("100"));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_over_everything() {
    // A hanging head, a hanging body, and one slow failure after the other.
    let answers: [fn() -> Answer; 3] = [
        || Answer::nothing(Cut::Hang),
        || Answer::chat("m", "x", TOKENS).cut_body(10, Cut::Hang),
        || Answer::error(500, "x").delay_head(secs(2)),
    ];
    for answer in answers {
        let world = start(PATIENT);
        let alpha = world.upstream("alpha");
        alpha.otherwise(move |_| answer());
        let started = Instant::now();
        let reply = world.chat("hurried").await;
        assert_elapsed(started, secs(3));
        reply.assert_error(504, "upstream_timeout", None);
        let record = world.record().await;
        assert_eq!(record.outcome, Outcome::Timeout(Phase::Total));
        assert_eq!(record.overhead_us, 0);
        alpha.wait_connections(|connections| connections.open == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn costs_of_all_attempts_add_up() {
    let yaml = "providers:\n  openai: { base_url: 'http://openai.test/v1' }\n  \
                alpha: { base_url: 'http://alpha.test/v1' }\n\
                routes:\n  r: { first: [alpha/m, openai/gpt-4o-mini] }\n";
    let world = Setup::new(yaml).env("OPENAI_API_KEY", "k").start();
    let alpha = world.upstream("alpha");
    let openai = world.upstream("openai");
    alpha.script([Answer::error(500, "x")]);
    openai.script([Answer::chat("m", "x", Tokens { input: 1_000, output: 0 })]);
    let reply = world.chat("r").await;
    // A failed attempt of an unpriced model has no tokens, so the sum is known.
    assert_eq!(reply.header("x-pointsman-cost-usd"), Some("0.000150000"));
}
