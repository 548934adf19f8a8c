//! One upstream call: encode, send, wait for something to show, classify.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use pointsman_config::{Deployment, Provider};
use pointsman_core::{Operation, Outcome, Phase, Usage, UsageSource};
use pointsman_providers::classify::classify_body_error;
use pointsman_providers::{ErrorInfo, classify};
use pointsman_transport::{ConnectError, ExchangeError, RequestBody, SendError, UpstreamBody};
use pointsman_wire::json::{Kind, Scanner};
use pointsman_wire::openai::answer::{self, Answer};
use pointsman_wire::openai::error::{UpstreamError, parse as parse_error};
use pointsman_wire::probe::probe;
use pointsman_wire::splice::splice;
use tokio::time::{Instant, timeout_at};

use crate::headers;
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::plan::adds_usage;
use crate::pipeline::read::Encoding;
use crate::stream::{self, StreamStart};

/// Longest whole answer that is held, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Longest error body that is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// How long an error body is waited for: the status alone says enough to go on.
const ERROR_BODY_WITHIN: Duration = Duration::from_secs(5);
/// How much of a provider's error message is passed on.
const MAX_MESSAGE_CHARS: usize = 300;
/// How much of a provider's own word for an error is kept.
const MAX_KIND_CHARS: usize = 64;
/// Shorter keys are no secrets, and would be found everywhere.
const MIN_KEY_BYTES: usize = 8;
/// Characters that are taken for one token where nothing was counted.
pub(crate) const CHARS_PER_TOKEN: u64 = 4;

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

/// A provider's refusal, to be passed on.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) error: UpstreamError,
}

impl Rejection {
    /// Whether clients of the OpenAI API can read the body: an object with an object `error`.
    pub(crate) fn in_openai_shape(&self) -> bool {
        let mut found = false;
        let Ok(mut scanner) = Scanner::new(&self.body) else { return false };
        let read = matches!(scanner.kind(), Ok(Kind::Object))
            && scanner
                .object(|scanner, key| {
                    found |= key.name() == "error" && scanner.kind()? == Kind::Object;
                    scanner.skip()
                })
                .is_ok();
        read && found && scanner.end().is_ok()
    }
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
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, public: impl Into<Cow<'static, str>>) -> Self {
        Self { outcome, public: public.into(), detail: None, rejection: None }
    }

    pub(crate) fn because(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }
}

