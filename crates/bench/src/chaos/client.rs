//! A client over sockets: asks a question whose answer is known, and reads all that comes.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pointsman_testkit::faults::{Question, Reader, Said};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::http::{Buffer, Framing, header};

/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(60);
/// Connections that wait for their next request.
const MAX_IDLE: usize = 512;

/// Clients of one gateway that share connections.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    idle: Mutex<Vec<(TcpStream, Buffer)>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Upstream calls, as the gateway says.
    pub(super) attempts: u32,
    /// Who answered.
    pub(super) provider: String,
    /// The gateway says that another try cannot help.
    pub(super) give_up: bool,
    /// Seconds to wait, where the gateway says so.
    pub(super) retry_after: Option<f64>,
    pub(super) said: Said,
    /// To the answer's head.
    pub(super) first_byte: Duration,
    /// To the last byte.
    pub(super) elapsed: Duration,
}

impl Client {
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// Asks once.
    ///
    /// # Errors
    /// No answer came at all.
    pub(super) async fn ask(&self, question: &Question) -> io::Result<Answer> {
        match timeout(LIMIT, self.exchange(question)).await {
            Ok(answer) => answer,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn exchange(&self, question: &Question) -> io::Result<Answer> {
        let (path, body) = (question.path(), question.body().to_string());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nanthropic-version: 2023-06-01\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        );
        let started = Instant::now();
        let (mut stream, mut buffer) = self.connection().await?;
        stream.write_all(request.as_bytes()).await?;
        let head = buffer.head(&mut stream, false).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let first_byte = started.elapsed();
        let told = buffer.bytes()[..head.length].to_vec();
        let text = |name: &str| header(&told, name).map(|value| String::from_utf8_lossy(value).into_owned());
        buffer.consume(head.length);
        let streamed = question.streamed && head.status == 200;
        let mut reader = Reader::new(question.dialect);
        let mut whole = Vec::new();
        let mut take = |bytes: &[u8]| match streamed {
            true => reader.push(bytes),
            false => whole.extend_from_slice(bytes),
        };
        let read = body_of(&mut stream, &mut buffer, head.framing, &mut take).await;
        let elapsed = started.elapsed();
        let said = match (streamed, &read) {
            (true, _) => reader.finish(read.is_err()),
            (false, Ok(())) => Said::plain(question.dialect, &whole),
            (false, Err(error)) => Said { breaches: vec![error.to_string()], ..Said::default() },
        };
        if read.is_ok() && !head.close {
            self.keep((stream, buffer));
        }
        Ok(Answer {
            status: head.status,
            attempts: text("x-pointsman-attempts").and_then(|text| text.parse().ok()).unwrap_or(0),
            provider: text("x-pointsman-provider").unwrap_or_default(),
            give_up: text("x-should-retry").is_some_and(|text| text == "false"),
            retry_after: text("retry-after").and_then(|text| text.parse().ok()),
            said,
            first_byte,
            elapsed,
        })
    }

    /// A connection that is still open, or a new one.
    async fn connection(&self) -> io::Result<(TcpStream, Buffer)> {
        while let Some((stream, buffer)) = self.take() {
            // Closed by the other side meanwhile, as it may: there is something to read, or its end.
            let open =
                matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            if open && buffer.bytes().is_empty() {
                return Ok((stream, buffer));
            }
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok((stream, Buffer::default()))
    }

    fn take(&self) -> Option<(TcpStream, Buffer)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: (TcpStream, Buffer)) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}

async fn body_of(
    stream: &mut TcpStream,
    buffer: &mut Buffer,
    framing: Framing,
    take: &mut impl FnMut(&[u8]),
) -> io::Result<()> {
    match framing {
        Framing::Length(length) => {
            buffer.need(stream, length).await?;
            take(&buffer.bytes()[..length]);
            buffer.consume(length);
        }
        Framing::Chunked => {
            while let Some((size, all)) = buffer.chunk(stream).await? {
                take(&buffer.bytes()[..size]);
                buffer.consume(all);
            }
        }
    }
    Ok(())
}
