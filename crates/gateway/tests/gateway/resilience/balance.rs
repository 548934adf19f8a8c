//! Routes that leave the choice to how the deployments are doing.

use std::collections::BTreeMap;
use std::time::Duration;

use pointsman_testkit::mock::{Answer, Mock};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::*;

const POOL: &str = r"
server: { zone: here }
providers:
  alpha: { base_url: http://alpha.test/v1, models: [m], ease_in: 0s, zone: here }
  beta: { base_url: http://beta.test/v1, models: [m], ease_in: 0s }
  gamma: { base_url: http://gamma.test/v1, models: [m], ease_in: 0s }
routes:
  turns: { balance: [alpha/m, beta/m, gamma/m], by: round_robin }
  weighted: { balance: [{ to: alpha/m, weight: 3 }, beta/m], by: weighted }
  tiers: { balance: [{ to: beta/m, priority: 1 }, { to: alpha/m, priority: 0 }], by: priority }
  quick: { balance: [beta/m, gamma/m] }
  sessions: { balance: [alpha/m, beta/m, gamma/m], by: round_robin, affinity: session }
  prefixes: { balance: [alpha/m, beta/m, gamma/m], by: round_robin, affinity: prefix, affinity_ttl: 1m }
  users: { balance: [alpha/m, beta/m, gamma/m], by: round_robin, affinity: user }
  hashed: { balance: [alpha/m, beta/m, gamma/m], by: rendezvous, affinity: session }
";

fn pool() -> (World, [Mock; 3]) {
    let world = start(POOL);
    let mocks = ["alpha", "beta", "gamma"].map(|name| world.upstream(name));
    (world, mocks)
}

async fn asked(world: &World, route: &str) -> String {
    provider(&world.chat(route).await)
}

fn provider(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    reply.header("x-pointsman-provider").unwrap().to_owned()
}

async fn counts(world: &World, route: &str, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(asked(world, route).await).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn in_turn_everybody_gets_the_same() {
    let (world, _mocks) = pool();
    let counts = counts(&world, "turns", 30).await;
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn by_weight_three_times_as_much_is_three_times_as_much() {
    let (world, _mocks) = pool();
    let counts = counts(&world, "weighted", 400).await;
    assert!((260..340).contains(&counts["alpha"]), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_lower_tier_serves_while_it_is_well() {
    let (world, [alpha, _beta, _gamma]) = pool();
    assert_eq!(counts(&world, "tiers", 10).await["alpha"], 10);
    for _ in 0..5 {
        alpha.script([Answer::error(500, "x")]);
        assert_eq!(asked(&world, "tiers").await, "beta");
    }
    let before = alpha.received().len();
    assert_eq!(counts(&world, "tiers", 10).await["beta"], 10);
    assert_eq!(alpha.received().len(), before);
}

#[tokio::test(start_paused = true)]
async fn the_quicker_one_gets_more() {
    let (world, [_alpha, beta, gamma]) = pool();
    beta.otherwise(|request| Answer::fitting(request).delay_head(Duration::from_millis(100)));
    gamma.otherwise(|request| Answer::fitting(request).delay_head(Duration::from_millis(900)));
    for _ in 0..60 {
        let reply = world.send(streamed("quick")).await;
        assert_eq!(reply.status, 200);
    }
    let (quick, slow) = (beta.received().len(), gamma.received().len());
    assert!(quick > 2 * slow, "{quick} and {slow}");
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_where_it_is_while_that_is_well() {
    let (world, mocks) = pool();
    let turn = |session: &'static str| with(chat("sessions"), "x-pointsman-session", session);
    let first = provider(&world.send(turn("a")).await);
    let other = provider(&world.send(turn("b")).await);
    assert_ne!(first, other, "another session is another turn");
    for _ in 0..6 {
        assert_eq!(provider(&world.send(turn("a")).await), first);
        assert_eq!(provider(&world.send(turn("b")).await), other);
    }
    // Without a session there is nothing to keep.
    let spread = counts(&world, "sessions", 6).await;
    assert_eq!(spread.len(), 3, "{spread:?}");

    let sick = &mocks[["alpha", "beta", "gamma"].iter().position(|name| *name == first).unwrap()];
    sick.otherwise(|_| Answer::error(500, "x"));
    let next = provider(&world.send(turn("a")).await);
    assert_ne!(next, first);
    let before = sick.received().len();
    for _ in 0..6 {
        assert_eq!(provider(&world.send(turn("a")).await), next, "it stays with who has answered");
    }
    assert_eq!(sick.received().len(), before);
}

#[tokio::test(start_paused = true)]
async fn conversations_are_known_by_how_they_begin() {
    let (world, _mocks) = pool();
    let turn = |messages: serde_json::Value| {
        post("/v1/chat/completions", json!({"model": "prefixes", "messages": messages}).to_string())
    };
    let opening = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "one"}]);
    let first = provider(&world.send(turn(opening.clone())).await);
    let mut grown = opening.as_array().unwrap().clone();
    for number in 0..4 {
        grown.push(json!({"role": "assistant", "content": format!("{number}")}));
        grown.push(json!({"role": "user", "content": "on"}));
        assert_eq!(provider(&world.send(turn(json!(grown))).await), first);
    }
    let other = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "two"}]);
    assert_ne!(provider(&world.send(turn(other)).await), first);
    let third = json!([{"role": "user", "content": "three"}]);
    assert_eq!(provider(&world.send(turn(third)).await), first, "it is its turn again");
    // Forgotten a minute after the last of them.
    sleep(secs(61)).await;
    assert_ne!(provider(&world.send(turn(json!(grown))).await), first, "it is the next one's turn");
}

#[tokio::test(start_paused = true)]
async fn users_are_those_that_requests_name() {
    let (world, _mocks) = pool();
    let by = |user: &str| {
        let body = json!({"model": "users", "user": user, "messages": [{"role": "user", "content": "x"}]});
        post("/v1/chat/completions", body.to_string())
    };
    let one = provider(&world.send(by("one")).await);
    let two = provider(&world.send(by("two")).await);
    assert_ne!(one, two);
    for _ in 0..4 {
        assert_eq!(provider(&world.send(by("one")).await), one);
        assert_eq!(provider(&world.send(by("two")).await), two);
    }
}

#[tokio::test(start_paused = true)]
async fn by_hash_a_session_needs_no_memory() {
    let sessions: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    let mut runs = Vec::new();
    for _ in 0..2 {
        // Another process knows nothing of the first.
        let (world, _mocks) = pool();
        let mut served = Vec::new();
        for session in &sessions {
            served.push(provider(&world.send(with(chat("hashed"), "x-pointsman-session", session)).await));
        }
        runs.push(served);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].iter().any(|name| name != &runs[0][0]), "they are spread: {:?}", runs[0]);
}