/// Calls `deployment` once. The attempt is on the record when this returns, except for a stream, whose
/// attempt ends with it.
pub(crate) async fn attempt(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
) -> Result<Opened, Failure> {
    let started = dispatch.gateway.clock.now();
    dispatch.settlement.begin_attempt(deployment, started);
    let result = exchange(dispatch, deployment, started).await;
    let now = dispatch.gateway.clock.now();
    let settlement = &mut dispatch.settlement;
    settlement.meter.resume(now);
    match result {
        Ok(Exchanged::Stream(start)) => Ok(Opened::Stream(start)),
        Ok(Exchanged::Plain(plain, usage)) => {
            settlement.end_attempt(Outcome::Success, usage, None, now);
            settlement.update(|record| record.usage = usage);
            Ok(Opened::Plain(plain))
        }
        Err(failure) => {
            let detail = failure.detail.clone().unwrap_or_else(|| failure.public.as_ref().into());
            settlement.end_attempt(failure.outcome, Usage::default(), Some(detail), now);
            Err(failure)
        }
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
    started: Instant,
) -> Result<Exchanged, Failure> {
    let provider = &deployment.provider;
    let include_usage = adds_usage(deployment, dispatch.streamed, dispatch.wants_usage);
    let request = encode(dispatch, deployment, include_usage)?;
    let (head_by, phase) = head_deadline(dispatch, deployment, started);
    dispatch.settlement.meter.pause(dispatch.gateway.clock.now());
    let response = match timeout_at(head_by, provider.upstream.send(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(send_failure(&error)),
        Err(_) => return Err(timed_out(phase)),
    };
    let answered = dispatch.gateway.clock.now();
    dispatch.settlement.attempt_answered(response.status().as_u16(), answered);
    if !response.status().is_success() {
        return Err(refusal(dispatch, deployment, response).await);
    }
    if dispatch.streamed {
        let strip_usage = include_usage;
        return stream::open(dispatch, deployment, response, answered, strip_usage)
            .await
            .map(Exchanged::Stream);
    }
    plain(dispatch, deployment, response).await
}

/// The request for this candidate: the client's bytes with its model name, and our headers.
pub(crate) fn encode(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    include_usage: bool,
) -> Result<Request<RequestBody>, Failure> {
    let internal = |error: &dyn std::fmt::Display| {
        Failure::new(Outcome::Malformed, "the request could not be encoded").because(error)
    };
    let provider = &deployment.provider;
    let body = &dispatch.outgoing.body;
    let edits = match dispatch.first_edits.take() {
        Some(edits) => edits,
        // Later attempts probe again: a microsecond, and nothing borrows from the body in between.
        None => probe(body).map_err(|error| internal(&error))?.edits(&deployment.model_json, include_usage),
    };
    let pieces = splice(body, &edits);
    let mut request = Request::new(RequestBody::new(pieces));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = provider.target(dispatch.operation).clone();
    // The span that exporters tell of this attempt: what is recorded is what was sent.
    let span = dispatch.settlement.record().map_or(1, |record| {
        let earlier = u32::try_from(record.attempts.len()).unwrap_or(u32::MAX - 1);
        record.id.span(earlier + 1)
    });
    let headers = request.headers_mut();
    headers.reserve(8 + provider.headers.len() + dispatch.outgoing.headers.len());
    headers.insert(header::HOST, provider.upstream.host().clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if dispatch.streamed { "text/event-stream" } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("pointsman/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in &dispatch.outgoing.headers {
        headers.append(name.clone(), value.clone());
    }
    headers::insert_traceparent(headers, &dispatch.trace, span);
    // Last, so that nothing a client sends can stand in for them.
    for (name, value) in &provider.headers {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(value) = provider.authorization(dispatch.rng.next_u64()) {
        headers.insert(provider.auth_header.clone(), value.clone());
    }
    Ok(request)
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
    let collecting = Limited::new(body, MAX_ANSWER_BYTES).collect();
    let body = match timeout_at(dispatch.deadline.instant(), collecting).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Failure::new(Outcome::Malformed, "the answer is too long to be held"));
        }
        Ok(Err(error)) => {
            let malformed = error.downcast_ref().is_some_and(is_malformed);
            return Err(broken(malformed, "the answer broke off").because(error));
        }
        Err(_) => return Err(timed_out(Phase::Total)),
    };
    dispatch.settlement.meter.resume(dispatch.gateway.clock.now());
    let body = decode(&head.headers, body, MAX_ANSWER_BYTES)?;
    let observed = answer::observe(dispatch.operation, &body).map_err(|error| {
        Failure::new(Outcome::Malformed, "the answer could not be understood").because(error)
    })?;
    if let Some(error) = &observed.error {
        let outcome = classify_body_error(&error_info(error));
        return Err(blamed(outcome, None, error, deployment));
    }
    let usage = observed.usage.unwrap_or_else(|| estimate(dispatch, &observed));
    let store = dispatch.route.store_bodies.then(|| dispatch.outgoing.body.clone());
    let plain = PlainAnswer { deployment: deployment.clone(), headers: head.headers, body, store };
    Ok(Exchanged::Plain(plain, usage))
}

/// Decodes what came compressed although nobody asked for that.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Failure> {
    let malformed = |error: pointsman_core::PublicError| {
        Failure::new(Outcome::Malformed, "the answer's content encoding could not be undone")
            .because(error.message)
    };
    match Encoding::of(headers).map_err(malformed)? {
        None => Ok(body),
        Some(encoding) => encoding.decode(&body, limit).map_err(malformed),
    }
}

/// Lengths instead of counts: four characters a token.
fn estimate(dispatch: &Dispatch, answer: &Answer) -> Usage {
    let output = match dispatch.operation {
        Operation::Chat | Operation::TextCompletion => answer.output_chars.div_ceil(CHARS_PER_TOKEN),
        _ => 0,
    };
    let input = estimated_input(dispatch);
    Usage { input, output, source: UsageSource::Estimated, ..Usage::default() }
}

/// Prompt tokens by the length of the request.
pub(crate) fn estimated_input(dispatch: &Dispatch) -> u64 {
    (dispatch.outgoing.body.len() as u64).div_ceil(CHARS_PER_TOKEN)
}

/// Reads an error answer and says what it means.
pub(crate) async fn refusal(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
) -> Failure {
    let (head, body) = response.into_parts();
    let body = error_body(dispatch, &head.headers, body).await;
    let body = redacted(body, &deployment.provider);
    let error = parse_error(&body);
    let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let now_unix = dispatch.gateway.clock.unix_us(dispatch.gateway.clock.now()) / 1_000_000;
    let now_unix = u64::try_from(now_unix).unwrap_or_default();
    let outcome = match classify(head.status.as_u16(), retry_after, now_unix, &error_info(&error)) {
        // Where objects are kept, a conflict is the caller's affair: another try meets the same one.
        Outcome::UpstreamFault if head.status == StatusCode::CONFLICT && keeps(dispatch.operation) => {
            Outcome::ClientFault
        }
        outcome => outcome,
    };
    let mut failure = blamed(outcome, Some(head.status), &error, deployment);
    if outcome == Outcome::ClientFault {
        failure.rejection = Some(Box::new(Rejection {
            deployment: deployment.clone(),
            status: head.status,
            headers: head.headers,
            body,
            error,
        }));
    }
    failure
}

