//! What shows over many requests, by the providers' own logs: a key that is refused, a ceiling that is told, and
//! how much a partial outage is multiplied. Breakers, queues and the like are in `resilience`.

use std::time::Duration;

use pointsman_core::{Dialect, Rng};
use pointsman_testkit::faults::{Attempt, Fault, Question};
use tokio::time::sleep;

use super::Faulty;
use crate::harness::secs;

/// Two providers, and a route over both.
const PAIR: &str = "
providers:
  a: { base_url: http://a.test/v1, keys: { env: CHAOS_KEY }, models: [m], include_usage: true }
  b: { base_url: http://b.test/v1, keys: { env: CHAOS_KEY }, models: [m], include_usage: true }
routes:
  r: { first: [a/m, b/m] }
";

fn question(seed: u64) -> Question {
    Question::new(Dialect::OpenAiChat, "r", false, seed, 4)
}

fn fault(name: &str) -> Option<&'static Fault> {
    Some(Fault::named(name).unwrap())
}

fn count(attempts: &[Attempt], what: &str) -> usize {
    attempts.iter().filter(|attempt| attempt.what() == what).count()
}

/// Asks once; the answer must be whole, whoever gave it.
async fn ask(faulty: &Faulty, seed: u64) {
    let question = question(seed);
    let (status, said) = faulty.ask(&question).await;
    assert!(status == 200 && said.is_whole() && said.text == question.expected(), "{status}: {said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_is_benched_and_the_others_go_on() {
    let yaml =
        PAIR.replacen("keys: { env: CHAOS_KEY }", "keys: [{ env: CHAOS_KEY }, { env: CHAOS_KEY_2 }]", 1);
    let faulty = Faulty::start(&yaml, 2);
    let [a, b] = [&faulty.injectors[0], &faulty.injectors[1]];
    a.refuses_key("sk-chaos-0001");
    for seed in 0..50 {
        ask(&faulty, seed).await;
    }
    let attempts = a.attempts();
    let refused = attempts.iter().filter(|attempt| attempt.key == "sk-chaos-0001").count();
    assert!((1..=2).contains(&refused), "{refused} attempts with the refused key");
    assert_eq!((attempts.len() - refused, b.attempts().len()), (50, 0), "the other key serves all");
}

/// What an official SDK does: two more tries after some statuses, unless it is told not to.
async fn as_an_sdk(faulty: &Faulty, question: &Question) -> bool {
    for _ in 0..3 {
        let (status, headers, said) = faulty.ask_for_head(question).await;
        if status == 200 {
            return said.is_whole();
        }
        let told = headers.get("x-should-retry").is_some_and(|value| value == "false");
        if told || !matches!(status, 408 | 409 | 429 | 500..) {
            return false;
        }
        sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_partial_outage_is_not_multiplied_although_an_sdk_retries_too() {
    const REQUESTS: u64 = 1_000;
    let yaml = PAIR.replace("  b:", "  unused:").replace("first: [a/m, b/m]", "first: [a/m]");
    // Whatever share fails, the breaker is not to help here.
    let yaml = yaml.replacen("include_usage: true", "include_usage: true, breaker: off", 1);
    let faulty = Faulty::start(&yaml, 1);
    let a = &faulty.injectors[0];
    a.otherwise(|_, number| fault("server_error").filter(|_| Rng::new(number as u64).below(10) < 3));
    let mut served = 0;
    for seed in 0..REQUESTS {
        sleep(Duration::from_millis(20)).await;
        served += u64::from(as_an_sdk(&faulty, &question(seed)).await);
    }
    let asked = a.attempts().len() as u64;
    assert!(asked <= REQUESTS * 12 / 10, "{asked} attempts for {REQUESTS} requests");
    assert!(served >= REQUESTS * 7 / 10, "{served} served");
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_before_a_ceiling_is_reached() {
    let yaml = PAIR.replace("first: [a/m, b/m]", "balance: [a/m, b/m]");
    let faulty = Faulty::start(&yaml, 2);
    let [a, b] = [&faulty.injectors[0], &faulty.injectors[1]];
    a.ceiling(20, secs(60));
    for seed in 0..200 {
        sleep(Duration::from_millis(100)).await;
        ask(&faulty, seed).await;
    }
    let (at_a, at_b) = (a.attempts(), b.attempts());
    assert_eq!(count(&at_a, "rate_limit_headers"), 0, "nobody ran into it");
    assert!(at_a.len() >= 15 && at_b.len() == 200 - at_a.len(), "{} and {}", at_a.len(), at_b.len());
}
