//! Paths to handlers: the first thing that happens to a request.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use hyper::service::Service;
use pointsman_core::{Dialect, ErrorCode, Operation, PublicError};
use pointsman_wire::embeddings::Shape;

use crate::Gateway;
use crate::asked::{Asked, gemini_method};
use crate::body::ResponseBody;
use crate::handlers::ollama;
use crate::responses::objects;
use crate::{errors, framing, handlers, passthrough, pipeline, realtime};

/// Serves one connection.
#[derive(Clone, Debug)]
pub struct GatewayService {
    gateway: Arc<Gateway>,
    peer: IpAddr,
}

impl GatewayService {
    pub(crate) const fn new(gateway: Arc<Gateway>, peer: IpAddr) -> Self {
        Self { gateway, peer }
    }
}

impl Service<Request<Incoming>> for GatewayService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Handling;

    fn call(&self, request: Request<Incoming>) -> Handling {
        Handling(Box::pin(handle(self.gateway.clone(), self.peer, request)))
    }
}

/// The one boxed future of a request.
pub struct Handling(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>);

impl std::fmt::Debug for Handling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handling")
    }
}

impl Future for Handling {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    /// Of OpenAI's API.
    Operation(Operation),
    /// A chat, or a count of its tokens, in another dialect.
    Other(Dialect, Operation),
    /// The same in Gemini's: what follows `/models/`.
    Gemini(&'a str),
    /// Embeddings in Ollama's.
    Embeddings(Shape),
    /// The rest of Ollama's.
    Ollama(ollama::Call),
    /// All models.
    Models(Dialect),
    /// One.
    Model(Dialect, &'a str),
    /// An answer that is kept: what follows `/responses/`.
    Kept(&'a str),
    Home,
    Live,
    Ready,
    Unknown,
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Self {
        match path {
            "/v1/chat/completions" => Self::Operation(Operation::Chat),
            "/v1/completions" => Self::Operation(Operation::TextCompletion),
            "/v1/embeddings" => Self::Operation(Operation::Embeddings),
            "/v1/moderations" => Self::Operation(Operation::Moderation),
            "/v1/rerank" => Self::Operation(Operation::Rerank),
            "/v1/images/generations" => Self::Operation(Operation::ImageGeneration),
            "/v1/audio/speech" => Self::Operation(Operation::Speech),
            "/v1/audio/transcriptions" => Self::Operation(Operation::Transcription),
            "/v1/audio/translations" => Self::Operation(Operation::Translation),
            "/v1/images/edits" => Self::Operation(Operation::ImageEdit),
            "/v1/images/variations" => Self::Operation(Operation::ImageVariation),
            "/v1/realtime" => Self::Operation(Operation::Realtime),
            "/v1/messages" => Self::Other(Dialect::Anthropic, Operation::Chat),
            "/v1/messages/count_tokens" => Self::Other(Dialect::Anthropic, Operation::TokenCount),
            "/v1/responses" => Self::Other(Dialect::OpenAiResponses, Operation::Chat),
            "/v1/responses/input_tokens" => Self::Other(Dialect::OpenAiResponses, Operation::TokenCount),
            "/api/chat" => Self::Other(Dialect::Ollama, Operation::Chat),
            "/api/generate" => Self::Other(Dialect::Ollama, Operation::TextCompletion),
            "/api/embed" => Self::Embeddings(Shape::Ollama),
            "/api/embeddings" => Self::Embeddings(Shape::OllamaOne),
            "/v1/models" => Self::Models(Dialect::OpenAiChat),
            "/v1beta/models" => Self::Models(Dialect::Gemini),
            "/" => Self::Home,
            "/livez" => Self::Live,
            "/readyz" => Self::Ready,
            _ if is_below(path, "/v1/files") => Self::Operation(Operation::Files),
            _ if is_below(path, "/v1/batches") => Self::Operation(Operation::Batches),
            _ => Self::below(path),
        }
    }

    fn below(path: &'a str) -> Self {
        if let Some(call) = ollama::Call::of(path) {
            return Self::Ollama(call);
        }
        if let Some(rest) = path.strip_prefix("/v1/responses/") {
            return if objects::parse(rest).is_some() { Self::Kept(rest) } else { Self::Unknown };
        }
        match (path.strip_prefix("/v1/models/"), path.strip_prefix("/v1beta/models/")) {
            (Some(id), _) | (_, Some(id)) if gemini_method(id).is_some() => Self::Gemini(id),
            (Some(id), _) if !id.is_empty() => Self::Model(Dialect::OpenAiChat, id),
            (_, Some(id)) if !id.is_empty() => Self::Model(Dialect::Gemini, id),
            _ => Self::Unknown,
        }
    }

    /// What its clients speak.
    const fn dialect(self) -> Dialect {
        match self {
            Self::Other(dialect, _) | Self::Models(dialect) | Self::Model(dialect, _) => dialect,
            Self::Gemini(_) => Dialect::Gemini,
            Self::Embeddings(_) | Self::Ollama(_) => Dialect::Ollama,
            Self::Kept(_) => Dialect::OpenAiResponses,
            _ => Dialect::OpenAiChat,
        }
    }

    /// The call that goes through the pipeline, if it is one.
    fn asked(self, query: Option<&str>) -> Option<Asked> {
        match self {
            Self::Operation(operation) if operation.is_text() => Some(Asked::openai(operation)),
            Self::Other(dialect, operation) => Some(Asked::in_body(operation, dialect)),
            Self::Gemini(path) => Asked::gemini(path, query),
            Self::Embeddings(shape) => Some(Asked::embeddings(shape)),
            _ => None,
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Operation(Operation::Files | Operation::Batches) => true,
            Self::Operation(Operation::Realtime) => *method == Method::GET,
            Self::Operation(_)
            | Self::Other(..)
            | Self::Gemini(_)
            | Self::Embeddings(_)
            | Self::Ollama(ollama::Call::Show) => *method == Method::POST,
            Self::Unknown | Self::Kept(_) => true,
            _ => *method == Method::GET || *method == Method::HEAD,
        }
    }
}

/// Whether this path has a handler, whatever the method.
pub(crate) fn is_served(path: &str) -> bool {
    Endpoint::of(path) != Endpoint::Unknown
}

fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn handle(gateway: Arc<Gateway>, peer: IpAddr, request: Request<Incoming>) -> Response<ResponseBody> {
    let endpoint = Endpoint::of(request.uri().path());
    if let Err(error) = framing::check(&request) {
        gateway.metrics.refused(error.code);
        return errors::response_in(endpoint.dialect(), &error, None);
    }
    let other_method =
        matches!(endpoint, Endpoint::Model(Dialect::Gemini, _)) && request.method() == Method::POST;
    if !other_method && !endpoint.allows(request.method()) {
        return method_not_allowed(endpoint, request.method());
    }
    if let Some(asked) = endpoint.asked(request.uri().query()) {
        return pipeline::run(&gateway, peer, asked, request).await;
    }
    match endpoint {
        Endpoint::Operation(Operation::Realtime) => Box::pin(realtime::run(gateway, peer, request)).await,
        // Boxed: these are few, and their future would make everybody's larger.
        Endpoint::Operation(operation) => Box::pin(passthrough::run(gateway, peer, operation, request)).await,
        Endpoint::Kept(path) => {
            let path = path.to_owned();
            Box::pin(objects::run(gateway, peer, request, path)).await
        }
        Endpoint::Ollama(call) => Box::pin(ollama::run(gateway, peer, call, request)).await,
        Endpoint::Models(dialect) => handlers::models::list(&gateway, peer, &request.into_parts().0, dialect),
        // A method of a model that is not served.
        Endpoint::Model(Dialect::Gemini, _) if request.method() == Method::POST => {
            handlers::unknown::not_found(&request.into_parts().0)
        }
        Endpoint::Model(dialect, id) => {
            let id = id.to_owned();
            handlers::models::one(&gateway, peer, &request.into_parts().0, (dialect, &id))
        }
        Endpoint::Home => handlers::home::page(&gateway, peer, &request.into_parts().0),
        Endpoint::Live => handlers::health::live(),
        Endpoint::Ready => handlers::health::ready(&gateway),
        Endpoint::Unknown if passthrough::generic::may_pass(&gateway.world.load(), request.uri().path()) => {
            Box::pin(passthrough::generic::run(gateway, peer, request)).await
        }
        Endpoint::Unknown | Endpoint::Other(..) | Endpoint::Gemini(_) | Endpoint::Embeddings(_) => {
            handlers::unknown::not_found(&request.into_parts().0)
        }
    }
}

fn method_not_allowed(endpoint: Endpoint<'_>, method: &Method) -> Response<ResponseBody> {
    let allow = match endpoint {
        Endpoint::Operation(Operation::Realtime) => "GET",
        Endpoint::Operation(_)
        | Endpoint::Other(..)
        | Endpoint::Gemini(_)
        | Endpoint::Embeddings(_)
        | Endpoint::Ollama(ollama::Call::Show) => "POST",
        _ => "GET, HEAD",
    };
    let message = format!("{method} is not for this path; use {allow}");
    let error = PublicError::new(ErrorCode::MethodNotAllowed, message);
    let mut response = errors::response_in(endpoint.dialect(), &error, None);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}
