//! Stage 10: where client and candidate speak different dialects, the request and its answer are
//! converted; where they speak the same, the answer is only looked at.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use pointsman_config::Deployment;
use pointsman_core::{Dialect, ErrorCode, Operation, Outcome, PublicError, Usage};
use pointsman_providers::classify::classify_body_error;
use pointsman_transport::RequestBody;
use pointsman_wire::UpstreamError;
use pointsman_wire::convert::{Called, Codec, Relay, Translator, Watch, codec, codec_for, count_request};
use pointsman_wire::json::Document;
use pointsman_wire::neutral::{
    AnswerContext, Choice, DecodeError, EncodeError, Encoded, Need, Origin, Reason, Target, ToolNames,
    may_hold_results, may_hold_tag,
};
use pointsman_wire::neutral::{Request as NeutralRequest, Resolved};
use pointsman_wire::openai::answer::observe;
use pointsman_wire::openai::stream::{StreamObserver, StreamRules};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::live::Live;
use crate::pipeline::attempt::{self, Failure};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::embed;
use crate::pipeline::media;
use crate::pipeline::refusal::{blamed, error_info};

/// How a candidate is spoken to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech {
    /// What the client speaks.
    pub(crate) client: Dialect,
    /// What the candidate is spoken to in.
    pub(crate) upstream: Dialect,
    /// Whether the request cannot go as it is.
    pub(crate) rewritten: bool,
}

impl Speech {
    /// The same on both sides.
    pub(crate) const fn same(dialect: Dialect) -> Self {
        Self { client: dialect, upstream: dialect, rewritten: false }
    }

    /// How to speak to this candidate.
    pub(crate) fn with(dispatch: &Dispatch, deployment: &Deployment) -> Self {
        let client = dispatch.asked.dialect;
        match (dispatch.operation, client) {
            (Operation::Chat | Operation::TokenCount, _) => {}
            (Operation::TextCompletion, Dialect::Ollama) => {}
            (Operation::Embeddings, _) => return embed::speech(dispatch, deployment),
            _ => return Self::same(client),
        }
        let upstream = deployment.dialect_for(client);
        // Proofs of thoughts that another provider made must not reach this one: they are taken out by
        // the same conversion.
        let rest = dispatch.continuation.as_ref().is_some_and(|continuation| continuation.goes_on());
        let body = &dispatch.outgoing.body;
        // Ids of calls that another provider made do not fit everywhere, even in the same dialect.
        let ids = deployment.provider.quirks.short_call_ids && may_hold_results(body);
        let rewritten = upstream != client || rest || ids || dispatch.unsealed || may_hold_tag(body);
        Self { client, upstream, rewritten }
    }

    /// Whether the answer is not in the client's dialect.
    pub(crate) fn converted(self) -> bool {
        self.client != self.upstream
    }
}

/// A conversion, or what it still needs.
enum Step {
    Ready(Encoded, ToolNames),
    Fetch(Vec<Need>),
}

/// The request for a candidate that does not take the client's bytes as they are.
///
/// # Errors
/// The client's request is wrong, or cannot be said to this candidate.
pub(crate) async fn encode(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
) -> Result<Request<RequestBody>, Failure> {
    let (encoded, names) = match heavy(dispatch.outgoing.body.len(), || convert(dispatch, deployment))? {
        Step::Ready(encoded, names) => (encoded, names),
        Step::Fetch(needs) => {
            // Another candidate may take the address itself.
            media::fetch(dispatch, needs).await.map_err(|error| Failure::unsaid(error, false))?;
            match heavy(dispatch.outgoing.body.len(), || convert(dispatch, deployment))? {
                Step::Ready(encoded, names) => (encoded, names),
                Step::Fetch(_) => return Err(Failure::new(Outcome::Malformed, "its media were not fetched")),
            }
        }
    };
    let mut body = encoded.body;
    if dispatch.operation == Operation::TokenCount {
        body = count_request(dispatch.speech.upstream, &body, &deployment.key.model).map_err(|error| {
            Failure::new(Outcome::Malformed, "the request could not be encoded").because(error)
        })?;
    }
    dispatch.settlement.lost_in_request(&encoded.losses);
    dispatch.dropped = encoded.losses;
    dispatch.tool_names = (!names.is_empty()).then(|| Arc::new(names));
    attempt::request(dispatch, deployment, RequestBody::from(Bytes::from(body)))
}

/// A body from here on is converted where it holds up nobody else: a megabyte takes about five milliseconds.
const HEAVY_BYTES: usize = 1 << 20;

/// Does it where others can go on meanwhile, if it is about that many bytes.
pub(crate) fn heavy<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let many = || Handle::try_current().is_ok_and(|own| own.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes >= HEAVY_BYTES && many() { tokio::task::block_in_place(work) } else { work() }
}

