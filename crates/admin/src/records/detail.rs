//! `GET /admin/v1/requests/{id}`: one request with its attempts. The live tail sends the same form.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pointsman_core::record::Joint;
use pointsman_core::{AttemptRecord, Cost, RequestRecord, Usage};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Dollars, RequestPath, bad_query, read};
use crate::reply::Refusal;
use crate::state::AdminState;

/// One request, complete. Bodies are never shown here.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RequestDetail {
    /// `req_` and 13 characters.
    id: String,
    /// Microseconds since the Unix epoch.
    started_unix_us: i64,
    /// Who pays.
    organisation: Option<String>,
    /// Who pays, more closely.
    project: Option<String>,
    /// Whose work it is.
    team: Option<String>,
    /// Whose key it is.
    user: Option<String>,
    /// The key's id.
    key: Option<String>,
    /// From `x-pointsman-agent`.
    agent: Option<String>,
    /// From `x-pointsman-session`.
    session: Option<String>,
    /// From `x-pointsman-tags`, as sent.
    tags: Option<String>,
    /// W3C trace id, 32 hexadecimal digits.
    trace_id: Option<String>,
    /// W3C span id of the caller, 16 hexadecimal digits.
    parent_id: Option<String>,
    /// What was asked for: `chat`, `embeddings` …
    operation: String,
    /// Whether a stream was asked for.
    streamed: bool,
    /// As the client named it.
    requested_model: String,
    /// The route that it resolved to.
    route: Option<String>,
    /// Every upstream call, in order.
    attempts: Vec<AttemptDetail>,
    /// Tokens of the answer that the client was given.
    usage: Tokens,
    /// The sum over all attempts; null where a price is not known.
    cost: Option<CostParts>,
    /// The version of the price list.
    price_version: u32,
    /// The generation of the configuration that decided.
    config_generation: u64,
    /// HTTP status; 0: the client left before there was one.
    status: u16,
    /// How it ended.
    outcome: String,
    /// The error code that the client was told.
    error: Option<String>,
    /// Whole duration.
    duration_us: u64,
    /// Time to first token.
    first_token_us: Option<u64>,
    /// Time inside Pointsman.
    overhead_us: u64,
    /// Bytes of the request body.
    request_bytes: u64,
    /// Bytes of the answer body.
    response_bytes: u64,
    /// Answered by the simulated provider.
    simulated: bool,
    /// What had no place in another dialect, comma separated; fields of the answer begin with `answer.`.
    dropped: Option<String>,
    /// Whether the bodies are kept in the store.
    bodies_kept: bool,
}

/// One upstream call.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AttemptDetail {
    /// The provider's name.
    provider: String,
    /// The upstream model.
    model: String,
    /// How it ended.
    outcome: String,
    /// What timed out.
    timeout_phase: Option<String>,
    /// How long the provider asked to wait.
    retry_after_ms: Option<u64>,
    /// The upstream's HTTP status.
    status: Option<u16>,
    /// After the request's start.
    started_us: u64,
    /// From the attempt's start to the response head.
    first_byte_us: Option<u64>,
    /// From the attempt's start to its end.
    duration_us: u64,
    /// Tokens of this attempt.
    usage: Tokens,
    /// Null where the price is not known.
    cost: Option<CostParts>,
    /// A short internal reason.
    detail: Option<String>,
    /// Where it goes on with the answer of an attempt that broke off.
    joint: Option<JointDetail>,
}

/// Where an attempt goes on with an answer that others began.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JointDetail {
    /// Characters of text that the client had.
    at_chars: u64,
    /// Characters that said again what the client had, and were left out.
    dropped_chars: u64,
    /// `prefill`: the model went on by itself; `instructed`: it was told to; `anew`: no text had been shown.
    how: String,
}

/// Tokens by kind. Input includes cached and cache-write tokens, output includes reasoning.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tokens {
    input: u64,
    cached_input: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
    input_audio: u64,
    output_audio: u64,
    /// `reported`, `counted`, `estimated` or `unknown`.
    source: String,
}

/// Parts of a cost, which add up to the total.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CostParts {
    input_usd: Dollars,
    cached_input_usd: Dollars,
    cache_write_usd: Dollars,
    output_usd: Dollars,
    reasoning_usd: Dollars,
    other_usd: Dollars,
    total_usd: Dollars,
}

