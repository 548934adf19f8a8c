//! A request is a server span, each upstream call a client span below it.
//!
//! Trace and parent are the caller's where it sent W3C Trace Context, and so is its decision to sample;
//! traces that begin here are sampled by their id.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, SpanFlags, Status};
use pointsman_core::{AttemptRecord, ErrorCode, Outcome, RequestRecord, Usage};
use prost::Message;

use super::super::json::content_type;
use super::super::{Delivery, ExporterOptions, Format, Ratio, content, semconv};
use super::{Attributes, CONTENT_TYPE, langfuse, resource, scope};

/// The sampled bit of the trace flags (W3C Trace Context, section 3.2.2.5).
const SAMPLED: u8 = 1;

/// The format.
pub(in super::super) struct Traces {
    resource: Resource,
    scope: InstrumentationScope,
    ratio: Ratio,
    content: bool,
    langfuse: Option<langfuse::Langfuse>,
    spans: Vec<Span>,
    records: usize,
}

impl Traces {
    pub(in super::super) fn new(
        options: &ExporterOptions,
        ratio: Ratio,
        version: &str,
        for_langfuse: bool,
    ) -> Self {
        Self {
            resource: resource(options, version),
            scope: scope(version),
            ratio,
            content: options.capture_content,
            langfuse: for_langfuse.then(|| langfuse::Langfuse::new(options)),
            spans: Vec::new(),
            records: 0,
        }
    }

    fn sampled(&self, record: &RequestRecord) -> bool {
        let trace = &record.trace;
        match trace.parent_id {
            Some(_) => trace.flags & SAMPLED != 0,
            None => self.ratio.takes(trace.trace_id),
        }
    }
}

impl Format for Traces {
    fn push(&mut self, record: &RequestRecord) -> usize {
        // A request that was refused before its headers were read has no trace.
        if record.trace.trace_id == 0 || !self.sampled(record) {
            return 0;
        }
        let before = self.spans.len();
        let mut server = server_span(record);
        let mut clients: Vec<Span> =
            (1..).zip(&record.attempts).map(|(index, attempt)| client_span(record, index, attempt)).collect();
        if self.content && self.langfuse.is_none() {
            let mut messages = Attributes(std::mem::take(&mut server.attributes));
            let text = |messages: Option<serde_json::Value>| messages.map(|value| value.to_string());
            messages.text_if(semconv::INPUT_MESSAGES, text(content::input_messages(record)));
            messages.text_if(semconv::OUTPUT_MESSAGES, text(content::output_messages(record)));
            server.attributes = messages.0;
        }
        if let Some(langfuse) = &self.langfuse {
            langfuse.add(record, &mut server, &mut clients);
        }
        self.spans.push(server);
        self.spans.append(&mut clients);
        self.records += 1;
        self.spans[before..].iter().map(Message::encoded_len).sum()
    }

    fn take(&mut self) -> Vec<Delivery> {
        let (spans, records) = (std::mem::take(&mut self.spans), std::mem::take(&mut self.records));
        if records == 0 {
            return Vec::new();
        }
        let scope_spans =
            ScopeSpans { scope: Some(self.scope.clone()), spans, schema_url: semconv::SCHEMA_URL.into() };
        let resource_spans = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![scope_spans],
            schema_url: semconv::SCHEMA_URL.into(),
        };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource_spans] };
        vec![Delivery { headers: content_type(CONTENT_TYPE), body: request.encode_to_vec().into(), records }]
    }
}

fn server_span(record: &RequestRecord) -> Span {
    let mut attributes = Attributes::default();
    let principal = &record.principal;
    attributes.text(semconv::OPERATION_NAME, record.operation.as_str());
    attributes.text(semconv::REQUEST_MODEL, &*record.requested_model);
    attributes.bool(semconv::REQUEST_STREAM, record.streamed);
    if record.outcome == Outcome::Success {
        attributes.text_if(semconv::RESPONSE_MODEL, record.last_attempt().map(|attempt| &*attempt.model));
    }
    usage(&mut attributes, &record.usage);
    attributes.text_if(semconv::CONVERSATION_ID, record.session.as_deref());
    attributes.text_if(semconv::AGENT_NAME, record.agent.as_deref());
    attributes.text_if(semconv::USER_ID, principal.user.as_deref());
    if record.status != 0 {
        attributes.int(semconv::HTTP_STATUS, u64::from(record.status));
    }
    let error = record.error.map(ErrorCode::as_str);
    let error = error.or((record.outcome != Outcome::Success).then(|| record.outcome.as_str()));
    attributes.text_if(semconv::ERROR_TYPE, error);
    attributes.text(semconv::REQUEST_ID, record.id.to_string());
    attributes.text(semconv::OUTCOME, record.outcome.as_str());
    attributes.text_if(semconv::ROUTE, record.route.as_deref());
    attributes.text_if(semconv::KEY, principal.key.as_deref());
    attributes.text_if(semconv::ORGANISATION, principal.organisation.as_deref());
    attributes.text_if(semconv::PROJECT, principal.project.as_deref());
    attributes.text_if(semconv::TEAM, principal.team.as_deref());
    attributes.text_if(semconv::TAGS, record.tags.as_deref());
    attributes.text_if(semconv::COST_USD, record.cost.map(|cost| cost.total().to_string()));
    attributes.int(semconv::OVERHEAD_US, record.overhead_us);
    if let Some(first_token_us) = record.first_token_us {
        attributes.int(semconv::FIRST_TOKEN_US, first_token_us);
    }
    if record.simulated {
        attributes.bool(semconv::SIMULATED, true);
    }
    // A server span is in error only where the server is at fault (HTTP spans, "Status").
    let failed = record.outcome != Outcome::Success && (record.status >= 500 || record.status == 0);
    let name = format!("{} {}", record.operation.as_str(), record.requested_model);
    let remote = if record.trace.parent_id.is_some() { SpanFlags::ContextIsRemoteMask as u32 } else { 0 };
    Span {
        parent_span_id: record.trace.parent_id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: flags(record) | remote,
        ..span(record, 0, (name, SpanKind::Server), (0, record.duration_us), (attributes, failed))
    }
}

