//! The simulated provider's server: an HTTP service on a pipe in memory, so that it is reached through
//! the same pool, timeouts and accounting as every other provider.

use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pointsman_config::domain::SIMULATED_BASE_URL;
use pointsman_core::{Clock, ErrorCode, Operation, PublicError};
use pointsman_providers::simulated::{self, Answer, Context};
use pointsman_transport::connect::{Connecting, Negotiated, Negotiating};
use pointsman_transport::{Connect, Origin};
use tokio::io::duplex;

use crate::errors;

/// Bytes that the pipe holds in each direction.
const PIPE_BYTES: usize = 64 * 1024;

/// Connects to the simulated provider in memory, and to every other origin through `inner`.
pub struct SimulatedConnect<C> {
    inner: C,
    clock: Clock,
}

impl<C> SimulatedConnect<C> {
    /// Wraps `inner`.
    pub const fn new(inner: C, clock: Clock) -> Self {
        Self { inner, clock }
    }
}

impl<C> fmt::Debug for SimulatedConnect<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedConnect")
    }
}

impl<C: Connect> Connect for SimulatedConnect<C> {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        if !is_simulated(origin) {
            return self.inner.connect(origin);
        }
        let (near, far) = duplex(PIPE_BYTES);
        let clock = self.clock;
        // Ends when the pool lets go of the near end.
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, clock));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(far), service).await {
                tracing::debug!(%error, "simulated connection ended");
            }
        });
        Box::pin(async move { Ok(Box::new(near) as pointsman_transport::BoxedIo) })
    }

    fn negotiate<'a>(&'a self, origin: &'a Origin) -> Negotiating<'a> {
        if !is_simulated(origin) {
            return self.inner.negotiate(origin);
        }
        let connecting = self.connect(origin);
        Box::pin(async move { connecting.await.map(Negotiated::Http1) })
    }
}

fn is_simulated(origin: &Origin) -> bool {
    &*origin.host == SIMULATED_BASE_URL.trim_start_matches("http://").trim_end_matches("/v1")
}

type Events = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn answer(request: Request<Incoming>, clock: Clock) -> Result<Response<Events>, Infallible> {
    let path = request.uri().path().to_owned();
    let operation = Operation::ALL.into_iter().find(|operation| path.ends_with(operation.openai_path()));
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let now_unix = u64::try_from(clock.unix_us(clock.now()) / 1_000_000).unwrap_or_default();
    let seed = seed(&body);
    let answer = match operation {
        Some(Operation::Realtime) => Err(PublicError::new(
            ErrorCode::UnsupportedOperation,
            "the simulated provider has no realtime sessions",
        )),
        Some(operation) => simulated::answer(operation, &body, Context { seed, now_unix }),
        None => Err(PublicError::new(ErrorCode::UnknownPath, "the simulated provider has no such operation")),
    };
    let (status, content_type, chunks) = match answer {
        Ok(Answer::Plain(body)) => (StatusCode::OK, "application/json", vec![body]),
        Ok(Answer::Events(events)) => (StatusCode::OK, "text/event-stream", events),
        Err(error) => (errors::status(error.code), "application/json", vec![errors::render(&error, None)]),
    };
    let frames: Vec<_> = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))).collect();
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// Equal requests get equal answers.
fn seed(body: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}
