//! The tail: what is sent, to whom, and what becomes of the slow.

use futures_util::StreamExt as _;
use pointsman_store::conformance::record;
use serde_json::Value;

use super::*;

fn batch(numbers: impl IntoIterator<Item = u64>) -> Box<[Box<RequestRecord>]> {
    numbers.into_iter().map(|n| Box::new(record(n))).collect()
}

fn model(text: &str) -> Value {
    serde_json::from_str::<Value>(text).unwrap()["id"].clone()
}

#[tokio::test]
async fn requests_reach_who_asks_for_them() {
    let tail = LiveTail::default();
    let mut sink = tail.clone();
    sink.write(&batch([1])).unwrap();
    let mut all = tail.subscribe(TailQuery::default(), 10).unwrap();
    let mut failed = tail.subscribe(TailQuery { failed: true, ..TailQuery::default() }, 10).unwrap();
    let other = TailQuery { key: Some("key-2".into()), ..TailQuery::default() };
    let mut other = tail.subscribe(other, 10).unwrap();
    sink.write(&batch([2, 3])).unwrap();
    tail.close();
    assert_eq!(model(&all.queue.recv().await.unwrap()), record(2).id.to_string());
    assert_eq!(model(&all.queue.recv().await.unwrap()), record(3).id.to_string());
    assert!(all.queue.recv().await.is_none());
    assert!(failed.queue.recv().await.is_none());
    assert!(other.queue.recv().await.is_none());
}

#[tokio::test]
async fn the_slow_are_cut_off_and_told_what_they_missed() {
    let tail = LiveTail::default();
    let mut sink = tail.clone();
    let slow = tail.subscribe(TailQuery::default(), 2).unwrap();
    let mut quick = tail.subscribe(TailQuery::default(), 10).unwrap();
    sink.write(&batch(1..=5)).unwrap();
    sink.write(&batch([6])).unwrap();
    assert_eq!(tail.missed(), 3);
    let events: Vec<_> = slow.events().map(|event| format!("{:?}", event.unwrap())).collect().await;
    assert_eq!(events.len(), 3);
    assert!(
        events[2].contains("cut_off") && events[2].contains("missed") && events[2].contains('3'),
        "{events:?}"
    );
    for n in 1..=6 {
        assert_eq!(model(&quick.queue.recv().await.unwrap()), record(n).id.to_string());
    }
}

#[tokio::test]
async fn subscribers_are_few_and_make_room_when_they_leave() {
    let tail = LiveTail::default();
    let mut held: Vec<_> =
        (0..MAX_SUBSCRIBERS).map(|_| tail.subscribe(TailQuery::default(), 1).unwrap()).collect();
    assert!(tail.subscribe(TailQuery::default(), 1).is_none());
    held.pop();
    assert!(tail.subscribe(TailQuery::default(), 1).is_some());
}
