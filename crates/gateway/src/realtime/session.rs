//! A session that runs: two pipes until one ends or a limit is reached, then a goodbye to both sides. Dropping
//! it settles its accounts, whatever happened.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use pointsman_config::ServerSettings;
use pointsman_core::{ErrorCode, Outcome, PublicError, Rng};
use pointsman_transport::BoxedIo;
use pointsman_wire::openai::realtime::CANCEL;
use pointsman_wire::websocket::{Seen, Side, close_frame, text_frame};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, sleep_until, timeout};

use super::bill::Bill;
use super::pipe::{End, Pipe};
use crate::pipeline::dispatch::Dispatch;

/// For all of a goodbye: close frames and their answers, and what an answer that is broken off used.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the report on an answer that is broken off is waited for: a part of [`FAREWELL`].
const REPORT_WITHIN: Duration = Duration::from_secs(3);
/// How long frames that are half sent may take to their end before a goodbye: another part, at its beginning.
const FRAMES_WITHIN: Duration = Duration::from_secs(1);

/// Why a session ends that both sides would go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Idle,
    Longest,
    Drained,
}

/// Limits in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    idle: Duration,
    longest: Duration,
    /// From the beginning of a drain to the goodbye.
    grace: Duration,
}

impl Limits {
    /// Those of the configuration: a goodbye is over when the time to drain is.
    pub(crate) const fn of(server: &ServerSettings) -> Self {
        Self {
            idle: server.realtime_idle_timeout,
            longest: server.max_realtime_session,
            grace: server.drain_timeout.saturating_sub(FAREWELL).saturating_sub(FRAMES_WITHIN),
        }
    }
}

/// Where keys for masks come from: nobody outside can foresee them (RFC 6455, 10.3).
///
/// # Errors
/// The system has no random bytes.
pub(crate) fn masks() -> Result<Rng, PublicError> {
    let seed = getrandom::u64();
    seed.map(Rng::new).map_err(|error| {
        tracing::error!(%error, "the system has no random bytes");
        PublicError::new(ErrorCode::Internal, "the session could not be opened")
    })
}

fn fresh(masks: &mut Rng) -> [u8; 4] {
    let [a, b, c, d, ..] = masks.next_u64().to_ne_bytes();
    [a, b, c, d]
}

/// A session between a client and a provider.
pub(crate) struct Session {
    dispatch: Box<Dispatch>,
    upstream: BoxedIo,
    /// From the client.
    up: Pipe,
    /// From the provider.
    down: Pipe,
    bill: Bill,
    masks: Rng,
    limits: Limits,
    ended: Ended,
}

/// How it ended, for the record.
struct Ended {
    /// Of the upstream call.
    attempt: Outcome,
    /// Of the request.
    request: Outcome,
    error: Option<ErrorCode>,
    detail: Option<Box<str>>,
}

impl Ended {
    fn new(
        attempt: Outcome,
        request: Outcome,
        error: Option<ErrorCode>,
        detail: impl Into<Box<str>>,
    ) -> Self {
        Self { attempt, request, error, detail: Some(detail.into()) }
    }

    fn well(detail: impl Into<Box<str>>) -> Self {
        Self::new(Outcome::Success, Outcome::Success, None, detail)
    }

    fn upstream(outcome: Outcome, detail: impl Into<Box<str>>) -> Self {
        Self::new(outcome, outcome, Some(ErrorCode::StreamInterrupted), detail)
    }
}

/// Which side ended, or what.
enum Over {
    Up(End),
    Down(End),
    Limit(Limit),
}

/// What each side is told at the end. `None`: it is gone, or would not understand.
struct Goodbye {
    client: Option<Bytes>,
    upstream: Option<Bytes>,
}

impl Session {
    pub(crate) fn new(
        dispatch: Box<Dispatch>,
        upstream: BoxedIo,
        bill: Bill,
        masks: Rng,
        limits: Limits,
    ) -> Self {
        dispatch.gateway.metrics.realtime_sessions().fetch_add(1, Ordering::Relaxed);
        Self {
            dispatch,
            upstream,
            up: Pipe::new(Side::Client),
            down: Pipe::new(Side::Server),
            bill,
            masks,
            limits,
            ended: Ended {
                attempt: Outcome::Cancelled,
                request: Outcome::Cancelled,
                error: None,
                detail: None,
            },
        }
    }

    /// Relays to the end.
    pub(crate) async fn run(mut self, client: Upgraded) {
        let mut client = TokioIo::new(client);
        let over = self.relay(&mut client).await;
        let goodbye = self.judge(over, &mut client).await;
        tracing::debug!(detail = self.ended.detail.as_deref(), "realtime session ended");
        if timeout(FAREWELL, self.part(&mut client, goodbye)).await.is_err() {
            tracing::debug!("a side of a realtime session did not say goodbye");
        }
    }

