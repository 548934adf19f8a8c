//! A small client: one connection a request, answers read as JSON or event by event.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PATIENCE;

/// The end of an OpenAI event stream.
const DONE: &str = "[DONE]";

/// An answer whose head has arrived. Dropping it closes the connection, as a client that hangs up does.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    response: Response<Incoming>,
    buffer: Vec<u8>,
    _connection: Connection,
}

/// Closes the connection on drop: also where the caller gives up before the head.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

/// What an event stream held.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The data of each event, parsed.
    pub(crate) data: Vec<Value>,
    /// Whether `[DONE]` came.
    pub(crate) done: bool,
    /// Whether the connection broke before the body's end.
    pub(crate) broken: bool,
}

/// GET, without a key.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    let request = Request::get(path).header("host", address.to_string()).body(Full::default()).unwrap();
    send(address, request).await.unwrap()
}

/// POST of JSON with headers.
///
/// # Errors
/// Where the connection is refused or breaks before the answer's head.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let mut request =
        Request::post(path).header("host", address.to_string()).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(address, request.body(Full::from(body.to_string()))?).await
}

/// Any method, with headers and a body of text.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(address, request.body(Full::from(body.to_owned())).unwrap()).await.unwrap()
}

async fn send(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = Connection(tokio::spawn(async move {
        // A broken connection shows in the answer.
        let _ = connection.await;
    }));
    let response = timeout(PATIENCE, sender.send_request(request)).await??;
    Ok(Answer { status: response.status().as_u16(), response, buffer: Vec::new(), _connection: connection })
}

impl Answer {
    /// A header's value; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The whole body.
    ///
    /// # Errors
    /// Where the connection breaks before its end.
    pub(crate) async fn bytes(mut self) -> hyper::Result<Bytes> {
        let body = timeout(PATIENCE, self.response.body_mut().collect()).await.expect("the body in time")?;
        Ok(body.to_bytes())
    }

    /// The whole body as JSON.
    pub(crate) async fn json(self) -> Value {
        let bytes = self.bytes().await.unwrap();
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
    }

    /// The data of the next event, or `None` at the end; `Err` where the connection breaks first.
    pub(crate) async fn next_event(&mut self) -> hyper::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let event = String::from_utf8(event).unwrap();
                match event.lines().find_map(|line| line.strip_prefix("data:")) {
                    Some(data) => return Ok(Some(data.trim_start().to_owned())),
                    // A comment: keep-alive.
                    None => continue,
                }
            }
            match timeout(PATIENCE, self.response.body_mut().frame()).await.expect("an event in time") {
                Some(frame) => self.buffer.extend_from_slice(frame?.data_ref().unwrap_or(&Bytes::new())),
                None => {
                    assert!(self.buffer.is_empty(), "half an event at the end: {:?}", self.buffer);
                    return Ok(None);
                }
            }
        }
    }

    /// All events from here on.
    pub(crate) async fn events(mut self) -> Events {
        let mut events = Events::default();
        loop {
            match self.next_event().await {
                Ok(Some(data)) if data == DONE => events.done = true,
                Ok(Some(data)) => events.data.push(serde_json::from_str(&data).unwrap()),
                Ok(None) => return events,
                Err(_) => {
                    events.broken = true;
                    return events;
                }
            }
        }
    }

    /// Reads up to the first event with text, and returns that text.
    pub(crate) async fn first_text(&mut self) -> String {
        while let Some(data) = self.next_event().await.unwrap() {
            let event: Value = serde_json::from_str(&data).unwrap();
            if let Some(text) = event["choices"][0]["delta"]["content"].as_str()
                && !text.is_empty()
            {
                return text.to_owned();
            }
        }
        panic!("the stream ended before any text");
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Events {
    /// The text of all deltas.
    pub(crate) fn text(&self) -> String {
        self.data.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect()
    }

    /// The finish reason, if one came.
    pub(crate) fn finish_reason(&self) -> Option<&str> {
        self.data.iter().find_map(|event| event["choices"][0]["finish_reason"].as_str())
    }

    /// The error event, if one came.
    pub(crate) fn error(&self) -> Option<&Value> {
        self.data.iter().map(|event| &event["error"]).find(|error| !error.is_null())
    }
}
