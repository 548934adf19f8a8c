//! A stream from its first byte to its last: held until it has something to show, then driven by the
//! client's own reading. Frames pass untouched while an observer reads along, or are converted.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use http_body::Body;
use http_body_util::BodyExt;
use pointsman_config::{Deployment, OnDisconnect};
use pointsman_core::{ErrorCode, Outcome, Phase, PublicError, Usage, UsageSource};
use pointsman_providers::classify::classify_body_error;
use pointsman_transport::{ExchangeError, UpstreamBody};
use pointsman_wire::convert::Relay;
use pointsman_wire::openai::error::TriedCandidate;
use pointsman_wire::openai::stream::{Observed, StreamFault};
use tokio::time::{Instant, Sleep, timeout_at};

use crate::errors;
use crate::pipeline::attempt::{self, Failure, broken, is_malformed, timed_out};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::read::Encoding;
use crate::pipeline::refusal::{blamed, error_info, not_a_stream};
use crate::pipeline::translate::{self, streams_lines};
use crate::responses::Made;

/// Bytes that are held before the commit point; a stream that is longer by then is shown as it is.
const MAX_HELD_BYTES: usize = 256 * 1024;
/// Pieces that they are held in; more are joined.
const MAX_HELD_PIECES: usize = 64;
/// Most bytes of an answer that are kept for the record.
const MAX_STORED_BYTES: usize = 1024 * 1024;
/// How long the HTTP answer may go on after `[DONE]`: its end mostly comes in the same packet, and then
/// the connection can be used again.
const AFTER_DONE: Duration = Duration::from_millis(200);

/// A stream that has something to show, or has already ended well.
pub(crate) struct StreamStart {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) headers: HeaderMap,
    body: UpstreamBody,
    relay: Relay,
    held: Vec<Bytes>,
    ended: bool,
    status: u16,
    between_chunks: Duration,
}

/// Reads a streamed answer up to its commit point: the first event with text, reasoning, a tool call or
/// a finish. Whatever fails before that can be tried elsewhere without the client noticing.
pub(crate) async fn open(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
    answered: Instant,
    strip_usage: bool,
) -> Result<Box<StreamStart>, Failure> {
    if !is_stream(response.headers(), streams_lines(dispatch.speech.upstream)) {
        return Err(not_a_stream(dispatch, deployment, response).await);
    }
    let (head, body) = response.into_parts();
    check_encoding(&head.headers)?;
    let timeouts = dispatch.timeouts(deployment);
    let relay = translate::relay(dispatch, deployment, strip_usage)?;
    let mut start = Box::new(StreamStart {
        deployment: deployment.clone(),
        headers: head.headers,
        body,
        relay,
        held: Vec::new(),
        ended: false,
        status: head.status.as_u16(),
        between_chunks: timeouts.between_chunks,
    });
    let first_token = answered + timeouts.first_token;
    let (limit, phase) = match dispatch.deadline.instant() {
        total if total <= first_token => (total, Phase::Total),
        _ => (first_token, Phase::FirstToken),
    };
    match timeout_at(limit, commit(&mut start)).await {
        Ok(Ok(())) => Ok(start),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(timed_out(phase)),
    }
}

/// Whether this is a stream of events, or of lines.
fn is_stream(headers: &HeaderMap, lines: bool) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(|text| text.trim_start().to_ascii_lowercase()).unwrap_or_default();
    if lines { content_type.contains("json") } else { content_type.starts_with("text/event-stream") }
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    match Encoding::of(headers) {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(_) => Err(Failure::new(
            Outcome::Malformed,
            "the stream came compressed although that was not asked for",
        )),
    }
}

async fn commit(start: &mut StreamStart) -> Result<(), Failure> {
    let mut held_bytes = 0;
    let settled = |observed: &Observed| observed.committed || observed.done;
    while !settled(start.relay.observed()) && held_bytes <= MAX_HELD_BYTES {
        let before = start.held.len();
        match start.body.frame().await {
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { continue };
                let pushed = start.relay.push(chunk, &mut start.held);
                if let Some(failure) = error_inside(start.relay.observed(), &start.deployment) {
                    return Err(failure);
                }
                pushed.map_err(|fault| misunderstood(&fault))?;
            }
            Some(Err(error)) => {
                let malformed = is_malformed(&error);
                return Err(broken(malformed, "the stream broke off before its first token").because(error));
            }
            None => {
                let finished = start.relay.finish(&mut start.held);
                if let Some(failure) = error_inside(start.relay.observed(), &start.deployment) {
                    return Err(failure);
                }
                finished.map_err(|fault| misunderstood(&fault))?;
                if !start.relay.observed().complete() {
                    return Err(Failure::new(Outcome::Reset, "the stream ended before its first token"));
                }
                start.ended = true;
                return Ok(());
            }
        }
        held_bytes += start.held.iter().skip(before).map(Bytes::len).sum::<usize>();
        // A piece may keep the whole buffer that it was read into.
        if start.held.len() > MAX_HELD_PIECES {
            start.held = vec![start.held.concat().into()];
        }
    }
    Ok(())
}

