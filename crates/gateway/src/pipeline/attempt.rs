//! One upstream call: encode, send, wait for something to show, classify.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use pointsman_config::Deployment;
use pointsman_core::{Dialect, ErrorCode, Operation, Outcome, Phase, PublicError, Usage, UsageSource};
use pointsman_providers::Protocol;
use pointsman_providers::classify::classify_body_error;
use pointsman_transport::{ConnectError, ExchangeError, RequestBody, SendError, UpstreamBody};
use pointsman_wire::neutral::{CHARS_PER_TOKEN, Losses};
use pointsman_wire::openai::answer;
use pointsman_wire::probe::probe;
use pointsman_wire::splice::{Edits, Pieces, splice};
use tokio::time::{Instant, timeout_at};

use crate::headers;
use crate::pipeline::alive::read_whole;
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::embed;
use crate::pipeline::plan::adds_usage;
use crate::pipeline::read::Encoding;
use crate::pipeline::refusal::{Rejection, blamed, error_info, refusal};
use crate::pipeline::translate::{self, Speech};
use crate::responses::Made;
use crate::stream::{self, StreamStart};

/// Longest whole answer that is held, in bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// An answer that can be shown.
pub(crate) enum Opened {
    /// A whole one.
    Plain(PlainAnswer),
    /// The beginning of a stream, committed: it has something to show.
    Stream(Box<StreamStart>),
    /// The provider says that the request is wrong: its own words go back.
    Rejected(Box<Rejection>),
}

/// A whole answer.
pub(crate) struct PlainAnswer {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The client's request, where route asks for both to be kept.
    pub(crate) store: Option<Bytes>,
}

/// An attempt without an answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    /// For the client.
    pub(crate) public: Cow<'static, str>,
    /// For the log and the record.
    pub(crate) detail: Option<Box<str>>,
    /// Where the provider blames the request.
    pub(crate) rejection: Option<Box<Rejection>>,
    /// What it used all the same, where it says so.
    pub(crate) usage: Option<Box<Usage>>,
    /// What it refuses of the request; once it is asked again without, that it was.
    pub(crate) blames: Option<Blame>,
    /// Where nothing was sent because the request cannot be said to this candidate.
    pub(crate) unsaid: Option<Box<Unsaid>>,
}

/// What a provider refuses of a request that it takes without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Somebody's proof or cipher of thoughts, which it cannot verify.
    Seals,
    /// A field that its model does not take.
    Field(&'static str),
}

/// Why a request was not sent.
#[derive(Debug)]
pub(crate) struct Unsaid {
    /// What the client is told if nobody else can be asked.
    pub(crate) error: PublicError,
    /// The request is wrong, whoever is asked.
    pub(crate) for_all: bool,
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, public: impl Into<Cow<'static, str>>) -> Self {
        Self {
            outcome,
            public: public.into(),
            detail: None,
            rejection: None,
            usage: None,
            blames: None,
            unsaid: None,
        }
    }

    /// Nothing was sent.
    pub(crate) fn unsaid(error: PublicError, for_all: bool) -> Self {
        let public = error.message.clone();
        Self { unsaid: Some(Box::new(Unsaid { error, for_all })), ..Self::new(Outcome::ClientFault, public) }
    }

    pub(crate) fn because(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }
}