fn client_span(record: &RequestRecord, index: u32, attempt: &AttemptRecord) -> Span {
    let mut attributes = Attributes::default();
    let succeeded = attempt.outcome == Outcome::Success;
    attributes.text(semconv::OPERATION_NAME, record.operation.as_str());
    attributes.text(semconv::PROVIDER_NAME, &*attempt.provider);
    attributes.text(semconv::REQUEST_MODEL, &*attempt.model);
    attributes.bool(semconv::REQUEST_STREAM, record.streamed);
    attributes.text_if(semconv::RESPONSE_MODEL, succeeded.then_some(&*attempt.model));
    usage(&mut attributes, &attempt.usage);
    if let Some(status) = attempt.status {
        attributes.int(semconv::HTTP_STATUS, u64::from(status));
    }
    attributes.text_if(semconv::ERROR_TYPE, (!succeeded).then(|| attempt.outcome.as_str()));
    attributes.text(semconv::OUTCOME, attempt.outcome.as_str());
    attributes.text_if(semconv::COST_USD, attempt.cost.map(|cost| cost.total().to_string()));
    attributes.int(semconv::ATTEMPT, u64::from(index));
    if let Some(joint) = attempt.joint {
        attributes.text(semconv::JOINED, joint.how.as_str());
        attributes.int(semconv::JOINED_AT_CHARS, joint.at_chars);
    }
    let name = format!("{} {}", record.operation.as_str(), attempt.model);
    let time = (attempt.started_us, attempt.duration_us);
    let mut span = span(record, index, (name, SpanKind::Client), time, (attributes, !succeeded));
    span.parent_span_id = record.id.span(0).to_be_bytes().to_vec();
    if let (Some(status), Some(detail)) = (&mut span.status, &attempt.detail) {
        status.message = detail.to_string();
    }
    span
}

/// `time` is start after the request's and duration, in microseconds.
fn span(
    record: &RequestRecord,
    index: u32,
    (name, kind): (String, SpanKind),
    time: (u64, u64),
    (attributes, failed): (Attributes, bool),
) -> Span {
    let start = u64::try_from(record.started_unix_us).unwrap_or_default().saturating_add(time.0);
    let code = if failed { StatusCode::Error } else { StatusCode::Unset };
    Span {
        trace_id: record.trace.trace_id.to_be_bytes().to_vec(),
        span_id: record.id.span(index).to_be_bytes().to_vec(),
        flags: flags(record),
        name,
        kind: kind.into(),
        start_time_unix_nano: start.saturating_mul(1_000),
        end_time_unix_nano: start.saturating_add(time.1).saturating_mul(1_000),
        attributes: attributes.0,
        status: Some(Status { message: String::new(), code: code.into() }),
        ..Span::default()
    }
}

/// What is exported is sampled, whoever decided; and whether the parent is remote is known.
fn flags(record: &RequestRecord) -> u32 {
    u32::from(record.trace.flags | SAMPLED) | SpanFlags::ContextHasIsRemoteMask as u32
}

fn usage(attributes: &mut Attributes, usage: &Usage) {
    attributes.text(semconv::USAGE_SOURCE, usage.source.as_str());
    if usage.source == pointsman_core::UsageSource::Unknown {
        return;
    }
    attributes.int(semconv::INPUT_TOKENS, usage.input);
    attributes.int(semconv::OUTPUT_TOKENS, usage.output);
    for (name, count) in [
        (semconv::CACHE_READ_TOKENS, usage.cached_input),
        (semconv::CACHE_CREATION_TOKENS, usage.cache_write),
        (semconv::REASONING_TOKENS, usage.reasoning),
    ] {
        if count > 0 {
            attributes.int(name, count);
        }
    }
}
