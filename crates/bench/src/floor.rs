//! The floor: the least that an HTTP proxy on hyper can cost. It forwards and does nothing else, in one
//! file of at most 150 lines, with the allocator, profile and runtime of the product.
//!
//! Connections to the upstream are pooled, bodies are streamed in both directions.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Sender = SendRequest<Incoming>;

struct Upstream {
    address: SocketAddr,
    idle: Mutex<Vec<Sender>>,
}

/// The answer's body: gives its connection back when it has been read to its end.
struct Answer {
    body: Incoming,
    lease: Option<(Sender, Arc<Upstream>)>,
}

/// Listens at `listen`, says where, and forwards everything to `upstream`.
///
/// # Errors
/// Where the address cannot be bound.
pub async fn serve(listen: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let upstream = Arc::new(Upstream { address: upstream, idle: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move {
            let service = service_fn(move |request| forward(request, Arc::clone(&upstream)));
            // A client that breaks off is none of our business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(mut request: Request<Incoming>, upstream: Arc<Upstream>) -> Result<Response<Answer>, Error> {
    request.headers_mut().remove(CONNECTION);
    let mut sender = match upstream.take() {
        Some(sender) => sender,
        None => Box::pin(upstream.connect()).await?,
    };
    sender.ready().await?;
    let mut response = sender.send_request(request).await?;
    response.headers_mut().remove(CONNECTION);
    Ok(response.map(|body| {
        let mut answer = Answer { body, lease: Some((sender, upstream)) };
        answer.give_back_at_end();
        answer
    }))
}

impl Upstream {
    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|sender| !sender.is_closed())
    }

    fn put(&self, sender: Sender) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Answer {
    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some((sender, upstream)) = self.lease.take()
        {
            upstream.put(sender);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Err(_)) => self.lease = None,
            None | Some(Ok(_)) => self.give_back_at_end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
