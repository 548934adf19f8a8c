//! Realtime sessions from both ends, by an implementation of WebSockets that is not the gateway's own: it
//! refuses wrong handshakes and masks, reserved bits, and text that is no text.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Request, Response, header};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
pub use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::ErrorResponse;
pub use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
pub use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
pub use tokio_tungstenite::tungstenite::{Bytes, Error};
use tokio_tungstenite::{accept_hdr_async, client_async};

/// A session as its provider has it.
#[derive(Debug)]
pub struct Provider<S> {
    /// The request that opened it.
    pub head: Request<()>,
    /// The session.
    pub socket: WebSocketStream<S>,
}

/// Takes a session, with this subprotocol where it is offered.
///
/// # Errors
/// Whatever is wrong with the handshake.
pub async fn accept<S>(io: S, protocol: Option<&'static str>) -> Result<Provider<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Request::new(());
    #[expect(clippy::result_large_err, reason = "the type is the library's")]
    let look = |request: &Request<()>, mut response: Response<()>| -> Result<Response<()>, ErrorResponse> {
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.headers_mut() = request.headers().clone();
        let offered = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
        let offered = offered.and_then(|offered| offered.to_str().ok()).unwrap_or_default();
        if let Some(protocol) = protocol.filter(|protocol| offered.split(", ").any(|one| one == *protocol)) {
            let value = HeaderValue::from_static(protocol);
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        Ok(response)
    };
    let socket = accept_hdr_async(io, look).await?;
    Ok(Provider { head, socket })
}

/// A request to open a session at `path` with these further headers.
///
/// # Panics
/// Where these are no path and headers.
#[must_use]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
pub fn request(path: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = format!("ws://127.0.0.1:4180{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// Opens a session as a client.
///
/// # Errors
/// The answer, where it is not 101: [`Error::Http`].
pub async fn connect<S>(
    io: S,
    request: Request<()>,
) -> Result<(WebSocketStream<S>, Response<Option<Vec<u8>>>), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    client_async(request, io).await
}

/// Sends an event.
///
/// # Errors
/// The session is over.
pub async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    event: &Value,
) -> Result<(), Error> {
    socket.send(Message::text(event.to_string())).await
}

/// The next message; `None` at the end.
pub async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Option<Result<Message, Error>> {
    socket.next().await
}

/// The events of one answer, with this usage at its end.
#[must_use]
pub fn answer(text: &str, usage: &Value) -> [Value; 3] {
    [
        json!({"type": "response.created", "event_id": "e1", "response": {"id": "r", "status": "in_progress", "usage": null}}),
        json!({"type": "response.output_text.delta", "event_id": "e2", "response_id": "r", "delta": text}),
        json!({"type": "response.done", "event_id": "e3",
            "response": {"id": "r", "object": "realtime.response", "status": "completed", "output": [], "usage": usage}}),
    ]
}

/// Token counts as realtime sessions report them.
#[must_use]
pub fn usage(input: u64, audio: u64, output: u64) -> Value {
    json!({
        "total_tokens": input + output, "input_tokens": input, "output_tokens": output,
        "input_token_details": {"cached_tokens": 0, "text_tokens": input - audio, "audio_tokens": audio},
        "output_token_details": {"text_tokens": output, "audio_tokens": 0},
    })
}

/// Serves sessions at a free port of 127.0.0.1 until the task is aborted: each says what it was opened with,
/// answers `response.create`, and counts audio.
///
/// # Errors
/// Where no port can be bound.
pub async fn serve_tcp() -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let mut sessions = JoinSet::new();
        while let Ok((io, _)) = listener.accept().await {
            sessions.spawn(async move {
                // What is wrong with a handshake or a frame shows in the client's own failure.
                if let Ok(provider) = accept(io, Some("realtime")).await {
                    let _ = converse(provider).await;
                }
            });
        }
    });
    Ok((address, task))
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut provider: Provider<S>) -> Result<(), Error> {
    let target = provider.head.uri().to_string();
    let created = json!({"type": "session.created", "event_id": "e0",
        "session": {"type": "realtime", "object": "realtime.session", "id": "s", "model": target}});
    say(&mut provider.socket, &created).await?;
    while let Some(message) = hear(&mut provider.socket).await {
        let Message::Text(text) = message? else { continue };
        let event: Value = serde_json::from_str(&text).unwrap_or_default();
        if event["type"] == "response.create" {
            for event in answer("hello", &usage(10, 4, 6)) {
                say(&mut provider.socket, &event).await?;
            }
        }
        if event["type"] == "input_audio_buffer.append" {
            let length = event["audio"].as_str().map_or(0, str::len);
            let event = json!({"type": "input_audio_buffer.committed", "event_id": "e", "item_id": length.to_string()});
            say(&mut provider.socket, &event).await?;
        }
    }
    Ok(())
}
