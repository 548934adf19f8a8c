//! Load against the mock: what one sends, the other counts.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::*;
use crate::http::header;
use crate::mock::{self, Behaviour, Fault, Mock};

async fn start(behaviour: Behaviour) -> (Arc<Mock>, SocketAddr) {
    let mock = Mock::new(behaviour, None);
    let (listener, address) = mock::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    tokio::spawn(Arc::clone(&mock).serve(listener));
    (mock, address)
}

fn rounds(connections: usize, rounds: u64) -> Mode {
    Mode::Streams { connections, spread: Duration::ZERO, rounds }
}

#[test]
fn requests_are_valid_and_of_the_size_asked_for() {
    let shape = Shape {
        keys: vec!["k1".into(), "k2".into()],
        models: vec!["a/b".into(), "a/longer".into()],
        stream: true,
        trace: true,
        headers: vec!["x-one: 1".into()],
        ..Shape::default()
    };
    let mut rng = pointsman_core::Rng::new(3);
    let mut request = Vec::new();
    let mut models = std::collections::BTreeSet::new();
    for _ in 0..50 {
        shape.render(&mut rng, &mut request);
        let end = memchr::memmem::find(&request, b"\r\n\r\n").unwrap() + 4;
        let (head, body) = request.split_at(end);
        assert_eq!(header(head, "content-length"), Some(b"1024".as_slice()));
        assert_eq!(body.len(), 1024);
        assert!(header(head, "authorization").unwrap().starts_with(b"Bearer k"));
        assert_eq!(header(head, "traceparent").unwrap().len(), 55);
        assert_eq!(header(head, "x-one"), Some(b"1".as_slice()));
        let body: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&body["stream"], &body["stream_options"]["include_usage"]), (&true.into(), &true.into()));
        models.insert(body["model"].as_str().unwrap().to_owned());
    }
    assert_eq!(models.len(), 2);
}

#[test]
fn every_dialect_has_its_body_and_its_key() {
    let mut rng = pointsman_core::Rng::new(3);
    let mut request = Vec::new();
    for (path, key, list, stream) in [
        ("/v1/chat/completions", "authorization", "messages", true),
        ("/v1/messages", "x-api-key", "messages", false),
        ("/v1/messages", "x-api-key", "messages", true),
        ("/v1/responses", "authorization", "input", true),
    ] {
        for conversation in [false, true] {
            let path = path.to_owned();
            let shape = Shape { path, keys: vec!["k".into()], stream, conversation, ..Shape::default() };
            shape.render(&mut rng, &mut request);
            let end = memchr::memmem::find(&request, b"\r\n\r\n").unwrap() + 4;
            let (head, body) = request.split_at(end);
            assert!(header(head, key).unwrap().ends_with(b"k"));
            assert_eq!(header(head, "anthropic-version").is_some(), key == "x-api-key");
            assert_eq!(body.len(), 1024);
            let body: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(body.get("stream").is_some(), stream);
            let turns = body[list].as_array().unwrap();
            assert_eq!(turns.len() > 1, conversation, "{body}");
            assert!(turns.last().unwrap()["content"].as_str().unwrap().len() > 500);
        }
    }
}

#[tokio::test]
async fn plain_requests_add_up() {
    let (mock, address) = start(Behaviour::default()).await;
    let mut load = Load::start(address, &Arc::new(Shape::default()), rounds(4, 32));
    load.ended().await;
    let taken = load.stats.take();
    assert_eq!((taken.ok, taken.errors, taken.latency.len()), (128, 0, 128));
    let sums = mock.totals.sums();
    // Two turns through the 64 variants of 20 to 83 tokens; 200 tokens at $0.15 and 51.5 at $0.60 a million.
    assert_eq!((sums.requests, sums.answered, sums.input), (128, 128, 25_600));
    assert_eq!(sums.output, 2 * (20..84).sum::<u64>());
    assert_eq!(sums.cost.nanos(), 128 * 200 * 150 + 2 * (20..84).sum::<i64>() * 600);
}