/// Calls `deployment` once. The attempt is on the record when this returns, except for a stream, whose
/// attempt ends with it, and for what was never sent.
pub(crate) async fn attempt(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
) -> Result<Opened, Failure> {
    // Made for the first candidate as its bytes would be: nobody else may use them.
    let edits = dispatch.take_first_edits();
    offers(dispatch, deployment)?;
    let speech = Speech::with(dispatch, deployment);
    dispatch.speech = speech;
    if !dispatch.dropped.is_empty() {
        dispatch.dropped = Losses::default();
        dispatch.settlement.lost_in_request(&dispatch.dropped);
    }
    let include_usage = speech.upstream == Dialect::OpenAiChat
        && adds_usage(deployment, dispatch.streamed, dispatch.wants_usage);
    let request = if speech.rewritten {
        // Boxed: its future would make everybody's larger.
        match dispatch.operation {
            Operation::Embeddings => embed::encode(dispatch, deployment)?,
            _ => Box::pin(translate::encode(dispatch, deployment)).await?,
        }
    } else {
        encode(dispatch, deployment, edits, include_usage)?
    };
    note_headers(dispatch);
    let started = dispatch.gateway.clock.now();
    dispatch.begin_attempt(deployment, request.body().exact_len().unwrap_or_default(), started);
    let result = exchange(dispatch, deployment, request, (started, include_usage)).await;
    let now = dispatch.gateway.clock.now();
    let settlement = &mut dispatch.settlement;
    settlement.meter.resume(now);
    match result {
        Ok(Exchanged::Stream(start)) => {
            settlement.first_token(now);
            Ok(Opened::Stream(start))
        }
        Ok(Exchanged::Plain(plain, usage)) => {
            settlement.end_attempt(Outcome::Success, usage, None, now);
            settlement.update(|record| record.usage = usage);
            Ok(Opened::Plain(plain))
        }
        Err(failure) => {
            let detail = failure.detail.clone().unwrap_or_else(|| failure.public.as_ref().into());
            let usage = failure.usage.as_deref().copied().unwrap_or_default();
            settlement.end_attempt(failure.outcome, usage, Some(detail), now);
            Err(failure)
        }
    }
}

/// Notes which of the client's headers the request does not carry.
fn note_headers(dispatch: &mut Dispatch) {
    let Dispatch { outgoing, speech, dropped, .. } = dispatch;
    let mut any = false;
    let untold = headers::untold(&outgoing.headers, speech.client, speech.upstream);
    for name in outgoing.accounts.iter().copied().chain(untold) {
        dropped.field(name);
        any = true;
    }
    if any {
        dispatch.settlement.lost_in_request(&dispatch.dropped);
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "plain is the common case and moves once; a box would cost it an allocation"
)]
enum Exchanged {
    Plain(PlainAnswer, Usage),
    Stream(Box<StreamStart>),
}

async fn exchange(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    request: Request<RequestBody>,
    (started, strip_usage): (Instant, bool),
) -> Result<Exchanged, Failure> {
    let provider = &deployment.provider;
    let (head_by, phase) = head_deadline(dispatch, deployment, started);
    dispatch.settlement.meter.pause(dispatch.gateway.clock.now());
    let connect = dispatch.timeouts(deployment).connect;
    let response = match timeout_at(head_by, provider.upstream.send_within(request, connect)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(send_failure(&error)),
        Err(_) => return Err(timed_out(phase)),
    };
    let answered = dispatch.gateway.clock.now();
    dispatch.settlement.attempt_answered(response.status(), response.headers(), answered);
    if !response.status().is_success() {
        let dialect = dispatch.speech.upstream;
        return Err(refusal(dispatch, deployment, response, dialect).await);
    }
    if dispatch.streamed {
        return stream::open(dispatch, deployment, response, answered, strip_usage)
            .await
            .map(Exchanged::Stream);
    }
    plain(dispatch, deployment, response).await
}

/// Whether there is such an operation at all: Anthropic's API has nothing but chats.
///
/// # Errors
/// There is not; nothing was sent.
pub(crate) fn offers(dispatch: &Dispatch, deployment: &Deployment) -> Result<(), Failure> {
    let provider = &deployment.provider;
    let chats =
        provider.protocol() == Protocol::Anthropic && !provider.dialects.contains(&Dialect::OpenAiChat);
    let chat = match dispatch.operation {
        Operation::Chat => true,
        // It becomes a turn of a chat.
        Operation::TextCompletion => dispatch.asked.dialect == Dialect::Ollama,
        _ => false,
    };
    if !chats || chat {
        return Ok(());
    }
    let operation = dispatch.operation.as_str();
    let message = format!("{} has no {operation}: its provider's API has chats only", deployment.key);
    Err(Failure::unsaid(PublicError::new(ErrorCode::UnsupportedOperation, message), false))
}

