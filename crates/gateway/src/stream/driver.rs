//! A committed stream, driven by the client's own reading. Where it breaks off, somebody else is asked to go
//! on with it, and the same driver goes on with what comes of that: see [`crate::rescue`].

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use pointsman_config::OnDisconnect;
use pointsman_core::record::Joint;
use pointsman_core::{ErrorCode, Outcome, Phase, PublicError, Usage, UsageSource};
use pointsman_transport::ExchangeError;
use pointsman_wire::openai::error::TriedCandidate;
use pointsman_wire::rescue::Rejoin;
use tokio::time::{Instant, Sleep};

use super::{StreamStart, error_inside, misunderstood};
use crate::errors;
use crate::pipeline::attempt::{self, Failure, broken, is_malformed, timed_out};
use crate::pipeline::dispatch::Dispatch;
use crate::rescue::{self, Keep, Rescued};
use crate::responses::Made;

/// Most bytes of an answer that are kept for the record.
const MAX_STORED_BYTES: usize = 1024 * 1024;
/// How long the HTTP answer may go on after `[DONE]`: its end mostly comes in the same packet, and then
/// the connection can be used again.
const AFTER_DONE: Duration = Duration::from_millis(200);

/// Drives a committed stream. Owns the request's accounts: dropping it settles them.
pub(crate) struct StreamDriver(Stage);

enum Stage {
    Driving(Box<Inner>),
    /// It broke off, and somebody else is asked. Gives back what it was given.
    Rescuing(Pin<Box<dyn Future<Output = Box<Inner>> + Send>>),
    Over,
}

struct Inner {
    dispatch: Box<Dispatch>,
    start: StreamStart,
    /// What may be shown, from `next` on. The vector is used again for every chunk.
    out: Vec<Bytes>,
    next: usize,
    last_chunk: Instant,
    /// The client wants more than has come since.
    waits: bool,
    /// How long what had come waited for the client.
    held: Duration,
    timer: Pin<Box<Sleep>>,
    state: State,
    response_bytes: u64,
    stored: Option<Vec<u8>>,
    /// What was shown, where somebody else could go on with it.
    keep: Option<Box<Keep>>,
    /// Why it broke off, until somebody is asked.
    cut: Option<Failure>,
    /// Where the present attempt goes on with an earlier one.
    joint: Option<Joint>,
    /// Of the attempts before the present one.
    before: rescue::Before,
    /// Tokens of the answer that the client has.
    told: Usage,
    /// The attempt of `start` has not ended.
    streaming: bool,
    /// Why it was interrupted, for the record.
    detail: Option<Box<str>>,
    /// Nobody reads any more: what comes is counted, not shown.
    client_left: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The upstream goes on.
    Reading,
    /// The upstream broke off, and somebody else may go on.
    Broken,
    /// What is left is in `out`.
    Ended(Outcome),
}

/// What a step of driving gives.
enum Step {
    Chunk(Bytes),
    End,
    /// All is shown, and somebody else is to be asked for more.
    Broken,
}

impl StreamDriver {
    pub(crate) fn new(dispatch: Box<Dispatch>, start: StreamStart) -> Self {
        let mut dispatch = dispatch;
        let now = dispatch.gateway.clock.now();
        let stored = dispatch.route.store_bodies.then(Vec::new);
        let keep = Keep::of(&dispatch, &start.deployment);
        dispatch.settlement.meter.pause(now);
        let mut inner = Box::new(Inner {
            dispatch,
            out: Vec::new(),
            next: 0,
            last_chunk: now,
            waits: false,
            held: Duration::ZERO,
            timer: Box::pin(tokio::time::sleep_until(now)),
            state: State::Reading,
            response_bytes: 0,
            stored,
            keep: keep.map(Box::new),
            cut: None,
            joint: None,
            before: rescue::Before::default(),
            told: Usage::default(),
            streaming: true,
            detail: None,
            client_left: false,
            start,
        });
        inner.begin(now);
        Self(Stage::Driving(inner))
    }

    /// The next bytes for the client; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.0 {
                Stage::Over => return Poll::Ready(None),
                Stage::Rescuing(rescue) => match rescue.as_mut().poll(cx) {
                    Poll::Ready(inner) => self.0 = Stage::Driving(inner),
                    Poll::Pending => return Poll::Pending,
                },
                Stage::Driving(inner) => match inner.poll_step(cx) {
                    Poll::Ready(Step::Chunk(bytes)) => return Poll::Ready(Some(bytes)),
                    // Settled here, not when hyper lets go of the body: the client has everything.
                    Poll::Ready(Step::End) => self.0 = Stage::Over,
                    Poll::Ready(Step::Broken) => {
                        if let Stage::Driving(inner) = mem::replace(&mut self.0, Stage::Over) {
                            self.0 = Stage::Rescuing(Box::pin(rescued(inner)));
                        }
                    }
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.0, Stage::Over)
    }
}

