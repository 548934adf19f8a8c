//! What a client is told when nobody gave an answer.

use pointsman_core::Outcome;
use pointsman_testkit::mock::{Answer, Cut};

use crate::harness::*;

/// How alpha and beta end, and the status, code and `Retry-After` that come of it.
type Case = ([fn() -> Answer; 2], u16, &'static str, Option<&'static str>);

#[tokio::test(start_paused = true)]
async fn the_most_useful_cause_decides_whoever_was_last() {
    let limited: fn() -> Answer = || Answer::rate_limited(Some(70));
    let sooner: fn() -> Answer = || Answer::rate_limited(Some(65));
    let busy: fn() -> Answer = || Answer::error(503, "x").header("retry-after", "61");
    let broken: fn() -> Answer = || Answer::error(504, "x");
    let refused: fn() -> Answer = || Answer::error(401, "x");
    let cases: [Case; 6] = [
        ([limited, broken], 429, "upstream_rate_limited", Some("70")),
        ([broken, limited], 429, "upstream_rate_limited", Some("70")),
        ([limited, sooner], 429, "upstream_rate_limited", Some("65")),
        ([limited, busy], 429, "upstream_rate_limited", Some("61")),
        ([busy, refused], 503, "upstream_overloaded", Some("61")),
        ([refused, broken], 504, "upstream_timeout", None),
    ];
    for (number, (answers, status, code, retry_after)) in cases.into_iter().enumerate() {
        let world = start(TWO);
        for (name, answer) in ["alpha", "beta"].into_iter().zip(answers) {
            world.upstream(name).otherwise(move |_| answer());
        }
        let reply = world.chat("both").await;
        reply.assert_error(status, code, None);
        assert_eq!(reply.header("retry-after"), retry_after, "case {number}");
        assert_eq!(reply.error()["attempts"].as_array().unwrap().len(), 2, "every attempt is named");
        let record = world.record().await;
        assert_eq!(record.status, status);
        assert!(!matches!(record.outcome, Outcome::Unauthorized), "{:?}", record.outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_not_asked_twice() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    alpha.otherwise(|_| Answer::nothing(Cut::Hang));
    beta.otherwise(|_| Answer::nothing(Cut::Hang));
    let reply = world.send(streamed("both")).await;
    reply.assert_error(504, "upstream_timeout", None);
    assert_eq!((alpha.received().len(), beta.received().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn who_was_not_asked_is_named_too() {
    let yaml = TWO.replace("    include_usage: true\n", "    limits: { requests_per_minute: 1 }\n");
    let world = start(&yaml);
    let [_alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    assert_eq!(world.chat("both").await.status, 200);
    beta.otherwise(|_| Answer::error(504, "x"));
    let reply = world.chat("both").await;
    reply.assert_error(429, "upstream_rate_limited", None);
    let message = reply.message();
    assert!(
        message.contains("1. beta/m: ") && message.contains("not asked: alpha/m: its limit"),
        "{message}"
    );
    assert_eq!(reply.error()["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pictures_are_not_paid_for_twice() {
    let world = start(TWO);
    let [alpha, beta] = ["alpha", "beta"].map(|name| world.upstream(name));
    let draw = || post("/v1/images/generations", r#"{"model":"both","prompt":"x"}"#);
    alpha.script([Answer::error(500, "x")]);
    assert_eq!(world.send(draw()).await.status, 502);
    assert_eq!((alpha.received().len(), beta.received().len()), (1, 0), "it may have drawn one");
    beta.otherwise(|_| Answer::json(&serde_json::json!({"created": 1, "data": []})));
    alpha.script([Answer::rate_limited(Some(1))]);
    let reply = world.send(draw()).await;
    assert_eq!(
        (reply.status, reply.header("x-pointsman-provider")),
        (200, Some("beta")),
        "it said it did not"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_is_the_same_at_every_attempt() {
    let world = start(TWO);
    let beta = world.upstream("beta");
    beta.script([Answer::error(500, "x")]);
    let reply = world.send(with(chat("beta/m"), "idempotency-key", "once")).await;
    assert_eq!(reply.status, 200);
    let keys: Vec<_> =
        beta.received().iter().map(|request| request.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys, [Some("once".to_owned()), Some("once".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn what_can_be_waited_for_counts_although_it_was_not_asked() {
    let yaml = TWO.replace("    include_usage: true\n", "    limits: { requests_per_minute: 1 }\n");
    for (answer, status, code) in [
        (Answer::error(401, "x"), 429, "upstream_rate_limited"),
        (Answer::error(504, "x"), 429, "upstream_rate_limited"),
        // What the client has to mend itself comes first.
        (Answer::error(400, "x"), 400, "upstream_rejected"),
    ] {
        let world = start(&yaml);
        let beta = world.upstream("beta");
        assert_eq!(world.chat("both").await.status, 200);
        beta.script([answer]);
        let reply = world.chat("both").await;
        assert_eq!(reply.status, status, "{}", reply.message());
        if status == 429 {
            reply.assert_error(status, code, None);
            assert_eq!(reply.header("retry-after"), Some("60"));
            assert_eq!(reply.header("x-should-retry"), None);
        }
    }
}
