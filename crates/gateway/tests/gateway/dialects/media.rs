//! Media that a request names by address, for a provider that takes only bytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use pointsman_testkit::mock::{Answer, Gate, Mock};
use pointsman_testkit::net::MemoryNet;
use pointsman_testkit::openai::Tokens;
use pointsman_transport::guard::{Dialing, Fetcher, Network, Resolving};
use pointsman_transport::tls::client_config;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fixtures::*;
use crate::harness::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";
const PUBLIC: &str = "93.184.215.14:80";
const PRIVATE: &str = "10.0.0.7:80";

/// Two names: one leads to a public address, the other into somebody's network.
struct Names(MemoryNet);

impl Network for Names {
    fn resolve<'a>(&'a self, host: &'a str, _port: u16) -> Resolving<'a> {
        Box::pin(async move {
            let address = match host {
                "pictures.example" => PUBLIC,
                "inside.example" => PRIVATE,
                _ => return Err(io::ErrorKind::NotFound.into()),
            };
            Ok(vec![address.parse().unwrap()])
        })
    }

    fn dial(&self, address: SocketAddr) -> Dialing<'_> {
        Box::pin(async move {
            let io = self.0.connect(&address.to_string()).await?;
            Ok(Box::new(io) as pointsman_transport::BoxedIo)
        })
    }
}

/// A world that fetches, its provider, and the two servers.
fn seeing() -> (World, Mock, [Mock; 2]) {
    let world = start(FIVE);
    let servers = [PUBLIC, PRIVATE].map(|address| {
        let mock = world.server(address);
        mock.otherwise(|_| Answer::new(200, "image/png", PNG));
        mock
    });
    let names = Names(world.net.clone());
    world.gateway.fetch_media(Fetcher::new(client_config().unwrap(), Arc::new(names)));
    let claude = world.upstream("claude");
    claude.otherwise(|_| Answer::json(&message("end_turn")));
    (world, claude, servers)
}

fn look_at(model: &str, url: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]}]})
}

const PICTURE: &str = "http://pictures.example/a.png";