/// What stands where a stream was asked for. Some servers say in a whole answer, with status 200, what is
/// wrong: then that is the reason.
pub(crate) async fn not_a_stream(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
) -> Failure {
    let (head, body) = response.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    if content_type.to_ascii_lowercase().contains("json") {
        let body = error_body(dispatch, &head.headers, body).await;
        if let Ok(Answer { error: Some(error), .. }) = answer::observe(dispatch.operation, &body) {
            return blamed(classify_body_error(&error_info(&error)), None, &error, deployment);
        }
    }
    Failure::new(Outcome::Malformed, "the answer is not an event stream")
        .because(format!("content type `{content_type}`"))
}

/// The body of an answer that is no success; empty where it cannot be read: the answer is an error even so.
async fn error_body(dispatch: &Dispatch, headers: &HeaderMap, body: UpstreamBody) -> Bytes {
    let collecting = Limited::new(body, MAX_ERROR_BYTES).collect();
    let patience = dispatch.deadline.instant().min(dispatch.gateway.clock.now() + ERROR_BODY_WITHIN);
    match timeout_at(patience, collecting).await {
        Ok(Ok(body)) => decode(headers, body.to_bytes(), MAX_ERROR_BYTES).unwrap_or_default(),
        Ok(Err(_)) | Err(_) => Bytes::new(),
    }
}

/// Whether an operation is about what a provider keeps.
const fn keeps(operation: Operation) -> bool {
    matches!(operation, Operation::Files | Operation::Batches | Operation::PassThrough)
}

pub(crate) fn error_info(error: &UpstreamError) -> ErrorInfo<'_> {
    ErrorInfo { type_: error.type_.as_deref(), code: error.code.as_deref(), message: Some(&error.message) }
}

/// A failure in the provider's own words, for the client alone: what is kept of it is its kind, because
/// providers quote prompts.
pub(crate) fn blamed(
    outcome: Outcome,
    status: Option<StatusCode>,
    error: &UpstreamError,
    deployment: &Deployment,
) -> Failure {
    let public = redacted(Bytes::from(quote(outcome, status, error)), &deployment.provider);
    let mut kind = status.map_or_else(|| "error".to_owned(), |status| format!("status {}", status.as_u16()));
    for word in [&error.type_, &error.code].into_iter().flatten() {
        kind.push(' ');
        kind.extend(
            word.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(MAX_KIND_CHARS),
        );
    }
    Failure::new(outcome, String::from_utf8_lossy(&public).into_owned()).because(kind)
}

/// The same text without the provider's keys, which some servers repeat in their errors.
fn redacted(text: Bytes, provider: &Provider) -> Bytes {
    let mut text = text;
    for value in &provider.auth {
        let key = value.as_bytes().rsplit(|&byte| byte == b' ').next().unwrap_or_default();
        if key.len() < MIN_KEY_BYTES || memchr::memmem::find(&text, key).is_none() {
            continue;
        }
        let mut clean = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in memchr::memmem::find_iter(&text, key) {
            clean.extend_from_slice(&text[from..at]);
            clean.extend_from_slice(b"[redacted]");
            from = at + key.len();
        }
        clean.extend_from_slice(&text[from..]);
        text = Bytes::from(clean);
    }
    text
}

/// The provider's words, short. Its words about our credentials may repeat them, so they stay here.
fn quote(outcome: Outcome, status: Option<StatusCode>, error: &UpstreamError) -> String {
    let status = status.map_or_else(|| "error".to_owned(), |status| format!("status {}", status.as_u16()));
    if outcome == Outcome::Unauthorized {
        return format!("{status}, the provider refused Pointsman's key or the account has no credit");
    }
    if error.message.is_empty() {
        return status;
    }
    let message: String = error.message.chars().take(MAX_MESSAGE_CHARS).collect();
    format!("{status}, {message}")
}

pub(crate) fn send_failure(error: &SendError) -> Failure {
    match error {
        SendError::Connect(ConnectError::Timeout(_)) => timed_out(Phase::Connect),
        SendError::Connect(ConnectError::Unknown(_)) => {
            Failure::new(Outcome::Unreachable, "its host name is not known").because(error)
        }
        SendError::Connect(ConnectError::Tls(_)) => {
            Failure::new(Outcome::Unreachable, "the TLS handshake failed").because(error)
        }
        SendError::Connect(ConnectError::Io(cause)) => {
            let public = match cause.kind() {
                std::io::ErrorKind::ConnectionRefused => "the connection was refused",
                _ => "it could not be reached",
            };
            Failure::new(Outcome::Unreachable, public).because(error)
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
