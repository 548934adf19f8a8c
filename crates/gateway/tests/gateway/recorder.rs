//! The way of a record: sinks that fail, queues that are full, bodies that are kept.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pointsman_core::RequestRecord;
use pointsman_core::store::{RecordSink, StoreError, Tally};
use pointsman_testkit::fakes::CollectingSink;
use pointsman_testkit::mock::{Answer, Gate};
use pointsman_testkit::openai::{Tokens, chat_events, chat_request};

use crate::harness::*;

const TOKENS: Tokens = Tokens { input: 1, output: 1 };

struct Failing(CollectingSink);

impl RecordSink for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        self.0.write(batch)
    }
}

/// Holds the recorder's thread until it is let go.
struct Holding(Receiver<()>);

impl Holding {
    fn new() -> (Self, SyncSender<()>) {
        let (sender, receiver) = sync_channel(1);
        (Self(receiver), sender)
    }
}

impl RecordSink for Holding {
    fn name(&self) -> &'static str {
        "holding"
    }

    fn write(&mut self, _: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        // Ends with the first word, and for good once the sender is gone.
        let _ = self.0.recv();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_is_counted_and_harms_nobody() {
    let broken = CollectingSink::new();
    broken.set_broken(true);
    let world = Setup::new(TWO).sink(Failing(broken.clone())).start();
    world.upstream("alpha");
    assert_eq!(world.chat("alpha/m").await.status, 200);
    world.records(1).await;
    broken.set_broken(false);
    assert_eq!(world.chat("alpha/m").await.status, 200);
    world.records(2).await;
    let counters = world.metrics.sink("failing");
    assert_eq!((counters.written.load(Relaxed), counters.failed.load(Relaxed)), (1, 1));
    assert!(world.has_metric("pointsman_records_failed_total{sink=\"failing\"} 1"));
    assert_eq!((broken.records().len(), world.sink.records().len()), (1, 2));
}

/// Holds what it cannot keep, and gives word once it holds nothing any more.
struct Patient {
    inner: CollectingSink,
    #[expect(clippy::vec_box, reason = "a batch is a slice of boxes")]
    held: Vec<Box<RequestRecord>>,
    done: SyncSender<usize>,
}

impl RecordSink for Patient {
    fn name(&self) -> &'static str {
        "patient"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        self.held.extend_from_slice(batch);
        self.inner.write(&self.held)?;
        // Nobody listens to later words.
        let _ = self.done.try_send(self.held.len());
        self.held.clear();
        Ok(())
    }

    fn tally(&self) -> Option<Tally> {
        Some(Tally { held: self.held.len() as u64, failed: 0 })
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_holds_is_tried_again_without_a_further_request() {
    let broken = CollectingSink::new();
    broken.set_broken(true);
    let (done, word) = sync_channel(1);
    let sink = Patient { inner: broken.clone(), held: Vec::new(), done };
    let world = Setup::new(TWO).sink(sink).start();
    world.upstream("alpha");
    assert_eq!(world.chat("alpha/m").await.status, 200);
    world.records(1).await;
    broken.set_broken(false);
    assert_eq!(tokio::task::spawn_blocking(move || word.recv()).await.unwrap(), Ok(1));
    let counters = world.metrics.sink("patient");
    while counters.written.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((counters.written.load(Relaxed), counters.failed.load(Relaxed)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn admission_ends_where_records_would_have_no_room() {
    let world = Setup::new(TWO).queue(4).start();
    let alpha = world.upstream("alpha");
    let gate = Gate::new();
    alpha.script(std::iter::repeat_n(Answer::chat("m", "x", TOKENS).gate_head(&gate), 4));
    let mut asked = Vec::new();
    for number in 1..=4 {
        let mut client = world.client().await;
        asked.push(tokio::spawn(async move { client.send(chat("alpha/m")).await }));
        alpha.wait_received(number).await;
    }
    for request in [chat("alpha/m"), streamed("alpha/m")] {
        let reply = world.send(request).await;
        reply.assert_error(503, "overloaded", None);
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert_eq!(world.send(get("/v1/models")).await.status, 200, "only what leaves a record needs room");
    assert!(world.has_metric("pointsman_requests_refused_total{code=\"overloaded\"} 2"));
    gate.open();
    for reply in asked {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(world.records(4).await.len(), 4, "nothing of what was admitted is lost");
    assert_eq!(world.chat("alpha/m").await.status, 200);
    world.records(5).await;
    world.assert_at_rest();
}

#[tokio::test(start_paused = true)]
async fn sinks_that_stand_still_shed_requests_and_lose_none() {
    let (holding, release) = Holding::new();
    let world = Setup::new(TWO).queue(8).sink(holding).start();
    world.upstream("alpha");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(world.chat("alpha/m").await.status);
    }
    let served = statuses.iter().filter(|status| **status == 200).count();
    let shed = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(served + shed, 40, "{statuses:?}");
    // Eight in the queue, and as many as the thread took before it stood still.
    assert!((8..40).contains(&served), "{served}");
    drop(release);
    assert_eq!(world.records(served).await.len(), served);
    assert_eq!(world.chat("alpha/m").await.status, 200);
    let mut ids: Vec<_> = world.records(served + 1).await.iter().map(|record| record.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), served + 1);
}

#[tokio::test(start_paused = true)]
async fn bodies_are_kept_only_where_a_route_asks() {
    let yaml = format!("{TWO}  kept: {{ model: alpha/m, store_bodies: true }}\n");
    let world = start(&yaml);
    let alpha = world.upstream("alpha");
    let plain = chat_request("kept", false).to_string();
    let reply = world.send(post("/v1/chat/completions", plain.clone())).await;
    let streamed = chat_request("kept", true).to_string();
    alpha.script([Answer::chat_stream("m", &["a"], Some(TOKENS))]);
    let shown = world.send(post("/v1/chat/completions", streamed.clone())).await;
    world.chat("alpha/m").await;
    world.stream("both").await.rest().await;

    let records = world.records(4).await;
    let kept = records[0].bodies.as_ref().unwrap();
    assert_eq!((&kept.request[..], &kept.response), (plain.as_bytes(), &reply.body), "as the client sent it");
    let kept = records[1].bodies.as_ref().unwrap();
    assert_eq!(
        (&kept.request[..], &kept.response),
        (streamed.as_bytes(), &shown.body),
        "as the client saw it"
    );
    assert_eq!(shown.body, chat_events("m", &["a"], None).concat());
    assert!(records[2].bodies.is_none() && records[3].bodies.is_none());
}