/// The request for a candidate that speaks what the client does: its bytes with the candidate's model
/// name, and our headers. `edits` were made for this very candidate.
pub(crate) fn encode(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    edits: Option<Edits>,
    include_usage: bool,
) -> Result<Request<RequestBody>, Failure> {
    let body = &dispatch.outgoing.body;
    let pieces = match edits {
        Some(edits) => splice(body, &edits),
        // The path has the name.
        None if dispatch.asked.dialect == Dialect::Gemini => Pieces::from_iter([body.clone()]),
        // Later attempts probe again: a microsecond, and nothing borrows from the body in between.
        None => {
            let probe = probe(body).map_err(|error| unencodable(&error))?;
            splice(body, &probe.edits(&deployment.model_json, include_usage))
        }
    };
    request(dispatch, deployment, RequestBody::new(pieces))
}

/// A request with this body, and our headers.
pub(crate) fn request(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    body: RequestBody,
) -> Result<Request<RequestBody>, Failure> {
    let provider = &deployment.provider;
    let Speech { client, upstream, .. } = dispatch.speech;
    let model = &deployment.key.model;
    let operation = match dispatch.operation {
        // Ollama's prompt is a turn of a chat elsewhere.
        Operation::TextCompletion if client != upstream => Operation::Chat,
        operation => operation,
    };
    let target = provider.call_target(upstream, operation, model, dispatch.streamed);
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = target.ok_or_else(|| no_target(deployment))?;
    let span = dispatch.settlement.span();
    let headers = request.headers_mut();
    headers.reserve(8 + provider.headers.len() + dispatch.outgoing.headers.len());
    headers.insert(header::HOST, provider.upstream.host().clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = match dispatch.streamed {
        false => "application/json",
        true if upstream == Dialect::Ollama => "application/x-ndjson",
        true => "text/event-stream",
    };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("pointsman/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in &dispatch.outgoing.headers {
        if client == upstream || headers::is_for(name, upstream) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers::insert_traceparent(headers, &dispatch.trace, span);
    // Last, so that nothing a client sends can stand in for them.
    provider.add_headers(headers);
    let key = dispatch.key() as u64;
    let turn = match &mut dispatch.keeping {
        Some(keeping) => keeping.turn(provider.auth.len(), key),
        None => key,
    };
    if let Some(value) = provider.authorization(turn) {
        headers.insert(provider.auth_header.clone(), value.clone());
    }
    Ok(request)
}

/// Where an operation of OpenAI's API that is relayed goes.
///
/// # Errors
/// Nowhere; nothing was sent.
pub(crate) fn relayed_target(dispatch: &Dispatch, deployment: &Deployment) -> Result<Uri, Failure> {
    offers(dispatch, deployment)?;
    let (dialect, model) = (Dialect::OpenAiChat, &deployment.key.model);
    let target = deployment.provider.call_target(dialect, dispatch.operation, model, false);
    target.ok_or_else(|| no_target(deployment))
}

fn no_target(deployment: &Deployment) -> Failure {
    let message = format!("`{}`: the name cannot stand in a path, as its provider wants it", deployment.key);
    Failure::unsaid(PublicError::new(ErrorCode::InvalidRequest, message).at("model"), false)
}

fn unencodable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Outcome::Malformed, "the request could not be encoded").because(error)
}

/// A whole answer comes with its head, and may take as long as the request may. Where somebody else could
/// answer instead, a silent provider is given up sooner: within the limit for a first byte.
fn head_deadline(dispatch: &Dispatch, deployment: &Deployment, started: Instant) -> (Instant, Phase) {
    let total = dispatch.deadline.instant();
    let first_byte = started + dispatch.timeouts(deployment).first_byte;
    if (dispatch.streamed || dispatch.has_another()) && first_byte < total {
        (first_byte, Phase::FirstByte)
    } else {
        (total, Phase::Total)
    }
}

async fn plain(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
) -> Result<Exchanged, Failure> {
    let (head, body) = response.into_parts();
    let pause = dispatch.has_another().then(|| dispatch.timeouts(deployment).between_chunks);
    let body = read_whole(body, MAX_ANSWER_BYTES, dispatch.deadline.instant(), pause).await?;
    dispatch.settlement.meter.resume(dispatch.gateway.clock.now());
    let body = decode(&head.headers, body, MAX_ANSWER_BYTES)?;
    let speech = dispatch.speech;
    let (headers, body, usage) = if speech.client == Dialect::OpenAiChat && !speech.converted() {
        let usage = observe(dispatch, deployment, &body)?;
        (head.headers, body, usage)
    } else {
        match dispatch.operation {
            Operation::Embeddings => embed::answer(dispatch, deployment, head.headers, &body)?,
            _ => {
                translate::heavy(body.len(), || translate::answer(dispatch, deployment, head.headers, &body))?
            }
        }
    };
    if let Some(mut keeping) = dispatch.keeping.take() {
        keeping.answered(&body, &Made::of(dispatch, deployment));
        dispatch.keeping = Some(keeping);
    }
    let store = dispatch.route.store_bodies.then(|| dispatch.received().clone());
    Ok(Exchanged::Plain(PlainAnswer { deployment: deployment.clone(), headers, body, store }, usage))
}

