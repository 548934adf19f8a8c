//! Answers that are no success: read, classified, and told without what must stay here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use pointsman_config::{Deployment, Provider};
use pointsman_core::{Dialect, Operation, Outcome};
use pointsman_providers::classify::classify_body_error;
use pointsman_providers::{ErrorInfo, blames_seal, classify, refused_field, retry_after};
use pointsman_transport::{UpstreamBody, collect};
use pointsman_wire::UpstreamError;
use pointsman_wire::convert::codec;
use pointsman_wire::json::{Kind, Scanner};
use pointsman_wire::openai::answer::{self, Answer};
use pointsman_wire::openai::error::parse;
use tokio::time::timeout_at;

use crate::pipeline::attempt::{Blame, Failure, decode};
use crate::pipeline::dispatch::Dispatch;

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

/// A provider's refusal, to be passed on.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) outcome: Outcome,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) error: UpstreamError,
    /// What the body is written in.
    pub(crate) dialect: Dialect,
}

impl Rejection {
    /// Whether clients that speak `dialect` can read the body as it is: the provider speaks it too, and the
    /// body is an object with an object `error` (of Ollama, a text).
    pub(crate) fn is_in(&self, dialect: Dialect) -> bool {
        let mut found = false;
        let Ok(mut scanner) = Scanner::new(&self.body) else { return false };
        let shape = if dialect == Dialect::Ollama { Kind::String } else { Kind::Object };
        let read = self.dialect == dialect
            && matches!(scanner.kind(), Ok(Kind::Object))
            && scanner
                .object(|scanner, key| {
                    found |= key.name() == "error" && scanner.kind()? == shape;
                    scanner.skip()
                })
                .is_ok();
        read && found && scanner.end().is_ok()
    }
}

/// Reads an error answer and says what it means. `dialect` is what the provider was spoken to in.
pub(crate) async fn refusal(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
    dialect: Dialect,
) -> Failure {
    let (head, body) = response.into_parts();
    let body = error_body(dispatch, &head.headers, body).await;
    let body = redacted(body, &deployment.provider);
    let error = codec(dialect).map_or_else(|| parse(&body), |codec| codec.parse_error(&body));
    let now_unix = dispatch.gateway.clock.unix_us(dispatch.gateway.clock.now());
    let now_unix = Duration::from_micros(u64::try_from(now_unix).unwrap_or_default());
    let wait = retry_after(&|name| head.headers.get(name)?.to_str().ok(), now_unix);
    let outcome = match classify(head.status.as_u16(), wait, &error_info(&error)) {
        // Where objects are kept, a conflict is the caller's affair: another try meets the same one.
        Outcome::UpstreamFault if head.status == StatusCode::CONFLICT && keeps(dispatch.operation) => {
            Outcome::ClientFault
        }
        outcome => outcome,
    };
    let mut failure = blamed(outcome, Some(head.status), &error, deployment);
    if outcome.blames_request() || outcome == Outcome::ModelNotFound {
        failure.rejection = Some(Box::new(Rejection {
            deployment: deployment.clone(),
            outcome,
            status: head.status,
            headers: head.headers,
            body,
            error,
            dialect,
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
    let collecting = collect(body, MAX_ERROR_BYTES);
    let patience = dispatch.deadline.instant().min(dispatch.gateway.clock.now() + ERROR_BODY_WITHIN);
    match timeout_at(patience, collecting).await {
        Ok(Ok(body)) => decode(headers, body, MAX_ERROR_BYTES).unwrap_or_default(),
        Ok(Err(_)) | Err(_) => Bytes::new(),
    }
}

/// Whether an operation is about what a provider keeps.
const fn keeps(operation: Operation) -> bool {
    matches!(operation, Operation::Files | Operation::Batches | Operation::Responses | Operation::PassThrough)
}

pub(crate) fn error_info(error: &UpstreamError) -> ErrorInfo<'_> {
    ErrorInfo {
        type_: error.type_.as_deref(),
        code: error.code.as_deref(),
        message: Some(&error.message),
        reason: error.reason.as_deref(),
        retry_after: error.retry_after,
    }
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
    let failure = Failure::new(outcome, String::from_utf8_lossy(&public).into_owned()).because(kind);
    let blame = || {
        let info = error_info(error);
        let field = || refused_field(&info, error.param.as_deref()).map(Blame::Field);
        if blames_seal(&info) { Some(Blame::Seals) } else { field() }
    };
    Failure { blames: (outcome == Outcome::ClientFault).then(blame).flatten(), ..failure }
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
    match outcome {
        Outcome::Unauthorized => return format!("{status}, the provider refused Pointsman's key"),
        Outcome::QuotaExhausted => {
            return format!("{status}, the account behind Pointsman's key has no credit or quota left");
        }
        _ => {}
    }
    if error.message.is_empty() {
        return status;
    }
    let message: String = error.message.chars().take(MAX_MESSAGE_CHARS).collect();
    format!("{status}, {message}")
}
