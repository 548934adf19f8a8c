//! An answer that is passed on as it comes: audio, files, events of other operations. It is never held,
//! and a break in the middle breaks the client's answer off too, so that half a file looks like half.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, SizeHint};
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{ErrorCode, Operation, Outcome, Phase, Usage, UsageDetail, UsageSource};
use pointsman_transport::UpstreamBody;
use pointsman_wire::openai::answer::{drawn, spoken};
use pointsman_wire::openai::relayed::UsageScanner;
use tokio::time::{Instant, Sleep};

use crate::passthrough::exchange::{Open, cost_is_known, media_type};
use crate::pipeline::dispatch::Dispatch;

/// The answer broke off: the connection to the client must, too.
#[derive(Debug, thiserror::Error)]
#[error("the provider's answer broke off")]
pub struct Interrupted;

/// Drives a relayed answer. Owns the request's accounts: dropping it settles them.
pub(crate) struct RelayDriver(Option<Box<Inner>>);

struct Inner {
    dispatch: Box<Dispatch>,
    deployment: Arc<Deployment>,
    status: StatusCode,
    body: UpstreamBody,
    /// Where the answer may report usage.
    scanner: Option<UsageScanner>,
    last_chunk: Instant,
    stall: Duration,
    timer: Pin<Box<Sleep>>,
    models: Option<Arc<Snapshot>>,
    ended: Option<Outcome>,
    detail: Option<Box<str>>,
    response_bytes: u64,
}

impl RelayDriver {
    pub(crate) fn new(mut dispatch: Box<Dispatch>, answer: Open) -> Self {
        let now = dispatch.gateway.clock.now();
        let stall = dispatch.timeouts(&answer.deployment).between_chunks;
        dispatch.settlement.meter.pause(now);
        // What an answer used was told when it was made.
        let again = dispatch.operation == Operation::Responses;
        let textual = media_type(&answer.headers)
            .is_some_and(|kind| kind == "text/event-stream" || kind.ends_with("json"));
        let Open { deployment, status, body, models, .. } = answer;
        Self(Some(Box::new(Inner {
            dispatch,
            deployment,
            status,
            body,
            scanner: (textual && !again).then(UsageScanner::default),
            last_chunk: now,
            stall,
            timer: Box::pin(tokio::time::sleep_until(now + stall)),
            models,
            ended: None,
            detail: None,
            response_bytes: 0,
        })))
    }

    /// The next bytes; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
        let Some(inner) = &mut self.0 else { return Poll::Ready(None) };
        let polled = inner.poll_chunk(cx);
        if !matches!(polled, Poll::Pending | Poll::Ready(Some(Ok(_)))) {
            // Settled here, not when hyper lets go of the body.
            self.0 = None;
        }
        polled
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |inner| inner.body.size_hint())
    }
}

impl Inner {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    self.last_chunk = self.dispatch.gateway.clock.now();
                    self.response_bytes += chunk.len() as u64;
                    if let Some(scanner) = &mut self.scanner {
                        scanner.push(&chunk);
                    }
                    // Who knows the length does not ask again.
                    if self.body.is_end_stream() {
                        self.ended = Some(Outcome::Success);
                    }
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.detail = Some(error.to_string().into());
                    self.ended = Some(Outcome::Reset);
                    return Poll::Ready(Some(Err(Interrupted)));
                }
                Poll::Ready(None) => {
                    self.ended = Some(Outcome::Success);
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let stalled = self.last_chunk + self.stall;
            if self.dispatch.gateway.clock.now() >= stalled {
                self.ended = Some(Outcome::Timeout(Phase::BetweenChunks));
                return Poll::Ready(Some(Err(Interrupted)));
            }
            self.timer.as_mut().reset(stalled);
        }
    }
}

impl Inner {
    /// The deployment of the model that the answer names, where nothing else told it.
    fn named(&self) -> Option<Arc<Deployment>> {
        let model = self.scanner.as_ref()?.model()?;
        self.models.as_ref()?.deployment_of(&self.deployment.key.provider, model)
    }
}

impl Inner {
    /// What the answer reports; else, of speech that is paid by the character, what was to be said.
    fn usage(&self) -> Usage {
        let reported = self.scanner.as_ref().and_then(UsageScanner::usage);
        let units = self.deployment.price.as_ref().map(|price| price.units()).unwrap_or_default();
        match (self.dispatch.operation, reported) {
            (Operation::ImageGeneration | Operation::ImageEdit, Some(usage)) => {
                drawn(usage, usage.detail.pictures)
            }
            (Operation::Speech, None) if units.input_character.is_some() => {
                let Some(characters) = spoken(&self.dispatch.outgoing.body) else { return Usage::default() };
                let detail = UsageDetail { characters, ..UsageDetail::default() };
                Usage { source: UsageSource::Counted, detail, ..Usage::default() }
            }
            (_, usage) => usage.unwrap_or_default(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let usage = self.usage();
        let outcome = self.ended.unwrap_or(Outcome::Cancelled);
        let operation = self.dispatch.operation;
        if let Some(named) = self.named() {
            self.deployment = named;
            self.dispatch.settlement.answered_by(&self.deployment);
        }
        let settlement = &mut self.dispatch.settlement;
        if !cost_is_known(&self.deployment, operation, &usage) {
            settlement.cost_unknown();
        }
        let now = settlement.now();
        settlement.end_attempt(outcome, usage, self.detail.take(), now);
        let response_bytes = self.response_bytes;
        settlement.update(|record| {
            record.usage = usage;
            record.response_bytes = response_bytes;
        });
        let error = (!matches!(outcome, Outcome::Success | Outcome::Cancelled))
            .then_some(ErrorCode::StreamInterrupted);
        settlement.end(outcome, self.status.as_u16(), error);
    }
}