#[tokio::test(start_paused = true)]
async fn they_are_fetched_where_the_route_allows_it() {
    let (world, claude, [pictures, _]) = seeing();
    let mut body = look_at("seeing", PICTURE);
    // Twice the same address is one fetch.
    body["messages"][0]["content"].as_array_mut().unwrap().push(json!(
        {"type": "image_url", "image_url": {"url": PICTURE}}));
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let content = sent(&claude.received()[0])["messages"][0]["content"].clone();
    let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgpyZXN0"});
    assert_eq!((&content[1]["source"], &content[2]["source"]), (&source, &source), "{content}");
    let asked = pictures.received();
    assert_eq!((asked.len(), asked[0].target.as_str()), (1, "/a.png"));
    // What it is, the bytes say, whatever their server calls them.
    pictures.otherwise(|_| Answer::new(200, "image/png", &b"\xff\xd8\xff\xdbrest"[..]));
    world.send(ask("/v1/chat/completions", &look_at("seeing", PICTURE))).await;
    let content = sent(&claude.received()[1])["messages"][0]["content"].clone();
    assert_eq!(content[1]["source"]["media_type"], "image/jpeg", "{content}");
    let names: Vec<_> = asked[0].headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    assert_eq!(names, ["host", "connection"], "nothing says who asks");
    world.records(2).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn they_are_not_fetched_where_it_does_not() {
    let (world, claude, [pictures, _]) = seeing();
    let reply = world.send(ask("/v1/chat/completions", &look_at("claude/c", PICTURE))).await;
    reply.assert_error(400, "invalid_request", Some("messages[0].content[1]"));
    assert!(reply.message().contains("fetch_media: true"), "{}", reply.message());
    assert_eq!((pictures.received().len(), claude.received().len()), (0, 0));
    // An address that the provider takes goes on as it is.
    let reply =
        world.send(ask("/v1/chat/completions", &look_at("claude/c", "https://pictures.example/a.png"))).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let content = sent(&claude.received()[0])["messages"][0]["content"].clone();
    assert_eq!(content[1]["source"], json!({"type": "url", "url": "https://pictures.example/a.png"}));
    // A server that was not given the means says so.
    let blind = start(FIVE);
    let reply = blind.send(ask("/v1/chat/completions", &look_at("seeing", PICTURE))).await;
    reply.assert_error(400, "unsupported_operation", None);
}

#[tokio::test(start_paused = true)]
async fn only_public_addresses_are_asked_whatever_leads_there() {
    let (world, claude, [pictures, inside]) = seeing();
    pictures.script([Answer::new(302, "text/plain", "").header("location", "http://inside.example/secret")]);
    for url in [
        "http://inside.example/a.png",
        "http://127.0.0.1:80/a.png",
        "http://[::1]/a.png",
        "http://169.254.169.254/latest/meta-data/",
        PICTURE,
        "http://nowhere.example/a.png",
        "http://user:secret@pictures.example/a.png",
    ] {
        let reply = world.send(ask("/v1/chat/completions", &look_at("seeing", url))).await;
        reply.assert_error(400, "invalid_request", Some("messages[0].content[1]"));
        let message = reply.message();
        assert!(!message.contains("10.0.0.7"), "where a name leads is nobody's business: {message}");
    }
    assert_eq!((inside.connections().accepted, claude.received().len()), (0, 0));
    world.records(7).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn size_type_time_and_number_are_bounded() {
    let (world, claude, [pictures, _]) = seeing();
    let gate = Gate::new();
    pictures.script([
        Answer::new(200, "image/png", Bytes::from(vec![b'x'; 20 * 1024 * 1024 + 1])),
        Answer::new(200, "text/html", "<html>"),
        Answer::new(404, "image/png", PNG),
        Answer::new(200, "image/png", PNG).gate_head(&gate),
    ]);
    for words in ["longer than 20971520 bytes", "no picture", "status 404", "not fetched within 15s"] {
        let started = Instant::now();
        let reply = world.send(ask("/v1/chat/completions", &look_at("seeing", PICTURE))).await;
        reply.assert_error(400, "invalid_request", Some("messages[0].content[1]"));
        assert!(reply.message().contains(words), "{words}: {}", reply.message());
        assert!(started.elapsed() <= secs(16), "{words}");
    }
    let many: Vec<_> = (0..17)
        .map(|at| json!({"type": "image_url", "image_url": {"url": format!("http://pictures.example/{at}.png")}}))
        .collect();
    let body = json!({"model": "seeing", "messages": [{"role": "user", "content": many}]});
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    reply.assert_error(400, "invalid_request", Some("messages[0].content[16]"));
    assert_eq!((pictures.received().len(), claude.received().len()), (4, 0));
    world.records(5).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_counts_as_held() {
    let small = FIVE.replace("routes:", "server: { max_body: 4KiB, max_in_flight: 6KiB }\nroutes:");
    let world = start(&small);
    world.server(PUBLIC).otherwise(|_| Answer::new(200, "image/png", vec![b'x'; 3_000]));
    let names = Names(world.net.clone());
    world.gateway.fetch_media(Fetcher::new(client_config().unwrap(), Arc::new(names)));
    world.upstream("claude").otherwise(|_| Answer::json(&message("end_turn")));
    let mut body = look_at("seeing", PICTURE);
    assert_eq!(world.send(ask("/v1/chat/completions", &body)).await.status, 200);
    body["messages"][0]["content"].as_array_mut().unwrap().push(json!(
        {"type": "image_url", "image_url": {"url": "http://pictures.example/b.png"}}));
    let reply = world.send(ask("/v1/chat/completions", &body)).await;
    reply.assert_error(429, "too_many_bytes_in_flight", None);
    world.records(2).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_takes_the_address_itself_is_asked_instead() {
    let (world, claude, [pictures, _]) = seeing();
    pictures.otherwise(|_| Answer::new(404, "text/plain", ""));
    let gpt = world.upstream("gpt");
    gpt.script([Answer::chat("g", "hi", Tokens { input: 1, output: 1 })]);
    let reply = world.send(ask("/v1/chat/completions", &look_at("seeing-both", PICTURE))).await;
    assert_eq!((reply.status, reply.header("x-pointsman-provider")), (200, Some("gpt")));
    assert_eq!(gpt.received()[0].json()["messages"][0]["content"][1]["image_url"]["url"], PICTURE);
    assert_eq!((pictures.received().len(), claude.received().len()), (1, 0));
}