fn error_inside(observed: &Observed, deployment: &Deployment) -> Option<Failure> {
    let error = observed.error.as_ref()?;
    let outcome = classify_body_error(&error_info(error));
    Some(blamed(outcome, None, error, deployment))
}

fn misunderstood(fault: &StreamFault) -> Failure {
    Failure::new(Outcome::Malformed, "the stream could not be understood").because(fault)
}

/// Drives a committed stream. Owns the request's accounts: dropping it settles them.
pub(crate) struct StreamDriver(Option<Box<Inner>>);

struct Inner {
    dispatch: Dispatch,
    start: StreamStart,
    /// What may be shown, from `next` on. The vector is used again for every chunk.
    out: Vec<Bytes>,
    next: usize,
    last_chunk: Instant,
    timer: Pin<Box<Sleep>>,
    state: State,
    response_bytes: u64,
    stored: Option<Vec<u8>>,
    /// Why it was interrupted, for the record.
    detail: Option<Box<str>>,
    /// Nobody reads any more: what comes is counted, not shown.
    client_left: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The upstream goes on.
    Reading,
    /// What is left is in `out`.
    Ended(Outcome),
}

impl StreamDriver {
    pub(crate) fn new(dispatch: Dispatch, start: StreamStart) -> Self {
        let mut start = start;
        let mut dispatch = dispatch;
        let now = dispatch.gateway.clock.now();
        let pause = if start.relay.observed().done { AFTER_DONE } else { start.between_chunks };
        let first_limit = (now + pause).min(dispatch.deadline.instant());
        let stored = dispatch.route.store_bodies.then(Vec::new);
        dispatch.settlement.meter.pause(now);
        let mut inner = Inner {
            dispatch,
            out: mem::take(&mut start.held),
            next: 0,
            last_chunk: now,
            timer: Box::pin(tokio::time::sleep_until(first_limit)),
            state: State::Reading,
            response_bytes: 0,
            stored,
            detail: None,
            client_left: false,
            start,
        };
        if inner.start.ended {
            let mut out = mem::take(&mut inner.out);
            inner.end_of_upstream(&mut out);
            inner.out = out;
        }
        inner.look();
        Self(Some(Box::new(inner)))
    }

    /// The next bytes for the client; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(inner) = &mut self.0 else { return Poll::Ready(None) };
        let polled = inner.poll_chunk(cx);
        if let Poll::Ready(None) = polled {
            // Settled here, not when hyper lets go of the body: the client has everything.
            self.0 = None;
        }
        polled
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.is_none()
    }
}