fn convert(dispatch: &Dispatch, deployment: &Deployment) -> Result<Step, Failure> {
    let speech = dispatch.speech;
    let to = known(dispatch, speech.upstream, false)?;
    let document = read(dispatch)?;
    let mut request = decode(dispatch, &document)?;
    if let Some(continuation) = &dispatch.continuation {
        continuation.adapt(&mut request, deployment, speech.upstream)?;
    }
    if let Some(previous) = request.previous.as_ref().filter(|_| speech.converted()) {
        let message = format!(
            "`{}` names an answer that {} does not know; send the whole conversation",
            previous.field, deployment.key
        );
        return Err(unsayable(message, previous.field));
    }
    let provider = &deployment.provider;
    let live = Live::of(deployment, &dispatch.gateway);
    let none = Resolved::default();
    let withheld = dispatch.withheld();
    let quirks = match withheld {
        [] => provider.quirks.clone(),
        fields => Arc::new(provider.quirks.without(fields)),
    };
    let target = Target {
        stream: dispatch.streamed,
        stream_usage: provider.accepts_include_usage,
        max_output: live.and_then(|live| live.max_output),
        quirks: &quirks,
        refuses_seals: dispatch.unsealed,
        counts: dispatch.operation == Operation::TokenCount,
        media: dispatch.media.as_ref().map_or(&none, |media| &media.resolved),
        ..Target::new(speech.upstream, &provider.name, &deployment.key.model)
    };
    let names = match speech.converted() {
        true => ToolNames::fit(&mut request, speech.upstream),
        // What the client wrote in this dialect is the provider's to judge.
        false => ToolNames::default(),
    };
    let mut needs = if speech.converted() { to.needs(&request, &target) } else { Vec::new() };
    needs.retain(|need| !target.media.0.contains_key(&need.url));
    if dispatch.route.fetch_media && !needs.is_empty() {
        return Ok(Step::Fetch(needs));
    }
    let mut encoded =
        to.encode_request(&request, &target).map_err(|error| no_place(&error, &needs, deployment))?;
    if let Some(continuation) = &dispatch.continuation {
        encoded.body = continuation.mark(encoded.body, deployment, speech.upstream);
    }
    let said = matches!(dispatch.operation, Operation::Chat | Operation::TextCompletion);
    let strict = dispatch.route.strict && said;
    if let Some(first) = encoded.losses.iter().next().filter(|_| strict) {
        let message = format!(
            "`{first}` has no place in a request to {}, and this route is `strict`; leave it out, or use another model",
            deployment.key
        );
        return Err(unsayable(message, first));
    }
    Ok(Step::Ready(encoded, names))
}

/// The client's body.
pub(crate) fn read(dispatch: &Dispatch) -> Result<Document<'_>, Failure> {
    Document::read(&dispatch.outgoing.body).map_err(|error| wrong(&error.into()))
}

/// The client's request in the neutral form.
pub(crate) fn decode<'a>(
    dispatch: &Dispatch,
    document: &Document<'a>,
) -> Result<NeutralRequest<'a>, Failure> {
    let from = known(dispatch, dispatch.asked.dialect, true)?;
    // The body has no model where the path has it; what is sent has the candidate's.
    let called = Called { model: "", stream: dispatch.streamed };
    from.decode_request(document, called).map_err(|error| wrong(&error))
}

/// A candidate's whole answer as the client reads it: its headers, its bytes, and what it used.
///
/// # Errors
/// It is no answer.
pub(crate) fn answer(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    mut headers: HeaderMap,
    body: &Bytes,
) -> Result<(HeaderMap, Bytes, Usage), Failure> {
    let speech = dispatch.speech;
    let from = known(dispatch, speech.upstream, false)?;
    let id = answer_id(dispatch);
    let document = Document::read(body).map_err(|error| misunderstood(&error.into()))?;
    if let Some(error) = error_in(&document, body, from, speech.upstream) {
        return Err(blamed(classify_body_error(&error_info(&error)), None, &error, deployment));
    }
    let origin = Origin { provider: &deployment.provider.name, id: &id };
    let mut answer = from.decode_answer(&document, &origin).map_err(|error| misunderstood(&error))?;
    let usage = answer.usage.unwrap_or_else(|| attempt::estimate(dispatch, answer.chars()));
    // A prompt that a filter stopped: Google's API answers it with nothing.
    if dispatch.has_another_filter() && answer.choices.iter().all(is_stopped) {
        let failure = Failure::new(Outcome::ContentFiltered, "its filter stopped the prompt");
        return Err(Failure { usage: Some(Box::new(usage)), ..failure });
    }
    if !speech.converted() {
        return Ok((headers, body.clone(), usage));
    }
    let names = dispatch.tool_names.clone();
    if let Some(names) = &names {
        names.restore(&mut answer);
    }
    let to = known(dispatch, speech.client, true)?;
    let encoded = to.encode_answer(&answer, &context(dispatch, deployment));
    dispatch.settlement.lost_in_answer(&encoded.losses);
    headers.remove(header::CONTENT_TYPE);
    Ok((headers, encoded.body.into(), usage))
}

