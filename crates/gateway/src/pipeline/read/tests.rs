//! Bodies at and beyond every limit.

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use http_body::Frame;
use http_body_util::{Full, StreamBody};

use super::*;

const LIMITS: BodyLimits = BodyLimits { per_request: 1000, in_flight: 1500, timeout: Duration::from_secs(5) };

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new("test"))
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn chunks(parts: Vec<Vec<u8>>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
    let mut parts = parts.into_iter();
    StreamBody::new(Stream(move || parts.next().map(|part| Ok(Frame::data(Bytes::from(part))))))
}

struct Stream<F>(F);

impl<T, F: FnMut() -> Option<T> + Unpin> futures_core::Stream for Stream<F> {
    type Item = T;
    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<T>> {
        Poll::Ready((self.0)())
    }
}

async fn code(body: Vec<Vec<u8>>, head: &[(&'static str, &str)]) -> Result<Bytes, ErrorCode> {
    let budget = metrics();
    let result = read(chunks(body), &headers(head), LIMITS, &budget).await;
    let result = result.map(|received| received.bytes.clone()).map_err(|error| error.code);
    assert_eq!(budget.body_bytes().load(Relaxed), 0, "the budget came back");
    result
}

#[tokio::test]
async fn whole_split_and_unsized_bodies_arrive() {
    let body = vec![b'x'; 900];
    assert_eq!(code(vec![body.clone()], &[("content-length", "900")]).await.unwrap(), body);
    let split: Vec<_> = body.chunks(7).map(<[u8]>::to_vec).collect();
    assert_eq!(code(split.clone(), &[("content-length", "900")]).await.unwrap(), body);
    assert_eq!(code(split, &[]).await.unwrap(), body);
    assert_eq!(code(vec![], &[]).await.unwrap(), "");
}

#[tokio::test]
async fn limits_hold_declared_or_not() {
    assert_eq!(code(vec![], &[("content-length", "1001")]).await, Err(ErrorCode::BodyTooLarge));
    assert_eq!(code(vec![vec![0; 600], vec![0; 600]], &[]).await, Err(ErrorCode::BodyTooLarge));
    let budget = metrics();
    let first =
        read(Full::from(vec![b'x'; 900]), &headers(&[("content-length", "900")]), LIMITS, &budget).await;
    let second =
        read(Full::from(vec![b'x'; 900]), &headers(&[("content-length", "900")]), LIMITS, &budget).await;
    assert!(first.is_ok());
    assert_eq!(second.unwrap_err().code, ErrorCode::TooManyBytesInFlight);
}

#[tokio::test]
async fn the_budget_is_taken_as_bytes_come() {
    let budget = metrics();
    let head = headers(&[("content-length", "900")]);
    let body = StreamBody::new(Begun(Some(Bytes::from_static(&[b'x'; 100]))));
    let slow = read(body, &head, LIMITS, &budget);
    let mut slow = pin!(slow);
    assert!(futures_util::poll!(&mut slow).is_pending());
    assert_eq!(budget.body_bytes().load(Relaxed), 100, "what it sent, not what it said");
    // Two that have sent little do not keep out a third.
    let third = read(Full::from(vec![b'x'; 900]), &head, LIMITS, &budget).await.unwrap();
    assert_eq!((third.bytes.len(), budget.body_bytes().load(Relaxed)), (900, 1000));
}

/// Some bytes, and then no more.
struct Begun(Option<Bytes>);

impl futures_core::Stream for Begun {
    type Item = Result<Frame<Bytes>, Infallible>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

#[tokio::test(start_paused = true)]
async fn large_bodies_grow_beyond_what_is_trusted() {
    let size = 3 * TRUSTED_LENGTH_BYTES;
    let limits = BodyLimits { per_request: size, in_flight: size, ..LIMITS };
    let parts: Vec<Vec<u8>> = (0..size / 65_536).map(|n| vec![n as u8; 65_536]).collect();
    let whole = parts.concat();
    let head = headers(&[("content-length", &size.to_string())]);
    let received = read(chunks(parts), &head, limits, &metrics()).await.unwrap();
    assert!(received.bytes == whole);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_times_out() {
    let silent = StreamBody::new(Silent);
    let error = read(silent, &HeaderMap::new(), LIMITS, &metrics()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::BodyTimeout);
}

struct Silent;

impl futures_core::Stream for Silent {
    type Item = Result<Frame<Bytes>, Infallible>;
    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn compressed_bodies_are_decoded_within_the_limit() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let head = [("content-encoding", "gzip")];
    assert_eq!(code(vec![gzip(b"{\"model\":1}")], &head).await.unwrap(), "{\"model\":1}");
    assert_eq!(code(vec![gzip(&vec![b'x'; 1_000_000])], &head).await, Err(ErrorCode::BodyTooLarge));
    assert_eq!(code(vec![b"not gzip".to_vec()], &head).await, Err(ErrorCode::BodyUnreadable));
    let cut = gzip(b"{\"model\":1}");
    assert_eq!(code(vec![cut[..cut.len() - 9].to_vec()], &head).await, Err(ErrorCode::BodyUnreadable));
    assert_eq!(code(vec![vec![]], &[("content-encoding", "br")]).await, Err(ErrorCode::BodyUnreadable));
}
