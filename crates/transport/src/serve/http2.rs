//! One HTTP/2 connection of a client: limits against floods of streams, resets and headers, and the same
//! view of a request as HTTP/1.1 gives (`Host` is set).

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::activity::{Activity, Running, Watched};
use super::{Drain, STALLED_WRITE, ServeOptions};
use crate::io::BoxedIo;
use crate::stall::WriteLimit;

/// Requests at one time on a connection: the least that RFC 9113 (6.5.2) recommends.
const MAX_STREAMS: u32 = 100;
/// Streams that a client resets before they are taken up; beyond, the connection ends (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Streams that we reset for a client's errors; beyond, the connection ends (CVE-2025-8671).
const MAX_LOCAL_RESETS: usize = 128;
/// What a client may send of one body before it is read, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What waits to be written for one answer, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// A peer that is silent for so long is asked whether it is there, and given up if it does not say so.
const PING_AFTER: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(20);
/// How often the limits in time are looked at.
const TICK: Duration = Duration::from_secs(1);
/// After the last answer of a connection that is to end: for the goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves a connection until its client leaves, breaks a limit, or `drain` starts and all is answered.
pub(super) async fn http2<S, B>(io: BoxedIo, service: S, options: ServeOptions, drain: Drain)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let activity = Activity::new();
    let service = Translated { service, activity: activity.clone(), max_headers: options.max_headers };
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .max_header_list_size(u32::try_from(options.max_head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_LIMIT)
        .serve_connection(TokioIo::new(WriteLimit::new(io, STALLED_WRITE)), service);
    let mut serving = pin!(serving);
    let leave = async {
        tokio::select! {
            () = drain.wait() => {}
            () = idle(&activity, options.header_timeout) => {}
        }
    };
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stalled(&activity) => Ok(()),
        () = leave => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = serving.as_mut() => ended,
                () = stalled(&activity) => Ok(()),
                () = ignored(&activity) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "client connection ended");
    }
}

/// Resolves when no request has run for `limit`.
async fn idle(activity: &Activity, limit: Duration) {
    while !activity.is_idle() || activity.still() < limit {
        tokio::time::sleep(TICK.min(limit)).await;
    }
}

/// Resolves when the last answer is out and the client still does not hang up.
async fn ignored(activity: &Activity) {
    tokio::time::sleep(FAREWELL).await;
    idle(activity, FAREWELL).await;
}

/// Resolves when the client has taken nothing of any answer for too long.
async fn stalled(activity: &Activity) {
    while !activity.waits_for_client() || activity.still() < STALLED_WRITE {
        tokio::time::sleep(TICK).await;
    }
}

/// The service, for requests of HTTP/2.
struct Translated<S> {
    service: S,
    activity: Arc<Activity>,
    max_headers: usize,
}

impl<S, B> Service<Request<Incoming>> for Translated<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<Watched<B>>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let running = Some(self.activity.begin());
        if request.headers().len() > self.max_headers {
            return Answering { answer: None, running };
        }
        // The target's authority wins over `Host` (RFC 9113, 8.3.1), and everybody behind reads `Host`.
        if let Some(authority) = request.uri().authority()
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            request.headers_mut().insert(header::HOST, host);
        }
        Answering { answer: Some(self.service.call(request)), running }
    }
}

pin_project_lite::pin_project! {
    /// An answer on its way. `None`: the request had too many header fields.
    struct Answering<F> {
        #[pin]
        answer: Option<F>,
        running: Option<Running>,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Watched<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.answer.as_pin_mut() {
            Some(answer) => ready!(answer.poll(cx))?.map(Some),
            None => {
                let mut refusal = Response::new(None);
                *refusal.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                refusal
            }
        };
        // A future is not polled again once it is ready, so this is there.
        let Some(running) = this.running.take() else { return Poll::Pending };
        Poll::Ready(Ok(response.map(|body| Watched { body, running })))
    }
}
