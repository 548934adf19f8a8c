//! A whole body in one buffer: what a server cuts into bytes costs no more than what it sends.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

/// Room that is made on a length's word alone, in bytes.
const TRUSTED_BYTES: u64 = 1024 * 1024;

/// Why a body could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError<E> {
    /// It is longer than allowed.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// It broke off.
    #[error(transparent)]
    Broken(#[from] E),
}

/// Reads `body` to its end, of at most `limit` bytes. A single piece is not copied; the pieces of others are,
/// as they come, so that none of them keeps the buffer that it was read into.
///
/// # Errors
/// It is longer, or breaks off.
pub async fn collect<B>(mut body: B, limit: usize) -> Result<Bytes, CollectError<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let length = first.len() + joined.len() + data.len();
        if length > limit {
            return Err(CollectError::TooLong(limit));
        }
        if length == data.len() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            let left = body.size_hint().lower().min(TRUSTED_BYTES);
            joined.reserve(length + usize::try_from(left).unwrap_or(0));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    type Piece = Result<Frame<Bytes>, std::io::Error>;

    struct Pieces(VecDeque<Piece>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    async fn collected(pieces: Vec<Piece>, limit: usize) -> Result<Bytes, CollectError<std::io::Error>> {
        collect(Pieces(pieces.into()), limit).await
    }

    fn data(bytes: &'static [u8]) -> Piece {
        Ok(Frame::data(Bytes::from_static(bytes)))
    }

    #[tokio::test]
    async fn pieces_become_one_and_a_single_one_stays() {
        assert_eq!(collected(vec![], 0).await.unwrap(), "");
        let whole = Bytes::from_static(b"whole");
        let same = collected(vec![Ok(Frame::data(whole.clone()))], 5).await.unwrap();
        assert_eq!((same.as_ptr(), same.len()), (whole.as_ptr(), 5));
        let pieces = vec![data(b""), data(b"a"), data(b""), data(b"bc"), data(b"d")];
        assert_eq!(collected(pieces, 4).await.unwrap(), "abcd");
    }

    #[tokio::test]
    async fn too_long_and_broken_bodies_are_told_apart() {
        let long = collected(vec![data(b"ab"), data(b"c")], 2).await;
        assert!(matches!(long, Err(CollectError::TooLong(2))));
        let broken = collected(vec![data(b"ab"), Err(std::io::ErrorKind::BrokenPipe.into())], 9).await;
        assert!(matches!(broken, Err(CollectError::Broken(_))));
    }
}