#[tokio::test]
async fn streams_arrive_whole_with_their_stamps() {
    let behaviour = Behaviour { chunks: 5, interval: Duration::from_millis(1), ..Behaviour::default() };
    let (mock, address) = start(behaviour).await;
    let shape = Arc::new(Shape { stream: true, ..Shape::default() });
    let mut load = Load::start(address, &shape, rounds(3, 2));
    load.ended().await;
    let taken = load.stats.take();
    assert_eq!((taken.ok, taken.streams, taken.chunks, taken.first_error), (6, 6, 30, None));
    assert_eq!(taken.chunk_delay.len(), 30);
    let sums = mock.totals.sums();
    assert_eq!((sums.chunks, sums.output), (30, 30));
}

#[tokio::test]
async fn anthropics_streams_arrive_whole_too() {
    let behaviour = Behaviour { chunks: 5, interval: Duration::from_millis(1), ..Behaviour::default() };
    let (mock, address) = start(behaviour).await;
    let shape = Arc::new(Shape { path: "/v1/messages".into(), stream: true, ..Shape::default() });
    let mut load = Load::start(address, &shape, rounds(3, 2));
    load.ended().await;
    let taken = load.stats.take();
    assert_eq!((taken.ok, taken.streams, taken.chunks, taken.first_error), (6, 6, 30, None));
    assert_eq!((mock.totals.sums().chunks, mock.totals.sums().output), (30, 30));
}

#[test]
fn a_stream_of_responses_ends_whole_and_repeats_no_chunk() {
    use super::request::{End, Form};
    let form = Form::of("/v1/responses");
    let stamped = "t=00000000000000000007 ";
    let delta = format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"delta\":\"{stamped}\"}}"
    );
    let whole = format!(
        "event: response.output_text.done\ndata: {{\"type\":\"response.output_text.done\",\"text\":\"{stamped}\"}}"
    );
    assert_eq!((form.stamp(delta.as_bytes()), form.stamp(whole.as_bytes())), (Some(7), None));
    let mut end = End::default();
    form.note(whole.as_bytes(), &mut end);
    assert_eq!(end, End::default());
    form.note(br#"data: {"type":"response.completed","response":{"status":"completed"}}"#, &mut end);
    assert_eq!(end, End { finished: true, done: true });
}

#[tokio::test]
async fn faults_are_counted_on_both_sides() {
    for (fault, text) in [
        (Fault::Status500, "status 500"),
        (Fault::Status429, "status 429"),
        (Fault::Close, "unexpected end of file"),
    ] {
        let (mock, address) = start(Behaviour { fault_per_mille: 1000, fault, ..Behaviour::default() }).await;
        let mut load = Load::start(address, &Arc::new(Shape::default()), rounds(2, 3));
        load.ended().await;
        let taken = load.stats.take();
        assert_eq!((taken.ok, taken.errors), (0, 6));
        assert!(taken.first_error.as_ref().unwrap().contains(text), "{taken:?}: {:?}", taken.first_error);
        assert!(no_errors("x", &taken).is_err());
        assert_eq!((mock.totals.sums().faults, mock.totals.sums().answered), (6, 0));
    }
}

#[tokio::test]
async fn an_open_loop_keeps_its_rate_and_counts_waiting() {
    // One connection and 20 ms an answer: at 200 a second, requests wait for each other.
    let behaviour = Behaviour { delay: Duration::from_millis(20), ..Behaviour::default() };
    let (mock, address) = start(behaviour).await;
    let mut load =
        Load::start(address, &Arc::new(Shape::default()), Mode::Open { rate: 200, connections: 1 });
    while mock.totals.sums().answered < 20 {
        tokio::task::yield_now().await;
    }
    load.stop().await;
    let taken = load.stats.take();
    assert_eq!(taken.errors, 0);
    assert!(taken.ok >= 60, "those that were due are still sent: {}", taken.ok);
    assert!(taken.latency.max() > 200_000_000, "{} ns", taken.latency.max());
}