impl Inner {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.out.get_mut(self.next).map(mem::take) {
                self.next += 1;
                self.note(&bytes);
                return Poll::Ready(Some(bytes));
            }
            if self.state != State::Reading {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut self.start.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => match self.check_stall(cx) {
                    Poll::Ready(()) => continue,
                    Poll::Pending => return Poll::Pending,
                },
            };
            // From here to the next wait is work of ours: it counts as overhead.
            let now = self.dispatch.gateway.clock.now();
            self.dispatch.settlement.meter.resume(now);
            self.last_chunk = now;
            let mut out = self.emptied();
            self.take(frame, &mut out);
            self.out = out;
            self.look();
            self.dispatch.settlement.meter.pause(self.dispatch.gateway.clock.now());
        }
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
                if self.start.relay.observed().done {
                    self.timer.as_mut().reset(self.last_chunk + AFTER_DONE);
                }
                if let Some(failure) = error_inside(self.start.relay.observed(), &self.start.deployment) {
                    self.interrupt(&failure, out);
                } else if let Err(fault) = pushed {
                    self.interrupt(&misunderstood(&fault), out);
                }
            }
            Some(Err(error)) if !self.start.relay.observed().complete() => {
                let failure = broken(is_malformed(&error), "the stream broke off").because(error);
                self.interrupt(&failure, out);
            }
            // A connection that breaks after the end of the answer is no loss.
            Some(Err(_)) | None => {
                let finished = self.start.relay.finish(out);
                if let Some(failure) = error_inside(self.start.relay.observed(), &self.start.deployment) {
                    self.interrupt(&failure, out);
                } else if let Err(fault) = finished {
                    self.interrupt(&misunderstood(&fault), out);
                } else {
                    self.end_of_upstream(out);
                }
            }
        }
    }

    /// Has an answer kept before its client can ask for it.
    fn look(&mut self) {
        let Some(mut keeping) = self.dispatch.keeping.take() else { return };
        keeping.look(&self.out, &Made::of(&self.dispatch, &self.start.deployment));
        self.dispatch.keeping = Some(keeping);
    }

    /// The upstream has ended: well, if the answer is whole; else the client is told.
    fn end_of_upstream(&mut self, out: &mut Vec<Bytes>) {
        let observed = self.start.relay.observed();
        if observed.complete() {
            if !observed.done {
                self.start.relay.conclude(out);
            }
            self.state = State::Ended(Outcome::Success);
        } else {
            self.interrupt(
                &Failure::new(Outcome::Reset, "the stream ended before the answer was complete"),
                out,
            );
        }
    }

    /// Ends the stream with an error in the client's dialect, and without its usual end: a cut answer must
    /// not look whole.
    fn interrupt(&mut self, failure: &Failure, out: &mut Vec<Bytes>) {
        let key = &self.start.deployment.key;
        tracing::debug!(deployment = %key, outcome = failure.outcome.as_str(), detail = failure.detail.as_deref(),
            "stream interrupted");
        self.detail = Some(failure.detail.clone().unwrap_or_else(|| failure.public.as_ref().into()));
        let error = PublicError::new(ErrorCode::StreamInterrupted, format!("{key}: {}", failure.public));
        let tried = TriedCandidate {
            provider: &key.provider,
            model: &key.model,
            outcome: failure.outcome.as_str(),
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
        self.state = State::Ended(failure.outcome);
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
        let mut out = self.emptied();
        self.interrupt(&timed_out(phase), &mut out);
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
    }

    /// Tokens so far: reported, else counted from the deltas that went by.
    fn usage(&self) -> Usage {
        let observed = self.start.relay.observed();
        observed.usage.unwrap_or_else(|| Usage {
            input: attempt::estimated_input(&self.dispatch),
            output: observed.content_deltas,
            source: UsageSource::Counted,
            ..Usage::default()
        })
    }

    /// Reads the rest for its usage. The client is gone, so nothing is shown any more.
    async fn finish_alone(mut self: Box<Self>) {
        self.client_left = true;
        std::future::poll_fn(|cx| {
            loop {
                match self.poll_chunk(cx) {
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    fn settle(&mut self) {
        let now = self.dispatch.gateway.clock.now();
        let done = self.start.relay.observed().done;
        // How the provider did.
        let attempt = match self.state {
            State::Reading if done => Outcome::Success,
            State::Reading => Outcome::Cancelled,
            State::Ended(outcome) => outcome,
        };
        // What the client saw: nothing of what it did not stay for.
        let (outcome, error) = match attempt {
            _ if self.client_left || self.next < self.out.len() => (Outcome::Cancelled, None),
            Outcome::Success | Outcome::Cancelled => (attempt, None),
            _ => (attempt, Some(ErrorCode::StreamInterrupted)),
        };
        let usage = self.usage();
        let request = self.dispatch.received().clone();
        let settlement = &mut self.dispatch.settlement;
        settlement.lost_in_answer(&self.start.relay.losses());
        settlement.end_attempt(attempt, usage, self.detail.take(), now);
        let response_bytes = self.response_bytes;
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
        // Taken already where the stream came to its end.
        let Some(inner) = self.0.take() else { return };
        let reading = inner.state == State::Reading && !inner.start.relay.observed().done;
        let finish = reading && inner.dispatch.route.on_disconnect == OnDisconnect::Finish;
        if finish && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let leftovers = inner.dispatch.gateway.leftovers.clone();
            leftovers.spawn_on(inner.finish_alone(), &runtime);
        }
    }
}