/// What an answer in OpenAI's dialect used.
fn observe(dispatch: &Dispatch, deployment: &Deployment, body: &Bytes) -> Result<Usage, Failure> {
    let observed = answer::observe(dispatch.operation, body).map_err(|error| {
        Failure::new(Outcome::Malformed, "the answer could not be understood").because(error)
    })?;
    if let Some(error) = &observed.error {
        let outcome = classify_body_error(&error_info(error));
        return Err(blamed(outcome, None, error, deployment));
    }
    Ok(observed.usage.unwrap_or_else(|| estimate(dispatch, observed.output_chars)))
}

/// Decodes what came compressed although nobody asked for that.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Failure> {
    let malformed = |error: PublicError| {
        Failure::new(Outcome::Malformed, "the answer's content encoding could not be undone")
            .because(error.message)
    };
    match Encoding::of(headers).map_err(malformed)? {
        None => Ok(body),
        Some(encoding) => encoding.decode(&body, limit).map_err(malformed),
    }
}

/// Lengths instead of counts: four characters a token.
pub(crate) fn estimate(dispatch: &Dispatch, output_chars: u64) -> Usage {
    let output = match dispatch.operation {
        Operation::Chat | Operation::TextCompletion => output_chars.div_ceil(CHARS_PER_TOKEN),
        _ => 0,
    };
    let input = estimated_input(dispatch);
    Usage { input, output, source: UsageSource::Estimated, ..Usage::default() }
}

/// Prompt tokens by the length of what was sent in the attempt that is under way.
pub(crate) fn estimated_input(dispatch: &Dispatch) -> u64 {
    let sent = dispatch.settlement.sent_bytes().unwrap_or(dispatch.outgoing.body.len() as u64);
    sent.div_ceil(CHARS_PER_TOKEN)
}

pub(crate) fn send_failure(error: &SendError) -> Failure {
    match error {
        SendError::Connect(ConnectError::Timeout(_)) => timed_out(Phase::Connect),
        SendError::Connect(ConnectError::Unknown(_)) => {
            Failure::new(Outcome::UnknownHost, "its host name is not known").because(error)
        }
        SendError::Connect(ConnectError::Tls(_)) => {
            Failure::new(Outcome::TlsFailed, "the TLS handshake failed").because(error)
        }
        SendError::Connect(ConnectError::Io(cause)) => {
            let (outcome, public) = match cause.kind() {
                std::io::ErrorKind::ConnectionRefused => (Outcome::Refused, "the connection was refused"),
                _ => (Outcome::Unreachable, "it could not be reached"),
            };
            Failure::new(outcome, public).because(error)
        }
        SendError::Exchange(cause) => broken(is_malformed(cause), "the connection broke").because(error),
    }
}

/// An answer that ended before its end: against the rules of HTTP, or because the connection did.
pub(crate) fn broken(malformed: bool, public: &'static str) -> Failure {
    match malformed {
        true => Failure::new(Outcome::Malformed, "the answer is not valid HTTP"),
        false => Failure::new(Outcome::Reset, public),
    }
}

pub(crate) const fn is_malformed(error: &ExchangeError) -> bool {
    matches!(error, ExchangeError::Malformed(_))
}

pub(crate) fn timed_out(phase: Phase) -> Failure {
    let public = match phase {
        Phase::Connect => "no connection in time",
        Phase::FirstByte => "no answer in time",
        Phase::FirstToken => "no first token in time",
        Phase::BetweenChunks => "the stream stalled",
        Phase::Total => "the request's deadline passed",
    };
    Failure::new(Outcome::Timeout(phase), public)
}