/// Has somebody else go on, or tells the client that nobody does.
async fn rescued(mut inner: Box<Inner>) -> Box<Inner> {
    inner.rescue().await;
    inner
}

impl Inner {
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            if let Some(bytes) = self.out.get_mut(self.next).map(mem::take) {
                self.next += 1;
                self.note(&bytes);
                return Poll::Ready(Step::Chunk(bytes));
            }
            match self.state {
                State::Reading => {}
                State::Broken => return Poll::Ready(Step::Broken),
                State::Ended(_) => return Poll::Ready(Step::End),
            }
            let frame = match &mut self.start.body {
                Some(body) => Pin::new(body).poll_frame(cx),
                None => Poll::Ready(None),
            };
            let frame = match frame {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    self.waits = true;
                    match self.check_stall(cx) {
                        Poll::Ready(()) => continue,
                        Poll::Pending => return Poll::Pending,
                    }
                }
            };
            // From here to the next wait is work of ours: it counts as overhead.
            let now = self.dispatch.gateway.clock.now();
            self.dispatch.settlement.meter.resume(now);
            if !mem::take(&mut self.waits) {
                self.held += now.saturating_duration_since(self.last_chunk);
            }
            self.last_chunk = now;
            let mut out = self.emptied();
            self.take(frame, &mut out);
            self.out = out;
            self.look();
            self.dispatch.settlement.meter.pause(self.dispatch.gateway.clock.now());
        }
    }

    /// Begins with what was held of a stream that has just been opened.
    fn begin(&mut self, now: Instant) {
        let pause = if self.start.relay.observed().done { AFTER_DONE } else { self.start.between_chunks };
        self.timer.as_mut().reset((now + pause).min(self.dispatch.deadline.instant()));
        self.last_chunk = now;
        self.state = State::Reading;
        self.next = 0;
        let mut out = mem::take(&mut self.start.held);
        self.hold_calls(&mut out);
        if self.start.ended {
            self.end_of_upstream(&mut out);
        }
        self.out = out;
        self.look();
    }

    fn take(&mut self, frame: Option<Result<http_body::Frame<Bytes>, ExchangeError>>, out: &mut Vec<Bytes>) {
        match frame {
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { return };
                let was_done = self.start.relay.observed().done;
                let pushed = self.start.relay.push(chunk, out);
                if was_done {
                    // What follows the end of the answer cannot undo it.
                    return;
                }
                self.hold_calls(out);
                if self.start.relay.observed().done {
                    self.timer.as_mut().reset(self.last_chunk + AFTER_DONE);
                }
                if let Some(failure) = error_inside(self.start.relay.observed(), &self.start.deployment) {
                    self.interrupt(failure, out);
                } else if let Err(fault) = pushed {
                    self.interrupt(misunderstood(&fault), out);
                }
            }
            Some(Err(error)) if !self.start.relay.observed().complete() => {
                let failure = broken(is_malformed(&error), "the stream broke off").because(error);
                self.interrupt(failure, out);
            }
            // A connection that breaks after the end of the answer is no loss.
            Some(Err(_)) | None => {
                let finished = self.start.relay.finish(out);
                self.hold_calls(out);
                if let Some(failure) = error_inside(self.start.relay.observed(), &self.start.deployment) {
                    self.interrupt(failure, out);
                } else if let Err(fault) = finished {
                    self.interrupt(misunderstood(&fault), out);
                } else {
                    self.end_of_upstream(out);
                }
            }
        }
    }

    fn hold_calls(&mut self, out: &mut Vec<Bytes>) {
        if let Some(keep) = &mut self.keep {
            keep.hold_calls(out);
        }
    }

    /// Has an answer kept before its client can ask for it.
    fn look(&mut self) {
        let Some(mut keeping) = self.dispatch.keeping.take() else { return };
        keeping.look(&self.out, &Made::of(&self.dispatch, &self.start.deployment));
        self.dispatch.keeping = Some(keeping);
    }

    /// The upstream has ended: well, if the answer is whole; else it broke off.
    fn end_of_upstream(&mut self, out: &mut Vec<Bytes>) {
        let observed = self.start.relay.observed();
        if observed.complete() {
            if let Some(keep) = &mut self.keep {
                keep.release(out);
            }
            if !observed.done {
                self.start.relay.conclude(out);
            }
            self.state = State::Ended(Outcome::Success);
        } else {
            self.interrupt(
                Failure::new(Outcome::Reset, "the stream ended before the answer was complete"),
                out,
            );
        }
    }

    /// The stream broke off. What is kept back of it is never shown.
    fn interrupt(&mut self, failure: Failure, out: &mut Vec<Bytes>) {
        tracing::debug!(deployment = %self.start.deployment.key, outcome = failure.outcome.as_str(),
            detail = failure.detail.as_deref(), "stream interrupted");
        self.start.body = None;
        if self.keep.is_some() && rescue::may_help(failure.outcome) {
            self.cut = Some(failure);
            self.state = State::Broken;
        } else {
            let message = format!("{}: {}", self.start.deployment.key, failure.public);
            self.detail = Some(failure.detail.unwrap_or_else(|| failure.public.as_ref().into()));
            self.tell(failure.outcome, message, out);
        }
    }

    /// Ends the stream with an error in the client's dialect, and without its usual end: a cut answer must
    /// not look whole.
    fn tell(&mut self, outcome: Outcome, message: String, out: &mut Vec<Bytes>) {
        let key = &self.start.deployment.key;
        let error = PublicError::new(ErrorCode::StreamInterrupted, message);
        let tried = TriedCandidate {
            provider: &key.provider,
            model: &key.model,
            outcome: outcome.as_str(),
            status: Some(self.start.status),
        };
        let (asked, record) = (&self.dispatch.asked, self.dispatch.settlement.record());
        out.push(if asked.json_array {
            // Valid JSON to its last byte, so that a client's parser comes as far as the error.
            let begun = self.response_bytes > 0 || !out.is_empty();
            let before: &[u8] = if begun { b",\n" } else { b"[" };
            [before, &errors::render_in(asked.dialect, &error, record), b"]"].concat().into()
        } else {
            errors::stream_event(asked.dialect, &error, record, tried)
        });
        self.state = State::Ended(outcome);
    }

    /// Asks somebody else for the rest of the answer.
    async fn rescue(&mut self) {
        let (Some(failure), Some(keep)) = (self.cut.take(), self.keep.take()) else { return };
        let now = self.dispatch.gateway.clock.now();
        self.dispatch.settlement.meter.resume(now);
        let outcome = failure.outcome;
        if self.start.relay.rejoin().is_none() {
            self.before.prompt = self.start.relay.observed().usage;
        }
        self.end_attempt(outcome, failure.detail.clone().or_else(|| Some(failure.public.as_ref().into())));
        let deployment = self.start.deployment.clone();
        let asked = rescue::go_on(&mut self.dispatch, *keep, (&deployment, failure), self.before).await;
        let now = self.dispatch.gateway.clock.now();
        match asked {
            Ok(Rescued { start, keep, joint }) => {
                self.start = *start;
                self.keep = keep.map(Box::new);
                self.joint = Some(joint);
                self.streaming = true;
                if let Some(keeping) = &mut self.dispatch.keeping {
                    keeping.is_rescued();
                }
                self.begin(now);
            }
            Err(message) => {
                let mut out = self.emptied();
                self.tell(outcome, message, &mut out);
                self.out = out;
            }
        }
        self.dispatch.settlement.meter.pause(now);
    }

    /// Nothing has come: has it been too long? The timer is moved only when it fires, not by each chunk.
    fn check_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if self.start.relay.observed().done {
            // The client has all of it; an upstream that does not hang up is no reason to keep it waiting.
            self.state = State::Ended(Outcome::Success);
            return Poll::Ready(());
        }
        let now = self.dispatch.gateway.clock.now();
        let total = self.dispatch.deadline.instant();
        let stalled = self.last_chunk + self.start.between_chunks;
        let phase = if now >= total { Phase::Total } else { Phase::BetweenChunks };
        if phase == Phase::BetweenChunks && now < stalled {
            self.timer.as_mut().reset(stalled.min(total));
            return self.check_stall(cx);
        }
        let started = self.dispatch.settlement.meter.started();
        // A client that took the larger part of the time says nothing of its provider.
        let failure = match phase {
            Phase::Total if self.held > now.saturating_duration_since(started) / 2 => {
                Failure::new(Outcome::Cancelled, "the request's deadline passed while its client was reading")
            }
            _ => timed_out(phase),
        };
        let mut out = self.emptied();
        self.interrupt(failure, &mut out);
        self.out = out;
        Poll::Ready(())
    }

    /// The output vector, ready for the next bytes.
    fn emptied(&mut self) -> Vec<Bytes> {
        let mut out = mem::take(&mut self.out);
        out.clear();
        self.next = 0;
        out
    }

    fn note(&mut self, bytes: &Bytes) {
        if self.client_left {
            return;
        }
        self.response_bytes += bytes.len() as u64;
        if let Some(stored) = &mut self.stored
            && stored.len() + bytes.len() <= MAX_STORED_BYTES
        {
            stored.extend_from_slice(bytes);
        }
        if let Some(keep) = &mut self.keep
            && !keep.shown(bytes)
        {
            // Too much of it; what is kept back is shown with what comes next.
            keep.release(&mut self.out);
            self.keep = None;
        }
    }

    /// Tokens of the present attempt: reported, else counted from the deltas that went by. What is reported
    /// before an answer is whole does not count its end.
    fn usage(&self) -> Usage {
        let observed = self.start.relay.observed();
        match observed.usage {
            Some(usage) if observed.complete() || usage.output >= observed.content_deltas => usage,
            Some(usage) => Usage { output: observed.content_deltas, source: UsageSource::Counted, ..usage },
            None => Usage {
                input: attempt::estimated_input(&self.dispatch),
                output: observed.content_deltas,
                source: UsageSource::Counted,
                ..Usage::default()
            },
        }
    }

    /// The present attempt is over.
    fn end_attempt(&mut self, outcome: Outcome, detail: Option<Box<str>>) {
        let own = self.usage();
        self.streaming = false;
        let rejoin = self.start.relay.rejoin();
        self.told = rejoin.map_or(own, Rejoin::usage);
        let dropped = rejoin.map_or(0, |rejoin| rejoin.dropped().chars);
        self.before.merged += rejoin.map_or(0, Rejoin::merged);
        let joint = self.joint.take().map(|joint| Joint { dropped_chars: dropped, ..joint });
        let now = self.dispatch.gateway.clock.now();
        let settlement = &mut self.dispatch.settlement;
        settlement.lost_in_answer(&self.start.relay.losses());
        settlement.joined(joint);
        settlement.end_attempt(outcome, own, detail, now);
    }

    /// Reads the rest for its usage. The client is gone, so nothing is shown any more.
    async fn finish_alone(mut self: Box<Self>) {
        self.client_left = true;
        self.keep = None;
        std::future::poll_fn(|cx| {
            loop {
                match self.poll_step(cx) {
                    Poll::Ready(Step::Chunk(_)) => {}
                    Poll::Ready(Step::End | Step::Broken) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    fn settle(&mut self) {
        let done = self.start.relay.observed().done;
        // How the provider did.
        let (attempt, detail) = match (self.state, self.cut.take()) {
            (State::Reading, _) if done => (Outcome::Success, None),
            (State::Reading | State::Broken, None) => (Outcome::Cancelled, None),
            (_, Some(cut)) => (cut.outcome, Some(cut.detail.unwrap_or_else(|| cut.public.as_ref().into()))),
            (State::Ended(outcome), None) => (outcome, self.detail.take()),
        };
        // What the client saw: nothing of what it did not stay for.
        let (outcome, error) = match attempt {
            _ if self.client_left || self.next < self.out.len() || self.state == State::Broken => {
                (Outcome::Cancelled, None)
            }
            Outcome::Success | Outcome::Cancelled => (attempt, None),
            _ => (attempt, Some(ErrorCode::StreamInterrupted)),
        };
        if self.streaming {
            self.end_attempt(attempt, detail);
        } else {
            // Somebody was being asked for the rest.
            let now = self.dispatch.gateway.clock.now();
            self.dispatch.settlement.end_attempt(Outcome::Cancelled, Usage::default(), None, now);
        }
        let (usage, response_bytes) = (self.told, self.response_bytes);
        let request = self.dispatch.received().clone();
        let settlement = &mut self.dispatch.settlement;
        settlement.update(|record| {
            record.usage = usage;
            record.response_bytes = response_bytes;
        });
        if let Some(stored) = self.stored.take() {
            settlement.store_bodies(request, Bytes::from(stored));
        }
        settlement.end(outcome, 200, error);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Drop for StreamDriver {
    fn drop(&mut self) {
        // Taken already where the stream came to its end. A client that leaves while somebody is looked for who
        // could go on needs nobody any more.
        let Stage::Driving(inner) = mem::replace(&mut self.0, Stage::Over) else { return };
        let reading = inner.state == State::Reading && !inner.start.relay.observed().done;
        let finish = reading && inner.dispatch.route.on_disconnect == OnDisconnect::Finish;
        if finish && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let leftovers = inner.dispatch.gateway.leftovers.clone();
            leftovers.spawn_on(inner.finish_alone(), &runtime);
        }
    }
}