/// The request that the path names.
pub(crate) async fn one(
    State(state): State<AdminState>,
    path: Result<Path<RequestPath>, PathRejection>,
) -> Result<Json<RequestDetail>, Refusal> {
    let Path(path) = path.map_err(|rejection| bad_query(rejection.body_text()))?;
    let known = path.id.parse::<pointsman_core::RequestId>();
    let Some(id) = known.ok().filter(|id| id.to_string() == path.id) else {
        return Err(bad_query("a request id is `req_` and 13 characters of 0-9 and a-z".into()));
    };
    match read(&state, move |reader| reader.get(id)).await? {
        Some(record) => Ok(Json(RequestDetail::from(&record))),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "unknown_request",
            format!("there is no record of {id}"),
            "records appear a moment after the request has ended, and leave by age and number",
        )),
    }
}

impl From<&RequestRecord> for RequestDetail {
    fn from(record: &RequestRecord) -> Self {
        let principal = &record.principal;
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        let header = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let trace = record.trace;
        Self {
            id: record.id.to_string(),
            started_unix_us: record.started_unix_us,
            organisation: text(&principal.organisation),
            project: text(&principal.project),
            team: text(&principal.team),
            user: text(&principal.user),
            key: text(&principal.key),
            agent: header(&record.agent),
            session: header(&record.session),
            tags: header(&record.tags),
            trace_id: (trace.trace_id != 0).then(|| format!("{:032x}", trace.trace_id)),
            parent_id: trace.parent_id.map(|id| format!("{id:016x}")),
            operation: record.operation.as_str().to_owned(),
            streamed: record.streamed,
            requested_model: record.requested_model.to_string(),
            route: text(&record.route),
            attempts: record.attempts.iter().map(AttemptDetail::from).collect(),
            usage: record.usage.into(),
            cost: record.cost.map(CostParts::from),
            price_version: record.price_version,
            config_generation: record.config_generation,
            status: record.status,
            outcome: record.outcome.as_str().to_owned(),
            error: record.error.map(|code| code.as_str().to_owned()),
            duration_us: record.duration_us,
            first_token_us: record.first_token_us,
            overhead_us: record.overhead_us,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            simulated: record.simulated,
            dropped: header(&record.dropped),
            bodies_kept: record.bodies.is_some(),
        }
    }
}

impl From<&AttemptRecord> for AttemptDetail {
    fn from(attempt: &AttemptRecord) -> Self {
        let phase = match attempt.outcome {
            pointsman_core::Outcome::Timeout(phase) => Some(phase.as_str().to_owned()),
            _ => None,
        };
        let wait = attempt.outcome.retry_after();
        Self {
            provider: attempt.provider.to_string(),
            model: attempt.model.to_string(),
            outcome: attempt.outcome.as_str().to_owned(),
            timeout_phase: phase,
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            status: attempt.status,
            started_us: attempt.started_us,
            first_byte_us: attempt.first_byte_us,
            duration_us: attempt.duration_us,
            usage: attempt.usage.into(),
            cost: attempt.cost.map(CostParts::from),
            detail: attempt.detail.as_deref().map(str::to_owned),
            joint: attempt.joint.map(JointDetail::from),
        }
    }
}

impl From<Joint> for JointDetail {
    fn from(joint: Joint) -> Self {
        let Joint { at_chars, dropped_chars, how } = joint;
        Self { at_chars, dropped_chars, how: how.as_str().to_owned() }
    }
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        let Usage {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
            input_audio,
            output_audio,
            source,
            detail: _,
        } = usage;
        let source = source.as_str().to_owned();
        Self { input, cached_input, cache_write, output, reasoning, input_audio, output_audio, source }
    }
}

impl From<Cost> for CostParts {
    fn from(cost: Cost) -> Self {
        Self {
            input_usd: cost.input.into(),
            cached_input_usd: cost.cached_input.into(),
            cache_write_usd: cost.cache_write.into(),
            output_usd: cost.output.into(),
            reasoning_usd: cost.reasoning.into(),
            other_usd: cost.other.into(),
            total_usd: cost.total().into(),
        }
    }
}