/// Whether a filter left nothing of it.
fn is_stopped(choice: &Choice<'_>) -> bool {
    choice.blocks.is_empty()
        && choice.finish.as_ref().is_some_and(|finish| finish.reason == Reason::ContentFilter)
}

/// Some servers answer 200 and put the error in the body.
fn error_in(
    document: &Document<'_>,
    body: &[u8],
    from: &dyn Codec,
    upstream: Dialect,
) -> Option<UpstreamError> {
    if upstream == Dialect::OpenAiChat {
        return observe(Operation::Chat, body).ok()?.error;
    }
    document.root().get("error").map(|_| from.parse_error(body))
}

/// What drives the candidate's stream.
pub(crate) fn relay(
    dispatch: &Dispatch,
    deployment: &Deployment,
    strip_usage: bool,
) -> Result<Relay, Failure> {
    let speech = dispatch.speech;
    if let Some(continuation) = &dispatch.continuation {
        let from = known(dispatch, speech.upstream, false)?;
        // Calls without an id must not get that of one which the client has.
        let attempts = dispatch.settlement.record().map_or(0, |record| record.attempts.len());
        let id = format!("{}_{attempts}", answer_id(dispatch));
        return Ok(continuation.relay(dispatch, deployment, (from, &id)));
    }
    if speech.client == Dialect::OpenAiChat && !speech.converted() {
        let rules = StreamRules { operation: dispatch.operation, strip_usage };
        return Ok(Relay::Observe(StreamObserver::new(rules).expecting(dispatch.choices)));
    }
    let from = known(dispatch, speech.upstream, false)?;
    let provider = &deployment.provider.name;
    if !speech.converted() {
        let watch = Watch::new(from, provider, dispatch.choices);
        let watch = if dispatch.asked.json_array { watch.as_array() } else { watch };
        return Ok(Relay::Watch(Box::new(watch)));
    }
    let to = (known(dispatch, speech.client, true)?, context(dispatch, deployment));
    let translator = Translator::new((from, provider), to, dispatch.choices);
    Ok(Relay::Translate(Box::new(translator.restoring(dispatch.tool_names.as_ref()))))
}

/// Whether streams of this dialect are lines of JSON, not events.
pub(crate) fn streams_lines(dialect: Dialect) -> bool {
    codec(dialect).is_some_and(Codec::streams_lines)
}

/// What writing the client's answer needs besides what `deployment` says.
pub(crate) fn context(dispatch: &Dispatch, deployment: &Deployment) -> AnswerContext {
    let unix_us = dispatch.gateway.clock.unix_us(dispatch.gateway.clock.now());
    AnswerContext {
        id: answer_id(dispatch),
        model: deployment.key.model.to_string(),
        created: u64::try_from(unix_us / 1_000_000).unwrap_or_default(),
        stream_usage: dispatch.wants_usage,
        json_array: dispatch.asked.json_array,
        request: dispatch.received().clone(),
    }
}

/// The request's id without its prefix: dialects have their own.
fn answer_id(dispatch: &Dispatch) -> String {
    let id = dispatch.settlement.record().map(|record| record.id.to_string()).unwrap_or_default();
    id.split_once('_').map_or_else(String::new, |(_, id)| id.to_owned())
}

fn known(dispatch: &Dispatch, dialect: Dialect, for_all: bool) -> Result<&'static dyn Codec, Failure> {
    codec_for(dialect, dispatch.operation).ok_or_else(|| {
        let message = format!("the dialect `{dialect}` cannot be converted");
        Failure::unsaid(PublicError::new(ErrorCode::UnsupportedOperation, message), for_all)
    })
}

pub(crate) fn wrong(error: &DecodeError) -> Failure {
    let public = PublicError::new(ErrorCode::InvalidRequest, error.to_string());
    let public = match error.field() {
        Some(field) => public.at(field.to_owned()),
        None => public,
    };
    Failure::unsaid(public, true)
}

fn no_place(error: &EncodeError, needs: &[Need], deployment: &Deployment) -> Failure {
    let EncodeError { field, problem } = error;
    let hint = match needs.iter().any(|need| need.path.to_string() == *field) {
        true => ", or use a route with `fetch_media: true`",
        false => "",
    };
    unsayable(format!("`{field}` {problem}{hint} ({})", deployment.key), field)
}

fn unsayable(message: String, field: &str) -> Failure {
    let error = PublicError::new(ErrorCode::InvalidRequest, message).at(field.to_owned());
    Failure::unsaid(error, false)
}

fn misunderstood(error: &DecodeError) -> Failure {
    Failure::new(Outcome::Malformed, "the answer could not be understood").because(error)
}