    async fn relay(&mut self, client: &mut TokioIo<Upgraded>) -> Over {
        let clock = self.dispatch.gateway.clock;
        let drain = self.dispatch.gateway.drain.clone();
        let Limits { idle, longest, grace } = self.limits;
        let began = clock.now();
        let mut drained = pin!(async {
            drain.wait().await;
            sleep(grace).await;
        });
        let mut too_long = pin!(sleep_until(began + longest));
        let mut silent = pin!(sleep_until(began + idle));
        let mut at_last = pin!(sleep_until(began + longest));
        let mut leaving = None;
        let mut last_message = began;
        let Self { upstream, up, down, bill, masks, .. } = self;
        poll_fn(|cx| {
            let mut message = false;
            let mut fresh = || fresh(masks);
            let mut watch = |seen: Seen<'_>| message |= matches!(seen, Seen::Data { .. });
            let mut look = |seen: Seen<'_>| {
                bill.see(&seen);
                watch(seen);
            };
            let fell = down.poll((&mut *upstream, &mut *client), cx, &mut || [0; 4], &mut look);
            let rose = up.poll((&mut *client, &mut *upstream), cx, &mut fresh, &mut watch);
            match (fell, rose) {
                // A client that says goodbye and does not wait for the rest has left in good order.
                (Poll::Ready(End::ReceiverGone(_)), Poll::Ready(end @ End::Closed(_))) => {
                    return Poll::Ready(Over::Up(end));
                }
                (Poll::Ready(end), _) => return Poll::Ready(Over::Down(end)),
                (_, Poll::Ready(end)) => return Poll::Ready(Over::Up(end)),
                _ => {}
            }
            if message {
                last_message = clock.now();
            }
            if leaving.is_none() {
                while silent.as_mut().poll(cx).is_ready() {
                    if clock.now() >= last_message + idle {
                        leaving = Some(Limit::Idle);
                        break;
                    }
                    silent.as_mut().reset(last_message + idle);
                }
                if too_long.as_mut().poll(cx).is_ready() {
                    leaving = Some(Limit::Longest);
                }
                if drained.as_mut().poll(cx).is_ready() {
                    leaving = Some(Limit::Drained);
                }
                if leaving.is_some() {
                    at_last.as_mut().reset(clock.now() + FRAMES_WITHIN);
                }
            }
            match leaving {
                Some(limit)
                    if (up.between_frames() && down.between_frames())
                        || at_last.as_mut().poll(cx).is_ready() =>
                {
                    Poll::Ready(Over::Limit(limit))
                }
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// What the end means, and what is said to whom.
    async fn judge(&mut self, over: Over, client: &mut TokioIo<Upgraded>) -> Goodbye {
        // A client that is still there gets the end of the frame that it is being sent.
        if matches!(over, Over::Up(End::Closed(_) | End::Violated(_))) {
            self.finish_frame(client).await;
        }
        let to_client = |code, text: &str| Some(Bytes::from(close_frame(Some(code), text, None)));
        let key = fresh(&mut self.masks);
        let to_upstream = |code, text: &str| Some(Bytes::from(close_frame(code, text, Some(key))));
        let (ended, said, told) = match over {
            Over::Up(End::Closed(code)) => (
                Ended::well("the client closed it"),
                Some(Bytes::from(close_frame(code, "", None))),
                Some(self.up.take_close()),
            ),
            Over::Up(End::SenderGone(reason)) | Over::Down(End::ReceiverGone(reason)) => (
                Ended::new(
                    Outcome::Cancelled,
                    Outcome::Cancelled,
                    None,
                    format!("the client is gone: {reason}"),
                ),
                None,
                to_upstream(Some(1001), "the client is gone"),
            ),
            Over::Up(End::Violated(violation)) => (
                Ended::new(
                    Outcome::Cancelled,
                    Outcome::ClientFault,
                    Some(ErrorCode::InvalidRequest),
                    format!("the client: {violation}"),
                ),
                to_client(violation.close_code(), &violation.to_string()),
                to_upstream(Some(1001), "the client is gone"),
            ),
            Over::Down(End::Closed(code)) => (
                match code {
                    None | Some(1000 | 1001) => Ended::well("the provider closed it"),
                    Some(code) => Ended::upstream(
                        Outcome::UpstreamFault,
                        format!("the provider closed it with code {code}"),
                    ),
                },
                Some(self.down.take_close()),
                to_upstream(code, ""),
            ),
            Over::Down(End::SenderGone(reason)) | Over::Up(End::ReceiverGone(reason)) => (
                Ended::upstream(Outcome::Reset, format!("the provider is gone: {reason}")),
                to_client(1011, "the provider's connection broke"),
                None,
            ),
            Over::Down(End::Violated(violation)) => (
                Ended::upstream(Outcome::Malformed, format!("the provider: {violation}")),
                to_client(1011, "the provider broke the protocol"),
                to_upstream(Some(violation.close_code()), ""),
            ),
            Over::Limit(limit) => {
                let text = match limit {
                    Limit::Idle => "the session was idle for too long",
                    Limit::Longest => "the session was too long",
                    Limit::Drained => "the server is shutting down",
                };
                (Ended::well(text), to_client(1001, text), to_upstream(Some(1001), text))
            }
        };
        self.ended = ended;
        // Within a frame, a close frame would be taken for a part of it.
        Goodbye {
            client: said.filter(|_| self.down.between_frames()),
            upstream: told.filter(|_| self.up.between_frames()),
        }
    }

    async fn finish_frame(&mut self, client: &mut TokioIo<Upgraded>) {
        let Self { upstream, down, bill, .. } = self;
        let finished = poll_fn(|cx| {
            let mut look = |seen: Seen<'_>| bill.see(&seen);
            while !down.between_frames() {
                if down.poll((&mut *upstream, &mut *client), cx, &mut || [0; 4], &mut look).is_ready() {
                    break;
                }
                if !down.between_frames() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        });
        // Late: its connection is closed without a word.
        let _ = timeout(FRAMES_WITHIN, finished).await;
    }

    /// Says goodbye to both sides.
    async fn part(&mut self, client: &mut TokioIo<Upgraded>, goodbye: Goodbye) {
        let Self { upstream, up, down, bill, masks, .. } = self;
        let between_messages = up.between_messages();
        let mut ignore = |_: &Seen<'_>| {};
        let client_side = say_goodbye(client, up, goodbye.client, &mut ignore);
        let upstream_side = async {
            if goodbye.upstream.is_some() && between_messages && bill.answering() && !down.closed() {
                // What is billed is told at the end of the answer: it is ended instead of left.
                let cancel = text_frame(CANCEL, Some(fresh(masks)));
                if write(upstream, &cancel).await {
                    let report = poll_fn(|cx| {
                        down.poll_discard(upstream, cx, &mut |seen| {
                            bill.see(&seen);
                            !bill.answering()
                        })
                    });
                    // Late: the cost is unknown.
                    let _ = timeout(REPORT_WITHIN, report).await;
                }
            }
            say_goodbye(upstream, down, goodbye.upstream, &mut |seen| bill.see(seen)).await;
        };
        tokio::join!(client_side, upstream_side);
    }
}

/// Sends the close frame, waits for the other's where it has not come, and closes the connection.
async fn say_goodbye<I: AsyncRead + AsyncWrite + Unpin>(
    io: &mut I,
    from_there: &mut Pipe,
    frame: Option<Bytes>,
    see: &mut impl FnMut(&Seen<'_>),
) {
    if let Some(frame) = frame
        && write(io, &frame).await
        && !from_there.closed()
    {
        let mut look = |seen: Seen<'_>| {
            see(&seen);
            false
        };
        poll_fn(|cx| from_there.poll_discard(io, cx, &mut look)).await;
    }
    // It may be closed already.
    let _ = io.shutdown().await;
}

async fn write<I: AsyncWrite + Unpin>(io: &mut I, frame: &[u8]) -> bool {
    io.write_all(frame).await.is_ok() && io.flush().await.is_ok()
}

impl Drop for Session {
    fn drop(&mut self) {
        self.dispatch.gateway.metrics.realtime_sessions().fetch_sub(1, Ordering::Relaxed);
        let (usage, cost) = (self.bill.usage(), self.bill.cost());
        let (request_bytes, response_bytes) = (self.up.bytes(), self.down.bytes());
        let settlement = &mut self.dispatch.settlement;
        let now = settlement.now();
        match cost {
            Some(cost) => settlement.bill(cost),
            None => settlement.cost_unknown(),
        }
        settlement.end_attempt(self.ended.attempt, usage, self.ended.detail.take(), now);
        settlement.update(|record| {
            record.usage = usage;
            record.request_bytes = request_bytes;
            record.response_bytes = response_bytes;
        });
        let status = http::StatusCode::SWITCHING_PROTOCOLS.as_u16();
        settlement.end(self.ended.request, status, self.ended.error);
    }
}
