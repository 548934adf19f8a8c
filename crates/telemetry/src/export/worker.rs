//! One exporter at work: collect a batch, encode it, hand it over, try again where that may help.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use pointsman_core::Rng;
use pointsman_resilience::{RetryPolicy, backoff};
use tokio::time::{Instant, sleep, timeout_at};

use super::queue::Source;
use super::{BatchOptions, Deliver, Delivery, Format};

/// Requests of one batch that are under way at one time (only Helicone has more than one a batch).
const CONCURRENCY: usize = 8;
/// The first pause is at most this long; it doubles with each retry.
const BACKOFF_BASE: Duration = Duration::from_millis(500);
/// No pause of our own is longer.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// A receiver that asks for more is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
/// What is shown of a refusal.
const SHOWN_BYTES: usize = 200;

/// When a batch ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// At its limits; an empty one is not sent.
    Batch(BatchOptions),
    /// At this interval, also without records.
    Every(Duration),
}

/// An exporter. [`Worker::run`] ends some time after its sink is gone.
pub(super) struct Worker {
    pub(super) name: Arc<str>,
    pub(super) pace: Pace,
    pub(super) format: Box<dyn Format>,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) source: Source,
    pub(super) retry_for: Duration,
    pub(super) flush_limit: Duration,
    pub(super) rng: Rng,
}

/// How the delivery of one request ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sent,
    Failed,
}

impl Worker {
    /// Works until the sink is gone and everything is handed over, or the limit for that is over.
    pub(super) async fn run(mut self) {
        let (name, limit) = (self.name.clone(), self.flush_limit);
        let counters = self.source.counters.clone();
        let mut open = self.source.open.clone();
        let over = async move {
            // Nothing is ever sent: this resolves when the sink is dropped.
            let _ = open.changed().await;
            sleep(limit).await;
        };
        tokio::select! {
            () = self.work() => {}
            () = over => {
                let lost = counters.held.swap(0, Ordering::Relaxed);
                counters.failed.fetch_add(lost, Ordering::Relaxed);
                tracing::error!(exporter = &*name, records = lost, "records were not exported in the time to finish");
            }
        }
    }

    async fn work(&mut self) {
        loop {
            let more = self.collect().await;
            let deliveries = self.format.take();
            self.hand_over(deliveries).await;
            if !more {
                return;
            }
        }
    }

    /// Fills a batch. False: the sink is gone, and there will be no further record.
    async fn collect(&mut self) -> bool {
        let (most, most_bytes, mut until) = match self.pace {
            Pace::Batch(limits) => (limits.records.max(1), limits.bytes, None),
            Pace::Every(interval) => (usize::MAX, usize::MAX, Some(Instant::now() + interval)),
        };
        let (mut records, mut bytes) = (0, 0);
        while records < most && bytes < most_bytes {
            let next = match until {
                None => self.source.next().await,
                Some(until) => match timeout_at(until, self.source.next()).await {
                    Ok(next) => next,
                    Err(_) => return true,
                },
            };
            let Some(record) = next else { return false };
            let size = self.format.push(&record);
            if size == 0 {
                // Left out on purpose, or already counted in a sum.
                self.source.counters.held.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            records += 1;
            bytes += size;
            if let (Pace::Batch(limits), None) = (self.pace, until) {
                until = Some(Instant::now() + limits.wait);
            }
        }
        true
    }

    async fn hand_over(&mut self, deliveries: Vec<Delivery>) {
        let seed = self.rng.next_u64();
        let work = deliveries.into_iter().enumerate().map(|(index, delivery)| {
            let rng = Rng::new(seed.wrapping_add(index as u64));
            (delivery, rng)
        });
        let this = &*self;
        stream::iter(work)
            .for_each_concurrent(CONCURRENCY, |(delivery, rng)| async move {
                let records = delivery.records as u64;
                let counters = &this.source.counters;
                let counter = match this.try_until_done(delivery, rng).await {
                    End::Sent => &counters.sent,
                    End::Failed => &counters.failed,
                };
                counter.fetch_add(records, Ordering::Relaxed);
                counters.held.fetch_sub(records, Ordering::Relaxed);
            })
            .await;
    }

    async fn try_until_done(&self, delivery: Delivery, mut rng: Rng) -> End {
        let policy = RetryPolicy { base: BACKOFF_BASE, cap: BACKOFF_CAP, ..RetryPolicy::default() };
        let give_up = Instant::now() + self.retry_for;
        let mut tries = 1;
        loop {
            let (problem, retry_after) = match self.deliver.deliver(delivery.clone()).await {
                Ok(answer) if (200..300).contains(&answer.status) => return End::Sent,
                Ok(answer) if !may_pass(answer.status) => {
                    let said = String::from_utf8_lossy(&answer.body[..answer.body.len().min(SHOWN_BYTES)]);
                    tracing::error!(exporter = &*self.name, status = answer.status, records = delivery.records, %said, "the receiver refused");
                    return End::Failed;
                }
                Ok(answer) => (format!("status {}", answer.status), answer.retry_after),
                Err(problem) => (problem, None),
            };
            let asked = retry_after.map(|after| after.min(RETRY_AFTER_MAX));
            let pause = backoff(&policy, tries, asked, &mut rng);
            if Instant::now() + pause >= give_up {
                tracing::error!(
                    exporter = &*self.name,
                    tries,
                    records = delivery.records,
                    problem,
                    "given up"
                );
                return End::Failed;
            }
            // Once a request: a receiver that is down must not fill the log.
            if tries == 1 {
                tracing::warn!(exporter = &*self.name, problem, "not delivered, trying again");
            }
            self.source.counters.retries.fetch_add(1, Ordering::Relaxed);
            sleep(pause).await;
            tries += 1;
        }
    }
}

/// Whether the same request may be taken later. OTLP/HTTP names 429, 502, 503 and 504 (OpenTelemetry
/// protocol specification, "Failures"); Datadog adds 408 and 500.
const fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}
