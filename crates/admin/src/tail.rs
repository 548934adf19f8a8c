//! The live tail: finished requests as server-sent events (`GET /admin/v1/requests/stream`).
//!
//! [`LiveTail`] is the receiving end in the recorder, and never waits: each subscriber has a bounded
//! queue, and one that falls behind is cut off, and told how many requests it missed.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use pointsman_core::store::{RecordSink, StoreError};
use pointsman_core::{Outcome, RequestRecord};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::records::{RequestDetail, query};
use crate::reply::Refusal;
use crate::state::AdminState;

/// Requests that wait for one subscriber, at about 1.5 KiB each. The recorder's largest batch fits.
const QUEUE: usize = 4_096;

/// Subscribers at one time.
const MAX_SUBSCRIBERS: usize = 16;

/// A comment after so much silence, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which requests are sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailQuery {
    /// Only this model, as asked for.
    model: Option<String>,
    /// Only this key, by its id.
    key: Option<String>,
    /// Only this route.
    route: Option<String>,
    /// Only requests that did not succeed.
    #[serde(default)]
    failed: bool,
}

/// Hands finished requests to subscribers. Cheap to clone; one clone goes into the recorder.
#[derive(Clone, Debug, Default)]
pub struct LiveTail(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    subscribers: Mutex<Vec<Subscriber>>,
    /// The number of subscribers, so that without any a batch costs one load.
    count: AtomicUsize,
    /// Requests that subscribers missed, in all.
    missed: AtomicU64,
}

#[derive(Debug)]
struct Subscriber {
    filter: TailQuery,
    queue: mpsc::Sender<Arc<str>>,
    missed: Arc<AtomicU64>,
}

/// The subscriber's end.
#[derive(Debug)]
struct Subscription {
    queue: mpsc::Receiver<Arc<str>>,
    missed: Arc<AtomicU64>,
}

impl LiveTail {
    /// Requests that subscribers missed because they were too slow, since the start.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0.missed.load(Ordering::Relaxed)
    }

    /// Ends all subscriptions, as the process ends.
    pub fn close(&self) {
        self.with_subscribers(Vec::clear);
    }

    fn subscribe(&self, filter: TailQuery, room: usize) -> Option<Subscription> {
        let (sender, queue) = mpsc::channel(room);
        let missed = Arc::new(AtomicU64::new(0));
        let subscriber = Subscriber { filter, queue: sender, missed: Arc::clone(&missed) };
        self.with_subscribers(|subscribers| {
            subscribers.retain(|subscriber| !subscriber.queue.is_closed());
            let free = subscribers.len() < MAX_SUBSCRIBERS;
            if free {
                subscribers.push(subscriber);
            }
            free
        })
        .then_some(Subscription { queue, missed })
    }

    fn with_subscribers<T>(&self, change: impl FnOnce(&mut Vec<Subscriber>) -> T) -> T {
        let mut subscribers = self.0.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut subscribers);
        self.0.count.store(subscribers.len(), Ordering::Release);
        result
    }
}

impl RecordSink for LiveTail {
    fn name(&self) -> &'static str {
        "live_tail"
    }

    fn write(&mut self, batch: &[Box<RequestRecord>]) -> Result<(), StoreError> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let mut texts: Vec<Option<Arc<str>>> = vec![None; batch.len()];
        self.with_subscribers(|subscribers| {
            subscribers.retain(|subscriber| {
                let wanted =
                    batch.iter().zip(&mut texts).filter(|(record, _)| subscriber.filter.wants(record));
                let mut missed = 0;
                for (record, text) in wanted {
                    let text = Arc::clone(text.get_or_insert_with(|| render(record)));
                    if missed > 0 || subscriber.queue.try_send(text).is_err() {
                        missed += 1;
                    }
                }
                subscriber.missed.store(missed, Ordering::Release);
                self.0.missed.fetch_add(missed, Ordering::Relaxed);
                missed == 0 && !subscriber.queue.is_closed()
            });
        });
        Ok(())
    }
}

impl TailQuery {
    fn wants(&self, record: &RequestRecord) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
        };
        is(&self.model, Some(&record.requested_model))
            && is(&self.key, record.principal.key.as_deref())
            && is(&self.route, record.route.as_deref())
            && !(self.failed && record.outcome == Outcome::Success)
    }
}

impl Subscription {
    /// Requests as they end; then, for a subscriber that was cut off, how many it missed.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(Some(self), |subscription| async {
            let mut subscription = subscription?;
            if let Some(text) = subscription.queue.recv().await {
                let event = Event::default().event("request").data(&*text);
                return Some((Ok(event), Some(subscription)));
            }
            let missed = subscription.missed.load(Ordering::Acquire);
            let notice = json!({"missed": missed}).to_string();
            (missed > 0).then(|| (Ok(Event::default().event("cut_off").data(notice)), None))
        })
    }
}

/// Finished requests, from now on.
pub(crate) async fn stream(
    State(state): State<AdminState>,
    given: Result<Query<TailQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let filter = query(given)?;
    let Some(subscription) = state.tail.subscribe(filter, QUEUE) else {
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_subscribers",
            format!("{MAX_SUBSCRIBERS} subscribers follow the requests already"),
            "end one of them, or read GET /admin/v1/requests",
        ));
    };
    Ok(Sse::new(subscription.events()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn render(record: &RequestRecord) -> Arc<str> {
    // Texts and numbers are always JSON.
    serde_json::to_string(&RequestDetail::from(record)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
