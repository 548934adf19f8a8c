//! Guessing keys: wrong ones are limited by address, right ones pass as before.

use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::harness::*;

/// One key, and three wrong ones in half a minute.
fn keyed() -> World {
    let hash: String = Sha256::digest("pm-right").iter().map(|byte| format!("{byte:02x}")).collect();
    start(&format!(
        "server: {{ auth_failures: {{ max: 3, window: 30s }} }}\n{TWO}keys: [{{ id: right, sha256: {hash} }}]\n"
    ))
}

fn guess() -> http::Request<http_body_util::Full<bytes::Bytes>> {
    with(chat("alpha/m"), "authorization", "Bearer pm-guess")
}

fn right() -> http::Request<http_body_util::Full<bytes::Bytes>> {
    with(chat("alpha/m"), "authorization", "Bearer pm-right")
}

#[tokio::test(start_paused = true)]
async fn wrong_keys_are_limited_and_right_ones_are_not() {
    let world = keyed();
    let alpha = world.upstream("alpha");
    for _ in 0..3 {
        world.send(guess()).await.assert_error(401, "invalid_api_key", None);
    }
    let reply = world.send(guess()).await;
    reply.assert_error(429, "too_many_auth_failures", None);
    assert_eq!(reply.error()["type"], "rate_limit_error");
    assert_eq!((reply.header("retry-after"), reply.header("connection")), (Some("10"), Some("close")));
    // The list of models is no way around it, and what has no key at all is no guess.
    let list = with(get("/v1/models"), "x-api-key", "pm-guess");
    world.send(list).await.assert_error(429, "too_many_auth_failures", None);
    world.send(chat("alpha/m")).await.assert_error(401, "invalid_api_key", None);
    for _ in 0..5 {
        assert_eq!(world.send(right()).await.status, 200, "from the same address");
    }
    // One comes back every ten seconds; what was refused has not put that off.
    sleep(secs(10)).await;
    world.send(guess()).await.assert_error(401, "invalid_api_key", None);
    world.send(guess()).await.assert_error(429, "too_many_auth_failures", None);
    sleep(secs(30)).await;
    for _ in 0..3 {
        world.send(guess()).await.assert_error(401, "invalid_api_key", None);
    }
    world.send(guess()).await.assert_error(429, "too_many_auth_failures", None);
    assert_eq!(alpha.received().len(), 5);
    assert!(world.has_metric("pointsman_requests_refused_total{code=\"too_many_auth_failures\"} 4"));
    assert!(world.has_metric("pointsman_requests_refused_total{code=\"invalid_api_key\"} 8"));
    world.records(5).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_good_for_one_guess_beyond_the_limit() {
    let world = keyed();
    let mut client = world.client().await;
    for _ in 0..3 {
        client.send(guess()).await.assert_error(401, "invalid_api_key", None);
    }
    client.send(guess()).await.assert_error(429, "too_many_auth_failures", None);
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn addresses_are_told_apart_and_ipv6_networks_are_not() {
    let world = keyed();
    let limited = async |peer: &str| world.client_from(peer).await.send(guess()).await.status == 429;
    for host in 1..=3 {
        assert!(!limited(&format!("2001:db8::{host}")).await);
    }
    assert!(limited("2001:db8::4").await, "the same /64");
    assert!(!limited("2001:db8:0:1::4").await);
    for _ in 0..3 {
        assert!(!limited("192.0.2.7").await);
    }
    assert!(limited("192.0.2.7").await && limited("::ffff:192.0.2.7").await);
    assert!(!limited("192.0.2.8").await);
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_the_limit() {
    let world = keyed();
    for _ in 0..4 {
        world.send(guess()).await;
    }
    let hash: String = Sha256::digest("pm-right").iter().map(|byte| format!("{byte:02x}")).collect();
    world.reload(&format!(
        "server: {{ auth_failures: {{ max: 0 }} }}\n{TWO}keys: [{{ id: right, sha256: {hash} }}]\n"
    ));
    for _ in 0..50 {
        world.send(guess()).await.assert_error(401, "invalid_api_key", None);
    }
}
